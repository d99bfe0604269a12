import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from gateway.jsonrpc import Json
from gateway.keyid import known_tools, pack, recommended, writing
from gateway.keyid.pack import Fits, Limit, Rule, Tool
from gateway.policy import Facts, Policy, ToolCall, decide, load, visible
from gateway.policy.schemas import InputSchema

SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
PUBLISHED = {"Read": None, "Write": 30, "Execute": 10}
RATED_AS_READING = {"block_registration_session", "follow_verification_link"}
LIVE_CREDENTIALS = {
    "get_registration_artifacts",
    "get_registration_session",
    "get_secret",
    "get_totp_code",
    "get_verification_codes",
}

ORDINARY: Mapping[str, Mapping[str, Json]] = {
    "create_cron": {"webhook_url": "https://example.com/x", "cron_expr": "@daily"},
    "follow_verification_link": {"message_id": "m_1"},
    "send_email": {"to": "ada@example.com", "subject": "Hello", "body": "Hello"},
    "set_auto_reply": {"enabled": True, "end_date": "2026-01-12", "body": "Away"},
    "store_file": {"key": "a", "content": "b"},
    "update_cron": {"cron_id": "cron_1"},
    "upload_page_file": {"slug": "team", "path": "index.html", "content": "<p>"},
}
"""A call that passes, of every tool whose arguments are looked at."""

every_tool = pytest.mark.parametrize("tool", recommended.TOOLS, ids=lambda tool: tool.name)


def row(name: str) -> Tool:
    return next(tool for tool in recommended.TOOLS if tool.name == name)


def test_every_known_tool_stands_in_it_once() -> None:
    named = [tool.name for tool in recommended.TOOLS] + list(recommended.HIDDEN)
    assert sorted(named) == list(known_tools())


def test_what_destroys_is_hidden_and_nothing_else() -> None:
    assert list(recommended.HIDDEN) == [tool.name for tool in known_tools().values() if tool.category == "Destructive"]
    policy = recommended.policy()
    assert [name for name in known_tools() if not visible(policy, name)] == list(recommended.HIDDEN)


def test_the_tools_are_ordered_by_category_and_then_by_name() -> None:
    order = ["Read", "Write", "Execute"]
    keys = [(order.index(tool.category), tool.name) for tool in recommended.TOOLS]
    assert keys == sorted(keys)
    assert list(json.loads(recommended.text())["tools"]) == [tool.name for tool in recommended.TOOLS]


@every_tool
def test_a_category_is_the_published_one_but_for_two_that_do_not_only_read(tool: Tool) -> None:
    expected = "Write" if tool.name in RATED_AS_READING else known_tools()[tool.name].category
    assert tool.category == expected


@every_tool
def test_no_tool_is_looser_than_published(tool: Tool) -> None:
    published = PUBLISHED[known_tools()[tool.name].category]
    assert published is None or any(limit.maximum <= published for limit in tool.limits)


@every_tool
def test_a_longer_window_holds_more_than_the_shorter_one_and_less_than_it_would_add_up_to(tool: Tool) -> None:
    for short, long in zip(tool.limits, tool.limits[1:], strict=False):
        assert SECONDS[short.window] < SECONDS[long.window]
        assert short.maximum < long.maximum < short.maximum * SECONDS[long.window] / SECONDS[short.window]


@every_tool
def test_every_number_and_every_rule_has_its_reason(tool: Tool) -> None:
    for part in tool.restrictions:
        assert part.why
        assert not part.why.endswith(".")
        if isinstance(part, Rule):
            assert part.says
            assert part.on_deny.endswith(".")


def test_all_calls_together_have_a_brake_that_no_single_limit_exceeds() -> None:
    brakes = {brake.window: brake.maximum for brake in recommended.BRAKES}
    assert set(brakes) == {"minute", "hour"}
    limits = [limit for tool in recommended.TOOLS for limit in tool.limits]
    assert all(limit.maximum < brakes[limit.window] for limit in limits if limit.window in brakes)


@every_tool
def test_what_is_written_or_executed_or_is_a_live_credential_is_limited(tool: Tool) -> None:
    if tool.category != "Read" or tool.name in LIVE_CREDENTIALS:
        assert tool.limits


@pytest.mark.parametrize("name", sorted(LIVE_CREDENTIALS))
def test_live_credentials_have_two_windows(name: str) -> None:
    assert [limit.window for limit in row(name).limits] == ["minute", "day"]


def test_the_registration_session_is_limited_as_published() -> None:
    limits = json.loads(recommended.text())["tools"]["complete_registration_session"]["limits"]
    assert limits == [
        {"counter": "complete_registration_session_rate", "window": "minute", "max": 30, "scope": "grant"}
    ]


