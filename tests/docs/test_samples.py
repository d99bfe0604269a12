"""Every sample policy does what its tests and its README say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # it has no types of its own

from gateway.authoring.suite import read_tests
from tests import samples
from tests.warm import run

GENERATE = samples.FOLDER.parent / "scripts" / "generate"


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_decides_as_its_tests_say(name: str) -> None:
    sample = samples.read(name)
    outcome = samples.run(sample)
    assert outcome.failures == ()
    assert outcome.tests == len(sample.tests.suite.tests) > 0


def test_the_samples_are_these() -> None:
    assert samples.names() == [
        "email-guard",
        "github-like",
        "observe",
        "paranoid",
        "published",
        "read-only",
        "recommended",
        "signup-agent",
        "single-tool",
    ]


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_loads_without_a_warning(name: str) -> None:
    assert samples.read(name).policy.warnings == ()


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_names_the_schema_and_satisfies_it(name: str) -> None:
    file = samples.FOLDER / name / "policy.json"
    document = json.loads(file.read_text("utf-8"))
    schema = json.loads((file.parent / document["$schema"]).read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    assert list(Draft202012Validator(schema).iter_errors(document)) == []


@pytest.mark.parametrize("name", samples.names())
def test_nobody_would_regret_a_sample(name: str, tmp_path: Path) -> None:
    places = {"KEYID_GATEWAY_CONFIG_DIR": str(tmp_path), "KEYID_GATEWAY_STATE": str(tmp_path / "state.db")}
    done = run(
        [sys.executable, "-m", "gateway", "policy", "check", str(samples.FOLDER / name / "policy.json")],
        timeout=60,
        env={**os.environ, **places},
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", samples.names())
def test_a_readme_says_how_the_sample_is_used(name: str) -> None:
    readme = (samples.FOLDER / name / "README.md").read_text("utf-8")
    policy = f"sample_policies/{name}/policy.json"
    for command in (f"--policy {policy}", f"keyid-gateway policy check {policy}", "keyid-gateway policy explain "):
        assert command in readme
    for heading in ("## What it lets through", "## What it stops", "## How to use it"):
        assert heading in readme
    assert f"[`{name}`]({name}/)" in (samples.FOLDER / "README.md").read_text("utf-8")


def test_the_example_of_the_format_is_true() -> None:
    readme = (samples.FOLDER / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    tests = read_tests(example.encode(), name="README.md")
    assert samples.run(samples.Sample("README.md", samples.read("recommended").policy, tests)).failures == ()


# --- what is generated ------------------------------------------------------------------------------------------------


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(GENERATE), *arguments], check=False, capture_output=True, text=True, timeout=60
    )


def test_what_is_generated_is_current() -> None:
    done = generate("--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_not_current_is_shown_and_mended(tmp_path: Path) -> None:
    folder = tmp_path / "sample_policies"
    shutil.copytree(samples.FOLDER, folder)
    shutil.copy(samples.FOLDER.parent / "README.md", tmp_path)
    shutil.copytree(samples.FOLDER.parent / "gateway" / "docs", tmp_path / "gateway" / "docs")
    file = folder / "published" / "policy.json"
    right = file.read_text("utf-8")
    file.write_text(right.replace('"max": 30', '"max": 300', 1), "utf-8")

    stale = generate("--check", "--root", str(tmp_path))
    assert (stale.returncode, stale.stderr) == (1, "error: 1 of 11 files are not current\nhint: scripts/generate\n")
    assert '-          "max": 300,\n+          "max": 30,\n' in stale.stdout

    assert generate("--root", str(tmp_path)).stdout == f"wrote {file}\n"
    assert file.read_text("utf-8") == right
