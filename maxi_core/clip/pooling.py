"""How frame features become one video feature, and the border to temporal modules, which say how."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from maxi_core.errors import PluginError
from maxi_core.plugin.calls import named
from maxi_core.plugin.global_state import same_settings
from maxi_core.plugin.roles import Temporal
from maxi_core.system.ranks import is_of_device
from maxi_core.texts import counted

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
    with bordered(name, "when it was attached", often=False):  # new weights are drawn from the random numbers of all
        pooling: object = module.attach(visual, frames)
    if not callable(pooling):
        raise PluginError(f"'{name}' gave {pooling!r:.80} when it was attached, not a pooling of frame features")
    return pooling


@contextmanager
def bordered(name: str, when: str, *, often: bool = True) -> Iterator[None]:
    """Turn whatever is raised where a temporal module is at work into a PluginError that names it.

    So it does for one that leaves gradients switched on or off; a working folder that it changes is put back. What
    torch says of the device is left as it is, for whoever asks for the features. It costs microseconds.
    """
    differentiated = torch.is_grad_enabled()
    try:
        with same_settings(name, when, often=often):
            yield
    except BaseException as error:
        if is_of_device(error):
            raise
        with named(name, when):
            raise
    finally:
        left = torch.is_grad_enabled() != differentiated
        torch.set_grad_enabled(differentiated)
    if left:
        raise PluginError(f"'{name}' left gradients switched {'off' if differentiated else 'on'} {when}")


def checked_images(name: str, features: object, images: Tensor, width: int | None) -> Tensor:
    """Return the features that a tower with a temporal module gave of images (n, 3, S, S), which are (n, D).

    Raises PluginError that names the module for anything else; `width` is D, None if it is not known.
    """
    if not isinstance(features, Tensor):
        raise PluginError(f"'{name}' made the encoder give {type(features).__name__} of frames, not a tensor")
    wanted = (len(images), features.shape[-1] if width is None and features.ndim else width)
    if features.shape != wanted:
        given = f"features of shape {tuple(features.shape)} of {counted(len(images), 'frame')}"
        raise PluginError(f"'{name}' made the encoder give {given}, not {wanted}")
    if not features.is_floating_point():
        kind = str(features.dtype).removeprefix("torch.")
        raise PluginError(f"'{name}' made the encoder give features of type {kind}")
    if features.device != images.device:
        raise PluginError(f"'{name}' made the encoder give features on {features.device} of frames on {images.device}")
    return features


def check_learns(name: str, what: str, made: Tensor, modules: Iterable[object]) -> None:
    """Raise PluginError that names a temporal module if features have no gradient though weights before them learn."""
    if made.requires_grad or not torch.is_grad_enabled():
        return
    if any(weight.requires_grad for one in modules if isinstance(one, nn.Module) for weight in one.parameters()):
        raise PluginError(
            f"'{name}' lets no gradient through its {what} features, so that what is before them learns nothing",
            "let it compute without torch.no_grad, torch.inference_mode and detach",
        )


def pooled(name: str, pooling: Pooling, features: Tensor) -> Tensor:
    """Return the video features that a temporal module makes of frame features, (B, T, D) -> (B, D).

    Raises PluginError that names it for anything else, and for whatever it raises but what torch says of the device.
    """
    if pooling is mean_over_frames:
        return pooling(features)
    with bordered(name, f"when it pooled {_shape(features)}"):
        made: object = pooling(features)
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
