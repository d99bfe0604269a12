import time

import pytest

from gateway.jsonrpc import Json, loads
from gateway.policy import operators
from gateway.policy.operators import LONGEST_PATTERN, OPERATORS, bind, fault
from gateway.policy.problem import Fault
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found, Truth

SUBJECTS: tuple[Found, ...] = (ABSENT, UNJUDGEABLE, None, True, 5, "5", ["5"], {"5": 5})
"""One of every JSON type, and what is no value; the columns of the table."""

TABLE = [
    # the operator, its operand, and a mark for every subject above
    ("eq", "5", "f?f?t???"),
    ("eq", '"5"', "f?f??t??"),
    ("eq", "true", "f?ft????"),
    ("eq", "null", "f?t?????"),
    ("eq", '["5"]', "f?f???t?"),
    ("eq", '{"5": 5}', "f?f????t"),
    ("neq", "5", "f?f?f???"),
    ("neq", '"6"', "f?f??t??"),
    ("neq", "null", "f?f?????"),
    ("neq", '["6"]', "f?f???t?"),
    ("neq", "false", "f?ft????"),
    ("lt", "6", "f?f?t???"),
    ("lte", "5", "f?f?t???"),
    ("gt", "5", "f?f?f???"),
    ("gte", "5", "f?f?t???"),
    ("in", '["5", "6"]', "f?f??t??"),
    ("in", '["6", 5]', "f?f?tf??"),
    ("in", '[null, "6"]', "f?t??f??"),
    ("in", "[]", "f?f?????"),
    ("not_in", '["5"]', "f?f??f??"),
    ("not_in", '["6", 6]', "f?f?tt??"),
    ("not_in", '[null, "6"]', "f?f??t??"),
    ("not_in", "[]", "f?f?????"),
    ("exists", "true", "f?fttttt"),
    ("exists", "false", "t?tfffff"),
    ("regex", '"^5$"', "f?f??t??"),
    ("regex", '"6"', "f?f??f??"),
    ("contains", '"5"', "f?f??tt?"),
    ("contains", '"6"', "f?f??ff?"),
    ("contains", "5", "f?f?????"),
    ("contains", "null", "f???????"),
]
MARKS: dict[str, Truth] = {"t": True, "f": False, "?": None}


@pytest.mark.parametrize(("op", "operand", "row"), TABLE)
def test_every_operator_meets_every_json_type(op: str, operand: str, row: str) -> None:
    judge = bind(op, loads(operand))
    assert [judge(subject) for subject in SUBJECTS] == [MARKS[mark] for mark in row]


def test_the_table_leaves_no_operator_out() -> None:
    assert {op for op, _, _ in TABLE} == set(OPERATORS)
    assert len(OPERATORS) == 11


@pytest.mark.parametrize(
    ("value", "operand", "expected"),
    [
        ('["a", "b"]', '"b"', True),
        ('["ab"]', '"b"', False),
        ("[]", '"b"', False),
        ('["b", 5]', '"b"', None),
        ('[null, "b"]', '"b"', None),
        ("[null]", "null", True),
        ('[["b"]]', '"b"', None),
        ("[[1], [2]]", "[2.0]", True),
        ('"abc"', '"bc"', True),
        ('"ABC"', '"bc"', False),
        ('"abc"', '""', True),
        ('"5"', "5", None),
        ('{"b": 1}', '"b"', None),
    ],
)
def test_contains_looks_into_strings_and_arrays(value: str, operand: str, expected: Truth) -> None:
    assert bind("contains", loads(operand))(loads(value)) is expected


def test_a_number_that_a_double_cannot_tell_apart_is_unjudgeable_in_a_list() -> None:
    assert bind("in", [9007199254740992])(9007199254740993) is None
    assert bind("not_in", [9007199254740992])(9007199254740993) is None
    assert bind("in", [9007199254740992, 9007199254740993])(9007199254740993) is True


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("b", "abc", True),
        ("^b", "abc", False),
        ("a.c", "a\nc", False),
        ("c$", "abc\n", False),
        ("c$", "abc", True),
        ("(?m)c$", "abc\nd", True),
        ("abc", "ABC", False),
        ("(?i)abc", "ABC", True),
        ("^.$", "😀", True),
        ("^.$", "\0", True),
        ("b$", "a\0b", True),
        ("\\d", "٣", False),
        ("\\w", "é", False),
        ("^(a)(b)?$", "a", True),
        ("", "anything", True),
        ("a\0b", "xa\0bx", True),
    ],
)
def test_patterns_mean_what_re2_means(pattern: str, text: str, expected: Truth) -> None:
    assert bind("regex", pattern)(text) is expected


def test_half_a_surrogate_pair_is_unjudgeable_for_a_pattern() -> None:
    assert bind("regex", ".")("\ud800") is None


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)(.*)(.*)x", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_ten_megabytes_take_no_catastrophic_time(pattern: str) -> None:
    judge = bind("regex", pattern)
    started = time.perf_counter()
    judge("a" * 10_000_000 + "!")
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize(
    ("op", "operand", "expected"),
    [
        ("lt", "5", Fault("`value` of `lt` must be a number, not a string", "`lt` compares with a number")),
        ("gte", True, Fault("`value` of `gte` must be a number, not a boolean", "`gte` compares with a number")),
        ("in", "a", Fault("`value` of `in` must be a list, not a string", "`in` compares with a list")),
        ("not_in", None, Fault("`value` of `not_in` must be a list, not null", "`not_in` compares with a list")),
        ("exists", 1, Fault("`value` of `exists` must be a boolean, not a number", "`exists` compares with a boolean")),
        ("regex", 1, Fault("`value` of `regex` must be a string, not a number", "`regex` compares with a string")),
        (
            "regex",
            "(?=a)",
            Fault(
                "`(?=a)` is not a pattern: invalid perl operator: (?=",
                "patterns follow RE2: no look-around, no back-references",
            ),
        ),
        (
            "regex",
            "a" * (LONGEST_PATTERN + 1),
            Fault("a pattern has at most 4096 characters", "split it into several conditions"),
        ),
        ("eq", None, None),
        ("contains", 5, None),
        ("regex", "^a$", None),
        ("in", [], None),
    ],
)
def test_an_operand_of_the_wrong_type_is_a_fault(op: str, operand: Json, expected: Fault | None) -> None:
    assert fault(op, operand) == expected


@pytest.mark.parametrize(
    ("written", "operator"),
    [
        ("==", "eq"),
        (">=", "gte"),
        ("Matches", "regex"),
        ("not_equal", "neq"),
        ("contain", "contains"),
        ("regexp", "regex"),
        ("zzz", None),
        ("x" * 10_000, None),
    ],
)
def test_what_was_probably_meant(written: str, operator: str | None) -> None:
    assert operators.meant(written) == operator


def test_no_word_of_another_language_is_an_operator_or_stands_for_two() -> None:
    words = [word for others in operators._WORDS.values() for word in others]
    assert len(words) == len(set(words))
    assert not set(words) & set(operators.OPERATORS)
    assert set(operators._WORDS) == set(operators.OPERATORS)
