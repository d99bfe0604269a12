"""What of a server's definitions a person should see before a model does.

Findings are rare on purpose: whoever reads ten that mean nothing does not read the eleventh. Each says where it stands
and what it is, and can be argued about: a server may have its reasons to say "you must call `login` first".
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from gateway.authoring.trust.hidden import hidden
from gateway.authoring.trust.names import alike, forged
from gateway.authoring.trust.orders import about_others, orders, read_aloud, speakable
from gateway.authoring.trust.texts import LONGEST, MOST_TEXTS, Finding, Text, texts
from gateway.jsonrpc import Json

_VALUES: Final = frozenset({"default", "enum", "const", "example", "examples"})
_PROSE: Final = re.compile(r"(?:\S+\s+){9}\S")
_LONG_NAME: Final = 80
_ASKS: Final = re.compile(
    r"(?:system|user)_?prompts?|(?:conversation|chat|message)_?(?:history|log|transcript)|chain_?of_?thought|reasoning_?trace"
    r"|(?:available_?tools|tools?_?list|list_?of_?tools)|model_?name|(?:ssh|private)_?keys?|id_rsa|env(?:ironment)?_?vars?"
)
_IMAGE: Final = "data:image/"


def audit(
    definitions: Sequence[Mapping[str, Json]], *, instructions: str = "", known: Collection[str] = ()
) -> tuple[Finding, ...]:
    """The findings, in the order of the list; `known` are names that belong to somebody else's tools (KeyID's)."""
    names = [str(definition.get("name", "")) for definition in definitions]
    spoken = speakable({*names, *known})
    found = [finding for definition in definitions for finding in _of_tool(definition, spoken)]
    for name, like, here in alike(names, known):
        whose = "another tool of this server" if here else "a tool of KeyID"
        found.append(Finding(name, "name", "look-alike", f"its name reads like that of {whose}", like))
    order = {name: number for number, name in enumerate(reversed(names))}
    found.sort(key=lambda finding: -order.get(finding.tool, 0))
    told = _of_text("", Text("instructions", instructions), frozenset()) if instructions else ()
    return (*told, *found)


def _of_tool(definition: Mapping[str, Json], spoken: Collection[str]) -> Iterator[Finding]:
    name = str(definition.get("name", ""))
    if forged(name):
        yield Finding(name, "name", "look-alike", "its name has characters that hide or look like others", name)
    number = 0
    for text in texts(definition):
        number += 1
        if text.place != "name":
            yield from _of_text(name, text, spoken)
    if number > MOST_TEXTS:
        yield Finding(name, "", "hidden text", f"it has more than {MOST_TEXTS} texts, and nobody reads the rest")


def _of_text(tool: str, text: Text, spoken: Collection[str]) -> Iterator[Finding]:
    value, place = text.value[:LONGEST], text.place
    if len(text.value) > LONGEST:
        said = f"{len(text.value)} characters, of which only the first {LONGEST} were looked at"
        yield Finding(tool, place, "hidden text", said)
    if not value.startswith(_IMAGE):
        yield from (Finding(tool, place, "hidden text", said, piece) for said, piece in hidden(value))
    aloud = read_aloud(value.replace("_", " ") if text.is_key else value)
    yield from (Finding(tool, place, "order", said, piece) for said, piece in orders(aloud))
    if text.is_key:
        yield from _of_name(tool, text)
        return
    for other, sentence in about_others(aloud, tool, spoken):
        yield Finding(tool, place, "another tool", f"it gives orders about `{other}`", sentence)
    if text.last in _VALUES and _PROSE.search(value):
        yield Finding(tool, place, "odd value", f"a value (`{text.last}`) that reads like prose", value)


def _of_name(tool: str, text: Text) -> Iterator[Finding]:
    if ".properties." not in f".{text.place}":
        return
    if len(text.value) > _LONG_NAME or _PROSE.search(text.value):
        yield Finding(tool, text.place, "odd value", "an argument whose name reads like prose", text.value)
    elif _ASKS.fullmatch(text.value.lower().replace("-", "_")):
        said = "an argument that asks for what the model knows, by its name"
        yield Finding(tool, text.place, "order", said, text.value)
