"""`approve_if`, `require_approval` and `remember`: when a person is asked, why, and what the answer is worth."""

import json
from collections.abc import Mapping

import pytest

from gateway.jsonrpc import Json
from gateway.policy import Facts, Policy, PolicyError, ToolCall, compose, decide, load
from gateway.policy.decision import Approval, Layer
from gateway.policy.paths import Path, parse

HTML: Json = [{"path": "args.html", "op": "exists", "value": True}]
OUTSIDE: Json = [{"path": "args.to", "op": "regex", "value": "@example\\.com$"}]


def policy(entry: Json, layer: Layer = "user", all_tools: Json = None) -> Policy:
    document = {"version": "1", "default": "deny", "tools": {"send": entry}, "all_tools": all_tools or {}}
    return load(json.dumps(document).encode(), name="policy.json", layer=layer)


def asked(judged: Policy, arguments: Mapping[str, Json]) -> tuple[Approval, ...]:
    decision = decide(judged, ToolCall("send", arguments), Facts(mirrored=True))
    assert (decision.effect == "approve") is bool(decision.approvals)
    return decision.approvals


def argument(text: str) -> Path:
    path = parse(text)
    assert isinstance(path, Path)
    return path


def test_a_person_is_asked_where_the_conditions_hold_and_why_is_said() -> None:
    judged = policy({"approve_if": [{"conditions": HTML, "reason": "Sends HTML."}]})
    assert asked(judged, {"html": "<b>"}) == (Approval("/tools/send/approve_if/0", "Sends HTML.", 600),)
    assert asked(judged, {}) == ()
    assert asked(judged, {"html": None}) == ()


def test_what_cannot_be_judged_is_asked_about() -> None:
    judged = policy({"approve_if": [{"conditions": OUTSIDE}]})
    (approval,) = asked(judged, {"to": ["a@example.com"]})
    assert approval.text == 'Tool "send" needs a person\'s approval'


def test_everything_that_obliges_to_ask_comes_along_in_its_order() -> None:
    entry: Json = {
        "approve_if": [{"conditions": [], "reason": "First."}, {"conditions": HTML, "timeout": 30}],
        "action": "require_approval",
        "reason": "Always.",
    }
    judged = policy(entry, all_tools={"approve_if": [{"conditions": [], "reason": "Any tool."}]})
    found = [(approval.rule, approval.timeout) for approval in asked(judged, {"html": 1})]
    assert found == [
        ("/tools/send/action", 600),
        ("/tools/send/approve_if/0", 600),
        ("/tools/send/approve_if/1", 30),
        ("/all_tools/approve_if/0", 600),
    ]


def test_what_is_remembered_comes_along() -> None:
    kept: Json = {"paths": ["args.to", "args.cc[*]"], "seconds": 3600}
    (approval,) = asked(policy({"approve_if": [{"conditions": [], "remember": kept}]}), {})
    assert (approval.paths, approval.seconds) == ((argument("args.to"), argument("args.cc[*]")), 3600)


def test_every_layer_that_wants_a_person_asked_is_named() -> None:
    site = policy({"approve_if": [{"conditions": [], "reason": "House rule."}]}, "site")
    both = compose(policy({"approve_if": [{"conditions": HTML}]}), [site])
    assert [approval.rule for approval in asked(both, {"html": 1})] == [
        "site:/tools/send/approve_if/0",
        "/tools/send/approve_if/0",
    ]


def test_what_is_only_tried_out_asks_all_the_same() -> None:
    assert asked(policy({"mode": "observe", "approve_if": [{"conditions": []}], "deny_if": [{"conditions": []}]}), {})


@pytest.mark.parametrize(
    ("predicate", "message"),
    [
        ({}, "/tools/send/approve_if/0: `conditions` is missing"),
        ({"conditions": [], "on_deny": "x"}, "/tools/send/approve_if/0/on_deny: unknown key `on_deny`"),
        ({"conditions": [], "timeout": 0}, "/tools/send/approve_if/0/timeout: must be whole seconds"),
        ({"conditions": [], "timeout": "60"}, "/tools/send/approve_if/0/timeout: must be a number, not a string"),
        ({"conditions": [], "remember": 60}, "/tools/send/approve_if/0/remember: must be an object, not a number"),
        (
            {"conditions": [], "remember": {"seconds": 60}},
            "/tools/send/approve_if/0/remember: `paths` is missing",
        ),
        (
            {"conditions": [], "remember": {"paths": [], "seconds": 60}},
            "/tools/send/approve_if/0/remember/paths: an approval of one call would cover every call",
        ),
        (
            {"conditions": [], "remember": {"paths": ["grant"], "seconds": 60}},
            "/tools/send/approve_if/0/remember/paths/0: `grant` is not an argument",
        ),
    ],
)
def test_a_mistake_in_approve_if_is_said(predicate: Json, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        policy({"approve_if": [predicate]})
    assert message in str(caught.value)
