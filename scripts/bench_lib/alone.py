"""The gateway by itself: the decision, the state and the audit log in this process, an edit through the real one."""

import itertools
import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep

from gateway.clock import SystemClock
from gateway.policy import Facts, Limit, Policy, ToolCall, decide, load
from gateway.state import Charge, Exhausted, Record, State, Transaction, charge_for
from gateway.state.audit import SqliteAudit
from gateway.state.evidence import Evidence, examining
from gateway.state.queries import Query
from scripts.bench_lib import policies
from scripts.bench_lib.bounds import GATEWAY
from scripts.bench_lib.contestants import Call, Programs
from scripts.bench_lib.figures import percentile
from scripts.bench_lib.lines import Lines, fault, varied
from scripts.bench_lib.processes import BenchError, resident
from scripts.bench_lib.rounds import say

_BATCH, _BATCHES, _TRANSACTIONS, _EDITS = 200, 300, 3000, 5
_QUESTIONS = 5
_FLAT_WARM_UP = 10_000
"""Calls: as many as a session remembers (`gateway.state.recent`), so that what is bounded is full."""
_HELD_SECONDS = 0.5
_TEMPLATE = Record(
    kind="decided",
    decision_id="0123456789abcdef",
    at=0.0,
    grant="bench",
    session="0123456789abcdef",
    client_name="bench",
    client_version="1",
    server="http://127.0.0.1/mcp",
    method="tools/call",
    tool="create_or_update_persona",
    policy_revision="0123456789abcdef",
    effect="allow",
    rule="/tools/create_or_update_persona",
    reason="allowed",
    message="",
    argument_names=("first_name",),
    argument_digest="0" * 64,
)


def measure_decide(document: policies.Document, call: Call) -> dict[str, float]:
    """Microseconds of a decision under the document, and how many times that under one with 10 000 tools more."""
    small = load(json.dumps(document).encode(), name="small")
    large = load(json.dumps(policies.widened(document, call.tool, 10_000)).encode(), name="large")
    asked = ToolCall(call.tool, json.loads(json.dumps(call.arguments)))
    facts = Facts(mirrored=True)
    if decide(small, asked, facts).effect != "allow":
        raise BenchError(f"the policy does not allow `{call.tool}` with these arguments")
    pairs = [(_batch(small, asked, facts), _batch(large, asked, facts)) for _ in range(_BATCHES)]
    return {
        "decide_64": median(pair[0] for pair in pairs) * 1e6,
        "decide_10000": median(pair[1] / pair[0] for pair in pairs),
    }


def _batch(policy: Policy, call: ToolCall, facts: Facts) -> float:
    began = perf_counter()
    for _ in range(_BATCH):
        decide(policy, call, facts)
    return (perf_counter() - began) / _BATCH


# --- the state file ---------------------------------------------------------------------------------------------------


async def measure_state(document: policies.Document, call: Call, folder: Path, records: int) -> dict[str, float]:
    """Microseconds of both transactions of a relayed call in a file that holds `records` records already."""
    path, clock = folder / "crowded.db", SystemClock()
    state = await State.open(path, clock=clock)
    await state.atomically(lambda tx: tx.audit.append(_TEMPLATE))
    say(f"state: writing {records} records")
    fill(path, records)
    policy = load(json.dumps(document).encode(), name="bench")
    decision = decide(policy, ToolCall(call.tool, json.loads(json.dumps(call.arguments))), Facts(mirrored=True))
    charges = [_charge(limit) for limit in decision.limits]
    found: dict[str, float] = {"state_limits": float(len(charges))}
    try:
        sets = {"state": charges[:1], "state_pack": charges}
        samples = await _transactions(state, clock, sets)
    finally:
        state.close()
    found |= measure_log(path)
    for name, taken in samples.items():
        found[name] = median(taken) * 1e6
        found[f"{name}_p99"] = percentile(taken, 0.99) * 1e6
    return found


async def _transactions(
    state: State, clock: SystemClock, sets: Mapping[str, Sequence[Charge]]
) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in sets}
    for _ in range(_TRANSACTIONS):
        for name, charges in sets.items():
            began = perf_counter()
            await state.atomically(_admit(charges, clock.now()))
            await state.atomically(_settle)
            samples[name].append(perf_counter() - began)
    return samples


def _admit(charges: Sequence[Charge], now: float) -> Callable[[Transaction], None]:
    def work(tx: Transaction) -> None:
        if isinstance(tx.counters.reserve(charges, now), Exhausted):
            raise BenchError("a limit was used up")
        tx.audit.append(_TEMPLATE)

    return work


def _settle(tx: Transaction) -> None:
    tx.audit.append(_TEMPLATE._replace(kind="settled", outcome="ok", upstream_status=200, latency_ms=1.0))


