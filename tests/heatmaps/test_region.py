"""What the model saw is drawn where it was in the frame, whatever the frame's shape."""

import numpy as np
import pytest

from maxi_core.clip.image_tower import centre_crop
from maxi_core.heatmaps.region import Scale, laid_over, seen_box

SHAPES = [(96, 96), (240, 320), (320, 240), (61, 200), (200, 61), (256, 455), (30, 40), (224, 224)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("size", [28, 60, 224])
def test_the_box_is_where_the_crop_was_cut(height: int, width: int, size: int) -> None:
    """Pixels say where they are: row in red, column in green, in 200 steps."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[..., 0] = (np.arange(height) * 200 / height)[:, None]
    frame[..., 1] = np.arange(width) * 200 / width
    crop = centre_crop(frame[None], size)[0].float()
    top, left, bottom, right = seen_box(height, width, size)
    assert 0 <= top < bottom <= height
    assert 0 <= left < right <= width
    slack = 3 + 200 / min(height, width)  # a pixel of the frame, and rounding
    assert abs(float(crop[0, 0].mean()) - top * 200 / height) <= slack
    assert abs(float(crop[0, -1].mean()) - (bottom - 1) * 200 / height) <= slack
    assert abs(float(crop[1, :, 0].mean()) - left * 200 / width) <= slack
    assert abs(float(crop[1, :, -1].mean()) - (right - 1) * 200 / width) <= slack


def test_a_map_colours_the_patch_it_is_high_at_and_what_was_not_seen_is_dark() -> None:
    frame, found = np.full((80, 120, 3), 200, np.uint8), np.zeros((4, 4), np.float32)
    found[1, 2] = 1
    shown = laid_over(frame, found, 224, Scale.of([found])).astype(int)
    top, left, bottom, right = seen_box(80, 120, 224)
    bright = shown.sum(axis=2)
    row, column = divmod(int(bright[top:bottom, left:right].argmax()), right - left)
    assert (4 * row // (bottom - top), 4 * column // (right - left)) == (1, 2)
    outside = np.ones((80, 120), bool)
    outside[top:bottom, left:right] = False
    assert set(bright[outside]) == {3 * 70}


def test_a_scale_is_symmetric_about_0_where_a_map_goes_below() -> None:
    below, above = np.array([[-1.0, 3.0]], np.float32), np.array([[0.5, 2.0]], np.float32)
    assert Scale.of([above]) == Scale(0.0, 2.0)
    assert Scale.of([below, above]) == Scale(-3.0, 3.0)
    assert Scale.of([above], from_zero=False) == Scale(0.5, 2.0)
    assert Scale.of([np.zeros((1, 1), np.float32)]) == Scale(0.0, 1.0)
    colours, opaque = Scale(-3.0, 3.0).colours(np.array([-3.0, 0.0, 3.0], np.float32))
    assert colours[0, 2] > colours[0, 0]
    assert colours[2, 0] > colours[2, 2]
    assert opaque[:, 0].tolist() == pytest.approx([0.6, 0, 0.6])
