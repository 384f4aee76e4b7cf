"""Where a model computes, and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

from maxi_core.errors import UsageError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "amp_bf16"]
TrainingPrecision = Literal["fp32", "amp_bf16", "amp_fp16"]


def pick_device(name: str) -> "torch.device":
    """Return the torch device for `auto`, `cpu`, `cuda` (or `cuda:1`) or `mps`; auto prefers them in reverse order.

    Raises UsageError for one that this machine or this torch has not.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"device '{name}' cannot be used here: {why}", "type --device auto") from None
    return device


def autocast(device: "torch.device", precision: TrainingPrecision) -> AbstractContextManager[Any]:
    """Return the context in which a model computes in a precision; float32 weights stay as they are."""
    import torch

    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16 if precision == "amp_bf16" else torch.float16)
