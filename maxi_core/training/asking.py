"""The border to objectives: one is asked for its loss and named if it gives none, or changes what others look at.

Nothing is put back as around other calls of plugins: random numbers are drawn on purpose, and steps are many.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from maxi_core.errors import LEAVING, MaxiError, PluginError, deed
from maxi_core.plugin.calls import blamed
from maxi_core.system.ranks import is_of_device
from maxi_core.training.objective import Encoded, Features, Objective

ENCODED = ("videos", "texts", "scale")
LABELS = ("index", "groups", "top", "cosines")
# What torch says where an objective has used up, or changed, what is differentiated after it.
SPOILT = ("backward through the graph a second time", "modified by an inplace operation")


def loss_of(name: str, objective: Objective, features: Features, weights: Iterable[nn.Parameter]) -> Tensor:
    """Return the loss of an objective; raises PluginError that names it for anything that is none.

    So it does for one that changes what it was given, or adds to the gradients of `weights` itself.
    """
    given, differentiated = _given(features), torch.is_grad_enabled()
    before, gradients = {what: tensor._version for what, tensor in given.items()}, _gradients(weights)
    try:
        loss: object = objective.loss(features)
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        if is_of_device(error):
            raise  # whoever takes the step says so
        raise PluginError(f"'{name}' {deed(error)} when it was asked for its loss") from error
    if changed := [what for what, tensor in given.items() if tensor._version != before[what]]:
        raise PluginError(f"'{name}' changed what it was given ({', '.join(changed)})", "let it change a copy: clone()")
    if torch.is_grad_enabled() != differentiated:
        torch.set_grad_enabled(differentiated)
        raise PluginError(f"'{name}' left gradients switched {'off' if differentiated else 'on'}")
    if gradients != _gradients(weights):
        raise PluginError(f"'{name}' called backward", "let it return its loss alone, which is differentiated later")
    return _checked(name, loss, features)


def constant_because(name: str, objective: Objective, batch: int, entries: int, *, alike: bool) -> str:
    """Return why an objective has no gradient, "" if it may have one; raises PluginError that names it for no text."""
    with blamed(name, "when it was asked whether its loss is constant"):
        why: object = objective.constant_because(batch, entries, alike=alike)
    if not isinstance(why, str):
        raise PluginError(f"'{name}' gave {why!r:.80} for the reason why its loss is constant, not a text")
    return why


def spoilt(loss: object, error: RuntimeError) -> PluginError | None:
    """Return the error for a loss that torch cannot differentiate because of what objectives did, None for others."""
    if "does not require grad" in str(error):  # each looks at what is frozen alone
        return PluginError(f"the loss {loss} looks at nothing that is trained", "see --freeze, or add another --loss")
    if not any(words in str(error) for words in SPOILT):
        return None
    return PluginError(
        f"the loss {loss} cannot be differentiated: {' '.join(str(error).split()):.160}",
        "let no objective keep a loss or features of an earlier step, except detached, nor change what it was given",
    )


def _given(features: Features) -> dict[str, Tensor]:
    """Return the tensors that an objective is given, whose counters say whether they were changed."""
    found: dict[str, Any] = {name: getattr(features, name) for name in (*ENCODED, *LABELS)}
    if isinstance(features.teacher, Encoded):
        found |= {f"teacher.{name}": getattr(features.teacher, name) for name in ENCODED}
    return {name: tensor for name, tensor in found.items() if tensor is not None and not tensor.is_inference()}


def _gradients(weights: Iterable[nn.Parameter]) -> list[tuple[int, int] | None]:
    """Return what changes when something is added to the gradients."""
    return [None if (now := weight.grad) is None else (id(now), now._version) for weight in weights]


def _checked(name: str, loss: object, features: Features) -> Tensor:
    if not isinstance(loss, Tensor) or loss.ndim:
        shape = f"a tensor of shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise PluginError(f"'{name}' gave {shape} for its loss, not a tensor without dimensions")
    if not loss.is_floating_point():
        kind = str(loss.dtype).removeprefix("torch.")
        raise PluginError(f"'{name}' gave a loss of type {kind}, not one of floating-point numbers")
    if loss.device != features.videos.device:
        raise PluginError(
            f"'{name}' gave a loss on {loss.device}, and what it was given is on {features.videos.device}"
        )
    learnable = features.videos.requires_grad and features.texts.requires_grad
    if learnable and torch.is_grad_enabled() and not loss.requires_grad:
        raise PluginError(
            f"'{name}' gave a loss without a gradient",
            "let it compute the loss from the features; where there is nothing to learn: features.videos.sum() * 0",
        )
    return loss
