"""`audit stats`: the log in numbers."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import click

from gateway.cli.evidence import evidence
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE
from gateway.cli.moments import moment
from gateway.cli.screen import document, say, table
from gateway.cli.words import counted, latency, named, tally
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.state.statistics import Latency, Statistics

_MOST: Final = 20

HELP: Final = """Count the calls: by tool, by what was decided, by who called (grant, client), by rule, by what came of
them, by day (UTC).

A date of --since and --until is one of this machine's time zone (`2026-01-31T14:00Z` is UTC). Latencies are from the
line of the client to the answer of the server, of relayed calls.

\b
--json: {"calls", "effects", "tools": {tool: {"effects", "latency_ms"}},
  "grants", "clients" (what they call themselves), "rules" (of what was
  not simply allowed), "outcomes", "days": {date: effects},
  "latency_ms": {"p50", "p99"} or null}"""


@click.command("stats", help=HELP, short_help="count the calls: tools, effects, rules, outcomes, latencies")
@click.option("--since", metavar="TIME", help="not before: `7d`, or `2026-01-31`")
@click.option("--until", metavar="TIME", help="before")
@with_settings("state")
@json_flag
def command(settings: Settings, *, since: str | None, until: str | None, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    now = SystemClock().now()
    with evidence(settings.state) as found:
        numbers = (
            Statistics(0, {}, {}, {}, {}, {}, {}, {}, None, {})
            if found is None
            else found.count(moment(since, "--since", now), moment(until, "--until", now))
        )
    if as_json:
        document(_data(numbers))
    elif found is None:
        say(f"{NO_STATE} (`{settings.state}`)")
    elif not numbers.calls:
        say("no call was judged in this time")
    else:
        _show(numbers)
    return 0


def _show(numbers: Statistics) -> None:
    say(f"{counted(numbers.calls, 'call')}: {tally(_most_first(numbers.effects))}")
    if numbers.latency is not None:
        half, most = latency(numbers.latency.p50), latency(numbers.latency.p99)
        say(f"relayed calls took {half} (half of them), {most} (99 of 100)")
    say()
    tools = sorted(numbers.tools.items(), key=lambda item: (-sum(item[1].values()), item[0]))
    rows = []
    for tool, effects in tools[:_MOST]:
        took = numbers.latencies.get(tool)
        half, most = ("", "") if took is None else (latency(took.p50), latency(took.p99))
        rows.append(
            (
                named(tool, 40) if tool else "(no tool)",
                str(sum(effects.values())),
                half,
                most,
                tally(_most_first(effects)),
            )
        )
    table(("tool", "calls", "p50", "p99", "decided"), rows)
    if len(tools) > _MOST:
        say(f"and {counted(len(tools) - _MOST, 'other tool')}: --json has all")
    _counts("grant", numbers.grants)
    _counts("client (what it calls itself)", numbers.clients)
    _counts("rule (of what was not simply allowed)", numbers.rules)
    _counts("outcome", numbers.outcomes)
    days = {f"{_date(day)}": sum(effects.values()) for day, effects in numbers.days.items()}
    _counts("day (UTC)", dict(sorted(days.items())[-_MOST:]), by_number=False)


def _counts(title: str, counts: Mapping[str, int], *, by_number: bool = True) -> None:
    if not counts:
        return
    ordered = _most_first(counts) if by_number else counts
    say()
    rows = [(named(name, 60) if name else "(none)", str(ordered[name])) for name in list(ordered)[:_MOST]]
    table((title, "calls"), rows)
    if len(ordered) > _MOST:
        say(f"and {len(ordered) - _MOST} more: --json has all")


def _most_first(counts: Mapping[str, int]) -> Mapping[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _date(day: int) -> str:
    return f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}"


def _data(numbers: Statistics) -> Mapping[str, object]:
    return {
        "calls": numbers.calls,
        "effects": dict(numbers.effects),
        "tools": {
            tool: {"effects": dict(effects), "latency_ms": _latency(numbers.latencies.get(tool))}
            for tool, effects in numbers.tools.items()
        },
        "grants": dict(numbers.grants),
        "clients": dict(numbers.clients),
        "rules": dict(numbers.rules),
        "outcomes": dict(numbers.outcomes),
        "days": {_date(day): dict(effects) for day, effects in numbers.days.items()},
        "latency_ms": _latency(numbers.latency),
    }


def _latency(found: Latency | None) -> Mapping[str, float] | None:
    return None if found is None else {"p50": found.p50, "p99": found.p99}
