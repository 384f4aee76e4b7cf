"""Features of all ranks on each rank, with gradients: for negatives across ranks (method.md, losses, `--gather`)."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


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
