"""The runner of a policy's tests bites: whatever comes out otherwise is shown, with what would have to change."""

import asyncio
import json
from typing import Any

import pytest

from gateway.authoring.suite import read_tests
from gateway.authoring.trial import Difference, Failure, Outcome, run
from gateway.policy import load

POLICY = """{
  "version": "1",
  "default": "deny",
  "hide": ["delete_file"],
  "tools": {
    "get_identity": {},
    "put_secret": {"validate": {"required_args": true}},
    "send_email": {
      "require": [{"conditions": [{"path": "args.to", "op": "regex", "value": "@example\\\\.com$"}],
                   "on_deny": "Only colleagues."}],
      "limits": [{"counter": "mail", "window": "hour", "max": 2, "scope": "grant"}]
    },
    "wait_for_message": {"rate_limit": {"max": 1, "window": 60}}
  }
}"""
MAIL = {"tool": "send_email", "arguments": {"to": "kim@example.com"}}
ALLOW, DENY = {"effect": "allow"}, {"effect": "deny"}


def outcome(*steps: dict[str, Any], **more: Any) -> Outcome:
    start = {"start": more.pop("start")} if "start" in more else {}
    document = {"version": "1", "tests": [{"name": "a test", **start, "steps": steps}], **more}
    tests = read_tests(json.dumps(document, indent=1).encode(), name="tests.json")
    return asyncio.run(run(load(POLICY.encode(), name="policy.json"), tests))


def failure(*steps: dict[str, Any], **more: Any) -> Failure:
    (found,) = outcome(*steps, **more).failures
    return found


def test_what_comes_out_as_expected_is_counted() -> None:
    passed = outcome({"call": MAIL, "times": 2, "expect": ALLOW}, {"call": MAIL, "expect": DENY})
    assert passed == Outcome(tests=1, requests=3)


def test_a_call_can_be_another_each_time() -> None:
    """Such as for a `repeat`, which counts those that are the same."""
    judged = load(b'{"version": "1", "default": "allow", "all_tools": {"repeat": {"max": 2, "window": 60}}}', name="p")
    loop = {"effect": "deny", "rule": "/all_tools/repeat", "reason": "repeat", "retry_after_seconds": 60}
    steps = [
        {"call": MAIL, "times": 2, "expect": ALLOW},
        {"call": MAIL, "expect": loop},
        {"call": MAIL, "vary": "to", "times": 9, "expect": ALLOW},
        {"call": MAIL, "vary": "number", "times": 9, "expect": ALLOW},
        {"call": {"tool": "send_email", "arguments": {"to": "kim@example.com 5"}}, "expect": ALLOW},
        {"call": {"tool": "send_email", "arguments": {"to": "kim@example.com 5"}}, "expect": loop},
    ]
    document = {"version": "1", "tests": [{"name": "a test", "steps": steps}]}
    tests = read_tests(json.dumps(document).encode(), name="tests.json")
    assert asyncio.run(run(judged, tests)) == Outcome(tests=1, requests=23)


def test_a_failure_says_where_what_and_why() -> None:
    found = failure({"call": MAIL, "expect": ALLOW}, {"call": MAIL, "advance": 60, "times": 2, "expect": ALLOW})
    assert found.differences == (Difference("effect", "allow", "deny"),)
    assert (found.test, found.pointer, found.step, found.time, found.times) == ("a test", "/tests/0/steps/1", 2, 2, 2)
    assert (found.line, found.now) == (18, 1_767_603_660.0)
    assert found.request == 'send_email {"to":"kim@example.com"}'
    assert (found.found.rule, found.rule_line) == ("/tools/send_email/limits/0", 11)
    assert found.found.message == "Rate limit of 2 per hour reached. Try again in 3540 seconds."
    assert found.found.retry_after_seconds == 3540


@pytest.mark.parametrize(
    ("call", "expect", "advice"),
    [
        (
            {"tool": "send_email", "arguments": {"to": "eve@elsewhere"}},
            ALLOW,
            "`/tools/send_email/require/0` refuses it: loosen that rule, or expect the denial",
        ),
        ({"tool": "other"}, ALLOW, "the policy does not name the tool: add it to `tools`, or expect the denial"),
        ({"tool": "get_identity"}, DENY, "no rule refuses it: add one, or expect `allow`"),
        (
            MAIL,
            {"effect": "deny", "rule": "/tools/send_email/require/0"},
            "`/tools/send_email/require/0` does not refuse it: tighten that rule, or expect `allow`",
        ),
        (
            {"tool": "send_email"},
            {"effect": "deny", "rule": "/tools/send_email/deny_if/0"},
            "the policy has nothing at `/tools/send_email/deny_if/0`: the test names a rule that is not there",
        ),
        (
            {"tool": "send_email"},
            {"effect": "deny", "message": "No."},
            "the answer is as expected, but not what is said of it: change the policy's words, or the expectation",
        ),
        ({"tool": "delete_file"}, ALLOW, "`(hidden)` refuses it: loosen that rule, or expect the denial"),
    ],
)
def test_a_failure_says_what_would_have_to_change(call: dict[str, Any], expect: dict[str, Any], advice: str) -> None:
    assert failure({"call": call, "expect": expect}).advice == advice


