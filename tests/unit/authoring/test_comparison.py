"""What changes between two policies: proven, shown, or said to be neither."""

import json
from typing import Any

import pytest

from gateway.authoring.comparison import Difference, compare
from gateway.authoring.published import published
from gateway.catalogue import Catalogue
from gateway.keyid import recommended
from gateway.policy import Policy, load
from tests.samples import FOLDER

SEND: Any = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}


def policy(tools: Any, **more: Any) -> Policy:
    return load(json.dumps({"version": "1", "default": "deny", "tools": tools, **more}).encode(), name="p")


def when(path: str, op: str, value: Any, *more: Any) -> dict[str, Any]:
    return {"conditions": [{"path": path, "op": op, "value": value}, *(item["conditions"][0] for item in more)]}


def limit(maximum: int, window: Any = "hour", **more: Any) -> dict[str, Any]:
    return {"limits": [{"counter": "c", "window": window, "max": maximum, "scope": "grant", **more}]}


def differ(old: Policy, new: Policy) -> list[Difference]:
    catalogue = Catalogue()
    catalogue.page(None, {"tools": [{"name": "send", "inputSchema": SEND}, {"name": "delete_it"}]})
    return list(compare(old, new, catalogue))


def said(difference: Difference) -> tuple[Any, ...]:
    witness = difference.witness
    shown: tuple[Any, ...] = (None,)
    if witness is not None:
        arguments = None if witness.trial is None else dict(witness.trial.call.arguments)
        again = () if witness.repetition is None else (witness.repetition.words,)
        shown = (witness.tool, arguments, f"{witness.before} -> {witness.after}", *again)
    return (difference.direction, difference.of, difference.rule, *shown)


A, B = when("args.to", "eq", "a"), when("args.to", "eq", "b")
COLLEAGUES = when("args.to", "regex", "^[^@]+@example\\.com$")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            policy({"send": {"deny_if": [A]}}),
            policy({"send": {}}),
            ("looser", "old", "/tools/send/deny_if/0", "send", {"to": "a"}, "deny -> allow"),
        ),
        (
            policy({"send": {}}),
            policy({"send": {"require": [COLLEAGUES]}}),
            ("tighter", "new", "/tools/send/require/0", "send", {"to": "x"}, "allow -> deny"),
        ),
        (
            policy({"send": {}}),
            policy({"send": {}, "delete_it": {}}),
            ("looser", "new", "/tools/delete_it", "delete_it", {}, "deny -> allow"),
        ),
        (
            policy({"send": {}, "delete_*": {}}, hide=["delete_*"]),
            policy({"send": {}, "delete_*": {}}),
            ("looser", "old", "/hide/0", "delete_it", {}, "deny -> allow"),
        ),
        (
            policy({"send": limit(5)}),
            policy({"send": limit(7)}),
            (
                "looser",
                "old",
                "/tools/send/limits/0",
                "send",
                {"to": "x"},
                "deny -> allow",
                "call 6 of the same at once",
            ),
        ),
        (
            policy({"send": limit(5, scope="grant")}),
            policy({"send": limit(5, scope="session")}),
            (
                *("looser", "old", "/tools/send/limits/0", "send", {"to": "x"}, "deny -> allow"),
                "call 6 of the same at once, each in a session of its own",
            ),
        ),
        (
            policy({"send": limit(5, "day")}),
            policy({"send": limit(5, "hour")}),
            (
                *("looser", "old", "/tools/send/limits/0", "send", {"to": "x"}, "deny -> allow"),
                "call 6 of the same 720 s apart",
            ),
        ),
        (
            policy({"send": {"deny_if": [when("time.hour", "lt", 8)]}}),
            policy({"send": {"deny_if": [when("time.hour", "lt", 7)]}}),
            ("looser", "old", "/tools/send/deny_if/0", "send", {"to": "x"}, "deny -> allow"),
        ),
        (
            policy({"send": {"action": "deny"}}),
            policy({"send": {"action": "require_approval"}}),
            ("looser", "old", "/tools/send/action", "send", {"to": "x"}, "deny -> approve"),
        ),
        (
            policy({"send": {"deny_if": [A]}}),
            policy({"send": {"deny_if": [A], "mode": "observe"}}),
            ("looser", "old", "/tools/send/deny_if/0", "send", {"to": "a"}, "deny -> observe"),
        ),
        (
            policy({"send": {"validate": {"required_args": True}}}),
            policy({"send": {}}),
            ("looser", "old", "/tools/send/validate/required_args", "send", {}, "deny -> allow"),
        ),
        (
            policy({}, resources={"default": "deny", "allow": ["a://*"]}),
            policy({}, resources={"default": "deny"}),
            ("tighter", "old", "/resources", "a://x", None, "allow -> deny"),
        ),
    ],
)
def test_a_difference_with_its_call(old: Policy, new: Policy, expected: tuple[Any, ...]) -> None:
    (found,) = differ(old, new)
    side = "new" if expected[0] == "tighter" else expected[1]
    assert said(found) == (expected[0], side, *expected[2:])


