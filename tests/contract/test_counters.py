"""What every implementation of `Counters` must do (policy language, "Limits"; threat B24)."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.policy.decision import Limit
from gateway.state import Charge, Counters, Exhausted, Reservation, Taken
from gateway.state import take as take_all
from tests.unit.state.manual import MIDNIGHT, charge, limit

DAY = 86400.0
ONE = Decimal(1)


def take(counters: Counters, charges: Charge | Sequence[Charge], now: float) -> Reservation:
    """A reservation that must be granted."""
    reserved = counters.reserve([charges] if isinstance(charges, Charge) else charges, now)
    assert isinstance(reserved, Reservation)
    return reserved


def refused(counters: Counters, charges: Charge | Sequence[Charge], now: float) -> Exhausted:
    """A reservation that must be refused."""
    reserved = counters.reserve([charges] if isinstance(charges, Charge) else charges, now)
    assert isinstance(reserved, Exhausted)
    return reserved


def granted(counters: Counters, one: Charge, now: float) -> int:
    """How many calls get through at one moment."""
    number = 0
    while isinstance(counters.reserve([one], now), Reservation):
        number += 1
        assert number < 1000
    return number


def used(counters: Counters, now: float) -> list[Decimal]:
    return [row.used for row in counters.usage(now)]


class TestSession:
    def test_a_session_never_gets_more_and_no_time_helps(self, counters: Counters) -> None:
        one = charge(limit(2, "session", scope="session"))
        assert granted(counters, one, MIDNIGHT) == 2
        for now in (MIDNIGHT + 400 * DAY, MIDNIGHT - DAY):
            assert refused(counters, one, now) == Exhausted(one, None)
        assert granted(counters, charge(one.limit, session="s2"), MIDNIGHT) == 2

    def test_it_ends_with_its_session(self, counters: Counters) -> None:
        one = charge(limit(1, "session", scope="session"))
        take(counters, one, MIDNIGHT)
        (row,) = counters.usage(MIDNIGHT + DAY)
        assert row.used == 1
        assert row.resets_at is None
        counters.forget_session("s1")
        assert granted(counters, one, MIDNIGHT) == 1

    def test_what_was_taken_is_given_back_once_and_at_most_so_often_as_there_is_room(self, counters: Counters) -> None:
        one = charge(limit(1, "session", scope="session"))
        reservation = take(counters, one, MIDNIGHT)
        counters.release(reservation, MIDNIGHT + DAY)
        counters.release(reservation, MIDNIGHT + DAY)
        again = take(counters, one, MIDNIGHT + 2 * DAY)
        counters.release(again, MIDNIGHT + 2 * DAY)
        assert granted(counters, one, MIDNIGHT + 3 * DAY) == 0


class TestScopes:
    def test_the_scope_of_the_server_counts_every_grant_and_session_together(self, counters: Counters) -> None:
        of = limit(2, scope="server")
        take(counters, charge(of, grant="ann", session="s1"), MIDNIGHT)
        take(counters, charge(of, grant="bob", session="s2"), MIDNIGHT)
        refused(counters, charge(of, grant="eve", session="s3"), MIDNIGHT)
        take(counters, charge(of, server="https://other.example/mcp"), MIDNIGHT)


class TestTrying:
    def test_what_is_tried_out_is_counted_where_all_of_it_would_have_been(self, counters: Counters) -> None:
        tried = charge(replace(limit(1, counter="tried"), observed=True))
        other = charge(replace(limit(9, counter="other"), observed=True))
        enforced = charge(limit(3, counter="enforced"))
        results = [take_all(counters, [tried, other, enforced], MIDNIGHT) for _ in range(4)]
        assert [isinstance(result, Taken) for result in results] == [True, True, True, False]
        assert [isinstance(result, Taken) and result.would for result in results[:2]] == [None, Exhausted(tried, 60)]
        assert used(counters, MIDNIGHT) == [3, 1, 1]


class TestFixed:
    @pytest.mark.parametrize(("window", "seconds"), [("minute", 60), ("hour", 3600), ("day", 86400)])
    def test_a_window_is_aligned_to_utc(self, counters: Counters, window: str, seconds: int) -> None:
        one = charge(limit(2, window))
        late = MIDNIGHT + DAY - 0.001
        assert granted(counters, one, late) == 2
        assert refused(counters, one, late) == Exhausted(one, 1)
        assert granted(counters, one, MIDNIGHT + DAY) == 2
        assert refused(counters, one, MIDNIGHT + DAY) == Exhausted(one, seconds)
        assert granted(counters, one, MIDNIGHT + DAY + seconds - 0.001) == 0
        assert granted(counters, one, MIDNIGHT + DAY + seconds) == 2

    def test_the_wait_is_rounded_up(self, counters: Counters) -> None:
        one = charge(limit(1))
        take(counters, one, MIDNIGHT)
        assert refused(counters, one, MIDNIGHT).retry_after_seconds == 60
        assert refused(counters, one, MIDNIGHT + 0.5).retry_after_seconds == 60
        assert refused(counters, one, MIDNIGHT + 58.9).retry_after_seconds == 2
        assert refused(counters, one, MIDNIGHT + 59.9).retry_after_seconds == 1

    def test_an_unused_window_in_between_changes_nothing(self, counters: Counters) -> None:
        one = charge(limit(2))
        assert granted(counters, one, MIDNIGHT) == 2
        assert granted(counters, one, MIDNIGHT + 600) == 2


class TestSliding:
    def test_no_span_ever_holds_more_than_the_maximum(self, counters: Counters) -> None:
        one = charge(limit(2, "10"))
        take(counters, one, MIDNIGHT + 3)
        take(counters, one, MIDNIGHT + 9)
        assert refused(counters, one, MIDNIGHT + 9) == Exhausted(one, 4)
        assert refused(counters, one, MIDNIGHT + 12.999) == Exhausted(one, 1)
        take(counters, one, MIDNIGHT + 13)
        assert refused(counters, one, MIDNIGHT + 13) == Exhausted(one, 6)
        assert granted(counters, one, MIDNIGHT + 23) == 2

    def test_an_hour_may_slide_too(self, counters: Counters) -> None:
        one = charge(limit(1, "hour", strategy="sliding"))
        take(counters, one, MIDNIGHT + 3599)
        assert refused(counters, one, MIDNIGHT + 3600) == Exhausted(one, 3599)

    def test_the_wait_covers_as_many_hits_as_must_run_out(self, counters: Counters) -> None:
        small, large = charge(limit(10, "60")), charge(limit(10, "60"), cost=7)
        for second in range(10):
            take(counters, small, MIDNIGHT + second)
        assert refused(counters, large, MIDNIGHT + 9) == Exhausted(large, 57)
        take(counters, large, MIDNIGHT + 66)

    def test_a_long_queue_of_hits_runs_out_in_order(self, counters: Counters) -> None:
        one = charge(limit(50, "10"))
        for step in range(50):
            take(counters, one, MIDNIGHT + step * 0.1)
        assert refused(counters, one, MIDNIGHT + 5) == Exhausted(one, 5)
        assert granted(counters, one, MIDNIGHT + 12.05) == 21
        assert granted(counters, one, MIDNIGHT + 30) == 50


class TestTogether:
    def test_all_charges_are_taken_or_none(self, counters: Counters) -> None:
        narrow, wide = charge(limit(1, counter="narrow")), charge(limit(9, counter="wide"))
        sliding = charge(limit(9, "60", counter="sliding"))
        take(counters, [wide, sliding, narrow], MIDNIGHT)
        before = counters.usage(MIDNIGHT)
        assert refused(counters, [wide, sliding, narrow], MIDNIGHT + 1) == Exhausted(narrow, 59)
        assert counters.usage(MIDNIGHT) == before

    def test_a_refused_call_creates_nothing(self, counters: Counters) -> None:
        full, fresh = charge(limit(1, counter="full")), charge(limit(1, counter="fresh"))
        take(counters, full, MIDNIGHT)
        refused(counters, [fresh, full], MIDNIGHT)
        assert len(counters.usage(MIDNIGHT)) == 1
        take(counters, fresh, MIDNIGHT)

    def test_the_first_in_order_is_named(self, counters: Counters) -> None:
        minute, hour = charge(limit(1)), charge(limit(1, "hour"))
        take(counters, [minute, hour], MIDNIGHT)
        assert refused(counters, [minute, hour], MIDNIGHT) == Exhausted(minute, 60)
        assert refused(counters, [hour, minute], MIDNIGHT) == Exhausted(hour, 3600)

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_one_counter_may_be_charged_twice(self, counters: Counters, window: str) -> None:
        one = charge(limit(3, window))
        reserved = take(counters, [one, one], MIDNIGHT)
        assert refused(counters, [one, one], MIDNIGHT) == Exhausted(one, 60)
        assert used(counters, MIDNIGHT) == [2]
        counters.release(reserved, MIDNIGHT)
        assert used(counters, MIDNIGHT) == []

    def test_no_charges_are_always_granted(self, counters: Counters) -> None:
        assert take(counters, [], MIDNIGHT) == Reservation(())
        assert counters.peek([], MIDNIGHT) is None


class TestPeek:
    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_it_foretells_and_changes_nothing(self, counters: Counters, window: str) -> None:
        one = charge(limit(1, window))
        assert counters.peek([one], MIDNIGHT) is None
        assert counters.usage(MIDNIGHT) == []
        take(counters, one, MIDNIGHT)
        before = counters.usage(MIDNIGHT)
        assert counters.peek([charge(limit(counter="other")), one], MIDNIGHT) == Exhausted(one, 60)
        assert counters.peek([one], MIDNIGHT + 60) is None
        assert counters.usage(MIDNIGHT) == before


class TestRelease:
    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_it_gives_back_once(self, counters: Counters, window: str) -> None:
        one = charge(limit(3, window))
        first = take(counters, one, MIDNIGHT)
        assert granted(counters, one, MIDNIGHT) == 2
        counters.release(first, MIDNIGHT + 1)
        counters.release(first, MIDNIGHT + 1)
        assert used(counters, MIDNIGHT + 1) == [2]
        assert granted(counters, one, MIDNIGHT + 1) == 1

    def test_not_after_its_fixed_window(self, counters: Counters) -> None:
        one = charge(limit(2))
        first = take(counters, one, MIDNIGHT + 59)
        take(counters, one, MIDNIGHT + 60)
        counters.release(first, MIDNIGHT + 60)
        assert used(counters, MIDNIGHT + 60) == [1]

    def test_not_after_its_fixed_window_even_where_the_next_is_untouched(self, counters: Counters) -> None:
        one = charge(limit(1))
        first = take(counters, one, MIDNIGHT + 59)
        counters.release(first, MIDNIGHT + 60)
        refused(counters, one, MIDNIGHT + 59)

    def test_of_a_sliding_window_that_very_hit_is_removed(self, counters: Counters) -> None:
        one = charge(limit(2, "60"))
        take(counters, one, MIDNIGHT)
        second = take(counters, one, MIDNIGHT + 30)
        counters.release(second, MIDNIGHT + 31)
        take(counters, one, MIDNIGHT + 40)
        assert refused(counters, one, MIDNIGHT + 41) == Exhausted(one, 19)
        counters.release(second, MIDNIGHT + 41)
        assert used(counters, MIDNIGHT + 41) == [2]
        take(counters, one, MIDNIGHT + 60)
        assert refused(counters, one, MIDNIGHT + 60) == Exhausted(one, 40)

    def test_a_hit_that_has_run_out_is_not_given_back(self, counters: Counters) -> None:
        one = charge(limit(1, "60"))
        first = take(counters, one, MIDNIGHT)
        counters.release(first, MIDNIGHT + 60)
        assert granted(counters, one, MIDNIGHT + 60) == 1
        counters.release(first, MIDNIGHT + 60)
        assert used(counters, MIDNIGHT + 60) == [1]

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_what_comes_too_late_is_not_counted_as_given_back(self, counters: Counters, window: str) -> None:
        one = charge(limit(1, window))
        late = take(counters, one, MIDNIGHT)
        counters.release(late, MIDNIGHT + 60)
        counters.release(take(counters, one, MIDNIGHT + 60), MIDNIGHT + 60)
        assert used(counters, MIDNIGHT + 60) == []

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_at_most_the_maximum_is_given_back_in_a_window(self, counters: Counters, window: str) -> None:
        one = charge(limit(2, window))
        for _ in range(2):
            counters.release(take(counters, one, MIDNIGHT), MIDNIGHT)
        third = take(counters, one, MIDNIGHT)
        counters.release(third, MIDNIGHT)
        assert used(counters, MIDNIGHT) == [1]
        assert granted(counters, one, MIDNIGHT) == 1
        counters.release(take(counters, one, MIDNIGHT + 60), MIDNIGHT + 60)
        assert used(counters, MIDNIGHT + 60) == []

    def test_a_fraction_of_a_maximum_is_no_refund(self, counters: Counters) -> None:
        one = charge(limit("1.5"))
        for _ in range(2):
            counters.release(take(counters, one, MIDNIGHT), MIDNIGHT)
        assert used(counters, MIDNIGHT) == [1]

    def test_it_gives_back_what_it_cost(self, counters: Counters) -> None:
        large, small = charge(limit(10), cost="2.5"), charge(limit(10), cost="0.1")
        first = take(counters, large, MIDNIGHT)
        take(counters, small, MIDNIGHT)
        counters.release(first, MIDNIGHT)
        assert used(counters, MIDNIGHT) == [Decimal("0.1")]

    def test_a_forgotten_counter_is_not_credited_to_its_successor(self, counters: Counters) -> None:
        one = charge(limit(2, scope="session"))
        first = take(counters, one, MIDNIGHT)
        counters.forget_session("s1")
        take(counters, one, MIDNIGHT)
        counters.release(first, MIDNIGHT)
        assert used(counters, MIDNIGHT) == [1]


class TestClock:
    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_set_back_it_reopens_nothing(self, counters: Counters, window: str) -> None:
        one = charge(limit(2, window))
        assert granted(counters, one, MIDNIGHT) == 2
        assert refused(counters, one, MIDNIGHT - 3600).retry_after_seconds == 3660
        assert granted(counters, one, MIDNIGHT + 60) == 2
        assert granted(counters, one, MIDNIGHT) == 0

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_what_is_left_of_the_newest_window_may_be_used(self, counters: Counters, window: str) -> None:
        one = charge(limit(3, window))
        take(counters, one, MIDNIGHT)
        assert granted(counters, one, MIDNIGHT - DAY) == 2

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_a_jump_ahead_and_back_stays_closed_and_says_until_when(self, counters: Counters, window: str) -> None:
        one, ahead = charge(limit(2, window)), MIDNIGHT + 3650 * DAY
        assert granted(counters, one, ahead) == 2
        assert refused(counters, one, MIDNIGHT) == Exhausted(one, int(3650 * DAY) + 60)
        (row,) = counters.usage(MIDNIGHT)
        assert row.used == 2
        assert row.resets_at == ahead + 60
        assert granted(counters, one, row.resets_at) == 2

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_a_refund_after_the_clock_was_set_back(self, counters: Counters, window: str) -> None:
        one = charge(limit(2, window))
        first = take(counters, one, MIDNIGHT)
        counters.release(first, MIDNIGHT - DAY)
        assert used(counters, MIDNIGHT - DAY) == []
        assert granted(counters, one, MIDNIGHT - DAY) == 2


class TestAmounts:
    def test_they_are_exact(self, counters: Counters) -> None:
        tenth = charge(limit(1), cost="0.1")
        assert granted(counters, tenth, MIDNIGHT) == 10
        assert used(counters, MIDNIGHT) == [1]

    def test_large_and_small_ones_are_not_rounded(self, counters: Counters) -> None:
        of = limit("100000000000000000000000000000.0000000000000000000000000000001", "60")
        take(counters, charge(of, cost="1E+29"), MIDNIGHT)
        smallest = charge(of, cost="1E-31")
        take(counters, smallest, MIDNIGHT)
        refused(counters, smallest, MIDNIGHT)

    def test_a_cost_above_the_maximum_never_fits(self, counters: Counters) -> None:
        one = charge(limit("0.5"))
        assert refused(counters, one, MIDNIGHT) == Exhausted(one, None)
        assert counters.peek([one], MIDNIGHT) == Exhausted(one, None)

    def test_a_cost_of_nothing_fits_a_full_counter(self, counters: Counters) -> None:
        take(counters, charge(limit(1)), MIDNIGHT)
        take(counters, charge(limit(1), cost=0), MIDNIGHT)

    @pytest.mark.parametrize("window", ["minute", "60"])
    def test_editing_the_maximum_keeps_what_was_used(self, counters: Counters, window: str) -> None:
        assert granted(counters, charge(limit(5, window)), MIDNIGHT) == 5
        lowered = charge(limit(2, window))
        assert refused(counters, lowered, MIDNIGHT + 1) == Exhausted(lowered, 59)
        assert granted(counters, charge(limit(6, window)), MIDNIGHT + 1) == 1


class TestIdentity:
    def differs(self, counters: Counters, left: Charge, right: Charge) -> None:
        take(counters, left, MIDNIGHT)
        refused(counters, left, MIDNIGHT)
        take(counters, right, MIDNIGHT)
        refused(counters, right, MIDNIGHT)

    @pytest.mark.parametrize(
        "right",
        [
            charge(limit(1), server="https://keyid.example/other"),
            charge(replace(limit(1), layer="site")),
            charge(limit(1), grant="work"),
            charge(limit(1), per="a@example.com"),
            charge(limit(1), per=""),
            charge(limit(1, counter="other")),
            charge(limit(1, tools_key="all_tools")),
            charge(limit(1, "hour")),
            charge(limit(1, strategy="sliding")),
            charge(limit(1, scope="session"), session="default"),
        ],
    )
    def test_each_part_makes_another_counter(self, counters: Counters, right: Charge) -> None:
        self.differs(counters, charge(limit(1)), right)

    def test_seconds_that_are_said_alike_are_still_told_apart(self, counters: Counters) -> None:
        of = limit(1, "60")
        self.differs(counters, charge(of), charge(replace(of, seconds=61)))

    @pytest.mark.parametrize("between", ["|", "\0", "/", '", "', "\n", "\\", "\ud800", "é"])
    def test_parts_are_never_confused(self, counters: Counters, between: str) -> None:
        left = charge(limit(1, counter=f"b{between}c", tools_key="a"))
        right = charge(limit(1, counter="c", tools_key=f"a{between}b"))
        self.differs(counters, left, right)

    @pytest.mark.parametrize(
        ("same", "of"),
        [
            (charge(limit(1), server="https://keyid.example/mcp?token=1#x"), limit(1)),
            (charge(limit(1), session="s2"), limit(1)),
            (charge(limit(1, scope="session"), grant="work"), limit(1, scope="session")),
        ],
    )
    def test_what_is_no_part_of_it(self, counters: Counters, same: Charge, of: Limit) -> None:
        take(counters, charge(of), MIDNIGHT)
        refused(counters, same, MIDNIGHT)

    def test_the_query_of_the_upstream_is_not_kept(self, counters: Counters) -> None:
        take(counters, charge(server="https://keyid.example/mcp?token=secret"), MIDNIGHT)
        assert counters.usage(MIDNIGHT)[0].key.server == "https://keyid.example/mcp"


class TestSessions:
    def test_a_session_that_ended_is_forgotten_and_no_other(self, counters: Counters) -> None:
        mine, sliding = charge(limit(1, scope="session")), charge(limit(1, "60", scope="session"))
        theirs = charge(limit(1, scope="session"), session="s2")
        namesake = charge(limit(1), grant="s1")
        take(counters, [mine, sliding, theirs, namesake], MIDNIGHT)
        counters.forget_session("s1")
        assert [row.key for row in counters.usage(MIDNIGHT)] == [theirs.key, namesake.key]
        take(counters, [mine, sliding], MIDNIGHT)


class TestUsage:
    def test_it_lists_what_is_not_empty(self, counters: Counters) -> None:
        minute, day, sliding = charge(limit(5)), charge(limit(5, "day")), charge(limit(5, "90"))
        take(counters, [minute, day, sliding], MIDNIGHT + 10)
        take(counters, sliding, MIDNIGHT + 70)
        rows = {row.key: (row.used, row.window_start, row.resets_at) for row in counters.usage(MIDNIGHT + 70)}
        assert rows == {
            day.key: (ONE, MIDNIGHT, MIDNIGHT + DAY),
            sliding.key: (ONE + ONE, MIDNIGHT + 10, MIDNIGHT + 160),
        }
        rows = {row.key: (row.used, row.window_start, row.resets_at) for row in counters.usage(MIDNIGHT + 100)}
        assert rows[sliding.key] == (ONE, MIDNIGHT + 70, MIDNIGHT + 160)
        assert counters.usage(MIDNIGHT + DAY) == []

    def test_odd_names_come_back_as_they_were(self, counters: Counters) -> None:
        odd = charge(limit(counter="a\0b\n|é", tools_key="*"), grant="\u202e'\"", per="\0")
        take(counters, odd, MIDNIGHT)
        assert counters.usage(MIDNIGHT)[0].key == odd.key


def test_a_charge_that_would_never_fit_leaves_no_trace_not_even_of_the_time(counters: Counters) -> None:
    lately = limit("0.5", "10", counter="lately")
    take(counters, charge(lately, cost="0.1"), MIDNIGHT)
    before = counters.usage(MIDNIGHT)
    assert refused(counters, charge(lately, cost="1"), MIDNIGHT + 29).retry_after_seconds is None
    assert counters.usage(MIDNIGHT) == before
    assert [row.used for row in before] == [Decimal("0.1")]
