"""Resources, prompts and completion."""

import json

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import PromptReference, ResourceTemplateReference, TextContent, TextResourceContents

from gateway.standin import Standin


async def read(client: Client, uri: str) -> object:
    (content,) = (await client.read_resource(uri, cache_mode="bypass")).contents
    assert isinstance(content, TextResourceContents)
    return json.loads(content.text)


async def test_resources_are_listed_and_read(either: Standin, era: str) -> None:
    async with Client(either.url, mode=era) as client:
        listed = [resource.uri for resource in (await client.list_resources()).resources]
        assert listed == ["keyid://inbox/unread", "keyid://totp/entries", "keyid://identity"]
        unread = await read(client, "keyid://inbox/unread")
        assert isinstance(unread, list)
        assert [message["message_id"] for message in unread] == ["msg_0002", "msg_0001"]
        assert await read(client, "keyid://messages/msg_0001") == unread[1]
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "keyid://messages/{message_id}"
        secret_free = json.dumps(await read(client, "keyid://totp/entries"))
        assert "GEZDGNBV" not in secret_free


@pytest.mark.parametrize("uri", ["keyid://nothing", "keyid://messages/nothing"])
async def test_a_resource_that_is_not_there(standin: Standin, era: str, uri: str) -> None:
    async with Client(standin.url, mode=era) as client:
        with pytest.raises(MCPError, match=f"^there is no resource `{uri}`$") as caught:
            await client.read_resource(uri)
    assert caught.value.code == (-32002 if era == "legacy" else -32602)


async def test_a_prompt_is_filled_in(standin: Standin, era: str) -> None:
    async with Client(standin.url, mode=era) as client:
        assert [prompt.name for prompt in (await client.list_prompts()).prompts] == ["sign_up", "answer_message"]
        prompt = await client.get_prompt("answer_message", {"message_id": "msg_0001", "tone": "formal"})
    (message,) = prompt.messages
    assert isinstance(message.content, TextContent)
    assert message.content.text == "Read message msg_0001 and draft an answer in a formal tone. Do not send it."


@pytest.mark.parametrize(
    ("name", "text"),
    [("nothing", "there is no prompt `nothing`"), ("sign_up", "prompt `sign_up` needs `service`")],
)
async def test_a_prompt_that_cannot_be_had(standin: Standin, era: str, name: str, text: str) -> None:
    async with Client(standin.url, mode=era) as client:
        with pytest.raises(MCPError, match=f"^{text}$"):
            await client.get_prompt(name, {})


@pytest.mark.parametrize(
    ("ref", "argument", "typed", "values"),
    [
        (PromptReference(name="answer_message"), "tone", "f", ["formal", "friendly"]),
        (PromptReference(name="answer_message"), "message_id", "", ["msg_0002", "msg_0001"]),
        (PromptReference(name="sign_up"), "service", "example b", ["Example Bank"]),
        (ResourceTemplateReference(uri="keyid://messages/{message_id}"), "message_id", "msg_0001", ["msg_0001"]),
        (PromptReference(name="nothing"), "x", "", []),
    ],
)
async def test_values_are_completed(
    standin: Standin,
    era: str,
    ref: PromptReference | ResourceTemplateReference,
    argument: str,
    typed: str,
    values: list[str],
) -> None:
    async with Client(standin.url, mode=era) as client:
        result = await client.complete(ref, {"name": argument, "value": typed})
    assert result.completion.values == values
