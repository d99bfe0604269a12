"""Asking on the desktop: a notification that says where to look, or a dialog in which a click answers.

What the setting `approve_desktop` may be, and why `notify` is the default:

- `off`: nothing appears.
- `notify`: a notification names the tool and its arguments, and the command that answers. It shows no values, because
  daemons keep a history; and it can answer nothing, so it costs nothing to have it.
- `dialog`: a window shows the call, and a click answers. That is the least work, and the weakest proof that a person
  did it: an agent that operates the screen can click as well. So somebody has to want it. As a click proves no PIN,
  only notifications are shown once there is one.

A call that is too long for a window, part of which nobody would see, is never asked about in one.

A program that hangs holds up nobody: it runs beside, is ended when the question is settled or its time is over, and
there are few of them at once. What does not fit is not shown; `keyid-gateway approvals` has all questions.
"""

import asyncio
import logging
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from gateway.approvals import Question, Resumed, Verdict, wording
from gateway.approvals.typed import program
from gateway.clock import Clock
from gateway.jsonrpc import Message

if TYPE_CHECKING:
    from gateway.approvals.programs import Programs, Start

_LOG = logging.getLogger(__name__)
Mode: TypeAlias = Literal["off", "notify", "dialog"]

_MOST: Final = 4
"""Windows at once, and notifications within `_SPAN_SECONDS`."""
_SPAN_SECONDS: Final = 10.0
_NOTICE_SECONDS: Final = 10
_MOST_ROWS: Final = 45
_ANSWERS: Final[dict[bytes, Verdict]] = {b"approve": "approve", b"deny": "deny"}
_LONGEST_ANSWER: Final = 64
_HIDDEN: Final = int(getattr(subprocess, "CREATE_NO_WINDOW", 0))


class Desktop:
    """Asks on the screen of this machine. `clicks` says whether a click may answer at this moment."""

    name = "desktop"

    def __init__(
        self, mode: Mode, clock: Clock, find: Callable[[], "Programs"], clicks: Callable[[], bool], *, most: int = _MOST
    ) -> None:
        self._mode = mode
        self._clock = clock
        self._find = find
        self._clicks = clicks
        self._most = most
        self._programs: Programs | None = None
        self._open = 0
        self._noticed: list[float] = []

    def can_ask(self, request: Message) -> bool:  # noqa: ARG002  # whoever calls, the screen is the same
        """Whether something can be shown."""
        if self._mode == "off":
            return False
        found = self._found()
        return found.notice is not None or (self._mode == "dialog" and found.dialog is not None)

    async def ask(self, question: Question, request: Message) -> Verdict | None:  # noqa: ARG002  # as above
        """Show the question; wait for a click where one can answer."""
        text = wording.message(question, program())
        dialog = self._found().dialog
        fits = text.count("\n") < _MOST_ROWS
        if self._mode == "dialog" and dialog is not None and fits and self._clicks() and self._open < self._most:
            seconds = max(1, round(question.expires_at - self._clock.now()))
            answered = await self._run(dialog(text, seconds), seconds)
            return answered if self._clicks() else None
        notice = self._found().notice
        if self._mode != "off" and notice is not None and self._may_notice():
            await self._run(notice(wording.notice(question, program()), _NOTICE_SECONDS), _NOTICE_SECONDS)
        return None

    def suspend(self, question: Question, request: Message) -> bytes | None:  # noqa: ARG002  # it never ends a call
        return None

    def resumed(self, request: Message) -> Resumed | None:  # noqa: ARG002  # as above
        return None

    def _found(self) -> "Programs":
        if self._programs is None:
            self._programs = self._find()
        return self._programs

    def _may_notice(self) -> bool:
        now = self._clock.monotonic()
        self._noticed = [at for at in self._noticed if now - at < _SPAN_SECONDS]
        if len(self._noticed) >= self._most:
            return False
        self._noticed.append(now)
        return True

    async def _run(self, start: "Start", seconds: int) -> Verdict | None:
        """Run a program to its end, for at most so many seconds; what it has answered."""
        self._open += 1
        try:
            async with asyncio.timeout(seconds):
                return await _answer(start)
        except TimeoutError:
            return None
        except OSError as error:
            _LOG.warning("`%s` cannot be started: %s", start.words[0], error.strerror)
            return None
        finally:
            self._open -= 1


async def _answer(start: "Start") -> Verdict | None:
    """What a program answers. It does not outlive this, however it ends."""
    pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    child = await asyncio.create_subprocess_exec(
        *start.words, stdin=pipe, stdout=pipe, stderr=nothing, env=start.environment, creationflags=_HIDDEN
    )
    try:
        assert child.stdin is not None  # noqa: S101  # it was asked for
        assert child.stdout is not None  # noqa: S101  # as above
        with suppress(BrokenPipeError, ConnectionResetError):  # a program may answer without reading all of it
            child.stdin.write(start.reads)
            await child.stdin.drain()
        child.stdin.close()
        said = await child.stdout.read(_LONGEST_ANSWER)
        await child.wait()
    finally:
        if child.returncode is None:
            with suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    return _ANSWERS.get(said.strip().lower())
