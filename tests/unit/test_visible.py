"""What is shown of a text: nothing that acts, hides or deceives."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.visible import escaped, pieces, reverses, unmistakable

HIDDEN = ["\x1b", "\u202e", "\u200b", "\U000e0041", "\u3164", "\ufe0f", "\u034f", "\x00", "\r", "\n", "\t", "\xa0"]


@given(st.text() | st.text(st.sampled_from([*HIDDEN, "a", "\u0301", "\u0430"])))
@example("a" + "\u0301" * 5)
def test_nothing_that_acts_or_hides_is_ever_raw(text: str) -> None:
    for shown in (escaped(text), unmistakable(text)):
        assert shown.isprintable()
        assert not any(char in shown for char in HIDDEN)
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Me"} for char in shown)
    assert not reverses(unmistakable(text))


@given(st.text())
def test_each_character_has_its_piece(text: str) -> None:
    for strict in (False, True):
        shown = pieces(text, strict=strict)
        assert len(shown) == len(text)
        assert all(piece == char or piece.startswith("\\") for char, piece in zip(text, shown, strict=True))


@given(st.text(st.characters(max_codepoint=126, min_codepoint=32)))
def test_plain_text_stays(text: str) -> None:
    assert escaped(text) == unmistakable(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "größe 😀",
        "naïve Straße, 2 €",
        "Привет, мир",
        "今日は、example を見て。",
        "你好\uff0c世界",
        "Ελλάδα",
        "e\u0301te\u0301",
    ],
)
def test_what_people_write_stays(text: str) -> None:
    assert unmistakable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("p\u0430ypal", r"p\u0430ypal"),
        ("\u0430\u0440\u0440\u04cf\u0435.com", r"\u0430\u0440\u0440\u04cf\u0435.com"),
        ("müller@example.com", r"m\xfcller@example.com"),
        ("a.example\u2215x", r"a.example\u2215x"),
        ("\uff52\uff4d", r"\uff52\uff4d"),
        ("\U0001d42c\U0001d42e\U0001d429", r"\U0001d42c\U0001d42e\U0001d429"),
        ("\u212a", r"\u212a"),
        ("go\u200bod", r"go\u200bod"),
        ("x\ufe00", r"x\ufe00"),
        ("\u0301x", r"\u0301x"),
        ("a\u0301\u0301\u0301", "a\u0301\u0301" + r"\u0301"),
        ("1\u20e3", r"1\u20e3"),
        ("אבג", r"\u05d0\u05d1\u05d2"),
    ],
)
def test_what_reads_like_something_else_is_its_escape(text: str, shown: str) -> None:
    assert unmistakable(text) == shown


def test_a_text_may_go_from_right_to_left_where_it_stands_alone() -> None:
    assert escaped("שלום") == "שלום"
    assert reverses("x שלום")
    assert reverses("٣")
    assert not reverses("Straße")