def brakes(*limits: tuple[str, int]) -> dict[str, Any]:
    return {"limits": [{"counter": w, "window": w, "max": most, "scope": "grant"} for w, most in limits]}


ADDRESS = "^[A-Za-z0-9._+'-]+@[A-Za-z0-9.-]+$"
TWO = ("looser", "old", "/tools/send/limits/1", "send", {"to": "x"}, "deny -> allow")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            policy({"send": {"require": [when("args.to", "regex", ADDRESS)]}}),
            policy({"send": {"require": [when("args.to", "regex", ADDRESS), COLLEAGUES]}}),
            [("tighter", "new", "/tools/send/require/1", "send", {"to": "x@x"}, "allow -> deny")],
        ),
        (
            policy({"send": brakes(("minute", 60), ("day", 1000))}),
            policy({"send": brakes(("minute", 60))}),
            [(*TWO, "call 1001 of the same as soon as both let it through, 960 s after the first")],
        ),
        (
            policy({"send": brakes(("hour", 150), ("day", 2000))}),
            policy({"send": brakes(("hour", 150))}),
            [(*TWO, "call 3801 of the same as soon as both let it through, 90000 s after the first")],
        ),
        (policy({"send": brakes(("minute", 2), ("day", 2880))}), policy({"send": brakes(("minute", 2))}), []),
        (
            policy({"send": {}, "delete_it": {}}, all_tools=brakes(("hour", 5))),
            policy({"send": brakes(("hour", 4)), "delete_it": brakes(("hour", 4))}),
            [
                (
                    *("looser", "old", "/all_tools/limits/0", "send", {"to": "x"}, "deny -> allow"),
                    "call 6 of 2 tools in turn at once",
                ),
                (
                    "tighter",
                    "new",
                    "/tools/send/limits/0",
                    "send",
                    {"to": "x"},
                    "allow -> deny",
                    "call 5 of the same at once",
                ),
                (
                    "tighter",
                    "new",
                    "/tools/delete_it/limits/0",
                    "delete_it",
                    {},
                    "allow -> deny",
                    "call 5 of the same at once",
                ),
            ],
        ),
        (
            policy({"send": {"deny_if": [when("args.cc[5]", "eq", "a")], "require": [A]}}),
            policy({"send": {"deny_if": [when("args.cc[*]", "exists", True)], "require": [A]}}),
            [("tighter", "new", "/tools/send/deny_if/0", "send", {"to": "a", "cc": ["x"]}, "allow -> deny")],
        ),
    ],
)
def test_what_a_newcomer_edits_is_shown(old: Policy, new: Policy, expected: Any) -> None:
    assert list(map(said, differ(old, new))) == expected


def test_what_no_tool_requires_is_no_difference() -> None:
    old, new = policy({"open": {"validate": {"required_args": True}}}), policy({"open": {}})
    catalogue = Catalogue()
    assert [item.witness for item in compare(old, new, catalogue)] == [None]
    catalogue.page(None, {"tools": [{"name": "open", "inputSchema": {"type": "object"}}]})
    assert compare(old, new, catalogue) == ()


