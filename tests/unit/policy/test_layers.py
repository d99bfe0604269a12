"""Several documents that a call needs all of."""

import json

import pytest

from gateway.jsonrpc import Json
from gateway.policy import Facts, Layer, Policy, ToolCall, compose, decide, decide_request, load, permits, visible
from gateway.policy.explanation import explain
from gateway.policy.layers import unrestricted

MIRRORED = Facts(mirrored=True)
CALL = ToolCall("send", {"to": "ann"})
DENY_ANN: Json = {"deny_if": [{"conditions": [{"path": "args.to", "op": "eq", "value": "ann"}]}]}
LIMIT: Json = {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "grant"}]}


def policy(layer: Layer = "user", default: str = "deny", **more: Json) -> Policy:
    text = json.dumps({"version": "1", "default": default, **more})
    return load(text.encode(), name=f"{layer}.json", layer=layer)


OPEN = policy(tools={"send": {}})


def test_a_call_needs_every_layer_and_the_rule_names_the_one_that_refuses() -> None:
    site = policy("site", "allow", tools={"send": DENY_ANN})
    decision = decide(compose(OPEN, [site]), CALL, MIRRORED)
    assert (decision.effect, decision.rule) == ("deny", "site:/tools/send/deny_if/0")
    assert decision.message == 'Denied by rule "/tools/send/deny_if/0": args.to (site policy)'
    assert decide(compose(OPEN, [site]), ToolCall("send", {"to": "bob"}), MIRRORED).rule == "/tools/send"


def test_no_layer_opens_what_another_one_closes() -> None:
    project = policy("project", "allow", tools={"send": {}, "other": {}})
    assert decide(compose(OPEN, [project]), ToolCall("other", {}), MIRRORED).rule == "(default deny)"
    closed = policy("project", "deny")
    assert decide(compose(OPEN, [closed]), CALL, MIRRORED).rule == "project:(default deny)"


@pytest.mark.parametrize("order", [1, -1])
def test_the_site_is_reported_before_the_user_and_the_project_last(order: int) -> None:
    others = [policy("site", "deny"), policy("project", "deny")][::order]
    assert decide(compose(policy(), others), CALL, MIRRORED).rule == "site:(default deny)"
    assert decide(compose(policy(), [policy("project", "deny")]), CALL, MIRRORED).rule == "(default deny)"


def test_the_limits_of_all_layers_are_owed_each_in_its_own_counters() -> None:
    decision = decide(compose(policy(tools={"send": LIMIT}), [policy("site", tools={"send": LIMIT})]), CALL, MIRRORED)
    assert [(limit.layer, limit.counter) for limit in decision.limits] == [("site", "c"), ("user", "c")]


def test_what_one_layer_hides_is_hidden() -> None:
    both = compose(OPEN, [policy("project", "allow", hide=["se*"])])
    assert not visible(both, "send")
    assert decide(both, CALL, MIRRORED).rule == "project:(hidden)"


def test_a_layer_that_is_tried_out_refuses_nothing_and_frees_nothing() -> None:
    tried = policy("site", "deny", mode="observe")
    decision = decide(compose(OPEN, [tried]), CALL, MIRRORED)
    assert (decision.effect, decision.rule) == ("observe", "site:(default deny)")
    assert decide(compose(policy(), [tried]), CALL, MIRRORED).effect == "deny"


def test_an_approval_that_one_layer_wants_is_wanted() -> None:
    asking = policy("site", "allow", tools={"send": {"action": "require_approval"}})
    assert decide(compose(OPEN, [asking]), CALL, MIRRORED).rule == "site:/tools/send/action"


def test_requests_need_every_layer() -> None:
    site = policy("site", "allow", resources={"default": "allow", "deny": ["a:secret"]})
    both = compose(policy("user", "allow"), [site])
    assert decide_request(both, "resources/read", {"uri": "a:secret"}).rule == "site:/resources/deny/0"
    assert decide_request(both, "resources/read", {"uri": "a:b"}).effect == "allow"
    assert not permits(both, "resources", "a:secret")


def test_the_revision_is_that_of_all_layers() -> None:
    first = compose(OPEN, [policy("site", "allow")])
    assert first.revision != OPEN.revision
    assert first.revision != compose(OPEN, [policy("project", "allow")]).revision
    assert compose(OPEN, []) is OPEN


def test_a_layer_without_a_document_restricts_nothing() -> None:
    assert decide(compose(OPEN, [unrestricted("site")]), CALL, MIRRORED).effect == "allow"


def test_an_explanation_names_the_line_of_the_layer() -> None:
    site = policy("site", "allow", tools={"send": DENY_ANN})
    told = explain(compose(OPEN, [site]), CALL, MIRRORED)
    assert [step.rule for step in told.steps if step.decided] == ["site:/tools/send/deny_if/0"]
    assert told.change == 'make `args.to eq "ann"` not hold (line 1 of the site policy)'


def test_a_name_that_is_hidden_is_hidden_by_whichever_layer_speaks_first() -> None:
    closed = load(b'{"version":"1","default":"deny"}', name="site", layer="site")
    whole = compose(load(b'{"version":"1","default":"allow"}', name="user"), [closed]).hiding("x")
    assert decide(whole, ToolCall("x", {}), Facts(mirrored=True)).rule == "site:(hidden)"
