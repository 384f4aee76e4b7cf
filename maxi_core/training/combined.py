"""The objectives of a training together: their weighted sum is its loss. With their teachers and heads."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from maxi_core.batches.batch import Batch
from maxi_core.batches.draws import stable_number
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.module_weights import weights_of
from maxi_core.settings.options import deciding
from maxi_core.system.ranks import Ranks
from maxi_core.training.asking import loss_of
from maxi_core.training.objective import Encoded, Features, Objective, Teacher
from maxi_core.training.teachers import TeacherWeights, made_equal


@dataclass(frozen=True)
class Place:
    """Where in a training a micro-batch is: everything random of an objective comes from `seed` and `step`.

    `gathered` says whether objectives see the features of all ranks.
    """

    seed: int = 0
    step: int = 0
    ranks: Ranks = field(default_factory=Ranks)
    gathered: bool = False


class Combined:
    """Objectives by name, made for a model: what they are called in messages, settings and metrics.

    `heads` are the modules that only training has, by the objective they belong to; they are drawn from `seed` and the
    name alone. `teachers` are made of the model as it is now; equal ones are one. With a decay `ema`, the mean of the
    model over steps is kept beside them (`mean`), as a teacher that nobody asks.
    """

    def __init__(
        self, objectives: Mapping[str, Objective], model: VideoCLIP, seed: int = 0, ema: float | None = None
    ) -> None:
        self.objectives = dict(objectives)
        self.heads: dict[str, nn.Module] = {}
        self._wanted: dict[str, Teacher] = {}
        for name, objective in self.objectives.items():
            with blamed(name, "when it was asked for its teacher and head"):
                head, teacher = _head(name, objective, model, seed), _teacher(name, objective)
                if head is not None:
                    self.heads[name] = head.to(model.logit_scale).train()
            if teacher is not None:
                self._wanted[name] = teacher
            if teacher is not None and teacher.between is not None and model.checkpointing:
                why = "the blocks would be computed again with the weights of the first"
                raise UsageError(
                    f"--grad-checkpointing does not go with the second pass of {name}: {why}", "leave it out"
                )
        self._watched = [*_one_of_each_part(model), *self.parameters.values()]
        self._mean = None if ema is None else Teacher(ema)
        every = (*self._wanted.values(), *([self._mean] if self._mean else []))
        self.teachers = {wanted: TeacherWeights(model, wanted) for wanted in every}
        self.of_bags = any(one.prompts == "bags" for one in self.objectives.values())
        self.of_classes = any(one.prompts == "classes" for one in self.objectives.values())

    def __str__(self) -> str:
        """Return the sum: `mil_nce + 0.4 anchors`."""
        return " + ".join(_weighted(*one) for one in self.objectives.items())

    def costs(self) -> list[str]:
        """Return in words what teachers and heads cost besides the model, a line each."""
        said = []
        for wanted, teacher in self.teachers.items():
            names = " and ".join(name for name, asked in self._wanted.items() if asked == wanted)
            size = sum(weight.nbytes for weight in teacher.weights.values())
            if wanted.between is not None:
                what = f"the model at weights up to {wanted.between:g} of the way back to where it is now"
                said.append(f"second pass of {names}: {what}; {size / 2**20:.1f} MiB, and each step twice over")
                continue
            if not names:
                said.append(f"mean of the weights over steps, decay {wanted.decay:g}; {size / 2**20:.1f} MiB")
                continue
            what = "the model as it is now" if wanted.decay is None else f"a mean of the model, decay {wanted.decay:g}"
            said.append(f"teacher of {names}: {what}; {size / 2**20:.1f} MiB, and one more forward pass in each step")
        for name, head in self.heads.items():
            size = sum(value.numel() for value in head.parameters())
            said.append(f"head of {name}: {size} weights that are trained besides and are no part of the model")
        return said

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters of the heads by name, to be trained with the model's."""
        return {
            f"head/{name}/{key}": parameter
            for name, head in self.heads.items()
            for key, parameter in head.named_parameters()
            if parameter.requires_grad
        }

    def tokens(self, batch: Batch, classes: Tensor | None) -> Tensor:
        """Return the prompts to encode: those of the bags, of the classes, or of both, in this order."""
        if classes is None:
            return batch.tokens
        return torch.cat([batch.tokens, classes]) if self.of_bags else classes

    def encode(self, model: VideoCLIP, frames: Tensor, tokens: Tensor, place: Place) -> dict[Teacher, Encoded]:
        """Return what each teacher says of a micro-batch."""
        return {
            wanted: teacher.encode(model, frames, tokens, teacher.share(place.seed, place.step))
            for wanted, teacher in self.teachers.items()
            if wanted in self._wanted.values()
        }

    def losses(self, student: Encoded, taught: Mapping[Teacher, Encoded], batch: Batch, place: Place) -> list[Tensor]:
        """Return the loss of each objective, in order, not weighted; computed without autocast.

        Raises PluginError for one that raises, or returns anything but a number.
        """
        labels = {
            name: getattr(batch, name).to(student.videos.device) for name in ("index", "groups", "top", "cosines")
        }
        there = replace(batch, **labels)

        def asked(name: str, said: Encoded) -> Tensor:
            features = self._features(name, said, taught, there, place, others)
            return loss_of(name, self.objectives[name], features, self._watched)

        def others(said: Encoded) -> Tensor:
            return _sum({one: asked(name, said) for name, one in self.objectives.items() if one.alone})

        with torch.autocast(student.videos.device.type, enabled=False):
            return [asked(name, student) for name in self.objectives]

    def _features(
        self,
        name: str,
        said: Encoded,
        taught: Mapping[Teacher, Encoded],
        batch: Batch,
        place: Place,
        others: Callable[[Encoded], Tensor],
    ) -> Features:
        """Return what an objective is asked of: its part of the texts, and what its teacher says of them."""
        bags = len(batch.tokens) if self.of_bags or not self.of_classes else 0
        of_classes = not bags or self.objectives[name].prompts == "classes"
        part = slice(bags, None) if of_classes else slice(bags)
        wanted = self._wanted.get(name)
        again = wanted is not None and wanted.between is not None
        teacher = None if wanted is None else taught[wanted]
        features = Features(
            said.videos,
            said.texts[part],
            said.scale,
            batch.groups[:, None] if of_classes else batch.index,
            batch.groups,
            of_classes,
            teacher if again or teacher is None else replace(teacher, texts=teacher.texts[part]),
            self.heads.get(name),
            draw=stable_number("objective", place.seed, name, place.step) % 2**63,
            top=batch.top,
            cosines=batch.cosines,
            share=self.teachers[wanted].share(place.seed, place.step) if wanted is not None else 0.0,
            others=others if again else None,
        )
        if place.gathered:
            features = replace(features, rank=place.ranks.rank, world=place.ranks.world, gather=gather)
        return features

    def total(self, losses: list[Tensor]) -> Tensor:
        """Return the weighted sum of the losses."""
        return _sum(dict(zip(self.objectives.values(), losses, strict=True)))

    def meet(self, ranks: Ranks) -> None:
        """Give heads and teachers of all ranks the same numbers."""
        if ranks.world > 1:
            made_equal(self.state().values())

    def average(self, ranks: Ranks) -> None:
        """Give each rank the mean of all ranks' gradients of the heads; DDP sees to those of the model."""
        if ranks.world > 1:
            for parameter in self.parameters.values():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad)
                parameter.grad /= ranks.world

    def follow(self, model: VideoCLIP) -> None:
        """Let the teachers that are means go a step towards the model."""
        for teacher in self.teachers.values():
            teacher.follow(model)

    def mean(self, model: VideoCLIP) -> dict[str, Tensor] | None:
        """Return the mean of the model's weights over steps, keys as in `VideoCLIP.weights`; None: none is kept."""
        if self._mean is None:
            return None
        kept, pooling = self.teachers[self._mean].weights, "temporal."
        return {
            key: kept.get(f"pooling.{key[len(pooling) :]}" if key.startswith(pooling) else f"clip.{key}", value)
            for key, value in model.weights().items()
        }

    def state(self) -> dict[str, Tensor]:
        """Return what training needs to go on: the weights of teachers and heads."""
        return dict(self._named())

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take a state back; raises UsageError for one of other teachers or heads."""
        own = self.state()
        if wrong := sorted(own.keys() ^ state.keys()) or [key for key in own if own[key].shape != state[key].shape]:
            some = ", ".join(wrong[:3])
            raise UsageError(
                f"the checkpoint has other teachers or heads than --loss now wants ({some}, ...)", "see --loss"
            )
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(state[key])

    def _named(self) -> Iterator[tuple[str, Tensor]]:
        for name, head in self.heads.items():
            yield from ((f"head/{name}/{key}", value) for key, value in weights_of(name, "its head", head).items())
        for teacher in self.teachers.values():
            yield from ((f"teacher/{teacher.name}/{key}", value) for key, value in teacher.weights.items())


def settings_of(objectives: Mapping[str, Objective]) -> str:
    """Return all that decides the loss, in one line: `mil_nce + 0.4 anchors {"count": 200}`."""
    said = []
    for name, objective in objectives.items():
        options = deciding(objective.options)
        said.append(_weighted(name, objective) + (f" {json.dumps(options, sort_keys=True)}" if options else ""))
    return " + ".join(said)


def _sum(losses: Mapping[Objective, Tensor]) -> Tensor:
    parts = [loss if one.weight == 1 else one.weight * loss for one, loss in losses.items()]
    return sum(parts[1:], parts[0])


def _one_of_each_part(model: VideoCLIP) -> list[nn.Parameter]:
    """Return a trained weight of each part of the model: whoever calls backward adds to the gradient of one."""
    found: dict[str, nn.Parameter] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            found.setdefault(".".join(name.split(".")[:2]), parameter)  # clip.visual, clip.transformer, pooling.layers
    return list(found.values())


def _weighted(name: str, objective: Objective) -> str:
    return name if objective.weight == 1 else f"{objective.weight:g} {name}"


def _head(name: str, objective: Objective, model: VideoCLIP, seed: int) -> nn.Module | None:
    """Return the head of an objective, the same in every process: its own random numbers are put in place for it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stable_number("head", seed, name) % 2**63)
        head: object = objective.head(model.width)
    if head is not None and not isinstance(head, nn.Module):
        raise PluginError(f"'{name}' gave {type(head).__name__} for its head, not a torch.nn.Module")
    if head is not None:
        weights_of(name, "its head", head)  # raises where they are none
    return head


