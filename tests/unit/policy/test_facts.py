"""What is known beside the arguments; and that what is not known refuses, whichever way it is asked."""

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from gateway.jsonrpc import Json
from gateway.policy import Circumstances, Facts, ToolCall, decide, load
from gateway.policy.facts import known
from gateway.policy.paths import FACTS, Path, parse
from gateway.policy.values import ABSENT, UNJUDGEABLE, Found

MONDAY = 1_767_603_600.0  # 2026-01-05T09:00:00Z
CIRCUMSTANCES = Circumstances(
    now=MONDAY,
    grant="ann",
    client="claude",
    session_calls={"read": 2},
    session_denials=3,
    seconds_since={"read": Decimal("0.5")},
)
FULL = Facts(mirrored=True, annotations={"readOnlyHint": True, "openWorldHint": None}, circumstances=CIRCUMSTANCES)
CALL = ToolCall("send", {})


def found(text: str, facts: Facts = FULL, zone: str = "UTC") -> Found:
    path = parse(text)
    assert isinstance(path, Path)
    return known(path, CALL, facts, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("session.calls.read", 2),
        ("session.calls.other", 0),
        ("session.denials", 3),
        ("grant.seconds_since.read", Decimal("0.5")),
        ("grant.seconds_since.other", ABSENT),
        ("grant", "ann"),
        ("client.name", "claude"),
        ("time.hour", 9),
        ("time.weekday", 1),
        ("tool.name", "send"),
        ("tool.annotations.readOnlyHint", True),
        ("tool.annotations.destructiveHint", True),
        ("tool.annotations.idempotentHint", False),
        ("tool.annotations.openWorldHint", True),
    ],
)
def test_a_fact_is_found(text: str, value: Json) -> None:
    assert found(text) == value


def test_the_hour_is_that_of_the_zone() -> None:
    assert found("time.hour", zone="Asia/Kolkata") == 14
    assert found("time.hour", zone="America/New_York") == 4
    sunday = FULL._replace(circumstances=CIRCUMSTANCES._replace(now=MONDAY - 86_400))
    assert (found("time.weekday", sunday), found("time.weekday", sunday, "Pacific/Auckland")) == (7, 7)
    assert found("time.weekday", FULL._replace(circumstances=CIRCUMSTANCES._replace(now=MONDAY - 36_000))) == 7


@pytest.mark.parametrize("now", [float("nan"), float("inf"), 1e300])
def test_a_moment_that_is_none_is_unjudgeable(now: float) -> None:
    assert found("time.hour", FULL._replace(circumstances=CIRCUMSTANCES._replace(now=now))) is UNJUDGEABLE


def test_a_client_without_a_name_has_none() -> None:
    assert found("client.name", FULL._replace(circumstances=CIRCUMSTANCES._replace(client=""))) is ABSENT


def test_a_hint_of_another_type_is_what_it_is() -> None:
    assert found("tool.annotations.readOnlyHint", FULL._replace(annotations={"readOnlyHint": "yes"})) == "yes"


@pytest.mark.parametrize("fact", [fact for fact in FACTS if fact != "tool.name"])
@pytest.mark.parametrize("field", ["require", "deny_if"])
def test_what_was_not_handed_in_refuses_in_every_kind_of_check(fact: str, field: str) -> None:
    path = {"tool": f"{fact}.x", "hint": f"{fact}.readOnlyHint"}.get(FACTS[fact], fact)
    text = f'{{"conditions": [{{"path": "{path}", "op": "exists", "value": %s}}]}}'
    for value in ("true", "false"):
        document = f'{{"version": "1", "default": "deny", "tools": {{"send": {{"{field}": [{text % value}]}}}}}}'
        assert decide(load(document.encode(), name="p"), CALL, Facts(mirrored=True)).effect == "deny"


def test_a_sequence_rule_is_three_lines() -> None:
    condition = '{"path": "grant.seconds_since.read", "op": "lt", "value": 3600}'
    text = (
        f'{{"version": "1", "default": "deny", "tools": {{"send": {{"deny_if": [{{"conditions": [{condition}]}}]}}}}}}'
    )
    policy = load(text.encode(), name="p")
    assert policy.asks_since == {"read"}
    for seconds, effect in ((Decimal(0), "deny"), (Decimal("3599.999999"), "deny"), (Decimal(3600), "allow")):
        facts = FULL._replace(circumstances=CIRCUMSTANCES._replace(seconds_since={"read": seconds}))
        assert decide(policy, CALL, facts).effect == effect
    never = FULL._replace(circumstances=CIRCUMSTANCES._replace(seconds_since={}))
    assert decide(policy, CALL, never).effect == "allow"
