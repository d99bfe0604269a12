import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.state.text import bounded


@pytest.mark.parametrize("text", ["", "plain", "a" * 4096, "é" * 2048, "a\0b", "\u202e\x1b[0m"])
def test_what_fits_stays_as_it_is(text: str) -> None:
    assert bounded(text) == text


def test_what_does_not_fit_is_cut_and_says_so() -> None:
    assert bounded("a" * 5000) == "a" * 4096 + "… (+904 bytes)"


def test_a_character_is_never_cut_in_two() -> None:
    assert bounded("aé" * 5, longest=5) == "aéa… (+10 bytes)"


def test_half_a_surrogate_pair_is_written_as_its_escape() -> None:
    assert bounded("a\ud800b") == "a\\ud800b"


@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=40))
def test_sqlite_takes_and_returns_whatever_comes_out(text: str) -> None:
    kept = bounded(text, longest=20)
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT ?", (kept,)).fetchone() == (kept,)
    connection.close()
