"""Statistics of the benchmark: nearest-rank percentiles, and ratios that are made round by round."""

import pytest

from scripts.bench_lib.figures import Ratio, Summary, percentile, ratio, single, summary


@pytest.mark.parametrize(("share", "expected"), [(0.01, 1), (0.5, 50), (0.99, 99), (0.991, 100), (1.0, 100)])
def test_a_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(100, 0, -1), share) == expected


def test_the_percentile_of_one_sample_is_that_sample() -> None:
    assert percentile([7.0], 0.99) == 7.0


@pytest.mark.parametrize("share", [0.0, -0.5, 1.1])
def test_a_share_outside_its_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="a share lies above 0 and up to 1"):
        percentile([1.0], share)


def test_no_samples_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


def test_a_summary_is_of_all_rounds_together() -> None:
    assert summary([[1.0, 2.0], [], [9.0]]) == Summary(3, 2.0, 9.0)


@pytest.mark.parametrize("rounds", [[], [[], []]])
def test_there_is_no_summary_of_nothing(rounds: list[list[float]]) -> None:
    assert summary(rounds) is None


def test_a_ratio_is_the_median_of_the_rounds_so_that_a_noisy_one_does_not_decide() -> None:
    quiet, noisy = [1.0, 1.0, 1.0], [50.0, 50.0, 50.0]
    assert ratio([quiet, noisy, quiet], [[2.0], [2.0], [4.0]]) == Ratio(0.5, 0.25, 25.0)


def test_noise_that_hits_both_in_a_round_leaves_their_ratio() -> None:
    assert ratio([[1.0], [10.0]], [[2.0], [20.0]]) == Ratio(0.5, 0.5, 0.5)


def test_rounds_that_one_of_them_lacks_are_left_out() -> None:
    assert ratio([[1.0], [], [3.0]], [[2.0], [1.0]]) == Ratio(0.5, 0.5, 0.5)


def test_without_a_common_round_there_is_no_ratio() -> None:
    assert ratio([[1.0], []], [[], [1.0]]) is None


def test_single_samples_are_rounds_of_one() -> None:
    assert ratio(single([1.0, 3.0]), single([2.0, 2.0])) == Ratio(1.0, 0.5, 1.5)
