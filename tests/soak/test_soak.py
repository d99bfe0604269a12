"""The soak, small: two real gateways against an upstream that fails in every way, and everything fits."""

import json
import subprocess
import sys
from pathlib import Path

from scripts.soak_lib.kinds import BY_NAME

ROOT = Path(__file__).parents[2]


def test_a_small_soak_fits(tmp_path: Path) -> None:
    words = ["--calls", "600", "--seed", "4", "--memory", "1.5", "--output", str(tmp_path / "found.json")]
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/soak"), *words], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["violations"] == []
    assert found["figures"]["knocked"] > found["figures"]["let in"] > 400
    kinds = {outcome.partition(":")[0] for outcome in found["outcomes"]}
    assert kinds == set(BY_NAME), "every kind of call has come"
    assert all(held == due for held, due in found["counters"].values())
    assert [weight["calls"] for weight in found["weights"]] == [60, 600]


def test_a_count_below_one_is_a_usage_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts/soak"), "--calls", "0"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert "counts begin with 1" in done.stderr
