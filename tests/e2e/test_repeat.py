"""The same call again and again, through the real process: what counts as the same, and what does not count at all."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.state import Record
from tests.e2e.arena import META, STATELESS
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.scripted import Scripted, http, result, said
from tests.e2e.test_reload import document

Json = Any
LOOP = {"repeat": {"max": 2, "window": 60}}
DONE = result({**said("done"), "resultType": "complete"})
ASKING = result({"resultType": "input_required", "inputRequests": {"k": {"method": "roots/list"}}, "requestState": "s"})


@pytest.fixture
def upstream() -> Iterator[Scripted]:
    with Scripted(["probe", "work", "other"]) as running:
        yield running


def looping(**more: Json) -> Json:
    return document("first", tools={"work": {}, "other": {}}, all_tools=LOOP, **more)


def raw(gateway: Gateway, number: int, arguments: str, tool: str = "work") -> Json:
    """A call whose arguments are written in one way and no other."""
    meta = '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}'
    params = f'{{"name":"{tool}","arguments":{arguments},{meta}}}'
    gateway.send(f'{{"jsonrpc":"2.0","id":{number},"method":"tools/call","params":{params}}}\n'.encode())
    return gateway.answer(number)["result"]


def denied(answer: Json) -> bool:
    return bool(answer.get("isError")) and decision(answer)["reason"] == "repeat"


def records(home: Home) -> list[Record]:
    return [record for record in home.records() if record.tool and record.kind != "settled"]


def test_the_same_call_is_the_same_however_it_is_written(home: Home, upstream: Scripted) -> None:
    with Gateway(home, upstream.url, policy=looping(), clocked=True) as gateway:
        upstream.script("work", *[DONE] * 8)
        upstream.script("other", DONE)
        assert not denied(raw(gateway, 1, '{"a": 1, "b": ["x", 2.50]}'))
        assert not denied(raw(gateway, 2, '{"b":["x",25e-1],"a":1.0}'))
        denial = raw(gateway, 3, '{"a":1e0,"b":["\\u0078",2.5]}')
        assert denied(denial)
        assert decision(denial)["rule"] == "/all_tools/repeat"
        assert 50 <= decision(denial)["retry_after_seconds"] <= 60
        assert "use other arguments, or ask the person. Try again in " in denial["content"][0]["text"]
        for number, arguments in enumerate(
            ('{"a":"1","b":["x",2.5]}', '{"a":1}', '{"a":1,"b":[2.5,"x"]}', "{}"), start=4
        ):
            assert not denied(raw(gateway, number, arguments)), arguments
        assert not denied(raw(gateway, 9, '{"a":1,"b":["x",2.5]}', "other"))
    assert len(upstream.calls("work")) == 6
    assert [record.rule for record in records(home) if record.effect == "deny"] == ["/all_tools/repeat"]


def test_only_what_was_let_through_counts_whatever_became_of_it(home: Home, upstream: Scripted) -> None:
    none = {"conditions": [{"path": "args.bad", "op": "exists", "value": True}]}
    policy = document("first", tools={"work": {"deny_if": [none]}}, all_tools=LOOP)
    with Gateway(home, upstream.url, policy=policy) as gateway:
        upstream.script("work", http(500), DONE)
        for _ in range(5):
            assert decision(gateway.call("work", {"bad": 1}, _meta=META[STATELESS]))["reason"] == "deny_if"
        assert gateway.call("work", {"a": 1}, _meta=META[STATELESS])["code"] == -32603
        assert not denied(gateway.call("work", {"a": 1}, _meta=META[STATELESS]))
        assert denied(gateway.call("work", {"a": 1}, _meta=META[STATELESS]))
    assert len(upstream.calls("work")) == 2


def test_a_round_of_an_exchange_is_no_repetition(home: Home, upstream: Scripted) -> None:
    again = {"_meta": META[STATELESS], "requestState": "s", "inputResponses": {"k": {"roots": []}}}
    with Gateway(home, upstream.url, policy=looping()) as gateway:
        upstream.script("work", ASKING, ASKING, ASKING, DONE, DONE)
        assert gateway.call("work", {}, _meta=META[STATELESS])["resultType"] == "input_required"
        for kind in ("input_required", "input_required", "complete"):
            assert gateway.call("work", {}, **again)["resultType"] == kind
        assert gateway.call("work", {}, _meta=META[STATELESS])["resultType"] == "complete"
        assert denied(gateway.call("work", {}, _meta=META[STATELESS]))
    assert len(upstream.calls("work")) == 5


def test_another_session_has_not_called_yet_and_what_is_tried_out_is_relayed(home: Home, upstream: Scripted) -> None:
    observed = looping(mode="observe")
    with Gateway(home, upstream.url, policy=looping()) as one, Gateway(home, upstream.url, policy=looping()) as two:
        upstream.script("work", *[DONE] * 9)
        for gateway in (one, two):
            assert [denied(gateway.call("work", {}, _meta=META[STATELESS])) for _ in range(3)] == [False, False, True]
    with Gateway(home, upstream.url, policy=observed) as gateway:
        assert [denied(gateway.call("work", {}, _meta=META[STATELESS])) for _ in range(4)] == [False] * 4
    tried = [(record.effect, record.rule) for record in records(home)][-4:]
    assert tried == [("allow", "/tools/work")] * 2 + [("observe", "/all_tools/repeat")] * 2
