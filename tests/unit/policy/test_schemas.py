"""A tool's own schema as a judge of arguments: exact, bounded, and closed where it cannot be used."""

from typing import Any

import pytest

from gateway.jsonrpc import loads
from gateway.policy.schemas import MAX_BYTES, InputSchema

Json = Any

PLAIN: Json = {
    "type": "object",
    "properties": {
        "to": {"type": "string", "pattern": "^[a-z]+$"},
        "n": {"type": "integer", "maximum": 9007199254740992},
        "d": {"multipleOf": 0.1},
        "list": {"items": {"enum": ["a", "b"]}},
        "o": {"properties": {"odd name": {"type": "null"}}},
    },
    "required": ["to"],
    "additionalProperties": False,
}


def fault(schema: Json, arguments: str) -> str | None:
    values = loads(arguments)
    assert isinstance(values, dict)
    return InputSchema(schema).fault(values)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ('{"to": "ann"}', None),
        ("{}", "args: `to` is missing"),
        ('{"to": 5}', 'args.to: expected `type` ["string"]'),
        ('{"to": "s3cret value"}', 'args.to: expected `pattern` "^[a-z]+$"'),
        ('{"to": "a", "list": ["a", "s3cret"]}', 'args.list[1]: expected `enum` ["a","b"]'),
        ('{"to": "a", "o": {"odd name": 1}}', 'args.o["odd name"]: expected `type` ["null"]'),
        ('{"to": "a", "more": "s3cret"}', "args: nothing else is expected (`additionalProperties`)"),
    ],
)
def test_what_is_wrong_is_said_by_its_path_and_never_by_its_value(arguments: str, said: str | None) -> None:
    assert fault(PLAIN, arguments) == said


@pytest.mark.parametrize(
    ("number", "fits"),
    [
        ('"n": 9007199254740992', True),
        ('"n": 9007199254740993', False),
        ('"n": 9007199254740993.0', False),
        ('"n": 1.0', True),
        ('"n": 1e2', True),
        ('"n": 1.5', False),
        ('"n": 1e-5000', False),
        ('"n": -0', True),
        ('"d": 0.3', True),
        ('"d": 0.30000000000000000001', False),
    ],
)
def test_numbers_are_judged_as_they_were_written(number: str, fits: bool) -> None:
    assert (fault(PLAIN, f'{{"to": "a", {number}}}') is None) is fits


def test_the_dialect_is_the_one_that_the_schema_names() -> None:
    tuples: dict[str, Json] = {"properties": {"a": {"items": [{"type": "string"}]}}}
    draft_07: Json = {"$schema": "http://json-schema.org/draft-07/schema#", **tuples}
    assert fault(draft_07, '{"a": [1]}') == 'args.a[0]: expected `type` ["string"]'
    prefix: Json = {"properties": {"a": {"prefixItems": [{"type": "string"}]}}}
    assert fault(prefix, '{"a": [1]}') == 'args.a[0]: expected `type` ["string"]'


DEEP: Json = {"type": "object"}
for _ in range(70):
    DEEP = {"properties": {"a": DEEP}}
BOMB: Json = {
    "$ref": "#/$defs/d0",
    "$defs": {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)} | {"d40": {"type": "string"}},
}


UNFOLDS = "its references unfold to more than can be looked at"
OWN_ID = "its references cannot be followed: a part of it has an `$id` of its own"


DRAFT_4 = "http://json-schema.org/draft-04/schema#"


def doubling(prefix: str) -> Json:
    """Thirty definitions, each of which asks twice for the next one."""
    twice = {f"a{n}": {"allOf": [{"$ref": f"{prefix}a{n + 1}"}] * 2} for n in range(30)}
    return {"$ref": f"{prefix}a0", "$defs": {**twice, "a30": {"type": "object"}}}


