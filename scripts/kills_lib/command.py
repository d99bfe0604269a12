"""`scripts/kills`: options, the run, and what is said of it."""

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from gateway.clock import SystemClock
from gateway.jsonrpc import serialise
from gateway.state import Record, State, reading
from gateway.state.evidence import examining
from scripts.bench_lib.processes import surroundings
from scripts.kills_lib.accounts import GROUP, Kind, Seen, violations
from scripts.kills_lib.owner import Owner
from scripts.soak_lib.client import Client
from scripts.soak_lib.upstream import Upstream

Json: TypeAlias = Any

_KINDS: Final[Sequence[Kind]] = (
    *("open", "open", "scarce", "scarce", "own", "own", "kept", "kept", "sealed", "sealed"),
    *("closed", "guarded", "nobody"),
)
_TOOLS: Final = ("open", "scarce", "own", "kept", "sealed", "closed", "guarded")
_CALLS: Final = 5
_LAST_STEP: Final = 900
"""Steps of so many calls, about: a later one is not reached, and the gateway ends by itself."""
_LAST_STARTING_STEP: Final = 90
_AT_START: Final = 0.1
_AT_ANY_MOMENT: Final = 0.15
"""So many are killed from outside, wherever they are: also within a step."""
_LONGEST_LIFE_SECONDS: Final = 0.3
_AGAIN: Final = 0.4
_WAIT_SECONDS: Final = 0.3
"""How long a call is held for its answer."""
_PAGE: Final = 10_000
_SAY_EVERY: Final = 100
_MOST_SHOWN: Final = 20
_CLIENT: Final = "kills"
_META: Final[Mapping[str, Json]] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": _CLIENT, "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
_APPROVED: Final[Mapping[str, Json]] = {
    "keyid-gateway/approval": {"action": "accept", "content": {"decision": "approve"}}
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="scripts/kills",
        description="Kill a gateway (kill -9) at a random step of a call, start another on the same state file, and go "
        "on, beside a gateway that lives: then hold what arrived, what was answered and what was recorded against "
        "each other.",
        epilog="exit codes: 0 everything fits, 1 something does not, 2 usage",
    )
    add = found.add_argument
    add("--kills", type=int, default=1000, help="gateways to be killed (default 1000)")
    add("--seed", type=int, default=1, help="the same seed makes the same calls and steps (default 1)")
    return found


def run(words: Sequence[str], root: Path) -> int:
    """Run it; the exit code."""
    options = parser().parse_args(words)
    if options.kills < 1:
        parser().error("counts begin with 1")
    with tempfile.TemporaryDirectory(prefix="keyid-gateway-kills-") as folder:
        report = asyncio.run(_Run(options, root, Path(folder)).go())
    for name, value in report.figures.items():
        print(f"{name}: {value}")
    for violation in report.violations[:_MOST_SHOWN]:
        print(f"VIOLATION: {violation}")
    print(f"{len(report.violations)} violations")
    return 1 if report.violations else 0


