"""Which models are plain CLIPs, as OpenAI's are: what other programs' CLIP classes can hold, and what they cannot."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError

# What shapes a plain CLIP, and what has no part in a feature: dropped patches are for training.
VISION = frozenset({"image_size", "patch_size", "width", "layers", "head_width", "patch_dropout"})
TEXT = frozenset({"context_length", "vocab_size", "width", "heads", "layers"})
WHOLE = frozenset({"embed_dim", "quick_gelu", "custom_text", "init_logit_scale", "vision_cfg", "text_cfg"})


def refuse_beyond(model: VideoCLIP, target: str, *more: str) -> None:
    """Raise UsageError, in one sentence, for a model that is more than a plain CLIP that reads texts as CLIP does.

    `more` are settings of both towers that `target` can hold besides, such as `mlp_ratio`.
    """
    if found := [*_of_other_kinds(model.config), *_settings(model.config, more), *_tokenizer(model)]:
        raise UsageError(
            f"{target} is a plain CLIP and cannot hold '{model.name}', which has {' and '.join(found)}",
            "export it --to open-clip",
        )


def _of_other_kinds(config: Mapping[str, Any]) -> list[str]:
    """Return in words which towers are not CLIP's transformers."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    timm, transformers, layers = vision.get("timm_model_name"), text.get("hf_model_name"), vision.get("layers")
    return [
        *([f"timm's {timm} as image tower"] if timm else []),
        *(["a ResNet as image tower"] if isinstance(layers, list | tuple) and not timm else []),
        *([f"transformers' {transformers} as text tower"] if transformers else []),
        *(["a text decoder"] if config.get("multimodal_cfg") else []),
    ]


def _settings(config: Mapping[str, Any], more: Collection[str]) -> list[str]:
    """Return the settings of a configuration that differ from open_clip's defaults and are not in the lists above."""
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg

    said = []
    for key, known, defaults in (("vision_cfg", VISION, CLIPVisionCfg()), ("text_cfg", TEXT, CLIPTextCfg())):
        plain = asdict(defaults)
        said += [
            f"{key}.{name} = {value!r}"
            for name, value in config[key].items()
            if name not in known and name not in more and not name.startswith(("timm_", "hf_", "tokenizer_"))
            if (value or None) != (plain.get(name) or None)
        ]
    return said + [f"{name} = {config[name]!r}" for name in sorted(config.keys() - WHOLE) if config[name]]


def _tokenizer(model: VideoCLIP) -> list[str]:
    from open_clip.tokenizer import SimpleTokenizer

    options = model.config["text_cfg"].get("tokenizer_kwargs") or {}
    own = isinstance(model.tokenizer, SimpleTokenizer) and options in ({}, {"clean": "lower"})
    return [] if own else ["a tokenizer of its own"]


def plain_weights(model: VideoCLIP) -> dict[str, Tensor]:
    """Return the weights of a plain CLIP under OpenAI's keys: those of the text tower stand at the top."""
    return {key.removeprefix("text."): value for key, value in model.weights().items() if not key.endswith("attn_mask")}


def heads_of(config: Mapping[str, Any]) -> tuple[int, int]:
    """Return the attention heads of the image tower and of the text tower of a plain CLIP."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    return vision.get("width", 768) // vision.get("head_width", 64), text.get("heads", 8)