def test_a_limit_that_is_used_up_could_be_raised() -> None:
    found = failure({"call": MAIL, "times": 3, "expect": ALLOW})
    assert found.advice == "`/tools/send_email/limits/0` is used up: raise its `max`, or expect the denial"


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("rule", "/tools/send_email/require/0", "/tools/send_email/limits/0"),
        ("reason", "require", "limit"),
        ("message", "No.", "Rate limit of 2 per hour reached. Try again in 3600 seconds."),
        ("retry_after_seconds", 59, 3600),
    ],
)
def test_a_wrong_expectation_fails(field: str, wrong: object, right: object) -> None:
    first = {"call": MAIL, "times": 2, "expect": ALLOW}
    found = failure(first, {"call": MAIL, "expect": {"effect": "deny", field: wrong}})
    assert found.differences == (Difference(field, wrong, right),)  # type: ignore[arg-type] # as the format says
    assert outcome(first, {"call": MAIL, "expect": {"effect": "deny", field: right}}).failures == ()


def test_the_clock_moves_only_by_steps_and_begins_where_the_test_says() -> None:
    begun = {"call": MAIL, "times": 2, "expect": ALLOW}
    late = {"call": MAIL, "advance": 1, "expect": ALLOW}
    assert outcome(begun, late, start="2026-03-01T10:59:59+00:00").failures == ()
    assert failure(begun, late, start="2026-03-01T10:59:58+00:00").step == 2


def test_grants_and_sessions_count_apart() -> None:
    waits = {"call": {"tool": "wait_for_message"}, "expect": ALLOW}
    steps = ({**MAIL}, {**MAIL})
    assert outcome(waits, {**waits, "session": "another"}, {**waits, "grant": "other"}).failures == ()
    assert failure(waits, waits).found.rule == "/tools/wait_for_message/rate_limit"
    both = [{"call": call, "expect": ALLOW} for call in steps]
    assert outcome(*both, {"call": MAIL, "session": "another", "expect": DENY}).failures == ()
    assert outcome(*both, {"call": MAIL, "grant": "other", "expect": ALLOW}).failures == ()


def test_what_was_not_sent_is_given_back() -> None:
    lost = {"call": MAIL, "times": 2, "outcome": "not sent", "expect": ALLOW}
    assert outcome(lost, {"call": MAIL, "times": 2, "expect": ALLOW}, {"call": MAIL, "expect": DENY}).failures == ()


def test_the_catalogue_says_which_tools_there_are_and_what_they_require() -> None:
    missing = {"effect": "deny", "rule": "/tools/put_secret/validate/required_args"}
    steps = (
        {"call": {"tool": "get_identity"}, "expect": {"effect": "deny", "rule": "(unknown tool)"}},
        {"call": {"tool": "put_secret", "arguments": {"key": "k"}}, "expect": missing},
        {"call": {"tool": "put_secret", "arguments": {"key": "k", "value": "v"}}, "expect": ALLOW},
    )
    assert outcome(*steps, server="keyid", catalogue={"get_identity": None}).failures == ()
    assert outcome(*steps, catalogue={"get_identity": None, "put_secret": ["key", "value"]}).failures == ()


def test_other_requests_are_judged_too() -> None:
    step = {"request": {"method": "resources/read", "params": {"uri": "keyid://inbox/1"}}, "expect": DENY}
    assert outcome(step).failures == ()
    found = failure({**step, "expect": ALLOW})
    assert found.request == 'resources/read {"uri":"keyid://inbox/1"}'
    assert found.found.effect == "deny"


def test_every_test_begins_anew() -> None:
    case = {"steps": [{"call": MAIL, "times": 2, "expect": ALLOW}]}
    assert outcome(tests=[{"name": "one", **case}, {"name": "two", **case}]) == Outcome(tests=2, requests=4)


def test_no_tests_are_no_success_and_no_failure() -> None:
    assert outcome(tests=[]) == Outcome(tests=0, requests=0)
