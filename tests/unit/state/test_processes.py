"""Ten processes at one limit: never one call too many, never one too few (threat B24)."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.state import reading
from tests.unit.state.manual import MIDNIGHT
from tests.warm import Popen

ROOT = Path(__file__).parents[3]
PROCESSES = 10
CALLS = 100
GIVEN_BACK = PROCESSES * CALLS // 10


def start(path: Path, maximum: int, window: str) -> subprocess.Popen[str]:
    return Popen(
        [sys.executable, "-m", "tests.unit.state.hammer", str(path), str(maximum), window, str(CALLS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def together(path: Path, maximum: int, window: str) -> int:
    """How many calls of all processes got through, and were not given back. All of them make the file, too."""
    running = [start(path, maximum, window) for _ in range(PROCESSES)]
    try:
        for process in running:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=240)[0] for process in running]
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert [process.returncode for process in running] == [0] * PROCESSES
    return sum(map(int, answers))


@pytest.mark.parametrize("window", ["day", "86400"])
def test_none_too_many(path: Path, window: str) -> None:
    assert together(path, 400, window) == 400
    with reading(path) as tx:
        assert [row.used for row in tx.counters.usage(MIDNIGHT)] == [400]
        assert len(tx.audit.newest(10_000)) == PROCESSES * CALLS


@pytest.mark.parametrize("window", ["day", "86400"])
def test_none_too_few(path: Path, window: str) -> None:
    assert together(path, PROCESSES * CALLS, window) == PROCESSES * CALLS - GIVEN_BACK
    with reading(path) as tx:
        assert [row.used for row in tx.counters.usage(MIDNIGHT)] == [PROCESSES * CALLS - GIVEN_BACK]
