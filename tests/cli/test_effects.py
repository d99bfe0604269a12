import json

import pytest

from gateway.cli.effects import Standing, standing
from gateway.policy import compose, load

LIMIT = {"counter": "c", "window": "minute", "max": 30, "scope": "grant"}
CONDITION = {"conditions": [{"path": "args.a", "op": "exists", "value": True}]}


@pytest.mark.parametrize(
    ("entry", "words", "rule"),
    [
        ({}, "allowed", "/tools/t"),
        ({"validate": {"required_args": True}}, "allowed", "/tools/t"),
        ({"limits": [LIMIT]}, "limited: 30 per minute", "/tools/t/limits/0"),
        ({"rate_limit": "5/hour", "limits": [LIMIT]}, "limited: 30 per minute, 5 per hour", "/tools/t/limits/0"),
        ({"action": "deny", "limits": [LIMIT]}, "denied", "/tools/t/action"),
        ({"deny_if": [{"conditions": []}]}, "denied", "/tools/t/deny_if/0"),
        ({"action": "require_approval"}, "needs approval", "/tools/t/action"),
        ({"require": [CONDITION]}, "depends on arguments", "/tools/t/require/0"),
        ({"deny_if": [CONDITION], "limits": [LIMIT]}, "depends on arguments; 30 per minute", "/tools/t/deny_if/0"),
    ],
)
def test_what_an_entry_makes_of_a_tool(entry: object, words: str, rule: str) -> None:
    found = standing(
        load(json.dumps({"version": "1", "default": "deny", "tools": {"t": entry}}).encode(), name="p"), "t"
    )
    assert (found.words, found.rule) == (words, rule)


@pytest.mark.parametrize(
    ("document", "words", "rule"),
    [
        ({"default": "deny"}, "denied", "(default deny)"),
        ({"default": "allow"}, "allowed", "(default allow)"),
        ({"default": "allow", "hide": ["t"]}, "hidden", "(hidden)"),
        ({"default": "allow", "hide": ["*"]}, "hidden", "(hidden)"),
        ({"default": "allow", "all_tools": {"limits": [LIMIT]}}, "allowed", "(default allow)"),
    ],
)
def test_what_a_document_makes_of_a_tool_it_does_not_name(document: dict[str, object], words: str, rule: str) -> None:
    found = standing(load(json.dumps({"version": "1", **document}).encode(), name="p"), "t")
    assert (found.words, found.rule) == (words, rule)


@pytest.mark.parametrize(
    ("document", "words", "rule"),
    [
        ({"mode": "observe"}, "observed", "(default deny)"),
        ({"tools": {"t": {"action": "deny", "mode": "observe"}}}, "observed", "/tools/t/action"),
        ({"tools": {"t": {"validate": {"schema": True}}}}, "depends on arguments", "/tools/t/validate/schema"),
        ({"tools": {"t*": {"action": "deny"}, "t": {}}}, "denied", "/tools/t*/action"),
        ({"tools": {"t": {}}, "all_tools": {"action": "deny"}}, "denied", "/all_tools/action"),
        ({"tools": {"t": {}}, "hide": ["*t"]}, "hidden", "(hidden)"),
    ],
)
def test_what_is_tried_out_and_what_patterns_say(document: dict[str, object], words: str, rule: str) -> None:
    policy = load(json.dumps({"version": "1", "default": "deny", **document}).encode(), name="p")
    found = standing(policy, "t")
    assert (found.words, found.rule) == (words, rule)


def test_the_strictest_layer_speaks_and_is_named() -> None:
    user = load(b'{"version": "1", "default": "deny", "tools": {"t": {"rate_limit": "5/hour"}}}', name="p")
    site = load(b'{"version": "1", "default": "allow", "tools": {"t": {"action": "deny"}}}', name="s", layer="site")
    loose = load(b'{"version": "1", "default": "allow"}', name="s", layer="site")
    assert standing(compose(user, [site]), "t") == Standing("denied", "site:/tools/t/action")
    assert standing(compose(user, [loose]), "t").words == "limited: 5 per hour"
