"""The paired bootstrap: its closed form, its coverage, its seed, and the slow way."""

import math

import numpy as np
import pytest

from maxi_core.evaluation.bootstrap import paired_interval, precision_interval
from maxi_core.evaluation.metrics import mean_average_precision


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_for_many_videos() -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.random(4000) < 0.5).astype(float), (rng.random(4000) < 0.6).astype(float)
    found = paired_interval([(first, second)])
    difference = second - first
    half = 1.959964 * difference.std() / math.sqrt(len(difference))
    assert found.difference == pytest.approx(difference.mean())
    assert found.low == pytest.approx(difference.mean() - half, abs=0.04 * half)
    assert found.high == pytest.approx(difference.mean() + half, abs=0.04 * half)


def test_the_interval_of_several_splits_is_that_of_the_mean_of_their_differences() -> None:
    rng = np.random.default_rng(1)
    pairs = [tuple((rng.random(n) < p).astype(float) for p in (0.4, 0.5)) for n in (900, 1600, 2500)]
    found = paired_interval(pairs)
    spread = math.sqrt(sum((b - a).var() / len(a) for a, b in pairs)) / 3
    assert found.difference == pytest.approx(np.mean([(b - a).mean() for a, b in pairs]))
    assert found.high - found.low == pytest.approx(2 * 1.959964 * spread, rel=0.05)


def test_nineteen_of_twenty_intervals_hold_the_true_difference() -> None:
    """300 worlds in which the second model is 10 points better: 95 % coverage, with three standard errors of room."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        both = rng.random(250)
        first, second = (both < 0.5).astype(float), (rng.random(250) < 0.6).astype(float)
        found = paired_interval([(first, second)], draws=1000)
        held += found.low <= 0.1 <= found.high
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300) <= held / 300 <= 0.95 + 3 * math.sqrt(0.95 * 0.05 / 300)


def test_the_same_seed_gives_the_same_interval_and_equal_models_differ_by_nothing() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.integers(0, 2, (2, 100)).astype(float)
    assert paired_interval([(first, second)], seed=5) == paired_interval([(first, second)], seed=5)
    assert paired_interval([(first, second)], seed=5) != paired_interval([(first, second)], seed=6)
    same = paired_interval([(first, first)])
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_the_interval_of_a_mean_average_precision_equals_the_slow_way() -> None:
    rng = np.random.default_rng(4)
    positive = rng.random((60, 4)) < 0.3
    first, second = np.round(rng.random((2, 60, 4)), 1)  # with ties
    found = precision_interval(first, second, positive, draws=50)
    weights = np.random.default_rng([0, 0]).multinomial(60, np.full(60, 1 / 60), size=50)
    slow = []
    for row in weights:
        chosen = np.repeat(np.arange(60), row)
        labels = [np.flatnonzero(positive[place]).tolist() for place in chosen]
        slow.append(
            mean_average_precision(second[chosen], labels).mean - mean_average_precision(first[chosen], labels).mean
        )
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
