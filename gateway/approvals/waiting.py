"""Calls that wait for a person: until there is an answer, until it has taken too long, or until they are taken back.

What must stay true:

- A call that waits holds up no other: each waits in its own task, no more wait than leave room for others in flight
  (`crowd`), and one watcher of the process looks at the state file for all of them, several times a second. It asks for
  a number first that says whether anything has changed there.
- Waiting decides nothing. Whoever has waited is decided once more, in a transaction that finds the answer, or does not.
- A client that has asked for progress gets some, from the first moment on, until the answer and never after it. It
  counts the seconds that are left up to 0, so that it only ever rises, and stays below whatever the server says later
  (MCP, Progress: "the progress value MUST increase with each notification").
- All channels ask at once, for as long as any call waits for the answer. The first answer is written to the state file,
  and the others are told to stop.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final

from gateway.approvals import Channel, Resumed, answers
from gateway.approvals.typed import program
from gateway.clock import Clock
from gateway.errors import StateError
from gateway.jsonrpc import Json, Message, serialise
from gateway.state import State
from gateway.state.approvals import Question

_LOG = logging.getLogger(__name__)
_LOOK_SECONDS: Final = 0.15
_PROGRESS_SECONDS: Final = 5.0
_MOST: Final = 512
_MOST_BYTES: Final = 2**25

Send = Callable[[bytes], Awaitable[None]]


class Waiting:
    """The calls of one process that wait. `seconds` is how long each may, from when it came; 0: not at all."""

    def __init__(self, send: Send, channels: Sequence[Channel], clock: Clock, seconds: float) -> None:
        self._send = send
        self._channels = channels
        self._clock = clock
        self._seconds = seconds
        self._held: dict[str, set[asyncio.Event]] = {}
        self._asked: dict[str, list[asyncio.Task[None]]] = {}
        self._grant = ""
        self._count = 0
        self._bytes = 0
        self._look = False
        self._watcher: asyncio.Task[None] | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def resumed(self, request: Message) -> tuple[str, Resumed] | None:
        """The answer that a request brings, and the channel that has sealed it."""
        for channel in self._channels:
            brought = channel.resumed(request)
            if brought is not None:
                return channel.name, brought
        return None

    def ends(self, started: float) -> float:
        """Until when a call may wait that came at `started`, both monotonic: not at all where enough calls wait."""
        crowded = self._count >= _MOST or self._bytes >= _MOST_BYTES
        return started if crowded else started + self._seconds

    def may_wait(self, until: float) -> bool:
        return self._clock.monotonic() < until

    async def wait(self, state: State, question: Question, request: Message, until: float) -> bytes | None:
        """Wait for the answer to a question, but no longer than `until`; what ends the call instead, if anything does.

        Nothing is said of what the answer is, nor whether there is one.
        """
        for channel in self._channels:
            line = channel.suspend(question, request) if channel.can_ask(request) else None
            if line is not None:
                return line
        until = min(until, self._clock.monotonic() + question.expires_at - self._clock.now())
        self._grant = question.grant  # of one process, all are of one
        answered, first = asyncio.Event(), question.id not in self._held
        self._held.setdefault(question.id, set()).add(answered)
        self._count, self._bytes = self._count + 1, self._bytes + len(request.raw)
        self._watch(state)
        if first:
            _LOG.info("a call waits for a person: `%s approvals approve %s`", program(), question.id)
            self._asked[question.id] = [self._start(channel, state, question, request) for channel in self._channels]
        try:
            await self._until(answered, question, request, until)
        finally:
            self._count, self._bytes = self._count - 1, self._bytes - len(request.raw)
            self._held[question.id].discard(answered)
            if not self._held[question.id]:
                del self._held[question.id]
                for task in self._asked.pop(question.id):
                    task.cancel()
        return None

    async def _until(self, answered: asyncio.Event, question: Question, request: Message, until: float) -> None:
        token = request.meta.get("progressToken")
        while (left := until - self._clock.monotonic()) > 0 and not answered.is_set():
            if isinstance(token, str | int) and not isinstance(token, bool):
                await self._send(_progress(token, left, question))
            try:
                async with asyncio.timeout(min(left, _PROGRESS_SECONDS)):
                    await answered.wait()
            except TimeoutError:
                continue

    # --- the watcher --------------------------------------------------------------------------------------------------

    def _watch(self, state: State) -> None:
        self._look = True  # what has changed before this one waited is news to it
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._follow(state))

    async def _follow(self, state: State) -> None:
        seen, failed = -1, False
        while self._held:
            try:
                changes = state.changes()
                if changes != seen or self._look:
                    seen, self._look = changes, False
                    self._tell(state)
            except StateError as error:
                if not failed:
                    _LOG.warning("whether calls were approved cannot be looked up, and is tried again: %s", error)
                failed = True
            await asyncio.sleep(_LOOK_SECONDS)

    def _tell(self, state: State) -> None:
        """Wake whoever has an answer, and everybody where nothing may be called any more: they are refused now."""
        stopped = state.halt(self._grant) is not None
        statuses = state.look(lambda tx: tx.approvals.statuses(list(self._held)))
        for number, waiting in self._held.items():
            if stopped or statuses.get(number) != "pending":
                for event in waiting:
                    event.set()

    # --- the channels -------------------------------------------------------------------------------------------------

    def _start(self, channel: Channel, state: State, question: Question, request: Message) -> asyncio.Task[None]:
        task = asyncio.create_task(self._ask(channel, state, question, request))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        task.add_done_callback(_say_why)
        return task

    async def _ask(self, channel: Channel, state: State, question: Question, request: Message) -> None:
        if not channel.can_ask(request):
            return
        verdict = await channel.ask(question, request)
        if verdict is None:
            return
        now, number, by = self._clock.now(), question.id, channel.name
        try:
            written = await state.atomically(lambda tx: answers.write(tx, number, verdict, now, by=by))
        except StateError as error:
            _LOG.error("the answer to question %s could not be written, and counts for nothing: %s", number, error)
            return
        for event in self._held.get(number, ()) if written is not None else ():
            event.set()


def _progress(token: str | int, left: float, question: Question) -> bytes:
    said = f"waiting for a person: `{program()} approvals approve {question.id}`"
    so_far = Decimal(-math.ceil(left * 1000)).scaleb(-3)
    params: dict[str, Json] = {"progressToken": token, "progress": so_far, "message": said}
    return serialise({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})


def _say_why(task: asyncio.Task[None]) -> None:
    """A channel that breaks is one that nobody answers."""
    if not task.cancelled() and task.exception() is not None:
        _LOG.error("a person could not be asked by one of the channels", exc_info=task.exception())
