"""`gradient`: attention times its gradient, summed over layers, centred on the competing texts: the default.

The map of text k is G_k = sum over layers of the mean over heads of relu(A * dS_k/dA), S_k the cosine of video and
text, A the attention of a layer (Chefer et al., ICCV 2021, equation 5, without their product over layers). Of its rows
those count at which the tower reads its image feature: the class token's, an attention pool's query, or all where
tokens are averaged. What all texts share says nothing of one: with others to compare it to, a text's map is G_k - the
mean of the others' G.
"""

import torch
from torch import Tensor

from maxi_core.heatmaps.seen import Seen


def maps(seen: Seen, texts: Tensor) -> Tensor:
    """Return the maps of texts, (K, D) of length 1 -> (K, T, rows, columns), centred if there is more than one."""
    found = uncentred(seen, texts)
    others = len(found) - 1
    return found if others == 0 else found - (found.sum(dim=0) - found) / others


def uncentred(seen: Seen, texts: Tensor) -> Tensor:
    """Return G of each text, (K, T, rows, columns), never below 0; their unit is that of a cosine."""
    weights = [layer.weights for layer in seen.layers]
    found = []
    for score in texts @ seen.video:
        gradients = torch.autograd.grad(score, weights, retain_graph=True, allow_unused=True)
        parts = [
            layer.on_patches((layer.weights * gradient).relu(), seen.tower)
            for layer, gradient in zip(seen.layers, gradients, strict=True)
            if gradient is not None
        ]
        found.append(torch.stack(parts).sum(dim=0).detach())
    return torch.stack(found)
