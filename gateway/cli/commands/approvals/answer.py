"""`approvals approve` and `approvals deny`: the answer of a person at a terminal."""

from typing import Final

import click

from gateway.approvals import wording
from gateway.cli import asked, completion
from gateway.cli.evidence import missing
from gateway.cli.flags import with_settings
from gateway.cli.in_force import state
from gateway.cli.moments import seconds as seconds_of
from gateway.cli.owner import ask_for_a_person, reason
from gateway.cli.screen import say, verbatim
from gateway.cli.words import local
from gateway.clock import SystemClock
from gateway.settings import Settings
from gateway.state.approvals import Standing

APPROVE: Final = """Approve one call, once: that one, with exactly these arguments.

ID is the id of the question, or how it begins. The call is shown, and you are asked. It takes a terminal. A call that
still waits goes on at once; otherwise the agent makes the same call once more, and it passes, once.

--yes does not ask "y or n". A PIN (`approvals pin set`) is asked for all the same: it is what tells you from an agent
that can type into a terminal, and a flag is just what such an agent would write."""

DENY: Final = """Deny one call. The same call is denied without asking for as long as the policy says (10 minutes).

ID is the id of the question, or how it begins. It takes a terminal, and the PIN if there is one. --reason is a line
that the agent reads; say what it should do instead. --for is how long the same call stays denied."""

_QUESTION: Final = "approve this call? y: yes, n: no, w: show the whole of it"


@click.command("approve", help=APPROVE, short_help="approve one call, once")
@click.argument("question", metavar="ID", shell_complete=completion.approvals)
@click.option("-y", "--yes", is_flag=True, help="do not ask `y or n`; a PIN is asked for all the same")
@with_settings("state")
def approve(settings: Settings, *, question: str, yes: bool) -> int:
    """The command; its help is `APPROVE`."""
    asked.person("approvals approve")
    standing = _standing(settings, question)
    verbatim(wording.full(standing.question, asked.width()))
    say()
    if not yes and not agreed(standing):
        say("not approved: the question stays open (`keyid-gateway approvals deny` denies it)")
        return 1
    say(approved(settings, standing.question.id))
    return 0


@click.command("deny", help=DENY, short_help="deny one call")
@click.argument("question", metavar="ID", shell_complete=completion.approvals)
@click.option("--for", "length", metavar="DURATION", help="how long the same call stays denied: `30min`, `12h`")
@click.option("--reason", "text", metavar="TEXT", help="what the agent reads")
@with_settings("state")
def deny(settings: Settings, *, question: str, length: str | None, text: str | None) -> int:
    """The command; its help is `DENY`."""
    seconds = None if length is None else seconds_of(length, "--for")
    note = reason(text)
    ask_for_a_person("approvals deny")
    standing = _standing(settings, question)
    say(denied(settings, standing.question.id, note=note, seconds=seconds))
    return 0


def _standing(settings: Settings, question: str) -> Standing:
    now = SystemClock().now()
    with state(settings.state) as tx:
        if tx is None:
            raise missing(settings.state)
        return asked.open_one(tx, question, now)


def agreed(standing: Standing) -> bool:
    """Whether the person at this terminal says yes to what they have seen."""
    while True:
        said = click.prompt(_QUESTION, default="n", show_default=False, prompt_suffix=" > ").strip().lower()
        if said in ("w", "whole"):
            verbatim(wording.whole(standing.question, asked.width()))
            say()
            continue
        return said in ("y", "yes")


def approved(settings: Settings, number: str) -> str:
    """Approve it; what has come of that, in words. Raises `GatewayError`."""
    standing, now = asked.write(settings.state, number, "approve")
    if standing is None:
        raise _too_late(settings, number, now)
    until = f"{local(standing.question.expires_at):%H:%M:%S}"
    if standing.waiters:  # as far as the state file knows: its gateway may have been killed
        goes = f"the call that waits goes on now; if it is gone, the same call passes once, before {until}"
        return f"approved: question {number}; {goes}"
    return f"approved: question {number}; have the agent make the same call once more, before {until}: it passes, once"


def denied(settings: Settings, number: str, *, note: str = "", seconds: float | None = None) -> str:
    """Deny it; what has come of that, in words. Raises `GatewayError`."""
    standing, now = asked.write(settings.state, number, "deny", note=note, seconds=seconds)
    if standing is None:
        raise _too_late(settings, number, now)
    until = f"{local(standing.question.expires_at):%Y-%m-%d %H:%M:%S}"
    return f"denied: question {number}; the same call stays denied until {until}"


def _too_late(settings: Settings, number: str, now: float) -> asked.TooLate:
    with state(settings.state) as tx:
        if tx is None:
            raise missing(settings.state)
        fate = asked.fate(asked.find(tx, number, now), now)
    return asked.TooLate(f"question `{number}` {fate}", "nothing was changed")
