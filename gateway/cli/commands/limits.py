"""`limits`: what is used of what, and what becomes free when."""

from collections.abc import Mapping

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE, InForce, limits_of, policy_in_force, state
from gateway.cli.screen import Row as Cells
from gateway.cli.screen import document, fits, say, table
from gateway.cli.used import Row, as_data, name_of, resets_of, row_of, used_of, whose
from gateway.cli.words import counted, local, shown
from gateway.clock import SystemClock
from gateway.settings import Settings

HELP = """Show what is used of the policy's limits, and what resets when.

Every counter in the state file that is not empty is shown, of all grants and servers. The maximum is that of the policy
in force for this grant at this server; a counter that its policy does not know (any more) has none. What is counted for
another grant or at another server is marked so: `--profile`, `--grant` and `--upstream` say whose maximum is shown.

\b
--json: {"grant", "server", "policy": {"name", "revision"}, "limits":
  [{"tools_key", "counter", "window", "window_seconds", "strategy",
  "scope", "owner", "per" (a digest), "server", "used", "max", "left",
  "next_free_at",
  "resets_at", "resets_in_seconds"}]}; moments in seconds since the epoch,
  null for what ends with its session"""


@click.command("limits", help=HELP, short_help="what is used of the limits, and what resets when")
@with_settings("upstream", "policy", "grant", "state")
@json_flag
def command(settings: Settings, *, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    now = SystemClock().now()
    in_force = policy_in_force(settings)
    with state(settings.state) as opened:
        usages = [] if opened is None else opened.counters.usage(now)
    rows = [row_of(usage, in_force, settings) for usage in usages]
    if as_json:
        document(_document(rows, in_force, settings, now))
    elif not rows:
        _say_empty(settings, in_force, fresh=opened is None)
    else:
        _show(rows, in_force, settings, now)
    return 0


def _document(rows: list[Row], in_force: InForce, settings: Settings, now: float) -> Mapping[str, object]:
    return {
        "grant": settings.grant,
        "server": settings.server,
        "policy": {"name": in_force.policy.name, "revision": in_force.policy.revision},
        "limits": [as_data(row, now) for row in rows],
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
    if any(row.other for row in rows):
        say("the maximum of another grant or server: with `--profile`, `--grant` or `--upstream`")
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