@pytest.mark.parametrize(
    ("described", "proven"),
    [
        ({"type": "string"}, True),
        ({"type": ["string", "integer"]}, True),
        ({"type": ["string", "null"]}, False),
        ({"type": "string", "$ref": "#/$defs/x"}, False),
        ({}, False),
    ],
)
def test_a_schema_that_takes_no_null_requires_what_it_requires(described: Any, *, proven: bool) -> None:
    """Where null may pass the schema, `required_args` refuses more."""
    old, new = (policy({"send": {"validate": {kind: True}}}) for kind in ("required_args", "schema"))
    catalogue = Catalogue()
    schema: Any = {"type": "object", "properties": {"to": described}, "required": ["to"], "$defs": {"x": {}}}
    catalogue.page(None, {"tools": [{"name": "send", "inputSchema": schema}]})
    found = {item.direction for item in compare(old, new, catalogue)}
    assert found == ({"tighter"} if proven else {"looser", "tighter"})


@pytest.mark.parametrize("name", ["read-only", "published"])
def test_of_nothing_between_the_pack_and_a_sample_nobody_can_tell(name: str) -> None:
    text = (FOLDER / name / "policy.json").read_bytes()
    found = compare(recommended.policy(), load(text, name=name), published())
    assert [item.rule for item in found if item.witness is None] == []


def test_the_other_way_round_it_is_the_other_way_round() -> None:
    old, new = policy({"send": {"deny_if": [A]}}), policy({"send": {}})
    (looser,), (tighter,) = differ(old, new), differ(new, old)
    assert said(looser) == ("looser", "old", "/tools/send/deny_if/0", "send", {"to": "a"}, "deny -> allow")
    assert said(tighter) == ("tighter", "new", "/tools/send/deny_if/0", "send", {"to": "a"}, "allow -> deny")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (policy({"send": {"deny_if": [A, B]}}), policy({"send": {"deny_if": [B, A, A]}})),
        (policy({"send": {"deny_if": [A]}}), policy({"send": {"rules": [{"action": "deny", **A}]}})),
        (policy({"send": {"require": [A, B]}}), policy({"send": {"require": [when("args.to", "eq", "a", B)]}})),
        (policy({"send": {"deny_if": [{**A, "on_deny": "No."}]}}), policy({"send": {"deny_if": [A]}})),
        (policy({"send": limit(5)}), policy({"send": {"limits": [{**limit(5)["limits"][0], "counter": "other"}]}})),
        (policy({"send": {"deny_if": [A, when("args.to", "eq", "a", B)]}}), policy({"send": {"deny_if": [A]}})),
        (policy({"send": {"action": "deny", "deny_if": [A]}}), policy({"send": {"action": "deny"}})),
        (policy({"send": {"deny_if": [A]}}, hide=["send"]), policy({}, hide=["send"])),
        (policy({}, prompts={"default": "deny"}), policy({})),
        (policy({"a*": {}}, hide=["b*"]), policy({"a*": {}})),
    ],
)
def test_the_same_however_it_is_written(old: Policy, new: Policy) -> None:
    found = differ(old, new)
    same_calls = [item for item in found if item.witness is not None]
    assert same_calls == []
    assert {item.rule for item in found} <= {"/tools/send/require/0", "/tools/send/require/1"}


@pytest.mark.parametrize(
    ("kind", "strict", "loose"),
    [
        ("deny_if", ("lt", 8), ("lt", 7)),
        ("deny_if", ("gte", 7), ("gte", 8)),
        ("deny_if", ("in", ["a", "b"]), ("in", ["a"])),
        ("deny_if", ("not_in", ["a"]), ("not_in", ["a", "b"])),
        ("require", ("lte", 7), ("lte", 8)),
        ("require", ("in", ["a"]), ("in", ["b", "a"])),
    ],
)
def test_bounds_and_lists_that_contain_each_other_are_proven(kind: str, strict: Any, loose: Any) -> None:
    old, new = (policy({"send": {kind: [when("args.to", *rule)]}}) for rule in (strict, loose))
    assert {item.direction for item in differ(old, new)} == {"looser"}
    assert {item.direction for item in differ(new, old)} == {"tighter"}


def test_what_covers_is_tighter_and_proven_not_looser() -> None:
    old = policy({"send": {"deny_if": [when("args.to", "eq", "a", when("args.cc", "exists", True))], **limit(60)}})
    new = policy({"send": {"deny_if": [A], **limit(1, "minute")}})
    assert {item.direction for item in differ(old, new)} == {"tighter"}


