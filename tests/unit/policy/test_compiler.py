from decimal import Decimal

import pytest

from gateway.jsonrpc import loads
from gateway.policy import Limit, load
from gateway.policy.compiler import revision


def limits(fields: str) -> tuple[Limit, ...]:
    text = f'{{"version": "1", "default": "deny", "tools": {{"t": {{{fields}}}}}}}'
    return load(text.encode(), name="p").entries["t"].limits


@pytest.mark.parametrize(
    ("written", "maximum", "window", "seconds"),
    [
        ('"5/second"', 5, "second", 1),
        ('"30/minute"', 30, "minute", 60),
        ('"30/hour"', 30, "hour", 3600),
        ('"1/day"', 1, "day", 86400),
        ('{"max": 10, "window": 60}', 10, "60 seconds", 60),
        ('{"max": 10, "window": 1}', 10, "1 second", 1),
        ('{"max": 10, "window": 60.0}', 10, "60 seconds", 60),
    ],
)
def test_a_rate_is_one_sliding_limit_of_the_session(written: str, maximum: int, window: str, seconds: int) -> None:
    assert limits(f'"rate_limit": {written}') == (
        Limit("/tools/t/rate_limit", "t", "rate_limit", Decimal(maximum), window, seconds, "session", "sliding"),
    )


def test_the_rates_of_two_rules_are_two_counters() -> None:
    found = limits('"rules": [{"rate_limit": "1/day"}, {"rate_limit": "1/day", "on_deny": "Enough."}]')
    assert [(limit.counter, limit.rule, limit.on_deny) for limit in found] == [
        ("rules/0/rate_limit", "/tools/t/rules/0/rate_limit", ""),
        ("rules/1/rate_limit", "/tools/t/rules/1/rate_limit", "Enough."),
    ]


def test_the_maximum_is_exact() -> None:
    (limit,) = limits('"limits": [{"counter": "c", "window": "day", "max": 0.1, "scope": "grant"}]')
    assert limit.maximum == Decimal("0.1")


def test_a_revision_is_that_of_what_is_said_not_of_how_it_is_laid_out() -> None:
    first = revision(loads('{"a": [1, {"x": 1, "y": 2}], "b": 1.0}'))
    assert first == revision(loads('{ "b": 1.0,\n "a": [1, {"y": 2, "x": 1}] }'))
    assert first != revision(loads('{"a": [1, {"x": 1, "y": 3}], "b": 1.0}'))
    assert first != revision(loads('{"a": [{"x": 1, "y": 2}, 1], "b": 1.0}'))
    assert len(first) == 16
