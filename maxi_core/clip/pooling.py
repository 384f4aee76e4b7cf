"""How frame features become one video feature, and the border to temporal modules, which say how."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from maxi_core.errors import LEAVING, MaxiError, PluginError, deed
from maxi_core.plugin.calls import named
from maxi_core.plugin.roles import Temporal
from maxi_core.system.ranks import is_of_device

Pooling = Callable[[Tensor], Tensor]


def mean_over_frames(features: Tensor) -> Tensor:
    """Return the mean of frame features, (B, T, D) -> (B, D): the paper's pooling, without parameters."""
    return exact(features).mean(dim=1)


def exact(features: Tensor) -> Tensor:
    """Return features in float32, or in float64 if the model is."""
    return features if features.dtype == torch.float64 else features.float()


def attached(module: Temporal, visual: nn.Module, frames: int) -> Pooling:
    """Attach a temporal module; raises PluginError that names it if it raises or gives no pooling."""
    name = module.ref or module.name
    with named(name, "when it was attached"):  # new weights are drawn from the random numbers of all
        pooling: object = module.attach(visual, frames)
    if not callable(pooling):
        raise PluginError(f"'{name}' gave {pooling!r:.80} when it was attached, not a pooling of frame features")
    return pooling


def pooled(name: str, pooling: Pooling, features: Tensor) -> Tensor:
    """Return the video features that a temporal module makes of frame features, (B, T, D) -> (B, D).

    Raises PluginError that names it for anything else, and for whatever it raises but what torch says of the device.
    """
    if pooling is mean_over_frames:
        return pooling(features)
    try:
        made: object = pooling(features)
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        if is_of_device(error):
            raise  # whoever asks for the features says so
        raise PluginError(f"'{name}' {deed(error)} when it pooled {_shape(features)}") from error
    if not isinstance(made, Tensor):
        raise PluginError(f"'{name}' pooled {_shape(features)} to {type(made).__name__}, not to a tensor")
    if made.shape != (wanted := (len(features), features.shape[-1])):
        raise PluginError(f"'{name}' pooled {_shape(features)} to {tuple(made.shape)}, not {wanted}")
    if not made.is_floating_point() or exact(made).dtype != exact(features).dtype:
        kinds = [str(one.dtype).removeprefix("torch.") for one in (features, made)]
        raise PluginError(f"'{name}' pooled features of type {kinds[0]} to {kinds[1]}", "let it keep their type")
    if made.device != features.device:
        raise PluginError(f"'{name}' pooled features on {features.device} to some on {made.device}")
    return made


def _shape(tensor: Tensor) -> str:
    return f"features of shape {tuple(tensor.shape)}"
