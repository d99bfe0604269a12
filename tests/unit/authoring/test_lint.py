"""What a person would regret in a valid policy, and nothing that is not certain."""

import json
from typing import Any

import pytest

from gateway.authoring.lint import as_problems, lint
from gateway.catalogue import Catalogue
from gateway.policy import Policy, load
from tests import samples

HOUR = {"counter": "h", "window": "hour", "max": 10, "scope": "grant"}


def policy(tools: Any, **more: Any) -> Policy:
    sections = {"resources": {"default": "allow"}, "prompts": {"default": "allow"}}
    return load(json.dumps({"version": "1", "default": "deny", **sections, "tools": tools, **more}).encode(), name="p")


def when(path: str, op: str, value: Any, *more: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}, *(item["conditions"][0] for item in more)]}


def server(**schemas: Any) -> Catalogue:
    catalogue = Catalogue()
    tools: Any = [
        {"name": name, "inputSchema": {"type": "object", "properties": schema, "required": [*{"to"} & schema.keys()]}}
        for name, schema in schemas.items()
    ]
    catalogue.page(None, {"tools": tools})
    return catalogue


SERVER = server(
    send={
        "to": {"type": "string"},
        "cc": {"type": "array", "items": {"properties": {"name": {}}}},
        "any": {"$ref": "#/x"},
    },
    delete_note={},
    get={},
)


def said(found: Policy, catalogue: Catalogue | None = SERVER) -> list[tuple[str, str, str]]:
    return [(item.pointer, item.message, item.hint) for item in lint(found, catalogue)]


