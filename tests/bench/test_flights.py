"""Calls with others on their way: who fails in a depth is out of that depth only, and what it did before stays."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from rich.console import Console

from scripts.bench_lib.bounds import GATEWAY, SDK, Series
from scripts.bench_lib.contestants import Call, Flight, Line
from scripts.bench_lib.processes import BenchError
from scripts.bench_lib.report import _flights
from scripts.bench_lib.rounds import DEPTHS, Interruption, Plan, measure_flights


@dataclass
class Flyer:
    """A contestant that fails from a depth on; `opened` counts how often it was opened."""

    name: str
    fails_from: int | None = None
    opened: int = 0
    flies: bool = True

    @asynccontextmanager
    async def open(self, _: str) -> AsyncIterator[Line]:
        self.opened += 1
        yield self

    async def call(self, _: Call) -> float:
        return 1.0

    async def burst(self, _: Call, __: int) -> float | None:
        return None

    async def flight(self, _: Call, flight: Flight) -> list[float] | None:
        if self.fails_from is not None and flight.depth >= self.fails_from:
            raise BenchError("it ended")
        return [float(flight.depth)] * flight.count if self.flies else None

    def resident(self) -> int | None:
        return None

    def busy(self) -> float | None:
        return None


async def flown(*flyers: Flyer) -> tuple[dict[str, Series], dict[str, str]]:
    plan = Plan(Call("t", {}), 2, 1, Interruption())
    series = {flyer.name: Series(calls=[[1.0]]) for flyer in flyers}
    await measure_flights(plan, flyers, "http://127.0.0.1/mcp", series)
    return series, plan.failures


async def test_everybody_flies_in_every_depth_and_round() -> None:
    flyer = Flyer("quick")
    series, failures = await flown(flyer)
    assert failures == {}
    assert flyer.opened == len(DEPTHS)
    assert {depth: len(rounds) for depth, rounds in series["quick"].flights.items()} == dict.fromkeys(DEPTHS, 2)
    assert all(len(samples) >= 3 * depth for depth, rounds in series["quick"].flights.items() for samples in rounds)


async def test_one_that_dies_in_a_depth_keeps_what_it_did_and_leaves_the_others_alone() -> None:
    series, failures = await flown(Flyer("frail", fails_from=16), Flyer("quick"))
    assert failures == {"frail, 16 in flight": "it ended", "frail, 256 in flight": "it ended"}
    assert set(series["frail"].flights) == {1}
    assert series["frail"].calls == [[1.0]]
    assert set(series["quick"].flights) == set(DEPTHS)


async def test_what_carries_one_call_at_a_time_has_no_flights() -> None:
    series, failures = await flown(Flyer("floor", flies=False))
    assert (series["floor"].flights, failures) == ({}, {})


async def test_one_that_was_out_before_does_not_fly() -> None:
    flyer = Flyer("absent")
    await measure_flights(Plan(Call("t", {}), 1, 1, Interruption()), [flyer], "", {})
    assert flyer.opened == 0


def test_the_table_compares_with_the_sdk_and_the_quickest_peer_at_that_depth() -> None:
    found = {
        SDK: Series(flights={16: [[2.0]]}),
        GATEWAY: Series(flights={16: [[1.0]]}),
        "slow": Series(flights={16: [[8.0]]}),
        "quick": Series(flights={16: [[4.0]]}),
    }
    console = Console(file=io.StringIO(), width=150)
    console.print(_flights("sse", found, ["slow", "quick"]))
    assert isinstance(console.file, io.StringIO)
    [row] = [line.split() for line in console.file.getvalue().splitlines() if line.split()[:1] == [GATEWAY]]
    assert row[1:5] == ["16", "1", "1000.00", "1000.00"]
    assert (row[5], row[9], row[-1]) == ("0.50", "0.25", "quick")
