"""What a client gets to see of a list, and when another policy shows it another one."""

import json

import pytest

from gateway.filters import changed_lists, filtered, visible, without_denied_subscriptions
from gateway.jsonrpc import Json, Message, parse, parse_upstream
from gateway.policies import NoPolicy
from gateway.policy import Policy, load

NONE = NoPolicy("there is none")


def policy(**more: object) -> Policy:
    return load(json.dumps({"version": "1", "default": "allow", **more}).encode(), name="policy")


def asked(method: str, **params: Json) -> Message:
    message = parse(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
    assert isinstance(message, Message)
    return message


def listed(text: bytes) -> Message:
    message = parse_upstream(b'{"jsonrpc": "2.0", "id": 1, ' + text + b"}")
    assert isinstance(message, Message)
    return message


TOOLS = listed(b'"result": {"tools": [{"name": "a", "n": 1.0}, {"name": "b"}], "nextCursor": "c", "x": 1e2}')


def test_a_list_of_which_nothing_is_removed_stays_byte_for_byte() -> None:
    assert filtered(asked("tools/list"), TOOLS, policy(), ()) == TOOLS.raw
    assert filtered(asked("tools/list"), TOOLS, policy(hide=["c"]), ()) == TOOLS.raw


def test_what_is_hidden_is_removed_and_all_else_stays_as_it_was_written() -> None:
    kept = filtered(asked("tools/list"), TOOLS, policy(hide=["b"]), ())
    assert kept == b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a","n":1.0}],"nextCursor":"c","x":1e2}}'


def test_what_is_only_denied_stays_and_without_a_policy_everything_does() -> None:
    assert filtered(asked("tools/list"), TOOLS, policy(default="deny"), ()) == TOOLS.raw
    assert filtered(asked("tools/list"), TOOLS, NONE, ()) == TOOLS.raw
    assert visible(NONE, "a")


def test_a_filtered_list_is_private_and_an_unfiltered_one_is_what_the_upstream_says() -> None:
    message = listed(b'"result": {"tools": [{"name": "a"}], "cacheScope": "public", "ttlMs": 5}')
    assert json.loads(filtered(asked("tools/list"), message, policy(), ()))["result"]["cacheScope"] == "public"
    hidden = json.loads(filtered(asked("tools/list"), message, policy(hide=["*"]), ()))["result"]
    assert hidden == {"tools": [], "cacheScope": "private", "ttlMs": 5}


@pytest.mark.parametrize(
    ("entry", "more", "shown"),
    [
        ({}, {}, True),
        ({"action": "deny"}, {}, False),
        ({"action": "require_approval"}, {}, False),
        ({"deny_if": [{"conditions": []}]}, {}, False),
        ({"rules": [{"action": "deny"}]}, {}, False),
        ({"require": [{"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}]}, {}, True),
        ({"rules": [{"action": "deny", "conditions": [{"path": "args.a", "op": "eq", "value": 1}]}]}, {}, True),
        ({"action": "deny", "mode": "observe"}, {}, True),
        ({"action": "deny"}, {"mode": "observe"}, True),
        ({}, {"all_tools": {"deny_if": [{"conditions": []}]}}, False),
        ({}, {"hide": ["b"], "mode": "observe"}, False),
    ],
)
def test_what_can_be_called_is_listed_where_only_that_is_wanted(
    entry: Json, more: dict[str, Json], shown: bool
) -> None:
    rules = policy(tools={"a": {}, "b": entry}, **more)
    assert visible(rules, "b", "callable") is shown
    kept = filtered(asked("tools/list"), TOOLS, rules, (), "callable")
    if "all_tools" not in more:
        assert [tool["name"] for tool in json.loads(kept)["result"]["tools"]] == ["a", *["b"] * shown]


def test_by_default_nothing_can_be_called_that_is_not_named_but_where_it_is_only_tried_out() -> None:
    assert not visible(policy(default="deny"), "a", "callable")
    assert visible(policy(default="deny", mode="observe"), "a", "callable")
    assert visible(NONE, "a", "callable")


def test_the_list_changes_with_what_can_be_called_only_where_only_that_is_listed() -> None:
    old, new = policy(), policy(tools={"a": {"action": "deny"}})
    assert changed_lists(["a", "b"], old, new) == ()
    assert changed_lists(["a", "b"], old, new, "callable") == ("tools",)


MODERN: Json = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
MARKED = listed(
    b'"result": {"tools": [{"name": "a"}, {"name": "evil\\u001b[0m", "inputSchema": {"x-mcp-header": "A"}}, null, '
    b'{"name": "b", "n": 1.0, "inputSchema": {"properties": {"p": {"type": "string", "x-mcp-header": "P"}}}}]}'
)


def test_a_tool_whose_headers_cannot_be_made_is_not_listed_where_headers_are_and_the_log_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for rules in (policy(), NONE):
        kept = json.loads(filtered(asked("tools/list", _meta=MODERN), MARKED, rules, ()))["result"]["tools"]
        assert [tool and tool["name"] for tool in kept] == ["a", None, "b"]
    said = r"the tool 'evil\x1b[0m' is not listed: '`x-mcp-header` stands where no argument is'"
    assert caplog.messages == [said, said]
    assert filtered(asked("tools/list"), MARKED, policy(), ()) == MARKED.raw  # before that revision a mark is nothing


@pytest.mark.parametrize("item", [b"null", b"7", b'"a"', b"{}", b'{"name": 7}', b'{"name": null}', b'{"title": "b"}'])
def test_what_has_no_name_is_not_hidden_by_one(item: bytes) -> None:
    message = listed(b'"result": {"tools": [' + item + b"]}")
    assert filtered(asked("tools/list"), message, policy(hide=["b"]), ()) == message.raw


@pytest.mark.parametrize(
    "text", [b'"error": {"code": 1, "message": "m"}', b'"result": {}', b'"result": {"Tools": []}', b'"result": null']
)
def test_an_answer_without_a_list_passes_as_it_came(text: bytes) -> None:
    message = listed(text)
    assert filtered(asked("tools/list"), message, policy(hide=["*"]), ()) == message.raw


@pytest.mark.parametrize("items", [b"{}", b'{"b": {"name": "b"}}', b'"b"', b"null", b"1"])
def test_of_what_is_no_list_nothing_is_shown(items: bytes) -> None:
    """Nobody can tell what of it is hidden."""
    message = listed(b'"result": {"tools": ' + items + b', "nextCursor": "c"}')
    shown = filtered(asked("tools/list"), message, policy(hide=["b"]), ())
    assert shown == b'{"jsonrpc":"2.0","id":1,"result":{"tools":[],"nextCursor":"c"}}'


@pytest.mark.parametrize(
    ("method", "field"),
    [("resources/list", "resources"), ("resources/templates/list", "resourceTemplates"), ("prompts/list", "prompts")],
)
def test_resources_and_prompts_are_listed_where_they_may_be_used(method: str, field: str) -> None:
    message = listed(b'"result": {"' + field.encode() + b'": [{"name": "a"}, {"name": "b"}]}')
    assert filtered(asked(method), message, policy(), ()) == message.raw
    for closed in (policy(default="deny"), NONE):
        assert json.loads(filtered(asked(method), message, closed, ()))["result"] == {field: []}


def test_only_tasks_of_judged_calls_are_listed() -> None:
    message = listed(b'"result": {"tasks": [{"taskId": "mine"}, {"taskId": "other"}, {"taskId": 7}, null]}')
    kept = json.loads(filtered(asked("tasks/list"), message, policy(), {"mine": None}))
    assert kept["result"]["tasks"] == [{"taskId": "mine"}]


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (policy(), policy(description="other"), ()),
        (policy(), policy(tools={"a": {"action": "deny"}}), ()),
        (policy(), policy(hide=["c"]), ()),
        (policy(), policy(hide=["a"]), ("tools",)),
        (policy(hide=["a"]), policy(hide=["b"]), ("tools",)),
        (policy(hide=["a", "b"]), policy(hide=["*"]), ()),
        (policy(), policy(default="deny"), ("resources", "prompts")),
        (policy(), policy(default="deny", hide=["b"]), ("tools", "resources", "prompts")),
        (NONE, policy(), ("resources", "prompts")),
        (NONE, policy(default="deny"), ()),
        (NONE, policy(default="deny", hide=["a"]), ("tools",)),
        (NONE, NoPolicy("another cause"), ()),
    ],
)
def test_a_client_hears_of_the_lists_that_look_different(
    old: Policy | NoPolicy, new: Policy | NoPolicy, changed: tuple[str, ...]
) -> None:
    assert changed_lists(["a", "b"], old, new) == changed


def test_where_no_tool_is_known_the_list_counts_as_changed() -> None:
    assert changed_lists([], policy(), policy(description="other")) == ("tools",)


def test_resources_that_may_not_be_read_are_not_listened_for() -> None:
    wanted: Json = {"toolsListChanged": True, "resourceSubscriptions": ["a:b"]}
    request = asked("subscriptions/listen", notifications=wanted)
    assert without_denied_subscriptions(request, policy(), {}) == request.raw
    for closed in (policy(default="deny"), NONE):
        sent = json.loads(without_denied_subscriptions(request, closed, {}))
        assert sent["params"]["notifications"] == {"toolsListChanged": True}
    for other in (asked("subscriptions/listen"), asked("subscriptions/listen", notifications={"x": 1})):
        assert without_denied_subscriptions(other, policy(default="deny"), {}) == other.raw


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (["mine"], ["mine"]),
        (["other", "mine", 7, None, ["mine"]], ["mine"]),
        (["other"], None),
        ([], None),
        ("mine", None),
        ({"mine": 1}, None),
    ],
)
def test_tasks_of_no_judged_call_are_not_listened_for(wanted: Json, left: Json) -> None:
    request = asked("subscriptions/listen", notifications={"resourceSubscriptions": ["a:b"], "taskIds": wanted})
    sent = json.loads(without_denied_subscriptions(request, policy(), {"mine": None}))
    expected = {"resourceSubscriptions": ["a:b"], **({} if left is None else {"taskIds": left})}
    assert sent["params"]["notifications"] == expected


def test_what_is_not_to_be_trusted_is_not_shown_either() -> None:
    def trusted(item: Json) -> bool:
        return isinstance(item, dict) and item["name"] != "b"

    shown = json.loads(filtered(asked("tools/list"), TOOLS, policy(hide=["c"]), (), trusted=trusted))
    assert [item["name"] for item in shown["result"]["tools"]] == ["a"]
    assert filtered(asked("tools/list"), TOOLS, policy(), (), trusted=lambda _: True) == TOOLS.raw
