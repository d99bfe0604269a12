"""The official SDK's client cannot tell the gateway from the server: in both eras, answered with streams and JSON."""

from collections.abc import Awaitable

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
from pydantic import BaseModel

from gateway.standin import Post
from tests.e2e.process import PATIENCE
from tests.interaction.peers import LEGACY, Json, Pair, Peer, outcome, plain, tools_that_ran
from tests.interaction.requirements import shows
from tests.interaction.story import STORY

INBOX = "keyid://inbox/unread"
HEARING = ("legacy-stream", "legacy-json", "modern-stream")
"""Where a server can say something while it works: in the stateless revision only on a stream."""


def ways(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("pair", names, indirect=True)


# --- opening ----------------------------------------------------------------------------------------------------------


@shows("open.announcement")
async def test_the_server_is_announced_in_its_own_words(pair: Pair) -> None:
    async def announced(peer: Peer) -> Json:
        client = peer.client
        return [
            client.protocol_version,
            plain(client.server_info) if client.server_info is not None else None,
            plain(client.server_capabilities),
            client.instructions,
        ]

    version, info, capabilities, instructions = await pair.same(announced)
    assert info["name"] == "keyid-standin"
    assert instructions
    assert {"tools", "resources", "prompts", "completions"} <= capabilities.keys()
    assert version == ("2025-11-25" if pair.mode == LEGACY else "2026-07-28")


# --- tools ------------------------------------------------------------------------------------------------------------


@shows("list.tools")
async def test_the_tools_are_listed_as_the_server_defines_them(pair: Pair) -> None:
    listed = await pair.same(lambda peer: outcome(peer.client.list_tools()))
    assert len(listed["tools"]) == 64
    assert all({"title", "inputSchema", "outputSchema", "annotations"} <= tool.keys() for tool in listed["tools"])


@shows("call.every-tool")
async def test_every_tool_that_is_listed_gives_the_result_that_it_gives_directly(pair: Pair) -> None:
    async def story(peer: Peer) -> Json:
        results = []
        for tool, arguments in STORY:
            results.append(await peer.call(tool, dict(arguments)))
            if tool in {"standin_write_2", "standin_destructive_2"}:  # whoever changes the tools looks at them again
                await peer.client.list_tools()
        return results

    listed = await pair.same(lambda peer: outcome(peer.client.list_tools()))
    assert {tool["name"] for tool in listed["tools"]} - {tool for tool, _ in STORY} == set()
    results = await pair.same(story)
    assert [tool for (tool, _), result in zip(STORY, results, strict=True) if not result.get("structuredContent")] == []
    assert tools_that_ran(pair.through.standin.journal) == tools_that_ran(pair.direct.standin.journal)


@shows("call.failure")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("get_message", {"message_id": "none"}), ("get_message", {}), ("get_identity", {"unknown": 1})],
)
async def test_what_a_tool_cannot_do_is_the_same_result(pair: Pair, tool: str, arguments: dict[str, Json]) -> None:
    result = await pair.same(lambda peer: peer.call(tool, arguments))
    assert result["isError"] is True


@shows("list.changed")
@ways("legacy-stream", "legacy-json")
async def test_a_changed_list_of_tools_is_announced_and_then_listed(pair: Pair) -> None:
    async def changes(peer: Peer) -> Json:
        lists = []
        for count, present in enumerate((True, False), 1):
            await peer.call("standin_write_2", {"present": present})
            await peer.seen.wait("notifications/tools/list_changed", count)
            lists.append([tool.name for tool in (await peer.client.list_tools()).tools])
        return lists

    with_it, without = await pair.same(changes)
    assert set(with_it) - set(without) == {"standin_extra"}


# --- while a call runs ------------------------------------------------------------------------------------------------


@shows("notice.progress")
@ways("legacy-stream", "modern-stream")  # elsewhere it takes another stream than the answer, and may come after it
async def test_progress_comes_to_its_call_in_order(pair: Pair) -> None:
    async def emitting(peer: Peer) -> Json:
        result = await peer.call("standin_write_1", {"count": 50}, progress_callback=peer.seen.progress)
        return [result, await peer.seen.wait("progress", 50)]

    _, seen = await pair.same(emitting)
    assert seen == [[number, 50, f"{number} of 50"] for number in range(1, 51)]


@shows("notice.log")
@ways(*HEARING)
async def test_log_messages_come_from_the_level_that_was_asked_for(pair: Pair) -> None:
    async def logging(peer: Peer) -> Json:
        if pair.mode == LEGACY:
            level = SetLevelRequest(params=SetLevelRequestParams(level="info"))
            await peer.client.session.send_request(level, EmptyResult)
        await peer.call("standin_write_1", {"count": 1, "level": "debug"})
        await peer.call("standin_write_1", {"count": 3, "level": "error"})
        return await peer.seen.wait("log", 3)

    logged = await pair.same(logging)
    assert [(one["level"], one["data"]["number"], one["logger"]) for one in logged] == [
        ("error", number, "standin") for number in (1, 2, 3)
    ]


