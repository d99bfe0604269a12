"""`limits`: what is used of what, and what becomes free when."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE, InForce, limits_of, policy_in_force, state
from gateway.cli.screen import Row as Cells
from gateway.cli.screen import document, fits, say, table
from gateway.cli.words import amount, counted, local, named, shown, span
from gateway.clock import SystemClock
from gateway.policy import Limit
from gateway.settings import Settings
from gateway.state import Usage, charge_for

HELP = """Show what is used of the policy's limits, and what resets when.

Every counter in the state file that is not empty is shown, of all grants and servers. The maximum is that of the policy
in force for this grant; a counter that its policy does not know (any more) has none.

\b
--json: {"grant", "server", "policy": {"name", "revision"}, "limits":
  [{"tools_key", "counter", "window", "window_seconds", "strategy",
  "scope", "owner", "per" (a digest), "server", "used", "max", "left",
  "next_free_at",
  "resets_at", "resets_in_seconds"}]}; moments in seconds since the epoch,
  null for what ends with its session"""


@dataclass(frozen=True, slots=True)
class Row:
    """One counter that is not empty, and the limit of the policy in force that it belongs to, if any."""

    usage: Usage
    limit: Limit | None

    @property
    def left(self) -> Decimal | None:
        return None if self.limit is None else max(Decimal(0), self.limit.maximum - self.usage.used)

    @property
    def next_free_at(self) -> float | None:
        """When some of it is free again: at once all of a fixed window, the oldest hit of a sliding one, else None."""
        if self.usage.key.strategy != "sliding":
            return self.usage.resets_at
        return self.usage.window_start + self.usage.key.seconds


@click.command("limits", help=HELP, short_help="what is used of the limits, and what resets when")
@with_settings("upstream", "policy", "grant", "state")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    now = SystemClock().now()
    in_force = policy_in_force(settings)
    with state(settings.state) as opened:
        usages = [] if opened is None else opened.counters.usage(now)
    rows = [Row(usage, limit_of(usage, in_force, settings)) for usage in usages]
    if as_json:
        document(_document(rows, in_force, settings, now))
    elif not rows:
        _say_empty(settings, in_force, fresh=opened is None)
    else:
        _show(rows, in_force, settings, now)
    return 0


def limit_of(usage: Usage, in_force: InForce, settings: Settings) -> Limit | None:
    """The limit of the policy in force that a counter belongs to, if any."""
    for limit in limits_of(in_force.policy):
        owner = usage.key.owner if limit.scope == "session" else settings.grant
        charge = charge_for(
            limit, server=settings.server, grant=settings.grant, session=owner, per=usage.key.per if limit.per else None
        )
        if charge.key == usage.key:
            return limit
    return None


def _document(rows: list[Row], in_force: InForce, settings: Settings, now: float) -> Mapping[str, object]:
    return {
        "grant": settings.grant,
        "server": settings.server,
        "policy": {"name": in_force.policy.name, "revision": in_force.policy.revision},
        "limits": [as_data(row, now) for row in rows],
    }


def as_data(row: Row, now: float) -> Mapping[str, object]:
    """A counter as JSON; its form is part of `HELP`."""
    key = row.usage.key
    return {
        "tools_key": key.tools_key,
        "counter": key.counter,
        "window": key.window,
        "window_seconds": key.seconds,
        "strategy": key.strategy,
        "scope": key.scope,
        "owner": key.owner,
        "per": key.per,
        "server": key.server,
        "used": amount(row.usage.used),
        "max": None if row.limit is None else amount(row.limit.maximum),
        "left": None if row.left is None else amount(row.left),
        "next_free_at": row.next_free_at,
        "resets_at": row.usage.resets_at,
        "resets_in_seconds": None if row.usage.resets_at is None else max(0, round(row.usage.resets_at - now)),
    }


def _say_empty(settings: Settings, in_force: InForce, *, fresh: bool) -> None:
    number = len(limits_of(in_force.policy))
    if not number:
        say(f"{in_force.name} has no limits")
        say('next: give a tool one: `"rate_limit": "30/hour"`')
        return
    say(f"nothing is used of the {counted(number, 'limit')} of {in_force.name}")
    if fresh:
        say(f"{NO_STATE} (`{settings.state}`)")
    say("next: `keyid-gateway tools` lists the limits of each tool")


def _show(rows: list[Row], in_force: InForce, settings: Settings, now: float) -> None:
    servers = sorted({row.usage.key.server for row in rows}, key=lambda server: (server != settings.server, server))
    narrow = False
    for number, server in enumerate(servers):
        if number:
            say()
        if server != settings.server:
            say(f"at {shown(server)}:")
        narrow |= _table([row for row in rows if row.usage.key.server == server], now)
    say()
    if narrow:
        say("for whom each is counted: in a wider terminal, through a pipe, or with --json")
    unused = len(limits_of(in_force.policy)) - sum(row.limit is not None for row in rows)
    if unused > 0:
        say(f"{counted(unused, 'other limit')} of {in_force.name} unused")


def _table(rows: list[Row], now: float) -> bool:
    """The counters of one server; whether the last column had no room. The moment gives way before it does."""
    moments = f"all free again ({local(now):%Z})"
    cells: list[Cells] = [
        (name_of(row, rows), used_of(row), resets_of(row, now, clock=True), whose(row)) for row in rows
    ]
    if not fits(("limit of", "used", moments, "counted for"), cells):
        moments = "all free again"
        cells = [
            (name, used, resets_of(row, now, clock=False), whose)
            for row, (name, used, _, whose) in zip(rows, cells, strict=True)
        ]
    return table(("limit of", "used", moments, "counted for"), cells)


def name_of(row: Row, rows: list[Row]) -> str:
    """Of what it is a limit; with the name of the counter where that alone tells it from another one."""
    key = row.usage.key
    name = "all tools" if key.tools_key == "all_tools" else named(key.tools_key, 64)
    counters = {each.usage.key.counter for each in rows if each.usage.key.tools_key == key.tools_key}
    return name if len(counters) == 1 else f"{name} ({shown(key.counter, 40)})"


def used_of(row: Row) -> tuple[str, str]:
    """How much of the maximum is used, and the style that this deserves."""
    window = shown(row.usage.key.window)
    if row.limit is None:
        return f"{amount(row.usage.used)} per {window} (no maximum now)", "dim"
    full = row.left == 0
    return f"{amount(row.usage.used)} of {amount(row.limit.maximum)} per {window}", "red" if full else ""


def resets_of(row: Row, now: float, *, clock: bool) -> str:
    """When all of it is free again; by the clock as well if asked."""
    if row.usage.resets_at is None:
        return "when the session ends"
    words = f"in {span(row.usage.resets_at - now)}"
    return f"{words} ({local(row.usage.resets_at):%H:%M:%S})" if clock else words


def whose(row: Row) -> str:
    """For whom a counter is kept."""
    key = row.usage.key
    apart = "" if key.per is None else f", value {shown(key.per)[:8]}"
    return f"{key.scope} {shown(key.owner)}".rstrip() + apart
