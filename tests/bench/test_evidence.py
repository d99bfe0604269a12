"""A log that is measured is a whole one, with everything in it that is asked for."""

import sys
from pathlib import Path

from gateway.clock import SystemClock
from gateway.state import State, reading
from scripts.bench_lib import evidence
from scripts.bench_lib.bounds import ALONE


async def test_every_figure_of_a_large_log_has_a_bound_and_is_measured(tmp_path: Path) -> None:
    found = await evidence.measure(tmp_path, 3000)
    assert set(found) == {name for name in ALONE if name.startswith("log_")}
    assert all(0 < value < sys.maxsize for value in found.values())


async def test_the_records_are_those_of_many_kinds_of_calls(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    (await State.open(path, clock=SystemClock())).close()
    evidence.fill(path, 3001)
    with reading(path) as transaction:
        records = [entry.record for entry in transaction.audit.tail(0, 4000)]
    assert len(records) == 3001
    assert {record.kind for record in records} == {"decided", "settled", "refused"}
    assert {record.outcome for record in records} == {None, "ok", "error: internal error"}
    assert {record.grant for record in records} == {"me", "robot"}
    assert len({record.rule for record in records if record.effect == "deny"}) == 4
    assert len({record.tool for record in records}) > 40
    moments = [record.at for record in records if record.kind != "settled"]
    assert moments == sorted(moments)
