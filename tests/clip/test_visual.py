"""Frames to the pixels of a model, by the test crop of the field, and to one feature: the mean over frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from maxi_core.clip import model
from maxi_core.clip.device import Precision, autocast
from maxi_core.clip.image_tower import IMAGENET, centre_crop, normalise, short_side
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from tests.clip.tiny_clip import MEAN, STD, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def clip(folder: Path) -> VideoCLIP:
    return load_model(str(folder), "cpu")


def feature(clip: VideoCLIP, pixels: Tensor, precision: Precision = "fp32") -> Tensor:
    with torch.no_grad(), autocast(clip.device, precision):
        return clip.encode_video(pixels[None])[0]


def noise(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_the_short_side_is_256_for_224_and_in_proportion_for_other_sizes() -> None:
    assert [short_side(size) for size in (224, 336, 384, 64, 28)] == [256, 384, 439, 73, 32]


@pytest.mark.parametrize(("height", "width"), [(32, 48), (48, 32), (97, 65), (20, 30), (28, 28), (240, 320)])
def test_the_crop_is_torchvisions_resize_and_centre_crop(height: int, width: int) -> None:
    frames = noise(3, height, width, 3)
    cropped = centre_crop(frames, 28)
    assert (cropped.shape, cropped.dtype) == ((3, 3, 28, 28), torch.uint8)
    literal = v2.Compose([v2.ToImage(), v2.Resize(32), v2.CenterCrop(28)])
    for frame, got in zip(frames, cropped, strict=True):
        want = literal(Image.fromarray(frame))
        assert int((want.int() - got.int()).abs().max()) <= 1


def test_frames_of_the_right_size_are_cropped_and_not_touched() -> None:
    frames = noise(2, 32, 40, 3)
    assert np.array_equal(centre_crop(frames, 28).permute(0, 2, 3, 1).numpy(), frames[:, 2:30, 6:34])


def test_the_normalisation_of_the_authors_is_imagenets() -> None:
    mean, std = ([round(255 * value, 3) for value in values] for values in IMAGENET)
    assert (mean, std) == ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375])


def literal_feature(clip: VideoCLIP, pixels: Tensor, mean: Any, std: Any) -> Tensor:
    total = torch.zeros(clip.width)
    for frame in pixels:
        channels = [(frame[c].float() / 255 - mean[c]) / std[c] for c in range(3)]
        total += clip.clip.encode_image(torch.stack(channels)[None])[0]
    total /= len(pixels)
    return total / total.norm()


@pytest.mark.parametrize("normalisation", ["model", "imagenet"])
def test_a_feature_is_the_mean_of_its_frames_normalised_at_the_end(folder: Path, normalisation: Any) -> None:
    clip = load_model(str(folder), "cpu", normalisation=normalisation)
    pixels = centre_crop(noise(5, 32, 40, 3), 28)
    mean, std = IMAGENET if normalisation == "imagenet" else (MEAN, STD)
    with torch.no_grad():
        want = literal_feature(clip, pixels, mean, std)
    got = feature(clip, pixels)
    assert float((want - got).abs().max()) <= 1e-5
    assert float((want - feature(clip, pixels[:1])).abs().max()) > 1e-3


@pytest.mark.parametrize("at_once", [1, 2, 3, 16])
def test_a_feature_does_not_depend_on_how_many_frames_go_at_once(
    clip: VideoCLIP, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = centre_crop(noise(5, 32, 40, 3), 28)
    whole = feature(clip, pixels)
    monkeypatch.setattr(model, "AT_ONCE", at_once)
    assert torch.allclose(feature(clip, pixels), whole, rtol=0, atol=1e-6)


def test_bf16_gives_a_float32_feature_near_the_exact_one(clip: VideoCLIP) -> None:
    pixels = centre_crop(noise(5, 32, 40, 3), 28)
    rough, exact = feature(clip, pixels, "amp_bf16"), feature(clip, pixels)
    assert rough.dtype == torch.float32
    assert 0.99 < float(functional.cosine_similarity(rough, exact, dim=0)) < 1


def test_normalising_keeps_the_shape_and_the_channels_apart() -> None:
    pixels = torch.tensor([0, 255, 51], dtype=torch.uint8).view(1, 3, 1, 1)
    got = normalise(pixels, (0.5, 0.5, 0.2), (0.5, 0.25, 1.0)).flatten().tolist()
    assert got == pytest.approx([-1.0, 2.0, 0.0])
