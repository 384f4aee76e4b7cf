"""The training loop, in the open: a generator of steps. Who calls it logs, saves and stops (method.md, training)."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from inspect import signature
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from maxi_core.batches.draws import stable_number
from maxi_core.clip.device import autocast
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.training.clock import Clock
from maxi_core.training.objective import Bags, loss_of
from maxi_core.training.ranks import ALONE, Ranks, device_errors
from maxi_core.training.schedule import Schedule
from maxi_core.training.steps import BatchSource, LoopPlan, NotFiniteError, Step

# Buffers are the same on all ranks; torch 2.15 has another name for leaving them alone.
_NEW_NAME = "forward_sync_buffers" in signature(DistributedDataParallel).parameters
_AS_THEY_ARE: dict[str, Any] = {"forward_sync_buffers" if _NEW_NAME else "broadcast_buffers": False}


def steps_per_epoch(batches: BatchSource, accumulate: int, world: int = 1) -> int:
    """Return the steps of an epoch; micro-batches that do not fill one are left out. Raises UsageError for none."""
    found = batches.per_epoch() // (accumulate * world)
    if not found:
        raise UsageError(
            f"{batches.per_epoch()} batches an epoch are not one step of {accumulate} on {world} ranks",
            "lower --batch-size or --accum-freq",
        )
    return found


def train(
    model: VideoCLIP,
    batches: BatchSource,
    optimizer: torch.optim.Optimizer,
    plan: LoopPlan,
    *,
    ranks: Ranks = ALONE,
    start: int = 0,
    scaler: "torch.amp.GradScaler | None" = None,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Step]:
    """Train, and yield each step after it was taken; `start` steps have been taken already.

    Everything random comes from (seed, epoch, video) and (seed, step, rank), so a run that goes on at `start` with the
    same weights and optimizer sees and does what an unbroken one does. `scaler` belongs to amp_fp16. Raises
    NotFiniteError before the optimizer would step on what is not finite, MaxiError if memory or a rank is lost.
    """
    device = model.device
    per_epoch = steps_per_epoch(batches, plan.accumulate, ranks.world)
    total = plan.epochs * per_epoch
    schedule = Schedule(plan.lr, total, plan.warmup)
    forward = _parallel(model, ranks)
    classes = batches.class_tokens if plan.loss == "ce" else None
    clock, skipped, seen = Clock(), 0, 0
    model.train()
    for epoch in range(start // per_epoch, plan.epochs):
        first = max(start, epoch * per_epoch)
        micro = (first - epoch * per_epoch) * plan.accumulate * ranks.world
        with closing(batches.epoch(epoch, rank=ranks.rank, world=ranks.world, start=micro)) as stream:  # type: ignore[type-var]
            for number in range(first, (epoch + 1) * per_epoch):
                rate = schedule.rate(number)
                for group in optimizer.param_groups:
                    group["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
                losses, videos = torch.zeros((), device=device), list[str]()
                for part in range(plan.accumulate):
                    with clock.waiting():
                        batch = next(stream)
                    videos += batch.videos
                    torch.manual_seed(stable_number("step", plan.seed, number, part, ranks.rank) % 2**63)  # dropout
                    with (
                        device_errors(device, *batch.frames.shape[:2]),
                        _alone_until(part == plan.accumulate - 1, forward),
                    ):
                        with autocast(device, plan.precision):
                            features, texts, scale = forward(batch.frames, batch.tokens if classes is None else classes)
                        bags = Bags(batch.index.to(device), batch.groups.to(device))
                        world = ranks.world if plan.gather else 1
                        loss = loss_of(plan.loss, features, texts, scale, bags, rank=ranks.rank, world=world)
                        loss = loss / plan.accumulate
                        torch.autograd.backward(loss if scaler is None else scaler.scale(loss))
                    losses += loss.detach()
                if scaler is not None:
                    scaler.unscale_(optimizer)
                lost_here, norm = float(losses), float(_clip(optimizer, plan.clip_norm))
                mean, odd, stopping = _agreed(ranks, device, lost_here, norm, scaler, stop())
                if odd:
                    skipped += 1
                    if skipped > plan.skip_nonfinite:
                        raise _not_finite(ranks, number + 1, lost_here, videos)
                elif scaler is None:
                    optimizer.step()
                else:
                    scaler.step(optimizer)  # not taken, if the gradient has overflowed
                if scaler is not None:
                    scaler.update()
                model.floor_sigma(plan.sigma_floor)
                seen += len(videos) * ranks.world
                speed, waited = clock.lap(len(videos) * ranks.world)
                yield Step(
                    number + 1, total, epoch, mean, rate, model.sigma, norm, seen, speed, waited,
                    bool(odd), stopping, (number + 1) % per_epoch == 0,
                )  # fmt: skip


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
    ranks: Ranks, device: torch.device, loss: float, norm: float, scaler: Any, stop: bool
) -> tuple[float, bool, bool]:
    """Return the mean loss over ranks, whether something is not finite anywhere, and whether any rank is to stop.

    With a scaler a gradient may overflow: it leaves that step out by itself and lowers its scale.
    """
    finite = _is_finite(loss) and (_is_finite(norm) or (scaler is not None and scaler.get_scale() >= 1))
    total, odd, stopping = ranks.total([loss, float(not finite), float(stop)], device)
    return total / ranks.world, odd > 0, stopping > 0


def _is_finite(number: float) -> bool:
    return abs(number) < float("inf")


def _not_finite(ranks: Ranks, step: int, loss: float, videos: list[str]) -> NotFiniteError:
    """Return the error, with the videos of the ranks whose loss is not finite, or of all if only gradients are not."""
    said = ranks.all_say((_is_finite(loss), videos))
    guilty = [name for finite, names in said if not finite for name in names]
    everyone = [name for _, names in said for name in names]
    return NotFiniteError(step, "loss" if guilty else "gradient", guilty or everyone)
