"""Teachers: copies of the model's weights from the start of a training, that stay or follow it."""

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor
from torch.func import functional_call

from maxi_core.batches.draws import stable_number
from maxi_core.clip.model import VideoCLIP
from maxi_core.training.objective import Encoded, Teacher


class TeacherWeights:
    """What one teacher has of its own: the weights that training changes, as they were when it was made, and buffers.

    The model computes with them, so that whatever a temporal module has done to it is the teacher's, too. Weights that
    are not trained are the model's own.
    """

    def __init__(self, model: VideoCLIP, wanted: Teacher) -> None:
        self.wanted = wanted
        fixed = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
        self.weights = {name: now.clone() for name, now in _tensors(model).items() if name not in fixed}

    @property
    def name(self) -> str:
        """What it is called in a state: `frozen`, `ema-0.9998`, `between-0.6`."""
        if self.wanted.between is not None:
            return f"between-{self.wanted.between!r}"
        return "frozen" if self.wanted.decay is None else f"ema-{self.wanted.decay!r}"

    def share(self, seed: int, step: int) -> float:
        """Return the share of the start in the weights of a step, the same on all ranks; 0 of a true teacher."""
        if self.wanted.between is None:
            return 0.0
        return self.wanted.between * (stable_number(self.name, seed, step) % 2**32) / 2**32

    def encode(self, model: VideoCLIP, frames: Tensor, tokens: Tensor, share: float = 0.0) -> Encoded:
        """Return what the teacher says of a micro-batch: in evaluation mode, without a gradient.

        Or what the model says with a `share` of these weights in its own, with a gradient to them, where that is meant.
        """
        if self.wanted.between is not None:
            now = dict(model.named_parameters())
            weights = {
                name: torch.lerp(now[name], start, share) if name in now else value.clone()  # counters stay as they are
                for name, value in _tensors(model).items()
                if (start := self.weights.get(name)) is not None
            }
            return Encoded(*functional_call(model, weights, (frames, tokens), tie_weights=False))
        training = model.training
        model.eval()
        try:
            with torch.no_grad():
                return Encoded(*functional_call(model, self.weights, (frames, tokens), tie_weights=False))
        finally:
            model.train(training)

    def follow(self, model: VideoCLIP) -> None:
        """Go a step towards the model, if it is a mean."""
        if self.wanted.decay is None:
            return
        now = _tensors(model)
        with torch.no_grad():
            for name, weight in self.weights.items():
                if weight.is_floating_point():
                    weight.lerp_(now[name], 1 - self.wanted.decay)
                else:
                    weight.copy_(now[name])


def _tensors(model: VideoCLIP) -> dict[str, Tensor]:
    """Return the weights and buffers of a model as they are now, by its own keys."""
    with model.guarded("when the weights were collected"):
        return model.state_dict()


def made_equal(tensors: Iterable[Tensor]) -> None:
    """Give every rank the first rank's tensors, as DDP does with the model's."""
    with torch.no_grad():
        for tensor in tensors:
            dist.broadcast(tensor, 0)