@pytest.mark.parametrize(
    ("tools", "more", "expected"),
    [
        (
            {"sned": {}},
            {},
            ("/tools/sned", "the server has no tool `sned`", "did you mean `send`?"),
        ),
        (
            {"send": {}},
            {"hide": ["zzz"]},
            ("/hide/0", "the server has no tool `zzz`", "`keyid-gateway tools` lists what it has"),
        ),
        (
            {"gt*": {}},
            {},
            ("/tools/gt*", "no tool of the server matches `gt*`", "`keyid-gateway tools` lists what it has"),
        ),
        (
            {"send": {"deny_if": [when("session.calls.gett", "gt", 1)]}},
            {},
            ("/tools/send/deny_if/0/conditions/0/path", "the server has no tool `gett`", "did you mean `get`?"),
        ),
        (
            {"send": {"deny_if": [when("args.too", "exists", True)]}},
            {},
            (
                "/tools/send/deny_if/0/conditions/0/path",
                "`send` has no argument `args.too`: its schema does not name `too`",
                "did you mean `to`?",
            ),
        ),
        (
            {"send": {"deny_if": [when("args.cc[*].nick", "exists", True)]}},
            {},
            (
                "/tools/send/deny_if/0/conditions/0/path",
                "`send` has no argument `args.cc[*].nick`: its schema does not name `nick`",
                "it has `name`",
            ),
        ),
        (
            {"get": {"deny_if": [when("args.x", "exists", True)]}},
            {},
            (
                "/tools/get/deny_if/0/conditions/0/path",
                "`get` has no argument `args.x`: its schema does not name `x`",
                "it has none",
            ),
        ),
        (
            {"send": {"require": [when("args.any", "regex", "@example\\.com$")]}},
            {},
            (
                "/tools/send/require/0/conditions/0/value",
                "matches anywhere in the text: `@example\\.com$` is not anchored",
                "begin it with `^` and end it with `$`, so that the whole text must match",
            ),
        ),
        (
            {"send": {"deny_if": [when("args.to", "regex", "\bkey\b")]}},
            {},
            (
                "/tools/send/deny_if/0/conditions/0/value",
                "the pattern has a backspace in it: a backslash was probably lost",
                "write it twice: `\\\\b`",
            ),
        ),
        (
            {"send": {"require": [when("tool.annotations.readOnlyHint", "eq", True)]}},
            {},
            (
                "/tools/send/require/0/conditions/0/path",
                "trusts the server: `tool.annotations.readOnlyHint` is what it says of itself",
                "name the tools instead",
            ),
        ),
        (
            {"send": {}},
            {"default": "allow"},
            (
                "/default",
                "what destroys is open, because `default` is `allow` and nothing names it: `delete_note`",
                "`hide` them, or set `default` to `deny`",
            ),
        ),
        (
            {"send": {}},
            {"hide": ["send"]},
            (
                "/tools/send",
                "`send` is hidden by `/hide/0`: nothing here ever decides",
                "hidden wins: take it out of `hide`, or take the entry out",
            ),
        ),
        (
            {"send": {"action": "deny", "limits": [HOUR]}},
            {},
            (
                "/tools/send/limits/0",
                "never decides: `/tools/send/action` refuses every call before it",
                "take out the action, or all that stands beside it",
            ),
        ),
        (
            {"send": {"deny_if": [when("args.any", "eq", 1), when("args.any", "eq", 1, when("args.any.x", "eq", 1))]}},
            {},
            (
                "/tools/send/deny_if/1",
                "never decides: `/tools/send/deny_if/0` refuses every call that this would",
                "take it out, or say what it should add",
            ),
        ),
        (
            {"send": {"require": [when("args.any", "eq", 1), when("args.any", "eq", 1, when("args.any.x", "eq", 1))]}},
            {},
            (
                "/tools/send/require/0",
                "never decides: `/tools/send/require/1` refuses every call that this would",
                "take it out, or say what it should add",
            ),
        ),
        (
            {"send": {"deny_if": [when("args.any", "eq", 1), when("args.any", "eq", 1)]}},
            {},
            (
                "/tools/send/deny_if/1",
                "says the same as `/tools/send/deny_if/0`",
                "take it out, or say what it should add",
            ),
        ),
        (
            {"send": {"require": [when("time.hour", "lt", 24)]}},
            {},
            ("/tools/send/require/0", "always holds: it refuses nothing", "take it out, or mend its conditions"),
        ),
        (
            {"send": {"require": [{"conditions": []}]}},
            {},
            ("/tools/send/require/0", "always holds: it has no conditions", "give it conditions, or take it out"),
        ),
        (
            {"send": {"require": [when("time.hour", "eq", "9")]}},
            {},
            ("/tools/send/require/0", "never holds: it refuses every call", "mend it, or say `action`: `deny`"),
        ),
        (
            {"send": {"deny_if": [when("time.weekday", "gt", 7)]}},
            {},
            ("/tools/send/deny_if/0", "never fires: its conditions cannot hold together", "mend it, or take it out"),
        ),
        (
            {"send": {"deny_if": [when("tool.name", "eq", "get")]}},
            {},
            ("/tools/send/deny_if/0", "never fires: its conditions cannot hold together", "mend it, or take it out"),
        ),
        (
            {"send": {"deny_if": [when("args.to", "exists", False, when("args.to", "eq", "x"))]}},
            {},
            ("/tools/send/deny_if/0", "never fires: its conditions cannot hold together", "mend it, or take it out"),
        ),
        (
            {"send": {"limits": [HOUR, {"counter": "d", "window": "day", "max": 240, "scope": "grant"}]}},
            {},
            (
                "/tools/send/limits/1",
                "can never be reached: `/tools/send/limits/0` (10 per hour) stops first",
                "lower its `max`, or take it out",
            ),
        ),
        (
            {"send": {"limits": [{**HOUR, "max": 100, "scope": "session"}]}},
            {"all_tools": {"limits": [{"counter": "a", "window": "day", "max": 100, "scope": "server"}]}},
            (
                "/tools/send/limits/0",
                "can never be reached: `/all_tools/limits/0` (100 per day) stops first",
                "lower its `max`, or take it out",
            ),
        ),
        (
            {"send": {"limits": [HOUR, {**HOUR, "counter": "again"}]}},
            {},
            (
                "/tools/send/limits/1",
                "can never be reached: `/tools/send/limits/0` (10 per hour) stops first",
                "lower its `max`, or take it out",
            ),
        ),
    ],
)
def test_a_warning(tools: Any, more: Any, expected: tuple[str, str, str]) -> None:
    assert said(policy(tools, **more)) == [expected]


