"""JSON values and three-valued truth: what is equal, what is less, and when nobody can tell.

`Truth` is Kleene's: `True`, `False`, and `None` for *unjudgeable*, a value that is there but cannot be compared. The
caller decides what unjudgeable means (`require` and `deny_if` both deny), so nothing here may guess.

* Values of different JSON types are unjudgeable against each other, at any depth: `"5"` is not `5`, `true` is not `1`,
  and neither may be "different" either, or it would slip past a refusal of `5`.
* Numbers are compared exactly and as doubles. An upstream may read doubles, so where the two disagree (2^53 + 1 against
  2^53) the comparison is unjudgeable. Comparing `Decimal`s is exact whatever the context, and looks at the exponents
  first: no number is ever expanded.
* Recursion is as deep as the operand from the document, never as deep as the caller's value.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from enum import Enum
from typing import Final, Literal, TypeAlias, cast

from gateway.jsonrpc import Json, Number


class Missing(Enum):
    """What a path finds where it finds no value."""

    ABSENT = "absent"
    UNJUDGEABLE = "unjudgeable"


ABSENT: Final[Literal[Missing.ABSENT]] = Missing.ABSENT
UNJUDGEABLE: Final[Literal[Missing.UNJUDGEABLE]] = Missing.UNJUDGEABLE

Truth: TypeAlias = bool | None
Found: TypeAlias = "Json | Missing"
Judge: TypeAlias = Callable[[Found], Truth]
Kind: TypeAlias = Literal["null", "boolean", "number", "string", "array", "object", "unknown"]
Comparison: TypeAlias = Callable[[int | Decimal | float, int | Decimal | float], bool]

_KINDS: Mapping[type, Kind] = {
    type(None): "null",
    bool: "boolean",
    int: "number",
    Number: "number",
    Decimal: "number",
    str: "string",
    list: "array",
    dict: "object",
}

NOUNS: Mapping[Kind, str] = {
    "null": "null",
    "boolean": "a boolean",
    "number": "a number",
    "string": "a string",
    "array": "a list",
    "object": "an object",
    "unknown": "something else",
}
"""How people say it."""


def kind(value: object) -> Kind:
    """The JSON type of a value; `unknown` for what no JSON text can become."""
    return _KINDS.get(type(value), "unknown")


def negate(truth: Truth) -> Truth:
    """Kleene's NOT."""
    return None if truth is None else not truth


def all_of(truths: Iterable[Truth]) -> Truth:
    """Kleene's AND; true for none."""
    result: Truth = True
    for truth in truths:
        if truth is False:
            return False
        if truth is None:
            result = None
    return result


def any_of(truths: Iterable[Truth]) -> Truth:
    """Kleene's OR; false for none."""
    result: Truth = False
    for truth in truths:
        if truth is True:
            return True
        if truth is None:
            result = None
    return result


def equal(value: Json, operand: Json) -> Truth:
    """JSON equality of two values of one type; unjudgeable where the types differ."""
    shared = kind(value)
    if shared != kind(operand):
        return None
    match shared:
        case "number":
            return compare(operator.eq, value, operand)
        case "array":
            return _equal_arrays(cast("list[Json]", value), cast("list[Json]", operand))
        case "object":
            return _equal_objects(cast("dict[str, Json]", value), cast("dict[str, Json]", operand))
        case "unknown":
            return None
        case _:
            return value == operand


def _equal_arrays(value: list[Json], operand: list[Json]) -> Truth:
    if len(value) != len(operand):
        return False
    return all_of(equal(left, right) for left, right in zip(value, operand, strict=True))


def _equal_objects(value: dict[str, Json], operand: dict[str, Json]) -> Truth:
    if value.keys() != operand.keys():
        return False
    return all_of(equal(value[key], right) for key, right in operand.items())


def compare(comparison: Comparison, value: Json, operand: Json) -> Truth:
    """The comparison of two numbers, made exactly and as doubles; unjudgeable where they disagree or are no numbers."""
    left, right = _finite(value), _finite(operand)
    if left is None or right is None:
        return None
    exact = comparison(left, right)
    return exact if comparison(_double(left), _double(right)) == exact else None


def _finite(value: Json) -> int | Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return value if isinstance(value, int) or value.is_finite() else None


def _double(number: int | Decimal) -> float:
    try:
        return float(number)
    except OverflowError:
        return float("inf") if number > 0 else float("-inf")
