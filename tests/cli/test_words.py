from decimal import Decimal

import pytest

from gateway.cli import words


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("send_email", "send_email"),
        ("größe 名前", "größe 名前"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("a\u202eb\u2066c", r"a\u202eb\u2066c"),
        ("a\u200bb\ufeff", r"a\u200bb\ufeff"),
        ("a\u3164b\u2800", r"a\u3164b\u2800"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
    ],
)
def test_nothing_shown_can_act_on_a_terminal(given: str, shown: str) -> None:
    assert words.shown(given) == shown
    assert words.shown(given).isprintable()


@pytest.mark.parametrize(
    ("given", "longest", "named"),
    [
        ("send_email", None, "send_email"),
        ("a b", None, "a b"),
        ("名前", None, "名前"),
        ("abcdef", 4, "abc…"),
        ("", None, '""'),
        ("a ", None, '"a "'),
        ("a  b", None, '"a  b"'),
        ("a\n", None, r'"a\n"'),
        ("abcdef ", 6, '"abc…"'),
    ],
)
def test_a_name_that_is_not_plain_stands_between_quotes(given: str, longest: int | None, named: str) -> None:
    assert words.named(given, longest) == named


def test_what_is_too_long_is_cut_with_a_mark() -> None:
    assert words.shown("abcdef", 4) == "abc…"
    assert words.shown("abcd", 4) == "abcd"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (-5, "0 s"), (42.4, "42 s"), (90, "1 min 30 s"), (3600, "1 h"), (3601, "1 h"), (90_000, "1 d 1 h")],
)
def test_spans(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


@pytest.mark.parametrize(("milliseconds", "said"), [(None, ""), (0.84, "0.8 ms"), (12.3, "12 ms"), (1234.0, "1.2 s")])
def test_latencies(milliseconds: float | None, said: str) -> None:
    assert words.latency(milliseconds) == said


def test_counts() -> None:
    assert words.counted(1, "tool") == "1 tool"
    assert words.counted(0, "tool") == "0 tools"
    assert words.tally({"listed": 58, "odd": 0, "hidden": 6}) == "58 listed, 6 hidden"


@pytest.mark.parametrize(("value", "number"), [("30", 30), ("1E2", 100), ("0.5", 0.5)])
def test_amounts_are_json_numbers(value: str, number: float) -> None:
    assert words.amount(Decimal(value)) == number
    assert type(words.amount(Decimal(value))) is type(number)
