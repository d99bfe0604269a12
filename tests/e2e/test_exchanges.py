"""Calls that the server answers with `input_required`: judged in each round, charged once, and nobody gains a call."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from gateway.exchanges import MAX_ROUNDS
from gateway.state import Record
from tests.e2e.arena import META, STATELESS
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.scripted import Scripted, http, message, result, said
from tests.e2e.test_reload import await_version, document

Json = Any
ASKED = {"k": {"method": "roots/list"}}
ANSWERED: Json = {"k": {"roots": []}}
DAY = {"window": "day", "scope": "grant"}


def limited(most: int = 2, **more: Json) -> Json:
    """A policy that lets so many calls of `work` through."""
    return document("first", tools={"work": {"limits": [{"counter": "c", "max": most, **DAY}]}}, **more)


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(["probe", "work"]) as running:
        yield running


def asking(state: Json = None, **more: Json) -> Json:
    """An answer that asks for more."""
    given = {} if state is None else {"requestState": state}
    return result({"resultType": "input_required", "inputRequests": ASKED, **given, **more})


DONE = result({**said("done"), "resultType": "complete"})


def call(gateway: Gateway, arguments: Mapping[str, Json] | None = None, **params: Json) -> Json:
    return gateway.call("work", arguments or {}, _meta=META[STATELESS], **params)


def answered(gateway: Gateway, state: Json = None, **params: Json) -> Json:
    """The next round."""
    given = {} if state is None else {"requestState": state}
    return call(gateway, inputResponses=ANSWERED, **given, **params)


def records(home: Home) -> list[Record]:
    return [record for record in home.records() if record.tool == "work"]


def test_a_call_of_three_rounds_is_one_call_and_its_records_say_so(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited()) as gateway:
        upstream.script("work", asking("s1"), asking("s2"), DONE, DONE)
        assert call(gateway)["requestState"] == "s1"
        assert answered(gateway, "s1")["requestState"] == "s2"
        assert answered(gateway, "s2")["content"] == said("done")["content"]
        assert call(gateway)["content"] == said("done")["content"]
        assert decision(call(gateway))["reason"] == "limit"
    kept = records(home)
    assert [(record.kind, record.outcome) for record in kept] == [
        ("decided", None),
        ("settled", "input required"),
        ("decided", None),
        ("settled", "input required"),
        ("decided", None),
        ("settled", "ok"),
        ("decided", None),
        ("settled", "ok"),
        ("refused", None),
    ]
    first = kept[0].decision_id
    assert len({record.decision_id for record in kept}) == 5
    assert [record.message for record in kept[:7]] == [
        "",
        "",
        *[f"round 2 of the call that decision {first} began"] * 2,
        *[f"round 3 of the call that decision {first} began"] * 2,
        "",
    ]


@pytest.mark.parametrize("state", ["s", None])
def test_a_round_that_is_sent_twice_is_a_new_call_the_second_time(home: Home, upstream: Scripted, state: Json) -> None:
    with Gateway(home, upstream.url, policy=limited(2)) as gateway:
        upstream.script("work", asking(state), DONE, DONE)
        call(gateway)
        answered(gateway, state)  # continues
        answered(gateway, state)  # is charged
        assert decision(answered(gateway, state))["reason"] == "limit"
    assert len(upstream.calls("work")) == 3


@pytest.mark.parametrize(
    "params",
    [{"requestState": "S"}, {"requestState": "s", "arguments": {"a": 1}}, {"inputResponses": ANSWERED}, {}],
    ids=["another state", "other arguments", "no state", "nothing"],
)
def test_what_does_not_continue_it_is_charged(home: Home, upstream: Scripted, params: Json) -> None:
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        upstream.script("work", asking("s"))
        call(gateway)
        assert decision(call(gateway, **params))["reason"] == "limit"
    assert len(upstream.calls("work")) == 1


@pytest.mark.parametrize("state", ["s", None])
def test_a_server_that_asks_for_ever_gives_no_calls_away(home: Home, upstream: Scripted, state: Json) -> None:
    with Gateway(home, upstream.url, policy=limited(2)) as gateway:
        upstream.script("work", *[asking(state) for _ in range(3 * MAX_ROUNDS)])
        found = call(gateway)
        while "inputRequests" in found:
            found = answered(gateway, state)
        assert decision(found)["reason"] == "limit"
    assert len(upstream.calls("work")) == 2 * MAX_ROUNDS


ODD = [
    '"\\\b\f\n\r\t\x00\x1f/</script>',
    "\u2028\u2029\ufeff\u200b",
    "é e\u0301 \U0001f511",
    " s ",
    "",
    "x" * 100_000,
    "1.0",
]


def test_the_state_comes_and_goes_as_it_was(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited(len(ODD))) as gateway:
        for state in ODD:
            upstream.script("work", asking(state), DONE)
            assert call(gateway)["requestState"] == state
            assert "isError" not in answered(gateway, state)
    rounds = [asked.message["params"] for asked in upstream.calls("work")][1::2]
    assert [(one["requestState"], one["inputResponses"]) for one in rounds] == [(state, ANSWERED) for state in ODD]


def test_each_round_is_judged_by_the_policy_in_force_then(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited(1), altered="watchful") as gateway:
        gateway.initialize()
        upstream.script("work", asking("s"), DONE)
        call(gateway)
        home.policy(document("second", tools={"work": {"action": "deny", "reason": "not any more"}}))
        await_version(gateway, "second")
        assert answered(gateway, "s")["content"][0]["text"] == "[POLICY DENIED] not any more"
        assert len(upstream.calls("work")) == 1
        home.policy(limited(1))
        await_version(gateway, "first")
        assert "isError" not in answered(gateway, "s")  # what was refused did not use the round up
        assert decision(answered(gateway, "s"))["reason"] == "limit"


def test_a_limit_that_the_policy_got_meanwhile_counts_the_round(home: Home, upstream: Scripted) -> None:
    def more(most: int) -> Json:
        limits = [{"counter": "c", "max": 9, **DAY}, {"counter": "new", "max": most, **DAY}]
        return document(f"at most {most}", tools={"work": {"limits": limits}})

    with Gateway(home, upstream.url, policy=limited(9), altered="watchful") as gateway:
        gateway.initialize()
        upstream.script("work", asking("s1"), asking("s2"), asking("s3"), DONE)
        call(gateway)
        home.policy(more(1))
        await_version(gateway, "at most 1")
        assert answered(gateway, "s1")["requestState"] == "s2"
        assert answered(gateway, "s2")["requestState"] == "s3"
        assert decision(call(gateway))["rule"] == "/tools/work/limits/1"
        assert "isError" not in answered(gateway, "s3")


@pytest.mark.parametrize("status", [401, 429])
def test_a_round_that_did_not_run_can_be_made_again_and_gives_nothing_back(
    home: Home, upstream: Scripted, status: int
) -> None:
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        upstream.script("work", asking("s"), http(status), DONE)
        call(gateway)
        assert answered(gateway, "s")["data"]["status"] == status
        assert decision(call(gateway))["reason"] == "limit"  # the first round was answered
        assert "isError" not in answered(gateway, "s")
        assert decision(answered(gateway, "s"))["reason"] == "limit"


def test_a_round_of_unknown_fate_is_used_up(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        upstream.script("work", asking("s"), message({"error": {"code": -32000, "message": "no"}}))
        call(gateway)
        assert answered(gateway, "s")["code"] == -32000
        assert decision(answered(gateway, "s"))["reason"] == "limit"


def so_often(most: int) -> Json:
    """A policy that lets so many calls of `work` through, by what the session has done."""
    often = {"path": "session.calls.work", "op": "gte", "value": most}
    return document("first", tools={"work": {"deny_if": [{"conditions": [often]}]}})


def apart(seconds: int) -> Json:
    """A policy that keeps calls of `work` apart from one another."""
    soon = {"path": "grant.seconds_since.work", "op": "lt", "value": seconds}
    return document("first", tools={"work": {"deny_if": [{"conditions": [soon]}]}})


def test_no_round_counts_in_the_next_as_a_call_of_the_session(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=so_often(2)) as gateway:
        upstream.script("work", DONE, asking("s1"), asking("s2"), DONE)
        call(gateway)
        assert call(gateway)["requestState"] == "s1"
        assert answered(gateway, "s1")["requestState"] == "s2"
        assert "isError" not in answered(gateway, "s2")
        assert decision(call(gateway))["rule"] == "/tools/work/deny_if/0"
    assert len(upstream.calls("work")) == 4


def test_no_round_stands_in_the_way_of_the_next(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=apart(60), clocked=True) as gateway:
        upstream.script("work", asking("s1"), http(429), asking("s2"), DONE, DONE)
        call(gateway)
        assert answered(gateway, "s1")["data"]["status"] == 429
        home.move_clock(30)
        assert answered(gateway, "s1")["requestState"] == "s2"
        assert decision(call(gateway))["rule"] == "/tools/work/deny_if/0"  # to every other call, it was made
        assert "isError" not in answered(gateway, "s2")
        home.move_clock(61)
        assert "isError" not in call(gateway)
    assert len(upstream.calls("work")) == 5


def test_a_round_sees_what_was_called_meanwhile(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=apart(60), clocked=True) as gateway:
        upstream.script("work", asking("s"), DONE)
        call(gateway)
        home.move_clock(61)
        with Gateway(home, upstream.url, policy=apart(60), clocked=True) as other:
            assert "isError" not in call(other)
        assert decision(answered(gateway, "s"))["rule"] == "/tools/work/deny_if/0"
    assert len(upstream.calls("work")) == 2


def test_a_prompt_of_the_same_name_continues_no_call(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited(1, prompts={"default": "allow"})) as gateway:
        upstream.script("work", asking("s"), DONE)
        call(gateway)
        params = {"name": "work", "arguments": {}, "requestState": "s", "inputResponses": ANSWERED}
        assert "result" in gateway.request("prompts/get", {**params, "_meta": META[STATELESS]})
        assert "isError" not in answered(gateway, "s")


def test_another_process_does_not_know_the_exchange(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        upstream.script("work", asking("s"))
        call(gateway)
    with Gateway(home, upstream.url, policy=limited(1)) as gateway:
        assert decision(answered(gateway, "s"))["reason"] == "limit"


def test_prompts_and_resources_have_rounds_that_nothing_counts(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=limited()) as gateway:
        for method, params in (("prompts/get", {"name": "p"}), ("resources/read", {"uri": "a:b"})):
            upstream.script(method, asking("s"), result({"resultType": "complete"}))
            asked = gateway.request(method, {**params, "_meta": META[STATELESS]})
            assert asked["result"]["requestState"] == "s"
            given = {**params, "requestState": "s", "inputResponses": ANSWERED, "_meta": META[STATELESS]}
            assert gateway.request(method, given)["result"] == {"resultType": "complete"}
