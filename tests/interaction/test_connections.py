"""How clients connect, page through lists, and stay apart: each test with connections of its own."""

from contextlib import AsyncExitStack

import anyio
import pytest
from mcp_types import EmptyResult, SetLevelRequest, SetLevelRequestParams, SubscribeRequest, SubscribeRequestParams

from gateway.standin import Post, Standin, StandinOptions
from gateway.standin.options import Protocol
from tests.e2e.process import PATIENCE, Home
from tests.interaction.peers import AUTO, LEGACY, Json, Peer, connected, outcome, paired, plain
from tests.interaction.requirements import shows

INBOX = "keyid://inbox/unread"


@shows("open.auto", "open.announcement", "era.legacy-upstream", "era.modern-upstream")
@pytest.mark.parametrize(
    ("protocol", "expected"), [("legacy", "2025-11-25"), ("modern", "2026-07-28"), ("both", "2026-07-28")]
)
async def test_a_client_that_probes_ends_in_the_revision_of_a_direct_connection(
    home: Home, protocol: Protocol, expected: str
) -> None:
    async def announced(peer: Peer) -> Json:
        client = peer.client
        info = client.server_info
        return [client.protocol_version, info and plain(info), plain(client.server_capabilities), client.instructions]

    async with paired(home, StandinOptions(protocol=protocol), AUTO) as pair:
        version, *_ = await pair.same(announced)
        assert version == expected


@shows("list.pages", "error.same")
@pytest.mark.parametrize("mode", [LEGACY, AUTO])
async def test_the_list_comes_in_the_pages_and_by_the_cursors_of_the_server(home: Home, mode: str) -> None:
    async def paging(peer: Peer) -> Json:
        pages = [await outcome(peer.client.list_tools())]
        while "nextCursor" in pages[-1] and pages[-1]["nextCursor"] is not None:
            pages.append(await outcome(peer.client.list_tools(cursor=pages[-1]["nextCursor"])))
        last = await peer.call("web_search", {"query": "x"})  # whatever page it stands on
        return [pages, await outcome(peer.client.list_tools(cursor="none")), last]

    async with paired(home, StandinOptions(page_size=30), mode) as pair:
        pages, wrong, called = await pair.same(paging)
    assert [len(page["tools"]) for page in pages] == [30, 30, 4]
    assert wrong["error"][0] == -32602
    assert "structuredContent" in called


@shows("ask.refused")
@pytest.mark.parametrize("mode", [LEGACY, AUTO])
async def test_a_client_that_declared_nothing_is_not_asked(home: Home, mode: str) -> None:
    async def asking(peer: Peer) -> Json:
        return [await peer.call(tool) for tool in ("standin_read_2", "standin_read_3", "standin_read_4")]

    async with paired(home, StandinOptions(), mode, answers=False) as pair:
        results = await pair.same(asking)
    if mode == LEGACY:
        assert [result["isError"] for result in results] == [True, True, True]
    else:
        assert [result["error"][0] for result in results] == [-32021, -32021, -32021]


@shows("clients.apart")
async def test_two_clients_through_two_gateways_get_their_own_answers_and_notices(home: Home, standin: Standin) -> None:
    level = SetLevelRequest(params=SetLevelRequestParams(level="error"))
    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(connected(home, standin, mode=LEGACY, gateway=True)) for _ in range(2)
        ]
        for peer in (one, other):
            await peer.arrived(lambda entry: entry.get("http") == "GET")
        await one.client.session.send_request(level, EmptyResult)
        subscribe = SubscribeRequest(params=SubscribeRequestParams(uri=INBOX))
        await other.client.session.send_request(subscribe, EmptyResult)
        await anyio.to_thread.run_sync(standin.deliver, Post("email", "a@b.example", "news", "Hi"))
        await other.seen.wait("notifications/resources/updated", 1)
        found: dict[str, list[Json]] = {"one": [], "other": []}
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as tasks:
                for number in range(20):
                    tasks.start_soon(_echo, one, f"one {number}", found["one"])
                    tasks.start_soon(_echo, other, f"other {number}", found["other"])
        for peer in (one, other):
            await peer.call("standin_write_1", {"count": 1, "level": "info"})
        await other.seen.wait("log", 1)
        await one.call("standin_write_1", {"count": 1, "level": "error"})
        await one.seen.wait("log", 1)
    for name, echoes in found.items():
        assert sorted(echoes) == sorted(f"{name} {number}" for number in range(20))
    assert one.seen.of("notifications/resources/updated") == []
    assert [log["level"] for log in one.seen.of("log")] == ["error"]
    sessions = {entry["headers"].get("mcp-session-id") for entry in standin.journal if entry.get("http") == "GET"}  # type: ignore[attr-defined]  # headers are a mapping
    assert len(sessions) == 2


async def _echo(peer: Peer, text: str, into: list[Json]) -> None:
    into.append((await peer.call("standin_read_1", {"text": text}))["structuredContent"]["echo"]["text"])
