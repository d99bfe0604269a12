"""A text for a pattern: a guess, but a good one for patterns as policies have them."""

import pytest
import re2

from gateway.authoring.matching import example, examples
from gateway.keyid import patterns


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[^@,;\s<>]+@example\.com$",
        r"^(dev|staging)-[0-9]{2,4}$",
        r"(?i)^https://([a-z0-9-]+\.)+[a-z]{2,}(/|$)",
        r"\Akim\z",
        r"^[\w.]+\s\d\D\S$",
        r"^[^a-z]x?y*z+$",
        *(value for name, value in vars(patterns).items() if name.isupper() and name != "MORE_THAN_HOURLY"),
    ],
)
def test_a_text_that_the_pattern_matches(pattern: str) -> None:
    text = example(pattern)
    assert text is not None
    assert re2.search(pattern, text) is not None, text


@pytest.mark.parametrize("pattern", ["(", r"\pN", "x{300}"])
def test_where_nobody_can_tell_there_is_none(pattern: str) -> None:
    assert example(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "filler", "expected"),
    [
        ("^(dev|test|prod)-[0-9]+$", "", {"dev-0", "test-0", "prod-0"}),
        ("^.{0,99}$", "-----BEGIN PRIVATE KEY", {"-----BEGIN PRIVATE KEY", ""}),
        (r"[\x00-\x08\x{85}]", "", {"\x00"}),
    ],
)
def test_texts_of_every_branch_and_with_what_fits(pattern: str, filler: str, expected: set[str]) -> None:
    found = list(examples(pattern, (filler,)))
    assert expected <= set(found)
    assert all(re2.search(pattern, text) for text in found)
    assert found == list(examples(pattern, (filler,)))
