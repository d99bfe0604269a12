"""The upstream as the relay sees it: the session of the handshake eras, the stateless era, and what is sent again."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.jsonrpc import Message
from gateway.upstream import Answer
from gateway.upstream.http import HttpClient, HttpLimits
from gateway.upstream.session import Upstream
from tests.e2e import scripted
from tests.e2e.scripted import Json, Scripted, after, http, result, stream
from tests.unit.upstream.conftest import Make

OPENING: dict[str, Json] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"roots": {}},
    "clientInfo": {"name": "client", "version": "9"},
}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "modern", "version": "1"},
    "progressToken": 7,
}


class Peer:
    """An `Upstream` and what it reported."""

    def __init__(self, server: Scripted, make: Make, seconds: float = 10.0) -> None:
        self.make = make
        self._server = server
        self.delivered: asyncio.Queue[Message] = asyncio.Queue()
        self.renewals = 0
        self.gaps = 0
        limits = HttpLimits(request_timeout=seconds, call_timeout=seconds)
        self.http = HttpClient(server.url, {}, limits)
        self.upstream = Upstream(self.http, self.delivered.put, self._renewed, self._missed)

    async def ask(self, method: str, **params: Json) -> Answer:
        message = self.make(method, **params)
        return await self.upstream.request(message, body=message.raw)

    async def tell(self, method: str, **params: Json) -> Answer:
        return await self.upstream.notify(self.make(method, None, **params))

    async def open(self) -> None:
        assert (await self.ask("initialize", **OPENING)).result is not None
        await self.tell("notifications/initialized")

    async def end(self) -> None:
        """Close, once no connection is being made any more."""
        streams = self.renewals + len(self._server.asked("notifications/initialized")[:1])
        if streams:
            await asyncio.to_thread(self._server.wait_for, "GET", streams)
        await self.upstream.close()
        for _ in range(3):
            await asyncio.sleep(0)  # what was cancelled lets go, and the loop closes what was dropped

    def _missed(self) -> None:
        self.gaps += 1

    def _renewed(self) -> None:
        self.renewals += 1


@pytest.fixture
async def peer(upstream: Scripted, make: Make) -> AsyncIterator[Peer]:
    made = Peer(upstream, make)
    yield made
    await made.end()


# --- the handshake eras -----------------------------------------------------------------------------------------------


async def test_the_session_and_the_version_go_with_every_request_after_the_handshake(
    upstream: Scripted, peer: Peer
) -> None:
    assert not peer.upstream.is_open
    await peer.open()
    await peer.ask("tools/call", name="one")
    (opening,), (called,) = upstream.asked("initialize"), upstream.asked("tools/call")
    assert (opening.session, opening.headers.get("mcp-protocol-version")) == (None, None)
    assert (called.session, called.headers["mcp-protocol-version"]) == ("session-1", "2025-06-18")
    assert "mcp-method" not in called.headers
    assert upstream.asked("notifications/initialized")[0].session == "session-1"


async def test_a_refused_handshake_opens_nothing(upstream: Scripted, peer: Peer) -> None:
    upstream.script("initialize", http(500), scripted.message({"error": {"code": -32602, "message": "no"}}))
    assert (await peer.ask("initialize", **OPENING)).failure is not None
    assert (await peer.ask("initialize", **OPENING)).response is not None
    assert not peer.upstream.is_open
    await peer.end()
    assert upstream.asked("DELETE") == []


async def test_a_server_without_sessions_is_not_sent_any(upstream: Scripted, peer: Peer) -> None:
    upstream.script("initialize", result({"protocolVersion": "2025-03-26", "capabilities": {}}))
    await peer.open()
    await peer.ask("ping")
    assert upstream.asked("ping")[0].session is None
    assert upstream.asked("ping")[0].headers["mcp-protocol-version"] == "2025-03-26"
    await peer.end()
    assert upstream.asked("DELETE") == []


async def test_the_stream_of_the_server_is_opened_after_the_handshake_and_delivers(
    upstream: Scripted, peer: Peer
) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    upstream.script("GET", stream(note, {"jsonrpc": "2.0", "id": 5, "result": {}}, note, then=scripted.silence))
    await peer.ask("initialize", **OPENING)
    assert upstream.asked("GET") == []
    await peer.tell("notifications/initialized")
    async with asyncio.timeout(scripted.PATIENCE):
        assert [(await peer.delivered.get()).body for _ in range(2)] == [note, note]
    assert upstream.asked("GET")[0].session == "session-1"


async def test_a_stream_that_breaks_is_opened_again_and_what_was_missed_is_told(upstream: Scripted, peer: Peer) -> None:
    upstream.script("GET", stream(), stream(then=scripted.silence))
    await peer.open()
    await asyncio.to_thread(upstream.wait_for, "GET", 2)
    assert peer.gaps == 1


async def test_a_server_that_still_holds_the_lost_stream_is_asked_again(upstream: Scripted, peer: Peer) -> None:
    upstream.script("GET", stream(), http(409), http(429), http(408), stream(then=scripted.silence))
    await peer.open()
    await asyncio.to_thread(upstream.wait_for, "GET", 5)


async def test_a_stream_that_breaks_goes_on_where_it_broke_and_from_now_on_where_that_is_refused(
    upstream: Scripted, peer: Peer
) -> None:
    page = http(404, b"<html>\n\n</html>", "text/html")  # with a blank line, which ends an event
    upstream.script("GET", stream(b"\nid: g1"), stream(b"\nid: g2\nretry: 1"), page, stream(then=scripted.silence))
    await peer.open()
    await asyncio.to_thread(upstream.wait_for, "GET", 4)
    asked = [asked.headers.get("last-event-id") for asked in upstream.asked("GET")]
    assert asked == [None, "g1", "g2", None]


async def test_a_call_goes_on_where_its_stream_broke_and_a_404_to_that_does_not_send_it_again(
    upstream: Scripted, peer: Peer
) -> None:
    cut, done = stream(b"\nid: e1"), stream(b'{"jsonrpc":"2.0","id":1,"result":{"n":1}}')
    await peer.ask("initialize", **OPENING)  # without the server's own stream, so that every GET is the call's
    upstream.script("one", cut, cut)
    upstream.script("GET", done, http(404))
    assert (await peer.ask("tools/call", name="one")).result == {"n": 1}
    answer = await peer.ask("tools/call", name="one")
    assert (answer.fate, answer.status, answer.result) == ("unknown", 200, None)
    assert [asked.session for asked in upstream.asked("GET")] == ["session-1"] * 2
    assert len(upstream.calls("one")) == 2
    assert len(upstream.asked("initialize")) == 1


async def test_only_what_is_asked_within_a_session_goes_on_where_its_stream_broke(
    upstream: Scripted, peer: Peer
) -> None:
    cut = stream(b"\nid: e1")
    upstream.script("initialize", cut)
    assert (await peer.ask("initialize", **OPENING)).fate == "unknown"
    await peer.ask("initialize", **OPENING)
    upstream.script("one", cut)
    assert (await peer.ask("tools/call", name="one", _meta=META)).fate == "unknown"
    upstream.script("notifications/x", cut)
    assert (await peer.tell("notifications/x")).fate == "answered"
    assert upstream.asked("GET") == []


async def test_a_lost_session_is_opened_again_with_what_the_client_said_and_asked_for(
    upstream: Scripted, peer: Peer
) -> None:
    await peer.open()
    await peer.ask("logging/setLevel", level="debug")
    await peer.ask("logging/setLevel", level="error")
    await peer.ask("resources/subscribe", uri="a:1")
    await peer.ask("resources/subscribe", uri="a:2")
    upstream.script("ping", http(404))
    assert (await peer.ask("ping")).result == {}
    again = upstream.asked("initialize")[1]
    assert again.message["params"] == OPENING
    replayed = [*upstream.asked("logging/setLevel"), *upstream.asked("resources/subscribe")]
    renewed = [(asked.method, asked.message["params"]) for asked in replayed if asked.session == "session-2"]
    assert renewed == [
        ("logging/setLevel", {"level": "error"}),
        ("resources/subscribe", {"uri": "a:1"}),
        ("resources/subscribe", {"uri": "a:2"}),
    ]
    ids = [asked.message["id"] for asked in (again, *replayed) if asked.session != "session-1"]
    assert all(str(identifier).startswith("gw-") for identifier in ids)
    assert len(set(ids)) == len(ids)
    assert peer.renewals == 1


async def test_what_was_unsubscribed_or_refused_is_not_asked_for_again(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    await peer.ask("resources/subscribe", uri="a:1")
    await peer.ask("resources/unsubscribe", uri="a:1")
    upstream.script("resources/subscribe", scripted.message({"error": {"code": 1, "message": "no"}}))
    await peer.ask("resources/subscribe", uri="a:2")
    upstream.script("ping", http(404))
    await peer.ask("ping")
    assert {asked.session for asked in upstream.asked("resources/subscribe")} == {"session-1"}


async def test_whoever_waits_for_a_new_session_may_go_and_the_others_get_it(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    together, opening = threading.Event(), threading.Event()
    upstream.script("ping", *[after(together, http(404))] * 3)
    upstream.script("initialize", after(opening, upstream.opened()))
    waiting = [asyncio.create_task(peer.ask("ping")) for _ in range(3)]
    await asyncio.to_thread(upstream.wait_for, "ping", 3)
    together.set()
    await asyncio.to_thread(upstream.wait_for, "initialize", 2)
    waiting[0].cancel()
    await asyncio.wait({waiting[0]})
    opening.set()
    assert [(await task).result for task in waiting[1:]] == [{}, {}]
    assert (len(upstream.asked("initialize")), peer.renewals) == (2, 1)


async def test_a_client_that_begins_anew_meanwhile_keeps_its_own_session(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    opening = threading.Event()
    upstream.script("ping", http(404))
    upstream.script("initialize", after(opening, upstream.opened()))
    waiting = asyncio.create_task(peer.ask("ping"))
    await asyncio.to_thread(upstream.wait_for, "initialize", 2)
    assert (await peer.ask("initialize", **OPENING)).session_id == "session-3"
    opening.set()
    assert (await waiting).result == {}
    assert upstream.asked("ping")[1].session == "session-3"
    assert {asked.session for asked in upstream.asked("DELETE")} == {"session-1", "session-2"}
    assert peer.renewals == 0


async def test_a_404_that_is_an_answer_is_one_where_there_is_no_session(upstream: Scripted, peer: Peer) -> None:
    upstream.script("ping", http(404))
    assert (await peer.ask("ping")).status == 404
    assert upstream.asked("initialize") == []


async def test_closing_ends_the_session_once(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    await peer.end()
    assert [asked.session for asked in upstream.asked("DELETE")] == ["session-1"]
    assert upstream.asked("DELETE")[0].headers["mcp-protocol-version"] == "2025-06-18"


# --- the stateless era ------------------------------------------------------------------------------------------------


async def test_a_modern_request_carries_its_own_headers_and_no_session(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    await peer.ask("tools/call", name="one", arguments={}, _meta=META)
    headers = upstream.asked("tools/call")[0].headers
    assert "mcp-session-id" not in headers
    assert (headers["mcp-protocol-version"], headers["mcp-method"], headers["mcp-name"]) == (
        "2026-07-28",
        "tools/call",
        "one",
    )


@pytest.mark.parametrize("meta", [{}, {"_meta": {}}, {"_meta": {"io.modelcontextprotocol/protocolVersion": 5}}])
async def test_what_names_no_revision_where_no_session_is_open_is_sent_as_one_of_the_stateless_revision(
    upstream: Scripted, peer: Peer, meta: Json
) -> None:
    await peer.ask("tools/call", name="one", **meta)
    await peer.open()
    await peer.ask("tools/call", name="one", **meta)
    outside, within = (asked.headers for asked in upstream.asked("tools/call"))
    stateless = ("2026-07-28", "tools/call", "one")
    names = ("mcp-protocol-version", "mcp-method", "mcp-name")
    assert tuple(outside.get(name) for name in names) == stateless
    assert tuple(within.get(name) for name in names) == ("2025-06-18", None, None)


async def test_a_ping_needs_no_session(upstream: Scripted, peer: Peer) -> None:
    assert (await peer.ask("ping")).result == {}
    assert not [name for name in upstream.asked("ping")[0].headers if name.startswith("mcp-")]


async def test_a_modern_404_is_an_answer(upstream: Scripted, peer: Peer) -> None:
    await peer.open()
    upstream.script("tools/call", http(404))
    assert (await peer.ask("tools/call", name="one", _meta=META)).status == 404
    assert len(upstream.asked("initialize")) == 1


async def test_what_the_gateway_asks_itself_takes_the_era_and_the_identity_of_the_clients_message(
    upstream: Scripted, peer: Peer
) -> None:
    await peer.open()
    await peer.upstream.ask("tools/list", {}, peer.make("tools/call", name="one"))
    await peer.upstream.ask("tools/list", {"cursor": "c"}, peer.make("tools/call", name="one", _meta=META))
    legacy, modern = upstream.asked("tools/list")
    assert (legacy.session, legacy.message["params"]) == ("session-1", {})
    kept = {key: value for key, value in META.items() if key != "progressToken"}
    assert (modern.session, modern.message["params"]) == (None, {"cursor": "c", "_meta": kept})
    assert modern.headers["mcp-method"] == "tools/list"


# --- sent again, or not -----------------------------------------------------------------------------------------------

READS = ["ping", "tools/list", "resources/read", "prompts/get", "completion/complete", "server/discover", "initialize"]
ACTS = ["tools/call", "logging/setLevel", "resources/subscribe", "tasks/cancel", "something/else"]


@pytest.mark.parametrize(("method", "times"), [*((method, 2) for method in READS), *((method, 1) for method in ACTS)])
async def test_only_what_reads_is_sent_again_and_only_once(
    upstream: Scripted, peer: Peer, method: str, times: int
) -> None:
    upstream.script(method, *[scripted.hang_up] * 3)
    answer = await peer.ask(method, name="one")
    assert (answer.fate, len(upstream.asked(method))) == ("unknown", times)


async def test_a_server_hears_that_nobody_waits_any_more_unless_it_is_a_task(upstream: Scripted, make: Make) -> None:
    peer = Peer(upstream, make)
    await peer.open()
    peer.http.limits = HttpLimits(call_timeout=0.05)
    upstream.script("tools/call", *[scripted.silence] * 2)
    for message in (make("tools/call", 1, name="one", task={}), make("tools/call", 2, name="one")):
        assert (await peer.upstream.request(message, body=message.raw)).timed_out
    await asyncio.to_thread(upstream.wait_for, "notifications/cancelled")
    told = [asked.message["params"] for asked in upstream.asked("notifications/cancelled")]
    assert told == [{"requestId": 2, "reason": "time-out"}]
    assert [asked.session for asked in upstream.asked("notifications/cancelled")] == ["session-1"]
    await peer.end()


@pytest.mark.parametrize("method", ["tools/call", "ping"])
async def test_a_time_out_is_never_a_reason_to_ask_again(upstream: Scripted, make: Make, method: str) -> None:
    peer = Peer(upstream, make, seconds=0.05)
    upstream.script(method, scripted.silence)
    answer = await peer.ask(method, name="one")
    setting = "--call-timeout" if method == "tools/call" else "--request-timeout"
    assert answer.failure == f"the upstream did not answer within 0.05 s (`{setting}`)"
    assert len(upstream.asked(method)) == 1
    await peer.end()
