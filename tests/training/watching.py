"""Objectives that keep what they are given, and steps with them."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maxi_core.training.objective import Features, Objective, Teacher
from tests.training.runs import steps


class Watching(Objective):
    """Keeps what it is given, and asks for whatever its instance says."""

    name = "watching"
    wanted: Teacher | None = None

    def __init__(self, wanted: Teacher | None = None) -> None:
        super().__init__()
        self.wanted, self.seen, self.autocast = wanted, list[Features](), list[bool]()

    @property
    def teacher(self) -> Teacher | None:
        return self.wanted

    def loss(self, features: Features) -> Tensor:
        self.seen.append(features)
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        return features.videos.sum() * 0 + (features.videos @ features.texts.T).square().mean()


class Classes(Watching):
    name = "classes"
    prompts = "classes"


class Whichever(Watching):
    name = "any"
    prompts = "any"


def watched(world: Path, *objectives: Objective, count: int = 2, **plan: Any) -> None:
    """Take some steps with objectives."""
    _, taken = steps(world, loss=objectives, **plan)
    for _ in range(count):
        next(taken)
