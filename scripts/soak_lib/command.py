"""`scripts/soak`: options, the run, and what is said of it."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path

from gateway.clock import SystemClock
from gateway.jsonrpc import loads, serialise
from gateway.state import Record, State, reading
from scripts.bench_lib.processes import resident, surroundings
from scripts.soak_lib import accounts
from scripts.soak_lib.client import Client, settle
from scripts.soak_lib.kinds import MAX_MESSAGE_BYTES, Asked, Dice, policy
from scripts.soak_lib.upstream import Upstream

GATEWAYS = 2
_PAGE = 10_000
_DROP_EVERY = 2_000
_SAY_EVERY = 5_000
_MOST_SHOWN = 20


@dataclass(slots=True)
class Weight:
    """What the gateways weigh at one moment, while nothing is in flight: KiB, and open files (None: not told here)."""

    calls: int
    resident: list[int] = field(default_factory=list)
    descriptors: list[int | None] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Everything that a run says."""

    calls: int
    seconds: float = 0.0
    weights: list[Weight] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)
    counters: dict[str, list[str]] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(
        prog="scripts/soak",
        description="Drive two gateways that share a state file and a grant against an upstream that fails in every "
        "way it can, and hold afterwards what was answered, what arrived and what was recorded against each other.",
        epilog="exit codes: 0 everything fits, 1 something does not, 2 usage",
    )
    add = found.add_argument
    add("--calls", type=int, default=100_000, help="calls of both gateways together (default 100000)")
    add("--in-flight", type=int, default=16, help="calls in flight at each gateway (default 16)")
    add("--seed", type=int, default=1, help="the same seed makes the same calls (default 1)")
    add("--memory", type=float, default=1.1, help="times its memory at a tenth a gateway may hold at the end")
    add("--output", type=Path, default=Path("soak-results.json"), metavar="FILE", help="the results as JSON")
    return found


def run(words: Sequence[str], root: Path) -> int:
    """Run it; the exit code."""
    options = parser().parse_args(words)
    if min(options.calls, options.in_flight) < 1:
        parser().error("counts begin with 1")
    with tempfile.TemporaryDirectory(prefix="keyid-gateway-soak-") as folder:
        report = asyncio.run(_Run(options, root, Path(folder)).go())
    _show(report)
    options.output.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")
    return 1 if report.violations else 0