@pytest.mark.parametrize(
    ("tools", "more"),
    [
        ({"send": {}, "get*": {}}, {"hide": ["delete_*", "*"][:1]}),
        ({"send": {"deny_if": [when("args.any.x.y", "exists", True), when("args.cc[0].name", "exists", True)]}}, {}),
        ({"*e*": {"deny_if": [when("args.to", "exists", True)]}}, {}),
        ({"send": {"require": [when("args.to", "regex", "^[a-z]+$"), when("args.to", "regex", "\\S")]}}, {}),
        ({"send": {"require": [when("args.to", "regex", "(?i)^a(b|$)")]}}, {}),
        ({"send": {"deny_if": [when("args.to", "regex", "key")]}}, {}),
        ({"send": {"deny_if": [when("tool.annotations.destructiveHint", "eq", True)]}}, {}),
        ({"s*": {"deny_if": [when("tool.name", "eq", "send")]}}, {}),
        ({"send": {"deny_if": [when("args.to", "eq", "x", when("args.to", "eq", "y"))]}}, {}),
        ({"send": {"deny_if": [when("args.cc[0]", "exists", False, when("args.cc[0]", "eq", "y"))]}}, {}),
        ({"send": {"deny_if": [when("args.to", "exists", False, when("args.to", "eq", None))]}}, {}),
        ({"send": {"limits": [HOUR, {"counter": "d", "window": "day", "max": 239, "scope": "grant"}]}}, {}),
        ({"send": {"limits": [{**HOUR, "max": 5, "scope": "session"}, {**HOUR, "counter": "g"}]}}, {}),
        ({"send": {"limits": [{**HOUR, "per": "args.to"}, {**HOUR, "counter": "g", "max": 20}]}}, {}),
        ({"send": {"mode": "observe", "limits": [HOUR]}}, {"all_tools": {"limits": [{**HOUR, "max": 11}]}}),
        ({}, {"default": "allow", "hide": ["delete_*"]}),
        ({"delete_note": {"action": "deny"}}, {"default": "allow"}),
    ],
)
def test_no_warning(tools: Any, more: Any) -> None:
    assert said(policy(tools, **more)) == []


def test_without_the_servers_list_only_slips_of_published_names_are_seen() -> None:
    found = policy({"send_emial": {}, "my_own_tool": {}, "get_messages": {}, "send_email": {}}, hide=["delete_fiel"])
    assert said(found, None) == [
        (
            "/tools/send_emial",
            "KeyID publishes no tool `send_emial`",
            "did you mean `send_email`? --live asks the server",
        ),
        ("/hide/0", "KeyID publishes no tool `delete_fiel`", "did you mean `delete_file`? --live asks the server"),
    ]


def test_an_open_default_is_judged_by_published_names_where_the_policy_knows_them() -> None:
    (found,) = said(policy({"get_file": {}}, default="allow", hide=["delete_file"]), None)
    assert found[1] == (
        "what destroys is open, because `default` is `allow` and nothing names it: "
        "`delete_contact`, `delete_cron`, `delete_page_file`"
    )
    assert said(policy({"create_issue": {}}, default="allow"), None) == []


def test_a_policy_for_another_server_is_told_once() -> None:
    assert said(policy({name: {} for name in "abcde"}, hide=["f", "g*"])) == [
        (
            "/tools",
            "the server has none of the 5 tools that are named here",
            "is the policy for another server? name that with --upstream",
        )
    ]


def test_missing_sections_are_a_note() -> None:
    document = {"version": "1", "default": "deny", "prompts": {"default": "deny"}, "tools": {"get": {}}}
    (finding,) = lint(load(json.dumps(document).encode(), name="p"), None)
    assert (finding.level, finding.pointer) == ("note", "/default")
    assert finding.message == "no `resources`: by `default`, every one of them is refused"
    assert finding.hint == 'if the client needs them: `resources`: `{ "default": "deny", "allow": [ … ] }`'


def test_findings_have_lines_in_json_and_in_yaml() -> None:
    yaml = b'version: "1"\ndefault: deny\nresources: {default: deny}\nprompts: {default: deny}\ntools:\n  sned: {}\n'
    found = load(yaml, name="p.yaml")
    (problem,) = as_problems(found, lint(found, SERVER))
    assert (problem.line, problem.column, problem.pointer) == (6, 3, "/tools/sned")


@pytest.mark.parametrize("name", samples.names())
def test_the_samples_have_no_warning(name: str) -> None:
    assert [item for item in lint(samples.read(name).policy, None) if item.level == "warning"] == []