@shows("call.cancel")
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("standin_write_3", {"seconds": 300}), ("wait_for_message", {"from": "never", "timeout_seconds": 300})],
)
async def test_a_cancelled_call_stops_at_the_server_and_the_connection_goes_on(
    pair: Pair, tool: str, arguments: dict[str, Json]
) -> None:
    async def cancelling(peer: Peer) -> Json:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.client.call_tool, tool, arguments)
            await peer.happened("tool", tool)
            tasks.cancel_scope.cancel()
        stopped = await peer.happened("cancelled", tool)
        return [stopped["arguments"], await peer.call("standin_read_1", {"still": "alive"})]

    await pair.same(cancelling)


@shows("ask.sampling", "ask.elicitation", "ask.roots")
@pytest.mark.parametrize(
    ("tool", "arguments", "asked"),
    [
        ("standin_read_2", {"prompt": "Wie geht's? ÷", "max_tokens": 7}, "sampling"),
        ("standin_read_3", {"message": "Was?\n\u2028"}, "elicitation"),
        ("standin_read_4", {}, "roots"),
    ],
)
async def test_the_server_can_ask_the_client(pair: Pair, tool: str, arguments: dict[str, Json], asked: str) -> None:
    async def asking(peer: Peer) -> Json:
        return [await peer.call(tool, arguments), peer.seen.said]

    result, said = await pair.same(asking)
    assert result["structuredContent"]["answer"]
    assert [kind for kind, _ in said] == [asked]


@shows("ask.refused")
@pytest.mark.parametrize("tool", ["standin_read_2", "standin_read_3", "standin_read_4"])
async def test_what_the_client_refuses_is_refused_in_its_words(pair: Pair, tool: str) -> None:
    async def refusing(peer: Peer) -> Json:
        peer.seen.refuse = True
        return await peer.call(tool)

    result = await pair.same(refusing)
    assert "the person refused" in str(result)


# --- resources, prompts, completion -----------------------------------------------------------------------------------


@shows("offer.resources")
async def test_resources_are_listed_and_read_as_they_are_directly(pair: Pair) -> None:
    async def reading(peer: Peer) -> Json:
        client = peer.client
        listed = await client.list_resources()
        uris = [resource.uri for resource in listed.resources] + ["keyid://messages/msg_0001", "keyid://nothing/ö"]
        read = [await outcome(client.read_resource(uri)) for uri in uris]
        return [plain(listed), plain(await client.list_resource_templates()), read]

    _, templates, read = await pair.same(reading)
    assert len(templates["resourceTemplates"]) == 1
    assert [sorted(one) for one in read[:4]] == 4 * [sorted(read[0])]
    assert read[-1]["error"][0] == (-32002 if pair.mode == LEGACY else -32602)


async def ask(peer: Peer, request: BaseModel) -> Json:
    """A request that the SDK's client has no undeprecated method for."""
    assert isinstance(request, SubscribeRequest | UnsubscribeRequest)
    return await outcome(peer.client.session.send_request(request, EmptyResult))


def deliver(peer: Peer, subject: str) -> Awaitable[object]:
    return anyio.to_thread.run_sync(peer.standin.deliver, Post("email", "a@b.example", subject, "Hi"))


@shows("offer.subscriptions")
@ways("legacy-stream", "legacy-json")
async def test_a_subscriber_hears_of_changes_until_it_unsubscribes(pair: Pair) -> None:
    async def subscribing(peer: Peer) -> Json:
        await deliver(peer, "too early")
        answers = [await ask(peer, SubscribeRequest(params=SubscribeRequestParams(uri=INBOX)))]
        await deliver(peer, "one")
        await peer.seen.wait("notifications/resources/updated", 1)
        await deliver(peer, "two")
        await peer.seen.wait("notifications/resources/updated", 2)
        answers.append(await ask(peer, UnsubscribeRequest(params=UnsubscribeRequestParams(uri=INBOX))))
        await deliver(peer, "too late")
        await peer.call("standin_write_2", {"present": False})  # what came after it on the same stream
        await peer.seen.wait("notifications/tools/list_changed", 1)
        return [answers, peer.seen.of("notifications/resources/updated")]

    _, updates = await pair.same(subscribing)
    assert updates == [{"uri": INBOX}, {"uri": INBOX}]


