"""The decision, told as calls and answers; the bypass classes by their numbers."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gateway.jsonrpc import Json, loads, serialise
from gateway.policy import (
    Circumstances,
    Decision,
    Facts,
    Policy,
    ToolCall,
    compose,
    decide,
    decide_request,
    load,
    visible,
)
from gateway.policy.decision import Pin

MIRRORED = Facts(mirrored=True)


def policy(tools: str = "{}", *, default: str = "deny", more: str = "") -> Policy:
    text = f'{{"version": "1", "default": "{default}", "tools": {tools}{more}}}'
    return load(text.encode(), name="policy.json")


def ask(judged: Policy, arguments: str = "{}", *, tool: str = "t", facts: Facts = MIRRORED) -> Decision:
    value = loads(arguments)
    assert isinstance(value, dict)
    return decide(judged, ToolCall(tool, value), facts)


def denied_by(field: str, conditions: str, arguments: str) -> str | None:
    decision = ask(policy(f'{{"t": {{"{field}": [{{"conditions": {conditions}}}]}}}}'), arguments)
    return decision.rule if decision.effect == "deny" else None


# --- who may be called at all -----------------------------------------------------------------------------------------


def test_a_tool_that_is_not_mirrored_does_not_exist() -> None:
    decision = ask(policy('{"t": {}}'), facts=Facts(mirrored=False))
    assert decision == Decision("deny", "(unknown tool)", "unknown tool", 'Tool "t" does not exist')


def test_a_hidden_tool_is_refused_though_it_is_listed() -> None:
    judged = policy('{"t": {}}', more=', "hide": ["t"]')
    assert ask(judged) == Decision("deny", "(hidden)", "hidden", 'Tool "t" is hidden by policy')
    assert (visible(judged, "t"), visible(judged, "u")) == (False, True)


def test_a_lone_star_hides_all() -> None:
    judged = policy('{"t": {}}', default="allow", more=', "hide": ["*"]')
    assert ask(judged).rule == "(hidden)"
    assert not visible(judged, "anything")


def test_hide_is_exact_about_names() -> None:
    judged = policy(default="allow", more=', "hide": ["t"]')
    assert [visible(judged, name) for name in ("T", "t ", "\uff54", "t\u200b")] == [True] * 4


def test_default_deny_refuses_what_no_key_names() -> None:
    decision = ask(policy('{"other": {}}'))
    assert decision == Decision("deny", "(default deny)", "default", 'Tool "t" is not permitted by policy')


@pytest.mark.parametrize("name", ["T", "t ", " t", "\uff54", "t\u200b", "tt", "", "t\0", "те"])
def test_a_name_that_is_not_equal_is_not_listed(name: str) -> None:  # B13
    assert ask(policy('{"t": {}}'), tool=name).rule == "(default deny)"


def test_default_allow_permits_what_no_key_names() -> None:
    assert ask(policy(default="allow")) == Decision("allow", "(default allow)", "allowed", "")


def test_an_empty_entry_permits() -> None:
    assert ask(policy('{"t": {}}')) == Decision("allow", "/tools/t", "allowed", "")


def test_a_long_name_is_cut_in_messages() -> None:
    assert ask(policy(), tool="x" * 1000).message == f'Tool "{"x" * 128}…" is not permitted by policy'


# --- the entry --------------------------------------------------------------------------------------------------------


def test_action_deny_speaks_for_itself_or_with_its_reason() -> None:
    assert ask(policy('{"t": {"action": "deny"}}')) == Decision(
        "deny", "/tools/t/action", "action", 'Tool "t" is denied by policy'
    )
    assert ask(policy('{"t": {"action": "deny", "reason": "Ask the owner."}}')).message == "Ask the owner."


def test_action_allow_has_no_effect() -> None:
    assert ask(policy('{"t": {"action": "allow", "deny_if": [{"conditions": []}]}}')).effect == "deny"


def test_required_arguments_are_present_and_not_null() -> None:
    judged = policy('{"t": {"validate": {"required_args": true}}}')
    facts = Facts(mirrored=True, required_arguments=("to", "odd.name"))
    assert ask(judged, '{"to": 1, "odd.name": 2}', facts=facts).effect == "allow"
    rule = "/tools/t/validate/required_args"
    assert ask(judged, '{"to": null, "odd.name": 2}', facts=facts) == Decision(
        "deny", rule, "validate", f'Denied by rule "{rule}": missing args.to'
    )
    assert ask(judged, '{"to": 1}', facts=facts).message == f'Denied by rule "{rule}": missing args["odd.name"]'
    assert ask(judged, "{}", facts=facts).message == f'Denied by rule "{rule}": missing args.to, args["odd.name"]'


def test_required_arguments_are_not_asked_for_unless_the_policy_says_so() -> None:
    facts = Facts(mirrored=True, required_arguments=("to",))
    assert ask(policy('{"t": {"validate": {"required_args": false}}}'), facts=facts).effect == "allow"


def test_every_require_must_hold() -> None:
    conditions = '{"conditions": [{"path": "args.%s", "op": "eq", "value": 1}]}'
    judged = policy(f'{{"t": {{"require": [{conditions % "a"}, {conditions % "b"}]}}}}')
    assert ask(judged, '{"a": 1, "b": 1}').effect == "allow"
    assert ask(judged, '{"a": 1, "b": 2}') == Decision(
        "deny", "/tools/t/require/1", "require", 'Denied by rule "/tools/t/require/1": args.b'
    )
    assert ask(judged, "{}").rule == "/tools/t/require/0"


def test_any_deny_if_denies() -> None:
    conditions = '{"conditions": [{"path": "args.%s", "op": "eq", "value": 1}]}'
    judged = policy(f'{{"t": {{"deny_if": [{conditions % "a"}, {conditions % "b"}]}}}}')
    assert ask(judged, '{"a": 2, "b": 2}').effect == "allow"
    assert ask(judged, '{"a": 2, "b": 1}') == Decision(
        "deny", "/tools/t/deny_if/1", "deny_if", 'Denied by rule "/tools/t/deny_if/1": args.b'
    )


def test_an_empty_predicate_always_holds() -> None:
    assert denied_by("require", "[]", "{}") is None
    assert denied_by("deny_if", "[]", "{}") == "/tools/t/deny_if/0"


def test_on_deny_is_said_in_place_of_the_standard_words() -> None:
    judged = policy('{"t": {"deny_if": [{"conditions": [], "on_deny": "Not today."}]}}')
    assert ask(judged).message == "Not today."


def test_conditions_of_a_predicate_are_anded() -> None:
    both = '[{"path": "args.a", "op": "eq", "value": 1}, {"path": "args.b", "op": "eq", "value": 1}]'
    assert denied_by("deny_if", both, '{"a": 1, "b": 2}') is None
    assert denied_by("deny_if", both, '{"a": 1, "b": 1}') == "/tools/t/deny_if/0"
    assert denied_by("deny_if", both, '{"a": 1, "b": "1"}') == "/tools/t/deny_if/0"
    assert denied_by("deny_if", both, '{"a": 2, "b": "1"}') is None


def test_the_value_of_an_argument_is_never_repeated() -> None:
    judged = policy('{"t": {"deny_if": [{"conditions": [{"path": "args.key", "op": "contains", "value": "s3"}]}]}}')
    assert "s3cret" not in ask(judged, '{"key": "s3cret"}').message


def test_a_name_with_odd_characters_has_a_pointer_that_resolves() -> None:
    judged = policy('{"a/b~c": {"action": "deny"}}')
    assert ask(judged, tool="a/b~c").rule == "/tools/a~1b~0c/action"


# --- type dodges ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "arguments"),
    [
        ('"args.id", "op": "eq", "value": 5', '{"id": "5"}'),
        ('"args.id", "op": "eq", "value": 5', '{"id": [5]}'),
        ('"args.id", "op": "eq", "value": [5]', '{"id": ["5"]}'),
        ('"args.id", "op": "eq", "value": 5', '{"id": true}'),
        ('"args.id", "op": "neq", "value": 5', '{"id": "6"}'),
        ('"args.id", "op": "gt", "value": 5', '{"id": "9"}'),
        ('"args.id", "op": "in", "value": ["prod"]', '{"id": ["prod"]}'),
        ('"args.id", "op": "not_in", "value": ["prod"]', '{"id": ["prod"]}'),
        ('"args.id", "op": "contains", "value": "x"', '{"id": {"x": 1}}'),
        ('"args.id", "op": "contains", "value": "x"', '{"id": [["x"]]}'),
        ('"args.id", "op": "regex", "value": "x"', '{"id": ["x"]}'),
        ('"args.id", "op": "regex", "value": "x"', '{"id": 5}'),
        ('"args.id.x", "op": "exists", "value": true', '{"id": "{\\"x\\": 1}"}'),
        ('"args.id.x", "op": "exists", "value": true', '{"id": [{"x": 1}]}'),
        ('"args.id[0]", "op": "exists", "value": true', '{"id": {"0": 1}}'),
        ('"args.id[*]", "op": "eq", "value": "x"', '{"id": "x"}'),
        ('"args.id[*].x", "op": "eq", "value": "x"', '{"id": [{"x": "y"}, "x"]}'),
        ('"args.id", "op": "eq", "value": 9007199254740992', '{"id": 9007199254740993}'),
        ('"args.id", "op": "gt", "value": 9007199254740992', '{"id": 9007199254740993}'),
    ],
)
def test_what_cannot_be_judged_is_denied_in_both_polarities(condition: str, arguments: str) -> None:  # B8, B9, B12
    conditions = f'[{{"path": {condition}}}]'
    assert denied_by("require", conditions, arguments) == "/tools/t/require/0"
    assert denied_by("deny_if", conditions, arguments) == "/tools/t/deny_if/0"


@pytest.mark.parametrize("op", ["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "regex", "contains"])
@pytest.mark.parametrize("arguments", ["{}", '{"a": null}'])
def test_an_absent_argument_holds_nowhere(op: str, arguments: str) -> None:
    value = {"in": "[1]", "not_in": "[1]", "regex": '"x"'}.get(op, "1")
    conditions = f'[{{"path": "args.a", "op": "{op}", "value": {value}}}]'
    assert denied_by("require", conditions, arguments) == "/tools/t/require/0"
    assert denied_by("deny_if", conditions, arguments) is None


@pytest.mark.parametrize(
    ("value", "arguments", "require", "deny_if"),
    [
        ("true", "{}", True, False),
        ("true", '{"a": null}', True, False),
        ("true", '{"a": false}', False, True),
        ("false", "{}", False, True),
        ("false", '{"a": null}', False, True),
        ("false", '{"a": 0}', True, False),
    ],
)
def test_exists_judges_absence(value: str, arguments: str, require: bool, deny_if: bool) -> None:
    conditions = f'[{{"path": "args.a", "op": "exists", "value": {value}}}]'
    assert (denied_by("require", conditions, arguments) is not None) is require
    assert (denied_by("deny_if", conditions, arguments) is not None) is deny_if


@pytest.mark.parametrize(
    ("arguments", "require", "deny_if"),
    [
        ('{"l": [{"x": 1}, {"x": 1}]}', False, True),
        ('{"l": [{"x": 1}, {"x": 2}]}', True, True),
        ('{"l": [{"x": 2}, {"x": 2}]}', True, False),
        ('{"l": [{"x": 1}, {}]}', True, True),
        ('{"l": [{"x": 2}, {}]}', True, False),
        ('{"l": [{"x": 2}, {"x": "1"}]}', True, True),
        ('{"l": []}', True, False),
        ("{}", True, False),
        ('{"l": null}', True, False),
        ('{"l": "x"}', True, True),
    ],
)
def test_a_star_means_any_to_deny_if_and_all_to_require(arguments: str, require: bool, deny_if: bool) -> None:
    conditions = '[{"path": "args.l[*].x", "op": "eq", "value": 1}]'
    assert (denied_by("require", conditions, arguments) is not None) is require
    assert (denied_by("deny_if", conditions, arguments) is not None) is deny_if


@pytest.mark.parametrize("amount", ["-1", "1e30", "101", "100.00000000000000000000001", '"5"', "true", "null", "[5]"])
def test_a_spending_cap_lets_no_odd_number_through(amount: str) -> None:  # B11
    cap = '[{"path": "args.n", "op": "gte", "value": 0}, {"path": "args.n", "op": "lte", "value": 100}]'
    assert denied_by("require", cap, f'{{"n": {amount}}}') == "/tools/t/require/0"


@pytest.mark.parametrize("amount", ["0", "-0", "100", "1e2", "99.99", "1e-300"])
def test_a_spending_cap_lets_plain_numbers_through(amount: str) -> None:
    cap = '[{"path": "args.n", "op": "gte", "value": 0}, {"path": "args.n", "op": "lte", "value": 100}]'
    assert denied_by("require", cap, f'{{"n": {amount}}}') is None


# --- rules ------------------------------------------------------------------------------------------------------------

CONDITIONS = '"conditions": [{"path": "args.a", "op": "eq", "value": 1}]'


@pytest.mark.parametrize(
    ("rule", "arguments", "expected"),
    [
        (f'{{"action": "deny", {CONDITIONS}}}', '{"a": 1}', ("deny", "/tools/t/rules/0", "deny_if")),
        (f'{{"action": "deny", {CONDITIONS}}}', '{"a": 2}', ("allow", "/tools/t", "allowed")),
        (f'{{"action": "deny", {CONDITIONS}}}', '{"a": "1"}', ("deny", "/tools/t/rules/0", "deny_if")),
        (f'{{"action": "require_approval", {CONDITIONS}}}', '{"a": 1}', ("approve", "/tools/t/rules/0", "approval")),
        (f'{{"action": "require_approval", {CONDITIONS}}}', '{"a": []}', ("approve", "/tools/t/rules/0", "approval")),
        (f'{{"action": "require_approval", {CONDITIONS}}}', "{}", ("allow", "/tools/t", "allowed")),
        (f'{{"action": "allow", {CONDITIONS}}}', '{"a": 1}', ("allow", "/tools/t", "allowed")),
        (f'{{"action": "allow", {CONDITIONS}}}', '{"a": 2}', ("deny", "/tools/t/rules/0", "require")),
        (f"{{{CONDITIONS}}}", "{}", ("deny", "/tools/t/rules/0", "require")),
        ('{"action": "deny"}', "{}", ("deny", "/tools/t/rules/0/action", "action")),
        ('{"action": "deny", "conditions": []}', "{}", ("deny", "/tools/t/rules/0", "deny_if")),
        ('{"action": "require_approval"}', "{}", ("approve", "/tools/t/rules/0/action", "approval")),
        ('{"action": "require_approval", "conditions": []}', "{}", ("approve", "/tools/t/rules/0", "approval")),
        ('{"action": "allow"}', "{}", ("allow", "/tools/t", "allowed")),
        ('{"name": "x"}', "{}", ("allow", "/tools/t", "allowed")),
    ],
)
def test_a_rule_is_the_check_its_action_makes_of_it(rule: str, arguments: str, expected: tuple[str, str, str]) -> None:
    decision = ask(policy(f'{{"t": {{"rules": [{rule}]}}}}'), arguments)
    assert (decision.effect, decision.rule, decision.reason) == expected


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ('{"action": "deny", "reason": "R", "on_deny": "O"}', "R"),
        ('{"action": "deny", "on_deny": "O"}', "O"),
        ('{"action": "deny", "conditions": [], "reason": "R", "on_deny": "O"}', "O"),
        ('{"action": "deny", "conditions": [], "reason": "R"}', "R"),
        ('{"action": "require_approval", "conditions": [], "reason": "R", "on_deny": "O"}', "R"),
        ('{"action": "require_approval"}', 'Tool "t" needs a person\'s approval'),
    ],
)
def test_a_rule_speaks_with_the_text_that_fits(rule: str, message: str) -> None:
    assert ask(policy(f'{{"t": {{"rules": [{rule}]}}}}')).message == message


def test_a_rule_may_ask_for_required_arguments() -> None:
    judged = policy('{"t": {"rules": [{"validate": {"required_args": true}, "on_deny": "Say to whom."}]}}')
    decision = ask(judged, facts=Facts(mirrored=True, required_arguments=("to",)))
    assert decision == Decision("deny", "/tools/t/rules/0/validate/required_args", "validate", "Say to whom.")


# --- order, limits, approvals -----------------------------------------------------------------------------------------

EVERYTHING: dict[str, Json] = {
    "action": "deny",
    "validate": {"required_args": True},
    "require": [{"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}],
    "deny_if": [{"conditions": []}],
    "rules": [
        {"action": "deny"},
        {"validate": {"required_args": True}},
        {"conditions": [{"path": "args.b", "op": "eq", "value": 1}]},
        {"action": "deny", "conditions": []},
    ],
}
ORDER = [
    "/tools/t/action",
    "/tools/t/rules/0/action",
    "/tools/t/validate/required_args",
    "/tools/t/rules/1/validate/required_args",
    "/tools/t/require/0",
    "/tools/t/rules/2",
    "/tools/t/deny_if/0",
    "/tools/t/rules/3",
]


def without(entry: Mapping[str, Json], pointer: str) -> dict[str, Json]:
    copy = loads(serialise(entry).decode())
    assert isinstance(copy, dict)
    parts = pointer.split("/")[3:]
    if parts[0] != "rules":
        del copy[parts[0]]
        return copy
    rules = copy["rules"]
    assert isinstance(rules, list)
    rules[int(parts[1])] = {}
    return copy


def test_the_first_in_order_is_reported() -> None:
    entry, reported = EVERYTHING, []
    for _ in ORDER:
        text = serialise({"t": entry}).decode()
        reported.append(ask(policy(text), facts=Facts(mirrored=True, required_arguments=("a",))).rule)
        entry = without(entry, reported[-1])
    assert reported == ORDER


LIMIT = '{"counter": "%s", "window": "hour", "max": 5, "scope": "grant"}'


def test_limits_come_along_the_tools_before_those_of_all_tools() -> None:
    rule = '{"rate_limit": {"max": 2, "window": 60}}'
    entry = f'{{"limits": [{LIMIT % "a"}], "rate_limit": "30/hour", "rules": [{rule}]}}'
    judged = policy(f'{{"t": {entry}}}', more=f', "all_tools": {{"limits": [{LIMIT % "b"}]}}')
    assert [limit.rule for limit in ask(judged).limits] == [
        "/tools/t/limits/0",
        "/tools/t/rate_limit",
        "/tools/t/rules/0/rate_limit",
        "/all_tools/limits/0",
    ]


def test_all_tools_limits_a_tool_that_no_key_names() -> None:
    judged = policy(default="allow", more=f', "all_tools": {{"limits": [{LIMIT % "b"}]}}')
    assert [limit.rule for limit in ask(judged, tool="any").limits] == ["/all_tools/limits/0"]


def test_an_approval_is_asked_for_only_when_all_else_passes_and_brings_the_limits() -> None:
    judged = policy(f'{{"t": {{"action": "require_approval", "reason": "Ask.", "limits": [{LIMIT % "a"}]}}}}')
    decision = ask(judged)
    assert (decision.effect, decision.rule, decision.reason) == ("approve", "/tools/t/action", "approval")
    assert (decision.message, len(decision.limits)) == ("Ask.", 1)
    denied = policy('{"t": {"action": "require_approval", "deny_if": [{"conditions": []}]}}')
    assert ask(denied).effect == "deny"


def test_a_denied_call_owes_no_limit() -> None:
    assert ask(policy(f'{{"t": {{"action": "deny", "limits": [{LIMIT % "a"}]}}}}')).limits == ()


# --- other methods ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["completion/complete", "tasks/get", "resources/write", "x/y", ""])
def test_a_method_without_a_section_follows_the_default(method: str) -> None:  # B15
    assert decide_request(policy(), method, {}) == Decision(
        "deny", "(default deny)", "method", f"method `{method}` is not permitted"
    )
    assert decide_request(policy(default="allow"), method, {}) == Decision("allow", "(default allow)", "allowed", "")


@pytest.mark.parametrize("method", ["initialize", "ping", "server/discover", "logging/setLevel", "tools/list"])
def test_housekeeping_passes(method: str) -> None:
    assert decide_request(policy(), method, {}).effect == "allow"


# --- repeat -----------------------------------------------------------------------------------------------------------

LOOPS = '{"t": {"repeat": {"max": 3, "window": 60}}}'


def after(*ages: float, denials: int = 0) -> Facts:
    """A moment before which the same call was let through so many seconds ago."""
    around = Circumstances(0.0, "grant", "", {"t": len(ages)}, denials, {}, same=ages)
    return Facts(mirrored=True, circumstances=around)


def test_the_same_call_once_too_often_looks_like_a_loop() -> None:
    said = (
        'Tool "t" was called 3 times with the same arguments within 60 seconds, which looks like a loop. '
        "Asking once more changes nothing: use other arguments, or ask the person. Try again in 41 seconds."
    )
    denial = Decision("deny", "/tools/t/repeat", "repeat", said, retry_after_seconds=41)
    assert ask(policy(LOOPS), facts=after(0.0, 5.0, 19.5)) == denial


@pytest.mark.parametrize(
    ("ages", "wait"),
    [
        ((), None),
        ((0.0, 0.0), None),
        ((0.0, 0.0, 0.0), 60),
        ((0.0, 0.0, 0.0, 0.0, 59.0), 60),
        ((0.0, 1.0, 59.0), 1),
        ((0.0, 1.0, 59.999), 1),
        ((0.0, 1.0, 60.0), None),
        ((59.0, 61.0, 62.0), None),
    ],
)
def test_only_what_lies_within_the_window_counts(ages: tuple[float, ...], wait: int | None) -> None:
    decision = ask(policy(LOOPS), facts=after(*ages))
    assert decision.retry_after_seconds == wait
    assert decision.effect == ("allow" if wait is None else "deny")


def test_words_for_one() -> None:
    message = ask(policy('{"t": {"repeat": {"max": 1, "window": 1}}}'), facts=after(0.5)).message
    assert message.startswith('Tool "t" was called once with the same arguments within 1 second, which')
    assert message.endswith("Try again in 1 second.")


def test_a_repeat_comes_after_all_checks_and_before_what_a_limit_cannot_count() -> None:
    entry = (
        '"repeat": {"max": 1, "window": 60}, "limits": [{"counter": "c", "window": 60, "max": 5, "scope": "grant"%s}]'
    )
    rule = '"require": [{"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}]'
    uncounted = entry % ', "increment_from": "args.n"'
    judged = policy(f'{{"t": {{{uncounted}}}}}', more=f', "all_tools": {{{rule}}}')
    loop = after(1.0)
    assert ask(judged, facts=loop).rule == "/all_tools/require/0"
    assert ask(judged, '{"a": 1}', facts=loop).rule == "/tools/t/repeat"
    assert ask(judged, '{"a": 1}').rule == "/tools/t/limits/0/increment_from"
    approval = policy(f'{{"t": {{{entry % ""}, "action": "require_approval"}}}}')
    assert ask(approval, facts=loop).reason == "repeat"
    assert ask(approval).reason == "approval"


def test_the_repeat_of_the_tool_comes_before_that_of_all_tools() -> None:
    judged = policy(LOOPS, more=', "all_tools": {"repeat": {"max": 2, "window": 10}}')
    assert ask(judged, facts=after(1.0, 2.0, 3.0)).rule == "/tools/t/repeat"
    assert ask(judged, facts=after(1.0, 2.0)).rule == "/all_tools/repeat"
    assert ask(judged, facts=after(1.0, 12.0)).effect == "allow"


def test_a_repeat_that_is_only_tried_out_says_what_it_would_refuse() -> None:
    judged = policy('{"t": {"mode": "observe", "repeat": {"max": 1, "window": 60}}}')
    decision = ask(judged, facts=after(1.0))
    assert (decision.effect, decision.rule, decision.reason) == ("observe", "/tools/t/repeat", "repeat")


def test_a_policy_says_for_which_tools_it_counts_the_same_calls() -> None:
    judged = policy('{"t": {"repeat": {"max": 1, "window": 60}}, "u": {}}')
    assert (judged.counts_same("t"), judged.counts_same("u")) == (1, 0)
    assert policy('{"t": {}}').counts_same("t") == 0
    assert policy(LOOPS, more=', "all_tools": {"repeat": {"max": 2, "window": 10}}').counts_same("t") == 3
    site = load(b'{"version": "1", "default": "allow", "all_tools": {"repeat": {"max": 1, "window": 5}}}', name="s")
    composed = compose(policy('{"t": {}}'), [replace(site, layer="site")])
    assert composed.counts_same("t") == 1
    assert ask(composed, facts=after(1.0)).rule == "site:/all_tools/repeat"


@pytest.mark.parametrize(
    ("pin", "says"),
    [
        ("changed", 'Tool "t" is not what was accepted: its definition changed. '),
        ("new", 'Tool "t" is new since this server\'s tools were accepted. '),
        ("instructions", "The server's instructions changed since they were accepted. "),
    ],
)
def test_b19_a_tool_that_nobody_has_accepted_is_refused_whatever_the_policy_says(pin: Pin, says: str) -> None:
    facts = MIRRORED._replace(pin=pin)
    for judged in (
        policy('{"t": {}}'),
        policy(default="allow", more=', "mode": "observe"'),
        policy(more=', "hide": ["t"]'),
        policy('{"t": {"action": "require_approval"}}'),
    ):
        decision = ask(judged, facts=facts)
        assert (decision.effect, decision.rule, decision.reason) == ("deny", "(changed tool)", "changed tool")
        assert decision.message.startswith(says)
        assert "`keyid-gateway pins diff`" in decision.message
        assert "`keyid-gateway pins accept`" in decision.message
    assert ask(policy(), facts=facts._replace(mirrored=False)).rule == "(unknown tool)", "which goes before it"