class _Run:
    def __init__(self, options: argparse.Namespace, root: Path, folder: Path) -> None:
        self._options = options
        self._root, self._folder = root, folder
        self._state = folder / "state.db"
        self._asked: dict[int, Asked] = {}
        self._malformed = 0
        self._report = Report(options.calls)
        self._upstream = Upstream()
        self._clients: list[Client] = []

    async def go(self) -> Report:
        began = time.monotonic()
        async with self._upstream:
            try:
                for _ in range(GATEWAYS):
                    self._clients.append(await self._start(self._upstream.url))
                await self._drive()
                await self._count()
                codes = [await client.close() for client in self._clients]
                self._check(codes == [0] * GATEWAYS, f"the gateways ended with {codes}")
            finally:
                for client in self._clients:
                    client.kill()
        self._report.seconds = time.monotonic() - began
        await self._balance()
        return self._report

    async def _start(self, url: str) -> Client:
        file = self._folder / "policy.json"
        file.write_text(json.dumps(policy(self._options.calls)), encoding="utf-8")
        words = [
            *(sys.executable, "-m", "gateway", "run", "--upstream", url, "--policy", str(file), "--grant", "soak"),
            *("--state", str(self._state), "--log-file", str(self._folder / "gateway.log")),
            *("--max-message-bytes", str(MAX_MESSAGE_BYTES)),
        ]
        return await Client.start(words, self._root, surroundings(self._folder), self._folder / "errors.txt")

    # --- driving ------------------------------------------------------------------------------------------------------

    async def _drive(self) -> None:
        """A tenth of the calls, a look at the gateways, the rest, another look."""
        calls = self._options.calls
        dice = Dice(self._options.seed)
        numbers = iter(range(1, calls + 1))
        for until in (max(1, calls // 10), calls):
            await asyncio.gather(
                *(self._work(client, dice, numbers, until) for client in self._clients for _ in self._workers())
            )
            await self._quiet()
            weight = Weight(until)
            for client in self._clients:
                weight.resident.append(resident(client.pid))
                weight.descriptors.append(client.descriptors)
            self._report.weights.append(weight)

    def _workers(self) -> range:
        return range(self._options.in_flight)

    async def _work(self, client: Client, dice: Dice, numbers: Iterator[int], until: int) -> None:
        while len(self._asked) < until:
            asked = dice.call(next(numbers))
            self._asked[asked.n] = asked
            bad = dice.malformed()
            if bad is not None:
                self._malformed += 1
                await client.write(bad)
            if asked.n % _DROP_EVERY == 0:
                self._upstream.drop_streams()
            if asked.n % _SAY_EVERY == 0:
                print(f"{asked.n} calls", file=sys.stderr, flush=True)
            await client.call(asked)

    async def _quiet(self) -> None:
        """Wait until every call that was decided is settled."""

        def settled() -> bool:
            kinds = [record.kind for record in self._records()]
            return kinds.count("decided") == kinds.count("settled")

        for client in self._clients:
            await client.ask("ping")
        self._check(await settle(settled), "some calls were never settled")

    def _records(self) -> list[Record]:
        found: list[Record] = []
        after = 0
        with reading(self._state) as transaction:
            while entries := transaction.audit.tail(after, _PAGE):
                found += [entry.record for entry in entries if entry.record.kind != "self-test"]
                after = entries[-1].seq
        return found

    # --- counting -----------------------------------------------------------------------------------------------------

    async def _count(self) -> None:
        """Hold the counters against the log, while the sessions still have theirs."""
        state = await State.open(self._state, clock=SystemClock())
        try:
            asked = {self._digest(state, one): one for one in self._asked.values()}
        finally:
            state.close()
        now = SystemClock().now()
        with reading(self._state) as transaction:
            usage = [((of.key.counter, of.key.owner), of.used) for of in transaction.counters.usage(now)]
        expected = accounts.expected_usage(self._records(), now, asked)
        held, due = _sorted(usage), _sorted((key[:2], amount) for key, amount in expected.items())
        for key, amounts in due.items():
            name = " of ".join(part for part in key if part)
            self._report.counters[name] = [" ".join(map(str, of.get(key, ()))) for of in (held, due)]
            self._check(held.get(key) == amounts, f"the counter `{name}` holds {held.get(key)}, not {amounts}")

    @staticmethod
    def _digest(state: State, asked: Asked) -> str:
        return state.digest(serialise(loads(serialise(asked.params["arguments"]).decode())))

    async def _balance(self) -> None:
        """Hold everything against everything."""
        state = await State.open(self._state, clock=SystemClock())
        try:
            seen = accounts.Seen(
                calls=self._options.calls,
                asked=self._asked,
                answers={n: answer for client in self._clients for n, answer in client.answers.items()},
                knocked=self._upstream.knocked,
                let_in=self._upstream.let_in,
                arrived=self._upstream.seen,
                records=self._records(),
                digest=lambda arguments: state.digest(serialise(arguments)),
            )
            found = accounts.audit(seen)
        finally:
            state.close()
        self._report.violations += found.violations + accounts.limits(seen).violations
        self._report.outcomes = {f"{kind}: {outcome}": count for (kind, outcome), count in found.outcomes.items()}
        self._check(not self._upstream.failures, f"the upstream itself failed: {self._upstream.failures[:3]}")
        self._of_clients()
        self._of_weights()
        self._report.figures |= {
            "knocked": sum(seen.knocked.values()),
            "let in": sum(seen.let_in.values()),
            "records": len(seen.records),
            "answers": len(seen.answers),
            "lines that were no messages": self._malformed,
            "sessions opened": self._upstream.opened,
        }

    def _of_clients(self) -> None:
        for client in self._clients:
            self._check(not client.twice, f"answered twice, or never asked: {client.twice[:5]}")
            self._check(not client.strays, f"lines that are no messages: {client.strays[:3]}")
            self._check(not client.missing, f"not answered in time: {client.missing[:5]}")
        unreadable = sum(client.unreadable for client in self._clients)
        self._check(unreadable == self._malformed, f"{unreadable} of {self._malformed} bad lines were answered")

    def _of_weights(self) -> None:
        first, last = self._report.weights
        for before, after in zip(first.resident, last.resident, strict=True):
            self._check(after <= before * self._options.memory, f"memory grew from {before} to {after} KiB")
        for held, holds in zip(first.descriptors, last.descriptors, strict=True):
            most = None if held is None else held + self._options.in_flight
            self._check(most is None or holds is None or holds <= most, f"open files grew from {held} to {holds}")

    def _check(self, holds: object, what: str) -> None:
        if not holds:
            self._report.violations.append(what)


def _sorted(amounts: Iterable[tuple[tuple[str, str], Decimal]]) -> dict[tuple[str, str], list[Decimal]]:
    """All amounts of each name and owner: whose is whose of those that are counted apart, the file does not tell."""
    found: dict[tuple[str, str], list[Decimal]] = {}
    for key, amount in amounts:
        found[key] = sorted([*found.get(key, ()), amount])
    return found


def _show(report: Report) -> None:
    print(f"{report.calls} calls in {report.seconds:.0f} s: {report.calls / report.seconds:.0f} a second")
    for weight in report.weights:
        memory = ", ".join(f"{size / 1024:.1f} MiB" for size in weight.resident)
        files = ", ".join("not told" if count is None else str(count) for count in weight.descriptors)
        print(f"after {weight.calls} calls: memory {memory}; open files {files}")
    for name, value in report.figures.items():
        print(f"{name}: {value}")
    for name, (held, due) in report.counters.items():
        print(f"counter {name}: {held}, by the log {due}")
    for name, count in sorted(report.outcomes.items()):
        print(f"  {name}: {count}")
    for violation in report.violations[:_MOST_SHOWN]:
        print(f"VIOLATION: {violation}")
    print(f"{len(report.violations)} violations")
