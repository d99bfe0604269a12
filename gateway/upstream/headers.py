"""The headers of one request, made from the judged body and nothing else (streamable HTTP, both eras).

A client on stdio sends no headers, so that header and body cannot disagree (bypass class B17). In the 2026-07-28
revision every request carries `MCP-Protocol-Version`, `Mcp-Method`, for some methods `Mcp-Name`, and one
`Mcp-Param-*` for each argument that the tool's schema marks with `x-mcp-header`. A tool whose schema marks anything
in another way than the revision allows is not to be offered to a client: `mark_fault` says why.
"""

import base64
import re
from collections.abc import Iterator, Mapping

from gateway.jsonrpc import Json, Message

PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
STATELESS = "2026-07-28"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MARK = "x-mcp-header"
_MARKED_TYPES = frozenset({"string", "integer", "boolean"})
_NAMED_SCHEMAS = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})
_SCHEMAS = frozenset(
    {
        "items",
        "prefixItems",
        "contains",
        "unevaluatedItems",
        "additionalProperties",
        "propertyNames",
        "unevaluatedProperties",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "contentSchema",
    }
)
"""Keywords of JSON Schema 2020-12 whose value is a schema or a list of them; above, those that give them names."""
_NAME_FIELD: Mapping[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def is_modern(message: Message) -> bool:
    """Whether a message speaks the stateless revision: it names its protocol version itself."""
    return isinstance(message.meta.get(PROTOCOL_VERSION), str)


def modern_headers(message: Message, schema: Mapping[str, Json] | None = None) -> dict[str, str]:
    """The headers of a message of the 2026-07-28 revision; `schema` is the called tool's mirrored input schema.

    A message that should name its revision and does not still goes out as one of it.
    """
    version = message.meta.get(PROTOCOL_VERSION)
    headers = {
        "MCP-Protocol-Version": encode(version) if isinstance(version, str) else STATELESS,
        "Mcp-Method": encode(message.method),
    }
    field = "taskId" if message.method.startswith("tasks/") else _NAME_FIELD.get(message.method)
    name = message.params.get(field) if field else None
    if isinstance(name, str):
        headers["Mcp-Name"] = encode(name)
    if message.method == "tools/call" and schema is not None:
        for suffix, path in header_arguments(schema):
            value = _at(message.params.get("arguments"), path)
            if value is not None and not isinstance(value, dict | list):
                headers[f"Mcp-Param-{suffix}"] = encode(value)
    return headers


def header_arguments(
    schema: "Json | Mapping[str, Json]", path: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The (header suffix, argument path) pairs that an input schema marks."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping):
        return
    for name, inner in properties.items():
        if isinstance(inner, Mapping):
            suffix = inner.get(_MARK)
            if isinstance(suffix, str) and _TOKEN.fullmatch(suffix):
                yield suffix, (*path, name)
            yield from header_arguments(inner, (*path, name))


def mark_fault(schema: "Json | Mapping[str, Json]") -> str | None:
    """Why an input schema is to be rejected for how it marks arguments (2026-07-28, Custom Headers), or None.

    A mark stands on a property that is reached by `properties` alone, of type string, integer or boolean; it is a
    header's name, and no other mark is the same but for case.
    """
    names: set[str] = set()
    for path, inner in _schemas(schema):
        if _MARK not in inner:
            continue
        name = inner[_MARK]
        if not path:
            return f"`{_MARK}` stands where no argument is"
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            return f"`{_MARK}` of `{'.'.join(path)}` is not the name of a header"
        kind = inner.get("type")
        if not isinstance(kind, str) or kind not in _MARKED_TYPES:
            return f"`{_MARK}` of `{'.'.join(path)}` stands on what is not a string, integer or boolean"
        if name.lower() in names:
            return f"`{_MARK}` of `{'.'.join(path)}` is used twice"
        names.add(name.lower())
    return None


def _schemas(root: "Json | Mapping[str, Json]") -> Iterator[tuple[tuple[str, ...] | None, Mapping[str, Json]]]:
    """Every schema in a schema, with its path where that is one of `properties` alone. References are not followed.

    What is data (`default`, `enum`, …) is not entered. No recursion: the depth is the upstream's choice.
    """
    waiting: list[tuple[tuple[str, ...] | None, Json | Mapping[str, Json]]] = [((), root)]
    while waiting:
        path, schema = waiting.pop()
        if not isinstance(schema, Mapping):
            continue
        yield path, schema
        for keyword, value in schema.items():
            if keyword == "properties" and isinstance(value, Mapping):
                waiting.extend((None if path is None else (*path, name), inner) for name, inner in value.items())
            elif keyword in _NAMED_SCHEMAS and isinstance(value, Mapping):
                waiting.extend((None, inner) for inner in value.values())
            elif keyword in _SCHEMAS:
                waiting.extend((None, inner) for inner in (value if isinstance(value, list) else [value]))


def encode(value: Json) -> str:
    """A header value: as it is where it is plain visible ASCII, else `=?base64?…?=` (2026-07-28, Transports)."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(getattr(value, "text", value))
    plain = all(" " <= char <= "~" for char in text) and text == text.strip()
    if plain and not (text.startswith("=?base64?") and text.endswith("?=")):
        return text
    return "=?base64?" + base64.b64encode(text.encode()).decode() + "?="


def _at(value: "Json | None", path: tuple[str, ...]) -> "Json | None":
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value
