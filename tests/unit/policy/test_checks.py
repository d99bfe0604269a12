from itertools import product
from typing import Literal

import pytest

from gateway.jsonrpc import Json
from gateway.policy.checks import Check, Condition, conjunction, culprit, fires, missing_arguments
from gateway.policy.decision import Facts, ToolCall
from gateway.policy.operators import bind
from gateway.policy.paths import Path, parse
from gateway.policy.values import Truth

FACTS = Facts(mirrored=True, required_arguments=("to", "subject"))
SENT: dict[Truth, Json] = {True: 1, False: 2, None: "1"}
"""What to send so that `eq 1` is true, false or unjudgeable."""


def is_one(path: str) -> Condition:
    parsed = parse(path)
    assert isinstance(parsed, Path)
    return Condition(parsed, "eq", 1, bind("eq", 1))


def check(kind: Literal["require", "deny_if", "approval"], *paths: str) -> Check:
    return Check(kind, "/rule", "", tuple(is_one(path) for path in paths))


@pytest.mark.parametrize(("first", "second"), list(product(SENT, repeat=2)))
def test_what_cannot_be_told_fires_in_every_kind_of_check(first: Truth, second: Truth) -> None:
    call = ToolCall("t", {"a": SENT[first], "b": SENT[second]})
    expected = False if False in (first, second) else None if None in (first, second) else True
    for kind in ("require", "deny_if", "approval"):
        assert conjunction(check(kind, "args.a", "args.b"), call, FACTS) is expected
    assert fires(check("require", "args.a", "args.b"), call, FACTS) is (expected is not True)
    assert fires(check("deny_if", "args.a", "args.b"), call, FACTS) is (expected is not False)
    assert fires(check("approval", "args.a", "args.b"), call, FACTS) is (expected is not False)


def test_an_action_always_fires() -> None:
    assert fires(Check("action", "/rule", ""), ToolCall("t", {}), FACTS)


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ({}, ("args.to", "args.subject")),
        ({"to": None, "subject": ""}, ("args.to",)),
        ({"to": ""}, ("args.subject",)),
        ({"to": 0, "subject": False}, ()),
    ],
)
def test_every_missing_argument_is_named(arguments: dict[str, Json], missing: tuple[str, ...]) -> None:
    call = ToolCall("t", arguments)
    assert missing_arguments(call, FACTS) == missing
    assert fires(Check("validate", "/rule", ""), call, FACTS) is bool(missing)


@pytest.mark.parametrize(
    ("kind", "arguments", "path"),
    [
        ("require", {"a": 1, "b": 2}, "args.b"),
        ("require", {"a": "1", "b": 2}, "args.a"),
        ("deny_if", {"a": 1, "b": "1"}, "args.b"),
        ("deny_if", {"a": 1, "b": 1}, "args.a"),
    ],
)
def test_the_culprit_is_the_path_for_which_a_check_fired(
    kind: Literal["require", "deny_if"], arguments: dict[str, Json], path: str
) -> None:
    assert culprit(check(kind, "args.a", "args.b"), ToolCall("t", arguments), FACTS) == path


def test_without_conditions_there_is_no_culprit() -> None:
    assert culprit(check("deny_if"), ToolCall("t", {}), FACTS) is None
