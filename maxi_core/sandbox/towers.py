"""Giving the sandbox's CLIP the image tower of its captioner to start from: the same network under other names."""

from collections.abc import Mapping

import torch
from torch import Tensor

_LAYER = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "self_attn.projection": "attn.out_proj",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def clip_tower(blip: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return BLIP's vision weights under the names of open_clip's ViT without `ln_pre`.

    What they see at the class token is equal (a test). open_clip has no bias at the patches, so BLIP's goes
    into the positions of the patches.
    """
    tower = {name.removeprefix("vision_model."): tensor.float() for name, tensor in blip.items()}
    positions = tower["embeddings.position_embedding"][0].clone()
    positions[1:] += tower["embeddings.patch_embedding.bias"]
    found = {
        "class_embedding": tower["embeddings.class_embedding"].flatten(),
        "positional_embedding": positions,
        "conv1.weight": tower["embeddings.patch_embedding.weight"],
    }
    for kind in ("weight", "bias"):
        found[f"ln_post.{kind}"] = tower[f"post_layernorm.{kind}"]
        for layer in range(layers):
            source, target = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
            found[f"{target}.attn.in_proj_{kind}"] = tower[f"{source}.self_attn.qkv.{kind}"]
            for theirs, ours in _LAYER.items():
                found[f"{target}.{ours}.{kind}"] = tower[f"{source}.{theirs}.{kind}"]
    return {name: torch.clone(tensor) for name, tensor in found.items()}
