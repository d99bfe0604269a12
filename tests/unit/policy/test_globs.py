"""Names with stars: what matches, in which order, and in linear time."""

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.globs import Globs, matches_all, parse


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("send_*", "send_email", True),
        ("send_*", "send_", True),
        ("send_*", "Send_email", False),
        ("send_*", "resend_email", False),
        ("*_email", "send_email", True),
        ("*_email", "send_email ", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*ab*ab*", "ab", False),
        ("*ab*ab*", "xabab", True),
        ("a*b*c", "abcbc", True),
        ("a*b*c", "acb", False),
        ("*", "", True),
        ("a.*", "ab", False),
        ("[a]*", "a", False),
        ("a?*", "ab", False),
        ("*\n*", "a\nb", True),
        ("*", "\u2028\n", True),
    ],
)
def test_a_star_is_any_run_and_everything_else_is_literal(pattern: str, name: str, matches: bool) -> None:
    assert parse(pattern).matches(name) is matches


@given(st.text("ab*", min_size=1, max_size=8), st.text("ab", max_size=12))
def test_a_pattern_is_the_regular_expression_that_it_says(pattern: str, name: str) -> None:
    if "*" not in pattern:
        return
    said = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    assert parse(pattern).matches(name) is (said.fullmatch(name) is not None)
    assert parse(pattern).matches(name) is fnmatch.fnmatchcase(name, pattern)


def test_a_pattern_of_many_stars_takes_no_more_steps_than_it_has_parts() -> None:
    assert not parse("a*" * 500 + "b").matches("a" * 100_000)


@given(st.lists(st.text("ab*", min_size=1, max_size=5), unique=True, max_size=8), st.text("ab", max_size=6))
def test_all_that_match_are_found_in_the_order_in_which_they_were_given(patterns: list[str], name: str) -> None:
    stars = {text: text for text in patterns if "*" in text}
    assert Globs(stars).of(name) == [text for text in stars if parse(text).matches(name)]


def test_nothing_but_stars_matches_all() -> None:
    assert [matches_all(text) for text in ("*", "**", "", "a*", "***")] == [True, True, False, False, True]
