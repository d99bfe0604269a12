"""The audit log in numbers. What tells of no call (pruning, and what the gateway tried on itself) is left out."""

import sqlite3
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.state.audit import OF_NO_CALL

_DAY: Final = 86_400
_CALLS: Final = (
    "SELECT tool, effect, rule, grant_name, client_name, count(*) FROM audit INDEXED BY audit_calls "  # noqa: S608 - constants
    f"WHERE kind <> 'settled' AND kind NOT IN {OF_NO_CALL} AND at >= ? AND at < ? "
    "GROUP BY tool, effect, rule, grant_name, client_name"
)
_DAYS: Final = (
    f"SELECT CAST(at / {_DAY} AS INTEGER), effect, count(*) FROM audit INDEXED BY audit_calls "  # noqa: S608 - constants
    f"WHERE kind <> 'settled' AND kind NOT IN {OF_NO_CALL} AND at >= ? AND at < ? "
    "GROUP BY 1, 2 ORDER BY 1"
)
_SETTLED: Final = "SELECT tool, outcome, latency_ms FROM audit WHERE kind = 'settled' AND at >= ? AND at < ?"


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds; half of the calls, and 99 of 100, took no longer."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Statistics:
    """How many calls there were; `days` are those of UTC (seconds since the epoch at their beginning), by effect.

    `grants` and `clients` are who called: a client is what it called itself.
    """

    calls: int
    effects: Mapping[str, int]
    tools: Mapping[str, Mapping[str, int]]
    grants: Mapping[str, int]
    clients: Mapping[str, int]
    rules: Mapping[str, int]
    outcomes: Mapping[str, int]
    days: Mapping[int, Mapping[str, int]]
    latency: Latency | None
    latencies: Mapping[str, Latency]


def count(connection: sqlite3.Connection, since: float | None = None, until: float | None = None) -> Statistics:
    """The numbers of the calls from `since` until before `until`."""
    span = (float("-inf") if since is None else since, float("inf") if until is None else until)
    effects: Counter[str] = Counter()
    tools: dict[str, Counter[str]] = {}
    grants: Counter[str] = Counter()
    clients: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for tool, effect, rule, grant, client, number in connection.execute(_CALLS, span):
        effects[effect] += number
        grants[grant] += number
        clients[client] += number
        tools.setdefault(tool, Counter())[effect] += number
        if effect != "allow":
            rules[rule] += number
    days: dict[int, Counter[str]] = {}
    for day, effect, number in connection.execute(_DAYS, span):
        days.setdefault(day * _DAY, Counter())[effect] += number
    outcomes: Counter[str] = Counter()
    taken: dict[str, array[float]] = {}
    for tool, outcome, latency in connection.execute(_SETTLED, span):
        outcomes[outcome or ""] += 1
        if latency is not None:
            taken.setdefault(tool, array("d")).append(latency)
    every = array("d")
    for samples in taken.values():
        every.extend(samples)
    return Statistics(
        effects.total(), effects, tools, grants, clients, rules, outcomes, days, _latency(every),
        {tool: found for tool, samples in taken.items() if (found := _latency(samples)) is not None},
    )  # fmt: skip


def _latency(samples: Sequence[float]) -> Latency | None:
    if not samples:
        return None
    ordered = sorted(samples)
    return Latency(_percentile(ordered, 50), _percentile(ordered, 99))


def _percentile(ordered: Sequence[float], hundredth: int) -> float:
    """The smallest sample that at least so many of a hundred do not exceed (nearest rank)."""
    return ordered[-(-len(ordered) * hundredth // 100) - 1]
