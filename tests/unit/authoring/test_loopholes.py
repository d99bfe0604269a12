"""What a condition does not see, or can never judge; and nothing of the kind where it does."""

import json
from typing import Any

import pytest

from gateway.authoring.lint import lint
from gateway.catalogue import Catalogue
from gateway.policy import Policy, load

COLLEAGUES = r"^[A-Za-z0-9._+-]+@example\.com$"
NO_COPIES = [{"conditions": [{"path": f"args.{name}[*]", "op": "exists", "value": True}]} for name in ("cc", "bcc")]
HOUR = {"counter": "h", "window": "hour", "max": 10, "scope": "grant"}


def policy(tools: Any, **more: Any) -> Policy:
    sections = {"resources": {"default": "deny"}, "prompts": {"default": "deny"}}
    return load(json.dumps({"version": "1", "default": "deny", **sections, "tools": tools, **more}).encode(), name="p")


def when(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def server() -> Catalogue:
    text, texts = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    mail = {"to": text, "cc": texts, "bcc": texts, "n": {"type": "integer"}, "maybe": {"type": ["string", "null"]}}
    many = {"to": texts, "n": {"type": "object"}, "any": {}, "choice": {"anyOf": [text, texts]}}
    catalogue = Catalogue()
    tools: Any = [
        {"name": "mail", "inputSchema": {"type": "object", "properties": mail, "required": ["to"]}},
        {"name": "many", "inputSchema": {"type": "object", "properties": many, "required": ["to", "n"]}},
        {"name": "bare", "inputSchema": {"type": "object"}},
    ]
    catalogue.page(None, {"tools": tools})
    return catalogue


def said(found: Policy, catalogue: Catalogue | None) -> list[tuple[str, str, str, str]]:
    return [(item.level, item.pointer, item.message, item.hint) for item in lint(found, catalogue)]


@pytest.mark.parametrize(
    ("entry", "pointer", "message", "hint"),
    [
        (
            {"deny_if": [when("args.bcc[0]", "exists", True)]},
            "/deny_if/0/conditions/0/path",
            "does not see `[null, …]`: null counts as absent",
            "`args.bcc[*]` looks at every element",
        ),
        (
            {"deny_if": [when("args.cc[5]", "exists", True)]},
            "/deny_if/0/conditions/0/path",
            "does not see `[null, null, …]`: null counts as absent",
            "add a `deny_if` with `args.cc[*]` `exists` `false`: then no element is null",
        ),
        (
            {"require": [when("args.to", "regex", r"^.+@example\.com$")], "deny_if": NO_COPIES},
            "/require/0/conditions/0/value",
            "a second address passes: `eve@evil.example,x@example.com` matches",
            "name what an address may consist of: `^[A-Za-z0-9._+-]+@example\\\\.com$`",
        ),
        (
            {"require": [when("args.to", "regex", r"^kim@example.com$")], "deny_if": NO_COPIES},
            "/require/0/conditions/0/value",
            "another domain passes: `kim@examplexcom` matches",
            "a dot that is only a dot is written `\\\\.`",
        ),
    ],
)
def test_a_hole_is_seen_without_the_servers_list(entry: Any, pointer: str, message: str, hint: str) -> None:
    assert said(policy({"mail": entry}), None) == [("warning", f"/tools/mail{pointer}", message, hint)]


@pytest.mark.parametrize(
    "entry",
    [
        {"deny_if": NO_COPIES},
        {"deny_if": [when("args.cc[5]", "exists", True), when("args.cc[*]", "exists", False)]},
        {"deny_if": [when("args.cc[0]", "exists", True)], "validate": {"schema": True}},
        {"deny_if": [when("args.cc[0]", "exists", False)]},
        {"deny_if": [when("args.cc[0]", "eq", "x"), when("args.cc[0].name", "exists", True)]},
        {"require": [when("args.cc[0]", "exists", True)]},
        {"require": [when("args.to", "regex", COLLEAGUES)]},
        {"require": [when("args.to", "regex", r"^[^@,;<>\s]+@[a-z]+\.[a-z]+$")]},
        {"require": [when("args.to", "regex", r"^(kim|ada)@(example|example\.org)\.com$")]},
        {"require": [when("args.to", "regex", r"^@[a-z]+$")]},
        {"deny_if": [when("args.to", "regex", r"^.*@evil.example$")]},
    ],
)
def test_no_hole(entry: Any) -> None:
    assert said(policy({"mail": entry}), None) == []


@pytest.mark.parametrize(
    ("tool", "kind", "path", "op", "value", "message", "hint"),
    [
        (
            "mail",
            "deny_if",
            "args.cc",
            "regex",
            "evil",
            "by the schema `args.cc` is a list, which this `regex` cannot compare: every call that has it is denied",
            "`args.cc[*]` is each of its elements",
        ),
        (
            "many",
            "require",
            "args.to",
            "in",
            ["a"],
            "by the schema `args.to` is a list, which this `in` cannot compare: every call is denied",
            "`args.to[*]` is each of its elements",
        ),
        (
            "many",
            "require",
            "args.n",
            "lt",
            5,
            "by the schema `args.n` is an object, which this `lt` cannot compare: every call is denied",
            "compare the same type",
        ),
        (
            "mail",
            "deny_if",
            "args.n",
            "eq",
            "5",
            "by the schema `args.n` is a number, which this `eq` cannot compare: every call that has it is denied",
            "compare the same type",
        ),
        (
            "mail",
            "deny_if",
            "args.maybe",
            "gt",
            5,
            "by the schema `args.maybe` is a string, which this `gt` cannot compare: every call that has it is denied",
            "compare the same type",
        ),
        (
            "mail",
            "deny_if",
            "args.cc[*]",
            "contains",
            5,
            (
                "by the schema `args.cc[*]` is a string, which this `contains` cannot compare: "
                "every call that has it is denied"
            ),
            "compare the same type",
        ),
    ],
)
def test_what_can_never_be_judged_is_said(
    tool: str, kind: str, path: str, op: str, value: Any, message: str, hint: str
) -> None:
    found = said(policy({tool: {kind: [when(path, op, value)]}}), server())
    assert found == [("warning", f"/tools/{tool}/{kind}/0/conditions/0/path", message, hint)]


@pytest.mark.parametrize(
    ("tool", "path", "op", "value"),
    [
        ("mail", "args.cc[*]", "regex", "evil"),
        ("mail", "args.cc", "contains", "evil"),
        ("mail", "args.cc", "eq", ["a"]),
        ("mail", "args.cc", "in", [["a"], "b"]),
        ("mail", "args.cc", "eq", None),
        ("mail", "args.cc", "exists", True),
        ("mail", "args.n", "lt", 5),
        ("mail", "args.maybe", "regex", "x"),
        ("many", "args.any", "regex", "x"),
        ("many", "args.choice", "regex", "x"),
        ("bare", "args.cc", "regex", "x"),
        ("m*", "args.n", "eq", 5),
    ],
)
def test_what_can_be_judged_is_not_spoken_of(tool: str, path: str, op: str, value: Any) -> None:
    assert said(policy({tool: {"deny_if": [when(path, op, value)]}}), server()) == []


def test_a_require_on_what_may_be_left_out_is_a_note() -> None:
    found = said(policy({"mail": {"require": [when("args.n", "lt", 5), when("args.to", "regex", "^x$")]}}), server())
    assert found == [
        (
            "note",
            "/tools/mail/require/0/conditions/0/path",
            "a call without `args.n` is denied, though the schema does not ask for it",
            "to look at it only where it is given, use `deny_if`",
        )
    ]
    assert said(policy({"mail": {"require": [when("args.n", "exists", False)]}}), server()) == []


@pytest.mark.parametrize("op", ["regex", "eq", "in"])
def test_copies_that_stay_open_beside_a_recipient_are_seen(op: str) -> None:
    value: Any = {"regex": COLLEAGUES, "eq": "kim@example.com", "in": ["kim@example.com"]}[op]
    to = when("args.to", op, value)
    expected = (
        "warning",
        "/tools/mail/require/0/conditions/0/path",
        "restricts to whom it goes, but not `args.cc` and `args.bcc`, which can name somebody else",
        "add a `deny_if` with `args.cc[*]` `exists` `true`",
    )
    assert said(policy({"mail": {"require": [to]}}), server()) == [expected]
    assert said(policy({"mail": {"require": [to], "deny_if": NO_COPIES}}), server()) == []
    assert said(policy({"mail": {"require": [to]}}, all_tools={"deny_if": NO_COPIES}), server()) == []
    assert said(policy({"bare": {"require": [to]}}), server()) == []


def test_a_counter_of_two_entries_is_two_counters() -> None:
    tools = {"mail": {"limits": [HOUR, {**HOUR, "window": "day", "max": 20}]}, "many": {"limits": [HOUR]}}
    assert said(policy(tools), None) == [
        (
            "note",
            "/tools/many/limits/0",
            "counts apart from `h` of `mail`, though it has the same name",
            "to share one count, write both tools under one key, like `*_registration_session`",
        )
    ]
    assert said(policy({"mail": {"rate_limit": "5/hour"}, "many": {"rate_limit": "5/hour"}}), None) == []


# --- loops, and what an answer is worth -------------------------------------------------------------------------------

ASKS: Any = {"conditions": [{"path": "args.html", "op": "exists", "value": True}]}


def test_a_repeat_behind_a_stricter_one_never_decides() -> None:
    loop = {"repeat": {"max": 3, "window": 60}}
    idle = ("/tools/mail/repeat", "never decides: `/all_tools/repeat` (3 in 60 seconds) stops the same call first")
    found = said(policy({"mail": {"repeat": {"max": 5, "window": 60}}}, all_tools=loop), None)
    assert [each[1:3] for each in found if "never" in each[2]] == [idle]
    for own in ({"max": 2, "window": 60}, {"max": 5, "window": 90}):
        assert not [
            each for each in said(policy({"mail": {"repeat": own}}, all_tools=loop), None) if "never" in each[2]
        ]


def test_a_question_behind_a_refusal_of_every_call_is_never_asked() -> None:
    refused = {"deny_if": [{"conditions": []}], "approve_if": [ASKS]}
    words = [each[1:3] for each in said(policy({"mail": refused}), None)]
    assert ("/tools/mail/approve_if/0", "never asks: `/tools/mail/deny_if/0` refuses every call before it") in words
    closed = said(policy({"mail": {"approve_if": [ASKS]}}, all_tools={"deny_if": [{"conditions": []}]}), None)
    message = "never asks: `/all_tools/deny_if/0` refuses every call before it"
    assert ("/tools/mail/approve_if/0", message) in [each[1:3] for each in closed]
    denied = said(policy({"mail": {"action": "deny", "repeat": {"max": 1, "window": 5}}}), None)
    message = "never decides: `/tools/mail/action` refuses every call before it"
    assert ("/tools/mail/repeat", message) in [each[1:3] for each in denied]


@pytest.mark.parametrize(
    ("options", "pointer", "message"),
    [
        ({}, None, None),
        ({"timeout": 30}, None, None),
        ({"timeout": 29}, "/timeout", "nobody answers within 29 s: the question is gone before it was read"),
        ({"remember": {"paths": ["args.html", "args.to"], "seconds": 60}}, None, None),
        (
            {"remember": {"paths": ["args.to"], "seconds": 60}},
            "/remember/paths",
            "an approval covers later calls whatever their `args.html` is, which it asks about",
        ),
    ],
)
def test_what_an_answer_is_worth(options: Any, pointer: str | None, message: str | None) -> None:
    found = [each[1:3] for each in said(policy({"mail": {"approve_if": [{**ASKS, **options}]}}), None)]
    wanted = [(f"/tools/mail/approve_if/0{pointer}", message)] if pointer else []
    assert [each for each in found if each[0].startswith("/tools")] == wanted


def test_a_question_is_said_twice_only_if_its_answer_is_worth_no_more() -> None:
    kept = {"remember": {"paths": ["args.html"], "seconds": 60}}
    twice = said(policy({"mail": {"approve_if": [ASKS, {**ASKS, **kept}]}}), None)
    assert ("/tools/mail/approve_if/1", "says the same as `/tools/mail/approve_if/0`") in [each[1:3] for each in twice]
    apart = said(policy({"mail": {"approve_if": [{**ASKS, **kept}, ASKS]}}), None)
    assert "says the same as `/tools/mail/approve_if/0`" not in [each[2] for each in apart]
