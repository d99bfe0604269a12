"""The eleven operators. One operator is one line of `OPERATORS`: what it takes, and the test it becomes.

A test judges one value that a path found. What holds for all of them is said once, in `bind`: a value that cannot be
reached is unjudgeable; an absent one does not hold (but for `exists`); null counts as absent, unless the operand has a
null for it to be compared with.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

import re2

from gateway import errors
from gateway.jsonrpc import Json
from gateway.policy.problem import Fault, quoted
from gateway.policy.values import (
    ABSENT,
    NOUNS,
    Comparison,
    Found,
    Judge,
    Kind,
    Missing,
    Truth,
    any_of,
    compare,
    equal,
    kind,
    negate,
)

Test: TypeAlias = Callable[[Json], Truth]

LONGEST_PATTERN = 4096
"""Characters of a pattern; RE2 itself bounds what it compiles to (8 MiB)."""

_WORDS: Mapping[str, frozenset[str]] = {
    "eq": frozenset({"=", "==", "===", "equals", "equal", "is"}),
    "neq": frozenset({"!=", "!==", "<>", "ne", "not_equals", "not_equal", "is_not"}),
    "lt": frozenset({"<", "less_than", "below"}),
    "lte": frozenset({"<=", "le", "max", "at_most"}),
    "gt": frozenset({">", "greater_than", "above"}),
    "gte": frozenset({">=", "ge", "min", "at_least"}),
    "in": frozenset({"one_of", "any_of"}),
    "not_in": frozenset({"nin", "none_of"}),
    "exists": frozenset({"present", "defined", "is_set"}),
    "regex": frozenset({"~", "=~", "match", "matches", "pattern", "like", "starts_with", "ends_with"}),
    "contains": frozenset({"includes", "has"}),
}
"""What other languages call them."""


@dataclass(frozen=True, slots=True)
class Operator:
    """The kind of operand it takes (`None`: any), and how the operand becomes a test of a present value."""

    takes: Kind | None
    compile: Callable[[Json], Test]


def fault(name: str, operand: Json) -> Fault | None:
    """What is wrong with an operand of the operator `name`."""
    takes = OPERATORS[name].takes
    if takes is not None and kind(operand) != takes:
        message = f"`value` of `{name}` must be {NOUNS[takes]}, not {NOUNS[kind(operand)]}"
        return Fault(message, f"`{name}` compares with {NOUNS[takes]}")
    return _pattern_fault(cast(str, operand)) if name == "regex" else None


def meant(name: str) -> str | None:
    """The operator that was probably meant by something that is none: by its sign, its word, or a slip of it."""
    word = name.strip().lower()
    return next((operator for operator, others in _WORDS.items() if word in others), errors.meant(word, OPERATORS))


def bind(name: str, operand: Json) -> Judge:
    """The operator with its operand: judges whatever a path found."""
    test = OPERATORS[name].compile(operand)
    absent = name == "exists" and operand is False
    knows_null = operand is None or (isinstance(operand, list) and name in ("in", "not_in") and None in operand)

    def judge(found: Found) -> Truth:
        if found is ABSENT or (found is None and not knows_null):
            return absent
        if isinstance(found, Missing):
            return None
        return test(found)

    return judge


def _eq(operand: Json) -> Test:
    return lambda value: equal(value, operand)


def _neq(operand: Json) -> Test:
    return lambda value: negate(equal(value, operand))


def _ordered(comparison: Comparison) -> Callable[[Json], Test]:
    return lambda operand: lambda value: compare(comparison, value, operand)


def _in(operand: Json) -> Test:
    elements: dict[Kind, list[Json]] = {}
    for element in cast("list[Json]", operand):
        elements.setdefault(kind(element), []).append(element)

    def test(value: Json) -> Truth:
        alike = elements.get(kind(value))
        return any_of(equal(value, element) for element in alike) if alike else None

    return test


def _not_in(operand: Json) -> Test:
    test = _in(operand)
    return lambda value: negate(test(value))


def _contains(operand: Json) -> Test:
    expected = kind(operand)

    def test(value: Json) -> Truth:
        if isinstance(value, str):
            return operand in value if isinstance(operand, str) else None
        if not isinstance(value, list) or any(kind(element) != expected for element in value):
            return None
        return any_of(equal(element, operand) for element in value)

    return test


def _exists(operand: Json) -> Test:
    return lambda _: operand is True


def _regex(operand: Json) -> Test:
    search = compiled(cast(str, operand)).search

    def test(value: Json) -> Truth:
        if not isinstance(value, str):
            return None
        try:
            return search(value.encode()) is not None
        except UnicodeEncodeError:
            return None

    return test


def compiled(pattern: str) -> "re2._Regexp":
    """A pattern, compiled over bytes: the wrapper for text counts characters after every match. It captures nothing."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    return re2.compile(pattern.encode(), options)


def _pattern_fault(pattern: str) -> Fault | None:
    if len(pattern) > LONGEST_PATTERN:
        return Fault(f"a pattern has at most {LONGEST_PATTERN} characters", "split it into several conditions")
    try:
        compiled(pattern)
    except (re2.error, UnicodeEncodeError) as error:
        cause = error.args[0] if error.args else b""
        said = cause.decode(errors="replace") if isinstance(cause, bytes) else "not valid Unicode"
        return Fault(
            f"{quoted(pattern)} is not a pattern: {said}", "patterns follow RE2: no look-around, no back-references"
        )
    return None


OPERATORS: Mapping[str, Operator] = {
    "eq": Operator(None, _eq),
    "neq": Operator(None, _neq),
    "lt": Operator("number", _ordered(operator.lt)),
    "lte": Operator("number", _ordered(operator.le)),
    "gt": Operator("number", _ordered(operator.gt)),
    "gte": Operator("number", _ordered(operator.ge)),
    "in": Operator("array", _in),
    "not_in": Operator("array", _not_in),
    "exists": Operator("boolean", _exists),
    "regex": Operator("string", _regex),
    "contains": Operator(None, _contains),
}