def test_where_nobody_can_tell_it_is_said() -> None:
    odd = when("args.to", "regex", "^(\\pL{7})+\\x{1F600}$")
    (found,) = differ(policy({"send": {"deny_if": [odd], "require": [B]}}), policy({"send": {"require": [B]}}))
    assert said(found) == ("looser", "old", "/tools/send/deny_if/0", None)


# --- repeat -----------------------------------------------------------------------------------------------------------


def loop(maximum: int, window: int = 60, **more: Any) -> dict[str, Any]:
    return {"repeat": {"max": maximum, "window": window}, **more}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (loop(2), {}, "call 3 of the same at once"),
        (loop(2), loop(5), "call 3 of the same at once"),
        (loop(2), loop(2, 30), "call 3 of the same as soon as both let it through, 30 s after the first"),
        (loop(2), limit(2, 30), "call 3 of the same as soon as both let it through, 30 s after the first"),
        (loop(1, **limit(1, 60)), limit(1, 60), "call 2 of the same at once, none of which could be sent"),
        (loop(2), {**loop(2), "mode": "observe"}, "call 3 of the same at once"),
    ],
)
def test_a_loop_that_only_one_policy_refuses_is_shown(old: Any, new: Any, words: str) -> None:
    found = [item for item in differ(policy({"send": old}), policy({"send": new})) if item.direction == "looser"]
    assert [said(item) for item in found if item.rule.endswith("/repeat")] == [
        ("looser", "old", "/tools/send/repeat", "send", {"to": "x"}, "deny -> allow", words)
    ]
    tighter = [item for item in differ(policy({"send": new}), policy({"send": old})) if item.direction == "tighter"]
    assert [item.rule for item in tighter if item.rule.endswith("/repeat")] == ["/tools/send/repeat"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (policy({"send": loop(2)}), policy({"send": loop(2)})),
        (policy({"send": loop(2)}), policy({"send": loop(1, 90)})),
        (policy({"send": loop(2)}), policy({"send": {}}, all_tools=loop(2))),
        (policy({"send": loop(2)}), policy({"s*": loop(2), "send": {}})),
        (policy({"send": loop(2)}), policy({"send": {"action": "deny"}})),
        (policy({"send": {**loop(2), "mode": "observe"}}), policy({"send": {}})),
    ],
)
def test_a_loop_that_is_refused_as_soon_is_no_difference(old: Policy, new: Policy) -> None:
    assert [item for item in differ(old, new) if item.direction == "looser" and item.rule.endswith("/repeat")] == []


def test_a_limit_behind_a_repeat_is_shown_by_calls_that_are_not_all_the_same() -> None:
    (found,) = differ(policy({"send": {**loop(1), **limit(2)}}), policy({"send": {**loop(1), **limit(3)}}))
    assert said(found)[-1] == "call 3 of the same at once, not all with the same arguments"


def ask(**options: Any) -> Any:
    return {"approve_if": [{"conditions": [], **options}]}


KEPT = {"paths": ["args.to"], "seconds": 600}


@pytest.mark.parametrize(
    ("old", "new", "looser"),
    [
        (ask(), ask(), False),
        (ask(timeout=600), ask(), False),
        (ask(), ask(timeout=60), False),
        (ask(), ask(timeout=900), True),
        (ask(), ask(remember=KEPT), True),
        (ask(remember=KEPT), ask(), False),
        (ask(remember=KEPT), ask(remember={"paths": ["args.to", "args.cc"], "seconds": 60}), False),
        (ask(remember=KEPT), ask(remember={**KEPT, "paths": ["args.cc"]}), True),
        (ask(remember=KEPT), ask(remember={**KEPT, "seconds": 601}), True),
        (ask(remember=KEPT), {"deny_if": [{"conditions": []}]}, False),
        (ask(reason="a"), ask(reason="b"), False),
    ],
)
def test_an_answer_that_is_worth_more_is_looser_though_no_call_shows_it(old: Any, new: Any, looser: bool) -> None:
    found = [item for item in differ(policy({"send": old}), policy({"send": new})) if item.direction == "looser"]
    what = "an answer in {other} is worth longer, or covers more calls"
    assert [(item.rule, item.what, item.witness) for item in found] == (
        [("/tools/send/approve_if/0", what, None)] if looser else []
    )
