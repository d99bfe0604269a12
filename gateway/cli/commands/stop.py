"""`stop`: every gateway of this user refuses every call, until a person runs `resume`."""

from typing import Final

import click

from gateway.cli.flags import json_flag, with_settings
from gateway.cli.owner import act, reason, record, user
from gateway.cli.screen import document, say
from gateway.cli.words import counted, local, shown
from gateway.errors import StateError
from gateway.settings import Settings
from gateway.state import EVERYONE, Halt, Transaction

HELP: Final = """Stop every gateway of this user: each call is refused, from the next one on.

It holds at once for every gateway that uses this state file, in whichever client, and for every one that is started
later, until a person runs `keyid-gateway resume`. Calls that are running end as they would, unless --now cancels them:
the server is told, the agent gets the refusal, and the record says that the call may have had its effect. The agent
reads since when, and the reason. Tools stay listed, so that clients need no restart afterwards.

It needs no terminal and asks nothing: closing is always allowed. If the state file cannot be written it fails with exit
code 5, and says what else stops a gateway.

\b
--json: {"stopped": true, "since" (seconds since the epoch), "by",
  "reason", "now", "before": true if it was stopped already,
  "gateways": how many run}"""


@click.command("stop", help=HELP, short_help="refuse every call of every gateway, at once")
@click.option("--reason", "why", metavar="TEXT", help="what agents and people read beside the refusal")
@click.option("--now", "at_once", is_flag=True, help="cancel the calls that are running as well")
@with_settings("state")
@json_flag
def command(settings: Settings, *, why: str | None, at_once: bool, as_json: bool) -> int:
    """The command; its help is `HELP`."""
    said, by = reason(why), user()
    try:
        halt, before, running = act(settings.state, lambda tx, now: _stop(tx, now, said, by, at_once=at_once))
    except StateError as error:
        raise _not_stopped(error) from error
    if as_json:
        document(
            {
                "stopped": True,
                "since": halt.since,
                "by": halt.by,
                "reason": halt.reason,
                "now": halt.at_once,
                "before": before,
                "gateways": running,
            }
        )
        return 0
    say(f"stopped{' already' * before}, since {local(halt.since):%Y-%m-%d %H:%M:%S %Z} by {shown(halt.by)}")
    if halt.reason:
        say(f"reason: {shown(halt.reason)}")
    say(f"every gateway that uses `{shown(str(settings.state))}` refuses every call")
    if running:
        say(f"running now: {counted(running, 'gateway')}")
    if at_once:
        say("calls that are running are being cancelled")
    say("next: `keyid-gateway resume`, in a terminal, lets calls through again")
    return 0


def _stop(tx: Transaction, now: float, why: str, by: str, *, at_once: bool) -> tuple[Halt, bool, int]:
    """The stop that holds, whether it did before, and of how many gateways. A second one adds what it says."""
    former = tx.switch.look(EVERYONE)
    if former is None:
        halt = Halt(EVERYONE, now, by, why, at_once)
    else:
        halt = Halt(EVERYONE, former.since, former.by, why or former.reason, at_once or former.at_once)
    if halt != former or at_once:
        tx.switch.halt(halt)
        how = "stopped, running calls as well" if at_once else "stopped"
        tx.audit.append(record("switch/stop", f"{how}, by {by}{f': {why}' if why else ''}", now))
    return halt, former is not None, sum(each.life(now) != "gone" for each in tx.gateways.noted())


def _not_stopped(error: StateError) -> StateError:
    """Nobody who wanted to stop an agent may think that it is stopped."""
    instead = "quit the MCP clients, or take the gateway's entry out of their config, then try again"
    hint = instead if error.hint is None else f"{instead} ({error.hint})"
    return StateError(f"nothing is stopped: {error.message}", hint, told=error.told)