@shows("offer.subscriptions", "list.changed", "modern.listen")
@ways("modern-stream", "modern-json")
async def test_a_listener_hears_of_what_it_asked_for(pair: Pair) -> None:
    async def event(subscription: Subscription) -> str:
        with anyio.fail_after(PATIENCE):
            return repr(await anext(aiter(subscription)))

    async def listening(peer: Peer) -> Json:
        async with peer.client.listen(tools_list_changed=True, resource_subscriptions=[INBOX]) as subscription:
            honoured = plain(subscription.honored)
            await deliver(peer, "one")
            heard = [await event(subscription)]
            await peer.call("standin_write_2", {"present": True})
            heard.append(await event(subscription))
            names = [tool.name for tool in (await peer.client.list_tools()).tools]
        return [honoured, heard, "standin_extra" in names, await peer.call("standin_extra")]

    _, heard, _, extra = await pair.same(listening)
    assert [text.partition("(")[0] for text in heard] == ["ResourceUpdated", "ToolsListChanged"]
    assert extra["structuredContent"] == {"extra": True}


@shows("offer.prompts")
async def test_prompts_are_listed_and_got_as_they_are_directly(pair: Pair) -> None:
    async def getting(peer: Peer) -> Json:
        client = peer.client
        return [
            plain(await client.list_prompts()),
            await outcome(client.get_prompt("sign_up", {"service": "Forge {tone} ÷"})),
            await outcome(client.get_prompt("sign_up")),
            await outcome(client.get_prompt("none", {})),
        ]

    listed, got, incomplete, unknown = await pair.same(getting)
    assert len(listed["prompts"]) == 2
    assert "Forge {tone} ÷" in got["messages"][0]["content"]["text"]
    assert [incomplete["error"][0], unknown["error"][0]] == [-32602, -32602]


@shows("offer.completion")
async def test_completion_offers_the_same_values(pair: Pair) -> None:
    async def completing(peer: Peer) -> Json:
        prompt = PromptReference(type="ref/prompt", name="answer_message")
        template = ResourceTemplateReference(type="ref/resource", uri="keyid://messages/{message_id}")
        return [
            await outcome(peer.client.complete(prompt, {"name": "tone", "value": "f"})),
            await outcome(peer.client.complete(template, {"name": "message_id", "value": ""}, {"other": "x"})),
        ]

    tones, ids = await pair.same(completing)
    assert tones["completion"]["values"] == ["formal", "friendly"]
    assert ids["completion"]["total"] == 2


# --- errors, pings ----------------------------------------------------------------------------------------------------


@shows("error.same")
async def test_an_error_of_the_server_is_the_same_error(pair: Pair) -> None:
    async def failing(peer: Peer) -> Json:
        client = peer.client
        return [
            await outcome(client.list_tools(cursor="nonsense")),
            await outcome(client.list_tools(cursor="")),
            await outcome(client.read_resource("keyid://messages/none")),
            await outcome(client.get_prompt("none")),
        ]

    errors = await pair.same(failing)
    assert [error["error"][0] for error in errors][:2] == [-32602, -32602]
    assert all(error["error"][1] for error in errors)


@shows("ping")
@ways("legacy-stream", "legacy-json")
async def test_a_ping_is_answered(pair: Pair) -> None:
    assert await pair.same(lambda peer: outcome(peer.client.session.send_ping())) == {}


# --- much at once, much in one ----------------------------------------------------------------------------------------


@shows("call.concurrent")
@ways("legacy-stream", "modern-stream")
async def test_200_calls_at_once_get_their_own_answers_and_none_waits_for_another(pair: Pair) -> None:
    async def crowd(peer: Peer) -> Json:
        results: dict[int, Json] = {}

        async def one(number: int) -> None:
            results[number] = await peer.call("standin_read_1", {"number": number})

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(peer.client.call_tool, "standin_write_3", {"seconds": 300})
            await peer.happened("tool", "standin_write_3")
            async with anyio.create_task_group() as together:
                for number in range(200):
                    together.start_soon(one, number)
            tasks.cancel_scope.cancel()
        return [results[number] for number in range(200)]

    results = await pair.same(crowd)
    assert [one["structuredContent"]["echo"] for one in results] == [{"number": number} for number in range(200)]


@shows("call.large")
@ways("legacy-stream", "modern-json")
async def test_five_mebibytes_pass_whole_both_ways(pair: Pair) -> None:
    text = 'ü\u2028\\"\x00' + "0123456789abcdef" * (5 * 2**16)
    peer = pair.through  # directly, the SDK's client takes no event of more than 1 MiB
    with anyio.fail_after(PATIENCE):
        result = await peer.call("standin_read_1", {"text": text})
    assert result["structuredContent"]["echo"]["text"] == text
    (_, arguments), *_ = reversed(tools_that_ran(peer.standin.journal))
    assert arguments == {"text": text}
