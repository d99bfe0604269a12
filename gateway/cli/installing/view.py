"""What may be shown of a client's file: its own entry in full, of everything else the structure.

Other entries carry tokens in their environments, headers, arguments and addresses, and so do comments. A difference is
made of two such views, so that no line of it can show what was not shown on purpose.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from gateway.cli.words import shown
from gateway.clients import Client, entries
from gateway.clients.jsonc import Node, parse
from gateway.settings import OPTIONS
from gateway.settings.masks import masked

MASK: Final = "…"
_PLAIN: Final = frozenset({"command", "type", "source", "transport"})
_ADDRESSES: Final = frozenset({"url", "httpUrl", "serverUrl"})
_BY_FLAG: Final = {option.flag: option for option in OPTIONS}
_BY_VARIABLE: Final = {option.variable: option for option in OPTIONS}
_Span = tuple[int, int, str]


def difference(client: Client, before: str, after: str) -> list[str]:
    """The lines of a unified difference, without a secret. Empty where what changes is not shown."""
    old, new = (view(client, text).splitlines() for text in (before, after))
    return [shown(line) for line in difflib.unified_diff(old, new, n=2, lineterm="")]


def view(client: Client, text: str) -> str:
    """A text, with what may be a secret masked."""
    document = parse(text, client.dialect)
    spans: list[_Span] = [(start, end, f"{text[start : start + 2]} {MASK}") for start, end in document.comments]
    if document.root is not None:
        spans += _of(document.root, (), client)
    parts, at = list[str](), 0
    for start, end, new in sorted(spans):
        if start >= at:
            parts += (text[at:start], new)
            at = end
    return "".join((*parts, text[at:]))


def place(url: str) -> str:
    """Where a URL leads, without what may be a secret in it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" + (f"/{MASK}" if parts.path.strip("/") or parts.query else "")


def _of(node: Node, path: tuple[str, ...], client: Client) -> Iterator[_Span]:
    if len(path) == 2 and path[0] == client.key and node.kind == "object":
        yield from _of_entry(node)
    elif node.kind == "object":
        for member in node.members:
            yield from _of(member.value, (*path, member.name), client)
    else:
        yield from _hidden(node)


def _of_entry(node: Node) -> Iterator[_Span]:
    ours = entries.is_ours(node.value)
    for member in node.members:
        value = member.value
        if value.kind == "string" and member.name in _PLAIN:
            if not ours:  # some write a whole command line there
                yield _said(value, _first_word(value.text))
            continue
        if value.kind == "string" and member.name in _ADDRESSES:
            yield _said(value, place(value.text))
        elif value.kind == "array" and member.name == "args":
            texts = [item.text for item in value.items]
            says = _our_arguments(texts) if ours else [_argument(text) for text in texts]
            yield from (
                _said(item, text) for item, text in zip(value.items, says, strict=True) if item.kind == "string"
            )
        elif value.kind == "object" and member.name == "env":
            for variable in value.members:
                yield from _of_variable(variable.name, variable.value, ours=ours)
        else:
            yield from _hidden(value)


def _of_variable(name: str, value: Node, *, ours: bool) -> Iterator[_Span]:
    option = _BY_VARIABLE.get(name)
    if value.kind != "string" or (ours and name == "KEYID_GATEWAY_CONFIG_DIR"):
        return
    if ours and option is not None:
        yield _said(value, masked(option, value.text))
    else:
        yield _said(value, MASK)


def _our_arguments(texts: Sequence[str]) -> Iterator[str]:
    """Arguments of ours: what a flag says is shown as `profiles show` shows it."""
    flag = None
    for text in texts:
        name, equals, value = text.partition("=")
        if flag is not None:
            yield masked(flag, text)
            flag = None
        elif name in _BY_FLAG and equals:
            yield f"{name}={masked(_BY_FLAG[name], value)}"
        else:
            flag = _BY_FLAG.get(text)
            flag = None if flag is not None and flag.switch else flag
            yield text


def _argument(text: str) -> str:
    if text.startswith(("http://", "https://")):
        return place(text)
    return text.partition("=")[0] if text.startswith("-") and "=" not in text else MASK


def _first_word(text: str) -> str:
    word, blank, _ = text.partition(" ")
    return f"{MASK if '=' in word else word} {MASK}" if blank else text


def _hidden(node: Node) -> Iterator[_Span]:
    if node.kind in ("string", "number"):
        yield _said(node, MASK) if node.kind == "string" else (node.start, node.end, MASK)
    for item in node.items:
        yield from _hidden(item)
    for member in node.members:
        yield from _hidden(member.value)


def _said(node: Node, text: str) -> _Span:
    return node.start, node.end, json.dumps(text, ensure_ascii=False)
