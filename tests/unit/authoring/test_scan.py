"""A policy from the tools that a server announces."""

import io
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from gateway.authoring import scan as module
from gateway.authoring.scan import as_json, as_yaml, document, scan
from gateway.keyid import known_tools, recommended
from gateway.policy import Facts, ToolCall, decide, load, visible

SERVER = "https://mcp.example/mcp"
TOOLS: list[dict[str, Any]] = [
    {"name": "run_job", "description": "Runs a job"},
    {"name": "get_note", "inputSchema": {"type": "object"}},
    {"name": "get_api_key"},
    {"name": "create_note"},
    {"name": "delete_note"},
    {"name": "do*"},
]


def test_each_risk_has_its_restrictions() -> None:
    assert {tool.name: (tool.risk.category, tool.says) for tool in scan(TOOLS)} == {
        "get_api_key": ("Read", "5/minute, 30/day"),
        "get_note": ("Read", "open"),
        "create_note": ("Write", "30/minute"),
        "do*": ("Execute", "left out: refused"),
        "run_job": ("Execute", "10/minute"),
        "delete_note": ("Destructive", "hidden"),
    }


def test_the_document() -> None:
    found = document(scan(TOOLS), server=SERVER)
    assert (found["version"], found["default"], found["hide"]) == ("1", "deny", ["delete_note"])
    assert found["description"] == f"Written from the tools that {SERVER} announced. What is not named here is refused."
    assert list(found["tools"]) == ["get_api_key", "get_note", "create_note", "run_job"]  # type: ignore[arg-type] # an object
    assert found["tools"]["run_job"] == {  # type: ignore[index, call-overload] # as above
        "action": "allow",
        "reason": "10/minute: what starts something is worth a moment between two of them.",
        "validate": {"required_args": True},
        "limits": [{"counter": "run_job_rate", "window": "minute", "max": 10, "scope": "grant"}],
    }


def test_the_yaml() -> None:
    assert as_yaml(scan([*TOOLS[:2], *TOOLS[4:]]), server=SERVER) == (
        'version: "1"\n'
        f'description: "Written from the tools that {SERVER} announced. What is not named here is refused."\n'
        'default: "deny"\n'
        "\n"
        "# Destructive: what takes away. Hidden; to open one, take it out of here and list it under `tools`\n"
        "hide:\n"
        "  # its name says `delete`\n"
        '  - "delete_note"\n'
        "\n"
        "# All calls together: a brake for a loop.\n"
        "all_tools:\n"
        "  limits:\n"
        '    - {"counter": "calls", "window": "minute", "max": 120, "scope": "grant"}\n'
        '    - {"counter": "calls", "window": "hour", "max": 1500, "scope": "grant"}\n'
        '  repeat: {"max": 40, "window": 60}\n'
        "\n"
        "tools:\n"
        "\n"
        "  # --- Read: what shows, and changes nothing\n"
        "\n"
        "  # its name says `get`\n"
        '  "get_note": {}\n'
        "\n"
        "  # --- Execute: what starts, runs, pays or opens an address; and names that say nothing\n"
        "\n"
        "  # its name says `run`; a sentence of its description begins with `run`\n"
        "  # 10/minute: what starts something is worth a moment between two of them\n"
        '  "run_job":\n'
        '    validate: {"required_args": true}\n'
        "    limits:\n"
        '      - {"counter": "run_job_rate", "window": "minute", "max": 10, "scope": "grant"}\n'
        "\n"
        "# Left out, and so refused: these names cannot be written as they are.\n"
        '#   "do*"\n'
    )


def test_a_known_tool_gets_what_the_pack_says_of_it() -> None:
    known: list[Any] = [{"name": tool.name, "annotations": dict(tool.annotations)} for tool in known_tools().values()]
    found = document(scan(known), server=SERVER)
    pack = recommended.document()
    assert set(found["hide"]) == set(recommended.HIDDEN)  # type: ignore[arg-type] # a list
    assert found["tools"] == pack["tools"]
    assert found["all_tools"] == pack["all_tools"]


def test_a_known_tool_that_calls_itself_worse_is_hidden_or_limited() -> None:
    worse: list[Any] = [
        {"name": "get_file", "annotations": {"destructiveHint": True}},
        {"name": "get_identity", "annotations": {"readOnlyHint": False}},
    ]
    assert {tool.name: tool.says for tool in scan(worse)} == {"get_file": "hidden", "get_identity": "30/minute"}


def test_the_order_of_the_list_does_not_matter() -> None:
    shuffled = TOOLS[::-1]
    assert as_json(scan(shuffled), server=SERVER) == as_json(scan(TOOLS), server=SERVER)
    assert as_yaml(scan(shuffled), server=SERVER) == as_yaml(scan(TOOLS), server=SERVER)


def test_a_server_without_tools() -> None:
    assert scan([]) == ()
    assert read(as_yaml((), server=SERVER)) == json.loads(as_json((), server=SERVER))


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


NAMES = st.text(max_size=20) | st.sampled_from(
    ["*", "a*", "get \u2028x", "\x85", "\U0001f600", "\U000e0001", "# x", "a: b"]
)


@settings(deadline=None)
@given(st.lists(NAMES, max_size=6))
def test_whatever_the_names_both_forms_say_the_same_and_open_only_what_is_listed(names: list[str]) -> None:
    tools = scan([{"name": name} for name in names])
    text = as_json(tools, server=SERVER)
    shown = read(as_yaml(tools, server=SERVER))
    policy = load(text.encode(), name="scan")
    wanted = json.loads(text)
    for entry in wanted["tools"].values():
        entry.pop("action", None)
        entry.pop("reason", None)
    assert shown == wanted
    for tool in tools:
        decision = decide(policy, ToolCall(tool.name, {}), Facts(mirrored=True))
        assert decision.effect == ("allow" if tool.listed and tool.risk.category != "Destructive" else "deny")
        assert visible(policy, tool.name) is not (tool.listed and tool.risk.category == "Destructive")
    assert decide(policy, ToolCall("another", {}), Facts(mirrored=True)).rule in ("(default deny)", "/tools/another")


def test_every_category_has_a_heading_and_restrictions() -> None:
    assert set(module._HEADINGS) == set(module._BY_CATEGORY)
