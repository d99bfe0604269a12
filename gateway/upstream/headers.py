"""The headers of one request, made from the judged body and nothing else (streamable HTTP, both eras).

A client on stdio sends no headers, so that header and body cannot disagree (bypass class B17). In the 2026-07-28
revision every request carries `MCP-Protocol-Version`, `Mcp-Method`, for some methods `Mcp-Name`, and one
`Mcp-Param-*` for each argument that the tool's schema marks with `x-mcp-header`.
"""

import base64
import re
from collections.abc import Iterator, Mapping

from gateway.jsonrpc import Json, Message

PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME_FIELD: Mapping[str, str] = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


def is_modern(message: Message) -> bool:
    """Whether a message speaks the stateless revision: it names its protocol version itself."""
    return isinstance(message.meta.get(PROTOCOL_VERSION), str)


def modern_headers(message: Message, schema: Mapping[str, Json] | None = None) -> dict[str, str]:
    """The headers of a message of the 2026-07-28 revision; `schema` is the called tool's mirrored input schema."""
    headers = {
        "MCP-Protocol-Version": encode(message.meta[PROTOCOL_VERSION]),
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
            suffix = inner.get("x-mcp-header")
            if isinstance(suffix, str) and _TOKEN.fullmatch(suffix):
                yield suffix, (*path, name)
            yield from header_arguments(inner, (*path, name))


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
