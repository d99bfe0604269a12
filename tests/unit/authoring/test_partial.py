"""What can be said of a call whose argument values were not kept, or not all of them: never a guess."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.authoring import kept
from gateway.authoring.kept import Sketch
from gateway.authoring.partial import CannotTell, answered, judge
from gateway.authoring.replay import facts_of
from gateway.jsonrpc import loads
from gateway.policy import Decision, Facts, Policy, ToolCall, decide, load
from gateway.policy.layers import compose
from gateway.state.arguments import Keeping, keep, redact


def policy(entry: Any, **more: Any) -> Policy:
    return load(json.dumps({"version": "1", "default": "deny", "tools": {"t": entry}, **more}).encode(), name="p")


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def said(found: Decision | CannotTell) -> Any:
    return ("cannot tell", *found.rules) if isinstance(found, CannotTell) else (found.effect, found.rule)


KNOWN = facts_of({"name": "t", "inputSchema": {"type": "object", "required": ["to"]}})


@pytest.mark.parametrize(
    ("entry", "names", "expected"),
    [
        ({}, ("to",), ("allow", "/tools/t")),
        ({"action": "deny"}, None, ("deny", "/tools/t/action")),
        ({"require": [when("args.to", "eq", "x")]}, ("to",), ("cannot tell", "/tools/t/require/0")),
        ({"require": [when("args.to", "eq", "x")]}, (), ("deny", "/tools/t/require/0")),
        ({"require": [when("args.to", "eq", "x")]}, None, ("cannot tell", "/tools/t/require/0")),
        ({"require": [when("args.to", "exists", False)]}, (), ("allow", "/tools/t")),
        ({"deny_if": [when("args.cc[*]", "exists", True)]}, ("to",), ("allow", "/tools/t")),
        ({"deny_if": [when("args.cc[*]", "exists", True)]}, ("cc",), ("cannot tell", "/tools/t/deny_if/0")),
        (
            {"deny_if": [when("args.a", "eq", 1), when("tool.name", "eq", "t")]},
            ("a",),
            ("deny", "/tools/t/deny_if/1"),
        ),
        ({"validate": {"required_args": True}}, (), ("deny", "/tools/t/validate/required_args")),
        ({"validate": {"required_args": True}}, ("to",), ("cannot tell", "/tools/t/validate/required_args")),
        ({"validate": {"schema": True}}, ("to",), ("cannot tell", "/tools/t/validate/schema")),
        ({"action": "require_approval"}, ("to",), ("approve", "/tools/t/action")),
        ({"mode": "observe", "require": [when("args.to", "eq", "x")]}, ("to",), ("cannot tell", "/tools/t/require/0")),
        ({"mode": "observe", "action": "deny"}, ("to",), ("observe", "/tools/t/action")),
        (
            {"limits": [{"counter": "c", "window": "day", "max": 9, "scope": "grant", "per": "args.to"}]},
            ("to",),
            ("cannot tell", "/tools/t/limits/0"),
        ),
        (
            {"limits": [{"counter": "c", "window": "day", "max": 9, "scope": "grant", "per": "args.to"}]},
            ("a",),
            ("deny", "/tools/t/limits/0/per"),
        ),
    ],
)
def test_what_is_certain_without_values(entry: Any, names: Any, expected: Any) -> None:
    sketch = Sketch("t", None if names is None else frozenset(names), {})
    assert said(judge(policy(entry), sketch, KNOWN, {})) == expected


def test_without_the_tools_definition_nothing_about_it_is_certain() -> None:
    found = judge(policy({"validate": {"required_args": True}}), Sketch("t", frozenset(), {}), Facts(mirrored=True), {})
    assert said(found) == ("cannot tell", "/tools/t/validate/required_args")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"tools": {}}, ("deny", "(default deny)")),
        ({"hide": ["*"]}, ("deny", "(hidden)")),
        ({"tools": {}, "default": "allow"}, ("allow", "(default allow)")),
    ],
)
def test_lists(document: Any, expected: Any) -> None:
    found = policy({}, **document)
    assert said(judge(found, Sketch("t", None, {}), KNOWN, {})) == expected
    assert said(judge(found, Sketch("t", None, {}), Facts(mirrored=False), {})) == ("deny", "(unknown tool)")


OLD = policy({"require": [when("args.to", "eq", "x")], "deny_if": [when("args.a", "eq", 1), when("args.b", "eq", 2)]})


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        ({"effect": "allow", "reason": "allowed", "rule": "/tools/t"}, ("allow", "/tools/t")),
        ({"effect": "deny", "reason": "limit", "rule": "/tools/t/limits/0"}, ("allow", "/tools/t")),
        (
            {"effect": "deny", "reason": "deny_if", "rule": "/tools/t/deny_if/0"},
            ("deny", "/tools/t/deny_if/1"),
        ),
        (
            {"effect": "deny", "reason": "require", "rule": "/tools/t/require/0"},
            ("deny", "/tools/t/require/0"),
        ),
        (
            {"effect": "deny", "reason": "deny_if", "rule": "/tools/t/deny_if/1"},
            ("allow", "/tools/t"),
        ),
        (
            {"effect": "deny", "reason": "hidden", "rule": "(hidden)"},
            ("cannot tell", "/tools/t/require/0", "/tools/t/deny_if/1"),
        ),
    ],
)
def test_rules_that_stand_unchanged_had_their_say(verdict: Any, expected: Any) -> None:
    """The new policy has lost the rule on `b`, and has the others in another order."""
    new = policy(
        {"deny_if": [when("args.zzz", "eq", 0), when("args.a", "eq", 1)], "require": [when("args.to", "eq", "x")]}
    )
    answers = answered(OLD, "t", **verdict)
    assert said(judge(new, Sketch("t", frozenset({"to", "a", "b"}), {}), KNOWN, answers)) == expected


VALUES: Any = st.sampled_from(["x", "y", 1, 2, None, True, ["x"], {}, "\u00e9"])
ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "to"]), VALUES, max_size=3)
CONDITIONS = st.builds(
    lambda path, condition: {"path": path, "op": condition[0], "value": condition[1]},
    st.sampled_from(
        ["args.a", "args.b", "args.to", "args.a[*]", "args.b.x", "tool.name", "tool.annotations.readOnlyHint"]
    ),
    st.sampled_from(
        [
            ("eq", "x"),
            ("neq", "x"),
            ("eq", 1),
            ("exists", True),
            ("exists", False),
            ("in", ["x", "y"]),
            ("regex", "^x"),
            ("eq", True),
        ]
    ),
)
PREDICATES = st.lists(st.builds(lambda many: {"conditions": many}, st.lists(CONDITIONS, max_size=2)), max_size=2)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "require": PREDICATES,
        "deny_if": PREDICATES,
        "validate": st.sampled_from([{"required_args": True}, {}]),
        "mode": st.sampled_from(["enforce", "observe"]),
        "action": st.sampled_from(["allow", "require_approval"]),
    },
)


@settings(deadline=None, max_examples=150)
@given(ENTRIES, ENTRIES, ARGUMENTS)
def test_what_is_said_without_values_is_true_of_them(before: Any, after: Any, arguments: dict[str, Any]) -> None:
    old, new, call = policy(before), policy(after), ToolCall("t", arguments)
    past = decide(old, call, KNOWN)
    answers = answered(old, "t", effect=past.effect, reason=past.reason, rule=past.rule)
    truth = decide(new, call, KNOWN)
    for known in ({}, answers):
        found = judge(new, Sketch("t", frozenset(arguments), {}), KNOWN, known)
        if isinstance(found, Decision):
            assert found.effect == truth.effect, found
    same = before == after and "mode" not in before
    if same and past.effect in ("allow", "deny") and past.reason not in ("limit", "approval"):
        assert isinstance(judge(new, Sketch("t", None, {}), KNOWN, answers), Decision)


DENIED = ("deny", "/tools/t/deny_if/0")
COLLEAGUES = {"require": [when("args.to", "regex", "@example\\.com$")]}


def kept_of(arguments: Any, *redacted: str) -> Sketch:
    """What the log keeps of these arguments, secrets and contents and these paths left out."""
    keeping = Keeping((keep("values"),), tuple(redact(path) for path in redacted))
    text = keeping.of("t", arguments, lambda _: "").values or ""
    values: Any = loads(text)
    return Sketch("t", frozenset(arguments), kept.read(values) or arguments)


@pytest.mark.parametrize(
    ("entry", "arguments", "expected"),
    [
        (COLLEAGUES, {"to": "eve@evil.net", "body": "x"}, ("deny", "/tools/t/require/0")),
        (COLLEAGUES, {"to": "kim@example.com", "body": "x"}, ("allow", "/tools/t")),
        ({"require": [when("args.body", "exists", True)]}, {"body": "x"}, ("allow", "/tools/t")),
        ({"deny_if": [when("args.body", "exists", True)]}, {"body": "x"}, ("deny", "/tools/t/deny_if/0")),
        ({"deny_if": [when("args.body", "exists", True)]}, {"body": None}, ("allow", "/tools/t")),
        (
            {"deny_if": [when("args.body", "contains", "x")]},
            {"body": "x"},
            ("cannot tell", "/tools/t/deny_if/0", "`args.body` (redacted: content)"),
        ),
        (
            {"deny_if": [when("args.body.inner", "exists", True)]},
            {"body": {"inner": None}},
            ("cannot tell", "/tools/t/deny_if/0", "`args.body.inner` (redacted: content)"),
        ),
        ({"deny_if": [when("args.user.password", "exists", True)]}, {"user": {"password": "x"}}, DENIED),
        ({"deny_if": [when("args.user.name", "eq", "kim")]}, {"user": {"password": "x", "name": "kim"}}, DENIED),
        ({"deny_if": [when("args.user", "regex", "x")]}, {"user": {"password": "x"}}, DENIED),
        (
            {"deny_if": [when("args.user", "eq", {"password": "x"})]},
            {"user": {"password": "x"}},
            ("cannot tell", "/tools/t/deny_if/0", "`args.user` (redacted in part)"),
        ),
        (
            {"deny_if": [when("args.to", "contains", "x")]},
            {"to": "y y " * 200},
            ("cannot tell", "/tools/t/deny_if/0", "`args.to` (cut)"),
        ),
        ({"deny_if": [when("args.many[*]", "eq", 7)]}, {"many": [*range(8), "-" * 600]}, DENIED),
        (
            {"deny_if": [when("args.many[*]", "eq", 99)]},
            {"many": list(range(99))},
            ("cannot tell", "/tools/t/deny_if/0", "`args.many[*]` (not kept)"),
        ),
        ({"deny_if": [when("args.many[2]", "eq", 3)]}, {"many": list(range(99))}, ("allow", "/tools/t")),
        (
            {"limits": [{"counter": "c", "window": "day", "max": 9, "scope": "grant", "per": "args.to"}]},
            {"to": "kim", "body": "x"},
            ("allow", "/tools/t"),
        ),
    ],
)
def test_values_beside_what_was_left_out_are_used(entry: Any, arguments: Any, expected: Any) -> None:
    found = judge(policy(entry), kept_of(arguments), facts_of({"name": "t", "inputSchema": {}}), {})
    words = found.unknown if isinstance(found, CannotTell) else ()
    assert (*said(found), *words) == expected


def test_what_a_limit_counts_by_is_counted_where_it_is_known() -> None:
    by = {"limits": [{"counter": "c", "window": "day", "max": 9, "scope": "grant", "per": "args.to"}]}
    found = judge(policy(by), kept_of({"to": "kim", "body": "x"}), KNOWN, {})
    assert isinstance(found, Decision)
    assert [limit.rule for limit in found.limits] == ["/tools/t/limits/0"]


@settings(deadline=None, max_examples=150)
@given(
    ENTRIES,
    st.dictionaries(st.sampled_from(["a", "b", "to", "body"]), st.one_of(VALUES, st.lists(VALUES)), max_size=4),
    st.lists(st.sampled_from(["args.a", "args.b.x", "args.to[0]", "args.a[*]"]), max_size=2),
)
def test_what_is_said_of_values_in_part_is_true_of_the_whole(entry: Any, arguments: Any, redacted: list[str]) -> None:
    found = judge(policy(entry), kept_of(arguments, *redacted), KNOWN, {})
    if isinstance(found, Decision):
        assert found.effect == decide(policy(entry), ToolCall("t", arguments), KNOWN).effect, found


@pytest.mark.parametrize("allowed", [True, False])
def test_what_was_tried_out_tells_what_would_be_enforced(*, allowed: bool) -> None:
    """The first rule that would have refused is named; those before it did not fire, and those behind nobody knows."""
    rules = {"require": [when("args.to", "eq", "x"), when("args.a", "eq", 1), when("args.b", "eq", 2)]}
    tried, enforced = policy(rules, mode="observe"), policy(rules)
    verdict = {"effect": "observe", "reason": "require", "rule": "/tools/t/require/1"}
    if allowed:
        verdict = {"effect": "allow", "reason": "allowed", "rule": "/tools/t"}
    answers = answered(tried, "t", **verdict)
    found = judge(enforced, Sketch("t", frozenset({"to", "a", "b"}), {}), KNOWN, answers)
    assert said(found) == (("allow", "/tools/t") if allowed else ("deny", "/tools/t/require/1"))
    assert [*answers.values()] == ([False, False, False] if allowed else [False, True])


def test_a_call_that_passed_all_layers_passed_each() -> None:
    site: Any = {"version": "1", "default": "allow", "all_tools": COLLEAGUES}
    both = compose(OLD, [load(json.dumps(site).encode(), name="s", layer="site")])
    verdict = {"reason": "allowed", "rule": "/tools/t"}
    assert [*answered(both, "t", effect="allow", **verdict).values()] == [False] * 4
    assert answered(both, "t", effect="deny", **verdict) == {}
