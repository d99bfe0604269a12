"""What a tool answered, for a person: texts as texts, structure as JSON, of anything else what it is.

Every text is somebody else's, so every line of it goes through `words.shown`.
"""

import json
from collections.abc import Iterator, Mapping

from gateway.cli.words import shown
from gateway.errors import UpstreamError
from gateway.jsonrpc import Json, loads, serialise


def lines(result: Mapping[str, Json]) -> Iterator[str]:
    """The result of a call, line by line. Structure that stands in the content as a text too is said once."""
    structured = result.get("structuredContent")
    content = result.get("content")
    for item in content if isinstance(content, list) else ():
        if not (isinstance(item, dict) and structured is not None and _says(item.get("text"), structured)):
            yield from _item(item)
    if structured is not None:
        yield from _indented(structured)


def _item(item: Json) -> Iterator[str]:
    if not isinstance(item, dict):
        yield from _indented(item)
        return
    text, resource = item.get("text"), item.get("resource")
    if item.get("type") == "text" and isinstance(text, str):
        yield from map(shown, text.splitlines())
    elif item.get("type") == "resource" and isinstance(resource, dict) and isinstance(resource.get("text"), str):
        yield f"[resource {shown(str(resource.get('uri')))}]"
        yield from map(shown, str(resource["text"]).splitlines())
    else:
        yield _mark(item)


def _mark(item: Mapping[str, Json]) -> str:
    """What cannot be shown here, in one line: what it is, and how large."""
    resource = item.get("resource")
    inner = resource if isinstance(resource, dict) else item
    words = [shown(str(item.get("type")))]
    words += [shown(value) for key in ("mimeType", "uri", "name") if isinstance(value := inner.get(key), str)]
    data = inner.get("data", inner.get("blob"))
    if isinstance(data, str):
        words.append(f"{len(data) * 3 // 4} bytes")
    return f"[{' '.join(words)}]"


def _says(text: Json, structured: Json) -> bool:
    try:
        return isinstance(text, str) and loads(text) == structured
    except (ValueError, ArithmeticError, RecursionError):
        return False


def _indented(value: Json) -> Iterator[str]:
    plain = json.loads(serialise(value))
    yield from map(shown, json.dumps(plain, indent=2, ensure_ascii=False).splitlines())


def said(error: Json) -> str:
    """The words of an error."""
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else "an error without words"


def failed(error: Json) -> UpstreamError:
    """An error in place of an answer, with its cure: where to look, unless its words say what to type."""
    words = said(error)
    return UpstreamError(words, None if "keyid-gateway " in words else "`keyid-gateway doctor` says what is wrong")
