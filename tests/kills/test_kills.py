"""Gateways that are killed in the middle of calls, few of them: everything fits, and the accounts would say if not."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.state import Record
from scripts.kills_lib.accounts import Seen, violations

ROOT = Path(__file__).parents[2]


def test_a_few_kills_fit(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "scripts/kills"), "--kills", "8", "--seed", "4"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    said = dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)
    assert said["killed"].startswith("8 ")
    assert int(said["arrived"]) > 0
    assert int(said["approved by a person"]) > 0
    assert int(said["stopped and resumed"].split()[0]) > 0
    assert "decided" in said["records"]
    assert "refused" in said["records"]


def test_a_count_below_one_is_a_usage_error() -> None:
    words = [sys.executable, str(ROOT / "scripts/kills"), "--kills", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "counts begin with 1" in done.stderr


# --- the accounts -----------------------------------------------------------------------------------------------------


def record(kind: Any, number: int, session: str = "lived", decision: str = "") -> Record:
    words = (decision or f"d{number}", 1.0, "g", session, "c", "1", "https://s/mcp", "tools/call", "t", "r")
    return Record(kind, *words, "allow", "", "", "", (), f"digest {number}")


REFUSED = {"rule": "(hidden)", "decision_id": "d2"}
SOUND = Seen(
    kinds={1: "open", 2: "closed", 3: "scarce", 4: "own", 5: "open", 6: "kept", 7: "kept", 8: "sealed"},
    digests={f"digest {number}": number for number in range(1, 9)},
    arrived={1: 1, 3: 1, 4: 1, 5: 1, 7: 1, 8: 1},
    answers=[
        (1, {"result": {"isError": False}}),
        (
            2,
            {
                "result": {
                    "isError": True,
                    "_meta": {"keyid-gateway/decision": {"rule": "(hidden)", "decision_id": "d2"}},
                }
            },
        ),
    ],
    approved={4: 1, 6: 1, 8: 1},
    records=[
        *(record(kind, number) for number in (1, 3, 4, 7, 8) for kind in ("decided", "settled")),
        record("refused", 2),
        record("decided", 5, "killed"),
    ],
    most=1,
    killed=1,
    stopped=[(10, 11)],
)


def test_what_fits_is_no_violation() -> None:
    assert list(violations(SOUND)) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arrived": {**SOUND.arrived, 2: 1}}, "call 2 (closed) is refused, and arrived"),
        ({"arrived": {**SOUND.arrived, 1: 2}}, "call 1 (open) arrived 2 times"),
        ({"records": [each for each in SOUND.records if each.decision_id != "d3"]}, "stands in the log 0 times"),
        ({"approved": {}}, "call 4 (own) was let through 1 times, and approved 0 times"),
        ({"approved": {}}, "call 8 (sealed) was let through 1 times, and approved 0 times"),
        ({"approved": {4: 1, 8: 1}}, "call 7 (kept) was let through, and nobody approved any of its group"),
        ({"stopped": [(0, 3)]}, "2 calls were let through while everything was stopped (records 1 to 3)"),
        ({"strict": "r", "records": [SOUND.records[0]._replace(tool="open")]}, "let through what its policy denies"),
        ({"most": 0}, "the limit is 0: 1 were let through, 1 arrived"),
        ({"records": SOUND.records[2:]}, "call 1 was answered by the server, and does not stand in the log"),
        (
            {"records": [each for each in SOUND.records if each.kind != "refused"]},
            "call 2 was refused by `(hidden)` in decision d2",
        ),
        ({"records": [*SOUND.records, record("settled", 1)]}, "decision d1 has the records"),
        ({"killed": 0}, "1 gateways left calls without an end, and 0 were killed"),
        ({"records": [*SOUND.records, record("decided", 1, decision="x")]}, "the gateway that lived left a call"),
    ],
)
def test_what_does_not_fit_is_said(changes: Any, words: str) -> None:
    assert any(words in found for found in violations(replace(SOUND, **changes)))
