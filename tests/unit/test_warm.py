"""A program that is started warm is what it would have been."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.warm import Popen, run, start

GATEWAY = [sys.executable, "-m", "gateway"]
STARTED_WARM = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere everything is started as ever")


def started(home: Path, *words: str, **variables: str) -> Popen[str]:
    """A gateway that reads what it is told, until its input ends."""
    places = {"KEYID_GATEWAY_CONFIG_DIR": str(home), "KEYID_GATEWAY_STATE": str(home / "state.db")}
    process = start([*GATEWAY, *words], env={**os.environ, **places, **variables}, start_new_session=True)
    assert isinstance(process, Popen)
    return process


@pytest.mark.parametrize("words", [["--version"], ["policy", "check", "--help"], ["tolls"], ["run", "--no-such"]])
def test_it_says_and_ends_as_it_does_when_it_is_started_as_ever(words: list[str]) -> None:
    warm, cold = (run([*GATEWAY, *words], timeout=60, cold=cold) for cold in (False, True))
    assert (warm.returncode, warm.stdout, warm.stderr) == (cold.returncode, cold.stdout, cold.stderr)


@STARTED_WARM
def test_it_has_its_own_input_environment_session_and_end(tmp_path: Path) -> None:
    with started(tmp_path, "run", KEYID_GATEWAY_UPSTREAM="http://127.0.0.1:1/mcp") as process:
        assert process.is_warm
        assert os.getsid(process.pid) == process.pid
        assert process.poll() is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
        process.stdin.flush()
        assert '"id":1' in process.stdout.readline()
        process.kill()
        assert process.wait(20) == -signal.SIGKILL
        assert process.poll() == -signal.SIGKILL


@STARTED_WARM
def test_what_python_reads_at_its_start_makes_it_start_as_ever(tmp_path: Path) -> None:
    with started(tmp_path, "--version", PYTHONPATH=str(tmp_path)) as process:
        assert not process.is_warm
        assert process.communicate(timeout=60)[0].startswith("keyid-gateway ")
