"""The owner of a run: somebody who answers, stops and resumes, and edits the policy, while gateways are killed."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from gateway.approvals import answers
from gateway.clock import SystemClock
from gateway.errors import StateError
from gateway.policy import load
from gateway.state import EVERYONE, Halt, State, Transaction, reading

Json: TypeAlias = Any
T = TypeVar("T")

_LOOK_SECONDS: Final = 0.02
_BETWEEN_STOPS_SECONDS: Final = 0.6
_STOPPED_SECONDS: Final = 0.05
_BETWEEN_EDITS_SECONDS: Final = 0.7
_A_DAY: Final = 86_400


def policy(most: int, *, strict: bool) -> Mapping[str, Json]:
    """One tool of each kind; the scarce one `most` times. The strict one denies what is open."""
    asked = {"conditions": [], "reason": "A person decides.", "timeout": _A_DAY}
    any_n = {"path": "args.n", "op": "exists", "value": True}
    return {
        "version": "1",
        "default": "deny",
        "hide": ["closed"],
        "tools": {
            "open": {"action": "deny"} if strict else {},
            "scarce": {"limits": [{"counter": "scarce", "window": 10**7, "max": most, "scope": "grant"}]},
            "own": {"approve_if": [asked]},
            "kept": {"approve_if": [{**asked, "remember": {"paths": ["args.group"], "seconds": _A_DAY}}]},
            "sealed": {"approve_if": [asked]},
            "closed": {},
            "guarded": {"deny_if": [{"conditions": [any_n]}]},
        },
    }


class Owner:
    """Works until it is cancelled. `approved` says how often each call was; `failures`, what was complained of."""

    def __init__(self, state: Path, file: Path, most: int) -> None:
        self._state, self._file = state, file
        self._texts = [json.dumps(policy(most, strict=strict)) for strict in (False, True)]
        self._edits = 0
        self.approved: Counter[int] = Counter()
        self.stopped: list[tuple[int, int]] = []
        self.failures: list[str] = []
        self.strict = load(self._texts[1].encode(), name="strict").revision
        self._edit()

    async def work(self) -> None:
        """Everything at once."""
        await asyncio.gather(
            self._again_and_again(_LOOK_SECONDS, self._answer),
            self._again_and_again(_BETWEEN_STOPS_SECONDS, self._stop),
            self._again_and_again(_BETWEEN_EDITS_SECONDS, self._edit_later),
        )

    async def _again_and_again(self, seconds: float, work: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await work()
            except StateError as error:
                self.failures.append(f"the owner was told: {error}")

    async def _answer(self) -> None:
        """Approve each call that is asked about beside the client once, as somebody at a terminal would."""
        if not self._state.exists():
            return
        now = time.time()
        with reading(self._state) as transaction:
            waiting = [standing.question for standing in transaction.approvals.pending(now)]
        for question in waiting:
            call = int(str(question.arguments["n"]))
            if question.tool == "sealed" or self.approved[call]:
                continue
            written = await self._change(
                lambda tx, number=question.id: answers.write(tx, number, "approve", now, by="kills")  # type: ignore[misc] # a default is no annotation
            )
            self.approved[call] += written is not None

    async def _stop(self) -> None:
        """Stop everything, also what is under way, and resume soon."""
        halt = Halt(EVERYONE, time.time(), "kills", "a moment of peace", at_once=True)

        def stop(tx: Transaction) -> int:
            tx.switch.halt(halt)
            return _newest(tx)

        def resume(tx: Transaction) -> int:
            tx.switch.lift(EVERYONE)
            return _newest(tx)

        first = await self._change(stop)
        await asyncio.sleep(_STOPPED_SECONDS)
        last = await self._change(resume)
        self.stopped.append((first, last))

    async def _edit_later(self) -> None:
        self._edit()

    def _edit(self) -> None:
        """Put the other policy in the place of the one that is there."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(self._texts[self._edits % 2], encoding="utf-8")
        fresh.replace(self._file)
        self._edits += 1

    async def _change(self, work: Callable[[Transaction], T]) -> T:
        state = await State.open(self._state, clock=SystemClock())
        try:
            return await state.atomically(work)
        finally:
            state.close()


def _newest(tx: Transaction) -> int:
    """The number of the newest record."""
    return max((entry.seq for entry in tx.audit.newest(1)), default=0)
