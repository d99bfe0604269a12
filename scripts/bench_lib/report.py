"""What a run has found out, as tables for people and as JSON for everything else."""

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from rich import box
from rich.console import Console
from rich.table import Table

from scripts.bench_lib.bounds import HTTP, SDK, Measured, Series, Verdict, quickest, verdicts
from scripts.bench_lib.figures import ratio, summary

PACKAGES = ("aiohttp", "mcp", "pydantic")
WORDS = {True: "met", False: "NOT MET", None: "-"}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What does not come out of the measuring: what was asked, who took part in which version, who did not and why."""

    asked: Mapping[str, object]
    versions: Mapping[str, str]
    absent: Mapping[str, str]
    failures: Mapping[str, str]


def show(measured: Measured, about: Surroundings) -> None:
    """Print it."""
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 150)
    for mode, series in measured.modes.items():
        console.print(_calls(mode, series))
        if any(of.flights for of in series.values()):
            console.print(_flights(mode, series, measured.peers))
    if measured.starts:
        console.print(_starts(measured.starts))
    if measured.alone:
        console.print(_alone(measured.alone))
    for name, reason in {**about.absent, **about.failures}.items():
        console.print(f"{name}: {reason}", markup=False, highlight=False)
    console.print(_bounds(verdicts(measured)))


def write(file: Path, measured: Measured, about: Surroundings) -> None:
    """Write it as JSON: seconds and KiB, every sample of the bursts and starts, summaries of the calls."""
    document = {
        "asked": dict(about.asked),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": {name: version(name) for name in PACKAGES},
        "peers": dict(about.versions),
        "absent": dict(about.absent),
        "failures": dict(about.failures),
        "modes": {mode: {name: _plain(of) for name, of in found.items()} for mode, found in measured.modes.items()},
        "starts": measured.starts,
        "alone": measured.alone,
        "bounds": [asdict(verdict) for verdict in verdicts(measured)],
    }
    file.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _plain(series: Series) -> dict[str, object]:
    found = summary(series.calls)
    return {
        "calls": asdict(found) if found else None,
        "calls_p50_by_round": [median(samples) for samples in series.calls if samples],
        "pipelined": series.pipelined,
        "resident": series.resident,
        "busy": series.busy,
        "flights": {
            str(depth): asdict(flown) for depth, rounds in series.flights.items() if (flown := summary(rounds))
        },
    }


def _calls(mode: str, found: Mapping[str, Series]) -> Table:
    table = _table(
        f"{mode} mode",
        (
            "",
            "calls",
            "p50 ms",
            "p99 ms",
            "over raw HTTP ms",
            "its CPU ms",
            "x SDK directly",
            "200 pipelined s",
            "memory MiB",
        ),
    )
    floor = summary(found[HTTP].calls) if HTTP in found else None
    for name, series in found.items():
        calls = summary(series.calls)
        if calls is None:
            continue
        times = ratio(series.calls, found[SDK].calls) if SDK in found else None
        table.add_row(
            name,
            str(calls.count),
            f"{calls.p50 * 1000:.2f}",
            f"{calls.p99 * 1000:.2f}",
            f"{(calls.p50 - floor.p50) * 1000:.2f}" if floor else "-",
            f"{series.busy / calls.count * 1000:.2f}" if series.busy is not None else "-",
            f"{times.median:.2f} ({times.low:.2f} to {times.high:.2f})" if times else "-",
            f"{median(series.pipelined):.3f}" if series.pipelined else "-",
            f"{series.resident / 1024:.0f}" if series.resident else "-",
        )
    return table


def _flights(mode: str, found: Mapping[str, Series], peers: Sequence[str]) -> Table:
    """Calls with others on their way: p50 and p99, and how many times that of the SDK and of the quickest peer."""
    table = _table(
        f"{mode} mode, calls in flight",
        ("", "in flight", "calls", "p50 ms", "p99 ms", "x SDK directly", "x quickest peer", "which is"),
    )
    for depth in sorted({depth for series in found.values() for depth in series.flights}):
        rounds = {name: series.flights[depth] for name, series in found.items() if depth in series.flights}
        quick = quickest({name: flown.p50 for name, of in rounds.items() if (flown := summary(of))}, peers)
        for name, of in rounds.items():
            flown = summary(of)
            if flown is None:
                continue
            times = [ratio(of, rounds[other]) if other in rounds else None for other in (SDK, quick)]
            table.add_row(
                name,
                str(depth),
                str(flown.count),
                f"{flown.p50 * 1000:.2f}",
                f"{flown.p99 * 1000:.2f}",
                *(f"{one.median:.2f} ({one.low:.2f} to {one.high:.2f})" if one else "-" for one in times),
                quick or "-",
            )
    return table


def _starts(starts: Mapping[str, Sequence[float]]) -> Table:
    table = _table("spawn to the answer to `initialize`", ("", "starts", "p50 s", "least s", "most s"))
    for name, samples in starts.items():
        if samples:
            figures = (median(samples), min(samples), max(samples))
            table.add_row(name, str(len(samples)), *(f"{figure:.3f}" for figure in figures))
    return table


def _alone(alone: Mapping[str, float]) -> Table:
    table = _table("the gateway by itself", ("figure (see alone.py)", "value"))
    for name, value in alone.items():
        table.add_row(name, f"{value:.4g}")
    return table


def _bounds(found: Sequence[Verdict]) -> Table:
    table = _table("bounds", ("what", "bound", "measured", "", "note"))
    for verdict in found:
        value = "-" if verdict.value is None else f"{verdict.value:.3g} {verdict.unit}"
        bound = f"<= {verdict.limit:g} {verdict.unit}"
        table.add_row(verdict.what, bound, value, WORDS[verdict.met], verdict.note)
    return table


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number and title != "bounds" else "left", overflow="fold")
    return table
