"""Notifications of changes, in both eras."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.to_thread
import pytest
from mcp import Client
from mcp.client.session import IncomingMessage
from mcp.shared.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged
from mcp_types import (
    EmptyResult,
    ResourceUpdatedNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    ToolListChangedNotification,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)

from gateway.standin import Post, Standin
from gateway.standin.world import INBOX

BOUND = 20.0
MAIL = {"channel": "email", "from": "a@example.com", "subject": "S", "body": "B"}

Next = Callable[[], Awaitable[ServerEvent]]
Change = Callable[[Client], Awaitable[object]]


@asynccontextmanager
async def listening(standin: Standin, era: str) -> AsyncIterator[tuple[Client, Next]]:
    """A client that is told of changes, and the next change it is told of."""
    send, receive = anyio.create_memory_object_stream[ServerEvent](100)

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            send.send_nowait(ToolsListChanged())
        if isinstance(message, ResourceUpdatedNotification):
            send.send_nowait(ResourceUpdated(uri=message.params.uri))

    async def following() -> ServerEvent:
        with anyio.fail_after(BOUND):
            return await receive.receive()

    with send, receive:
        async with Client(standin.url, mode=era, message_handler=on_message if era == "legacy" else None) as client:
            if era == "legacy":
                await anyio.to_thread.run_sync(standin.wait_for, lambda entry: entry.get("http") == "GET", BOUND)
                await subscribe(client)
                yield client, following
                return
            async with client.listen(tools_list_changed=True, resource_subscriptions=[INBOX]) as events:
                yield client, events.__anext__


async def subscribe(client: Client) -> None:
    await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=INBOX)), EmptyResult)


async def unsubscribe(client: Client) -> None:
    await client.session.send_request(UnsubscribeRequest(params=UnsubscribeRequestParams(uri=INBOX)), EmptyResult)


@pytest.mark.parametrize(
    ("name", "arguments", "event"),
    [
        ("standin_write_2", {"present": True}, ToolsListChanged()),
        ("standin_destructive_2", {}, ToolsListChanged()),
        ("standin_write_4", MAIL, ResourceUpdated(uri=INBOX)),
        ("update_message", {"message_id": "msg_0001", "is_read": True}, ResourceUpdated(uri=INBOX)),
        ("standin_destructive_1", {}, ResourceUpdated(uri=INBOX)),
    ],
)
async def test_a_change_is_told(
    either: Standin, era: str, name: str, arguments: dict[str, object], event: ServerEvent
) -> None:
    async with listening(either, era) as (client, following):
        await client.call_tool(name, arguments)
        assert await following() == event


async def test_a_message_from_outside_is_told(standin: Standin, era: str) -> None:
    async with listening(standin, era) as (_, following):
        await anyio.to_thread.run_sync(standin.deliver, Post("email", "a@example.com", "S", "B"))
        assert await following() == ResourceUpdated(uri=INBOX)


async def test_after_unsubscribing_nothing_more_is_told(standin: Standin) -> None:
    async with listening(standin, "legacy") as (client, following):
        await unsubscribe(client)
        await client.call_tool("standin_write_4", MAIL)
        await client.call_tool("standin_write_2", {"present": True})
        assert await following() == ToolsListChanged()


async def test_the_changed_list_is_what_is_listed_then(standin: Standin, era: str) -> None:
    async with listening(standin, era) as (client, following):
        await client.call_tool("standin_write_2", {"present": True})
        await following()
        names = [tool.name for tool in (await client.list_tools(cache_mode="refresh")).tools]
    assert names[-1] == "standin_extra"
    assert len(names) == 65
