"""What is measured of a heatmap: ranking, lift, pointing, deletion and insertion, on maps made by hand."""

import numpy as np
import pytest
import torch

from benchmarks.pointing import STEPS, auc, auc_within, changed, deletion_and_insertion, lift, on_patches, pointing

MASK = np.zeros((1, 12, 12))
MASK[0, 2:4, 4:7] = 1  # patches of 2 pixels: whole patch (1, 2), half of (1, 3)
COVERED = on_patches(MASK, 6, 6)


def lit(*patches: tuple[int, int], value: float = 1.0) -> np.ndarray:
    found = np.zeros((1, 6, 6))
    for row, column in patches:
        found[0, row, column] = value
    return found


def test_a_mask_is_counted_in_shares_of_patches() -> None:
    assert COVERED[0, 1, 2] == 1
    assert COVERED[0, 1, 3] == 0.5
    assert COVERED.sum() == 1.5


def test_auc_is_1_on_the_mask_0_beside_it_and_a_half_of_a_map_that_says_nothing() -> None:
    perfect = lit((1, 2)) + lit((1, 3), value=0.5)
    assert auc(perfect, COVERED) == pytest.approx((1.5 - 0.5 * 0.5 * 0.5 / 34.5) / 1.5, abs=1e-3)
    assert auc(-perfect, COVERED) == pytest.approx(1 - auc(perfect, COVERED))
    assert auc(np.ones((1, 6, 6)), COVERED) == 0.5
    assert np.isnan(auc(perfect, np.zeros((1, 6, 6))))


def test_auc_is_that_of_all_pairs_of_pixels() -> None:
    rng = np.random.default_rng(0)
    found, mask = rng.integers(0, 4, (1, 6, 6)).astype(float), (rng.random((1, 12, 12)) < 0.3).astype(float)
    large = found.repeat(2, axis=1).repeat(2, axis=2)
    inside, outside = large[mask == 1], large[mask == 0]
    pairs = inside[:, None] - outside[None, :]
    assert auc(found, on_patches(mask, 6, 6)) == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def test_within_the_person_only_its_pixels_are_ranked() -> None:
    person = on_patches(np.pad(np.ones((1, 4, 12)), ((0, 0), (0, 8), (0, 0))), 6, 6)
    assert auc_within(lit((5, 5), (1, 2)), COVERED * (person > 0), person) > 0.8
    assert auc_within(lit((5, 5)), COVERED, person) == 0.5


def test_lift_is_how_much_more_of_the_map_lies_on_the_mask_than_elsewhere() -> None:
    assert lift(lit((1, 2)), COVERED) == pytest.approx(36 / 1.5)
    assert lift(lit((4, 4)), COVERED) == 0
    assert lift(np.full((1, 6, 6), 3.0), COVERED) == 1


def test_pointing_asks_for_the_middle_of_the_highest_patch() -> None:
    assert pointing(lit((1, 2)), MASK) == 1
    assert pointing(lit((4, 4)), MASK) == 0
    assert np.isnan(pointing(lit((4, 4)), np.zeros((1, 12, 12))))


def test_deletion_takes_the_highest_patches_away_and_insertion_puts_only_them_in() -> None:
    frames, empty = torch.ones(1, 3, 12, 12, dtype=torch.uint8), torch.zeros(3, 12, 12, dtype=torch.uint8)
    deleted, inserted = changed(frames, empty, lit((1, 2)) + lit((0, 0), value=2.0))
    assert [int(one[0, 0].sum()) for one in inserted] == [4 * step for step in STEPS]
    assert [int(one[0, 0].sum()) for one in deleted] == [144 - 4 * step for step in STEPS]
    assert int(inserted[0][0, 0, 2:4, 4:6].sum()) == int(inserted[0][0, 0, :2, :2].sum()) == 4


def test_what_the_score_hangs_on_costs_most_when_it_is_deleted() -> None:
    frames, empty = torch.ones(1, 3, 12, 12), torch.zeros(3, 12, 12)

    def score(clips: torch.Tensor) -> np.ndarray:
        return clips[:, 0, 0, 2:4, 4:6].mean(dim=(1, 2)).numpy()

    scores = deletion_and_insertion(frames, empty, {"right": lit((1, 2)), "wrong": -lit((1, 2))}, score)
    assert scores["right"] == (0, 1)
    assert scores["wrong"] == (1, 0)
