"""`status`: which gateways run, and what there is to know of them at this moment."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import click

from gateway.cli import overview
from gateway.cli.flags import json_flag, with_settings
from gateway.cli.in_force import NO_STATE
from gateway.cli.overview import Overview, as_data
from gateway.cli.pausing import Pause
from gateway.cli.screen import Row, console, document, folded, laid_out, record, styled
from gateway.cli.used import name_of, resets_of, used_of, whose
from gateway.cli.words import counted, local, named, shown, span
from gateway.clock import SystemClock
from gateway.settings import KEYID, Settings
from gateway.state import Halt, Running

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

LOOK_SECONDS: Final = 1.0
_LIMITS: Final = 8
_QUESTIONS: Final = 8
_NAME: Final = 31
_PIPE_WIDTH: Final = 1000

HELP: Final = """Show which gateways run now, for which client, and what they have let through and denied; whether they
are stopped; which calls wait for you; which limits are used most; and what was denied last, by which rule and why.

A gateway is one process: a client starts one for each of its entries. Calls and denials are those since it began. All
of it is read from the state file that the gateways share; nothing is asked of them, or of a server.

--watch goes on until Ctrl-C, and shows what has changed every second; where nobody looks (a pipe), only when something
has.

\b
--json: {"at", "state_file": whether there is one, "gateways": [{"pid",
  "session", "version", "client": {"name", "version"}, "grant", "profile",
  "server", "policy": {"file" (null: the built-in pack), "revision"},
  "since", "seen", "calls", "denials", "certain" (false: in another
  container, so that nobody can tell)}], "killed": how many ended without
  saying so, "stopped": {"since", "by", "reason"} or null, "revoked":
  [{"grant", "since", "by", "reason"}], "questions": [{"id", "tool",
  "grant", "client", "reason", "asked_at", "expires_at", "waiters"}] that
  wait for a person, "limits": as `limits --json` has
  them, "no_policy": why none has a maximum, or null, "denials": as
  `audit tail --json` has them, newest first}; moments in seconds since
  the epoch. With --watch it is one document a line."""


@click.command("status", help=HELP, short_help="show which gateways run, and what was denied last")
@click.option("-w", "--watch", is_flag=True, help="go on, until Ctrl-C")
@with_settings("upstream", "policy", "grant", "state")
@json_flag
def command(settings: Settings, *, watch: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    if watch:
        return _watch(settings, as_json=as_json)
    found = overview.look(settings, SystemClock().now())
    if as_json:
        document(as_data(found))
    else:
        _print(found, settings, console())
    return 0


def _watch(settings: Settings, *, as_json: bool) -> int:
    """Show it again and again, until Ctrl-C or until nobody reads."""
    screen = console()
    try:
        if screen.is_terminal and not screen.is_dumb_terminal and not as_json:
            _redraw(settings, screen)
        else:
            _append(settings, screen, as_json=as_json)
    except KeyboardInterrupt:
        return 0
    return 0


def _redraw(settings: Settings, screen: "Console") -> None:
    """On a screen of its own, in place: nothing is cleared, so nothing flickers. Then the terminal is as it was."""
    from rich.console import Group
    from rich.live import Live

    clock, pause = SystemClock(), Pause(LOOK_SECONDS)
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        found: Overview | None = None
        while True:
            found = overview.look(settings, clock.now(), found)
            head = styled(f"{local(found.at):%H:%M:%S}  Ctrl-C ends", "dim")
            live.update(Group(head, styled(""), *_lines(found, settings, screen.width)), refresh=True)
            if pause.is_over():
                return


def _append(settings: Settings, screen: "Console", *, as_json: bool) -> None:
    clock, pause = SystemClock(), Pause(LOOK_SECONDS)
    before: Overview | None = None
    while True:
        found = overview.look(settings, clock.now(), before)
        if before is None or found.same != before.same:
            if as_json:
                record(as_data(found))
            else:
                screen.print(styled(f"{'' if before is None else chr(10)}at {local(found.at):%Y-%m-%d %H:%M:%S %Z}"))
                _print(found, settings, screen)
            screen.file.flush()
        before = found
        if pause.is_over():
            return


def _print(found: Overview, settings: Settings, screen: "Console") -> None:
    for line in _lines(found, settings, screen.width):
        screen.print(line, soft_wrap=True)


def _lines(found: Overview, settings: Settings, width: int) -> Iterator["Text"]:
    """All of it, in `width` columns."""
    yield from _gateways(found, settings, width)
    yield from _halts(found.halts, width)
    if found.questions:
        yield from _questions(found, width)
    if found.used:
        yield from _limits(found, width)
    if found.denials:
        yield from _denials(found, width)


# --- the gateways -----------------------------------------------------------------------------------------------------


def _gateways(found: Overview, settings: Settings, width: int) -> Iterator["Text"]:
    if not found.gateways:
        yield styled("no gateway is running", "bold")
        if not found.there:
            yield from _said(f"{NO_STATE} (`{shown(str(settings.state))}`)", width)
        if found.left:
            yield from _said(
                f"{counted(found.left, 'gateway')} ended without saying so: killed, or by a power cut", width
            )
        yield from _said(
            'next: start your client with an entry for the gateway (README, "In front of your server"); '
            "`keyid-gateway doctor` says what keeps it from running",
            width,
        )
        return
    yield styled(f"{counted(len(found.gateways), 'gateway')} running", "bold")
    profiles = any(line.profile not in ("", KEYID) for line in found.gateways)
    columns = ("client", "grant", *(("profile",) if profiles else ()), "since", "calls", "denied", "server")
    rows = [_row(line, found.at, profiles=profiles) for line in found.gateways]
    lines, _ = laid_out(columns, rows, _PIPE_WIDTH)
    whole = max(map(len, lines)) <= width
    yield from lines if whole else laid_out(columns[:-1], [row[:-1] for row in rows], width)[0]
    if not whole:
        for server in dict.fromkeys(line.server for line in found.gateways):
            yield from _said(f"in front of {shown(server)}", width, indent="  ")
    if any(line.life(found.at) == "unknown" for line in found.gateways):
        yield from _said("(?) is in another container, or was: from here nobody can tell whether it runs", width)


def _row(line: Running, now: float, *, profiles: bool) -> Row:
    client = f"{shown(line.client_name, 24)} {shown(line.client_version, 10)}".strip() or "(not known yet)"
    doubt = "" if line.life(now) == "running" else " (?)"
    profile = (shown(line.profile, 16),) if profiles else ()
    denied = (str(line.denials), "red" if line.denials else "")
    since = span(now - line.since)
    return (client + doubt, shown(line.grant, 20), *profile, since, str(line.calls), denied, shown(line.server))


# --- the switch -------------------------------------------------------------------------------------------------------


def _halts(halts: tuple[Halt, ...], width: int) -> Iterator["Text"]:
    for halt in halts:
        yield styled("")
        who = "STOPPED" if halt.of_everyone else f"grant `{shown(halt.grant, 40)}` is revoked"
        why = f": {shown(halt.reason)}" if halt.reason else ""
        words = f"{who} since {local(halt.since):%Y-%m-%d %H:%M:%S %Z} by {shown(halt.by, 40)}{why}"
        for line in _said(words, width):
            line.stylize("bold red")
            yield line
        if halt.of_everyone:
            yield from _said("every call is refused until `keyid-gateway resume`, in a terminal", width)


# --- questions --------------------------------------------------------------------------------------------------------


def _questions(found: Overview, width: int) -> Iterator["Text"]:
    number = len(found.questions)
    yield styled("")
    yield styled(
        f"{counted(number, 'call')} wait{'s' * (number == 1)} for you: `keyid-gateway approvals`", "bold yellow"
    )
    rows: list[Row] = [
        (
            each.question.id,
            named(each.question.tool, _NAME),
            span(each.question.expires_at - found.at),
            shown(each.question.client_name, 24) or "(unnamed)",
            shown(each.question.reason),
        )
        for each in found.questions[:_QUESTIONS]
    ]
    yield from laid_out(("id", "tool", "left", "client", "why"), rows, width)[0]
    if number > _QUESTIONS:
        yield styled(f"and {number - _QUESTIONS} more")


# --- limits -----------------------------------------------------------------------------------------------------------


def _limits(found: Overview, width: int) -> Iterator["Text"]:
    yield styled("")
    yield styled("limits in use, the fullest first", "bold")
    if found.no_policy is not None:
        yield from _said(f"without their maximum, because no policy can be taken: {shown(found.no_policy)}", width)
    rows: list[Row] = [
        (
            name_of(row, found.used),
            used_of(row),
            resets_of(row, found.at, clock=False),
            whose(row),
        )
        for row in found.used[:_LIMITS]
    ]
    yield from laid_out(("limit of", "used", "all free again", "counted for"), rows, width)[0]
    if len(found.used) > _LIMITS:
        yield styled(f"{counted(len(found.used) - _LIMITS, 'other')} in use: `keyid-gateway limits`")


# --- denials ----------------------------------------------------------------------------------------------------------


def _denials(found: Overview, width: int) -> Iterator["Text"]:
    yield styled("")
    yield styled("denied last", "bold")
    for entry in found.denials:
        said = entry.record
        name = named(said.tool, _NAME) if said.tool else shown(said.method, _NAME)
        line = styled(f"{span(found.at - said.at)} ago".rjust(14) + "  ")
        line.append(name, style="red")
        line.append(f"  {shown(said.rule)}")
        if said.client_name:
            line.append(f"  ({shown(said.client_name, 24)})", style="dim")
        line.truncate(width, overflow="ellipsis")
        yield line
        yield from _said(shown(said.message), width, indent=" " * 16)
    yield from _said("next: `keyid-gateway policy explain TOOL` says what a call of it would need", width)


def _said(text: str, width: int, *, indent: str = "") -> Iterator["Text"]:
    """A sentence, broken between words."""
    for line in folded(indent + text, width).split("\n"):
        yield styled(line)
