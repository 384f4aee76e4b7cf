"""The border to objectives: one is asked for its loss and named if it gives none, or changes what others look at.

Less is put back than around other calls of plugins: random numbers are drawn on purpose, and steps are many.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from maxi_core.errors import LEAVING, MaxiError, PluginError, deed, one_line
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.global_state import same_settings
from maxi_core.system.ranks import is_of_device
from maxi_core.training.objective import Encoded, Features, Objective

log = logging.getLogger("maxi.plugins")

ENCODED = ("videos", "texts", "scale")
LABELS = ("index", "groups", "top", "cosines")
# What torch says where an objective has used up, or changed, what is differentiated after it.
SPOILT = ("backward through the graph a second time", "modified by an inplace operation")
DEVICE = ("CUDA", "CUBLAS", "cuDNN", "HIP", "MPS")  # in what torch says of a device that fails


def loss_of(name: str, objective: Objective, features: Features, weights: Iterable[nn.Parameter]) -> Tensor:
    """Return the loss of an objective; raises PluginError that names it for anything that is none.

    So it does for one that changes what it was given, or adds to the gradients of `weights` itself.
    """
    given, differentiated = _given(features), torch.is_grad_enabled()
    before, gradients = {what: tensor._version for what, tensor in given.items()}, _gradients(weights)
    try:
        with same_settings(name, when := "when it was asked for its loss"):
            loss: object = objective.loss(features)
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        if is_of_device(error):
            raise  # whoever takes the step says so
        raise PluginError(f"'{name}' {deed(error)} {when}") from error
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
    return one_line(why) if why else ""


@contextmanager
def differentiating(loss: object, with_module: str) -> Iterator[None]:
    """Turn what is raised while a loss is differentiated into a PluginError that names it, and the temporal module.

    `with_module` is the model's (`VideoCLIP.with_module`). Hooks, and functions with a backward of their own, may be of
    any objective or of the module. What torch says of the device is left as it is.
    """
    try:
        with same_settings(f"{loss}{with_module}", when := "when it was differentiated"):
            yield
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        if isinstance(error, RuntimeError) and (found := _spoilt(f"the loss {loss}{with_module}", str(error))):
            raise found from error
        if is_of_device(error) or (isinstance(error, RuntimeError) and any(word in str(error) for word in DEVICE)):
            raise
        log.debug("%s raised %s", loss, when, exc_info=True)
        raise PluginError(
            f"the loss {loss}{with_module} {deed(error)} {when}", "the traceback: maxi --log-level debug ..."
        ) from error


def _spoilt(loss: str, said: str) -> PluginError | None:
    """Return the error for a loss that torch cannot differentiate because of what plugins did, None for others."""
    if "does not require grad" in said:  # each looks at what is frozen alone
        return PluginError(f"{loss} looks at nothing that is trained", "see --freeze, or add another --loss")
    if not any(words in said for words in SPOILT):
        return None
    return PluginError(
        f"{loss} cannot be differentiated: {' '.join(said.split()):.160}",
        "let no plugin keep a loss or features of an earlier step, except detached, nor change what it was given",
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
