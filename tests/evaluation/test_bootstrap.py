"""The bootstraps: their closed forms, their coverage, their seeds, and the slow way."""

import math
from collections.abc import Hashable

import numpy as np
import pytest

from maxi_core.evaluation.metrics import (
    by_class,
    mean_average_precision,
    paired_interval,
    precision_interval,
    two_level_interval,
)


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


def classes_of(rng: np.random.Generator, sizes: list[int]) -> dict[Hashable, tuple[np.ndarray, np.ndarray]]:
    """Return for each class 0 and 1 of both models; how much the second is better is the class's own."""
    gains = rng.normal(0.1, 0.2, len(sizes)).clip(-0.4, 0.4)
    return {
        f"class {number}": ((rng.random(n) < 0.5).astype(float), (rng.random(n) < 0.5 + gain).astype(float))
        for number, (n, gain) in enumerate(zip(sizes, gains, strict=True))
    }


def test_the_interval_over_classes_and_videos_has_both_spreads_of_the_closed_form() -> None:
    classes = classes_of(np.random.default_rng(5), [40] * 60)
    differences = np.array([second - first for first, second in classes.values()])  # (classes, videos)
    spread = math.sqrt(differences.mean(axis=1).var() / 60 + differences.var(axis=1).mean() / (60 * 40))
    found = two_level_interval([classes])
    assert found.difference == pytest.approx(differences.mean())
    assert found.low == pytest.approx(differences.mean() - 1.959964 * spread, abs=0.06 * spread)
    assert found.high == pytest.approx(differences.mean() + 1.959964 * spread, abs=0.06 * spread)
    both = tuple(np.concatenate(part) for part in zip(*classes.values(), strict=True))
    paired = paired_interval([both])
    assert found.high - found.low > 1.5 * (paired.high - paired.low)


def test_the_interval_over_classes_and_videos_equals_the_slow_way_for_classes_of_any_size() -> None:
    classes = classes_of(np.random.default_rng(6), [5, 60, 17, 120, 33, 8])
    differences = [second - first for first, second in classes.values()]
    rng, slow = np.random.default_rng(7), []
    for _ in range(20_000):
        drawn = [differences[place] for place in rng.integers(0, 6, 6)]
        slow.append(np.concatenate([rng.choice(one, len(one)) for one in drawn]).mean())
    found = two_level_interval([classes], draws=20_000)
    assert found.difference == pytest.approx(np.concatenate(differences).mean())
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.012)


def test_where_all_classes_gain_alike_their_draw_adds_nothing_and_with_one_class_it_is_the_paired_interval() -> None:
    first = np.tile([0.0, 0.0, 1.0, 0.0], 50)
    second = np.tile([1.0, 0.0, 0.0, 1.0], 50)
    paired = paired_interval([(np.tile(first, 8), np.tile(second, 8))])
    alike = two_level_interval([{str(number): (first, second) for number in range(8)}])
    assert (alike.low, alike.high) == pytest.approx((paired.low, paired.high), abs=0.01)
    one = paired_interval([(first, second)])
    alone = two_level_interval([{"only": (first, second)}])
    assert (alone.low, alone.high) == pytest.approx((one.low, one.high), abs=0.02)


def test_the_interval_over_classes_and_videos_has_a_seed_and_splits_count_alike() -> None:
    classes = classes_of(np.random.default_rng(8), [30] * 10)
    assert two_level_interval([classes], seed=1) == two_level_interval([classes], seed=1)
    assert two_level_interval([classes], seed=1) != two_level_interval([classes], seed=2)
    nothing = {name: (first, first) for name, (first, _) in classes.items()}
    half = two_level_interval([classes, nothing])
    assert half.difference == pytest.approx(two_level_interval([classes]).difference / 2)
    same = two_level_interval([nothing])
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_videos_are_put_to_their_classes_in_their_order() -> None:
    first, second = np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0])
    found = by_class(first, second, ["b", "a", "b"])
    assert {name: (one.tolist(), other.tolist()) for name, (one, other) in found.items()} == {
        "b": ([1, 3], [4, 6]),
        "a": ([2], [5]),
    }
