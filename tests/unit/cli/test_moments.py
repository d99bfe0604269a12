"""Moments, lengths of time and sizes, as people write them."""

from datetime import datetime

import pytest

from gateway.cli.moments import moment, seconds, size
from gateway.errors import UsageError


@pytest.mark.parametrize(
    ("text", "length"),
    [("30min", 1800), ("30m", 1800), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600), ("1 S", 1), (" 45s ", 45)],
)
def test_a_length_of_time_is_one_or_so_long_ago(text: str, length: int) -> None:
    assert seconds(text, "--for") == length
    assert moment(text, "--since", 10_000_000.0) == 10_000_000 - length


def test_a_date_is_one_of_this_machine_unless_it_names_a_zone() -> None:
    assert moment("2026-01-31T09:00+00:00", "--since", 0.0) == 1_769_850_000
    assert moment("2026-01-31", "--since", 0.0) == datetime(2026, 1, 31).timestamp()  # noqa: DTZ001 - as a person means it


def test_nothing_is_no_moment() -> None:
    assert moment(None, "--since", 0.0) is None


@pytest.mark.parametrize("text", ["", "yesterday", "7", "-7d", "7y", "99999999d"])
def test_what_is_neither_says_how_to_write_it(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        moment(text, "--since", 0.0)
    assert str(caught.value) == (
        f"`--since`: `{text}` is no moment\nhint: write it like `7d` (so long ago), `2026-01-31` or `2026-01-31T14:00`"
    )
    with pytest.raises(UsageError) as caught:
        seconds(text, "--for")
    assert str(caught.value) == (
        f"`--for`: `{text}` is no length of time\nhint: write it like `45s`, `30min`, `12h`, `7d`"
    )


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("200MB", 200_000_000), ("1 GiB", 2**30), ("7kB", 7000)])
def test_a_size(text: str, number: int) -> None:
    assert size(text, "--to-size") == number


def test_what_is_no_size() -> None:
    with pytest.raises(UsageError, match=r"`--to-size`: `1\.5MB` is no size"):
        size("1.5MB", "--to-size")