def _charge(limit: Limit) -> Charge:
    return charge_for(limit, server=_TEMPLATE.server, grant=_TEMPLATE.grant, session=_TEMPLATE.session)


def fill(path: Path, records: int) -> None:
    """Write so many records of relayed calls, two a call, each call with a decision id of its own: one whole chain."""
    with closing(sqlite3.connect(path)) as connection, connection:
        audit = SqliteAudit(connection)
        for number in range(records // 2):
            spread = number * 0x9E3779B97F4A7C15 % 2**64  # ids are random, so that their index is not filled in order
            first = _TEMPLATE._replace(decision_id=f"{spread:016x}", at=float(number), session=f"{number // 500:016x}")
            audit.append(first)
            audit.append(first._replace(kind="settled", outcome="ok", upstream_status=200, latency_ms=1.0))


def measure_log(path: Path) -> dict[str, float]:
    """Milliseconds of questions to a crowded log, microseconds a record of verifying it, bytes a record of its file."""
    with examining(path) as evidence:
        records = evidence.newest()
        asked = {
            "query": Query(tool=_TEMPLATE.tool, since=1.0),
            "query_nothing": Query(tool="no such tool", client="nobody"),
            "query_failed": Query(outcome="failed"),
        }
        found = {name: _timed(partial(_newest, evidence, query)) * 1000 for name, query in asked.items()}
        found["show"] = _timed(lambda: evidence.story(f"{0:016x}")) * 1000
        say(f"log: verifying {records} records")
        began = process_time()  # it waits for nothing, so this is what it takes
        if not evidence.verify().ok:
            raise BenchError("the audit log is not what was written")
        found["verify"] = (process_time() - began) / records * 1e6
    return found | {"record_bytes": path.stat().st_size / records}


def _newest(evidence: Evidence, query: Query) -> object:
    return list(evidence.find(query, order="newest", limit=20))


def _timed(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_QUESTIONS):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return median(taken)


# --- through the real process -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Process:
    """The gateway as it runs, and what to ask of it."""

    programs: Programs
    document: policies.Document
    call: Call
    address: str

    def edit(self) -> dict[str, float]:
        """Seconds from an edit of the policy to the first call that is judged by it; the slowest and the median."""
        file = self.programs.folder / "edited.json"
        write(file, self.document)
        taken: list[float] = []
        with replace(self.programs, policy=file).program(GATEWAY, self.address).child() as child:
            child.lines.open()
            self._until(child.lines, allowed=True)
            for number in range(_EDITS):
                sleep(0.05 + 0.037 * number)  # so that edits meet the gateway at different moments of its rounds
                write(file, policies.denying(self.document, self.call.tool))
                taken.append(self._until(child.lines, allowed=False))
                write(file, self.document)
                taken.append(self._until(child.lines, allowed=True))
        return {"edit": max(taken), "edit_p50": median(taken)}

    def lock(self) -> dict[str, float]:
        """Milliseconds of a ping while a call waits for the state file, which somebody else holds."""
        with self.programs.program(GATEWAY, self.address).child() as child:
            child.lines.open()
            child.lines.call(self.call.tool, self.call.arguments)
            params = {"name": self.call.tool, "arguments": self.call.arguments}
            with closing(sqlite3.connect(self.programs.folder / "state.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                began = perf_counter()
                waiting = child.lines.send("tools/call", params)
                ping = []
                while perf_counter() - began < _HELD_SECONDS:
                    asked = perf_counter()
                    child.lines.ask("ping")
                    ping.append(perf_counter() - asked)
                other.execute("ROLLBACK")
            child.lines.wait(waiting)
        return {"lock": max(ping) * 1000}

    def flat(self, calls: int) -> dict[str, float]:
        """How many times its memory of before the gateway holds after so many calls."""
        with self.programs.program(GATEWAY, self.address).child() as child:
            child.lines.open()
            self._calls(child.lines, _FLAT_WARM_UP)
            before = resident(child.pid)
            say(f"memory: {calls} calls")
            self._calls(child.lines, calls)
            return {"flat": resident(child.pid) / before, "flat_before": before, "flat_after": resident(child.pid)}

    def _calls(self, lines: Lines, count: int) -> None:
        for _ in range(count):
            lines.call(self.call.tool, self.call.arguments)

    def _until(self, lines: Lines, *, allowed: bool) -> float:
        began = perf_counter()
        for number in itertools.count():
            if perf_counter() - began >= 10:
                break
            params = {"name": self.call.tool, "arguments": varied(self.call.arguments, number)}
            if (fault(lines.ask("tools/call", params)) is None) == allowed:
                return perf_counter() - began
        raise BenchError("an edit of the policy was not taken within 10 s")


def write(file: Path, document: policies.Document) -> None:
    """Write a policy as an editor does: whole, under another name, then renamed."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(document), encoding="utf-8")
    new.rename(file)
