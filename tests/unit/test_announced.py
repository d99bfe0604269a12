"""What follows from a list of tools."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from gateway.announced import Announced, not_announced, unjudgeable
from gateway.catalogue import Catalogue
from gateway.errors import StateError
from gateway.jsonrpc import Json
from gateway.policy import Policy, load
from gateway.state import lists

SERVER = "https://mcp.example/mcp"


def policy(*tools: str, hide: tuple[str, ...] = ()) -> Policy:
    document = {"version": "1", "default": "deny", "hide": hide, "tools": {name: {} for name in tools}}
    return load(json.dumps(document).encode(), name="p")


def catalogue(*names: str) -> Catalogue:
    found = Catalogue()
    found.page(None, {"tools": [{"name": name} for name in names]})
    return found


async def opened() -> None:
    """The state file is there."""


async def settle(announced: Announced) -> None:
    while announced._busy:
        await asyncio.gather(*announced._busy)


def test_names_of_tools_and_of_what_is_hidden_are_looked_for() -> None:
    assert not_announced(policy("a", "b", hide=("c", "*")), ("b",)) == ["a", "c"]


async def test_a_list_is_kept(tmp_path: Path) -> None:
    announced = Announced(tmp_path / "state.db", SERVER, opened)
    announced.listed(catalogue("a"), None)
    await settle(announced)
    found = lists.last(tmp_path / "state.db", SERVER)
    assert found is not None
    assert found.names() == ("a",)


async def test_without_a_state_file_nothing_is_kept(tmp_path: Path) -> None:
    async def fails() -> None:
        raise StateError("the state file is locked")

    announced = Announced(tmp_path / "state.db", SERVER, fails)
    announced.listed(catalogue("a"), None)
    await settle(announced)
    assert lists.last(tmp_path / "state.db", SERVER) is None


async def test_names_that_the_server_lacks_are_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    announced = Announced(tmp_path / "state.db", SERVER, opened)
    here = catalogue("send_email", "get_identity")
    with caplog.at_level(logging.WARNING):
        announced.judged(here, policy("send_emial", "zzz", "get_identity"))
        announced.listed(here, policy("send_emial", "zzz", "get_identity"))
        await settle(announced)
    assert caplog.messages == [
        "the policy names 2 tools that this server does not announce; `send_emial` (did you mean `send_email`?); `zzz`"
    ]


async def test_many_names_are_cut(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    announced = Announced(tmp_path / "state.db", SERVER, opened)
    with caplog.at_level(logging.WARNING):
        announced.judged(catalogue("z"), policy(*"abcdefg"))
        await settle(announced)
    assert caplog.messages[0].endswith("`d`; `e`; and 2 more: see `keyid-gateway tools`")


async def test_nothing_is_said_before_the_list_is_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    announced = Announced(tmp_path / "state.db", SERVER, opened)
    with caplog.at_level(logging.WARNING):
        announced.judged(Catalogue(), policy("a"))
        announced.judged(catalogue("a"), None)
        announced.judged(catalogue("a"), policy("a"))
        await settle(announced)
    assert caplog.messages == []


async def test_a_schema_that_the_policy_looks_at_and_that_cannot_be_used_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    validated = {"validate": {"schema": True}}
    document = {"version": "1", "default": "deny", "tools": {"a": validated, "b": {}, "c": validated}}
    looking = load(json.dumps(document).encode(), name="p")
    found = Catalogue()
    schemas: dict[str, Json] = {"a": {"type": "strin"}, "b": {"type": "strin"}, "c": {}}
    found.page(None, {"tools": [{"name": name, "inputSchema": schema} for name, schema in schemas.items()]})
    assert list(unjudgeable(looking, found)) == ["a"]
    announced = Announced(tmp_path / "state.db", SERVER, opened)
    announced.judged(found, looking)
    await settle(announced)
    (said,) = caplog.messages
    assert said.startswith("every call of `a` is denied, because its input schema cannot be used: ")
