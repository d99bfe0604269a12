"""Connections: reused where they may be, and what is certain of a request when one fails."""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator

import pytest

from gateway.upstream.failures import reason
from gateway.upstream.origin import Origin
from gateway.upstream.wire import Broken, NotSent, Response, Wire, _fields, _known_fields
from tests.e2e import scripted
from tests.e2e.scripted import Asked, Line, Scripted, http, raw


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("http://example.com", Origin("example.com", 80, False, "/"), "example.com"),
        ("https://example.com/mcp?a=1&b=2", Origin("example.com", 443, True, "/mcp?a=1&b=2"), "example.com"),
        ("http://example.com:443/x", Origin("example.com", 443, False, "/x"), "example.com:443"),
        ("https://example.com:8443/", Origin("example.com", 8443, True, "/"), "example.com:8443"),
        ("http://[::1]:80/mcp", Origin("::1", 80, False, "/mcp"), "[::1]"),
        ("http://[::1]:81/mcp#part", Origin("::1", 81, False, "/mcp"), "[::1]:81"),
    ],
)
def test_a_url_says_where_and_what(url: str, origin: Origin, authority: str) -> None:
    assert Origin.of(url) == origin
    assert origin.authority == authority


@pytest.fixture
async def wire(upstream: Scripted) -> AsyncIterator[Wire]:
    made = Wire(upstream.url, connect_timeout=5.0)
    yield made
    made.close()
    await asyncio.sleep(0)  # the loop closes what was dropped


async def body(response: Response) -> bytes:
    return b"".join([chunk async for chunk in response.chunks()])


async def exchange(wire: Wire) -> bytes:
    response = await wire.request("POST", {"Content-Type": "application/json"}, b'{"id":1,"method":"x"}')
    try:
        data = await body(response)
    except Broken:
        response.close()
        raise
    if not response.finish():
        response.close()
    return data


async def connections(upstream: Scripted, wire: Wire, times: int) -> int:
    """How many connections that many exchanges, one after another, take."""
    ports: set[int] = set()

    def note(asked: Asked, line: Line) -> None:
        ports.add(line.peer)
        http(200, b"ok", "text/plain")(asked, line)

    upstream.script("x", *[note] * times)
    assert [await exchange(wire) for _ in range(times)] == [b"ok"] * times
    return len(ports)


async def test_a_connection_is_kept_for_the_next_request(upstream: Scripted, wire: Wire) -> None:
    assert await connections(upstream, wire, 5) == 1


async def test_requests_at_the_same_time_have_connections_of_their_own(upstream: Scripted, wire: Wire) -> None:
    upstream.script("x", scripted.silence)
    held = asyncio.create_task(exchange(wire))
    await asyncio.to_thread(upstream.wait_for, "x")
    assert b'"result": {}' in await exchange(wire)
    held.cancel()
    await asyncio.wait({held})


