"""A small training: random CLIP, real clips, a run of bags; importable, so that other processes can train too."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maxi_core.batches.bag_index import open_bags
from maxi_core.batches.batch import Batch, BatchPlan
from maxi_core.batches.loader import Batches
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.plugin.catalog import discover
from maxi_core.plugin.roles import Temporal
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.ranks import ALONE, Ranks
from maxi_core.training.combined import Combined, Place
from maxi_core.training.loop import LoopPlan, Step, train
from maxi_core.training.objective import Encoded, Features, Objective
from maxi_core.training.trainable import choose_trainable, make_optimizer
from tests.batches.runs import bag, write_run
from tests.clip.tiny_clip import write
from tests.video.clips import MATRIX
from tests.video.clips import write as write_clip

VIDEOS, SIZE = 16, 28
ENTRIES = ("juggling", "riding a bike", "waving")


def write_world(folder: Path) -> Path:
    """Write clips, bags and a model below `folder`: run/, model/; bags of 0, 1, 2 ... texts."""
    bags = []
    (folder / "clips").mkdir()
    for number in range(VIDEOS):
        frames = [np.full((32, 40, 3), 20 + 10 * place, np.uint8) for place in range(8)]
        for frame in frames:
            frame[8:24, 4 + 2 * number % 30 : 14 + 2 * number % 30] = (255 - 15 * number, 16 * number, 100)
        path = write_clip(folder / "clips" / f"{number}.mp4", frames, MATRIX["h264"])
        texts = [f"word {number} {item}" for item in range(number % 5)]
        bags.append(bag(f"{number}.mp4", ENTRIES[number % 3], number / 100, texts, path=folder / "clips" / path.name))
    write_run(folder, bags)
    write(folder / "model")
    return folder


def batches_of(world: Path, loaded: VideoCLIP, **plan: Any) -> Batches:
    """Return batches of the world's bags."""
    settled = BatchPlan(**{"batch_size": 2, "frames": 2, "bag_size": 3, **plan})
    video = VideoOptions(workers=0)
    return Batches(open_bags(world / "run"), settled, loaded.tokenize, loaded.image_size, video)


@cache
def built_in() -> dict[str, type[Objective]]:
    """Return the objectives that come with maxi, by name."""
    return {offer.name: offer.cls for offer in discover(only=[]).offers if offer.role == Objective.role}


def loss_names() -> list[str]:
    """Return the objectives that train something by themselves."""
    return [name for name, cls in built_in().items() if cls().alone]


def loss_of(name: str, videos: Tensor, texts: Tensor, scale: Tensor, index: Tensor, groups: Tensor) -> Tensor:
    """Return the loss of features under an objective."""
    cls = built_in()[name]
    return cls().loss(Features(videos, texts, scale, index, groups, cls.prompts == "classes"))


def combined(loaded: VideoCLIP, *objectives: str | Objective, seed: int = 0) -> Combined:
    """Return objectives for a model, those of a name with their defaults."""
    made = [built_in()[one]() if isinstance(one, str) else one for one in objectives or ("mil_nce",)]
    return Combined({one.name: one for one in made}, loaded, seed)


def first_loss(name: str, loaded: VideoCLIP, batch: Batch) -> float:
    """Return the loss of a batch under an objective, as the loop computes it."""
    objectives = combined(loaded, name)
    with torch.no_grad():
        student = Encoded(*loaded(batch.frames, batch.tokens))
        return float(objectives.losses(student, {}, batch, Place())[0])


def steps(
    world: Path,
    ranks: Ranks = ALONE,
    *,
    batch: dict[str, Any] | None = None,
    double: bool = False,
    loss: Sequence[str | Objective] | str = "mil_nce",
    temporal: Temporal | None = None,
    **plan: Any,
) -> tuple[VideoCLIP, Iterator[Step]]:
    """Return the model, in float64 if `double`, and the steps of a training of the world with what `plan` changes."""
    loaded = load_model(str(world / "model"), "cpu", frames=2, temporal=temporal)
    if double:
        loaded.double()
    loaded.set_sigma()
    choose_trainable(loaded)
    settled = LoopPlan(**{"epochs": 2, "lr": 1e-3, **plan})
    objectives = combined(loaded, *([loss] if isinstance(loss, str) else loss), seed=settled.seed)
    optimizer = make_optimizer(loaded, heads=objectives.parameters.values())
    batches = batches_of(world, loaded, **(batch or {}))
    return loaded, train(loaded, batches, objectives, optimizer, settled, ranks=ranks)


def distance(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> float:
    """Return the largest difference of two models' weights."""
    assert one.keys() == other.keys()
    return max(float((one[key].double() - other[key].double()).abs().max()) for key in one)
