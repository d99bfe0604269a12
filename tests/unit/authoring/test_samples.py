"""Values that a schema describes."""

from typing import Any

import pytest

from gateway.authoring.samples import described, sample, samples
from gateway.policy import InputSchema
from gateway.policy.paths import Path, parse


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, "x"),
        (None, "x"),
        ({"enum": [3, 4]}, 3),
        ({"const": None}, None),
        ({"type": "string", "minLength": 3}, "xxx"),
        ({"type": "string", "format": "email"}, "a@b.co"),
        ({"type": "string", "pattern": "^[A-Z]{2}$"}, "AA"),
        ({"type": "string", "format": "uri", "maxLength": 5}, "https"),
        ({"type": "integer", "minimum": 7}, 7),
        ({"type": "integer", "exclusiveMinimum": 7}, 8),
        ({"type": "number", "maximum": -2}, -2),
        ({"type": ["boolean", "null"]}, True),
        ({"type": "array", "minItems": 2, "items": {"type": "boolean"}}, [True, True]),
        ({"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, None),
    ],
)
def test_a_value_that_the_schema_takes(schema: Any, expected: Any) -> None:
    assert sample(schema) == expected
    whole: Any = {"type": "object", "properties": {"it": schema or {}}}
    assert InputSchema(whole).fault({"it": expected}) is None


def test_examples_come_before_what_is_made_up() -> None:
    assert list(samples({"type": "string", "examples": ["kim"], "default": "ada"})) == ["kim", "ada", "x"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("args.a", {"type": "array", "items": 1}),
        ("args.a[*]", 1),
        ("args.a[0]", 1),
        ("args.b", None),
        ("args.a.b", None),
    ],
)
def test_what_a_schema_says_of_a_path(path: str, expected: Any) -> None:
    found = parse(path)
    assert isinstance(found, Path)
    assert described({"properties": {"a": {"type": "array", "items": 1}}}, found) == expected
