"""The raw driver of the benchmark, on a child that answers out of order and says things nobody asked for."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.bench_lib.lines import Lines
from scripts.bench_lib.processes import BenchError, running, surroundings

CHILD = """
import json, sys
held = []
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message"}), flush=True)
    params = message.get("params") or {}
    if params.get("name") == "end":
        sys.exit()
    result = {"content": [], "isError": params.get("name") == "fail"}
    held.append(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))
    if params.get("name") != "hold" or len(held) == 3:
        print("\\n".join(reversed(held)), flush=True)
        held.clear()
"""


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    command = [sys.executable, "-c", CHILD]
    with running(command, cwd=tmp_path, environment=surroundings(tmp_path), complaints=tmp_path / "errors") as child:
        yield Lines(child)


def test_a_call_takes_time(lines: Lines) -> None:
    assert lines.open() > 0
    assert lines.call("fine", {}) > 0


def test_answers_of_a_burst_may_come_in_any_order(lines: Lines) -> None:
    assert lines.burst("hold", {}, 3) > 0


@pytest.mark.parametrize(("depth", "count"), [(1, 4), (3, 9), (3, 3), (8, 5)])
def test_every_call_of_a_flight_is_a_sample(lines: Lines, depth: int, count: int) -> None:
    samples = lines.flight("fine", {}, depth, count, 60.0)
    assert len(samples) == count
    assert min(samples) > 0


def test_so_many_calls_are_on_their_way_at_once(lines: Lines) -> None:
    """The child answers when it holds three: with fewer on their way it never would."""
    assert len(lines.flight("hold", {}, 3, 6, 60.0)) == 6


def test_no_call_begins_when_the_time_is_up(lines: Lines) -> None:
    assert lines.flight("fine", {}, 3, 9, 0.0) == []


def test_a_flight_in_which_a_call_fails_is_none(lines: Lines) -> None:
    with pytest.raises(BenchError, match="a call did not succeed"):
        lines.flight("fail", {}, 2, 4, 60.0)


def test_a_call_that_fails_is_no_sample(lines: Lines) -> None:
    with pytest.raises(BenchError, match="a call did not succeed"):
        lines.call("fail", {})


def test_a_child_that_ends_is_noticed_at_once(lines: Lines) -> None:
    with pytest.raises(BenchError, match="it ended"):
        lines.call("end", {})


def test_a_child_is_ended_with_the_block(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    with running(command, cwd=tmp_path, environment=surroundings(tmp_path), complaints=tmp_path / "errors") as child:
        assert child.poll() is None
    assert child.poll() is not None
