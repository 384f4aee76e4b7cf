"""The training loop, in the open: a generator of steps. Who calls it logs, saves and stops (method.md, training)."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from maxi_core.batches.batch import Batch
from maxi_core.batches.draws import stable_number
from maxi_core.clip.device import TrainingPrecision, autocast
from maxi_core.clip.model import SIGMA_FLOOR, VideoCLIP
from maxi_core.clip.patch_dropout import set_patch_dropout
from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.ranks import ALONE, Ranks, device_errors
from maxi_core.texts import AND_MORE, counted, first_few
from maxi_core.training.asking import differentiating
from maxi_core.training.combined import Combined, Place
from maxi_core.training.objective import Encoded

# What goes into the training loop and what comes out of it: plain frozen values.


class BatchSource(Protocol):
    """What the loop asks of `maxi_core.batches.loader.Batches`."""

    @property
    def class_tokens(self) -> Tensor:
        """Return the prompts of the classes, (C, L) int64, for an objective over classes."""
        ...

    def per_epoch(self) -> int:
        """Return the micro-batches of an epoch over all ranks."""
        ...

    def epoch(self, epoch: int, *, rank: int = 0, world: int = 1, start: int = 0) -> Iterator[Batch]:
        """Yield the micro-batches `start + rank`, `start + rank + world` and so on of an epoch."""
        ...


@dataclass(frozen=True, kw_only=True)
class LoopPlan:
    """How long, how fast and how exactly to train; `warmup` in steps, `accumulate` micro-batches per step and rank.

    `clip_norm` bounds the norm of the gradient, `gather` brings negatives from all ranks, `skip_nonfinite` is how many
    steps may be left out whose loss or gradient is not finite, `sigma_floor` bounds the temperature. A model that was
    loaded with `patch_dropout` leaves out none in the last `whole_epochs`.
    """

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
    patch_dropout: float | None = None
    whole_epochs: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the optimizer, `number` of `of` from 1, in epoch `epoch` from 0; over all ranks.

    `loss` is the mean over its micro-batches, `losses` that of each objective by name, not weighted, if there are
    several, `lr` the rate it was taken with, `sigma` the temperature after it, `norm` the length of the gradient before
    clipping. `videos_per_s` counts from the step before; `data_wait` is the
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
    losses: Mapping[str, float] = field(default_factory=dict)


class NotFiniteError(MaxiError):
    """A loss or a gradient is NaN or infinite; the step was not taken, and `videos` are those of its batches."""

    def __init__(self, step: int, what: str, videos: list[str]) -> None:
        some = first_few(videos, 4, AND_MORE)
        super().__init__(
            f"step {step}: {what}, in a batch of {some}; the last checkpoint is as it was",
            "lower --lr, try --precision fp32, look at these videos, or allow some with --skip-nonfinite N",
        )
        self.step, self.videos = step, videos


# How fast the steps come, and how much of the time is spent waiting for data.


class Clock:
    """Times steps; `with clock.waiting()` marks the time in which data was waited for."""

    def __init__(self) -> None:
        self._began, self._waited, self._asked = time.perf_counter(), 0.0, 0.0

    def waiting(self) -> "Clock":
        """Return this clock, to be entered where data is asked for."""
        return self

    def __enter__(self) -> None:
        self._asked = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._waited += time.perf_counter() - self._asked

    def lap(self, videos: int) -> tuple[float, float]:
        """Return videos a second, and the share of waiting, since the last lap."""
        now = time.perf_counter()
        took, waited = max(now - self._began, 1e-9), self._waited
        self._began, self._waited = now, 0.0
        return videos / took, waited / took


# The learning rate of each step: linear warm-up from 0, then a cosine down to a hundredth (method.md, training).

FLOOR = 0.01  # of the peak, at the last step


@dataclass(frozen=True)
class Schedule:
    """`peak` is reached after `warmup` of `steps` steps; the first step has rate 0 if there is a warm-up."""

    peak: float
    steps: int
    warmup: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * step / self.warmup
        floor = FLOOR * self.peak
        left = self.steps - 1 - self.warmup
        if left <= 0:
            return self.peak
        done = min(1.0, (step - self.warmup) / left)
        return floor + (self.peak - floor) * (1 + math.cos(math.pi * done)) / 2


# Buffers are the same on all ranks; torch 2.15 has another name for leaving them alone.
_NEW_NAME = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
_AS_THEY_ARE: dict[str, Any] = {"forward_sync_buffers" if _NEW_NAME else "broadcast_buffers": False}


def steps_per_epoch(batches: BatchSource, accumulate: int, world: int = 1) -> int:
    """Return the steps of an epoch; micro-batches that do not fill one are left out. Raises UsageError for none."""
    found = batches.per_epoch() // (accumulate * world)
    if not found:
        raise UsageError(
            f"{counted(batches.per_epoch(), 'batch')} an epoch: less than one step of {accumulate} on "
            f"{counted(world, 'rank')}",
            "lower --batch-size or --accum-freq",
        )
    return found


def train(
    model: VideoCLIP,
    batches: BatchSource,
    objectives: Combined,
    optimizer: torch.optim.Optimizer,
    plan: LoopPlan,
    *,
    ranks: Ranks = ALONE,
    start: int = 0,
    scaler: "torch.amp.GradScaler | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Train, and yield each step after it was taken; `start` steps have been taken already.

    `optimizer` is over the weights of the model and of the objectives' heads. Everything random comes from (seed,
    epoch, video) and (seed, step, rank), so a run that goes on at `start` with the same weights, optimizer, teachers
    and heads sees and does what an unbroken one does. `scaler` belongs to amp_fp16. Raises NotFiniteError before the
    optimizer would step on what is not finite, MaxiError if memory or a rank is lost, or if no step of the first epoch
    has a gradient.
    """
    device = model.device
    per_epoch = steps_per_epoch(batches, plan.accumulate, ranks.world)
    schedule = Schedule(plan.lr, plan.epochs * per_epoch, plan.warmup)
    forward = _parallel(model, ranks)
    classes = batches.class_tokens if objectives.of_classes else None
    objectives.meet(ranks)
    clock, skipped, seen, moved = Clock(), 0, 0, start > 0
    model.train()
    for epoch in range(start // per_epoch, plan.epochs):
        _leave_out(model, plan, epoch)
        first = max(start, epoch * per_epoch)
        micro = (first - epoch * per_epoch) * plan.accumulate * ranks.world
        with closing(batches.epoch(epoch, rank=ranks.rank, world=ranks.world, start=micro)) as stream:  # type: ignore[type-var]
            for number in range(first, (epoch + 1) * per_epoch):
                rate = schedule.rate(number)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                losses, videos = torch.zeros(3 + len(objectives.objectives), device=device), list[str]()
                place = Place(plan.seed, number, ranks, plan.gather and ranks.world > 1)
                for part in range(plan.accumulate):
                    with clock.waiting():
                        batch = next(stream)
                    videos += batch.videos
                    torch.manual_seed(stable_number("step", plan.seed, number, part, ranks.rank) % 2**63)  # dropout
                    with (
                        device_errors(device, batch.frames.shape),
                        _alone_until(part == plan.accumulate - 1, forward),
                    ):
                        losses += _differentiate(model, forward, objectives, batch, classes, plan, place, scaler)
                objectives.average(ranks)
                if scaler is not None:
                    scaler.unscale_(optimizer)
                lost_here, _, _, *lost_by = losses.tolist()
                norm = float(_clip(optimizer, plan.clip_norm))
                mean, odd, stopping, means = _agreed(ranks, device, lost_here, norm, scaler, stop(), lost_by)
                if odd:
                    skipped += 1
                    if skipped > plan.skip_nonfinite:
                        raise _not_finite(ranks, number + 1, _blamed(losses, objectives, model), lost_here, videos)
                elif scaler is None:
                    optimizer.step()
                else:
                    scaler.step(optimizer)  # not taken, if the gradient has overflowed
                if scaler is not None:
                    scaler.update()
                model.floor_sigma(plan.sigma_floor)
                if not odd:
                    objectives.follow(model)
                moved = moved or norm > 0
                if not moved and number + 1 == per_epoch:
                    raise MaxiError(
                        f"no step of the first epoch had a gradient: the loss {objectives} stays {mean:.4f}",
                        "look at the bags: maxi stats RUN",
                    )
                seen += len(videos) * ranks.world
                speed, waited = clock.lap(len(videos) * ranks.world)
                by = dict(zip(objectives.objectives, means, strict=True)) if len(means) > 1 else {}
                yield Step(
                    number + 1, schedule.steps, epoch, mean, rate, model.sigma, norm, seen, speed, waited,
                    bool(odd), stopping, (number + 1) % per_epoch == 0, by,
                )  # fmt: skip


def _differentiate(
    model: VideoCLIP, forward: Any, objectives: Combined, batch: Batch, classes: Tensor | None, plan: LoopPlan,
    place: Place, scaler: "torch.amp.GradScaler | None",
) -> Tensor:  # fmt: skip
    """Add the gradients of a micro-batch; return its share of the step's loss, and that of each objective.

    Between them stand how many features of videos, and of texts, that objectives were given are not finite.
    """
    tokens = objectives.tokens(batch, classes)
    with autocast(model.device, plan.precision):
        taught = objectives.encode(model, batch.frames, tokens, place)
        student = Encoded(*forward(batch.frames, tokens))
    parts = objectives.losses(student, taught, batch, place)
    loss = objectives.total(parts) / plan.accumulate
    with differentiating(objectives, model.with_module):
        torch.autograd.backward(loss if scaler is None else scaler.scale(loss))
    every = [student, *taught.values()]
    odd = _odd(one.videos for one in every), _odd(one.texts for one in every)
    return torch.stack([loss, *odd, *(part / plan.accumulate for part in parts)]).detach()


def _odd(features: Iterable[Tensor]) -> Tensor:
    """Return how many numbers are not finite; nobody waits for the device."""
    return torch.stack([(~one.isfinite()).sum() for one in features]).sum().float()


def _leave_out(model: VideoCLIP, plan: LoopPlan, epoch: int) -> None:
    """Set the share of patches that an epoch leaves out."""
    if plan.patch_dropout is not None:
        whole = epoch >= plan.epochs - plan.whole_epochs
        set_patch_dropout(model.visual, 0.0 if whole else plan.patch_dropout)


def _parallel(model: VideoCLIP, ranks: Ranks) -> Any:
    """Return the model, on several ranks such that their gradients become one; inputs stay where they are."""
    if ranks.world == 1:
        return model
    return DistributedDataParallel(model, gradient_as_bucket_view=True, **_AS_THEY_ARE)


def _alone_until(last: bool, forward: Any) -> AbstractContextManager[Any]:
    """Keep the gradients of this rank to itself until the last micro-batch of a step."""
    return nullcontext() if last or isinstance(forward, VideoCLIP) else forward.no_sync()


def _clip(optimizer: torch.optim.Optimizer, most: float | None) -> Tensor:
    """Return the norm of all gradients; with `most`, scale them down to it."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    if most is not None:
        return torch.nn.utils.clip_grad_norm_(parameters, most)
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])


def _agreed(
    ranks: Ranks, device: torch.device, loss: float, norm: float, scaler: Any, stop: bool, parts: list[float]
) -> tuple[float, bool, bool, list[float]]:
    """Return the mean loss over ranks, whether something is not finite anywhere, whether any rank is to stop, and
    the means of the `parts` of the loss.

    With a scaler a gradient may overflow: it leaves that step out by itself and lowers its scale.
    """
    finite = _is_finite(loss) and (_is_finite(norm) or (scaler is not None and scaler.get_scale() >= 1))
    total, odd, stopping, *sums = ranks.total([loss, float(not finite), float(stop), *parts], device)
    return total / ranks.world, odd > 0, stopping > 0, [one / ranks.world for one in sums]


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")


def _not_finite(ranks: Ranks, step: int, what: str, loss: float, videos: list[str]) -> NotFiniteError:
    """Return the error, with the videos of the ranks whose loss is not finite, or of all if only gradients are not."""
    said = ranks.all_say((_is_finite(loss), what, videos))
    guilty = [name for finite, _, names in said if not finite for name in names]
    everyone = [name for _, _, names in said for name in names]
    most = max((what for finite, what, _ in said if not finite), key=len, default="the gradient is not finite")
    return NotFiniteError(step, most, guilty or everyone)


def _blamed(losses: Tensor, objectives: Combined, model: VideoCLIP) -> str:
    """Return what is not finite: the loss of which objectives, and features before it, of which temporal module."""
    _, videos, texts, *lost_by = losses.tolist()
    guilty = [name for name, lost in zip(objectives.objectives, lost_by, strict=True) if not _is_finite(lost)]
    loss = f"the loss of {' and '.join(guilty)}" if guilty else "the loss"
    features = " and ".join(name for name, odd in (("video", videos), ("text", texts)) if odd)
    whose = model.with_module if videos else ""
    return f"{loss} is not finite" + (f", nor are the {features} features of the model{whose}" if features else "")