def test_the_compiled_pack_is_the_written_one() -> None:
    policy = recommended.policy()
    assert policy.name == "builtin:recommended"
    assert policy.default == "deny"
    assert policy.warnings == ()
    assert policy.text == recommended.text()
    assert policy.revision == load(recommended.text().encode(), name="policy.json").revision


def test_two_documents_share_nothing() -> None:
    recommended.document().clear()
    assert recommended.document()["version"] == "1"


def test_a_name_that_is_not_public_is_refused() -> None:
    decision = decide(recommended.policy(), ToolCall("standin_read_1", {}), Facts(mirrored=True))
    assert (decision.effect, decision.rule) == ("deny", "(default deny)")


def test_an_ordinary_call_stands_for_every_tool_with_rules() -> None:
    ruled = [any(isinstance(part, Rule | Fits) for part in tool.restrictions) for tool in recommended.TOOLS]
    assert {tool.name for tool, looks in zip(recommended.TOOLS, ruled, strict=True) if looks} == set(ORDINARY)


@pytest.mark.parametrize("name", ORDINARY)
def test_an_argument_of_another_type_never_escapes_a_rule(name: str) -> None:
    """B8: whatever a rule looks at is refused when it comes as a type that the rule cannot judge."""
    policy = recommended.policy()
    assert judged(policy, name, {}) == "allow"
    looked_at = {rule.conditions[-1][0] for rule in row(name).restrictions if isinstance(rule, Rule)}
    for path in looked_at:
        argument = path.removeprefix("args.").partition("[")[0]
        odd: tuple[Json, ...] = (7, {"a": "b"}, "x" if "[" in path else ["x"])
        assert [judged(policy, name, {argument: value}) for value in odd] == ["deny", "deny", "deny"], path


def judged(policy: Policy, name: str, changes: dict[str, Json]) -> str:
    facts = Facts(mirrored=True, schema=InputSchema(cast(Json, known_tools()[name].input_schema)))
    return decide(policy, ToolCall(name, {**ORDINARY[name], **changes}), facts).effect


@pytest.mark.parametrize("name", ORDINARY)
def test_no_element_hides_behind_a_null(name: str) -> None:
    """Whatever list a rule looks at, it sees all of it, without the tool's schema as well."""
    others = tuple(part for part in row(name).restrictions if not isinstance(part, Fits))
    judge = pack.document([replace(row(name), restrictions=others)], description="", hide=(), brakes=())
    policy = load(json.dumps(judge).encode(), name="policy.json")
    lists = {path for rule in row(name).restrictions if isinstance(rule, Rule) for path, _, _ in rule.conditions}
    for argument in {path.removeprefix("args.").partition("[")[0] for path in lists if "[" in path}:
        for value in ([None], [None, "eve@evil.example"], [*[None] * 9, "eve@evil.example"], [["eve@evil.example"]]):
            call = ToolCall(name, {**ORDINARY[name], argument: cast(Json, value)})
            assert decide(policy, call, Facts(mirrored=True)).effect == (
                "allow" if (argument, value) in NOBODY else "deny"
            )


@pytest.mark.parametrize("window", ["minute", "hour", "day"])
def test_no_honest_polling_meets_the_repeat(window: str) -> None:
    """Whoever asks the same as often as a tool's own limit allows is stopped by that limit, if by any."""
    for tool in recommended.TOOLS:
        if tool.loop is None and tool.name not in READ_ONCE:
            rates = [
                each.maximum * recommended.LOOP.seconds / SECONDS[window]
                for each in tool.limits
                if each.window == window
            ]
            assert all(rate < recommended.LOOP.maximum for rate in rates), tool.name


READ_ONCE = {"get_file", "get_message"}
"""Sixty a minute, but each of another file or message."""


def test_what_changes_something_is_not_done_again_and_again_and_what_looks_or_waits_is() -> None:
    looks = {tool.name for tool in recommended.TOOLS if tool.loop is None}
    assert looks == {tool.name for tool in recommended.TOOLS if tool.category == "Read"} | writing.WAITS


NOBODY = [("bcc", [None])]
"""A blind copy to nothing at all: it is the schema that refuses it."""


def test_importing_it_is_light() -> None:
    """It is on the way to the first answer of `run`."""
    program = "import sys, gateway.keyid.recommended; print(*{'pydantic', 're2', 'mcp'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=root)
    assert done.stdout == "\n"


def test_a_limit_says_itself() -> None:
    assert Limit(5, "minute", "few").says == "5/minute"
