"""When a stream that ended early is asked for again."""

from itertools import islice

import pytest

from gateway.upstream.sse import EventStream
from gateway.upstream.streams import same_id, waits


def test_each_fruitless_attempt_waits_longer_and_there_is_a_last_one() -> None:
    assert list(waits(EventStream(100))) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0, 5.0]


def test_what_the_server_says_is_the_least_that_is_waited() -> None:
    events = EventStream(100)
    events.feed(b"retry: 1000\n")
    assert list(islice(waits(events), 6)) == [1.0, 1.0, 1.0, 1.0, 1.6, 3.2]


def test_something_new_begins_the_count_anew() -> None:
    events, found = EventStream(100), []
    for number, seconds in enumerate(waits(events)):
        found.append(seconds)
        if number in (2, 3):
            events.feed(f"id: {number}\n\n".encode())
    assert found[:6] == [0.1, 0.2, 0.4, 0.1, 0.1, 0.2]
    assert len(found) == 4 + 10


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (1, True), (0, False), (None, 0)])
def test_an_id_of_another_type_is_another_id(one: int | None, other: int | str) -> None:
    assert not same_id(one, other)
    assert same_id(one, one)
