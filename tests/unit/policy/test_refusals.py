from decimal import Decimal

import pytest

from gateway.policy import Decision, Limit, refuse_limit, refuse_no_policy, refuse_state
from gateway.policy.refusals import (
    concealed,
    refuse_changed_tool,
    refuse_default,
    refuse_hidden,
    refuse_unknown_tool,
    told,
)


def limit(maximum: str, window: str, on_deny: str = "") -> Limit:
    return Limit("/all_tools/limits/0", "all_tools", "calls", Decimal(maximum), window, 60, "grant", "fixed", on_deny)


def test_state_is_refused_with_its_cause() -> None:
    assert refuse_state("the state file is damaged") == Decision(
        "deny",
        "(state)",
        "state",
        "Internal policy error: the state file is damaged. Nothing passes unrecorded; "
        "the owner of this machine finds what to do in the gateway's log",
    )
    assert refuse_state().message.startswith("Internal policy error: a fault of the gateway. ")


def test_no_policy_says_the_cause() -> None:
    assert refuse_no_policy("`policy.json` is missing") == Decision(
        "deny", "(no policy)", "no policy", "No policy is in force: `policy.json` is missing"
    )


@pytest.mark.parametrize(
    ("maximum", "window", "retry", "message"),
    [
        ("30", "minute", 12, "Rate limit of 30 per minute reached. Try again in 12 seconds."),
        ("1E+3", "60 seconds", 1, "Rate limit of 1000 per 60 seconds reached. Try again in 1 second."),
        ("2.5", "day", 0, "Rate limit of 2.5 per day reached. Try again in 0 seconds."),
    ],
)
def test_a_limit_says_how_many_per_what_and_when_again(maximum: str, window: str, retry: int, message: str) -> None:
    assert refuse_limit(limit(maximum, window), retry) == Decision(
        "deny", "/all_tools/limits/0", "limit", message, retry_after_seconds=retry
    )


def test_a_limit_speaks_with_its_own_text() -> None:
    decision = refuse_limit(limit("30", "minute", "Slow down."), 12)
    assert (decision.message, decision.retry_after_seconds) == ("Slow down.", 12)


@pytest.mark.parametrize(
    ("own", "retry", "told_words"),
    [
        ("", 12, "Rate limit of 30 per minute reached. Try again in 12 seconds."),
        ("Slow down.", 12, "Slow down. Try again in 12 seconds."),
        ("Slow down", 1, "Slow down. Try again in 1 second."),
        ("Slow down!", 12, "Slow down! Try again in 12 seconds."),
        ("Try again in a minute or so.", 12, "Try again in a minute or so."),
        ("Slow down.", None, "Slow down."),
    ],
)
def test_the_agent_reads_when_to_try_again_whatever_the_words(own: str, retry: int | None, told_words: str) -> None:
    assert told(refuse_limit(limit("30", "minute", own), retry)) == told_words


def test_a_limit_below_one_call_says_that_waiting_does_not_help() -> None:
    decision = refuse_limit(limit("0.5", "minute"), None)
    words = "Rate limit of 0.5 per minute reached. Waiting does not help: one call is more than that."
    assert decision.message == words
    assert decision.retry_after_seconds is None


def test_what_is_concealed_is_told_as_unknown_whether_it_is_hidden_or_has_changed() -> None:
    unknown = refuse_unknown_tool("t")
    assert concealed(refuse_hidden("t"), "t", hides=True) == unknown
    assert concealed(refuse_changed_tool("t", "new"), "t", hides=True) == unknown
    for decision in (refuse_changed_tool("t", "new"), refuse_default("t")):
        assert concealed(decision, "t", hides=False) is decision
    assert concealed(refuse_default("t"), "t", hides=True) == refuse_default("t")
