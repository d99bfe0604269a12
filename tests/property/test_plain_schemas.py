"""A schema that is called plain can be used: the library takes it, whatever is in it."""

from decimal import Decimal
from typing import Any, TypeAlias, cast

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.jsonrpc import Json
from gateway.keyid import known_tools
from gateway.policy import InputSchema
from gateway.policy.plain_schemas import is_plain

Strategy: TypeAlias = st.SearchStrategy[Any]
NAMES = st.sampled_from(["a", "b", "type", "$ref", ""])
WORDS = st.sampled_from(["string", "integer", "object", "array", "null", "strin", "", "a"])
VALUES: Strategy = st.none() | st.booleans() | st.integers() | st.sampled_from([Decimal("1.5"), 2**70, -1]) | WORDS
DATA: Strategy = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=2)
)
DIALECTS = st.sampled_from(
    [
        "https://json-schema.org/draft/2020-12/schema",
        "http://json-schema.org/draft-07/schema#",
        "http://json-schema.org/draft-04/schema#",
        "urn:x",
    ]
)


def keywords(inner: Strategy) -> Strategy:
    """Schemas of which each keyword is right or wrong."""
    schemas = inner | DATA
    bounds: dict[str, Strategy] = {
        f"{which}{what}": st.integers(-2, 5) | DATA for which in ("min", "max") for what in ("imum", "Length", "Items")
    }
    known: dict[str, Strategy] = {
        "$schema": DIALECTS | DATA,
        "type": WORDS | st.lists(WORDS, max_size=3) | DATA,
        "properties": st.dictionaries(NAMES, schemas, max_size=3) | DATA,
        "required": st.lists(NAMES, max_size=3) | DATA,
        "additionalProperties": schemas,
        "items": schemas | st.lists(schemas, max_size=2),
        "anyOf": st.lists(schemas, max_size=2) | DATA,
        "allOf": st.lists(schemas, max_size=2) | DATA,
        "enum": st.lists(VALUES, max_size=3) | DATA,
        "const": DATA,
        "default": DATA,
        "description": WORDS | DATA,
        "format": WORDS | DATA,
        "uniqueItems": st.booleans() | DATA,
        "exclusiveMinimum": st.booleans() | st.integers(0, 3) | DATA,
        "maxProperties": st.integers(-1, 3) | DATA,
        "pattern": st.sampled_from(["a", "("]),
        "$ref": st.sampled_from(["#/properties/a", "http://x/y"]),
        "x-mcp-header": WORDS | DATA,
        **bounds,
    }
    return st.fixed_dictionaries({}, optional=known)


SCHEMAS: Strategy = st.recursive(st.booleans() | st.just({}), keywords, max_leaves=8)


@given(SCHEMAS)
@example({"type": ["string", "string"]})
@example({"required": ["a", "a"]})
@example({"enum": [1, True, 0, False, 1]})
@example({"minLength": -1})
@example({"exclusiveMinimum": True})
@example({"anyOf": []})
def test_what_is_plain_can_be_used(schema: Json) -> None:
    judge = InputSchema(schema)
    assert not judge.is_plain or judge.cause is None


def test_what_servers_announce_is_plain() -> None:
    schemas = [tool.input_schema for tool in known_tools().values()]
    plain = [schema for schema in schemas if is_plain(cast(Json, schema))]
    assert len(plain) > 0.9 * len(schemas)


def test_what_cannot_be_looked_at_is_not_plain() -> None:
    deep: Json = {}
    for _ in range(100):
        deep = {"properties": {"a": deep}}
    others: list[Json] = [{"description": "x" * 2**19}, None, True, {"$ref": "#"}, {"pattern": "a"}, {"type": "strin"}]
    for schema in (deep, *others):
        assert not InputSchema(schema).is_plain
