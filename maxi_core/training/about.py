"""What a checkpoint says of itself in maxi.json: enough to load it anywhere, and where it came from (SPEC 12)."""

from collections.abc import Mapping
from typing import Any

from maxi_core.clip.checkpoints import SCHEMA
from maxi_core.clip.loading import Loaded
from maxi_core.version import __version__


def about_checkpoint(loaded: Loaded, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of a checkpoint trained from `loaded`, with what `record` adds."""
    import open_clip

    clip, model = loaded.clip, loaded.model
    mean, std = model.statistics
    started = loaded.about.get("started_from") or {"name": clip.name, "identity": clip.identity}
    return {
        "schema": SCHEMA,
        "maxi": __version__,
        "started_from": started,
        "from_checkpoint": clip.name if loaded.checkpoint else None,
        "config": dict(clip.config),
        "preprocess": open_clip.get_model_preprocess_cfg(clip.model),
        "tokenizer": clip.tokenizing.record,
        "quick_gelu": clip.quick_gelu,
        "normalisation": loaded.normalisation,
        "mean": list(mean),
        "std": list(std),
        "frames": model.frames,
        "temporal": loaded.temporal and dict(loaded.temporal),
        **record,
    }
