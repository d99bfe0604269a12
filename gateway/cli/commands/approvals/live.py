"""`approvals` on a terminal: each question as it comes, with a ring, and the answer to it.

It scrolls and draws nothing over anything, so that every terminal shows it alike, and what was decided on stays there
to be read. One question at a time is asked. What was typed before it was shown is no answer to it; and where a question
is settled elsewhere under the fingers of a person, the next one only follows when that person says so. Otherwise an
agent could take a harmless call back just when somebody is about to approve it, and have the next one approved unread.
"""

import os
import select
import sys
from collections.abc import Sequence
from threading import Event
from typing import Final

from gateway.approvals import wording
from gateway.cli import asked
from gateway.cli.commands.approvals.answer import approved, denied
from gateway.cli.in_force import state
from gateway.cli.screen import note, on_terminal, say, verbatim
from gateway.cli.words import counted, local
from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.state.approvals import Standing

_LOOK_SECONDS: Final = 0.3
_LONGEST_LINE: Final = 4096
_BELL: Final = "\a"
_PROMPT: Final = "y: approve, n: deny, l: later, w: show the whole of it, q: end > "


def watch(settings: Settings) -> int:
    """Show and ask until Ctrl-C, or until the terminal is gone."""
    say("calls that wait for a person appear here; Ctrl-C ends")
    try:
        _Live(settings, SystemClock()).run()
    except KeyboardInterrupt:
        say()
    return 0


class _Live:
    """What has been shown, and what was put off."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._seen: set[str] = set()
        self._later: set[str] = set()
        self._asked: Standing | None = None
        self._held_back = False
        """Whether the person has to say that the next question may be shown."""

    def run(self) -> None:
        """Until the person has had enough."""
        while True:
            self._turn(self._look())
            line = _line(_LOOK_SECONDS)
            if line is None:
                continue
            if not line or line.strip().lower() in ("q", "quit"):
                return
            if self._asked is not None:
                self._take(self._asked, line.strip().lower())
            self._held_back = False

    def _turn(self, pending: Sequence[Standing]) -> None:
        """Show what is to be answered next."""
        waiting = [each for each in pending if each.question.id not in self._later]
        waiting.sort(key=lambda each: each.waiters == 0)  # the rest is as old as it is: an agent makes those calls anew
        if self._asked is not None and self._asked.question.id not in {each.question.id for each in waiting}:
            say()
            say(f"question {self._asked.question.id} is settled: answered elsewhere, taken back, or too old")
            self._asked, self._held_back = None, _can_read()
            if self._held_back:
                say("Enter goes on")
        if self._asked is None and waiting and not self._held_back:
            self._ask(waiting)

    def _look(self) -> Sequence[Standing]:
        with state(self._settings.state) as tx:
            pending = () if tx is None else tx.approvals.pending(self._clock.now())
        new = {each.question.id for each in pending} - self._seen
        if new:
            verbatim(_BELL)
        self._seen = {each.question.id for each in pending}
        self._later &= self._seen
        return pending

    def _ask(self, waiting: Sequence[Standing]) -> None:
        self._asked = standing = waiting[0]
        more = f"; {counted(len(waiting) - 1, 'more question')} after this" if len(waiting) > 1 else ""
        held = "; its call waits now" if standing.waiters else ""
        until = f"{local(standing.question.expires_at):%H:%M:%S}"
        at = f"{local(standing.question.asked_at):%H:%M:%S}"
        say(f"question {standing.question.id}, asked at {at}, open until {until}{held}{more}")
        say()
        verbatim(wording.full(standing.question, asked.width()))
        say()
        _forget_typed()
        _prompt()

    def _take(self, standing: Standing, said: str) -> None:
        number = standing.question.id
        try:
            match said:
                case "y" | "yes":
                    say(approved(self._settings, number))
                case "n" | "no":
                    say(denied(self._settings, number))
                case "l" | "later":
                    self._later.add(number)
                    say(f"question {number} stays open: `keyid-gateway approvals approve {number}`")
                case "w" | "whole":
                    verbatim(wording.whole(standing.question, asked.width()))
                    _prompt()
                    return
                case _:
                    _prompt()
                    return
        except GatewayError as error:
            note(f"error: {error}")
        say()
        self._asked = None


def _prompt() -> None:
    sys.stdout.write(_PROMPT)
    sys.stdout.flush()


def _can_read() -> bool:
    """Whether answers can be read here while time goes on."""
    return sys.platform != "win32" and on_terminal(sys.stdin)


def _line(seconds: float) -> str | None:
    """A line of the terminal, if one comes in so many seconds; empty: there will be none any more."""
    if not _can_read():
        Event().wait(seconds)
        return None
    ready, _, _ = select.select([0], [], [], seconds)
    return os.read(0, _LONGEST_LINE).decode("utf-8", "replace") if ready else None


def _forget_typed() -> None:
    """Whatever was typed so far answers nothing."""
    if sys.platform != "win32" and _can_read():
        import termios  # not on Windows

        termios.tcflush(0, termios.TCIFLUSH)
