"""The format of `tests.json`: what is accepted, and every mistake with its place."""

import json
from typing import Any

import pytest

from gateway.authoring.suite import announced, read_tests
from gateway.keyid import known_tools
from gateway.policy import PolicyError

TOOL = 'a list of required arguments, `{"inputSchema": …, "annotations": …}`, or null: there is no such tool'
STEP = {"call": {"tool": "t"}, "expect": {"effect": "allow"}}


def suite(**more: Any) -> bytes:
    return json.dumps({"version": "1", "tests": [{"name": "a test", "steps": [STEP]}], **more}).encode()


def complaints(data: bytes) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        read_tests(data, name="tests.json")
    assert caught.value.what == "file of tests"
    return str(caught.value).splitlines()


def complaint_of_step(**changes: Any) -> list[str]:
    step = {key: value for key, value in {**STEP, **changes}.items() if value is not ...}
    return complaints(suite(tests=[{"name": "a test", "steps": [step]}]))


def test_the_smallest_file_is_accepted() -> None:
    tests = read_tests(suite(), name="tests.json")
    (case,) = tests.suite.tests
    assert (case.name, case.start.isoformat()) == ("a test", "2026-01-05T09:00:00+00:00")
    (step,) = case.steps
    assert (step.times, step.advance, step.session, step.grant, step.client) == (1, 0, "session", "grant", "client")


def test_it_can_be_written_in_yaml() -> None:
    text = "version: '1'\ntests:\n  - name: x\n    steps:\n      - call: {tool: t}\n        expect: {effect: deny}\n"
    assert read_tests(text.encode(), name="tests.yaml").suite.tests[0].steps[0].expect.effect == "deny"


def test_every_mistake_is_reported_at_once_in_its_place() -> None:
    text = """{
  "version": "2",
  "catalogue": {"x": 5, "y": ["a", 5], "z": {"inputschema": {}}},
  "tests": [
    { "name": "", "start": "now", "steps": [
      { "call": { "tol": "t" }, "times": 0, "expect": { "efect": "allow" } }, {"expect": {"effect": "denied"}} ] }
  ]
}"""
    assert complaints(text.encode()) == [
        "tests.json:2:14: /version: `2` is not a version",
        '    hint: one of `"1"`',
        "tests.json:3:22: /catalogue/x: must be a list, an object or null, not a number",
        f"    hint: {TOOL}",
        "tests.json:3:36: /catalogue/y/1: must be a string, not a number",
        "    hint: write it in double quotes",
        "tests.json:3:46: /catalogue/z/inputschema: unknown key `inputschema`",
        "    hint: did you mean `inputSchema`?",
        "tests.json:5:15: /tests/0/name: must not be empty",
        "    hint: say what is to be shown",
        "tests.json:5:28: /tests/0/start: must be a moment with its offset",
        "    hint: write it like `2026-01-05T09:00:00Z`",
        "tests.json:6:17: /tests/0/steps/0/call: `tool` is missing",
        "    hint: required here: `tool`",
        "tests.json:6:19: /tests/0/steps/0/call/tol: unknown key `tol`",
        "    hint: did you mean `tool`?",
        "tests.json:6:42: /tests/0/steps/0/times: must be a whole number",
        "    hint: 1 to 100000",
        "tests.json:6:55: /tests/0/steps/0/expect: `effect` is missing",
        "    hint: required here: `effect`",
        "tests.json:6:57: /tests/0/steps/0/expect/efect: unknown key `efect`",
        "    hint: did you mean `effect`?",
        "tests.json:6:101: /tests/0/steps/1/expect/effect: `denied` is not an effect",
        "    hint: one of `allow`, `deny`, `approve`, `observe`",
    ]


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        (
            {"call": ...},
            "the step has neither `call` nor `request`",
            "write one of them: `call` for a tool, `request` for any other method",
        ),
        (
            {"request": {"method": "ping"}},
            "the step has both `call` and `request`",
            "write one of them: `call` for a tool, `request` for any other method",
        ),
        (
            {"call": ..., "request": {"method": "tools/call"}},
            "a tool is called with `call`",
            'write `"call": {"tool": …, "arguments": …}`',
        ),
        (
            {"call": ..., "request": {"method": "ping"}, "vary": "a"},
            "only a `call` has arguments to vary",
            "take it out",
        ),
        ({"vary": ""}, "must not be empty", "say what is to be shown"),
        ({"advance": -1}, "must be seconds from now on", "0 to ten years; time does not go back here"),
        ({"advance": "1"}, "must be a number, not a string", "write digits without quotes"),
        ({"times": 1.5}, "must be a whole number", "1 to 100000"),
        ({"outcome": "lost"}, "`lost` is not an outcome", "one of `ok`, `not sent`"),
    ],
)
def test_a_mistake_in_a_step(changes: dict[str, Any], message: str, hint: str) -> None:
    first, second = complaint_of_step(**changes)
    assert first.startswith("tests.json:1:")
    assert first.endswith(f": {message}")
    assert second == f"    hint: {hint}"


def test_tests_are_named_apart_and_have_steps() -> None:
    found = complaints(suite(tests=[{"name": "a", "steps": [STEP]}, {"name": "a", "steps": []}]))
    assert [line.partition(": ")[2] for line in found] == [
        "/tests/1/name: the test `a` is named like that of `/tests/0`",
        "give every test a name of its own",
        "/tests/1/steps: the test has no steps",
        "a step is a `call` and what to `expect` of it",
    ]


def test_a_text_that_is_no_document_is_one_mistake() -> None:
    assert complaints(b"{") == [
        "tests.json:1:2: not valid JSON: expecting property name enclosed in double quotes",
        "    hint: check the brackets, commas and quotes before this place",
    ]


def test_a_tool_exists_unless_the_catalogue_says_otherwise() -> None:
    tests = read_tests(suite(catalogue={"gone": None, "sharp": ["a"]}), name="t").suite
    assert announced(tests) == {
        "t": {"name": "t", "inputSchema": {"type": "object"}},
        "sharp": {"name": "sharp", "inputSchema": {"type": "object", "required": ["a"]}},
    }


def test_keyid_is_known_and_can_be_changed() -> None:
    schema = {"type": "object", "properties": {"x": {"type": "integer"}}}
    changed = {"get_secret": None, "get_file": {"inputSchema": schema, "annotations": {"readOnlyHint": True}}}
    tools = announced(read_tests(suite(server="keyid", catalogue=changed), name="t").suite)
    assert "get_secret" not in tools
    assert "t" not in tools
    assert tools["get_file"] == {"name": "get_file", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
    assert tools["send_email"]["inputSchema"] == known_tools()["send_email"].input_schema
