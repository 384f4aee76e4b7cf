"""Small random CLIPs in every shape that open_clip has, written as folders that `local-dir:` loads."""

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP, CustomTextCLIP
from safetensors.torch import save_file
from torch import nn

VISION = {"image_size": 28, "patch_size": 7, "width": 32, "layers": 2, "head_width": 16}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 48, "heads": 4, "layers": 3}
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.3, 0.25)


def config(*, quick_gelu: bool = False, custom: bool = False, **text: Any) -> dict[str, Any]:
    """Return open_clip's model_cfg of a tiny CLIP; `text` changes its text tower."""
    made: dict[str, Any] = {
        "embed_dim": 24,
        "quick_gelu": quick_gelu,
        "vision_cfg": VISION,
        "text_cfg": TEXT | text,
    }
    return made | ({"custom_text": True} if custom else {})


def build(settings: dict[str, Any], seed: int = 0) -> nn.Module:
    """Return the model with random weights, biases and norms included, so that none of them can be forgotten."""
    kinds = {name: value for name, value in settings.items() if name != "custom_text"}
    torch.manual_seed(seed)
    model: nn.Module = (CustomTextCLIP if settings.get("custom_text") else CLIP)(**kinds)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def write(folder: Path, settings: dict[str, Any] | None = None, seed: int = 0) -> Path:
    """Write a tiny CLIP as an export folder and return the folder."""
    settings = settings or config()
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": MEAN, "std": STD}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": settings, "preprocess_cfg": preprocess}))
    save_file(build(settings, seed).state_dict(), folder / "open_clip_model.safetensors")
    return folder
