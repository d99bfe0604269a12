"""The bounds of the design, and whether what was measured meets them. Pure.

A bound that could not be measured (no peer, a part left out) is neither met nor not met, and says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scripts.bench_lib.figures import Ratio, Rounds, ratio, single, summary

GATEWAY, SDK, SDK_GATEWAY, HTTP = "gateway", "sdk", "sdk-gateway", "http"
NO_PEER = "no peer took part"
NOT_RUN = "not part of this run"


@dataclass(slots=True)
class Series:
    """What one contestant did in one mode: `calls` and `pipelined` in seconds, `resident` in KiB after them.

    `busy` is the processor time of its processes during `calls`, in seconds; None for what runs in this process.
    `flights` are the seconds of calls by how many were on their way, and by round.
    """

    calls: list[list[float]] = field(default_factory=list)
    pipelined: list[float] = field(default_factory=list)
    resident: int | None = None
    busy: float | None = None
    flights: dict[int, list[list[float]]] = field(default_factory=dict)


@dataclass(slots=True)
class Measured:
    """Everything a run has found out. `modes` is mode → contestant → series; `starts` are seconds, a sample a round.

    `alone` are figures of the gateway by itself, by the names of `ALONE`.
    """

    modes: dict[str, dict[str, Series]] = field(default_factory=dict)
    starts: dict[str, list[float]] = field(default_factory=dict)
    alone: dict[str, float] = field(default_factory=dict)
    peers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One bound: `limit` and `value` in `unit`; `met` is None where there is no value, and `note` says why."""

    what: str
    value: float | None
    limit: float
    unit: str
    met: bool | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Alone:
    """A bound on the gateway by itself."""

    what: str
    limit: float
    unit: str
    least: float = 0.0


ALONE: Mapping[str, Alone] = {
    "decide_64": Alone("`decide`, recommended pack", 20.0, "µs"),
    "decide_10000": Alone("`decide`, 10 000 tools / recommended pack", 1.2, "x", 0.8),
    "decide_patterns": Alone("`decide`, 1 000 patterns more / recommended pack", 1.2, "x", 0.8),
    "decide_large": Alone("`decide`, 1 000 rules over 100 kB / over 10 kB", 12.0, "x"),
    "state": Alone("reserve one limit + two audit records, p50", 150.0, "µs"),
    "state_pack": Alone("reserve all limits of the called tool + two audit records, p50", 150.0, "µs"),
    "query": Alone("the newest 20 calls of a tool, crowded log", 50.0, "ms"),
    "query_nothing": Alone("calls that nobody made, crowded log", 1000.0, "ms"),
    "query_failed": Alone("the newest 20 calls that failed, crowded log", 50.0, "ms"),
    "show": Alone("the story of one call, crowded log", 50.0, "ms"),
    "verify": Alone("verifying the log, processor time of a record", 15.0, "µs"),
    "record_bytes": Alone("size of the state file, a record", 500.0, "bytes"),
    "log_append": Alone("a large log: appending, many records in a transaction, a record", 100.0, "µs"),
    "log_bytes": Alone("a large log: size of the file, a record", 1000.0, "bytes"),
    **{
        f"log_{name}": Alone(f"a large log: {what}", 500.0, "ms")
        for name, what in {
            "time": "the newest 20 calls of an hour",
            "tool": "the newest 20 calls of a tool before a moment",
            "effect": "the newest 20 denials of a tool",
            "rule": "the newest 20 calls of a rule, by a pattern",
            "grant": "the newest 20 calls of a grant before a moment",
            "session": "the calls of the oldest session",
            "client": "the newest 20 calls of a client",
            "failed": "the newest 20 calls of a tool that failed",
            "not_sent": "the newest 20 calls of a client that were not sent",
            "not_settled": "calls of a tool of which nobody knows what came",
            "nothing": "calls that nobody made",
            "show": "the story of one call",
        }.items()
    },
    "log_stats": Alone("a large log: all of it in numbers", 5.0, "s"),
    "log_stats_day": Alone("a large log: a day in numbers", 0.5, "s"),
    "log_verify": Alone("a large log: verifying, processor time of a record", 30.0, "µs"),
    "log_export": Alone("a large log: exporting as JSON lines, processor time of a record", 60.0, "µs"),
    "log_prune": Alone("a large log: verifying it and taking out half, a record that goes", 150.0, "µs"),
    "lock": Alone("a ping beside a call that waits for the state file", 50.0, "ms"),
    "edit": Alone("a policy edit in force, slowest", 0.5, "s"),
    "flat": Alone("memory after many more calls / before", 1.05, "x"),
}


