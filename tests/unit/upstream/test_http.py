"""One POST and its answer: the answer, what came before it, and what is certain where there is none."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping

import pytest

from gateway.jsonrpc import Message
from gateway.upstream import Answer, streams
from gateway.upstream.http import HttpClient, HttpLimits, Outgoing
from gateway.upstream.sse import EventStream
from gateway.upstream.wire import Broken, NotSent
from tests.e2e import scripted
from tests.e2e.scripted import Json, Reply, Scripted, after, events, hang_up, http, message, raw, result, stream
from tests.unit.upstream.conftest import Make

SESSION = {"Mcp-Session-Id": "s"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}}
ASK = {"jsonrpc": "2.0", "id": 77, "method": "roots/list"}


@pytest.fixture
async def client(upstream: Scripted) -> AsyncIterator[HttpClient]:
    made = HttpClient(upstream.url, {"X-Team": "blue"}, HttpLimits(max_message_bytes=10_000))
    yield made
    made.close()
    for _ in range(3):
        await asyncio.sleep(0)  # what was cancelled lets go, and the loop closes what was dropped


class Post:
    """Posts a request and keeps what was delivered on the way."""

    def __init__(self, client: HttpClient, make: Make) -> None:
        self._client = client
        self._make = make
        self.delivered: list[Message] = []
        self.arrived = asyncio.Event()

    async def __call__(
        self,
        method: str = "x",
        identifier: Json = 1,
        headers: Mapping[str, str] | None = None,
        bound: float = 10.0,
        *,
        resumable: bool = False,
    ) -> Answer:
        sent = self._make(method, identifier)
        outgoing = Outgoing(sent.raw, sent.id, headers or {}, bound, "--some-timeout", resumable)
        return await self._client.post(outgoing, self._deliver)

    async def _deliver(self, message: Message) -> None:
        self.delivered.append(message)
        self.arrived.set()


@pytest.fixture
def post(client: HttpClient, make: Make) -> Post:
    return Post(client, make)


async def test_a_request_says_what_it_takes_and_carries_the_headers_of_the_settings(
    upstream: Scripted, post: Post
) -> None:
    await post(headers={"Mcp-Name": "n"})
    headers = upstream.asked("x")[0].headers
    assert headers["accept"] == "application/json, text/event-stream"
    assert headers["content-type"] == "application/json"
    assert (headers["user-agent"], headers["x-team"], headers["mcp-name"]) == ("keyid-gateway", "blue", "n")


@pytest.mark.parametrize(
    "reply", [result({"n": 1}), events({"jsonrpc": "2.0", "id": None, "result": {"n": 1}})], ids=["json", "stream"]
)
async def test_the_answer_comes_as_json_or_on_a_stream(upstream: Scripted, post: Post, reply: Reply) -> None:
    upstream.script("x", reply)
    answer = await post()
    assert (answer.fate, answer.status, answer.result, answer.failure) == ("answered", 200, {"n": 1}, None)


async def test_what_comes_before_the_answer_is_delivered_in_its_order(upstream: Scripted, post: Post) -> None:
    upstream.script("x", events(NOTE, ASK, {**NOTE, "params": {}}, {"jsonrpc": "2.0", "id": None, "result": {}}))
    assert (await post()).fate == "answered"
    assert [delivered.body for delivered in post.delivered] == [NOTE, ASK, {**NOTE, "params": {}}]


async def test_the_answer_does_not_wait_for_the_end_of_its_stream(upstream: Scripted, post: Post) -> None:
    upstream.script("x", stream({"jsonrpc": "2.0", "id": None, "result": {}}, then=scripted.silence))
    assert (await post()).fate == "answered"


async def test_the_bytes_of_the_answer_stay_as_they_came(upstream: Scripted, post: Post) -> None:
    body = b'{ "jsonrpc" : "2.0", "id":1, "result": {"n": 1.50, "big": 12345678901234567890} }'
    upstream.script("x", http(200, body))
    answer = await post()
    assert answer.response is not None
    assert answer.response.raw == body


async def test_a_notification_needs_no_answer(upstream: Scripted, post: Post) -> None:
    upstream.script("note", http(202), http(204), http(200, b"fine", "text/plain"), events())
    answers = [await post("note", None) for _ in range(4)]
    assert [(answer.fate, answer.failure) for answer in answers] == [("answered", None)] * 4


async def test_the_session_that_an_answer_opens_is_told(upstream: Scripted, post: Post) -> None:
    upstream.script("x", result({}, {"Mcp-Session-Id": "abc"}))
    assert (await post()).session_id == "abc"


@pytest.mark.parametrize(
    ("status", "headers", "fate"),
    [
        (401, {}, "refused"),
        (429, {}, "refused"),
        (404, SESSION, "refused"),
        (404, {}, "unknown"),
        (400, SESSION, "unknown"),
        (403, {}, "unknown"),
        (408, {}, "unknown"),
        (500, {}, "unknown"),
        (502, {}, "unknown"),
        (503, {}, "unknown"),
        (302, {}, "unknown"),
        (307, {}, "refused"),
        (200, {}, "unknown"),
        (201, {}, "unknown"),
    ],
)
async def test_a_status_is_a_refusal_only_where_the_tool_certainly_did_not_run(
    upstream: Scripted, post: Post, status: int, headers: dict[str, str], fate: str
) -> None:
    upstream.script("x", http(status), message({"error": {"code": 1, "message": "m"}}, status))
    without, with_error = await post(headers=headers), await post(headers=headers)
    assert (without.fate, without.status, without.response) == (fate, status, None)
    assert without.failure is not None
    assert (with_error.fate, with_error.status) == ("refused" if fate == "refused" else "answered", status)
    assert with_error.response is not None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("5", 5), ("0", 0), ("-1", None), ("99999999", 86_400), ("Wed, 21 Oct 2026 07:28:00 GMT", 60), ("soon", None)],
)
async def test_a_time_to_wait_is_told(upstream: Scripted, post: Post, value: str, seconds: int | None) -> None:
    upstream.script("x", http(429, headers={"Retry-After": value, "Date": "Wed, 21 Oct 2026 07:27:00 GMT"}))
    assert (await post()).retry_after_seconds == seconds


async def test_a_redirect_to_another_origin_is_not_followed_and_its_query_is_not_told(
    upstream: Scripted, post: Post
) -> None:
    with Scripted() as elsewhere:
        upstream.script("x", http(308, headers={"Location": f"{elsewhere.url}?token=secret"}))
        answer = await post()
        assert elsewhere.asked("x") == []
        where = f"the upstream redirects (HTTP 308) to `{elsewhere.url}`"
    text = f"{where}, another origin, where nothing was sent: is that the right `--upstream`?"
    assert (answer.fate, answer.failure) == ("refused", text)


@pytest.mark.parametrize("status", [307, 308])
async def test_a_redirect_within_the_origin_is_followed_with_method_and_body(
    upstream: Scripted, post: Post, status: int
) -> None:
    upstream.script("x", http(status, headers={"Location": "/elsewhere?a=b#c"}))
    assert (await post(headers={"Mcp-Name": "n"})).fate == "answered"
    first, second = upstream.asked("x")
    assert (first.target, second.target) == ("/mcp", "/elsewhere?a=b")
    assert (first.verb, first.body, first.headers) == (second.verb, second.body, second.headers)


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_redirect_after_which_a_post_may_have_run_is_not_followed(
    upstream: Scripted, post: Post, status: int
) -> None:
    upstream.script("x", http(status, headers={"Location": "/elsewhere"}))
    answer = await post()
    assert answer.failure == f"the upstream redirects (HTTP {status}) to `/elsewhere`: is that the right `--upstream`?"
    assert (answer.fate, len(upstream.asked("x"))) == ("unknown", 1)


async def test_redirects_in_a_circle_end(upstream: Scripted, post: Post) -> None:
    upstream.script("x", *[http(307, headers={"Location": upstream.url})] * 9)
    answer = await post()
    assert answer.failure == "the upstream redirects (HTTP 307) more than 3 times in a row: check `--upstream`"
    assert (answer.fate, len(upstream.asked("x"))) == ("refused", 4)


async def test_the_whole_exchange_is_bounded_in_time(upstream: Scripted, post: Post) -> None:
    upstream.script("x", scripted.silence, stream(NOTE, then=scripted.silence))
    for _ in range(2):
        answer = await post(bound=0.05)
        text = "the upstream did not answer within 0.05 s (`--some-timeout`)"
        assert (answer.fate, answer.failure, answer.lost) == ("unknown", text, False)


async def test_only_a_broken_connection_counts_as_lost(upstream: Scripted, post: Post) -> None:
    upstream.script("x", scripted.hang_up, http(500))
    assert [(await post()).lost, (await post()).lost] == [True, False]
    await asyncio.to_thread(upstream.stop)
    answer = await post()
    assert (answer.fate, answer.lost) == ("not sent", False)


async def test_cancelling_closes_the_stream(upstream: Scripted, post: Post) -> None:
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def until_closed(asked: scripted.Asked, line: scripted.Line) -> None:
        scripted.silence(asked, line)
        loop.call_soon_threadsafe(closed.set)

    upstream.script("x", stream(NOTE, then=until_closed))
    task = asyncio.create_task(post())
    async with asyncio.timeout(scripted.PATIENCE):
        await post.arrived.wait()
        task.cancel()
        await closed.wait()
    await asyncio.wait({task})
    assert task.cancelled()


# --- a stream that ended before the answer ----------------------------------------------------------------------------


DONE = b'{"jsonrpc":"2.0","id":1,"result":{"n":1}}'
BEGUN = stream(b"\nid: e1\nretry: 1")
TOLD = json.dumps(NOTE).encode()


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_WAIT_SECONDS", (0.001, 0.002))


@pytest.mark.usefixtures("soon")
async def test_the_rest_of_an_answer_is_asked_for_where_it_was_cut_and_nothing_is_sent_again(
    upstream: Scripted, post: Post
) -> None:
    cut_in_an_event = b"id: \xc3\xa92\ndata: " + TOLD + b'\n\nid: e3\ndata: {"jsonrpc":"2.0","id":1,'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9000\r\n\r\n"
    upstream.script("x", BEGUN)
    upstream.script("GET", raw(head + cut_in_an_event), hang_up, http(503), stream(), stream(DONE))
    answer = await post(headers=SESSION, resumable=True)
    assert (answer.fate, answer.status, answer.result, answer.lost) == ("answered", 200, {"n": 1}, False)
    assert [delivered.body for delivered in post.delivered] == [NOTE]
    assert len(upstream.asked("x")) == 1
    resumed = upstream.asked("GET")
    assert [asked.headers["last-event-id"] for asked in resumed] == ["e1", *["\xc3\xa92"] * 4]
    assert {(asked.session, asked.headers["x-team"]) for asked in resumed} == {("s", "blue")}


async def test_what_the_server_says_to_wait_is_waited(upstream: Scripted, post: Post) -> None:
    now = asyncio.get_running_loop().time
    upstream.script("x", stream(b"\nid: e1\nretry: 300"))
    upstream.script("GET", stream(DONE))
    begun = now()
    assert (await post(resumable=True)).fate == "answered"
    assert now() - begun >= 0.3


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "reply",
    [http(405), http(404), http(400), http(200, b"<html>", "text/html"), result({})],
    ids=["405", "404", "400", "a page", "an answer"],
)
async def test_where_no_stream_can_be_taken_up_the_answer_is_unknown_as_before(
    upstream: Scripted, post: Post, reply: Reply
) -> None:
    upstream.script("x", BEGUN)
    upstream.script("GET", reply)
    answer = await post(headers=SESSION, resumable=True)
    expected = ("unknown", 200, "the upstream ended the stream before its answer", False)
    assert (answer.fate, answer.status, answer.failure, answer.lost) == expected
    assert (len(upstream.asked("x")), len(upstream.asked("GET"))) == (1, 1)


@pytest.mark.usefixtures("soon")
async def test_what_brings_nothing_new_is_not_asked_for_ever(upstream: Scripted, post: Post) -> None:
    nothing = [http(503), hang_up, stream(), stream({"jsonrpc": "2.0", "id": 2, "result": {}})]
    upstream.script("x", BEGUN)
    upstream.script("GET", *nothing, stream(b"\nid: e2"), *nothing * 10)
    assert (await post(resumable=True)).fate == "unknown"
    assert len(upstream.asked("GET")) == len(nothing) + 1 + 10


@pytest.mark.usefixtures("soon")
async def test_a_server_that_is_gone_meanwhile_does_not_make_the_request_one_that_was_not_sent(
    upstream: Scripted, post: Post
) -> None:
    gone = threading.Event()
    upstream.script("x", BEGUN)
    upstream.script("GET", after(gone, hang_up), *[http(503)] * 9)
    task = asyncio.create_task(post(resumable=True))
    await asyncio.to_thread(upstream.wait_for, "GET")
    gone.set()
    await asyncio.to_thread(upstream.stop)
    assert (await task).fate == "unknown"


@pytest.mark.parametrize("reply", [events(NOTE), stream(b"\nid:")], ids=["no id", "an empty id"])
async def test_a_stream_without_ids_is_not_taken_up(upstream: Scripted, post: Post, reply: Reply) -> None:
    upstream.script("x", reply)
    assert (await post(resumable=True)).failure == "the upstream ended the stream before its answer"
    upstream.script("x", BEGUN)
    assert (await post()).failure == "the upstream ended the stream before its answer"
    assert upstream.asked("GET") == []


async def test_the_bound_in_time_holds_for_all_streams_of_an_answer(upstream: Scripted, post: Post) -> None:
    upstream.script("x", stream(b"\nid: e1\nretry: 60000"), BEGUN)
    upstream.script("GET", stream(NOTE, then=scripted.silence))
    for bound in (0.05, 1.0):
        answer = await post(bound=bound, resumable=True)
        assert answer.failure == f"the upstream did not answer within {bound:g} s (`--some-timeout`)"
    assert [delivered.body for delivered in post.delivered] == [NOTE]


# --- streams and ends -------------------------------------------------------------------------------------------------


async def test_the_stream_of_the_server_gives_its_messages(upstream: Scripted, client: HttpClient) -> None:
    upstream.script("GET", stream(NOTE, ASK))
    async with client.listen(SESSION, EventStream(1000)) as (status, messages):
        assert status == 200
        assert [message.body async for message in messages] == [NOTE, ASK]
    (asked,) = upstream.asked("GET")
    assert (asked.session, asked.headers["accept"], asked.headers["x-team"]) == ("s", "text/event-stream", "blue")


@pytest.mark.parametrize(
    ("reply", "status"),
    [(http(405), 405), (http(404), 404), (http(409), 409), (http(200, b"<html>", "text/html"), 405), (http(503), 503)],
    ids=["none", "no session", "still another", "a page", "down"],
)
async def test_what_is_no_stream_says_its_status(
    upstream: Scripted, client: HttpClient, reply: Reply, status: int
) -> None:
    upstream.script("GET", reply)
    async with client.listen({}, EventStream(1000)) as (found, _):
        assert found == status


async def test_a_session_is_ended_by_a_delete(upstream: Scripted, client: HttpClient) -> None:
    upstream.script("DELETE", http(405))
    await client.delete(SESSION)
    assert upstream.asked("DELETE")[0].session == "s"
    upstream.script("DELETE", scripted.hang_up)
    with pytest.raises(Broken):
        await client.delete(SESSION)
    await asyncio.to_thread(upstream.stop)
    with pytest.raises(NotSent):
        await client.delete(SESSION)


async def test_an_event_of_another_name_is_none_of_json_rpc(upstream: Scripted, post: Post) -> None:
    answer = b'event: ping\ndata: {"time":1}\n\nevent: message\ndata: {"jsonrpc":"2.0","id":1,"result":{}}\n\n'
    upstream.script("ping", http(200, answer, headers={"Content-Type": "text/event-stream"}))
    assert (await post("ping")).result == {}
