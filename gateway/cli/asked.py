"""The questions about calls, for the commands that answer them: which is meant, how it stands, the PIN."""

import getpass
import secrets
import sys
from pathlib import Path
from shutil import get_terminal_size
from typing import Final

from gateway.approvals import Verdict, answers
from gateway.cli.owner import act, ask_for_a_person, user
from gateway.cli.screen import on_terminal
from gateway.cli.words import local, shown, span
from gateway.errors import GatewayError, UsageError, meant
from gateway.state import Transaction
from gateway.state.approvals import Standing
from gateway.state.passcode import Passcode

_MOST: Final = 5
_LIST: Final = "`keyid-gateway approvals list` shows those that wait"
SHORTEST_PIN: Final = 4
_LONGEST_PIN: Final = 128


class TooLate(GatewayError):
    """A question that cannot be answered any more."""


def find(tx: Transaction, text: str, now: float) -> Standing:
    """The question whose id begins so; among several the one that waits. Raises `UsageError`."""
    wanted = text.strip().lower()
    found = tx.approvals.named(wanted) if wanted else ()
    exact = [each for each in found if each.question.id == wanted]
    waiting = [each for each in found if status(each, now) == "pending"]
    for these in (exact, waiting, found):
        if len(these) == 1:
            return these[0]
    if found:
        some = ", ".join(f"`{each.question.id}`" for each in (waiting or found)[:_MOST])
        raise UsageError(
            f"several questions have an id that begins with `{shown(text, 40)}`", f"{some}: write more of it"
        )
    ids = [each.question.id for each in tx.approvals.pending(now)]
    close = meant(wanted, ids)
    hint = f"did you mean `{close}`?" if close else _LIST
    raise UsageError(f"no question has the id `{shown(text, 40)}`", hint)


def status(standing: Standing, now: float) -> str:
    """How a question stands at this moment: nobody may have noted yet that it has expired."""
    over = standing.status in ("pending", "approved", "denied") and standing.question.expires_at <= now
    return "expired" if over else standing.status


def fate(standing: Standing, now: float) -> str:
    """The same in words, of a question that does not wait."""
    until = f"{local(standing.question.expires_at):%Y-%m-%d %H:%M:%S}"
    at = "" if standing.answered_at is None else f" at {local(standing.answered_at):%Y-%m-%d %H:%M:%S}"
    by = f" ({shown(standing.answered_by, 40)})" if standing.answered_by else ""
    match status(standing, now):
        case "pending":
            return f"waits for an answer until {until}"
        case "approved":
            return f"was approved{at}{by}; the same call passes once, until {until}"
        case "denied":
            return f"was denied{at}{by}; the same call stays denied until {until}"
        case "used":
            return f"was approved{at}{by}, and the call was made"
        case "withdrawn":
            return (
                "was withdrawn: the call was taken back, or is judged otherwise now; if it is made again, it asks anew"
            )
        case _:
            return f"has expired, at {until}: the same call asks anew"


def open_one(tx: Transaction, text: str, now: float) -> Standing:
    """The question that is meant, if it waits. Raises `UsageError`, and `TooLate` with how it stands."""
    standing = find(tx, text, now)
    if status(standing, now) != "pending":
        raise TooLate(f"question `{standing.question.id}` {fate(standing, now)}", _LIST)
    return standing


def person(command: str) -> None:
    """Raises `UsageError` where no person can read and answer: what is approved has to be seen."""
    ask_for_a_person(command)
    if not on_terminal(sys.stdout):
        raise UsageError(
            f"`keyid-gateway {command}` is for a person: standard output is no terminal, so nobody sees the call",
            "a person types it into a terminal window; an agent asks them to",
        )


def width() -> int:
    """The columns of the terminal."""
    return get_terminal_size().columns


def write(
    path: Path, number: str, verdict: Verdict, *, note: str = "", seconds: float | None = None
) -> tuple[Standing | None, float]:
    """Ask for the PIN, if there is one, and write an answer down; None where it came too late. And when that was."""
    kept = proven(path)

    def work(tx: Transaction, now: float) -> tuple[Standing | None, float]:
        still(tx, kept)
        written = answers.write(
            tx, number, verdict, now, by=f"terminal, {user()}", note=note, seconds=seconds, proven=True
        )
        return written, now

    return act(path, work)


# --- the PIN ----------------------------------------------------------------------------------------------------------


def proven(path: Path) -> Passcode | None:
    """The PIN that is set, which whoever sits here knows; None: none is. Raises `GatewayError`."""
    kept = act(path, lambda tx, _: tx.passcodes.get())
    if kept is None:
        return None
    guess = getpass.getpass("PIN: ")
    wait = act(path, lambda tx, now: tx.passcodes.guess(now))
    if wait > 0:
        raise GatewayError("too many wrong PINs", f"try again in {span(max(1.0, wait))}")
    if not kept.fits(guess):
        raise GatewayError("that is not the PIN", "nothing was changed; type the command once more to try again")
    act(path, lambda tx, _: tx.passcodes.passed())
    return kept


def still(tx: Transaction, kept: Passcode | None) -> None:
    """Raises `GatewayError` where the PIN is another one by now than the one that was given."""
    if tx.passcodes.get() != kept:
        raise GatewayError("the PIN was changed meanwhile", "do it once more")


def new_pin() -> Passcode:
    """A PIN as a person types it, twice. Raises `UsageError`."""
    first = getpass.getpass("new PIN: ")
    if not SHORTEST_PIN <= len(first) <= _LONGEST_PIN:
        raise UsageError(f"a PIN has {SHORTEST_PIN} to {_LONGEST_PIN} characters", "letters are fine too")
    if getpass.getpass("once more: ") != first:
        raise UsageError("these are two different PINs", "nothing was changed")
    return Passcode.of(first, secrets.token_bytes(16))
