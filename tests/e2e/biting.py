"""Runs the tests of the threat classes against a naive gateway, and says which of them noticed.

A plugin of pytest puts the naive gateway in the place of the real one, keeps the tests of the classes that it must
offend, and notes what came of them. A class has bitten where one of its tests failed while it ran; a test that could
not be set up has not.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e import process, scripted

ROOT: Final = Path(__file__).parents[2]
_IMPATIENCE = 2.0
"""Seconds to wait for what a naive gateway may never say."""
_ERAS = ("handshake", "stateless")


@dataclass(frozen=True, slots=True)
class Class:
    """A threat class: the naivety that its tests must notice, and which tests these are (a pattern of their ids)."""

    name: str
    kind: str
    file: str
    tests: str


def _of(file: str, *classes: tuple[str, str, str]) -> tuple[Class, ...]:
    return tuple(Class(name, kind, f"tests/e2e/test_threats_{file}.py", tests) for name, kind, tests in classes)


CLASSES: Final[Sequence[Class]] = (
    *_of(
        "messages",
        ("B1", "forwards", "test_b1_"),
        ("B2", "forwards", "test_b2_"),
        ("B3", "forwards", "test_b3_"),
        ("B4", "last-key-wins", "test_b4_"),
        ("B5", "last-key-wins", "test_b5_"),
        ("B6", "last-key-wins", "test_b6_"),
        ("B7", "last-key-wins", "test_b7_"),
        ("B12", "last-key-wins", "test_b12_"),
        ("B29", "forwards", "test_b29_"),
    ),
    *_of(
        "conditions",
        (
            "B8",
            "two-valued",
            r"test_b8_.*never_arrives.*(send_email-.*\[\"a@|get_thread-.*owner\":\[|create_page-.*\[\[)",
        ),
        ("B9", "two-valued", r"test_b8_.*never_arrives.*(get_secret|update_cron)-.*\":(5|true|\[)"),
        ("B11", "doubles", r"test_b8_.*never_arrives.*_cron-.*(100\.0000|-1e-400|\"5\"|\"50\")"),
        ("B11 words", "unjudged", "test_b11_"),
        ("B20", "negating", r"test_b8_.*never_arrives.*(put_secret|get_file)-.*\":(5|\[)"),
        ("B21", "trusting", "test_b21_.*approv"),
        ("B22", "trusting", "test_b22_"),
    ),
    *_of(
        "policy",
        ("B10", "first-rule-wins", "test_b10_"),
        ("B31", "guessable", "test_b31_"),
        ("B32", "forgetting", "test_b32_"),
        ("B33", "lenient", "test_b33_"),
    ),
    *_of(
        "reach",
        ("B13", "folding", "test_b13_"),
        ("B14", "enforced-in-lists", "test_b14_"),
        ("B14 lists", "shown", "test_b14_a_hidden"),
        ("B15", "calls-only", "test_b15_"),
        ("B16", "handshakes-only", "test_b16_"),
        ("B17", "wrong-headers", "test_b17_"),
        ("B18", "another-door", "test_b18_"),
    ),
    *_of(
        "limits",
        ("B24", "uncounted", "test_b24_"),
        ("B25", "failing-open", "test_b25_"),
        ("B26", "failing-open", "test_b26_"),
    ),
    *_of(
        "upstream",
        ("B19", "remembering", "test_b19_"),
        ("B27", "believing", "test_b27_"),
        ("B28 answers", "unbounded", r"test_b28_an_answer_without_end.*-(event|lines)\]"),
    ),
    *_of(
        "approvals",
        ("B21 clients", "any-client", "test_b21_a_client_"),
        ("B22 calls", "unbound", "test_b22_.*(other_arguments|carries_more)"),
        ("B22 once", "reusable", "test_b22_.*worth_one_call"),
        ("B23", "trustful", "test_b23_"),
    ),
    *_of("web", ("B30", "any-caller", "test_b30_")),
    Class("B21 programs", "any-program", "tests/e2e/test_approvals_desktop.py", "test_b21_"),
    Class("B14 pins", "unpinned", "tests/e2e/test_pins.py", "test_b14_"),
    Class("B19 pins", "unpinned", "tests/e2e/test_pins.py", "test_b19_"),
    *_of("size", ("B28", "unbounded", "test_b28_what_nests_too_deep.*-deeper")),
)
GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "lines": ("forwards", "last-key-wins", "believing", "remembering", "unpinned"),
    "conditions": ("two-valued", "negating", "doubles", "unjudged", "trusting", "first-rule-wins", "lenient"),
    "reach": ("folding", "enforced-in-lists", "shown", "calls-only", "handshakes-only", "wrong-headers"),
    "approvals": ("any-client", "any-program", "unbound", "reusable", "trustful", "any-caller"),
    "state": ("another-door", "uncounted", "failing-open", "unbounded", "guessable", "forgetting"),
}
"""The kinds, in runs of about the same length."""
UNTESTED: Final[Mapping[str, str]] = {}
"""Classes of what this version does not have."""


@dataclass(frozen=True, slots=True)
class Bite:
    """What came of the tests of one class, in one era: how many ran, and which of them failed."""

    name: str
    kind: str
    era: str
    ran: int
    failed: tuple[str, ...]


def bites(kinds: Sequence[str], each: int = 0) -> list[Bite]:
    """Run the tests of all classes of these kinds, in a process of its own.

    With `each`, of each test function that many cases, until one of its class has failed in its era.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found.json"
        words = [sys.executable, "-m", "tests.e2e.biting", folder, str(each), *kinds]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(words, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(f"the run ended with {done.returncode}\n{done.stdout}{done.stderr}")
        outcomes: Mapping[str, Mapping[str, str]] = json.loads(found.read_text(encoding="utf-8"))
    return [bite for of in CLASSES if of.kind in kinds for bite in _bites(of, outcomes[of.kind])]


def toothless(found: Sequence[Bite]) -> list[str]:
    """The classes whose tests noticed nothing, in an era that they are tested in; `-` only counts where none is."""
    eras = {bite.name for bite in found if bite.era != "-"}
    counting = [bite for bite in found if bite.era != "-" or bite.name not in eras]
    return [f"{bite.name}, era {bite.era}, against {bite.kind}" for bite in counting if not bite.failed]


def _bites(of: Class, outcomes: Mapping[str, str]) -> Iterator[Bite]:
    mine = {test: outcome for test, outcome in outcomes.items() if _is_of(of, test)}
    for era in (*_ERAS, "-"):
        ran = [test for test in mine if _era(test) == era]
        if ran:
            yield Bite(of.name, of.kind, era, len(ran), tuple(test for test in ran if mine[test] == "failed"))


def _is_of(of: Class, test: str) -> bool:
    return test.startswith(of.file) and re.search(f"::{of.tests}", test) is not None


def _era(test: str) -> str:
    """The era that a test speaks; `-` for one that speaks both, or where there is none."""
    return next((era for era in _ERAS if re.search(rf"[\[-]{era}\b", test)), "-")


# --- within the process -----------------------------------------------------------------------------------------------


class Plugin:
    """A run against one kind."""

    def __init__(self, kind: str, each: int) -> None:
        self._classes = [of for of in CLASSES if of.kind == kind]
        self._each = each
        self.outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        kept: dict[tuple[str, str, str], int] = {}
        wanted = []
        for item in items:
            keys = [(of.name, _era(item.nodeid), item.nodeid.partition("[")[0]) for of in self._of(item.nodeid)]
            if keys and (not self._each or any(kept.get(key, 0) < self._each for key in keys)):
                wanted.append(item)
                kept |= {key: kept.get(key, 0) + 1 for key in keys}
        items[:] = wanted

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """One failure a class and era is enough, where not everything is asked for; the rest is not even set up."""
        if self._each and all(self._has_bitten(of, _era(item.nodeid)) for of in self._of(item.nodeid)):
            pytest.skip("its classes have bitten")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """What a naive gateway never says is not waited for as long as what a sound one does."""
        patience = process.PATIENCE, scripted.PATIENCE
        process.PATIENCE = scripted.PATIENCE = _IMPATIENCE
        try:
            yield
        finally:
            process.PATIENCE, scripted.PATIENCE = patience

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.outcomes[report.nodeid] = report.outcome

    def _of(self, test: str) -> list[Class]:
        return [of for of in self._classes if _is_of(of, test)]

    def _has_bitten(self, of: Class, era: str) -> bool:
        return any(bite.era == era and bite.failed for bite in _bites(of, self.outcomes))


def _run(folder: Path, each: int, kinds: Sequence[str]) -> int:
    """Run them one after the other, in one process: what the tests import is imported once."""
    sound = process.Gateway.command
    found: dict[str, Mapping[str, str]] = {}
    for kind in kinds:
        plugin = Plugin(kind, each)

        def naive(*words: Any, module: Sequence[str] = ("gateway",), kind: str = kind) -> list[str]:
            return sound(*words, module=("tests.e2e.naive", kind, *module))

        setattr(process.Gateway, "command", staticmethod(naive))  # noqa: B010 - mypy takes no other way
        files = sorted({of.file for of in CLASSES if of.kind == kind})
        words = [
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-q",
            "--tb=no",
            "--durations=6",
            f"--basetemp={folder / kind}",
            *files,
        ]
        code = pytest.main(words, [plugin])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return int(code)
        found[kind] = plugin.outcomes
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