async def test_a_connection_that_was_idle_for_long_is_not_used_again(
    upstream: Scripted, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.upstream.wire._IDLE_SECONDS", 0.0)
    assert await connections(upstream, wire, 3) == 3


async def test_a_connection_that_the_server_has_closed_is_not_used_again(upstream: Scripted, wire: Wire) -> None:
    await exchange(wire)
    await asyncio.to_thread(upstream.stop)
    upstream.start()
    assert b"result" in await exchange(wire)


async def test_a_connection_whose_end_has_come_is_not_used_though_the_loop_has_not_looked_yet() -> None:
    """The end comes while the loop is busy: at the moment of writing, only the system knows of it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Wire(f"http://127.0.0.1:{listening.getsockname()[1]}/", connect_timeout=5.0)
        asking = asyncio.create_task(exchange(wire))
        served = await answered(listening)
        assert await asking == b"ok"
        served.close()  # and nothing is awaited from here to the next request
        asking = asyncio.create_task(exchange(wire))
        (await answered(listening)).close()
        assert await asking == b"ok"
        wire.close()


async def answered(listening: socket.socket) -> socket.socket:
    """Take a connection and answer the request that comes on it."""

    def answer() -> socket.socket:
        listening.settimeout(20.0)
        served, _ = listening.accept()
        served.settimeout(20.0)
        served.recv(65536)
        served.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        return served

    return await asyncio.to_thread(answer)


@pytest.mark.parametrize("status", [302, 404, 429, 500])
async def test_a_connection_is_not_kept_after_anything_but_a_success(
    upstream: Scripted, wire: Wire, status: int
) -> None:
    ports: list[int] = []

    def note(asked: Asked, line: Line) -> None:
        ports.append(line.peer)
        http(status, b"no", "text/plain")(asked, line)

    upstream.script("x", note, note)
    assert [await exchange(wire), await exchange(wire)] == [b"no", b"no"]
    assert len(set(ports)) == 2


async def test_a_fresh_connection_is_one_that_nobody_has_used(upstream: Scripted, wire: Wire) -> None:
    ports: list[int] = []

    def note(asked: Asked, line: Line) -> None:
        ports.append(line.peer)
        http(200, b"ok", "text/plain")(asked, line)

    upstream.script("x", note, note)
    await exchange(wire)
    response = await wire.request("POST", {}, b'{"method":"x"}', fresh=True)
    response.close()
    assert len(set(ports)) == 2


async def test_who_needs_a_connection_beyond_the_bound_waits_and_is_served_in_turn(upstream: Scripted) -> None:
    wire = Wire(upstream.url, connect_timeout=5.0, most=2)
    released = threading.Event()
    upstream.script("x", *[scripted.after(released, http(200, b"ok", "text/plain"))] * 2)
    held = [asyncio.create_task(exchange(wire)) for _ in range(2)]
    await asyncio.to_thread(upstream.wait_for, "x", 2)
    waiting = [asyncio.create_task(exchange(wire)) for _ in range(6)]
    waiting[1].cancel()
    await asyncio.sleep(0)
    released.set()
    assert await asyncio.gather(*held) == [b"ok", b"ok"]
    done = await asyncio.gather(*waiting, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in done] == [False, True, *[False] * 4]
    assert len(upstream.asked("x")) == 7
    wire.close()
    await asyncio.sleep(0)


async def test_what_is_no_request_does_not_wait_for_those_that_are(upstream: Scripted) -> None:
    wire = Wire(upstream.url, connect_timeout=5.0, most=1)
    released = threading.Event()
    upstream.script("x", *[scripted.after(released, http(200))] * 3)
    held = [asyncio.create_task(exchange(wire)) for _ in range(3)]
    await asyncio.to_thread(upstream.wait_for, "x")
    for _ in range(3):  # one after another: there is one aside
        response = await wire.request("DELETE", {}, aside=True)
        response.close()
    assert len(upstream.asked("x")) == 1
    released.set()
    await asyncio.gather(*held)
    wire.close()
    await asyncio.sleep(0)


@pytest.mark.parametrize("how", ["refused", "broken", "cancelled"])
async def test_whoever_fails_gives_the_place_back(upstream: Scripted, how: str) -> None:
    wire = Wire(upstream.url, connect_timeout=5.0, most=1)
    if how == "refused":
        upstream.stop()
        with pytest.raises(NotSent):
            await exchange(wire)
        upstream.start()
    elif how == "broken":
        upstream.script("x", scripted.hang_up)
        with pytest.raises(Broken):
            await exchange(wire)
    else:
        upstream.script("x", scripted.silence)
        held = asyncio.create_task(exchange(wire))
        await asyncio.to_thread(upstream.wait_for, "x")
        held.cancel()
        await asyncio.wait({held})
    assert b"result" in await exchange(wire)
    wire.close()
    await asyncio.sleep(0)


async def test_an_answer_that_says_close_ends_its_connection(upstream: Scripted, wire: Wire) -> None:
    upstream.script("x", http(200, b"bye", "text/plain", {"Connection": "close"}))
    assert await exchange(wire) == b"bye"
    assert b"result" in await exchange(wire)


async def test_a_request_carries_its_host_and_length(upstream: Scripted, wire: Wire) -> None:
    await exchange(wire)
    (asked,) = upstream.asked("x")
    assert asked.headers == {
        "host": upstream.url.split("/")[2],
        "content-type": "application/json",
        "content-length": str(len(asked.body)),
    }


async def test_where_nobody_listens_nothing_was_sent(upstream: Scripted, wire: Wire) -> None:
    upstream.stop()
    with pytest.raises(NotSent, match="cannot connect to the upstream: connection refused"):
        await exchange(wire)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its name cannot be resolved"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), os.strerror(111).lower()),
        (OSError("Multiple exceptions: a, b"), "multiple exceptions: a, b"),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 111] y"), os.strerror(111).lower()),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 101] y"), "connection refused and network is unreachable"),
        (ConnectionResetError(), "connection lost"),
    ],
)
def test_a_failure_of_the_system_is_one_phrase(error: OSError, words: str) -> None:
    assert reason(error) == words


async def test_a_connection_that_takes_too_long_names_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Wire(f"https://127.0.0.1:{listening.getsockname()[1]}/", connect_timeout=0.05)
        with pytest.raises(NotSent, match=r"no connection to the upstream within 0\.05 s \(`--connect-timeout`\)"):
            await exchange(wire)


async def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_there() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        wire = Wire(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", connect_timeout=5.0)
        with pytest.raises(
            NotSent, match=r"cannot connect to the upstream: no TLS connection: .*: does it speak https at this port\?"
        ):
            await exchange(wire)


@pytest.mark.parametrize("headers", [{"X-Bad": "a\r\nb"}, {"X Bad": "a"}, {"X-Bad": "€"}, {"X-é": "a"}, {"Host": "b"}])
async def test_a_header_that_http_cannot_carry_means_that_nothing_was_sent(
    upstream: Scripted, wire: Wire, headers: dict[str, str]
) -> None:
    with pytest.raises(NotSent, match="the request cannot be written as HTTP"):
        await wire.request("POST", headers)
    assert upstream.asked("POST") == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "the connection to the upstream was closed before an answer"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the connection to the upstream was closed before an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "the connection to the upstream was closed before an answer"),
        (b"SSH-2.0-server\r\n\r\n", "the upstream's answer is not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234", "the upstream's answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "the upstream's answer was cut off"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "the upstream's answer is not HTTP"),
    ],
    ids=["nothing", "only informational", "half a head", "another protocol", "too short", "no chunks", "a huge head"],
)
async def test_a_connection_that_breaks_says_how(upstream: Scripted, wire: Wire, answer: bytes, words: str) -> None:
    upstream.script("x", raw(answer))
    with pytest.raises(Broken) as broken:
        await exchange(wire)
    assert str(broken.value) == words
    assert b"result" in await exchange(wire)


async def test_what_is_informational_is_passed_over(upstream: Scripted, wire: Wire) -> None:
    upstream.script("x", raw(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert await exchange(wire) == b"ok"


async def test_a_list_may_stand_in_several_lines_and_of_anything_else_the_last_counts(
    upstream: Scripted, wire: Wire
) -> None:
    lines = (
        b"WWW-Authenticate: Bearer a=b\r\nDate: 1\r\nwww-authenticate: Basic c=d\r\ndate: 2\r\nContent-Length: 0\r\n"
    )
    upstream.script("x", raw(b"HTTP/1.1 401 Unauthorized\r\n" + lines + b"\r\n"))
    response = await wire.request("POST", {}, b'{"method":"x"}')
    assert response.headers == {"www-authenticate": "Bearer a=b, Basic c=d", "date": "2", "content-length": "0"}
    response.close()


_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nDate: two\r\nX-One: 1\r\n\r\n"


async def test_what_follows_a_body_in_chunks_is_no_header(upstream: Scripted, wire: Wire) -> None:
    upstream.script("x", raw(_CHUNKED + b"2\r\nok\r\n0\r\nDate: three\r\nMcp-Session-Id: 1\r\n\r\n"))
    response = await wire.request("POST", {}, b'{"method":"x"}')
    assert await body(response) == b"ok"
    assert response.headers == {"transfer-encoding": "chunked", "date": "two"}
    response.close()


@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        (b"2\r\nok\r\n0\r\n", b"a: b\r\n" * 5000),
        (b"2\r\nok\r\n0\r\na: ", b"b" * 2**15),
        (b"2\r\nok\r\n2;", b"a" * 2**15),
    ],
    ids=["fields", "one field", "an extension"],
)
async def test_a_server_that_never_comes_to_the_end_of_a_body_is_hung_up_on(
    upstream: Scripted, wire: Wire, begin: bytes, rest: bytes
) -> None:
    refused = threading.Event()

    def flood(_: Asked, line: Line) -> None:
        try:
            line.send(_CHUNKED + begin)
            for _number in range(10_000):
                line.send(rest)
        except OSError:
            refused.set()

    upstream.script("x", flood)
    with pytest.raises(Broken, match=r"^the upstream sent more than 131072 bytes that are no part of an answer$"):
        await exchange(wire)
    assert await asyncio.to_thread(refused.wait, scripted.PATIENCE)


@pytest.mark.parametrize("size", [1, 1000, 2**17, 2**21])
async def test_a_body_in_chunks_may_be_as_long_as_it_likes(upstream: Scripted, wire: Wire, size: int) -> None:
    chunks = b"%x\r\n%b\r\n" % (size, b"x" * size) * (2**22 // size if size > 1 else 2**17)
    upstream.script("x", raw(_CHUNKED + chunks + b"0\r\n\r\n"))
    assert len(await exchange(wire)) == chunks.count(b"x")


async def test_media_type_and_headers_are_read_whatever_their_case(upstream: Scripted, wire: Wire) -> None:
    upstream.script("x", http(200, b"x", "Text/Event-Stream; charset=utf-8", {"MCP-SESSION-ID": "Two"}))
    response = await wire.request("POST", {}, b'{"method":"x"}')
    assert response.content_type == "text/event-stream"
    assert response.headers["mcp-session-id"] == "Two"
    response.close()


def test_headers_that_are_long_are_written_and_not_kept() -> None:
    """What an argument became may be as long as a message: nothing remembers sixty-four of those."""
    _known_fields.cache_clear()
    for number in range(3):
        assert _fields({"Mcp-Param-Body": f"{number}" * 9000}) == f"Mcp-Param-Body: {str(number) * 9000}\r\n"
        assert _fields({f"Mcp-{number}" * 2000: "x"}).endswith(": x\r\n")
    assert _known_fields.cache_info().currsize == 0
    for _ in range(2):
        assert _fields({"Mcp-Method": "tools/call", "A": "b"}) == "Mcp-Method: tools/call\r\nA: b\r\n"
    assert (_known_fields.cache_info().hits, _known_fields.cache_info().currsize) == (1, 1)


@pytest.mark.parametrize("size", [1, 10_000])
def test_what_a_header_cannot_carry_is_not_sent_however_long_it_is(size: int) -> None:
    for name, value in (("A", "x\r\n" * size), ("A b", "x" * size), ("Content-Length", "1" * size)):
        for _ in range(2):
            with pytest.raises(NotSent, match="cannot be written as HTTP"):
                _fields({name: value})


_BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"


async def ended(wire: Wire) -> None:
    """Wait until no connection is on its way back any more."""
    async with asyncio.timeout(20):
        while wire._leaving:  # noqa: ASYNC110 - nobody is told
            await asyncio.sleep(0)


async def test_a_connection_comes_back_when_the_rest_of_an_answer_has_come(upstream: Scripted, wire: Wire) -> None:
    goes_on, ports = threading.Event(), []

    def slow(_: Asked, line: Line) -> None:
        ports.append(line.peer)
        line.send(_BEGUN)
        assert goes_on.wait(20)
        line.send(b"4\r\nmore\r\n0\r\n\r\n")

    def note(asked: Asked, line: Line) -> None:
        ports.append(line.peer)
        http(200, b"ok", "text/plain")(asked, line)

    upstream.script("x", slow, note)
    response = await wire.request("POST", {}, b'{"method":"x"}')
    assert await anext(response.chunks()) == b"ok"
    assert not response.finish()
    response.let_go(20)
    goes_on.set()
    await ended(wire)
    assert await exchange(wire) == b"ok"
    assert ports == [ports[0]] * 2


async def test_the_rest_of_an_answer_is_not_waited_for_without_end(upstream: Scripted, wire: Wire) -> None:
    goes_on = threading.Event()

    def endless(_: Asked, line: Line) -> None:
        line.send(_BEGUN)
        assert goes_on.wait(20)

    upstream.script("x", endless, endless)
    for seconds in (0.0, 20.0):
        response = await wire.request("POST", {}, b'{"method":"x"}')
        response.let_go(seconds)
        if seconds:
            wire.close()
        await ended(wire)
        response.let_go(seconds)  # once more is nothing more
        assert (wire._leaving, wire._idle) == (set(), [])
    goes_on.set()
