"""Each attack gets through without the gateway, and is stopped with its pack, by the rule that the README names."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "attacks"
FOLDER = ROOT / "sample_policies" / "attacks"
README = (FOLDER / "README.md").read_text("utf-8")
NAMES = sorted(file.stem for file in FOLDER.glob("*.json"))


def attacks(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *words], check=False, capture_output=True, text=True, timeout=200
    )


@pytest.fixture(scope="module")
def played() -> dict[str, dict[str, Any]]:
    """What became of each."""
    done = attacks("--json")
    assert done.returncode == 0, done.stderr
    return {found["attack"]: found for found in json.loads(done.stdout)}


def test_there_is_one_for_every_kind() -> None:
    assert NAMES == [
        "auto-reply",
        "cron",
        "destructive-autonomy",
        "injected-exfiltration",
        "link-ssrf",
        "retry-loop",
        "runaway-writes",
        "secret-to-mail",
    ]


def test_all_are_played(played: dict[str, dict[str, Any]]) -> None:
    assert sorted(played) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_gets_through_without_the_gateway_and_is_stopped_by_the_rule_the_readme_names(
    name: str, played: dict[str, dict[str, Any]]
) -> None:
    script = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    found = played[name]
    assert (found["pack"], found["stopped_by"]) == (script["pack"], script["stopped_by"])
    assert found["without"] == found["tried"] > found["with_pack"]
    row = (
        f"| [`{name}`]({name}.json) | `{found['harm']}`, {found['tried']} times | {found['without']} got through "
        f"| {found['with_pack']} got through | [`{found['pack']}`](../{found['pack']}/): `{found['stopped_by']}` |"
    )
    assert row in README
    assert README.count(f"\n| `{name}` |") == 1


def test_what_is_no_attack_is_named() -> None:
    done = attacks("none")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: there is no attack `none`\nhint: one of {', '.join(NAMES)}\n"
