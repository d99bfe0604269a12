"""What the gateway says of its own accord, and to whom."""

import json
from typing import Any

import pytest

from gateway.jsonrpc import Message, parse
from gateway.notices import Notices

Json = Any
CHANGING: Json = {"tools": {"listChanged": True}, "prompts": {"listChanged": True}, "resources": {}}


class Told:
    """Notices for one client, and what it was told."""

    def __init__(self, *, in_session: bool = True) -> None:
        self.lines: list[Json] = []
        self.notices = Notices(self._send, lambda: in_session)

    async def _send(self, line: bytes) -> None:
        self.lines.append(json.loads(line))

    @property
    def methods(self) -> list[str]:
        return [line["method"].removeprefix("notifications/") for line in self.lines]


def listen(identifier: Json, **wanted: Json) -> Message:
    params = {"notifications": wanted}
    body = {"jsonrpc": "2.0", "id": identifier, "method": "subscriptions/listen", "params": params}
    message = parse(json.dumps(body).encode())
    assert isinstance(message, Message)
    return message


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize(
    ("capabilities", "said"),
    [
        ({"logging": {}}, True),
        ({}, False),
        (None, False),
    ],
)
async def test_an_error_is_told_where_the_server_logs(capabilities: Json, said: bool) -> None:
    told = Told()
    told.notices.opened({"capabilities": capabilities})
    await told.notices.error("text")
    assert told.methods == (["message"] if said else [])


@pytest.mark.parametrize(
    ("level", "said"),
    [("debug", True), ([], True), ("error", True), ("critical", False), ("alert", False), ("emergency", False)],
)
async def test_an_error_is_not_told_to_who_wants_only_worse(level: Json, said: bool) -> None:
    told = Told()
    told.notices.opened({"capabilities": {"logging": {}}})
    told.notices.set_level(level)
    await told.notices.error("text")
    assert told.methods == (["message"] if said else [])


async def test_a_client_that_lowers_the_level_again_is_told() -> None:
    told = Told()
    told.notices.opened({"capabilities": {"logging": {}}})
    told.notices.set_level("alert")
    told.notices.set_level("info")
    await told.notices.error("text")
    assert told.methods == ["message"]


async def test_after_a_renewal_the_lists_that_may_change_have_changed() -> None:
    told = Told()
    told.notices.opened({"capabilities": CHANGING})
    await told.notices.all_changed()
    assert told.methods == ["tools/list_changed", "prompts/list_changed"]


async def test_nobody_is_told_without_a_session_but_who_listens() -> None:
    told = Told(in_session=False)
    told.notices.opened({"capabilities": CHANGING})
    told.notices.listens("l", listen("l", promptsListChanged=True, toolsListChanged=False))
    told.notices.listens(7, listen(7, toolsListChanged=True))
    await told.notices.all_changed()
    tags = [line["params"]["_meta"] for line in told.lines]
    assert told.methods == ["tools/list_changed", "prompts/list_changed"]
    assert tags == [{"io.modelcontextprotocol/subscriptionId": identifier} for identifier in (7, "l")]
    told.notices.stops("l")
    told.notices.stops(7)
    await told.notices.all_changed()
    assert len(told.lines) == 2