def verdicts(measured: Measured) -> list[Verdict]:
    """All bounds, in the order of the design."""
    found: list[Verdict] = []
    for mode, series in measured.modes.items():
        found += _of_calls(mode, series, measured.peers)
    found.append(_of_starts(measured))
    for mode, series in measured.modes.items():
        found.append(_of_memory(mode, series, measured.peers))
    return found + [_of_alone(bound, measured.alone.get(name)) for name, bound in ALONE.items()]


def quickest(values: Mapping[str, float | None], among: Sequence[str]) -> str | None:
    """Who of `among` has the least value."""
    known = {name: value for name in among if (value := values.get(name)) is not None}
    return min(known, key=lambda name: known[name]) if known else None


def _of_calls(mode: str, series: Mapping[str, Series], peers: Sequence[str]) -> list[Verdict]:
    calls = {name: of.calls for name, of in series.items()}
    bursts = {name: single(of.pipelined) for name, of in series.items()}
    fastest, quick = _fastest(calls, peers), _fastest(bursts, peers)
    return [
        _against(f"{mode}: call p50, SDK through the gateway / SDK directly", 1.0, calls, SDK_GATEWAY, SDK),
        _against(f"{mode}: call p50, gateway (raw lines) / SDK directly", 1.0, calls, GATEWAY, SDK),
        _against(f"{mode}: call p50, gateway / {fastest or 'fastest peer'}", 0.7, calls, GATEWAY, fastest),
        _against(f"{mode}: 200 pipelined, gateway / {quick or 'fastest peer'}", 1.0, bursts, GATEWAY, quick),
    ]


def _of_starts(measured: Measured) -> Verdict:
    starts = {name: single(samples) for name, samples in measured.starts.items()}
    fastest = _fastest(starts, measured.peers)
    what = f"spawn → answer to `initialize`, gateway / {fastest or 'fastest peer'}"
    return _against(what, 0.6, starts, GATEWAY, fastest)


def _of_memory(mode: str, series: Mapping[str, Series], peers: Sequence[str]) -> Verdict:
    resident = {name: [[float(of.resident)]] for name, of in series.items() if of.resident}
    leanest = _fastest(resident, peers)
    return _against(f"{mode}: resident memory, gateway / {leanest or 'leanest peer'}", 0.9, resident, GATEWAY, leanest)


def _fastest(rounds: Mapping[str, Rounds], peers: Sequence[str]) -> str | None:
    medians = {name: found.p50 if (found := summary(samples)) else None for name, samples in rounds.items()}
    return quickest(medians, peers)


def _against(what: str, limit: float, rounds: Mapping[str, Rounds], first: str, second: str | None) -> Verdict:
    if second is None:
        return Verdict(what, None, limit, "x", None, NO_PEER)
    found = ratio(rounds.get(first, ()), rounds.get(second, ()))
    if found is None:
        return Verdict(what, None, limit, "x", None, NOT_RUN)
    return Verdict(what, found.median, limit, "x", found.median <= limit, _range(found))


def _range(found: Ratio) -> str:
    return f"rounds {found.low:.2f} to {found.high:.2f}" if found.low != found.high else ""


def _of_alone(bound: Alone, value: float | None) -> Verdict:
    if value is None:
        return Verdict(bound.what, None, bound.limit, bound.unit, None, NOT_RUN)
    note = f"and not below {bound.least:g}" if bound.least else ""
    return Verdict(bound.what, value, bound.limit, bound.unit, bound.least <= value <= bound.limit, note)
