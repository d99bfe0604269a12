import json

import pytest

from gateway.cli.effects import standing
from gateway.policy import load

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
