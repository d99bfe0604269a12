"""What our own client makes of what a gateway says to it."""

import io
import json

import click
import pytest

from gateway.cli.conversation import Conversation
from gateway.errors import UpstreamError
from gateway.jsonrpc import Message


class Said(io.BytesIO):
    """What was written, line by line."""

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


def talk(*lines: bytes) -> tuple[Conversation, Said, list[Message]]:
    heard: list[Message] = []
    written = Said()
    return Conversation(io.BytesIO(b"".join(line + b"\n" for line in lines)), written, heard.append), written, heard


async def test_the_answer_is_that_to_what_was_asked() -> None:
    client, written, heard = talk(
        b'{"jsonrpc": "2.0", "method": "notifications/progress", "params": {"message": "half"}}',
        b'{"jsonrpc": "2.0", "id": 9, "result": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {"big": 1.10, "half": "\\ud800"}}',
    )
    answer = await client.ask("tools/call", {"name": "a"})
    assert str(answer["result"]) == "{'big': Number(1.10), 'half': '\\ud800'}"
    assert [message.params for message in heard] == [{"message": "half"}]
    assert written.lines() == [{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "a"}}]


async def test_questions_are_declined_and_a_ping_is_answered() -> None:
    client, written, _ = talk(
        b'{"jsonrpc": "2.0", "id": "x", "method": "ping"}',
        b'{"jsonrpc": "2.0", "id": "y", "method": "elicitation/create", "params": {}}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
    )
    await client.ask("tools/list", {})
    pong, declined = written.lines()[1:]
    assert pong == {"jsonrpc": "2.0", "id": "x", "result": {}}
    assert (declined["id"], declined["error"]) == ("y", {"code": -32601, "message": "a terminal answers no questions"})


async def test_a_server_that_does_not_shake_hands_is_said() -> None:
    client, _, _ = talk(b'{"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "cannot connect"}}')
    with pytest.raises(UpstreamError, match="cannot connect"):
        await client.open("me")


async def test_what_cannot_be_read_is_an_error_and_the_end_is_an_interruption() -> None:
    client, _, _ = talk(b"{")
    with pytest.raises(UpstreamError, match="an answer cannot be read: "):
        await client.ask("tools/list", {})
    client, _, _ = talk()
    with pytest.raises(click.Abort):
        await client.ask("tools/list", {})
