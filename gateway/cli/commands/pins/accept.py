"""`pins accept`: a person takes what `pins diff` has shown."""

from collections.abc import Mapping, Sequence
from typing import Final

import click

from gateway.cli.asked import proven, still
from gateway.cli.flags import with_settings
from gateway.cli.in_force import state
from gateway.cli.owner import act, ask_for_a_person, record, user
from gateway.cli.screen import note, say
from gateway.cli.waiting_pins import Pinned, chosen, gathered, risks_of
from gateway.cli.words import counted, shown
from gateway.errors import UsageError
from gateway.settings import Settings
from gateway.state import Transaction
from gateway.state.pins import Key, Pin

_DECLINED: Final = 1
_NAMED: Final = 20

HELP: Final = """Accept definitions that `keyid-gateway pins diff` has shown: gateways let their calls through again.

What is accepted is exactly what was shown last, by its digest: where a server has changed it once more since, that is
said, and waits for another look. What was accepted before stays accepted, so that a server may go back to it.

It needs a terminal on standard input, and the PIN if one was set (`keyid-gateway approvals pin`): a person decides
this. TOOL is the name of a tool, or `(instructions)`."""


@click.command("accept", help=HELP, short_help="accept what `pins diff` has shown")
@click.argument("tools", nargs=-1, metavar="[TOOL]...")
@click.option("--all", "everything", is_flag=True, help="everything that was shown")
@click.option("-y", "--yes", is_flag=True, help="do not ask once more")
@with_settings("upstream", "state")
def command(settings: Settings, *, tools: Sequence[str], everything: bool, yes: bool) -> int:
    """The command; its help is `HELP`."""
    if bool(tools) == everything:
        raise UsageError("name the tools to accept, or pass `--all`", "`keyid-gateway pins diff` shows what waits")
    with state(settings.state) as opened:
        found = [] if opened is None else gathered(opened.pins.of(settings.server))
    wanted = [each for each in chosen(found, tools) if each.waiting is not None]
    ready = [(each, each.shown) for each in wanted if each.shown is not None]
    if not wanted:
        say(f"nothing of {shown(settings.server)} waits")
        return 0
    if not ready:
        raise UsageError(
            f"{_these(wanted)} {'was' if len(wanted) == 1 else 'were'} shown to nobody yet",
            "look at it with `keyid-gateway pins diff`, then accept it",
        )
    ask_for_a_person("pins accept")
    _say_what(ready, wanted, risks_of(found))
    if not yes and not click.confirm(f"accept {counted(len(ready), 'definition')}?"):
        say("nothing was accepted")
        return _DECLINED
    by, pins, pin_kept = user(), [pin for _, pin in ready], proven(settings.state)

    def work(tx: Transaction, now: float) -> int:
        still(tx, pin_kept)
        return _accept(tx, now, settings.server, pins, by)

    taken = act(settings.state, work)
    say(f"accepted {counted(taken, 'definition')}; gateways heed it from the next call on")
    if taken < len(pins):
        note("warning: some of it was changed or accepted meanwhile: look at it again with `keyid-gateway pins diff`")
    return 0


def _say_what(ready: Sequence[tuple[Pinned, Pin]], wanted: Sequence[Pinned], told: Mapping[Key, Sequence[str]]) -> None:
    for each, pin in ready:
        say(f"{each.label}: {each.standing}, digest {pin.digest.hex()[:12]}")
        for risk in told[each.key] if pin == each.waiting else ():
            say(f"  ! {risk}")
        if pin != each.waiting:
            note(f"warning: {each.label} has changed once more since it was shown: that one goes on waiting")
    left = len(wanted) - len(ready)
    if left:
        note(
            f"warning: {counted(left, 'definition')} more {'was' if left == 1 else 'were'} not shown, and not accepted"
        )


def _accept(tx: Transaction, now: float, server: str, pins: Sequence[Pin], by: str) -> int:
    """Accept these, as they were shown: whatever is not there any more by this digest stays out."""
    there = {(pin.key, pin.digest) for pin in tx.pins.of(server) if pin.how == "waiting" and pin.shown_at is not None}
    same = [pin for pin in pins if (pin.key, pin.digest) in there]
    taken = tx.pins.accept(server, [pin.key for pin in same], now)
    if taken:
        names = ", ".join(pin.key[1] or "(instructions)" for pin in same[:_NAMED])
        more = f" and {len(same) - _NAMED} more" if len(same) > _NAMED else ""
        tx.audit.append(record("pins/accept", f"accepted by {by}: {names}{more}", now, server=server))
    return taken


def _these(wanted: Sequence[Pinned]) -> str:
    return wanted[0].label if len(wanted) == 1 else counted(len(wanted), "definition")
