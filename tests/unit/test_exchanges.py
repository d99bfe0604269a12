"""Which call continues an exchange, and how often."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.exchanges import _MAX_OPEN, _MAX_SECONDS, MAX_ROUNDS, Exchange, Exchanges
from gateway.jsonrpc import Message, parse

Json = Any
FIRST = Exchange("d1", frozenset(), 1)
STATES: tuple[Json, ...] = ("s", "", 'q"\\ \u2028\x00é', "😀" * 100, {"a": [1]}, 7)


def call(name: str = "t", arguments: Json = None, **params: Json) -> Message:
    given = {"name": name, **({} if arguments is None else {"arguments": arguments}), **params}
    message = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given}).encode())
    assert isinstance(message, Message)
    return message


def begun(request: Message, *, exchange: Exchange = FIRST, now: float = 0.0, **result: Json) -> Exchanges:
    exchanges = Exchanges()
    exchanges.begin(request, {"resultType": "input_required", **result}, exchange, now)
    return exchanges


def continues(exchanges: Exchanges, request: Message, now: float = 0.0) -> bool:
    """Whether a call continues an exchange; if so, it is taken."""
    number, _ = exchanges.find(request, now) or (0, None)
    exchanges.take(number)
    return number > 0


@pytest.mark.parametrize("state", STATES)
def test_the_same_call_with_the_state_it_was_given_continues_it_once(state: Json) -> None:
    exchanges = begun(call(arguments={"a": 1}), requestState=state)
    assert continues(exchanges, call(arguments={"a": 1}, requestState=state, inputResponses={}))
    assert not continues(exchanges, call(arguments={"a": 1}, requestState=state, inputResponses={}))


@pytest.mark.parametrize(
    "other",
    [
        call(arguments={"a": 1}),
        call(arguments={"a": 1}, inputResponses={"x": {}}),
        call(arguments={"a": 1}, requestState="S"),
        call(arguments={"a": 1}, requestState="s "),
        call(arguments={"a": 1}, requestState=["s"]),
        call(arguments={"a": 1.0}, requestState="s"),
        call(arguments={"a": 1, "b": 2}, requestState="s"),
        call(requestState="s"),
        call("T", {"a": 1}, requestState="s"),
    ],
)
def test_any_other_is_a_new_call(other: Message) -> None:
    exchanges = begun(call(arguments={"a": 1}), requestState="s")
    assert not continues(exchanges, other)
    assert continues(exchanges, call(arguments={"a": 1}, requestState="s"))


def test_without_a_state_the_answers_tell_a_round_from_a_new_call() -> None:
    exchanges = begun(call(), inputRequests={"k": {}})
    assert not continues(exchanges, call())
    assert not continues(exchanges, call(requestState="made up", inputResponses={"k": {}}))
    assert not continues(exchanges, call(inputResponses=[]))
    assert continues(exchanges, call(inputResponses={"k": {}}))
    assert not continues(exchanges, call(inputResponses={"k": {}}))


def test_absent_arguments_are_the_empty_ones() -> None:
    assert continues(begun(call(), requestState="s"), call(arguments={}, requestState="s"))


def test_two_exchanges_of_the_same_state_are_worth_two_rounds() -> None:
    exchanges = begun(call(), requestState="s")
    exchanges.begin(call(), {"requestState": "s"}, Exchange("d2", frozenset(), 1), 0.0)
    found = [exchanges.find(call(requestState="s"), 0.0) for _ in range(2)]
    assert [one and one[1].decision_id for one in found] == ["d1", "d1"]  # looking takes nothing
    assert [continues(exchanges, call(requestState="s")) for _ in range(3)] == [True, True, False]


def test_an_exchange_is_forgotten_after_a_while_and_when_there_are_too_many() -> None:
    exchanges = begun(call(), requestState="s")
    assert exchanges.find(call(requestState="s"), _MAX_SECONDS) is not None
    assert exchanges.find(call(requestState="s"), _MAX_SECONDS + 1) is None
    for number in range(_MAX_OPEN):
        exchanges.begin(call(), {"requestState": str(number)}, FIRST, 0.0)
    assert exchanges.find(call(requestState="s"), 0.0) is None
    assert len(exchanges._open) == _MAX_OPEN


def test_an_exchange_has_an_end() -> None:
    assert continues(
        begun(call(), exchange=Exchange("d", frozenset(), MAX_ROUNDS - 1), requestState="s"), call(requestState="s")
    )
    assert not continues(
        begun(call(), exchange=Exchange("d", frozenset(), MAX_ROUNDS), requestState="s"), call(requestState="s")
    )


def test_a_round_that_did_not_run_can_be_made_again() -> None:
    exchanges = begun(call(), requestState="s")
    retry = call(requestState="s")
    assert continues(exchanges, retry)
    exchanges.resume(retry, FIRST, 0.0)
    assert continues(exchanges, retry)
    assert not continues(exchanges, retry)


steps = st.lists(
    st.tuples(st.sampled_from(["ask", "finish", "replay", "forge"]), st.integers(0, 3), st.integers(0, 2)), max_size=80
)


@given(steps)
def test_no_more_calls_complete_than_were_charged(actions: list[tuple[str, int, int]]) -> None:
    """Whatever is sent and answered: each call is new and charged, or continues an unfinished one."""
    exchanges = Exchanges()
    charged = completed = 0
    for action, state, argument in actions:
        given: dict[str, Json] = {} if action == "forge" else {"requestState": f"s{state}", "inputResponses": {}}
        request = call(arguments={"n": argument}, **given)
        found = exchanges.find(request, 0.0)
        rounds = 0
        if found is None:
            charged += 1
        else:
            exchanges.take(found[0])
            rounds = found[1].rounds
        if action in ("ask", "replay"):
            exchanges.begin(request, {"requestState": f"s{state}"}, Exchange("d", frozenset(), rounds + 1), 0.0)
        else:
            completed += 1
        assert completed <= charged
