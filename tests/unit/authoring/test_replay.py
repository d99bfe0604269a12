"""The calls of a log, decided again."""

import itertools
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest

from gateway.authoring.replay import Replay, look_back
from gateway.authoring.tallies import MOST_ROWS, Report, Row
from gateway.catalogue import Catalogue
from gateway.jsonrpc import serialise
from gateway.policy import Policy, load
from gateway.state import Counters, Record, scratch

NOON = 1_767_614_400.0
SERVER = "https://mcp.example/mcp"


def policy(tools: Any, **more: Any) -> Policy:
    return load(json.dumps({"version": "1", "default": "deny", "tools": tools, **more}).encode(), name="p")


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def a_day(maximum: int, **more: Any) -> dict[str, Any]:
    return {"limits": [{"counter": "c", "window": "day", "max": maximum, "scope": "grant", **more}]}


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


IDS = itertools.count()


def call(tool: str, arguments: Any = None, *, at: float = NOON, values: bool = False, **changes: Any) -> Record:
    """The record of a call that was allowed; its values are in it if they were kept."""
    given = arguments or {}
    base = Record(
        kind="decided",
        decision_id=f"d{next(IDS)}",
        at=at,
        grant="me",
        session="s",
        client_name="client",
        client_version="1",
        server=SERVER,
        method="tools/call",
        tool=tool,
        policy_revision="",
        effect="allow",
        rule=f"/tools/{tool}",
        reason="allowed",
        message="",
        argument_names=tuple(sorted(given)),
        argument_digest=digest(serialise(given)),
        values=serialise(given).decode() if values else None,
    )
    return base._replace(**changes)


def denied(tool: str, rule: str, reason: str, **changes: Any) -> Record:
    return call(tool, kind="refused", effect="deny", rule=rule, reason=reason, **changes)


def settled(record: Record, **changes: Any) -> Record:
    return record._replace(kind="settled", **{"outcome": "ok", "upstream_status": 200, **changes})


@pytest.fixture
def counters() -> Iterator[Counters]:
    with scratch() as opened:
        yield opened


Again = Callable[..., Report]


@pytest.fixture
def again(counters: Counters) -> Again:
    def work(candidate: Policy, *records: Record, before: Policy | None = None, since: float = 0.0) -> Report:
        catalogue = Catalogue()
        schema: Any = {"type": "object", "required": ["to"]}
        catalogue.page(None, {"tools": [{"name": "send", "inputSchema": schema}]})
        replay = Replay(candidate, counters, since=since, catalogue=catalogue, judged_by=before, digest=digest)
        for record in records:
            replay.take(record)
        return replay.report

    return work


def changes(report: Report) -> list[tuple[str, str, str, str, int]]:
    rows = (*report.changed.items(), *report.doubtful.items())
    return [(row.tool, row.was, row.would, " ".join(row.rules), tally.count) for row, tally in rows]


def test_what_comes_out_as_it_did_is_only_counted(again: Again) -> None:
    report = again(policy({"get": {}}), call("get"), denied("other", "(default deny)", "default"))
    assert (report.calls, report.same, changes(report)) == (2, 2, [])


def test_both_directions(again: Again) -> None:
    report = again(policy({"other": {}}), call("get"), denied("other", "(default deny)", "default"), call("get"))
    assert changes(report) == [
        ("get", "allow", "deny", "(default deny)", 2),
        ("other", "deny", "allow", "/tools/other", 1),
    ]


def test_limits_are_counted_again_over_the_recorded_times(again: Again) -> None:
    calls = [call("send", at=NOON + hour * 3600) for hour in (0, 1, 2, 13, 14)]
    report = again(policy({"send": a_day(2)}), *calls)
    assert changes(report) == [("send", "allow", "deny", "/tools/send/limits/0", 1)]
    (tally,) = report.changed.values()
    assert (tally.first, tally.last, tally.decisions) == (calls[2].at, calls[2].at, [calls[2].decision_id])


def test_what_did_not_run_is_given_back(again: Again) -> None:
    first, second, third = call("send"), call("send"), call("send")
    report = again(policy({"send": a_day(1)}), first, settled(first, outcome="no answer: not sent"), second, third)
    assert [tally.decisions for tally in report.changed.values()] == [[third.decision_id]]


def test_a_refusal_for_too_many_calls_by_the_server_is_given_back(again: Again) -> None:
    first, second = call("send"), call("send")
    report = again(policy({"send": a_day(1)}), first, settled(first, outcome="error", upstream_status=429), second)
    assert report.changed == {}


