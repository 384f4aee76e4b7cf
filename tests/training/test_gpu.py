"""On a GPU all is as on a CPU, up to rounding: `pytest -m gpu`, on a machine that has one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.device import TrainingPrecision, autocast
from maxi_core.clip.loading import load_model

pytestmark = pytest.mark.gpu
Maxi = Callable[..., Any]
SHORT = ("--epochs", "2", "--batch-size", "4", "--frames", "2", "--bag-size", "3", "--lr", "1e-3", "--workers", "0")


def losses(maxi: Maxi, world: Path, out: Path, *more: str) -> list[float]:
    """Train and return the loss of each step."""
    ran = maxi("train", str(world / "run"), "--model", str(world / "model"), "--out", str(out), *SHORT, *more)
    assert ran.code == 0, ran.err
    return [json.loads(line)["loss"] for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def features(world: Path) -> Callable[[str, TrainingPrecision], tuple[torch.Tensor, torch.Tensor]]:
    """Return a function from a device and a precision to features of videos and texts."""

    def of(device: str, precision: TrainingPrecision) -> tuple[torch.Tensor, torch.Tensor]:
        model = load_model(str(world / "model"), device).eval()
        side = model.image_size
        frames = torch.randint(0, 256, (3, 4, 3, side, side), generator=torch.Generator().manual_seed(0))
        tokens = model.tokenize(["a photo of a dog.", "jumping over a fence", "a"]).ids
        with torch.no_grad(), autocast(model.device, precision):
            return model.encode_video(frames.to(torch.uint8)).cpu(), model.encode_text(tokens).cpu()

    return of


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-4), ("amp_bf16", 3e-2), ("amp_fp16", 5e-3)])
def test_features_are_those_of_the_cpu(features: Any, precision: TrainingPrecision, close: float) -> None:
    for found, wanted in zip(features("cuda", precision), features("cpu", "fp32"), strict=True):
        assert found.dtype == torch.float32
        assert (found - wanted).abs().max() < close


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-3), ("amp_bf16", 5e-2), ("amp_fp16", 2e-2)])
def test_a_training_has_the_losses_of_one_on_the_cpu(
    world: Path, tmp_path: Path, maxi: Maxi, precision: str, close: float
) -> None:
    wanted = losses(maxi, world, tmp_path / "one", "--device", "cpu")
    found = losses(maxi, world, tmp_path / "other", "--device", "cuda", "--precision", precision)
    assert found == pytest.approx(wanted, rel=close)


def test_a_model_that_was_trained_on_a_gpu_is_the_same_on_a_cpu(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    losses(maxi, world, tmp_path / "out", "--device", "cuda", "--precision", "amp_bf16")
    one, other = load_model(str(tmp_path / "out"), "cpu"), load_model(str(tmp_path / "out"), "cuda")
    assert one.identity == other.identity
    assert all(torch.equal(value, other.weights()[key].cpu()) for key, value in one.weights().items())