def _teacher(name: str, objective: Objective) -> Teacher | None:
    wanted: object = objective.teacher
    if wanted is not None and not isinstance(wanted, Teacher):
        raise PluginError(f"'{name}' gave {type(wanted).__name__} for its teacher, not a Teacher")
    if wanted is None:
        return None
    if wanted.decay is not None and not _is_share(wanted.decay):
        raise PluginError(
            f"'{name}' wants a teacher with the decay {wanted.decay!r:.80}", "it takes a number of 0 or more, below 1"
        )
    if wanted.between is not None and not (wanted.decay is None and _is_share(wanted.between)):
        raise PluginError(
            f"'{name}' wants {wanted!r:.80}", "between takes a number of 0 or more, below 1, and no decay"
        )
    return wanted


def _is_share(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and 0 <= float(value) < 1


# Features of all ranks on each rank, with gradients: for negatives across ranks (method.md, losses, `--gather`).


def gather(features: Tensor) -> Tensor:
    """Return the tensors of all ranks one after the other, (B, ...) -> (world * B, ...), each rank's of one shape.

    Differentiable: a rank's tensor gets the sum of the gradients that all ranks have for it. As DDP takes the mean of
    the parameters' gradients over ranks, training is that of one process with the mean of the ranks' losses.
    """
    gathered: Tensor = _Gather.apply(features)
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(_context: Any, features: Tensor) -> Tensor:
        parts = [torch.empty_like(features) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, features.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total.chunk(dist.get_world_size())[dist.get_rank()]
