"""What goes into the training loop and what comes out of it: plain frozen values."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from maxi_core.batches.batch import Batch
from maxi_core.clip.device import TrainingPrecision
from maxi_core.clip.model import SIGMA_FLOOR
from maxi_core.errors import MaxiError
from maxi_core.training.options import Loss


class BatchSource(Protocol):
    """What the loop asks of `maxi_core.batches.loading.Batches`."""

    @property
    def class_tokens(self) -> Tensor:
        """Return the prompts of the classes, (C, L) int64, for the loss `ce`."""
        ...

    def per_epoch(self) -> int:
        """Return the micro-batches of an epoch over all ranks."""
        ...

    def epoch(self, epoch: int, *, rank: int = 0, world: int = 1, start: int = 0) -> Iterator[Batch]:
        """Yield the micro-batches `start + rank`, `start + rank + world` and so on of an epoch."""
        ...


@dataclass(frozen=True)
class LoopPlan:
    """How long, how fast and how exactly to train; `warmup` in steps, `accumulate` micro-batches per step and rank.

    `clip_norm` bounds the norm of the gradient, `gather` brings negatives from all ranks, `skip_nonfinite` is how many
    steps may be left out whose loss or gradient is not finite, `sigma_floor` bounds the temperature.
    """

    loss: Loss = "mil_nce"
    epochs: int = 10
    lr: float = 5e-6
    warmup: int = 0
    accumulate: int = 1
    precision: TrainingPrecision = "fp32"
    clip_norm: float | None = None
    gather: bool = False
    skip_nonfinite: int = 0
    sigma_floor: float = SIGMA_FLOOR
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the optimizer, `number` of `of` from 1, in epoch `epoch` from 0; over all ranks.

    `loss` is the mean over its micro-batches, `lr` the rate it was taken with, `sigma` the temperature after it,
    `norm` the length of the gradient before clipping. `videos_per_s` counts from the step before; `data_wait` is the
    share of that time in which this rank waited for data. `videos` were seen so far. `skipped` if nothing was learned
    from it because something was not finite; `stopping` if a rank was asked to stop; `ends_epoch` for the last one.
    """

    number: int
    of: int
    epoch: int
    loss: float
    lr: float
    sigma: float
    norm: float
    videos: int
    videos_per_s: float
    data_wait: float
    skipped: bool = False
    stopping: bool = False
    ends_epoch: bool = False


class NotFiniteError(MaxiError):
    """A loss or a gradient is NaN or infinite; the step was not taken, and `videos` are those of its batches."""

    def __init__(self, step: int, what: str, videos: list[str]) -> None:
        some = ", ".join(videos[:4]) + (f" and {len(videos) - 4} more" if len(videos) > 4 else "")
        super().__init__(
            f"step {step}: the {what} is not finite, in a batch of {some}; the last checkpoint is as it was",
            "lower --lr, try --precision fp32, look at these videos, or allow some with --skip-nonfinite N",
        )
        self.step, self.videos = step, videos
