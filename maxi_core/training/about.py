"""What a checkpoint says of itself in maxi.json: enough to load it anywhere, and where it came from (method.md)."""

from collections.abc import Mapping
from typing import Any

from maxi_core.clip.checkpoints import SCHEMA
from maxi_core.clip.model import VideoCLIP
from maxi_core.version import __version__


def about_checkpoint(model: VideoCLIP, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a checkpoint trained from `model`, with what `record` adds."""
    import open_clip

    mean, std = model.statistics
    started = model.about.get("started_from") or {"name": model.name, "identity": model.identity}
    return {
        "schema": SCHEMA,
        "maxi": __version__,
        "started_from": started,
        "from_checkpoint": model.name if model.checkpoint else None,
        "config": dict(model.config),
        "preprocess": open_clip.get_model_preprocess_cfg(model.clip),
        "tokenizer": model.tokenizing.record,
        "quick_gelu": bool(model.config.get("quick_gelu", False)),
        "normalisation": model.normalisation,
        "mean": list(mean),
        "std": list(std),
        "frames": model.frames,
        "temporal": model.temporal and dict(model.temporal),
        **record,
    }