def test_a_denied_call_costs_nothing(again: Again) -> None:
    refused = denied("send", "/tools/send/deny_if/0", "deny_if", arguments={"to": "x"}, values=True)
    report = again(policy({"send": {**a_day(1), "deny_if": [when("args.to", "eq", "x")]}}), refused, call("send"))
    assert report.changed == {}


def test_grants_and_sessions_are_counted_apart(again: Again) -> None:
    limits = {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "session"}]}
    report = again(policy({"send": limits}), call("send"), call("send", session="t"), call("send", grant="you"))
    assert [tally.count for tally in report.changed.values()] == [1]


def test_what_came_before_the_report_is_counted_and_not_shown(again: Again) -> None:
    report = again(policy({"send": a_day(1)}), call("send", at=NOON - 60), call("send"), since=NOON)
    assert (report.calls, changes(report)) == (1, [("send", "allow", "deny", "/tools/send/limits/0", 1)])


def test_how_far_to_look_back() -> None:
    assert look_back(policy({"a": {}})) == 86_400
    assert look_back(policy({"a*": {"rate_limit": {"max": 1, "window": 604_800}}})) == 604_800


def test_without_values_a_new_rule_on_them_cannot_be_judged(again: Again) -> None:
    candidate = policy({"send": {"require": [when("args.to", "eq", "x")]}})
    report = again(candidate, call("send", {"to": "x"}), call("send", {"to": "y"}), call("send", {"cc": "y"}))
    assert changes(report) == [
        ("send", "allow", "deny", "/tools/send/require/0", 1),
        ("send", "allow", "cannot tell", "/tools/send/require/0", 2),
    ]
    assert (report.by_name, report.same) == (3, 0)


def test_with_values_it_is(again: Again) -> None:
    candidate = policy({"send": {"require": [when("args.to", "eq", "x")]}})
    report = again(candidate, call("send", {"to": "x"}, values=True), call("send", {"to": "y"}, values=True))
    assert (changes(report), report.by_name) == ([("send", "allow", "deny", "/tools/send/require/0", 1)], 0)


@pytest.mark.parametrize("values", ['{"to": "[redacted]"}', '{"to": "y", "a": 1}', '{"to": ', "[]", "… (+7 bytes)"])
def test_values_that_are_not_whole_are_not_used(again: Again, values: str) -> None:
    candidate = policy({"send": {"require": [when("args.to", "eq", "x")]}})
    report = again(candidate, call("send", {"to": "y"}, values=True), call("send", {"to": "y"})._replace(values=values))
    assert (report.by_name, [row.would for row in (*report.changed, *report.doubtful)]) == (1, ["deny", "cannot tell"])


def test_names_that_were_cut_are_not_taken_for_all(again: Again) -> None:
    candidate = policy({"send": {"deny_if": [when("args.cc", "exists", True)]}})
    report = again(candidate, call("send", {"to": "y"})._replace(argument_names=("to", "… (+9 names)")))
    assert [row.would for row in report.doubtful] == ["cannot tell"]


def test_a_rule_that_judged_the_call_then_is_not_in_doubt(again: Again) -> None:
    rule = {"require": [when("args.to", "eq", "x")]}
    before, candidate = policy({"send": rule}), policy({"send": {**rule, **a_day(1)}})
    calls = [call("send", {"to": "x"}, policy_revision=before.revision) for _ in range(2)]
    assert changes(again(candidate, *calls, before=before)) == [("send", "allow", "deny", "/tools/send/limits/0", 1)]


def test_another_revision_says_nothing(again: Again) -> None:
    rule = {"require": [when("args.to", "eq", "x")]}
    report = again(
        policy({"send": rule}), call("send", {"to": "x"}, policy_revision="else"), before=policy({"send": rule})
    )
    assert [row.would for row in report.doubtful] == ["cannot tell"]


def test_facts_are_those_of_the_replayed_calls(again: Again) -> None:
    sequence = {"deny_if": [when("grant.seconds_since.get_secret", "lt", 3600)]}
    candidate = policy(
        {"get_secret": {}, "send": sequence, "once": {"deny_if": [when("session.calls.once", "gte", 1)]}}
    )
    report = again(
        candidate,
        call("send", at=NOON),
        call("get_secret", at=NOON + 1),
        call("send", at=NOON + 2),
        call("send", at=NOON + 2, grant="you"),
        call("send", at=NOON + 3602),
        call("once", at=NOON + 3603),
        call("once", at=NOON + 3604),
        call("once", at=NOON + 3605, session="t"),
    )
    assert changes(report) == [
        ("send", "allow", "deny", "/tools/send/deny_if/0", 1),
        ("once", "allow", "deny", "/tools/once/deny_if/0", 1),
    ]


