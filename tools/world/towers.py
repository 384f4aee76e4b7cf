"""Giving the sandbox's captioner the image tower that its CLIP has: the same network under other names."""

from collections.abc import Mapping

import torch
from torch import Tensor

_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.projection",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def blip_tower(tower: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return the weights of open_clip's ViT without `ln_pre` under the names of BLIP's vision model.

    What they see is equal (a test). open_clip has no bias at the patches, so BLIP's is zero.
    """
    width = len(tower["class_embedding"])
    found = {
        "embeddings.class_embedding": tower["class_embedding"].view(1, 1, width),
        "embeddings.position_embedding": tower["positional_embedding"][None],
        "embeddings.patch_embedding.weight": tower["conv1.weight"],
        "embeddings.patch_embedding.bias": torch.zeros(width),
    }
    for kind in ("weight", "bias"):
        found[f"post_layernorm.{kind}"] = tower[f"ln_post.{kind}"]
        for layer in range(layers):
            source, target = f"transformer.resblocks.{layer}", f"encoder.layers.{layer}"
            found[f"{target}.self_attn.qkv.{kind}"] = tower[f"{source}.attn.in_proj_{kind}"]
            for ours, theirs in _LAYER.items():
                found[f"{target}.{theirs}.{kind}"] = tower[f"{source}.{ours}.{kind}"]
    return {name: torch.clone(tensor) for name, tensor in found.items()}
