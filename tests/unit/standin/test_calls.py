"""Every tool over the wire, in both eras, answered as a stream and as JSON."""

import json

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # the package ships no types
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from gateway.standin import Standin, StandinOptions
from gateway.standin.catalogue import Catalogue, load
from gateway.standin.tools import TOOLS

HOUR = "2027-01-01T00:00:00Z"

MINIMAL: dict[str, dict[str, object]] = {
    "get_identity": {},
    "provision_identity": {},
    "request_phone_number": {},
    "create_or_update_persona": {"city": "Springfield"},
    "get_persona": {},
    "set_auto_reply": {"enabled": False},
    "get_auto_reply": {},
    "get_forwarding": {},
    "get_signature": {},
    "get_reputation": {},
    "get_metrics": {},
    "web_search": {"query": "weather"},
    "list_messages": {},
    "get_message": {"message_id": "msg_0001"},
    "update_message": {"message_id": "msg_0002", "labels": ["work"]},
    "list_threads": {},
    "get_thread": {"thread_id": "thr_0001"},
    "send_email": {"to": "ada@example.com", "subject": "Hello", "body": "Hi"},
    "get_verification_codes": {},
    "wait_for_message": {"timeout_seconds": 1},
    "follow_verification_link": {"url": "https://a.example/verify"},
    "put_secret": {"key": "k", "value": "v"},
    "get_secret": {"key": "k"},
    "list_totp_entries": {},
    "get_totp_code": {"totp_id": "totp_0001"},
    "store_file": {"key": "notes", "content": "text"},
    "get_file": {"key": "notes"},
    "list_files": {},
    "create_page": {"slug": "home"},
    "get_page": {"slug": "home"},
    "update_page": {"slug": "home", "published": False},
    "list_pages": {},
    "upload_page_file": {"slug": "home", "path": "index.html", "content": "<p>"},
    "list_page_files": {"slug": "home"},
    "delete_page_file": {"slug": "home", "path": "index.html"},
    "delete_file": {"key": "notes"},
    "create_cron": {"webhook_url": "https://a.example/hook", "cron_expr": "0 * * * *"},
    "update_cron": {"cron_id": "cron_0001", "active": False},
    "list_crons": {},
    "get_webhook_deliveries": {},
    "delete_cron": {"cron_id": "cron_0001"},
    "list_contacts": {},
    "delete_contact": {"contact_id": "con_0001"},
    "start_registration_session": {"service_name": "Acme"},
    "get_registration_session": {"session_id": "rs_0001"},
    "list_registration_sessions": {},
    "wait_for_registration_artifact": {"session_id": "rs_0001"},
    "get_registration_artifacts": {"session_id": "rs_0001"},
    "save_browser_state": {"session_id": "rs_0001", "state": {"cookies": []}},
    "block_registration_session": {"session_id": "rs_0001", "reason": "captcha", "code": "c"},
    "save_registration": {"service_name": "Forge"},
    "get_registration": {"registration_id": "reg_0001"},
    "list_registrations": {},
    "standin_read_1": {},
    "standin_write_1": {},
    "standin_write_2": {"present": True},
    "standin_extra": {},
    "standin_write_3": {"seconds": 0},
    "standin_write_4": {"channel": "sms", "from": "+15550199", "body": "123456"},
    "standin_destructive_2": {},
    "standin_destructive_1": {},
}
"""A call that each tool accepts, in an order in which what it needs is there."""
ELSEWHERE = {"complete_registration_session", "standin_read_2", "standin_read_3", "standin_read_4"}
"""Called in tests of their own: in the story of a sign-up, and where the client answers questions."""


async def structured(client: Client, name: str, arguments: dict[str, object]) -> dict[str, object]:
    result = await client.call_tool(name, arguments)
    assert not result.is_error, result.content
    assert isinstance(result.structured_content, dict)
    return result.structured_content


async def refused(client: Client, name: str, arguments: dict[str, object]) -> str:
    result = await client.call_tool(name, arguments)
    assert result.is_error
    assert result.structured_content is None
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def test_every_tool_answers_as_its_output_schema_says(either: Standin, era: str) -> None:
    assert MINIMAL.keys() | ELSEWHERE == TOOLS.keys()
    async with Client(either.url, mode=era) as client:
        tools = load()
        for name, arguments in MINIMAL.items():
            result = await client.call_tool(name, arguments)
            assert not result.is_error, (name, result.content)
            Draft202012Validator(tools[name].output_schema).validate(result.structured_content)
            (block,) = result.content
            assert isinstance(block, TextContent)
            assert json.loads(block.text) == result.structured_content
    ran = [entry["name"] for entry in either.journal if entry.get("event") == "tool"]
    assert ran == list(MINIMAL)


async def test_tools_come_over_the_wire_as_they_are_defined(either: Standin, era: str) -> None:
    async with Client(either.url, mode=era) as client:
        assert (await client.list_tools()).tools == Catalogue().tools()


