"""A vision transformer whose weights are set by hand, so that one can say which patch must win."""

from typing import Any

import torch
from torch import Tensor, nn

from maxi_core.clip.image_tower import IMAGENET
from maxi_core.clip.model import VideoCLIP
from tests.clip.tiny_clip import build, config

GRID, PATCH = 4, 7
RED, GREEN, BLUE = torch.eye(24)[:3]


def hand_set(pool_type: str = "tok") -> VideoCLIP:
    """Return a CLIP that counts colours: what attends to a patch takes over its red, green and blue.

    The class token attends to coloured patches far more than to black ones, whatever their colour; patches attend to
    all alike. The first three numbers of an image feature are how much red, green and blue it took over.
    """
    settings = config()
    settings["vision_cfg"] = {**settings["vision_cfg"], "pool_type": pool_type}
    clip: Any = build(settings)
    visual = clip.visual
    with torch.no_grad():
        for parameter in visual.parameters():
            parameter.zero_()
        for channel in range(3):
            visual.conv1.weight[channel, channel] = 1 / PATCH**2
            visual.proj[channel, channel] = 1
        visual.class_embedding[3] = 1
        for block in visual.transformer.resblocks:
            block.ln_1 = block.ln_2 = nn.Identity()
            query, key, value = block.attn.in_proj_weight.chunk(3)
            query[0, 3] = 10  # of the class token
            key[0, :3] = 1  # of any colour
            value[:3, :3] = torch.eye(3)
            block.attn.out_proj.weight.copy_(torch.eye(32))
    visual.ln_pre = visual.ln_post = nn.Identity()
    return VideoCLIP(clip, settings, name="hand-set", statistics=IMAGENET).eval()


def painted(*places: tuple[Tensor, int, int]) -> Tensor:
    """Return a black image (3, 28, 28) with patches of a colour at places (colour, row, column)."""
    image = torch.zeros(3, GRID * PATCH, GRID * PATCH)
    for colour, row, column in places:
        image[:, row * PATCH : (row + 1) * PATCH, column * PATCH : (column + 1) * PATCH] = colour[:3, None, None]
    return image
