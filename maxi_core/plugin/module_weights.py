"""The weights of modules that are not ours: tensors that have a size, so that they can be trained, kept and loaded."""

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from maxi_core.errors import PluginError
from maxi_core.plugin.calls import named
from maxi_core.texts import first_few


def weights_of(name: str, what: str, module: nn.Module) -> dict[str, Tensor]:
    """Return the weights of `what`, a module of the plugin `name`, by their keys.

    Raises PluginError that names the plugin where they cannot be had, or some of them are no plain tensors with a size.
    """
    with named(name, f"when the weights of {what} were collected"):
        found = dict(module.state_dict())
    if odd := [key for key, value in found.items() if not isinstance(value, Tensor)]:
        kind = type(found[odd[0]]).__name__
        raise PluginError(
            f"'{name}' keeps {kind} and no tensor in {what}: {first_few(odd)}",
            "let it keep tensors alone, by register_buffer, and have no get_extra_state",
        )
    if odd := [key for key, value in found.items() if is_lazy(value)]:
        raise PluginError(
            f"'{name}' leaves weights of {what} without a size: {first_few(odd)}",
            "let it say their sizes, as nn.Linear does and nn.LazyLinear does not",
        )
    if odd := [key for key, value in found.items() if value.layout != torch.strided or value.is_quantized]:
        raise PluginError(
            f"'{name}' keeps sparse or quantized tensors in {what}: {first_few(odd)}", "let it keep plain tensors alone"
        )
    return found
