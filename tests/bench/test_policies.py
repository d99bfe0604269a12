"""The policy that is measured is the one that was given, with limits that are reserved and never used up."""

import json
from typing import cast

import pytest

from gateway.keyid import recommended
from gateway.policy import Facts, ToolCall, decide, load
from scripts.bench_lib.lines import varied
from scripts.bench_lib.policies import PLENTY, Document, denying, lacks, patterned, roomy, ruled, widened


def _document(**more: object) -> str:
    return json.dumps({"version": "1", "default": "deny", "tools": {"send": {}}, **more})


def test_every_maximum_is_raised_and_nothing_else_changes() -> None:
    condition = {"path": "args.max", "op": "lte", "value": 7}
    entry = {
        "limits": [{"counter": "c", "window": "minute", "max": 3, "scope": "grant"}],
        "rate_limit": "5/hour",
        "require": [{"conditions": [condition]}],
    }
    assert roomy(_document(tools={"send": entry}))["tools"] == {
        "send": {
            "limits": [{"counter": "c", "window": "minute", "max": PLENTY, "scope": "grant"}],
            "rate_limit": "999999999/hour",
            "require": [{"conditions": [condition]}],
        }
    }


def test_operands_of_conditions_stay_as_they_are() -> None:
    operand = {"max": 1}
    entry = {"require": [{"conditions": [{"path": "args.a", "op": "eq", "value": operand}]}]}
    assert cast("dict[str, Document]", roomy(_document(tools={"send": entry}))["tools"])["send"] == entry


def test_a_rate_in_numbers_is_raised_too() -> None:
    entry = {"rate_limit": {"max": 1, "window": 60}}
    assert roomy(_document(tools={"send": entry}))["tools"] == {"send": {"rate_limit": {"max": PLENTY, "window": 60}}}


def test_a_repeat_stays_because_no_call_that_is_measured_is_the_same_as_another() -> None:
    loop = {"repeat": {"max": 1, "window": 60}}
    document = _document(all_tools=loop, tools={"send": loop})
    assert roomy(document) == json.loads(document)
    made = [varied({"n": 1, "name": "Robin", "more": "x"}, number) for number in (1, 2)]
    assert made == [{"n": 1, "name": f"Robin {number}", "more": "x"} for number in (1, 2)]
    assert varied({}, 1) == {}


def test_the_recommended_pack_stays_a_policy_that_limits_the_called_tool() -> None:
    policy = load(json.dumps(roomy(recommended.text())).encode(), name="roomy")
    decision = decide(policy, ToolCall("create_or_update_persona", {"first_name": "Robin"}), Facts(mirrored=True))
    assert decision.effect == "allow"
    assert {int(limit.maximum) for limit in decision.limits} == {PLENTY}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (_document(), None),
        (_document(tools={}), "the policy does not name `send`"),
        (_document(tools={}, default="allow"), None),
        (_document(hide=["send"]), "the policy hides `send`"),
        (_document(hide=["*"]), "the policy hides `send`"),
    ],
)
def test_a_tool_that_cannot_be_called_is_refused_before_the_run(document: str, reason: str | None) -> None:
    assert lacks(roomy(document), "send") == reason


def test_a_wider_policy_has_the_entry_of_the_called_tool_so_many_times_more() -> None:
    wide = widened(roomy(_document(tools={"send": {"action": "allow"}})), "send", 3)
    assert wide["tools"] == {name: {"action": "allow"} for name in ("send", "more_0", "more_1", "more_2")}


def test_the_edit_denies_the_called_tool_only() -> None:
    edited = denying(roomy(_document(tools={"send": {}, "read": {}})), "send")
    assert edited["tools"] == {"send": {"action": "deny"}, "read": {}}


def test_patterns_beside_a_policy_change_nothing_for_the_called_tool() -> None:
    beside = load(json.dumps(patterned(roomy(_document()), 3)).encode(), name="beside")
    assert len(beside.patterns) == 3
    assert [entry.key for entry in beside.listed("send")] == ["send"]


def test_rules_are_all_looked_at_and_none_refuses() -> None:
    policy = load(json.dumps(ruled(3)).encode(), name="rules")
    assert len(policy.applied("t").checks) == 3
    assert decide(policy, ToolCall("t", {"body": "y"}), Facts(mirrored=True)).effect == "allow"
    assert decide(policy, ToolCall("t", {"body": "secret2"}), Facts(mirrored=True)).effect == "deny"
