"""Augmentation: the geometry of the paper, colours as torchvision has them, and one draw for a whole clip."""

from collections import Counter
from random import Random

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from maxi_core.batches.augmentation import (
    BRIGHTNESS,
    LUMA,
    PLACES,
    PLAIN,
    SCALES,
    SIZES,
    Colour,
    View,
    augment,
    draw_colour,
    draw_view,
)
from maxi_core.clip.image_tower import centre_crop


def clip(frames: int = 4, height: int = 60, width: int = 90, low: int = 0, high: int = 256) -> np.ndarray:
    """Return smooth frames (T, H, W, 3), so that resampling rounds little."""
    small = np.random.default_rng(0).integers(low, high, (frames, 3, 6, 9), dtype=np.uint8)
    return reference.resize(torch.from_numpy(small), [height, width]).permute(0, 2, 3, 1).contiguous().numpy()


def test_a_crop_is_one_of_the_scales_of_the_paper_nearly_square_and_in_a_corner_or_the_middle() -> None:
    boxes = {View(size, place).box(340, 256) for size in SIZES for place in PLACES}
    sides = {256, 224, 192, 168}  # TSN's numbers for pictures of 340 x 256
    assert {wide for _, _, wide, _ in boxes} == sides
    assert {high for _, _, _, high in boxes} == sides
    ordered = sorted(sides)
    assert all(abs(ordered.index(wide) - ordered.index(high)) <= 1 for _, _, wide, high in boxes)
    for left, top, wide, high in boxes:
        assert left in (0, 340 - wide, round((340 - wide) / 2))
        assert top in (0, 256 - high, round((256 - high) / 2))


def test_every_crop_is_drawn_about_as_often_and_half_of_the_clips_are_mirrored() -> None:
    views = [draw_view("spatial", True, Random(seed)) for seed in range(5000)]
    sizes, places = Counter(view.size for view in views), Counter(view.place for view in views)
    assert set(sizes) == set(SIZES)
    assert set(places) == set(PLACES)
    assert all(abs(times - 500) < 100 for times in sizes.values())  # 10 sizes, deviation 21
    assert all(abs(times - 1000) < 130 for times in places.values())  # 5 places, deviation 28
    assert abs(sum(view.flip for view in views) - 2500) < 160  # deviation 35
    assert len(SIZES) == 10
    assert len(SCALES) == 4


def test_without_flips_the_rest_of_the_draw_is_the_same() -> None:
    for seed in range(20):
        with_flips, without = (draw_view("paper", flip, Random(seed)) for flip in (True, False))
        assert not without.flip
        assert (with_flips.size, with_flips.place, with_flips.colour) == (without.size, without.place, without.colour)


def test_a_view_is_the_crop_resized_and_mirrored() -> None:
    frames = clip()
    view = View(size=(0.75, 0.66), place=(1.0, 0.0), flip=True)
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    expected = reference.resize(pixels[:, :, :39, 45:], [32, 32], antialias=True).flip(-1)  # 60 * 0.66 and 60 * 0.75
    found = view.apply(frames, 32)
    assert found.is_contiguous()
    assert torch.equal(found, expected)


def test_all_frames_of_a_clip_are_treated_alike() -> None:
    still = np.repeat(clip(frames=1), 5, axis=0)
    for seed in range(10):
        view = augment(still, 32, "paper", True, Random(seed))
        assert all(torch.equal(frame, view[0]) for frame in view)


def test_no_augmentation_is_the_view_of_evaluation_and_draws_nothing() -> None:
    rng = Random(0)
    before = rng.getstate()
    assert torch.equal(augment(clip(), 32, "none", True, rng), centre_crop(clip(), 32))
    assert rng.getstate() == before


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 5), (500, 2)])
def test_pictures_of_any_size_become_the_models(height: int, width: int) -> None:
    frames = np.full((2, height, width, 3), 7, np.uint8)
    for seed in range(20):
        assert augment(frames, 32, "spatial", True, Random(seed)).unique().tolist() == [7]


def planar(frames: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(frames.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("factor", [0.6, 0.9, 1.0, 1.15, 1.4])
@pytest.mark.parametrize("kind", ["brightness", "contrast", "saturation"])
def test_colours_change_as_in_torchvision_to_one_level_where_nothing_is_cut(kind: str, factor: float) -> None:
    frames = planar(clip(low=90, high=160))
    expected = getattr(reference, f"adjust_{kind}")(torch.from_numpy(frames), factor).numpy()
    found = Colour(**{kind: factor}).apply(frames)
    assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    assert factor == 1.0 or (found != frames).any()


def test_grey_is_the_luma_in_all_channels_as_in_torchvision() -> None:
    frames = planar(clip())
    expected = reference.rgb_to_grayscale(torch.from_numpy(frames), 3).numpy()
    assert np.abs(Colour(grey=True).apply(frames).astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("hue", [-0.1, -0.03, 0.05, 0.1])
def test_the_hue_turns_about_the_greys_and_the_same_way_as_in_torchvision(hue: float) -> None:
    matrix = Colour(hue=hue).matrix()
    assert np.allclose(matrix @ np.ones(3), np.ones(3))
    assert np.allclose(LUMA @ matrix, LUMA)
    assert np.allclose(matrix @ Colour(hue=-hue).matrix(), np.eye(3))
    red = np.zeros((1, 3, 2, 2), np.uint8)
    red[:, 0] = 200
    towards = reference.adjust_hue(torch.from_numpy(red), hue).numpy()[0, :, 0, 0].astype(int)
    found = (matrix @ [200.0, 0, 0])[1:]
    assert (found[0] > found[1]) == (towards[1] > towards[2])  # yellow lies this way, magenta that way


def test_a_full_turn_of_the_hue_changes_nothing() -> None:
    frames = planar(clip())
    assert np.abs(Colour(hue=1.0).apply(frames).astype(int) - frames).max() <= 1


def test_values_are_cut_and_not_wrapped() -> None:
    frames = np.array([0, 128, 255], np.uint8).reshape(1, 3, 1, 1)
    assert Colour(brightness=3.0).apply(frames).ravel().tolist() == [0, 255, 255]


def test_all_changes_at_once_are_the_changes_in_turn() -> None:
    frames = planar(clip(low=100, high=140))
    together = Colour(1.1, 0.8, 1.2, 0.04, grey=False).apply(frames).astype(int)
    one_by_one = frames
    for step in (Colour(brightness=1.1), Colour(contrast=0.8), Colour(saturation=1.2), Colour(hue=0.04)):
        one_by_one = step.apply(one_by_one)
    assert np.abs(together - one_by_one).max() <= 3  # each step rounds


def test_frames_may_be_computed_in_any_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, colour = planar(clip(frames=7)), Colour(1.3, 0.7, 1.1, -0.08)
    whole = colour.apply(frames)
    monkeypatch.setattr("maxi_core.batches.augmentation.AT_ONCE", 1)
    assert np.array_equal(colour.apply(frames), whole)
    assert np.array_equal(np.concatenate([colour.apply(frame[None]) for frame in frames]), whole)


def test_four_of_five_clips_are_jittered_and_one_of_five_is_grey() -> None:
    drawn = [draw_colour(Random(seed)) for seed in range(5000)]
    assert abs(sum(colour.brightness != 1 for colour in drawn) - 4000) < 130  # deviation 28
    assert abs(sum(colour.grey for colour in drawn) - 1000) < 130
    assert all(abs(colour.brightness - 1) <= BRIGHTNESS for colour in drawn)
    assert any(colour == PLAIN for colour in drawn)
