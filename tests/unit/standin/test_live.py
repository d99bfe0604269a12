"""Progress, cancellation, log messages and questions to the client."""

from dataclasses import dataclass, field

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequestParams,
    ElicitResult,
    EmptyResult,
    InputResponses,
    ListRootsResult,
    LoggingMessageNotificationParams,
    Root,
    SetLevelRequest,
    SetLevelRequestParams,
    TextContent,
)
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import FileUrl

from gateway.standin import Post, Standin
from gateway.standin.journal import Entry

BOUND = 20.0
"""Seconds within which everything here must have happened."""


async def answer_sampling(context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
    assert context.session.protocol_version in KNOWN_PROTOCOL_VERSIONS
    block = params.messages[0].content
    assert isinstance(block, TextContent)
    return CreateMessageResult(role="assistant", model="m", content=TextContent(type="text", text=f"to {block.text}"))


async def answer_elicitation(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
    assert context.session.protocol_version in KNOWN_PROTOCOL_VERSIONS
    return ElicitResult(action="accept", content={"answer": params.message})


async def answer_roots(context: ClientRequestContext) -> ListRootsResult:
    assert context.session.protocol_version in KNOWN_PROTOCOL_VERSIONS
    return ListRootsResult(roots=[Root(uri=FileUrl("file:///tmp/x"), name="x")])


def client_that_answers(url: str, era: str) -> Client:
    return Client(
        url,
        mode=era,
        sampling_callback=answer_sampling,
        elicitation_callback=answer_elicitation,
        list_roots_callback=answer_roots,
    )


async def happened(standin: Standin, kind: str, name: str) -> Entry:
    def is_it(entry: Entry) -> bool:
        return entry.get("event") == kind and entry.get("name") == name

    entry = await anyio.to_thread.run_sync(standin.wait_for, is_it, BOUND)
    assert entry is not None, f"no {kind} {name}"
    return entry


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        (
            "standin_read_2",
            {"prompt": "hi"},
            {"role": "assistant", "model": "m", "content": {"type": "text", "text": "to hi"}},
        ),
        ("standin_read_3", {"message": "why?"}, {"action": "accept", "content": {"answer": "why?"}}),
        ("standin_read_4", {}, {"roots": [{"uri": "file:///tmp/x", "name": "x"}]}),
    ],
)
async def test_a_tool_can_ask_the_client(
    either: Standin, era: str, name: str, arguments: dict[str, object], answer: dict[str, object]
) -> None:
    async with client_that_answers(either.url, era) as client:
        if era == "legacy":
            await standing_stream(either)
        with anyio.fail_after(BOUND):
            result = await client.call_tool(name, arguments)
    assert isinstance(result.structured_content, dict)
    given = result.structured_content["answer"]
    assert answer.items() <= given.items()


async def standing_stream(standin: Standin) -> None:
    """With JSON answers, questions take the stream that the client opens by itself after its handshake."""
    entry = await anyio.to_thread.run_sync(standin.wait_for, lambda entry: entry.get("http") == "GET", BOUND)
    assert entry is not None


@pytest.mark.parametrize("name", ["standin_read_2", "standin_read_3", "standin_read_4"])
async def test_a_client_that_cannot_answer_is_not_asked(either: Standin, era: str, name: str) -> None:
    async with Client(either.url, mode=era) as client:
        if era == "legacy":
            result = await client.call_tool(name, {})
            assert result.is_error
        else:
            with pytest.raises(MCPError) as caught:
                await client.call_tool(name, {})
            assert caught.value.code == -32021


async def test_the_state_of_a_question_must_come_back_unchanged(standin: Standin) -> None:
    async with client_that_answers(standin.url, "2026-07-28") as client:
        answers: InputResponses = {"answer": ElicitResult(action="decline")}
        result = await client.call_tool("standin_read_3", {}, input_responses=answers, request_state="other")
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert block.text == "`requestState` did not come back as it was sent"


async def test_progress_is_reported_while_a_tool_waits(standin: Standin, era: str) -> None:
    seen = Seen()
    async with Client(standin.url, mode=era) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(deliver_once_waited_for, standin)
        with anyio.fail_after(BOUND):
            arguments = {"from": "late.example", "timeout_seconds": 60}
            result = await client.call_tool("wait_for_message", arguments, progress_callback=seen)
    assert result.structured_content is not None
    assert result.structured_content["message"]["subject"] == "Late"
    assert seen.progress == [0, 1]


async def test_progress_is_reported_with_every_step(standin: Standin, era: str) -> None:
    seen = Seen()
    async with Client(standin.url, mode=era) as client:
        await client.call_tool("standin_write_1", {"count": 100}, progress_callback=seen)
    assert seen.progress == list(range(1, 101))


@dataclass
class Seen:
    """Collects the progress that is reported."""

    progress: list[float] = field(default_factory=list)

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        assert message
        assert total in {None, 100}
        self.progress.append(progress)


async def deliver_once_waited_for(standin: Standin) -> None:
    await happened(standin, "tool", "wait_for_message")
    await anyio.to_thread.run_sync(standin.deliver, Post("email", "a@late.example", "Late", "Here"))


async def test_waiting_ends_when_the_time_is_up(either: Standin, era: str) -> None:
    async with Client(either.url, mode=era) as client:
        result = await client.call_tool("wait_for_message", {"from": "never.example", "timeout_seconds": 1})
    assert result.structured_content == {"found": False, "message": None}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("standin_write_3", {"seconds": 300}),
        ("wait_for_message", {"from": "never.example", "timeout_seconds": 300}),
    ],
)
async def test_a_cancelled_call_stops_at_once(
    either: Standin, era: str, name: str, arguments: dict[str, object]
) -> None:
    async with Client(either.url, mode=era) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, name, arguments)
            await happened(either, "tool", name)
            tasks.cancel_scope.cancel()
        assert (await happened(either, "cancelled", name))["arguments"] == arguments
        result = await client.call_tool("standin_read_1", {"still": "alive"})
    assert result.structured_content == {"echo": {"still": "alive"}}


@pytest.mark.parametrize(("lowest", "expected"), [("info", 3), ("critical", 0)])
async def test_log_messages_come_from_the_level_that_was_asked_for(
    standin: Standin, era: str, lowest: str, expected: int
) -> None:
    seen: list[LoggingMessageNotificationParams] = []

    async def log(params: LoggingMessageNotificationParams) -> None:
        seen.append(params)

    level = SetLevelRequestParams.model_validate({"level": lowest}).level
    async with Client(standin.url, mode=era, logging_callback=log, log_level=level) as client:
        if era == "legacy":
            await client.session.send_request(SetLevelRequest(params=SetLevelRequestParams(level=level)), EmptyResult)
        await client.call_tool("standin_write_1", {"count": 3, "level": "warning"})
    assert [params.data for params in seen] == [{"number": n, "of": 3} for n in range(1, expected + 1)]
    assert {params.level for params in seen} <= {"warning"}