def test_the_hour_of_the_call(again: Again) -> None:
    candidate = policy({"send": {"require": [when("time.hour", "lt", 13)]}})
    report = again(candidate, call("send", at=NOON), call("send", at=NOON + 3600))
    assert [tally.count for tally in report.changed.values()] == [1]


def test_what_the_tool_requires_is_known_from_the_list(again: Again) -> None:
    candidate = policy({"send": {"validate": {"required_args": True}}, "new": {"validate": {"required_args": True}}})
    report = again(candidate, call("send"), call("send", {"to": "x"}, values=True), call("new", {"a": 1}, values=True))
    assert changes(report) == [
        ("send", "allow", "deny", "/tools/send/validate/required_args", 1),
        ("new", "allow", "cannot tell", "/tools/new/validate/required_args", 1),
    ]


def test_approvals_and_observation(again: Again) -> None:
    candidate = policy({"ask": {"action": "require_approval"}, "try": {"mode": "observe", "action": "deny"}})
    asked = denied("ask", "/tools/ask/action", "approval")
    assert changes(again(candidate, asked, call("ask"), call("try"))) == [
        ("ask", "allow", "approve", "/tools/ask/action", 1),
        ("try", "allow", "observe", "/tools/try/action", 1),
    ]


def test_an_observed_limit_refuses_nothing_and_the_others_go_on_counting(again: Again) -> None:
    both = {"send": {**a_day(1), "mode": "observe"}}
    brake = {"limits": [{"counter": "all", "window": "day", "max": 2, "scope": "grant"}]}
    report = again(policy(both, all_tools=brake), call("send"), call("send"), call("send"))
    assert changes(report) == [
        ("send", "allow", "observe", "/tools/send/limits/0", 1),
        ("send", "allow", "deny", "/all_tools/limits/0", 1),
    ]


def test_limits_on_values(again: Again) -> None:
    candidate = policy({"send": a_day(1, per="args.to")})
    told = [call("send", {"to": to}, values=True) for to in ("x", "y", "x")]
    report = again(candidate, *told, call("send", {"to": "z"}))
    assert [(row.would, tally.count) for row, tally in (*report.changed.items(), *report.doubtful.items())] == [
        ("deny", 1),
        ("cannot tell", 1),
    ]


def test_what_no_policy_decided_is_left_out(again: Again) -> None:
    report = again(
        policy({}),
        denied("get", "(state)", "state"),
        denied("get", "(no policy)", "no policy"),
        call("")._replace(method="resources/read"),
        denied("nope", "(unknown tool)", "unknown tool"),
    )
    assert (report.calls, report.same) == (1, 1)
    assert report.left_out == {"refused outside of any policy": 2, "no tool call": 1}


def test_rows_are_bounded(again: Again) -> None:
    report = again(policy({}), *(call(f"t{number}") for number in range(MOST_ROWS + 5)))
    assert (len(report.changed), report.more) == (MOST_ROWS, 5)
    assert Row("t0", "allow", "/tools/t0", "deny", ("(default deny)",)) in report.changed


COLLEAGUES = {"send": {"require": [when("args.to", "regex", "@example\\.com$")]}}


def in_part(to: str) -> Record:
    kept = json.dumps({"body": {"$redacted": "content"}, "to": to})
    return call("send", {"to": to, "body": "hello"})._replace(values=kept)


def test_values_beside_redacted_ones_are_used(again: Again) -> None:
    report = again(policy(COLLEAGUES), in_part("eve@evil.net"), in_part("kim@example.com"))
    assert changes(report) == [("send", "allow", "deny", "/tools/send/require/0", 1)]
    assert (report.in_part, report.by_name, report.same) == (2, 0, 1)


def test_a_redacted_value_is_never_compared_and_it_is_said(again: Again) -> None:
    report = again(policy({"send": {"deny_if": [when("args.body", "contains", "x")]}}), in_part("kim@example.com"))
    assert [row.unknown for row in report.doubtful] == [("`args.body` (redacted: content)",)]


def test_redacted_values_of_other_arguments_are_not_used(again: Again) -> None:
    odd = in_part("kim@example.com")._replace(argument_names=("cc",))
    report = again(policy({"send": {"deny_if": [when("args.cc", "eq", "x")]}}), odd)
    assert [(row.would, row.unknown) for row in report.doubtful] == [("cannot tell", ("`args.cc` (not kept)",))]
    assert report.by_name == 1


