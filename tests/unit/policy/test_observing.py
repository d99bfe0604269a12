"""`mode: observe`: what would be denied is relayed and told; everything else is as it was."""

import json
from typing import Any

import pytest

from gateway.policy import Decision, Facts, Policy, ToolCall, decide, load

Json = Any
MIRRORED = Facts(mirrored=True)
DENIES: Json = {"action": "deny"}


def limit(counter: str) -> Json:
    return {"counter": counter, "window": "day", "max": 1, "scope": "grant"}


def policy(default: str = "deny", **more: Json) -> Policy:
    return load(json.dumps({"version": "1", "default": default, **more}).encode(), name="p")


def ask(judged: Policy, arguments: dict[str, Json] | None = None, *, mirrored: bool = True) -> Decision:
    return decide(judged, ToolCall("t", arguments or {}), Facts(mirrored))


def test_a_document_that_is_tried_out_tells_what_it_would_deny() -> None:
    assert ask(policy(mode="observe", tools={"t": DENIES})) == Decision(
        "observe", "/tools/t/action", "action", 'Tool "t" is denied by policy'
    )
    assert ask(policy(mode="observe")).rule == "(default deny)"
    assert ask(policy(mode="observe", tools={"t": {}})).effect == "allow"


def test_a_tool_that_is_tried_out_is_the_only_one() -> None:
    tools: Json = {"t": {**DENIES, "mode": "observe"}, "u": DENIES}
    assert ask(policy(tools=tools)).effect == "observe"
    assert decide(policy(tools=tools), ToolCall("u", {}), MIRRORED).effect == "deny"


def test_a_tool_can_be_enforced_in_a_document_that_is_tried_out() -> None:
    assert ask(policy(mode="observe", tools={"t": {**DENIES, "mode": "enforce"}})).effect == "deny"


@pytest.mark.parametrize("other", [{"all_tools": DENIES}, {"tools": {"*t": DENIES}}])
def test_what_is_enforced_refuses_though_something_else_is_tried_out(other: dict[str, Json]) -> None:
    tools: dict[str, Json] = {"t": {**DENIES, "mode": "observe"}}
    more = {**other, "tools": {**tools, **other.get("tools", {})}}
    assert ask(policy(**more)).effect == "deny"


def test_hidden_and_unknown_tools_and_approvals_are_enforced() -> None:
    assert ask(policy(mode="observe", hide=["t"])).effect == "deny"
    assert ask(policy(mode="observe", tools={"t": {}}), mirrored=False).effect == "deny"
    assert ask(policy(mode="observe", tools={"t": {"action": "require_approval"}})).effect == "approve"


def test_what_would_be_denied_is_not_counted_where_it_is_tried_out_and_is_where_it_is_enforced() -> None:
    judged = policy(
        tools={"t": {**DENIES, "mode": "observe", "limits": [limit("a")]}}, all_tools={"limits": [limit("b")]}
    )
    assert [found.counter for found in ask(judged).limits] == ["b"]
    passing = policy(tools={"t": {"mode": "observe", "limits": [limit("a")]}}, all_tools={"limits": [limit("b")]})
    assert [(found.counter, found.observed) for found in ask(passing).limits] == [("a", True), ("b", False)]


def test_a_limit_that_cannot_count_refuses_or_would() -> None:
    counted: Json = {"limits": [{**limit("a"), "increment_from": "args.n"}]}
    rule = "/tools/t/limits/0/increment_from"
    words = f'Denied by rule "{rule}": args.n must be a number of 0 or more'
    assert ask(policy(tools={"t": counted}), {"n": -1}) == Decision("deny", rule, "limit", words)
    tried: Json = {**counted, "mode": "observe"}
    assert ask(policy(tools={"t": tried}), {"n": "1"}) == Decision("observe", rule, "limit", words)
    assert ask(policy(tools={"t": counted}), {"n": 2}).effect == "allow"
