"""Newer CLIPs of open_clip's registry at random weights: their towers of timm real or timm's own small ones."""

from pathlib import Path
from typing import Any

import open_clip
import timm
from timm.layers import GELUTanh
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from timm.models.vision_transformer import VisionTransformer

from tests.clip.tiny_clip import write
from tests.untrusted import words

# architecture -> the tower of timm that stands for its own, None where that is small enough itself
FAMILIES = {
    "PE-Core-T-16-384": None,  # 6 million weights, rotated keys, pooled by attention
    "MobileCLIP2-S0": None,  # 11 million, convolutions and batch norms
    "MobileCLIP2-B": "test_vit",  # a class token
    "ViT-B-32-SigLIP2-256": "test_vit3",  # pooled by attention, a logit bias
    "EVA02-B-16": "eva02_tiny_patch14_224",  # biases apart from the projection
    "ViTamin-S": "vit_tiny_r_s16_p8_224",  # convolutions before the blocks
}
SMALL_TEXT = {"width": 32, "heads": 2, "layers": 2}


def settings(arch: str, stand_in: str | None = None, *, whole: bool = False, **vision: Any) -> dict[str, Any]:
    """Return the model_cfg of an architecture, its text tower small; `vision` changes its image tower."""
    made: dict[str, Any] = open_clip.get_model_config(arch)
    if stand_in:
        size = timm.get_pretrained_cfg(stand_in).input_size[-1]
        made["vision_cfg"] |= {"timm_model_name": stand_in, "image_size": size}
        if made["vision_cfg"].get("timm_proj") == "none":  # nothing behind the trunk, which has another width
            made["embed_dim"] = timm.create_model(stand_in).num_features
    made["vision_cfg"] |= {"timm_model_pretrained": False, **vision}
    if not whole:
        named = "hf_tokenizer_name" in made["text_cfg"]
        made["text_cfg"] |= SMALL_TEXT | ({"vocab_size": 100} if named else {})
    return made


def write_family(folder: Path, arch: str, stand_in: str | None = None, **vision: Any) -> Path:
    """Write a model of a family as an export folder, with a tokenizer of a few words where it names one."""
    made = settings(arch, stand_in, **vision)
    write(folder, made)
    return words(folder) if made["text_cfg"].get("hf_tokenizer_name") else folder


default_cfgs = generate_default_cfgs({"small_vit_siglip": {"input_size": (3, 64, 64)}})  # where timm looks for it


@register_model
def small_vit_siglip(pretrained: bool, **settings: Any) -> Any:
    """A tower as SigLIP's are, made small: no class token, pooled by attention, GELU by tanh."""
    small = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 2, "num_heads": 2, "class_token": False}
    return build_model_with_cfg(
        VisionTransformer, "small_vit_siglip", pretrained, **{**small, "act_layer": GELUTanh, **settings}
    )


def write_siglip(folder: Path, arch: str = "ViT-B-32-SigLIP2-256") -> Path:
    """Write a SigLIP whose towers are small, with a tokenizer of a few words."""
    made = settings(arch)
    made["vision_cfg"] |= {"timm_model_name": "small_vit_siglip", "image_size": 64}
    made["embed_dim"] = 32
    write(folder, made)
    return words(folder)