@dataclass(slots=True)
class Report:
    """Everything that a run says."""

    figures: dict[str, object] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call. A sealed one is stateless, and comes back with what it `carried`, the state and the answer to it."""

    n: int
    kind: Kind
    carried: Mapping[str, Json] = field(default_factory=dict)

    @property
    def params(self) -> Mapping[str, Json]:
        group = {"group": self.n - self.n % GROUP} if self.kind == "kept" else {}
        meta = {"_meta": _META} if self.kind == "sealed" else {}
        return {"name": self.kind, "arguments": {"n": self.n, "fault": "plain", **group}, **meta, **self.carried}


class _Run:
    def __init__(self, options: argparse.Namespace, root: Path, folder: Path) -> None:
        self._options, self._root, self._folder = options, root, folder
        self._state = folder / "state.db"
        self._dice = random.Random(options.seed)  # noqa: S311 - not a secret: a run can be repeated
        self._most = max(2, options.kills)
        self._kinds: dict[int, Kind] = {}
        self._answers: list[tuple[int, Json]] = []
        self._again: list[_Call] = []
        self._killed = self._survived = self._at_start = self._unanswered = 0
        self._upstream = Upstream(_TOOLS)
        self._owner = Owner(self._state, folder / "policy.json", self._most)
        self._report = Report()

    async def go(self) -> Report:
        began = time.monotonic()
        async with self._upstream:
            steady = await self._start(0)
            owner = asyncio.create_task(self._owner.work())
            try:
                while self._killed < self._options.kills:
                    await asyncio.gather(self._one(), self._try(steady, self._call("scarce")))
                    if self._killed % _SAY_EVERY == 0:
                        print(f"{self._killed} killed", file=sys.stderr, flush=True)
                code = await steady.close()
            finally:
                owner.cancel()
                steady.kill()
        if code:
            self._report.violations.append(f"the gateway that lived ended with {code}")
        await self._balance(time.monotonic() - began)
        return self._report

    # --- one gateway --------------------------------------------------------------------------------------------------

    async def _one(self) -> None:
        """A gateway that is killed somewhere, unless its calls end before."""
        starting = self._dice.random() < _AT_START
        anywhere = not starting and self._dice.random() < _AT_ANY_MOMENT
        step = -self._dice.randint(1, _LAST_STARTING_STEP) if starting else self._dice.randint(1, _LAST_STEP)
        again, self._again = self._again, []
        calls = [*again, *(self._call(self._dice.choice(_KINDS)) for _ in range(_CALLS))]
        try:
            client = await self._start(0 if anywhere else step)
        except (OSError, TimeoutError):  # it did not live to answer
            self._killed += 1
            self._at_start += 1
            return
        if anywhere:
            asyncio.get_running_loop().call_later(self._dice.uniform(0, _LONGEST_LIFE_SECONDS), client.kill)
        try:
            for first in range(0, len(calls), 2):
                await asyncio.gather(*(self._try(client, call) for call in calls[first : first + 2]))
        finally:
            code = await self._ended(client)
        self._killed += code < 0
        self._survived += code == 0
        if code > 0:
            self._report.violations.append(f"a gateway ended with {code}")

    async def _ended(self, client: Client) -> int:
        with contextlib.suppress(OSError):
            return await client.close()
        return -1

    async def _try(self, client: Client, call: _Call) -> None:
        """Make a call; its answer is kept. One that somebody approves is perhaps made once more, answered or not."""
        try:
            answer = await self._exchange(client, call)
            state = (answer.get("result") or {}).get("requestState")
            if state is not None and not call.carried:
                self._owner.approved[call.n] += 1
                call = replace(call, carried={"requestState": state, "inputResponses": _APPROVED})
                answer = await self._exchange(client, call)
            if "inputRequests" not in (answer.get("result") or {}):
                self._answers.append((call.n, answer))
        except (OSError, TimeoutError):
            self._unanswered += 1
        if call.kind in ("own", "sealed") and self._dice.random() < _AGAIN:
            self._again.append(call)

    async def _exchange(self, client: Client, call: _Call) -> Json:
        identifier = f"call-{call.n}{'-again' * bool(call.carried)}"
        body = {"jsonrpc": "2.0", "id": identifier, "method": "tools/call", "params": call.params}
        return await client.exchange(identifier, json.dumps(body).encode())

    def _call(self, kind: Kind) -> _Call:
        number = len(self._kinds) + 1
        self._kinds[number] = kind
        return _Call(number, kind)

    async def _start(self, step: int) -> Client:
        words = [
            *(sys.executable, "-m", "scripts.kills_lib.dying", str(step), "run", "--grant", "kills"),
            *("--upstream", self._upstream.url, "--policy", str(self._folder / "policy.json")),
            *("--state", str(self._state), "--log-file", str(self._folder / "gateway.log")),
            *("--approve-in-client", _CLIENT, "--approve-desktop", "off", "--approval-wait", str(_WAIT_SECONDS)),
        ]
        return await Client.start(words, self._root, surroundings(self._folder), self._folder / "errors.txt")

    # --- the balance --------------------------------------------------------------------------------------------------

    async def _balance(self, seconds: float) -> None:
        state = await State.open(self._state, clock=SystemClock())
        try:
            digests = {
                state.digest(serialise(_Call(number, kind).params["arguments"])): number
                for number, kind in self._kinds.items()
            }
        finally:
            state.close()
        records = self._records()
        seen = Seen(
            kinds=self._kinds,
            digests=digests,
            arrived=self._upstream.knocked,
            answers=self._answers,
            approved=self._owner.approved,
            records=records,
            most=self._most,
            killed=self._killed,
            stopped=self._owner.stopped,
            strict=self._owner.strict,
        )
        self._report.violations += [*violations(seen), *self._of_the_file()]
        self._report.violations += [*self._upstream.failures, *self._owner.failures]
        kinds = Counter(record.kind for record in records)
        through = sum(self._kinds[number] == "scarce" for number in self._upstream.knocked)
        self._report.figures |= {
            "killed": f"{self._killed} in {seconds:.0f} s, {self._at_start} of them before they answered",
            "ended by themselves": self._survived,
            "calls": len(self._kinds),
            "arrived": sum(self._upstream.knocked.values()),
            "answered": f"{len(self._answers)}, and {self._unanswered} not",
            "approved by a person": sum(self._owner.approved.values()),
            "stopped and resumed": f"{len(self._owner.stopped)} times",
            "let through by the limit": f"{through} of {self._most}",
            "records": ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())),
            "decided, and nobody knows what came of it": kinds["decided"] - kinds["settled"],
        }

    def _records(self) -> list[Record]:
        found: list[Record] = []
        after = 0
        with reading(self._state) as transaction:
            while entries := transaction.audit.tail(after, _PAGE):
                found += [entry.record for entry in entries]
                after = entries[-1].seq
        return found

    def _of_the_file(self) -> list[str]:
        """What is wrong with the file itself: its chain, its pages."""
        with examining(self._state) as log:
            broken = log.verify().broken
        with contextlib.closing(sqlite3.connect(self._state)) as connection:
            pages = connection.execute("PRAGMA integrity_check").fetchone()[0]
        found = [] if broken is None else [f"the chain breaks: {broken.what}"]
        return found if pages == "ok" else [*found, f"the file is damaged: {pages}"]
