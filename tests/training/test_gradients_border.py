"""Where a temporal module keeps gradients from the images, or spoils them, a training names it and not a loss."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maxi_core.errors import PluginError
from maxi_core.plugin.roles import Temporal
from maxi_core.training.teachers import Teacher
from tests.training.runs import steps
from tests.training.watching import Watching

Pooling = Callable[[Tensor], Tensor]


def taught(
    world: Path, pooling: Pooling, attach: Callable[[Any], Any] = lambda visual: None, **plan: Any
) -> list[float]:
    """Take two steps with a temporal module; return their losses."""

    class Enc(Temporal):
        name = "enc"

        def attach(self, visual: Any, frames: int) -> Pooling:
            attach(visual)
            return pooling

    _, taken = steps(world, temporal=Enc(), **plan)
    return [next(taken).loss for _ in range(2)]


def mean(features: Tensor) -> Tensor:
    return features.mean(1)


def spoiling(features: Tensor) -> Tensor:
    squares = features * features
    features.zero_()
    return squares.mean(1)


def dividing(features: Tensor) -> Tensor:
    made = features.mean(1)
    made.register_hook(lambda gradient: 1 / 0)
    return made


class Weighing(nn.Module):
    """A pooling with a weight that nothing reaches."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(24))

    def forward(self, features: Tensor) -> Tensor:
        return (features * self.weight).mean(1).detach()


NOTHING = "'enc' lets no gradient through its {} features, so that what is before them learns nothing; let it compute"


@pytest.mark.parametrize(
    ("pooling", "says"),
    [
        (spoiling, "the loss mil_nce with the temporal module 'enc' cannot be differentiated: one of the variables"),
        (dividing, "the loss mil_nce with the temporal module 'enc' raised ZeroDivisionError: division by zero when"),
        (lambda features: [torch.set_grad_enabled(False), mean(features)][1], "'enc' left gradients switched off when"),
        (torch.inference_mode()(mean), NOTHING.format("video")),
        (torch.no_grad()(mean), NOTHING.format("video")),
        (lambda features: mean(features.detach()), NOTHING.format("video")),
        (Weighing(), NOTHING.format("video")),
    ],
)
def test_a_pooling_that_lets_no_gradient_through_is_named(world: Path, pooling: Any, says: str) -> None:
    with pytest.raises(PluginError, match=says):
        taught(world, pooling)
    assert torch.is_grad_enabled()


def test_an_encoder_that_lets_no_gradient_through_is_named(world: Path) -> None:
    def attach(visual: Any) -> None:
        visual.forward = torch.no_grad()(visual.forward)

    with pytest.raises(PluginError, match=NOTHING.format("image")):
        taught(world, mean, attach)


def test_what_may_be_done_in_place_and_without_a_gradient_trains(world: Path) -> None:
    def pooling(features: Tensor) -> Tensor:
        return features.mul_(2).mean(1)

    plain = taught(world, mean, loss=["mil_nce", Watching(Teacher())])
    assert taught(world, pooling, loss=["mil_nce", Watching(Teacher())]) == pytest.approx(plain), (
        "features keep length 1"
    )
