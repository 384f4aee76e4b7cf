"""What a temporal module does wrong is one line with its name, wherever its features are wanted."""

import math
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import PluginError
from maxi_core.evaluation.features import encode_views
from maxi_core.evaluation.protocol import Protocol
from maxi_core.plugin.roles import Temporal
from maxi_core.video.skips import VideoFailed
from tests.training.test_train_command import SMALL

Maxi = Callable[..., Any]
MODULE = """
    import sys
    from maxi_core import Temporal, hookimpl

    class Odd(Temporal):
        '''Does something else.'''
        name = "odd"

        def attach(self, visual, frames):
            {body}

    @hookimpl
    def maxi_register_temporal():
        return [Odd]
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise ValueError('boom')", "'file:odd' raised ValueError: boom when it was attached"),
        ("sys.exit(0)", "'file:odd' called sys.exit(0) when it was attached"),
        ("pass", "'file:odd' gave None when it was attached, not a pooling of frame features"),
        ("return frames", "'file:odd' gave 2 when it was attached, not a pooling of frame features"),
        ("return lambda f: sys.exit(0)", "'file:odd' called sys.exit(0) when it pooled features of shape (4, 2, 24)"),
        ("return lambda f: f.mean(1)[:, :5]", "'file:odd' pooled features of shape (4, 2, 24) to (4, 5), not (4, 24)"),
    ],
)
def test_a_temporal_module_that_cannot_be_used_ends_a_training_in_one_line(
    world: Path, tmp_path: Path, maxi: Maxi, body: str, line: str
) -> None:
    (tmp_path / "odd.py").write_text(textwrap.dedent(MODULE.format(body=body)))
    typed = ("--plugin", tmp_path / "odd.py", "--temporal", "odd", "--epochs", "1", "-q")
    out = tmp_path / "out"
    ran = maxi("train", world / "run", "--model", world / "model", "--out", out, *SMALL, *typed)
    assert (ran.code, ran.err.count("\n")) == (2, 1), ran.err
    assert line in ran.err


def pooling_by(world: Path, pooling: Callable[[Tensor], Any]) -> VideoCLIP:
    class Odd(Temporal):
        name = "odd"

        def attach(self, visual: Any, frames: int) -> Callable[[Tensor], Tensor]:
            return pooling

    return load_model(str(world / "model"), "cpu", frames=2, temporal=Odd())


@pytest.mark.parametrize(
    ("pooling", "says"),
    [
        (lambda f: 1 / 0, "'odd' raised ZeroDivisionError: division by zero when it pooled features of shape"),
        (lambda f: f @ f, r"'odd' raised RuntimeError: .* when it pooled features of shape \(3, 2, 24\)"),
        (lambda f: None, r"'odd' pooled features of shape \(3, 2, 24\) to NoneType, not to a tensor"),
        (lambda f: f, r"to \(3, 2, 24\), not \(3, 24\)"),
        (lambda f: f.mean(dim=(0, 1)), r"to \(24,\), not \(3, 24\)"),
        (lambda f: f.mean(1)[:1], r"to \(1, 24\), not \(3, 24\)"),
        (lambda f: f.mean(1).double(), "'odd' pooled features of type float32 to float64; let it keep their type"),
        (lambda f: f.mean(1).long(), "'odd' pooled features of type float32 to int64"),
        (lambda f: f.mean(1) * 1j, "'odd' pooled features of type float32 to complex64"),
        (lambda f: f.mean(1).to("meta"), "'odd' pooled features on cpu to some on meta"),
    ],
)
def test_what_is_no_feature_of_each_video_is_named(world: Path, pooling: Callable[[Tensor], Any], says: str) -> None:
    model = pooling_by(world, pooling)
    with pytest.raises(PluginError, match=says):
        model.encode_video(torch.zeros(3, 2, 3, model.image_size, model.image_size))


def test_a_pooling_may_be_more_exact_than_half_precision(world: Path) -> None:
    model = pooling_by(world, lambda features: features.float().mean(1))
    with torch.autocast("cpu", torch.bfloat16):
        found = model.encode_video(torch.zeros(3, 2, 3, model.image_size, model.image_size))
    assert (found.shape, found.dtype) == ((3, 24), torch.float32)


def test_memory_that_is_short_in_a_pooling_is_no_fault_of_it(world: Path) -> None:
    def short(features: Tensor) -> Tensor:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    model = pooling_by(world, short)
    with pytest.raises(RuntimeError, match="can't allocate memory"):
        model.encode_video(torch.zeros(3, 2, 3, model.image_size, model.image_size))


def test_the_module_behind_features_that_are_not_finite_is_named(world: Path) -> None:
    model = pooling_by(world, lambda features: features.mean(1) * math.nan)
    views = np.zeros((2, model.image_size, model.image_size, 3), np.uint8)
    failed = encode_views(model, Protocol(frames=2), views)
    assert isinstance(failed, VideoFailed)
    assert failed.reason == f"the model {model.name} with the temporal module 'odd' gives no finite feature of it"
