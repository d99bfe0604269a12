"""A client of a handshake revision before a server that only knows 2026-07-28.

What it sees is what a client sees that speaks that revision directly, but for what no handshake revision can say.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import anyio
import pytest
from mcp.client.subscriptions import Subscription
from mcp_types import (
    EmptyResult,
    PromptReference,
    ResourceTemplateReference,
    SetLevelRequest,
    SetLevelRequestParams,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)

from gateway.standin import Post, Standin, StandinOptions
from tests.e2e.process import PATIENCE, Home
from tests.interaction.peers import (
    AUTO,
    LEGACY,
    MODERN,
    Json,
    Pair,
    Peer,
    StandingClock,
    connected,
    differences,
    outcome,
    plain,
    tools_that_ran,
)
from tests.interaction.requirements import shows
from tests.interaction.story import STORY

INBOX = "keyid://inbox/unread"
ONLY_STATELESS = {"resultType", "ttlMs", "cacheScope"}
SERVER_INFO = "io.modelcontextprotocol/serverInfo"


@pytest.fixture(scope="module", params=["stream", "json"])
async def pair(request: pytest.FixtureRequest, home: Home) -> AsyncIterator[Pair]:
    """A client of 2026-07-28 directly, and one of 2025-11-25 through the gateway, before servers of 2026-07-28 only."""
    options = StandinOptions(json_response=request.param == "json", protocol="modern")
    async with AsyncExitStack() as stack:
        one, other = (stack.enter_context(Standin(options, clock=StandingClock())) for _ in range(2))
        direct = await stack.enter_async_context(connected(home, one, mode=AUTO, gateway=False, log_level="info"))
        through = await stack.enter_async_context(connected(home, other, mode=LEGACY, gateway=True))
        await through.arrived(lambda entry: "subscriptions/listen" in str(entry.get("body")))
        assert (direct.client.protocol_version, through.client.protocol_version) == (MODERN, "2025-11-25")
        yield Pair(direct, through, LEGACY)


def in_session(value: Json) -> Json:
    """A result as a handshake revision says it."""
    if isinstance(value, list):
        return [in_session(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: in_session(item) for key, item in value.items() if key not in ONLY_STATELESS}
    if SERVER_INFO in (kept.get("_meta") or {}):
        kept["_meta"] = {key: item for key, item in kept["_meta"].items() if key != SERVER_INFO}
        if not kept["_meta"]:
            del kept["_meta"]
    return kept


async def same(pair: Pair, scenario: Callable[[Peer], Awaitable[Json]]) -> Json:
    """Do the same on both, and check that the same came of it, as far as a handshake revision can say it."""
    await pair.begin()
    with anyio.fail_after(2 * PATIENCE):
        expected = in_session(await scenario(pair.direct))
        found = await scenario(pair.through)
    assert found == expected, "\n".join(differences(found, expected))
    assert pair.through.seen.of("fault") == []
    return found


@shows("translate.opening")
async def test_the_server_is_announced_as_it_announces_itself(pair: Pair) -> None:
    async def announced(peer: Peer) -> Json:
        client = peer.client
        info = plain(client.server_info) if client.server_info is not None else None
        return [info, plain(client.server_capabilities), client.instructions]

    info, capabilities, instructions = await same(pair, announced)
    assert info["name"] == "keyid-standin"
    assert capabilities["resources"] == {"listChanged": True, "subscribe": True}
    assert instructions


@shows("translate.results")
async def test_every_tool_that_is_listed_gives_the_result_that_it_gives_directly(pair: Pair) -> None:
    async def story(peer: Peer) -> Json:
        results = []
        for tool, arguments in STORY:
            results.append(await peer.call(tool, dict(arguments)))
            if tool in {"standin_write_2", "standin_destructive_2"}:
                await peer.client.list_tools()
        return results

    listed = await same(pair, lambda peer: outcome(peer.client.list_tools()))
    assert {tool["name"] for tool in listed["tools"]} - {tool for tool, _ in STORY} == set()
    results = await same(pair, story)
    assert [tool for (tool, _), result in zip(STORY, results, strict=True) if not result.get("structuredContent")] == []
    asking = {"standin_read_2", "standin_read_3", "standin_read_4"}  # run once more for the second round, on both
    direct, through = (
        [ran for ran in tools_that_ran(peer.standin.journal) if ran[0] not in asking]
        for peer in (pair.direct, pair.through)
    )
    assert through == direct


@shows("translate.results")
async def test_resources_prompts_and_completion_are_what_they_are_directly(pair: Pair) -> None:
    async def offers(peer: Peer) -> Json:
        client = peer.client
        prompt = PromptReference(type="ref/prompt", name="answer_message")
        template = ResourceTemplateReference(type="ref/resource", uri="keyid://messages/{message_id}")
        listed = await client.list_resources()
        return [
            plain(listed),
            [await outcome(client.read_resource(resource.uri)) for resource in listed.resources],
            plain(await client.list_resource_templates()),
            plain(await client.list_prompts()),
            await outcome(client.get_prompt("sign_up", {"service": "Forge ÷"})),
            await outcome(client.get_prompt("none")),
            await outcome(client.complete(prompt, {"name": "tone", "value": "f"})),
            await outcome(client.complete(template, {"name": "message_id", "value": ""}, {"other": "x"})),
            await peer.call("get_message", {"message_id": "none"}),
            await outcome(client.list_tools(cursor="nonsense")),
        ]

    found = await same(pair, offers)
    assert found[6]["completion"]["values"] == ["formal", "friendly"]


@shows("translate.errors")
async def test_a_resource_that_is_not_there_is_said_in_the_code_of_the_era(pair: Pair) -> None:
    await pair.begin()
    direct, through = [
        (await outcome(peer.client.read_resource("keyid://nothing")))["error"] for peer in (pair.direct, pair.through)
    ]
    assert (direct[0], through[0]) == (-32602, -32002)
    assert through[1:] == direct[1:]


@shows("translate.questions")
@pytest.mark.parametrize(
    ("tool", "arguments", "asked"),
    [
        ("standin_read_2", {"prompt": "Wie geht's? ÷", "max_tokens": 7}, "sampling"),
        ("standin_read_3", {"message": "Was?\n\u2028"}, "elicitation"),
        ("standin_read_4", {}, "roots"),
    ],
)
async def test_what_the_server_needs_the_client_is_asked_in_its_own_way(
    pair: Pair, tool: str, arguments: dict[str, Json], asked: str
) -> None:
    async def asking(peer: Peer) -> Json:
        return [await peer.call(tool, arguments), [said for said in peer.seen.said if said[0] == asked]]

    result, said = await same(pair, asking)
    assert result["structuredContent"]["answer"]
    assert len(said) == 1


@shows("translate.questions")
@pytest.mark.parametrize("tool", ["standin_read_2", "standin_read_3", "standin_read_4"])
async def test_what_the_client_refuses_ends_the_call_in_its_words(pair: Pair, tool: str) -> None:
    await pair.begin()
    pair.through.seen.refuse = True
    result = await pair.through.call(tool)
    assert result["isError"] is True
    assert "the person refused" in str(result)
    assert (await pair.through.call("standin_read_1"))["structuredContent"] == {"echo": {}}


@shows("translate.notices")
@pytest.mark.parametrize("pair", ["stream"], indirect=True)  # with JSON a server cannot say anything meanwhile
async def test_progress_and_log_messages_come_from_a_stream(pair: Pair) -> None:
    async def emitting(peer: Peer) -> Json:
        if peer is pair.through:
            level = SetLevelRequest(params=SetLevelRequestParams(level="info"))
            await peer.client.session.send_request(level, EmptyResult)
        await peer.call("standin_write_1", {"count": 1, "level": "debug"})
        result = await peer.call(
            "standin_write_1", {"count": 5, "level": "error"}, progress_callback=peer.seen.progress
        )
        return [result, await peer.seen.wait("progress", 5), await peer.seen.wait("log", 5)]

    _, progress, logged = await same(pair, emitting)
    assert [one[0] for one in progress] == [1, 2, 3, 4, 5]
    assert {one["level"] for one in logged} == {"error"}


@shows("translate.cancel")
async def test_a_cancelled_call_stops_at_the_server(pair: Pair) -> None:
    async def cancelling(peer: Peer) -> Json:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.client.call_tool, "standin_write_3", {"seconds": 300})
            await peer.happened("tool", "standin_write_3")
            tasks.cancel_scope.cancel()
        stopped = await peer.happened("cancelled", "standin_write_3")
        return [stopped["arguments"], await peer.call("standin_read_1", {"still": "alive"})]

    await same(pair, cancelling)


async def event(subscription: Subscription) -> str:
    with anyio.fail_after(PATIENCE):
        return type(await anext(aiter(subscription))).__name__


@shows("translate.subscriptions")
async def test_subscriptions_and_changed_lists_are_heard_as_directly(pair: Pair) -> None:
    def deliver(peer: Peer, subject: str) -> Awaitable[object]:
        return anyio.to_thread.run_sync(peer.standin.deliver, Post("email", "a@b.example", subject, "Hi"))

    await pair.begin()
    peer = pair.direct
    async with peer.client.listen(tools_list_changed=True, resource_subscriptions=[INBOX]) as subscription:
        await deliver(peer, "one")
        heard = [await event(subscription)]
        await peer.call("standin_write_2", {"present": True})
        heard.append(await event(subscription))
    assert heard == ["ResourceUpdated", "ToolsListChanged"]

    peer = pair.through
    await deliver(peer, "too early")
    ask = peer.client.session.send_request
    await ask(SubscribeRequest(params=SubscribeRequestParams(uri=INBOX)), EmptyResult)
    await deliver(peer, "one")
    assert await peer.seen.wait("notifications/resources/updated", 1) == [{"uri": INBOX}]
    await peer.call("standin_write_2", {"present": True})
    assert await peer.seen.wait("notifications/tools/list_changed", 1) == [None]
    assert (await peer.call("standin_extra"))["structuredContent"] == {"extra": True}
    await ask(UnsubscribeRequest(params=UnsubscribeRequestParams(uri=INBOX)), EmptyResult)
    await deliver(peer, "too late")
    await peer.call("standin_write_2", {"present": False})
    await peer.seen.wait("notifications/tools/list_changed", 2)
    assert peer.seen.of("notifications/resources/updated") == [{"uri": INBOX}]


@shows("translate.concurrent")
async def test_a_crowd_of_calls_and_questions_at_once_get_their_own_answers(pair: Pair) -> None:
    peer = pair.through
    await pair.begin()
    found: dict[int, Json] = {}

    async def one(number: int) -> None:
        tool = "standin_read_3" if number % 4 == 0 else "standin_read_1"
        found[number] = await peer.call(tool, {"message": f"{number}?"} if number % 4 == 0 else {"number": number})

    with anyio.fail_after(2 * PATIENCE):
        async with anyio.create_task_group() as tasks:
            for number in range(60):
                tasks.start_soon(one, number)
    assert [found[number]["structuredContent"] for number in range(60) if number % 4] == [
        {"echo": {"number": number}} for number in range(60) if number % 4
    ]
    assert sorted(asked["message"] for asked in peer.seen.of("elicitation")) == sorted(f"{n}?" for n in range(0, 60, 4))


@shows("translate.results")
async def test_pages_are_the_servers_own(home: Home) -> None:
    options = StandinOptions(protocol="modern", page_size=10)
    with Standin(options, clock=StandingClock()) as standin:
        async with connected(home, standin, mode=LEGACY, gateway=True) as peer:
            sizes, cursor = [], None
            while True:
                page = await peer.client.list_tools(cursor=cursor)
                sizes.append(len(page.tools))
                cursor = page.next_cursor
                if cursor is None:
                    break
    assert sizes == [10, 10, 10, 10, 10, 10, 4]


@shows("translate.questions")
async def test_a_client_that_declared_nothing_is_asked_nothing(home: Home) -> None:
    with Standin(StandinOptions(protocol="modern"), clock=StandingClock()) as standin:
        async with connected(home, standin, mode=LEGACY, gateway=True, answers=False) as peer:
            results = [await peer.call(tool) for tool in ("standin_read_2", "standin_read_3", "standin_read_4")]
    assert [result["error"][0] for result in results] == [-32021] * 3
