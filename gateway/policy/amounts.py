"""What a call costs and for which values it is counted apart (policy language, "Limits").

A cost that is not a finite number of 0 or more, or that could not be summed exactly, is no cost: the call is denied. So
is one whose value to be counted apart is missing, or is a list or an object, which could be written in many ways.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

from gateway.jsonrpc import Json, serialise
from gateway.policy.decision import Limit
from gateway.policy.paths import select
from gateway.policy.values import Missing, kind

ONE: Final = Decimal(1)
MAX_APART: Final = 256
"""Values of one call that can be counted apart."""
_SMALLEST_EXPONENT: Final = -330
_MOST_DIGITS: Final = 640


@dataclass(frozen=True, slots=True)
class Measure:
    """One count: `cost`, and the value it is counted apart for, as text that tells values apart (None: no such)."""

    cost: Decimal = ONE
    apart: str | None = None


@dataclass(frozen=True, slots=True)
class Unmeasurable:
    """A call that a limit cannot count: the field of the limit, its path, and what was expected there."""

    field: str
    path: str
    expected: str


_SINGLE: Final = (Measure(),)


def is_countable(amount: Decimal) -> bool:
    """Whether sums with this amount are exact within a thousand digits: what a double can say always is."""
    _, digits, exponent = amount.as_tuple()
    return isinstance(exponent, int) and exponent >= _SMALLEST_EXPONENT and len(digits) <= _MOST_DIGITS


def measure(limit: Limit, arguments: Mapping[str, Json]) -> tuple[Measure, ...] | Unmeasurable:
    """What is to be counted against a limit for these arguments."""
    if limit.cost is None and limit.per is None:
        return _SINGLE
    cost = ONE
    if limit.cost is not None:
        (found,) = select(limit.cost, arguments)
        amount = None if isinstance(found, Missing) else _amount(found)
        if amount is None:
            return Unmeasurable("increment_from", limit.cost.text, "a number of 0 or more")
        cost = amount
    if limit.per is None:
        return (Measure(cost),)
    values = [None if isinstance(found, Missing) else _apart(found) for found in select(limit.per, arguments)]
    known = dict.fromkeys(value for value in values if value is not None)
    if not values or None in values:
        return Unmeasurable("per", limit.per.text, "a text, a number or a boolean")
    if len(known) > MAX_APART:
        return Unmeasurable("per", limit.per.text, f"at most {MAX_APART} values")
    return tuple(Measure(cost, value) for value in known)


def _amount(value: Json) -> Decimal | None:
    if kind(value) != "number":
        return None
    amount = Decimal(cast("int | Decimal", value))
    return amount if amount.is_finite() and amount >= 0 and is_countable(amount) else None


def _apart(value: Json) -> str | None:
    """A text for each value. Numbers that an upstream may take for the same are the same: they go by their double."""
    match kind(value):
        case "string" | "boolean":
            return serialise(value).decode()
        case "number":
            amount = Decimal(cast("int | Decimal", value))
            return str(float(amount) + 0.0) if amount.is_finite() else None
        case _:
            return None
