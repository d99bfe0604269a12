"""The interleaved run: everybody is open at once, and they take turns in slices of a few calls.

What another process does to this machine then hits all of them alike. Who begins changes with every slice. A slice is
bounded in time, so that a slow contestant makes fewer calls instead of a long run. One that fails is out, and why is
kept.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from time import perf_counter

from mcp.shared.exceptions import MCPError

from scripts.bench_lib.bounds import Series
from scripts.bench_lib.contestants import Call, Contestant, Flight, Line, Programs
from scripts.bench_lib.processes import BenchError

SLICE = 50
SLICE_SECONDS = 1.0
WARM_UP = 30
BURST = 200
DEPTHS = (1, 16, 256)
FLIGHT_SECONDS = 2.0
SLOWEST_FLIGHT_SECONDS = 15.0
"""Who takes longer to bring down what has begun flies no more in that depth: a run must end."""
FLIGHT_CALLS = 200
"""At least; three times as many as are on their way, where that is more."""
_FAILURES = (BenchError, MCPError, OSError, ExceptionGroup)


class Interruption:
    """Ctrl-C acts at once, and again before the next measurement: what it is raised in may swallow it."""

    def __init__(self) -> None:
        self._came = False

    def take(self, _: int, __: object) -> None:
        """The signal handler."""
        self._came = True
        raise KeyboardInterrupt

    def check(self) -> None:
        if self._came:
            raise KeyboardInterrupt


@dataclass(slots=True)
class Plan:
    """How much of everything; `failures` collects who is out, and why."""

    call: Call
    rounds: int
    calls: int
    interruption: Interruption
    failures: dict[str, str] = field(default_factory=dict)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


async def measure_mode(plan: Plan, contestants: Sequence[Contestant], address: str, mode: str) -> dict[str, Series]:
    """Open everybody at one address, go through all rounds, look at the memory, close everybody."""
    async with AsyncExitStack() as stack:
        lines: dict[str, Line] = {}
        for contestant in contestants:
            plan.interruption.check()
            try:
                lines[contestant.name] = await stack.enter_async_context(contestant.open(address))
            except _FAILURES as error:
                plan.failures[contestant.name] = f"{mode}: {error}"
        table = _Table(plan, lines, mode)
        await table.warm_up()
        for number in range(plan.rounds):
            say(f"{mode}: round {number + 1} of {plan.rounds}")
            await table.round(number)
        return table.finish()


async def measure_flights(
    plan: Plan, contestants: Sequence[Contestant], address: str, series: Mapping[str, Series]
) -> None:
    """Calls with others on their way, of those who got through the mode: a process of their own for each depth.

    One that does not survive a depth keeps what it did before, and goes on with the next.
    """
    for depth in DEPTHS:
        async with AsyncExitStack() as stack:
            lines: dict[str, Line] = {}
            for contestant in contestants:
                if contestant.name in series:
                    with _noted(plan, contestant.name, depth):
                        lines[contestant.name] = await stack.enter_async_context(contestant.open(address))
            flight = Flight(depth, max(FLIGHT_CALLS, 3 * depth), FLIGHT_SECONDS)
            for number in range(plan.rounds):
                say(f"{depth} in flight: round {number + 1} of {plan.rounds}")
                for name in _rotated(list(lines), number):
                    plan.interruption.check()
                    line = lines.pop(name)
                    with _noted(plan, name, depth):
                        began = perf_counter()
                        taken = await line.flight(plan.call, flight)
                        if taken is not None:
                            series[name].flights.setdefault(depth, []).append(taken)
                        if perf_counter() - began < SLOWEST_FLIGHT_SECONDS:
                            lines[name] = line
                    await asyncio.sleep(0)


@contextmanager
def _noted(plan: Plan, name: str, depth: int) -> Iterator[None]:
    """Who fails here is out for this depth, and why is kept."""
    try:
        yield
    except _FAILURES as error:
        plan.failures[f"{name}, {depth} in flight"] = str(error)
        say(f"{name} is out with {depth} in flight: {error}")


class _Table:
    """Those who take part in one mode."""

    def __init__(self, plan: Plan, lines: Mapping[str, Line], mode: str) -> None:
        self._plan = plan
        self._lines = dict(lines)
        self._mode = mode
        self._series = {name: Series() for name in lines}

    async def warm_up(self) -> None:
        for name in list(self._lines):
            await self._slice(name, WARM_UP)

    async def round(self, number: int) -> None:
        calls: dict[str, list[float]] = {name: [] for name in self._lines}
        before = {name: line.busy() for name, line in self._lines.items()}
        for turn, done in enumerate(range(0, self._plan.calls, SLICE)):
            for name in _rotated(list(self._lines), number + turn):
                calls[name] += await self._slice(name, min(SLICE, self._plan.calls - done))
        for name, line in self._lines.items():
            self._add_busy(name, before[name], line.busy())
        for name in _rotated(list(self._lines), number):
            await self._burst(name)
        for name in self._lines:
            self._series[name].calls.append(calls[name])

    def finish(self) -> dict[str, Series]:
        for name, line in self._lines.items():
            self._series[name].resident = line.resident()
        return {name: self._series[name] for name in self._lines}

    def _add_busy(self, name: str, before: float | None, after: float | None) -> None:
        if before is not None and after is not None:
            self._series[name].busy = (self._series[name].busy or 0.0) + after - before

    async def _slice(self, name: str, count: int) -> list[float]:
        self._plan.interruption.check()
        samples: list[float] = []
        until = perf_counter() + SLICE_SECONDS
        try:
            while len(samples) < count and perf_counter() < until:
                samples.append(await self._lines[name].call(self._plan.call))
        except _FAILURES as error:
            self._out(name, error)
        await asyncio.sleep(0)  # where an interruption is heard
        return samples

    async def _burst(self, name: str) -> None:
        self._plan.interruption.check()
        try:
            took = await self._lines[name].burst(self._plan.call, BURST)
        except _FAILURES as error:
            self._out(name, error)
            return
        if took is not None:
            self._series[name].pipelined.append(took)
        await asyncio.sleep(0)

    def _out(self, name: str, error: BaseException) -> None:
        self._plan.failures[name] = f"{self._mode}: {error}"
        self._lines.pop(name, None)
        say(f"{name} is out: {error}")


async def measure_starts(plan: Plan, programs: Programs, names: Sequence[str], address: str) -> dict[str, list[float]]:
    """From the moment before a process is started to its answer to `initialize`, which is written at once."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(max(7, plan.rounds)):
        say(f"start: round {number + 1}")
        for name in _rotated(names, number):
            plan.interruption.check()
            try:
                found[name].append(_start(programs, name, address))
            except BenchError as error:
                plan.failures[name] = f"start: {error}"
            await asyncio.sleep(0)
    return found


def _start(programs: Programs, name: str, address: str) -> float:
    with programs.program(name, address).child() as child:
        try:
            return child.lines.open() - child.started
        except BenchError as error:
            raise child.explain(error) from error


def _rotated(names: Sequence[str], by: int) -> list[str]:
    by %= max(1, len(names))
    return [*names[by:], *names[:by]]
