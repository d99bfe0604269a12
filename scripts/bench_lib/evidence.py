"""The audit log at a size that years of use come to: what is asked of it, and what each of it costs.

The records are those of relayed, denied and failed calls of the tools that are known, by two grants and three clients,
in sessions of 500 calls over 90 days; they are written by the real `append`, many in one transaction, and read by what
the commands of `audit` call.
"""

import json
import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Final

from gateway.cli import calls
from gateway.clock import SystemClock
from gateway.keyid import known_tools
from gateway.state import Record, State
from gateway.state.audit import Entry, SqliteAudit
from gateway.state.evidence import Evidence, examining
from gateway.state.ids import DecisionIds
from gateway.state.pruning import Rule, prune
from gateway.state.queries import NOT_SENT, NOT_SETTLED, Query
from scripts.bench_lib.processes import BenchError
from scripts.bench_lib.rounds import say

_BEGIN: Final = 1_767_225_600.0
_DAY: Final = 86_400
_DAYS: Final = 90
_SESSION: Final = 500
_BATCH: Final = 10_000
_QUESTIONS: Final = 3
_DENIED, _FAILED, _LOST = 0.05, 0.02, 0.001
_CLIENTS: Final = ("claude-ai", "claude-code", "cursor")
_RULES: Final = ("(default deny)", "(hidden)", "/tools/send_email/limits/0", "/all_tools/repeat")
_REASONS: Final = {"(default deny)": "default", "(hidden)": "hidden", "/all_tools/repeat": "repeat"}


async def measure(folder: Path, records: int) -> dict[str, float]:
    """Figures of a log of so many records, by the names of `bounds.ALONE`."""
    path, clock = folder / "evidence.db", SystemClock()
    (await State.open(path, clock=clock)).close()
    say(f"evidence: writing {records} records")
    began = perf_counter()
    fill(path, records)
    found = {"log_append": (perf_counter() - began) / records * 1e6}
    found["log_bytes"] = path.stat().st_size / records
    with examining(path) as evidence:
        found |= _questions(evidence)
        found |= _readings(evidence, evidence.newest())
    say("evidence: taking out half of it")
    began = perf_counter()
    pruned = await prune(path, Rule("half of it", keep=records // 2), clock, progress=_nobody)
    found["log_prune"] = (perf_counter() - began) / pruned.number * 1e6
    with examining(path) as evidence:
        if not evidence.verify().ok:
            raise BenchError("the audit log is not whole after pruning")
    return found


def _nobody(_: int) -> None:
    """Nobody looks on while the time is taken."""


def fill(path: Path, records: int) -> None:
    """Write so many records, some thousand a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        audit = SqliteAudit(connection)
        left, source = records, _records(records)
        while left:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(min(left, _BATCH)):
                audit.append(next(source))
            connection.execute("COMMIT")
            left -= min(left, _BATCH)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _records(number: int) -> Iterator[Record]:
    """The records of calls, without end; `number` of them are spread over the days."""
    drawn = random.Random(1)  # noqa: S311 - what is measured is the same every time
    ids, tools = DecisionIds(), list(known_tools())
    step, call = _DAYS * _DAY / number * 2, 0
    while True:
        at, tool = _BEGIN + call * step, drawn.choice(tools)
        refused = drawn.random() < _DENIED
        rule = drawn.choice(_RULES) if refused else f"/tools/{tool}"
        first = Record(
            kind="refused" if refused else "decided",
            decision_id=ids.next(at),
            at=at,
            grant="me" if call // _SESSION % 4 else "robot",
            session=f"{call // _SESSION * 0x9E3779B97F4A7C15 % 2**64:016x}",
            client_name=_CLIENTS[call // _SESSION % 3],
            client_version="1.4.2",
            server="https://mcp.keyid.example/mcp",
            method="tools/call",
            tool=tool,
            policy_revision="0123456789abcdef",
            effect="deny" if refused else "allow",
            rule=rule,
            reason=_REASONS.get(rule, "limit") if refused else "allowed",
            message="Rate limit of 20 per hour reached. Try again in 5 seconds." if refused else "",
            argument_names=("body", "subject", "to"),
            argument_digest=f"{drawn.getrandbits(256):064x}",
        )
        call += 1
        yield first
        if not refused and drawn.random() >= _LOST:
            failed = drawn.random() < _FAILED
            outcome, status = ("error: internal error", 500) if failed else ("ok", 200)
            latency = round(drawn.lognormvariate(5, 1), 3)
            yield first._replace(
                kind="settled", at=at + 0.2, outcome=outcome, upstream_status=status, latency_ms=latency
            )


# --- asking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Known:
    """Something that the log has, to ask for."""

    tool: str
    session: str
    decision_id: str
    middle: float


def _questions(evidence: Evidence) -> dict[str, float]:
    """Milliseconds of the newest 20 calls, by everything that a query can ask for; of the slowest of each kind."""
    found = next(iter(evidence.find(Query(), order="oldest", limit=1))).first.record
    middle = _BEGIN + _DAYS * _DAY / 2
    known = _Known(found.tool, found.session, found.decision_id, middle)
    asked = {
        "log_time": Query(since=known.middle, until=known.middle + 3600),
        "log_tool": Query(tool=known.tool, until=known.middle),
        "log_effect": Query(effect="deny", tool=known.tool),
        "log_rule": Query(rule="/tools/send_email/limits/*"),
        "log_grant": Query(grant="robot", until=known.middle),
        "log_session": Query(session=known.session),
        "log_client": Query(client="cursor", since=known.middle),
        "log_failed": Query(outcome="failed", tool=known.tool),
        "log_not_sent": Query(outcome=NOT_SENT, client="cursor"),
        "log_not_settled": Query(outcome=NOT_SETTLED, tool=known.tool),
        "log_nothing": Query(tool="no such tool", client="nobody", effect="observe"),
    }
    taken = {name: _timed(partial(_newest, evidence, query)) * 1000 for name, query in asked.items()}
    taken["log_show"] = _timed(lambda: evidence.story(known.decision_id)) * 1000
    return taken


def _newest(evidence: Evidence, query: Query) -> object:
    return list(evidence.find(query, order="newest", limit=20))


def _readings(evidence: Evidence, records: int) -> dict[str, float]:
    """What reads all of it: seconds of the numbers, microseconds a record of verifying and of exporting."""
    say("evidence: counting, verifying and exporting")
    last_day = _BEGIN + (_DAYS - 1) * _DAY
    found = {
        "log_stats": _timed(lambda: evidence.count(None, None)),
        "log_stats_day": _timed(lambda: evidence.count(last_day, None)),
    }
    began = process_time()  # it waits for nothing, so this is what it takes
    if not evidence.verify().ok:
        raise BenchError("the audit log is not what was written")
    found["log_verify"] = (process_time() - began) / records * 1e6
    began = process_time()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        nowhere.writelines(_line(entry, linked) for entry, linked in evidence.everything(None, None))
    found["log_export"] = (process_time() - began) / records * 1e6
    return found


def _line(entry: Entry, linked: str) -> str:
    """A record as `audit export` writes it."""
    return json.dumps({**calls.as_data(entry), "hash": linked}, separators=(",", ":")) + "\n"


def _timed(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(_QUESTIONS):
        began = perf_counter()
        work()
        taken.append(perf_counter() - began)
    return median(taken)
