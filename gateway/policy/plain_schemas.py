"""Schemas that can certainly be used: told by looking, without the library that judges by them.

Most input schemas are plain: types, properties, a few bounds. That these can be used need not be tried out when a list
arrives, which would load the library (some five megabytes) for agents that never call such a tool. Whatever is not
plain says nothing of itself: it has to be tried. `is_plain` may err on that side only.
"""

from collections.abc import Callable, Mapping
from typing import Final

from gateway.jsonrpc import Json

_TYPES: Final = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_DIALECTS: Final = frozenset(
    {"https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"}
)
"""In which the keywords below mean what they do here."""
_LARGEST: Final = 2**31


def is_plain(schema: Json) -> bool:
    """Whether a schema, which nests no deeper than may be, is a schema of keywords that are known here and in order."""
    if isinstance(schema, bool):
        return True
    if not isinstance(schema, dict):
        return False
    return all((check := _KEYWORDS.get(name)) is not None and check(value) for name, value in schema.items())


def _text(value: Json) -> bool:
    return isinstance(value, str)


def _flag(value: Json) -> bool:
    return isinstance(value, bool)


def _whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST


def _count(value: Json) -> bool:
    return isinstance(value, int) and _whole(value) and value >= 0


def _simple(value: Json) -> bool:
    return value is None or isinstance(value, str | bool) or _whole(value)


def _choice(value: Json) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(_simple, value)) and _differ(value)


def _names(value: Json) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and _differ(value)


def _differ(values: list[Json]) -> bool:
    return len({(type(value), value) for value in values if _simple(value)}) == len(values)


def _type(value: Json) -> bool:
    several: list[Json] = value if isinstance(value, list) else [value]
    return len(several) > 0 and _names(several) and _TYPES.issuperset(map(str, several))


def _properties(value: Json) -> bool:
    return isinstance(value, dict) and all(map(is_plain, value.values()))


def _several(value: Json) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(map(is_plain, value))


_KEYWORDS: Final[Mapping[str, Callable[[Json], bool]]] = {
    "$schema": lambda value: isinstance(value, str) and value in _DIALECTS,
    "title": _text,
    "description": _text,
    "default": _simple,
    "format": _text,
    "x-mcp-header": _text,
    "type": _type,
    "enum": _choice,
    "const": _simple,
    "properties": _properties,
    "required": _names,
    "additionalProperties": is_plain,
    "items": is_plain,
    "anyOf": _several,
    "oneOf": _several,
    "allOf": _several,
    "minimum": _whole,
    "maximum": _whole,
    "exclusiveMinimum": _whole,
    "exclusiveMaximum": _whole,
    "minLength": _count,
    "maxLength": _count,
    "minItems": _count,
    "maxItems": _count,
    "minProperties": _count,
    "maxProperties": _count,
    "uniqueItems": _flag,
}
