"""From samples to figures. Pure. Times in seconds unless a name says otherwise.

The machine is shared and noisy, so nothing is compared across runs, and within one run only what was measured side by
side: a ratio is made in each round by itself, and the median of the rounds is the result, with their range beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

Rounds = Sequence[Sequence[float]]
"""Samples by round."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times the second the first is: the median of the rounds, and the lowest and the highest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Of all samples of all rounds together."""

    count: int
    p50: float
    p99: float


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least `share` (0 < share <= 1) of all samples do not exceed (nearest rank)."""
    if not samples:
        raise ValueError("no samples")
    if not 0 < share <= 1:
        raise ValueError("a share lies above 0 and up to 1")
    return sorted(samples)[math.ceil(share * len(samples)) - 1]


def summary(rounds: Rounds) -> Summary | None:
    """None where there is no sample."""
    samples = [sample for samples in rounds for sample in samples]
    if not samples:
        return None
    return Summary(len(samples), median(samples), percentile(samples, 0.99))


def ratio(first: Rounds, second: Rounds) -> Ratio | None:
    """The ratio of the medians, round by round; rounds that one of the two lacks are left out. None if all are."""
    pairs = [median(left) / median(right) for left, right in zip(first, second, strict=False) if left and right]
    return Ratio(median(pairs), min(pairs), max(pairs)) if pairs else None


def single(samples: Sequence[float]) -> Rounds:
    """One sample a round."""
    return [[sample] for sample in samples]
