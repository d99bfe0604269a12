"""Any bytes on either side: whatever was asked is answered once, nothing refused arrives, and the gateway lives on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.e2e.arena import ERAS, GOOD, HANDSHAKE, META, Arena, open_arena, permitted
from tests.e2e.process import Gateway, Home, decision
from tests.e2e.scripted import Asked, Line, Scripted, said
from tests.fuzz.messages import lines

bounded = settings(
    max_examples=120,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

# --- on standard input ------------------------------------------------------------------------------------------------

POLICY = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_file"],
    "tools": {GOOD: {"deny_if": [{"conditions": [{"path": "args.key", "op": "eq", "value": "root"}]}]}},
}


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param) as opened:
        yield opened


def calls(bodies: list[str]) -> list[str]:
    """Those that any reader might take for a call."""
    return [body for body in bodies if "tools/call" in repr(json.loads(body, object_pairs_hook=list))]


@bounded
@given(st.lists(st.binary(max_size=60) | lines(), max_size=12), st.integers(0, 10**9))
@example([b"\x00\xff\n[{]\r", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_file"}}'], 0)
@example([b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"%s","arguments":{}}' % GOOD.encode()], 1)
def test_any_bytes_on_the_input_are_answered_and_let_nothing_through(
    arena: Arena, sent: list[bytes], number: int
) -> None:
    before = arena.mark()
    arena.gateway.others.clear()
    end = f"end {number}"
    arena.gateway.send(b"\n".join(sent) + b"\n" + json.dumps(arena.message("ping") | {"id": end}).encode() + b"\n")
    answer = arena.gateway.answer(end)
    assert ("result" in answer) != ("error" in answer)
    assert all(("result" in other) != ("error" in other) for other in arena.gateway.others if "method" not in other)
    arena.good_call()
    for body in calls(arena.arrivals(before)):
        assert permitted(arena.policy, body, arena.names), body


# --- from the upstream ------------------------------------------------------------------------------------------------

HEADS = [
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 202 Accepted\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: //\r\n\r\n",
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\n\r\n",
    b"HTTP/1.1 429 Slow\r\nRetry-After: 1\r\n\r\n",
    b"HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n",
    b"HTTP/2 200\r\n\r\n",
    b"",
]
PARTS = [
    b'{"jsonrpc":"2.0","id":@ID,"result":{"content":[]}}',
    b'{"jsonrpc":"2.0","id":@ID,"error":{"code":1,"message":"m"}}',
    b'{"jsonrpc":"2.0","id":@ID,"result":{"_meta":{"keyid-gateway/decision":{"effect":"deny"}}}}',
    b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"m"}}',
    b'{"jsonrpc":"2.0","id":@ID,"method":"sampling/createMessage"}',
    b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":1}}',
    b'{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}',
    *(b"data: ", b"data", b"event: x\n", b"event:\n", b"id: 1\n", b"retry: 5\n", b": \n"),
    *(b"\n", b"\r", b"\r\n\r\n", b"\n\n"),
    *(b"5\r\n", b"ffff\r\n", b"0\r\n\r\n", b"{", b"[", b'"', b"\x00", b"\xff", b"\xef\xbb\xbf"),
]


@dataclass
class Duel:
    """A gateway and an upstream that answers one tool with any bytes."""

    gateway: Gateway
    upstream: Scripted
    era: str

    def call(self, tool: str) -> Any:
        return self.gateway.request("tools/call", {"name": tool, "arguments": {}, "_meta": META[self.era]})


@pytest.fixture(scope="module", params=ERAS)
def duel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Duel]:
    policy = {"version": "1", "default": "deny", "hide": ["hidden"], "tools": {"work": {}, "good": {}}}
    home = Home(tmp_path_factory.mktemp("home"))
    with (
        Scripted(["work", "good", "hidden"]) as upstream,
        Gateway(home, upstream.url, "--max-message-bytes", "65536", policy=policy) as gateway,
    ):
        if request.param == HANDSHAKE:
            gateway.initialize()
        yield Duel(gateway, upstream, request.param)
        assert gateway.close() == 0
        records = home.records()
        assert sum(record.kind == "decided" for record in records) == sum(one.kind == "settled" for one in records)


@bounded
@given(st.sampled_from(HEADS), st.lists(st.sampled_from(PARTS) | st.binary(max_size=8), max_size=8))
@example(HEADS[2], [b"data: ", PARTS[0], b"\n\n"])
@example(HEADS[2], [b"id: 1\n", b"data: ", b"\n\n", b"\xff"])
@example(HEADS[1], [PARTS[2]])
def test_any_bytes_from_the_upstream_are_an_answer(duel: Duel, head: bytes, parts: list[bytes]) -> None:
    def reply(asked: Asked, line: Line) -> None:
        line.send((head + b"".join(parts)).replace(b"@ID", json.dumps(asked.message["id"]).encode()))
        line.hang_up()

    duel.upstream.forget()
    duel.gateway.others.clear()
    duel.upstream.script("work", reply)
    answer = duel.call("work")
    assert ("result" in answer) != ("error" in answer)
    assert "keyid-gateway/" not in json.dumps(answer), "nobody else speaks in the gateway's name"
    assert duel.call("good")["result"] == said("good ran")
    assert decision(duel.call("hidden")["result"])["rule"] == "(hidden)"
    assert duel.upstream.calls("hidden") == []
    assert len(duel.upstream.calls("work")) == 1 + (head.startswith(b"HTTP/1.1 404") and duel.era == HANDSHAKE)
    assert all("method" in other for other in duel.gateway.others), "answers to nothing that was asked"
