"""`list`: which tools are shown; `conceal_hidden`: what is said of those that are hidden. In both eras."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.arena import ERAS, GOOD, STATELESS, Arena, open_arena
from tests.e2e.process import PATIENCE, Gateway, Home
from tests.e2e.scripted import Scripted

POLICY = {
    "version": "1",
    "default": "deny",
    "hide": ["delete_contact"],
    "tools": {
        GOOD: {},
        "get_identity": {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "grant"}]},
        "send_email": {"require": [{"conditions": [{"path": "args.to", "op": "eq", "value": "kim@example.com"}]}]},
        "get_secret": {"action": "deny"},
        "put_secret": {"deny_if": [{"conditions": []}]},
        "get_totp_code": {"action": "require_approval"},
        "get_file": {"action": "deny", "mode": "observe"},
        "delete_contact": {},
    },
}
CALLABLE = {GOOD, "get_identity", "send_email", "get_file"}
CHANGED = "notifications/tools/list_changed"


@pytest.fixture(scope="module", params=ERAS)
def arena(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    arguments = ("--list", "callable", "--conceal-hidden")
    with open_arena(tmp_path_factory.mktemp("home"), POLICY, request.param, *arguments) as opened:
        yield opened


def listed(arena: Arena) -> list[Any]:
    """All pages of the list, as results."""
    pages = [arena.request("tools/list")["result"]]
    while "nextCursor" in pages[-1]:
        pages.append(arena.request("tools/list", {"cursor": pages[-1]["nextCursor"]})["result"])
    return pages


def test_only_what_can_be_called_is_listed(arena: Arena) -> None:
    pages = listed(arena)
    assert {tool["name"] for page in pages for tool in page["tools"]} == CALLABLE
    if arena.era == STATELESS:
        assert {page["cacheScope"] for page in pages} == {"private"}


def test_what_is_not_listed_is_refused_as_before(arena: Arena) -> None:
    denial = arena.denies("get_secret", '{"key":"k"}')
    assert denial["content"][0]["text"] == '[POLICY DENIED] Tool "get_secret" is denied by policy'


def test_b14_a_hidden_tool_is_refused_like_one_that_does_not_exist(arena: Arena) -> None:
    answers = [arena.call(tool, {}) for tool in ("delete_contact", "no_such_tool")]
    for answer in answers:
        del answer["_meta"]["keyid-gateway/decision"]["decision_id"]
    assert json.dumps(answers[0]).replace("delete_contact", "no_such_tool") == json.dumps(answers[1])
    assert answers[0]["content"][0]["text"] == '[POLICY DENIED] Tool "delete_contact" does not exist'
    assert [record.rule for record in arena.newest(2)] == ["(hidden)", "(unknown tool)"]


def test_without_the_settings_what_is_denied_is_listed_and_what_is_hidden_is_said_to_be(tmp_path: Any) -> None:
    with open_arena(tmp_path, POLICY, ERAS[0]) as arena:
        names = {tool["name"] for page in listed(arena) for tool in page["tools"]}
        assert {"get_secret", "put_secret", "list_messages"} < names
        assert "delete_contact" not in names
        text = arena.call("delete_contact", {})["content"][0]["text"]
        assert text == '[POLICY DENIED] Tool "delete_contact" is hidden by policy'


@pytest.mark.parametrize(("listing", "told"), [("callable", True), ("all", False)])
def test_an_edit_that_changes_what_can_be_called_changes_the_list(home: Home, listing: str, told: bool) -> None:
    def policy(version: str, one: dict[str, str]) -> Any:
        tools = {"probe": {"deny_if": [{"conditions": [], "on_deny": version}]}, "one": one}
        return {"version": "1", "default": "deny", "tools": tools}

    with (
        Scripted(["probe", "one"], {"tools": {"listChanged": True}}) as upstream,
        Gateway(home, upstream.url, "--list", listing, policy=policy("first", {}), altered="watchful") as gateway,
    ):
        gateway.initialize()
        before = [tool["name"] for tool in gateway.request("tools/list")["result"]["tools"]]
        home.policy(policy("second", {"action": "deny"}))
        deadline = time.monotonic() + PATIENCE
        while "second" not in gateway.call("probe", {})["content"][0]["text"]:
            assert time.monotonic() < deadline
        after = [tool["name"] for tool in gateway.request("tools/list")["result"]["tools"]]
        assert [message["method"] for message in gateway.others].count(CHANGED) == told
        assert (before, after) == ((["one"], []) if told else (["probe", "one"], ["probe", "one"]))
