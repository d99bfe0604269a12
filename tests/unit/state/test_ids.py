"""Ids of decisions: never twice, and in the order of time."""

from gateway.state.ids import DecisionIds
from tests.unit.state.manual import MIDNIGHT


def test_ids_are_in_the_order_of_time_and_never_the_same() -> None:
    ids = DecisionIds()
    found = [ids.next(MIDNIGHT + number / 100) for number in range(5000)]
    assert found == sorted(found)
    assert len(set(found)) == len(found)
    assert {len(one) for one in found} == {16}


def test_ids_of_one_moment_differ() -> None:
    ids = DecisionIds()
    assert len({ids.next(MIDNIGHT) for _ in range(5000)}) == 5000


def test_processes_begin_anywhere() -> None:
    assert len({DecisionIds().next(MIDNIGHT) for _ in range(50)}) > 40


def test_a_time_beyond_the_last_one_is_a_number_as_well() -> None:
    assert len(DecisionIds().next(2.0**45)) == 16
