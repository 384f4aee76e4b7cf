"""Metrics: hand-made predictions with exact answers, the rules for ties and gaps, scikit-learn where it agrees."""

import math

import numpy as np
import pytest

from maxi_core.evaluation import metrics

NONE = [-np.inf] * 3
SCORES = np.array([[0.9, 0.1, 0.0], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7], NONE])
LABELS = [0, 2, 1, 2, 2]


def test_ranks_of_hand_made_predictions_are_exact() -> None:
    """The third is a tie of classes 0 and 1, and the lower number is first; the fifth video has no answer."""
    assert metrics.ranks(SCORES, LABELS).tolist() == [1, 2, 2, 1, 4]


def test_accuracies_of_hand_made_predictions_are_exact() -> None:
    rank = metrics.ranks(SCORES, LABELS)
    assert metrics.top_k(rank, 1, 3) == 2 / 5
    assert metrics.top_k(rank, 2, 3) == 4 / 5
    assert metrics.top_k(rank, 5, 3) == 4 / 5  # k is at most 3, and a video without an answer stays wrong
    assert metrics.per_class(rank, LABELS, 3).tolist() == [1.0, 0.0, 1 / 3]
    assert metrics.mean_class(rank, LABELS, 3) == pytest.approx(4 / 9)
    assert metrics.confusion(SCORES, LABELS).tolist() == [[1, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 1]]


def test_a_class_without_videos_is_left_out_of_the_mean_over_classes() -> None:
    rank = metrics.ranks(SCORES[:2], [0, 2])
    assert math.isnan(metrics.per_class(rank, [0, 2], 3)[1])
    assert metrics.mean_class(rank, [0, 2], 3) == 0.5


@pytest.mark.parametrize(
    ("scores", "positive", "wanted"),
    [
        ([4, 3, 2, 1], [1, 0, 1, 0], (1 / 1 + 2 / 3) / 2),
        ([4, 3, 2, 1], [0, 0, 0, 1], 1 / 4),
        ([1, 1, 1, 1], [1, 0, 0, 0], 1 / 4),  # equal scores come in together
        ([2, 2, 1, 0], [1, 0, 1, 0], 0.5 * 1 / 2 + 0.5 * 2 / 3),
        ([3, -math.inf, 1, -math.inf], [1, 1, 0, 0], 1 / 2),  # a positive without an answer is never found
        ([1, 2], [0, 0], math.nan),
    ],
)
def test_average_precision_of_hand_made_scores_is_exact(scores: list, positive: list, wanted: float) -> None:
    found = metrics.average_precision(np.array(scores, float), np.array(positive, bool))
    assert found == pytest.approx(wanted, nan_ok=True)


def test_classes_without_positives_are_left_out_of_the_mean_precision_and_counted() -> None:
    found = metrics.mean_average_precision(np.array([[0.9, 0.5, 0.1], [0.1, 0.6, 0.2]]), [(0, 1), (1,)])
    assert (found.mean, found.left_out) == (1.0, 1)


def test_weights_of_a_bootstrap_are_repeated_videos() -> None:
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 5, 40).astype(float), rng.random(40) < 0.3
    weights = rng.integers(0, 4, 40)
    repeated = metrics.average_precision(np.repeat(scores, weights), np.repeat(positive, weights))
    assert metrics.weighted_precision(scores, positive, weights.astype(float)) == pytest.approx(repeated, abs=1e-12)


def test_the_deviation_is_that_of_a_sample_and_of_one_value_0() -> None:
    mean, deviation = metrics.mean_and_deviation([0.6, 0.7, 0.8])
    assert mean == pytest.approx(0.7)
    assert deviation == pytest.approx(0.1)
    assert metrics.mean_and_deviation([0.5]) == (0.5, 0.0)


@pytest.fixture(scope="module")
def sklearn():
    return pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")


def test_metrics_agree_with_scikit_learn_without_ties_and_gaps(sklearn) -> None:
    rng = np.random.default_rng(1)
    scores, labels = rng.random((200, 7)), rng.integers(0, 7, 200).tolist()
    rank = metrics.ranks(scores, labels)
    for k in (1, 3, 5):
        wanted = sklearn.top_k_accuracy_score(labels, scores, k=k, labels=range(7))
        assert metrics.top_k(rank, k, 7) == pytest.approx(wanted, abs=1e-12)
    best = scores.argmax(1)
    assert metrics.mean_class(rank, labels, 7) == pytest.approx(sklearn.balanced_accuracy_score(labels, best))
    assert (metrics.confusion(scores, labels)[:, :7] == sklearn.confusion_matrix(labels, best, labels=range(7))).all()


def test_average_precision_agrees_with_scikit_learn_with_ties_too(sklearn) -> None:
    rng = np.random.default_rng(2)
    scores, positive = rng.integers(0, 9, (300, 5)).astype(float), rng.random((300, 5)) < 0.2
    labels = [np.flatnonzero(row).tolist() for row in positive]
    wanted = sklearn.average_precision_score(positive, scores, average="macro")
    assert metrics.mean_average_precision(scores, labels).mean == pytest.approx(wanted, abs=1e-12)


@pytest.mark.filterwarnings("ignore:No positive class found")
def test_scikit_learn_differs_in_ties_and_in_classes_without_positives(sklearn) -> None:
    tie = np.array([[0.5, 0.5, 0.0]])
    assert metrics.top_k(metrics.ranks(tie, [0]), 1, 3) == 1.0
    assert sklearn.top_k_accuracy_score([0], tie, k=1, labels=range(3)) == 0.0  # the higher number is first there
    assert sklearn.average_precision_score([0, 0], [0.1, 0.2]) == 0.0
