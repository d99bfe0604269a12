"""The time of one exchange: what begins it anew, what stands still meanwhile, and which one it was."""

import asyncio
import json
import threading

from gateway.jsonrpc import Message
from gateway.upstream.http import HttpClient, HttpLimits, Outgoing
from tests.e2e import scripted
from tests.e2e.scripted import Json, Reply, Scripted, events, stream
from tests.unit.upstream.conftest import Make

NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}}


async def test_progress_of_the_request_begins_its_time_anew_up_to_the_ceiling(upstream: Scripted, make: Make) -> None:
    def reports(token: Json) -> Reply:
        note = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}

        def often(_: scripted.Asked, line: scripted.Line) -> None:
            for _number in range(1000):
                if ended.wait(0.02):
                    break
                line.send(b"data: " + json.dumps(note).encode() + b"\n\n")

        return stream(then=often)

    ended = threading.Event()
    upstream.script("x", reports(7), reports("7"), reports(7))
    client = HttpClient(upstream.url, {}, HttpLimits(call_ceiling=0.6))
    sent = make("x")
    failures = []
    for seconds, token in ((0.2, 7), (0.2, 7), (0.2, None)):
        outgoing = Outgoing(sent.raw, sent.id, {}, seconds, "--some-timeout", token=token)
        failures.append((await client.post(outgoing, ignore)).failure)
    ended.set()
    client.close()
    assert failures == [
        "the upstream did not answer within 0.6 s, whatever progress it reported (`--call-ceiling`)",
        "the upstream did not answer within 0.2 s (`--some-timeout`)",
        "the upstream did not answer within 0.2 s (`--some-timeout`)",
    ]


async def test_a_client_that_takes_its_time_with_what_it_is_given_does_not_use_up_that_of_the_request(
    upstream: Scripted, make: Make
) -> None:
    async def slowly(_: Message) -> None:
        await asyncio.sleep(0.3)

    upstream.script("x", events(NOTE, {"jsonrpc": "2.0", "id": None, "result": {}}))
    client = HttpClient(upstream.url, {}, HttpLimits())
    sent = make("x")
    answer = await client.post(Outgoing(sent.raw, sent.id, {}, 0.2, "--some-timeout"), slowly)
    assert answer.fate == "answered"
    client.close()
    await asyncio.sleep(0)


async def test_a_stream_that_carries_nothing_is_given_up_and_a_comment_is_something(
    upstream: Scripted, make: Make
) -> None:
    def comments(_: scripted.Asked, line: scripted.Line) -> None:
        for _number in range(8):
            ended.wait(0.05)
            line.send(b": still here\n\n")
        line.send(b'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n')

    ended = threading.Event()
    upstream.script("x", stream(then=comments), stream(NOTE, then=scripted.silence))
    client = HttpClient(upstream.url, {}, HttpLimits(idle_timeout=0.3))
    sent = make("x")
    outgoing = Outgoing(sent.raw, sent.id, {}, 20.0, "--some-timeout")
    assert (await client.post(outgoing, ignore)).fate == "answered"
    answer = await client.post(outgoing, ignore)
    text = "the upstream said nothing for 0.3 s on the stream of its answer (`--idle-timeout`)"
    assert (answer.fate, answer.failure, answer.lost, answer.timed_out) == ("unknown", text, False, True)
    client.close()


async def test_a_silent_stream_that_can_be_taken_up_is(upstream: Scripted, make: Make) -> None:
    upstream.script("x", stream(b"\nid: e1", then=scripted.silence))
    upstream.script("GET", events({"jsonrpc": "2.0", "id": 1, "result": {}}))
    client = HttpClient(upstream.url, {}, HttpLimits(idle_timeout=0.1))
    sent = make("x")
    answer = await client.post(Outgoing(sent.raw, sent.id, {}, 20.0, "--some-timeout", resumable=True), ignore)
    assert (answer.fate, len(upstream.asked("x"))) == ("answered", 1)
    client.close()


async def ignore(_: Message) -> None:
    """Take a message and do nothing with it."""


async def test_who_waits_for_a_free_connection_for_too_long_was_not_sent(upstream: Scripted, make: Make) -> None:
    client = HttpClient(upstream.url, {}, HttpLimits())
    client._wire._free = asyncio.Semaphore(1)
    upstream.script("x", scripted.silence)
    sent = make("x")
    held = asyncio.create_task(client.post(Outgoing(sent.raw, sent.id, {}, 20.0, "--some-timeout"), ignore))
    await asyncio.to_thread(upstream.wait_for, "x")
    answer = await client.post(Outgoing(sent.raw, sent.id, {}, 0.05, "--some-timeout"), ignore)
    text = "no connection to the upstream was free within 0.05 s (`--some-timeout`)"
    assert (answer.fate, answer.failure, answer.timed_out) == ("not sent", text, False)
    assert len(upstream.asked("x")) == 1
    held.cancel()
    await asyncio.wait({held})
    client.close()
    await asyncio.sleep(0)