def test_limits_by_value_count_what_is_known(again: Again) -> None:
    report = again(policy({"send": a_day(1, per="args.to")}), in_part("x"), in_part("y"), in_part("x"))
    assert changes(report) == [("send", "allow", "deny", "/tools/send/limits/0", 1)]


@pytest.mark.parametrize("at_hand", [True, False])
@pytest.mark.parametrize(
    "tried", [{**COLLEAGUES, "": "observe"}, {"send": {**COLLEAGUES["send"], "mode": "observe"}}, COLLEAGUES]
)
def test_what_was_tried_out_is_told_under_the_same_rules(again: Again, tried: Any, *, at_hand: bool) -> None:
    """Also where the policy of that time is no longer at hand: its revision tells that it was this one."""
    tools = {key: entry for key, entry in tried.items() if key}
    before = policy(tools, **({"mode": "observe"} if "" in tried else {}))
    effect = "deny" if tried is COLLEAGUES else "observe"
    was: Any = {"policy_revision": before.revision}
    refused = call("send", {"to": "eve"}, effect=effect, reason="require", rule="/tools/send/require/0", **was)
    report = again(policy(COLLEAGUES), refused, call("send", {"to": "kim"}, **was), before=before if at_hand else None)
    assert changes(report) == ([("send", "observe", "deny", "/tools/send/require/0", 1)] if effect == "observe" else [])
    assert report.doubtful == {}


# --- repeat -----------------------------------------------------------------------------------------------------------

LOOPS = policy({"get": {"repeat": {"max": 2, "window": 60}}, "other": {}})


def test_the_same_call_again_and_again_is_told_by_its_digest(again: Again) -> None:
    same = [call("get", {"a": 1}, at=NOON + second) for second in (0, 1, 2, 3)]
    other = [call("get", {"a": number}, at=NOON + 4) for number in range(2, 9)]
    report = again(LOOPS, *same, *other, call("get", {"a": 1}, at=NOON + 60.5), call("get", {"a": 1}, at=NOON + 60.6))
    assert changes(report) == [("get", "allow", "deny", "/tools/get/repeat", 3)]
    values = again(LOOPS, *[call("get", {"a": 1}, at=NOON + 200, values=True, session="v") for _ in range(3)])
    assert changes(values) == [("get", "allow", "deny", "/tools/get/repeat", 1)]
    assert changes(again(LOOPS, *[call("get", session=f"{number}") for number in range(9)])) == []
    assert changes(again(LOOPS, *[call("other") for _ in range(9)])) == []


def test_without_a_digest_nobody_can_tell_once_there_were_enough(again: Again) -> None:
    kept = [call("get", {"a": 1}, at=NOON + second, argument_digest="") for second in (0, 1, 2)]
    report = again(LOOPS, *kept)
    assert changes(report) == [("get", "allow", "cannot tell", "/tools/get/repeat", 1)]
    (row,) = report.doubtful
    assert row.unknown == ("whether the arguments were the same (no digest was kept)",)
    mixed = [call("get", {"a": 1}, session="m"), kept[0], call("get", {"a": 1}, session="m")]
    found = again(LOOPS, *(record._replace(session="m") for record in mixed))
    assert changes(found) == [("get", "allow", "cannot tell", "/tools/get/repeat", 1)]


def test_a_round_of_an_exchange_is_no_repetition(again: Again) -> None:
    rounds = [call("get", message=f"round {number} of the call that decision d began") for number in (2, 3, 4)]
    assert changes(again(LOOPS, call("get"), *rounds, call("get"))) == []


def test_a_repeat_that_refused_then_is_known_to_have_passed_every_check(again: Again) -> None:
    before = policy({"get": {"deny_if": [when("args.a", "eq", 1)], "repeat": {"max": 1, "window": 60}}})
    after = policy({"get": {"deny_if": [when("args.a", "eq", 1)]}})
    record = denied("get", "/tools/get/repeat", "repeat", arguments={"a": 2}, policy_revision=before.revision)
    assert changes(again(after, record, before=before)) == [("get", "deny", "allow", "/tools/get", 1)]


def test_the_counting_begins_as_long_before_as_a_repeat_looks_back() -> None:
    assert look_back(policy({"get": {"repeat": {"max": 2, "window": 604_800}}})) == 604_800


def test_what_is_remembered_of_sessions_is_bounded(again: Again) -> None:
    many = [call("get", session=f"s{number}") for number in range(1200)]
    assert changes(again(LOOPS, call("get", session="first"), *many, *[call("get", session="first")] * 2)) == []
