"""Who is asked in the client, what is asked, and which answers count."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest

from gateway.approvals import Question, Resumed
from gateway.approvals.in_client import InClient
from gateway.approvals.sealing import MARK
from gateway.asking import Asking
from gateway.jsonrpc import Kind, Message, serialise

Json = Any
NAMED = {"name": "good", "version": "1"}
MCP = "io.modelcontextprotocol"
QUESTION = Question(
    "k7f2", "send_email", {"to": "a"}, "/r", "why", "ada", "https://e/mcp", "s", "good", "1", asked_at=0, expires_at=600
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Room:
    """A channel, what it sent, and the moment."""

    def __init__(self, *names: str) -> None:
        self.sent: asyncio.Queue[Json] = asyncio.Queue()
        self.now = 100.0
        self.open = True
        self.answers = True
        self.channel = InClient(
            Asking(self._send, why="no longer needed"),
            names,
            grant="ada",
            server="https://e/mcp",
            digest=lambda: self.digest if self.open else None,
            now=lambda: self.now,
            answers=lambda: self.answers,
        )

    @staticmethod
    def digest(data: bytes) -> str:
        return blake2b(data, key=b"k" * 32, digest_size=32).hexdigest()

    async def _send(self, line: bytes) -> None:
        self.sent.put_nowait(json.loads(line))

    def answer(self, asked: Json, result: Json) -> bool:
        return self.channel.takes(message({"id": asked["id"], "result": result}))

    def suspended(self, request: Message) -> Json:
        self.channel.heard(request)
        line = self.channel.suspend(QUESTION, request)
        self.channel.over(request.id or 0)
        return None if line is None else json.loads(line)["result"]

    def resumed(self, request: Message) -> Resumed | None:
        self.channel.heard(request)
        return self.channel.resumed(request)


def message(body: Mapping[str, Json]) -> Message:
    whole = {"jsonrpc": "2.0", **body}
    kind: Kind = "request" if "method" in whole else "response"
    return Message(kind, whole.get("id"), whole.get("method", ""), whole, serialise(whole))


def initialize(info: Json = NAMED, elicitation: Json = None) -> Message:
    capabilities = {"elicitation": {} if elicitation is None else elicitation}
    return message({"id": 0, "method": "initialize", "params": {"clientInfo": info, "capabilities": capabilities}})


def call(identifier: Json = 1, *, info: Json = NAMED, elicitation: Json = None, **params: Json) -> Message:
    """A stateless call."""
    meta = {
        f"{MCP}/protocolVersion": "2026-07-28",
        f"{MCP}/clientInfo": info,
        f"{MCP}/clientCapabilities": {"elicitation": {} if elicitation is None else elicitation},
    }
    given = {"name": "send_email", "arguments": {"to": "a"}, "_meta": meta, **params}
    return message({"id": identifier, "method": "tools/call", "params": given})


PLAIN = message({"id": 1, "method": "tools/call", "params": {"name": "send_email", "arguments": {"to": "a"}}})


@pytest.mark.parametrize(
    ("info", "elicitation", "may"),
    [
        (NAMED, {}, True),
        (NAMED, {"form": {}}, True),
        (NAMED, {"form": {}, "url": {}}, True),
        (NAMED, {"url": {}}, False),
        (NAMED, False, False),
        (NAMED, [], False),
        ({"name": "Good"}, {}, False),
        ({"name": "good "}, {}, False),
        ({"name": ["good"]}, {}, False),
        ({"name": "other"}, {}, False),
        ({}, {}, False),
        ([], {}, False),
    ],
)
async def test_only_a_named_client_that_has_forms_is_asked(info: Json, elicitation: Json, may: bool) -> None:
    room = Room("good")
    assert not room.channel.can_ask(PLAIN)
    room.channel.heard(initialize(info, elicitation))
    assert room.channel.can_ask(PLAIN) is may
    room = Room("good")
    request = call(info=info, elicitation=elicitation)
    room.channel.heard(request)
    assert room.channel.can_ask(request) is may
    assert not room.channel.can_ask(PLAIN.__class__("request", 2, PLAIN.method, PLAIN.body, PLAIN.raw))


async def test_nobody_is_named_by_default() -> None:
    room = Room()
    room.channel.heard(initialize())
    assert not room.channel.can_ask(PLAIN)
    assert await room.channel.ask(QUESTION, PLAIN) is None
    assert room.sent.empty()
    assert room.suspended(call()) is None


async def test_nobody_is_asked_whose_answer_would_not_count() -> None:
    room = Room("good")
    room.channel.heard(initialize())
    room.answers = False
    assert not room.channel.can_ask(PLAIN)
    assert await room.channel.ask(QUESTION, PLAIN) is None
    assert room.suspended(call()) is None
    assert room.sent.empty()


async def test_another_initialize_is_another_client() -> None:
    room = Room("good")
    room.channel.heard(initialize())
    asking = asyncio.create_task(room.channel.ask(QUESTION, PLAIN))
    asked = await room.sent.get()
    room.channel.heard(initialize({"name": "other"}))
    assert await asking is None
    assert not room.answer(asked, {"action": "accept", "content": {"decision": "approve"}})
    assert not room.channel.can_ask(PLAIN)


ANSWERS = [
    ({"action": "accept", "content": {"decision": "approve"}}, "approve"),
    ({"action": "accept", "content": {"decision": "approve", "more": 1}}, "approve"),
    ({"action": "accept", "content": {"decision": "deny"}}, "deny"),
    ({"action": "decline"}, "deny"),
    ({"action": "cancel"}, None),
    ({"action": "cancel", "content": {"decision": "approve"}}, None),
    ({"action": "accept"}, None),
    ({"action": "accept", "content": {}}, None),
    ({"action": "accept", "content": {"decision": "Approve"}}, None),
    ({"action": "accept", "content": {"decision": True}}, None),
    ({"action": "accept", "content": {"decision": ["approve"]}}, None),
    ({"action": "accept", "content": "approve"}, None),
    ({"action": "approve"}, None),
    ({}, None),
    ([], None),
    ("approve", None),
    (None, None),
]


@pytest.mark.parametrize(("result", "verdict"), ANSWERS)
async def test_what_an_answer_says_in_a_session(result: Json, verdict: str | None) -> None:
    room = Room("good")
    room.channel.heard(initialize())
    asking = asyncio.create_task(room.channel.ask(QUESTION, PLAIN))
    asked = await room.sent.get()
    assert asked["method"] == "elicitation/create"
    assert asked["id"].startswith("gw-")
    assert asked["params"]["message"].startswith("keyid-gateway (on this machine, not the server) asks")
    assert "send_email" in asked["params"]["message"]
    (field,) = asked["params"]["requestedSchema"]["properties"].values()
    assert field["enum"] == ["deny", "approve"]
    assert "default" not in field
    assert room.answer(asked, result)
    assert await asking == verdict
    assert not room.answer(asked, result), "an answer is taken once"


async def test_an_error_is_no_answer() -> None:
    room = Room("good")
    room.channel.heard(initialize())
    asking = asyncio.create_task(room.channel.ask(QUESTION, PLAIN))
    asked = await room.sent.get()
    assert room.channel.takes(message({"id": asked["id"], "error": {"code": -32603, "message": "no"}}))
    assert await asking is None


async def test_a_question_that_nobody_need_answer_any_more_is_withdrawn() -> None:
    room = Room("good")
    room.channel.heard(initialize())
    asking = asyncio.create_task(room.channel.ask(QUESTION, PLAIN))
    asked = await room.sent.get()
    asking.cancel()
    withdrawn = await room.sent.get()
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == asked["id"]
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize(("answer", "verdict"), ANSWERS)
async def test_what_an_answer_says_in_a_stateless_call(answer: Json, verdict: str | None) -> None:
    room = Room("good")
    result = room.suspended(call())
    assert result["resultType"] == "input_required"
    ((key, asked),) = result["inputRequests"].items()
    assert asked["method"] == "elicitation/create"
    again = call(2, requestState=result["requestState"], inputResponses={key: answer, "more": {}})
    resumed = room.resumed(again)
    assert resumed is not None
    assert (resumed.question, resumed.verdict) == ("k7f2", verdict)
    assert resumed.request.params == {name: again.params[name] for name in ("name", "arguments", "_meta")}
    assert json.loads(resumed.request.raw) == resumed.request.body


async def test_what_a_call_carried_comes_back() -> None:
    room = Room("good")
    carried = {"requestState": "theirs", "inputResponses": {"k": {"roots": []}}}
    result = room.suspended(call(**carried))
    resumed = room.resumed(call(2, requestState=result["requestState"], inputResponses={}))
    assert resumed is not None
    assert {name: resumed.request.params[name] for name in carried} == carried
    assert resumed.verdict is None


@pytest.mark.parametrize(
    "change",
    [
        {"arguments": {"to": "b"}},
        {"name": "delete_all"},
        {"requestState": f"{MARK}AAAA"},
        {"requestState": MARK},
        {"info": {"name": "other"}},
        {"elicitation": {"url": {}}},
    ],
)
async def test_a_state_that_does_not_count_is_taken_away(change: dict[str, Json]) -> None:
    room = Room("good")
    result = room.suspended(call())
    (key,) = result["inputRequests"]
    answers = {key: {"action": "accept", "content": {"decision": "approve"}}}
    given = {"requestState": result["requestState"], "inputResponses": answers, **change}
    resumed = room.resumed(call(2, **given))
    assert resumed is not None
    assert (resumed.question, resumed.verdict) == ("", None)
    assert not {"requestState", "inputResponses"} & resumed.request.params.keys()


async def test_a_state_is_of_its_time_its_file_and_its_revision() -> None:
    room = Room("good")
    result = room.suspended(call())
    again = call(2, requestState=result["requestState"])
    room.open = False
    assert room.resumed(again) == Resumed(call_without(again), "", None)
    assert room.suspended(call(3)) is None
    room.open, room.now = True, 600.0
    assert room.resumed(again) == Resumed(call_without(again), "", None)
    room.now = 100.0
    room.channel.over(2)
    room.channel.heard(initialize())
    assert room.channel.resumed(again) == Resumed(call_without(again), "", None), "not known as stateless"


def call_without(request: Message) -> Message:
    params = {name: value for name, value in request.params.items() if name != "requestState"}
    return message({**request.body, "params": params})


async def test_a_person_who_puts_it_off_is_not_asked_again_by_the_same_call() -> None:
    room = Room("good")
    result = room.suspended(call())
    again = call(
        2, requestState=result["requestState"], inputResponses={"keyid-gateway/approval": {"action": "cancel"}}
    )
    resumed = room.resumed(again)
    assert resumed is not None
    assert room.channel.suspend(QUESTION, resumed.request) is None
    assert room.channel.suspend(replace(QUESTION, id="other"), resumed.request) is not None
    room.channel.over(2)
    assert room.suspended(call(2)) is not None


async def test_what_is_no_call_loses_a_state_of_ours() -> None:
    room = Room("good")
    result = room.suspended(call())
    params = {"uri": "a:b", "_meta": call().meta, "requestState": result["requestState"]}
    resumed = room.resumed(message({"id": 2, "method": "resources/read", "params": params}))
    assert resumed is not None
    assert (resumed.question, resumed.verdict) == ("", None)
    assert "requestState" not in resumed.request.params


async def test_a_state_of_the_servers_is_none_of_ours() -> None:
    room = Room("good")
    assert room.resumed(call(requestState="theirs")) is None
    assert room.resumed(call(requestState=[MARK])) is None
    assert room.resumed(call()) is None


async def test_a_stateless_client_is_not_asked_while_it_waits() -> None:
    room = Room("good")
    room.channel.heard(initialize())
    request = call(7)
    room.channel.heard(request)
    assert await room.channel.ask(QUESTION, request) is None
    assert room.channel.suspend(QUESTION, PLAIN) is None
    assert room.sent.empty()
