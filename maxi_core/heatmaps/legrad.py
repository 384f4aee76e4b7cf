"""`legrad`: the gradient of each layer's own score with respect to its attention (LeGrad, Bousselham et al. 2024).

For layer l the score of a frame is the cosine of the text and the projected mean of the layer's tokens. Its map is the
mean over heads of relu(ds_l/dA_l), summed over the queries; the maps of the layers are summed.
"""

import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.heatmaps.seen import Seen


def maps(seen: Seen, texts: Tensor, last: int | None = None) -> Tensor:
    """Return the maps of texts, (K, D) of length 1 -> (K, T, rows, columns), of the `last` layers (None: all)."""
    tower, numbers = seen.tower, range(len(seen.tower.blocks))
    total = torch.zeros(len(texts), len(seen.tokens[0]), *tower.grid, device=texts.device)
    for number in numbers if last is None else numbers[-last:]:
        place = seen.of_block[number]
        if place is None:
            continue
        weights = seen.layers[place].weights
        features = functional.normalize(tower.project(seen.tokens[number + 1].mean(dim=1)).float(), dim=-1)  # (T, D)
        for row, text in enumerate(texts):
            (gradient,) = torch.autograd.grad((features @ text).sum(), weights, retain_graph=True)
            received = gradient.relu().mean(dim=1).sum(dim=1)  # (T, H, Q, K) -> (T, K)
            total[row] += received[:, -tower.patches :].reshape(len(received), *tower.grid)
    return total
