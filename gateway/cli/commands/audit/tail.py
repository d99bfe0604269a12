"""`audit tail`: what was judged, newest last."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from gateway.cli import calls
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE, state
from gateway.cli.pausing import Pause
from gateway.cli.screen import document, note, record, say
from gateway.settings import Settings
from gateway.state import Entry
from gateway.state.audit import AuditLog

POLL_SECONDS: Final = 0.25
_BATCH: Final = 1000
_MOST: Final = 100_000
"""Records that are looked at for calls, however many more were asked for."""

HELP: Final = """Show the newest judged calls, one line each, newest last; a refused one with its rule and reason.

Outcomes: what the server answered (ok, tool error, error), `not sent` for a refused call, `not settled` for one whose
answer is not known (yet, or ever: a gateway that was killed). The decision id and the rule of an allowed call take 140
columns, who called (grant and client) 180: or --wide, a pipe, --json. Times are of this machine's time zone, whose name
stands behind the date. That the gateway has tried its policy on itself, as it does before the first call and after each
edit, only --json shows.

\b
--json: one document, {"records": [{"seq", "time", "at", "kind",
  "decision_id", "grant", "session", "client_name", "client_version",
  "server", "method", "tool", "policy_revision", "effect", "rule",
  "reason", "message", "argument_names", "argument_digest",
  "upstream_status", "outcome", "latency_ms", "values"}]}; "values" is
  null, or JSON in a text, as it is recorded. A relayed call has two
  records, `decided` and `settled`; a refused one has one.
  With -f it is one record a line (JSON Lines)."""


@click.command("tail", help=HELP, short_help="show the newest judged calls")
@click.option("-n", "count", type=click.IntRange(0, 100_000), default=20, metavar="N", help="how many (default: 20)")
@click.option("-f", "--follow", is_flag=True, help="go on with every call that is judged, until Ctrl-C")
@click.option("--wide", is_flag=True, help="every column, however wide the terminal is")
@with_settings("state")
@json_flag
def command(settings: Settings, *, count: int, follow: bool, wide: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    entries, newest = _newest(settings.state, count, as_json=as_json)
    if follow:
        return _follow(settings.state, entries or (), newest, None if as_json else calls.Printer(last=count, wide=wide))
    if as_json:
        document({"records": [calls.as_data(entry) for entry in entries or ()]})
    elif entries is None or not newest or (not entries and count):
        say("no call has been judged yet" if entries is not None else f"{NO_STATE} (`{settings.state}`)")
        say("next: connect an MCP client, or see `keyid-gateway demo`")
    else:
        calls.Printer(last=count, wide=wide).show(entries)
    return 0


def _newest(path: Path, count: int, *, as_json: bool) -> tuple[Sequence[Entry] | None, int]:
    """The last records (None: there is no state file), and the `seq` of the newest there is, 0 without any."""
    with state(path) as opened:
        if opened is None:
            return None, 0
        newest = opened.audit.newest(1)
        seq = newest[0].seq if newest else 0
        return opened.audit.newest(count) if as_json else _calls(opened.audit, count), seq


def _calls(audit: AuditLog, count: int) -> Sequence[Entry]:
    """The records of the last calls: two of each at most, and others may lie between."""
    looked_at = 2 * count
    while True:
        entries = audit.newest(looked_at)
        found = calls.told(entries)
        if len(entries) < looked_at or looked_at >= _MOST or len(calls.merged(found)) >= count:
            return found
        looked_at *= 4


def _follow(path: Path, entries: Sequence[Entry], seen: int, printer: calls.Printer | None) -> int:
    """Print what is there, then every call when it is over, until Ctrl-C or until nobody reads."""
    pause = Pause(POLL_SECONDS)
    if not seen and printer is not None:
        note(f"waiting for the first call (`{path}`)")
    first = True
    try:
        while True:
            if printer is not None:
                new = calls.told(entries)
                printer.show(new if first else [item for item in new if item.record.kind != "decided"])
            else:
                for entry in entries:
                    record(calls.as_data(entry))
            first = first and not entries and not seen
            seen = entries[-1].seq if entries else seen
            if pause.is_over():
                return 0
            entries = _after(path, seen)
    except KeyboardInterrupt:
        return 0


def _after(path: Path, seen: int) -> Sequence[Entry]:
    """The records that follow; from the beginning where another file has taken the place of the one that was read."""
    with state(path) as opened:
        if opened is None:
            return ()
        newest = opened.audit.newest(1)
        return opened.audit.tail(seen if newest and newest[0].seq >= seen else 0, _BATCH)
