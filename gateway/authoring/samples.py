"""Values that a JSON Schema describes, as far as it is plain: guesses, which whoever uses them tries.

First the values that the schema itself names, then the shortest of its type that its bounds, format and pattern allow.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from gateway.authoring.matching import example
from gateway.jsonrpc import Json
from gateway.policy.paths import EACH, Path

_DEEPEST: Final = 4
_LONGEST: Final = 200
_FORMATS: Final[Mapping[object, str]] = {
    "email": "a@b.co",
    "idn-email": "a@b.co",
    "uri": "https://b.co/",
    "uri-reference": "https://b.co/",
    "url": "https://b.co/",
    "hostname": "b.co",
    "date-time": "2026-01-05T12:00:00Z",
    "date": "2026-01-05",
    "time": "12:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
}


def sample(schema: object) -> Json:
    """One value that the schema probably takes."""
    return next(samples(schema), "x")


def samples(schema: object, depth: int = 0) -> Iterator[Json]:
    """Values that the schema probably takes; at least one."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        yield "x"
        return
    for name in ("enum", "examples"):
        named = schema.get(name)
        yield from named[:_DEEPEST] if isinstance(named, list) else ()
    yield from (schema[name] for name in ("const", "default") if name in schema)
    for name in ("anyOf", "oneOf"):
        choices = schema.get(name)
        for choice in choices[:_DEEPEST] if isinstance(choices, list) else ():
            yield from samples(choice, depth + 1)
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        yield _typed(kind, schema, depth)


def _typed(kind: object, schema: Mapping[str, Json], depth: int) -> Json:
    match kind:
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case "array":
            least = schema.get("minItems")
            return [next(samples(schema.get("items"), depth + 1))] * (_size(least) if least else 0)
        case "object":
            properties, required = schema.get("properties"), schema.get("required")
            known = properties if isinstance(properties, dict) else {}
            names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
            return {name: next(samples(known.get(name), depth + 1)) for name in names}
    return _text(schema)


def _number(schema: Mapping[str, Json]) -> Json:
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    least = low + 1 if isinstance(low, int | Decimal) and "minimum" not in schema else low
    if isinstance(least, int | Decimal) and least > 1:
        return least
    return high if isinstance(high, int | Decimal) and high < 1 else 1


def _text(schema: Mapping[str, Json]) -> str:
    pattern = schema.get("pattern")
    text = example(pattern) if isinstance(pattern, str) else None
    if text is None:
        text = _FORMATS.get(schema.get("format"), "x") if isinstance(schema.get("format"), str) else "x"
    longest = schema.get("maxLength")
    padded = text.ljust(_size(schema.get("minLength")), "x")
    return padded if longest is None or "pattern" in schema else padded[: _size(longest)]


def _size(value: Json) -> int:
    return min(max(0, int(value)), _LONGEST) if isinstance(value, int | Decimal) else 0


def described(schema: Json, path: Path) -> object:
    """What a tool's input schema says of a path of its arguments; None: nothing plain."""
    current: object = schema
    for step in path.steps:
        if not isinstance(current, dict):
            return None
        inner = current.get("items" if step is EACH or isinstance(step, int) else "properties")
        current = inner.get(step) if isinstance(step, str) and isinstance(inner, dict) else inner
    return current if current is not schema else None