@pytest.mark.parametrize(
    ("schema", "cause"),
    [
        (None, "it is not an object"),
        (True, "it is not an object"),
        ({"type": "strin"}, '"strin" is not valid'),
        (
            {"$ref": "https://example.com/schema.json"},
            "it refers to what is not in it: https://example.com/schema.json",
        ),
        ({"$ref": "#/$defs/none"}, "it refers to what is not in it: #/$defs/none"),
        ({"$schema": "https://example.com/mine"}, "Unknown meta-schema"),
        ({"pattern": "(?=a)b"}, '"(?=a)b" is not a "regex"'),
        ({"pattern": "(a{1000}){1000}"}, ""),
        ({"description": "x" * MAX_BYTES}, "it is larger than 256 KiB"),
        (DEEP, "it nests deeper than 64 levels"),
        (BOMB, UNFOLDS),
        (doubling("#/%24defs/"), UNFOLDS),
        (doubling("http://x/y#/$defs/") | {"$id": "http://x/y"}, UNFOLDS),
        ({"allOf": [doubling("#/$defs/") | {"$id": "urn:x"}]}, OWN_ID),
        ({"allOf": [doubling("#/$defs/") | {"$id": "urn:x"}], "$defs": {"a0": {}}}, OWN_ID),
        ({"$defs": {"x": doubling("#/$defs/") | {"$id": "urn:x"}}, "$ref": "urn:x"}, OWN_ID),
        ({"$defs": {"x": doubling("#/$defs/") | {"id": "urn:x"}}, "$ref": "#/$defs/x", "$schema": DRAFT_4}, OWN_ID),
        ({"$ref": "#a", "$defs": {"a": {"$anchor": "a"}, "b": {"$anchor": "a"}}}, "its references cannot be followed"),
        ({"$ref": "http://json-schema.org/draft-07/schema#"}, "it refers to what is not in it"),
        ({"$ref": "#a"}, "it refers to what is not in it"),
        ({"$ref": "#/$defs/a0", "$defs": {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(4000)}}, "its refer"),
    ],
)
def test_a_schema_that_cannot_be_used_makes_every_call_unjudgeable(schema: Json, cause: str) -> None:
    judge = InputSchema(schema)
    assert judge.cause is not None
    assert judge.cause.startswith(cause)
    assert judge.cause.isprintable()
    assert judge.fault({}) == f"the tool's input schema cannot be used: {judge.cause}"


TREE: Json = {
    "$defs": {"node": {"anyOf": [{"properties": {"a": {"$ref": "#/$defs/node"}}, "required": ["b"]}] * 2}},
    "properties": {"a": {"$ref": "#/$defs/node"}},
}


def test_a_schema_that_leads_back_to_itself_is_followed_as_far_as_it_can_be_looked_at() -> None:
    json: Json = {
        "$defs": {
            "json": {
                "anyOf": [
                    {"type": ["string", "number"]},
                    {"type": "array", "items": {"$ref": "#/$defs/json"}},
                    {"type": "object", "additionalProperties": {"$ref": "#/$defs/json"}},
                ]
            }
        },
        "additionalProperties": {"$ref": "#/$defs/json"},
    }
    assert fault(json, '{"a": [{"b": ["c", 5]}]}') is None
    assert fault(json, '{"a": [{"b": [null]}]}') is not None
    deep = '{"a": ' * 60 + "1" + "}" * 60
    assert fault(TREE, deep) == "the arguments nest too deep to be judged by the tool's input schema"


def test_a_schema_with_one_way_back_is_followed_all_the_way() -> None:
    chain: Json = {"properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
    assert fault(chain, '{"next": ' * 100 + '{"n": "x"}' + "}" * 100) is not None
    assert fault(chain, '{"next": ' * 100 + '{"n": 1}' + "}" * 100) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/%24defs/a%20b", "$defs": {"a b": {"required": ["x"]}}},
        {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "required": ["x"]}}},
        {"$id": "http://x/y.json", "$ref": "y.json#/$defs/a", "$defs": {"a": {"required": ["x"]}}},
        {"properties": {"id": {"$ref": "#/$defs/a"}, "$id": {"type": "string"}}, "$defs": {"a": {}}, "required": ["x"]},
        {"properties": {"a": {"examples": [{"id": "7"}]}}, "$ref": "#/$defs/a", "$defs": {"a": {"required": ["x"]}}},
    ],
)
def test_what_a_schema_refers_to_within_itself_is_followed(schema: Json) -> None:
    assert fault(schema, '{"x": 1}') is None
    assert fault(schema, "{}") == "args: `x` is missing"


def test_formats_are_annotations() -> None:
    assert fault({"properties": {"a": {"format": "email"}}}, '{"a": "none"}') is None
