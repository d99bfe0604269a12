"""What a call costs, and for which values it is counted apart."""

from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.jsonrpc import loads
from gateway.policy.amounts import MAX_APART, Measure, Unmeasurable, is_countable, measure
from gateway.policy.decision import Limit
from gateway.policy.paths import Path, parse

LIMIT = Limit("/tools/t/limits/0", "t", "c", Decimal(5), "day", 86400, "grant", "fixed")


def path(text: str) -> Path:
    parsed = parse(text)
    assert isinstance(parsed, Path)
    return parsed


def measured(arguments: str, *, cost: str | None = None, per: str | None = None) -> tuple[Measure, ...] | Unmeasurable:
    values = loads(arguments)
    assert isinstance(values, dict)
    limit = replace(LIMIT, cost=None if cost is None else path(cost), per=None if per is None else path(per))
    return measure(limit, values)


def test_a_call_costs_one_where_nothing_else_is_said() -> None:
    assert measured("{}") == (Measure(Decimal(1), None),)


@pytest.mark.parametrize("number", ["0", "-0", "0.1", "1e300", "5e-324", "123456789012345678901234567890.5"])
def test_a_cost_is_exact(number: str) -> None:
    assert measured(f'{{"n": {number}}}', cost="args.n") == (Measure(Decimal(number)),)


@pytest.mark.parametrize(
    "value", ["-1", "-1e-300", '"5"', "true", "null", "[1]", "{}", "1e-5000", '"NaN"', "0." + "0" * 340 + "1"]
)
def test_what_is_no_cost_cannot_be_counted(value: str) -> None:  # B11
    refused = Unmeasurable("increment_from", "args.n", "a number of 0 or more")
    assert measured(f'{{"n": {value}}}', cost="args.n") == refused
    assert measured("{}", cost="args.n") == refused


def test_a_value_is_counted_apart_by_what_it_is() -> None:
    def apart(value: str) -> str | None:
        found = measured(f'{{"to": {value}}}', per="args.to")
        assert isinstance(found, tuple)
        return found[0].apart

    assert apart('"a"') == apart('"\\u0061"') != apart('"A"')
    assert apart("1") == apart("1.0") == apart("10e-1") != apart('"1"')
    assert apart("0") == apart("-0") == apart("-0.0")
    assert apart("true") not in (apart("1"), apart('"true"'))
    assert apart("9007199254740992") == apart("9007199254740993")  # an upstream may take them for the same


@pytest.mark.parametrize("value", ["null", "[]", '["a"]', "{}"])
def test_what_can_be_written_in_many_ways_is_not_counted_apart(value: str) -> None:
    refused = Unmeasurable("per", "args.to", "a text, a number or a boolean")
    assert measured(f'{{"to": {value}}}', per="args.to") == refused
    assert measured("{}", per="args.to") == refused


def test_each_of_many_values_is_counted_once() -> None:
    found = measured('{"to": ["a", "b", "a"], "n": 2}', per="args.to[*]", cost="args.n")
    assert found == (Measure(Decimal(2), '"a"'), Measure(Decimal(2), '"b"'))
    for none in ('{"to": []}', '{"to": ["a", null]}', '{"to": [["a"]]}', '{"to": "a"}', "{}"):
        assert isinstance(measured(none, per="args.to[*]"), Unmeasurable)


def test_the_values_of_one_call_are_bounded() -> None:
    many = ", ".join(f'"{number}"' for number in range(MAX_APART + 1))
    assert measured(f'{{"to": [{many}]}}', per="args.to[*]") == Unmeasurable("per", "args.to[*]", "at most 256 values")


@pytest.mark.parametrize(
    ("number", "countable"),
    [("1e308", True), ("5e-324", True), ("1e-5000", False), ("1." + "1" * 400, False), ("9" * 309, True)],
)
def test_what_is_countable_is_summed_exactly(number: str, countable: bool) -> None:
    assert is_countable(Decimal(number)) is countable
