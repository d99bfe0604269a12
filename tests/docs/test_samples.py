"""Every sample policy does what its tests and its README say; and the runner that says so would notice otherwise."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests import samples

GENERATE = samples.FOLDER.parent / "scripts" / "generate"
CASES = [
    pytest.param(sample, case, id=f"{sample.name}: {case.name}")
    for sample in map(samples.read, samples.names())
    for case in sample.suite.tests
]


@pytest.mark.parametrize(("sample", "case"), CASES)
def test_a_sample_decides_as_its_tests_say(sample: samples.Sample, case: samples.Case, tmp_path: Path) -> None:
    failure = samples.run(sample, case, tmp_path / "state.sqlite")
    assert not failure, f"\n{failure}"


def test_the_samples_are_these() -> None:
    assert samples.names() == ["github-like", "published", "recommended", "single-tool"]


@pytest.mark.parametrize("name", samples.names())
def test_a_sample_loads_without_a_warning_and_names_its_tests_apart(name: str) -> None:
    sample = samples.read(name)
    assert sample.policy.warnings == ()
    titles = [case.name for case in sample.suite.tests]
    assert len(titles) == len(set(titles))


@pytest.mark.parametrize("name", samples.names())
def test_a_readme_says_how_the_sample_is_used(name: str) -> None:
    readme = (samples.FOLDER / name / "README.md").read_text("utf-8")
    policy = f"sample_policies/{name}/policy.json"
    for command in (f"--policy {policy}", f"keyid-gateway policy check {policy}", "keyid-gateway policy explain "):
        assert command in readme
    for heading in ("## What it lets through", "## What it stops", "## How to use it"):
        assert heading in readme
    assert f"[`{name}`]({name}/)" in (samples.FOLDER / "README.md").read_text("utf-8")


def test_the_example_of_the_format_is_true(tmp_path: Path) -> None:
    readme = (samples.FOLDER / "README.md").read_text("utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", readme, re.DOTALL)
    sample = samples.Sample("README.md", samples.read("recommended").policy, samples.suite(example))
    assert samples.run(sample, sample.suite.tests[0], tmp_path / "state.sqlite") == ""


# --- the runner bites -------------------------------------------------------------------------------------------------

SINGLE = samples.read("single-tool")
TOOL = "complete_registration_session"


def told(tmp_path: Path, *steps: dict[str, object], catalogue: dict[str, object] | None = None) -> str:
    text = json.dumps({"version": "1", "catalogue": catalogue or {}, "tests": [{"name": "a test", "steps": steps}]})
    sample = samples.Sample("single-tool", SINGLE.policy, samples.suite(text))
    return samples.run(sample, sample.suite.tests[0], tmp_path / "state.sqlite")


@pytest.mark.parametrize(
    ("field", "wrong", "right"),
    [
        ("rule", "/tools/complete_registration_session/limits/1", "/tools/complete_registration_session/limits/0"),
        ("reason", "default", "limit"),
        ("message", "No.", "Rate limit of 30 per minute reached. Try again in 60 seconds."),
        ("retry_after_seconds", 59, 60),
    ],
)
def test_a_wrong_expectation_fails(tmp_path: Path, field: str, wrong: object, right: object) -> None:
    first: dict[str, object] = {"call": {"tool": TOOL}, "times": 30, "expect": {"effect": "allow"}}
    last: dict[str, object] = {"call": {"tool": TOOL}, "expect": {"effect": "deny", field: wrong}}
    assert told(tmp_path, first, last) == (
        f"single-tool: a test\n  step 2: {TOOL}\n    {field}\n      expected: {wrong!r}\n      found:    {right!r}\n"
    )


def test_a_wrong_effect_fails_and_says_why_it_is_another(tmp_path: Path) -> None:
    step: dict[str, object] = {"call": {"tool": TOOL}, "times": 31, "expect": {"effect": "allow", "reason": "allowed"}}
    assert told(tmp_path, step) == (
        f"single-tool: a test\n  step 1, call 31 of 31: {TOOL}\n"
        "    effect\n      expected: 'allow'\n      found:    'deny'\n"
        "    reason\n      expected: 'allowed'\n      found:    'limit'\n"
        f"    because: /tools/{TOOL}/limits/0 Rate limit of 30 per minute reached. Try again in 60 seconds.\n"
    )


def test_the_clock_moves_only_by_steps(tmp_path: Path) -> None:
    allowed = {"effect": "allow"}
    early: dict[str, object] = {"call": {"tool": TOOL}, "advance": 59.5, "times": 30, "expect": allowed}
    denied: dict[str, object] = {"call": {"tool": TOOL}, "expect": {"effect": "deny", "retry_after_seconds": 1}}
    late: dict[str, object] = {"call": {"tool": TOOL}, "advance": 0.5, "times": 30, "expect": allowed}
    assert told(tmp_path, early, denied, late) == ""


def test_a_tool_that_the_catalogue_denies_does_not_exist(tmp_path: Path) -> None:
    step: dict[str, object] = {"call": {"tool": TOOL}, "expect": {"effect": "deny", "rule": "(unknown tool)"}}
    assert told(tmp_path, step, catalogue={TOOL: None}) == ""


@pytest.mark.parametrize(
    "document",
    [
        {"version": "2", "tests": [{"name": "x", "steps": [{"call": {"tool": "a"}, "expect": {"effect": "deny"}}]}]},
        {"version": "1", "tests": []},
        {"version": "1", "tests": [{"name": "x", "steps": []}]},
        {"version": "1", "tests": [{"name": "x", "steps": [{"call": {"tool": "a"}, "expect": {}}]}]},
        {"version": "1", "tests": [{"name": "x", "steps": [{"call": {"tool": "a"}, "expect": {"effect": "denied"}}]}]},
        {
            "version": "1",
            "tests": [{"name": "x", "steps": [{"call": {"tool": "a"}, "expect": {"effect": "deny", "mesage": "No."}}]}],
        },
    ],
)
def test_a_file_of_tests_that_says_nothing_or_something_unknown_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        samples.suite(json.dumps(document))


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
    file = folder / "published" / "policy.json"
    right = file.read_text("utf-8")
    file.write_text(right.replace('"max": 30', '"max": 300', 1), "utf-8")

    stale = generate("--check", "--root", str(tmp_path))
    assert (stale.returncode, stale.stderr) == (1, "error: 1 of 4 files are not current\nhint: scripts/generate\n")
    assert '-          "max": 300,\n+          "max": 30,\n' in stale.stdout

    assert generate("--root", str(tmp_path)).stdout == f"wrote {file}\n"
    assert file.read_text("utf-8") == right
