"""The optimizer of the sandbox's image tower: momentum whose updates have singular values near 1.

The idea is Muon's (K. Jordan and others, 2024): after 50 steps this small transformer has the error that it takes AdamW
200 steps to reach. torch's own version computes in bfloat16, which many CPUs do slowly.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# A quintic that draws every singular value between 0 and 1 to the neighbourhood of 1 in five rounds.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5


def near_orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix (m, n) with the singular vectors of `matrix`, all singular values drawn near 1."""
    first, third, fifth = QUINTIC
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = wide @ wide.T
        wide = first * wide + (third * square + fifth * square @ square) @ wide
    found: Tensor = wide if matrix.shape[0] <= matrix.shape[1] else wide.T
    return found


class Muon(torch.optim.Optimizer):
    """Steps along the near-orthogonal direction of each matrix's momentum; only for matrices.

    A joint projection of queries, keys and values, (3n, n), is taken as three matrices.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01):
        super().__init__(list(matrices), {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Take one step; `closure` is for the interface only."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is not None:
                    self._move(matrix, group)

    def _move(self, matrix: Tensor, group: dict[str, Any]) -> None:
        assert matrix.grad is not None
        state = self.state[matrix]
        if not state:
            state["mean"] = torch.zeros_like(matrix)
        mean = state["mean"].lerp_(matrix.grad, 1 - group["momentum"])
        ahead = matrix.grad.lerp(mean, group["momentum"])
        parts = ahead.chunk(3) if ahead.shape[0] == 3 * ahead.shape[1] else (ahead,)
        moves = [near_orthogonal(part) * max(1.0, part.shape[0] / part.shape[1]) ** 0.5 for part in parts]
        matrix.mul_(1 - group["lr"] * group["decay"]).add_(torch.cat(moves), alpha=-group["lr"])
