"""Every threat class that is tested has tests which fail against a gateway that is naive in that respect.

A few tests of each class are run here; `scripts/bite` runs them all and prints the table.
"""

import re
from pathlib import Path

import pytest

from tests.e2e.biting import CLASSES, GROUPS, UNTESTED, bites, toothless
from tests.e2e.process import ALLOW_ALL, Gateway, Home
from tests.e2e.scripted import Scripted, said

EACH = 2
"""Cases of each test function; the first that fails is enough."""


@pytest.mark.parametrize("group", GROUPS)
def test_the_tests_of_a_class_fail_against_a_naive_gateway(group: str) -> None:
    found = bites(GROUPS[group], EACH)
    assert {of.name for of in CLASSES if of.kind in GROUPS[group]} == {bite.name for bite in found}
    assert toothless(found) == []


OWN_GATEWAY = (
    "none",
    "first-rule-wins",
    "guessable",
    "forgetting",
    "lenient",
    "another-door",
    "uncounted",
    "failing-open",
    "any-client",
    "any-program",
    "unbound",
    "reusable",
    "trustful",
    "any-caller",
)
"""Kinds whose tests start a gateway themselves. What a fixture started has answered before the test began."""


@pytest.mark.parametrize("kind", OWN_GATEWAY)
def test_a_naive_gateway_serves(home: Home, kind: str) -> None:
    """What fails against it does not fail because it does not work."""
    with Scripted() as upstream, Gateway(home, upstream.url, policy=ALLOW_ALL, naive=kind) as gateway:
        gateway.initialize()
        assert gateway.call("one", {}) == said("one ran")
        assert gateway.close() == 0


def test_every_class_is_tested_or_its_reason_stands_here() -> None:
    listed = {f"B{number}" for number in range(1, 34)}
    assert sorted(kind for kinds in GROUPS.values() for kind in kinds) == sorted({of.kind for of in CLASSES})
    tested = {of.name.partition(" ")[0] for of in CLASSES}
    assert tested | set(UNTESTED) == listed
    assert not tested & set(UNTESTED)
    for file in {of.file for of in CLASSES}:
        text = (Path(__file__).parents[2] / file).read_text(encoding="utf-8")
        labels = {f"B{number}" for number in re.findall(r"def test_b(\d+)_", text)}
        assert labels <= tested, file
