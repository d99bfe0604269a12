from decimal import Decimal
from itertools import product
from operator import eq, ge, gt, le, lt

import pytest

from gateway.jsonrpc import Json, Number, loads
from gateway.policy.values import Truth, all_of, any_of, compare, equal, kind, negate

TRUTHS: tuple[Truth, ...] = (True, False, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("null", "null"),
        ("true", "boolean"),
        ("1", "number"),
        ("1.0", "number"),
        ('"1"', "string"),
        ("[]", "array"),
        ("{}", "object"),
    ],
)
def test_every_json_type_has_a_name(text: str, expected: str) -> None:
    assert kind(loads(text)) == expected


def test_what_no_json_text_becomes_is_unknown() -> None:
    assert [kind(value) for value in (1.5, (), b"", object())] == ["unknown"] * 4


def test_kleene_and_is_its_truth_table() -> None:
    table = {pair: all_of(pair) for pair in product(TRUTHS, repeat=2)}
    assert table == {
        (True, True): True,
        (True, False): False,
        (True, None): None,
        (False, True): False,
        (False, False): False,
        (False, None): False,
        (None, True): None,
        (None, False): False,
        (None, None): None,
    }


def test_kleene_or_is_its_truth_table() -> None:
    for pair in product(TRUTHS, repeat=2):
        assert any_of(pair) is negate(all_of(negate(truth) for truth in pair))


def test_kleene_not_leaves_unjudgeable_alone() -> None:
    assert [negate(truth) for truth in TRUTHS] == [False, True, None]


def test_none_at_all_is_true_for_and_and_false_for_or() -> None:
    assert all_of(()) is True
    assert any_of(()) is False


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        ("1", "1.0", True),
        ("1", "1e0", True),
        ("0", "-0", True),
        ("0", "-0.0", True),
        ("1e300", "1", False),
        ("0.1", "0.10", True),
        ("9007199254740993", "9007199254740992", None),
        ("9007199254740993", "9007199254740993", True),
        ("0.1000000000000000000000001", "0.1", None),
        ("1e-400", "0", None),
        ("true", "1", None),
        ("false", "0", None),
        ('"5"', "5", None),
        ("null", "null", True),
        ("null", "0", None),
        ('"a"', '"a"', True),
        ('"A"', '"a"', False),
        ('"\\u00e9"', '"e\\u0301"', False),
        ("[1, 2]", "[1.0, 2]", True),
        ("[1, 2]", "[2, 1]", False),
        ("[1]", "[1, 1]", False),
        ('["5"]', "[5]", None),
        ('["5", 1]', "[5, 2]", False),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1.0}', True),
        ('{"a": 1}', '{"b": 1}', False),
        ('{"a": true}', '{"a": 1}', None),
        ("[9007199254740993]", "[9007199254740992]", None),
        ("[]", "{}", None),
    ],
)
def test_equality_goes_by_type_and_by_exact_value(value: str, operand: str, expected: Truth) -> None:
    assert equal(loads(value), loads(operand)) is expected
    assert equal(loads(operand), loads(value)) is expected


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        ("1", "2", (True, True, False, False)),
        ("2", "2.0", (False, True, False, True)),
        ("-0", "0", (False, True, False, True)),
        ("-5", "0", (True, True, False, False)),
        ("1e30", "1000000000000000000000000000000", (False, True, False, True)),
        ("9007199254740993", "9007199254740992", (False, None, None, True)),
        ("1e-300", "1e300", (True, True, False, False)),
        ("true", "2", (None, None, None, None)),
        ('"1"', "2", (None, None, None, None)),
        ("[1]", "2", (None, None, None, None)),
        ("null", "2", (None, None, None, None)),
    ],
)
def test_comparisons_are_exact_and_agree_with_doubles(value: str, operand: str, expected: tuple[Truth, ...]) -> None:
    left, right = loads(value), loads(operand)
    judged = tuple(compare(comparison, left, right) for comparison in (lt, le, gt, ge))
    assert judged == expected


def test_no_number_is_expanded_or_overflows() -> None:
    huge = Decimal("1e999999999")
    assert compare(lt, 10**400, huge) is None
    assert compare(gt, huge, 5) is True
    assert compare(eq, huge, 5) is False
    assert compare(eq, Decimal("nan"), 5) is None
    assert compare(lt, Decimal("-inf"), 5) is None
    assert compare(lt, Decimal("snan"), 5) is None
    assert compare(gt, -(10**400), Number("-1e308")) is False


def test_a_value_deeper_than_the_operand_does_not_exhaust_the_stack() -> None:
    deep: Json = []
    for _ in range(100_000):
        deep = [deep]
    assert equal(deep, [[1]]) is None
    assert equal(deep, [["a"], 1]) is False