async def test_a_sign_up_from_start_to_end(either: Standin, era: str) -> None:
    async with Client(either.url, mode=era) as client:
        started = await structured(client, "start_registration_session", {"service_name": "Acme"})
        assert started["session"]["status"] == "active"  # type: ignore[index]  # the schema was checked
        found = await structured(client, "wait_for_registration_artifact", {"session_id": "rs_0001"})
        codes = await structured(client, "get_verification_codes", {"from": "acme.example"})
        assert found["artifact"]["value"] == codes["codes"][0]["code"]  # type: ignore[index]  # as above
        done = await structured(client, "complete_registration_session", {"session_id": "rs_0001"})
        assert done["session"]["status"] == "completed"  # type: ignore[index]  # as above
        kept = await structured(client, "list_registrations", {"service": "Acme"})
        assert kept["registrations"] == [done["registration"]]
        again = await refused(client, "complete_registration_session", {"session_id": "rs_0001"})
        assert again == "registration session `rs_0001` is already completed"


async def test_what_is_written_can_be_read_back(standin: Standin) -> None:
    async with Client(standin.url) as client:
        await structured(client, "put_secret", {"key": "k", "value": "v"})
        secret = {"key": "k", "value": "v", "content_type": "text/plain", "expires_at": None}
        assert await structured(client, "get_secret", {"key": "k"}) == {"secret": secret}
        sent = await structured(client, "send_email", {"to": "a@example.com", "subject": "S", "body": "B"})
        outbox = await structured(client, "list_messages", {"direction": "outbound"})
        assert outbox == {"messages": [sent["message"]], "page": 1, "total": 1}
        await structured(client, "store_file", {"key": "f", "content": "aGk=", "is_base64": True})
        stored = await structured(client, "get_file", {"key": "f"})
        assert (stored["content"], stored["file"]["size"]) == ("aGk=", 2)  # type: ignore[index]  # as above
        await structured(client, "delete_file", {"key": "f"})
        assert await refused(client, "get_file", {"key": "f"}) == "there is no file `f`"


@pytest.mark.parametrize(
    ("name", "arguments", "text"),
    [
        ("get_message", {"message_id": "x"}, "there is no message `x`"),
        ("get_thread", {"thread_id": "x"}, "there is no thread `x`"),
        ("get_secret", {"key": "x"}, "there is no secret `x`"),
        ("get_totp_code", {"totp_id": "x"}, "there is no totp entry `x`"),
        ("get_page", {"slug": "x"}, "there is no page `x`"),
        ("delete_cron", {"cron_id": "x"}, "there is no cron `x`"),
        ("delete_contact", {"contact_id": "x"}, "there is no contact `x`"),
        ("get_registration", {"registration_id": "x"}, "there is no registration `x`"),
        ("get_registration_session", {"session_id": "x"}, "there is no registration session `x`"),
        ("delete_page_file", {"slug": "x", "path": "y"}, "page `x` has no file `y`"),
        ("follow_verification_link", {}, "name a `message_id` or a `url`"),
        ("follow_verification_link", {"message_id": "msg_0001"}, "message `msg_0001` has 0 links"),
        ("list_messages", {"since": "soon"}, "`since` is not a moment: `soon`"),
        ("store_file", {"key": "f", "content": "?", "is_base64": True}, "`content` is not base64"),
        (
            "get_identity",
            {"x": 1},
            "the arguments do not fit: $: Additional properties are not allowed ('x' was unexpected)",
        ),
    ],
)
async def test_what_a_tool_cannot_do_is_a_result(
    standin: Standin, name: str, arguments: dict[str, object], text: str
) -> None:
    async with Client(standin.url) as client:
        assert await refused(client, name, arguments) == text


async def test_a_tool_that_is_not_announced_is_an_error_of_the_protocol(either: Standin, era: str) -> None:
    async with Client(either.url, mode=era) as client:
        for name in ("no_such_tool", "standin_extra"):
            with pytest.raises(MCPError, match=f"^there is no tool `{name}`$") as caught:
                await client.call_tool(name, {})
            assert caught.value.code == -32602
    assert not [entry for entry in either.journal if entry.get("event") == "tool"]


async def test_an_expired_secret_is_gone(standin: Standin) -> None:
    async with Client(standin.url) as client:
        await structured(client, "put_secret", {"key": "k", "value": "v", "expires_at": "2001-01-01T00:00:00Z"})
        assert await refused(client, "get_secret", {"key": "k"}) == "secret `k` has expired"


async def test_echo_returns_what_it_was_given(either: Standin, era: str) -> None:
    given: dict[str, object] = {"a": [1, 2.5, None, True], "ü": {"b": "\u2028"}, "big": 2**60}
    async with Client(either.url, mode=era) as client:
        assert await structured(client, "standin_read_1", given) == {"echo": given}


async def test_the_list_of_tools_comes_in_pages(start: object, era: str) -> None:
    assert callable(start)
    standin = start(StandinOptions(page_size=30))
    async with Client(standin.url, mode=era) as client:
        names: list[str] = []
        cursor: str | None = None
        for expected in (30, 30, 4):
            page = await client.list_tools(cursor=cursor)
            assert len(page.tools) == expected
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
        assert cursor is None
        assert len(set(names)) == 64
        with pytest.raises(MCPError, match=r"^`nonsense` is not a cursor of this server$"):
            await client.list_tools(cursor="nonsense")
