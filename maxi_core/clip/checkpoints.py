"""Checkpoint folders, read: what is complete, what a run's last one is, what it says of itself, its weights (SPEC 12).

They are written by `maxi_core.training.saving`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor, nn

SCHEMA = 1
CHECKPOINTS = "checkpoints"  # in the folder of a training run
ABOUT, WEIGHTS, STATE, DONE = "maxi.json", "model.safetensors", "state", "DONE"
NEEDED = ("config", "preprocess", "temporal", "mean", "std", "frames")


def complete(folder: Path) -> bool:
    """Whether a checkpoint was written to its end."""
    return (folder / DONE).is_file() and (folder / ABOUT).is_file() and (folder / WEIGHTS).is_file()


def checkpoints_of(run: Path) -> list[Path]:
    """Return the complete checkpoints of a training run, the first steps first."""
    folder = run / CHECKPOINTS
    return sorted(path for path in folder.iterdir() if complete(path)) if folder.is_dir() else []


def find_checkpoint(folder: Path) -> Path | None:
    """Return the checkpoint that a folder means, itself or the last of a run; None if it is neither.

    Raises UsageError for a checkpoint that was not written to its end and for a run without one.
    """
    if (folder / ABOUT).is_file() or (folder / WEIGHTS).is_file():
        if not complete(folder):
            raise UsageError(f"the checkpoint {folder} was not written to its end", "name another, or its run folder")
        return folder
    if (folder / CHECKPOINTS).is_dir():
        found = checkpoints_of(folder)
        if not found:
            raise UsageError(f"the run {folder} has no complete checkpoint", "go on training with --resume latest")
        return found[-1]
    return None


def read_about(folder: Path) -> Mapping[str, Any]:
    """Return what a checkpoint says of itself; raises UsageError if it is not what this maxi writes."""
    path = folder / ABOUT
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, missing = about["schema"], [key for key in NEEDED if key not in about]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} describes no checkpoint: {error!r}", "name another checkpoint") from None
    if schema != SCHEMA:
        raise UsageError(f"{path} has schema {schema}, and this maxi reads {SCHEMA}", "pip install -U maxi")
    if missing:
        raise UsageError(f"{path} says nothing of {', '.join(missing)}", "name another checkpoint")
    return about


def read_weights(folder: Path) -> "dict[str, Tensor]":
    """Return the weights of a checkpoint on the CPU; raises UsageError if the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{folder / WEIGHTS} cannot be read: {error}", "name another checkpoint") from None


def build(config: Mapping[str, Any], preprocess: Mapping[str, Any]) -> "nn.Module":
    """Return open_clip's model for a configuration, in float32 on the CPU, its weights not set."""
    import tempfile

    import open_clip

    with tempfile.TemporaryDirectory() as folder:  # the only way into open_clip's factory with a configuration
        document = {"model_cfg": config, "preprocess_cfg": preprocess}
        (Path(folder) / "open_clip_config.json").write_text(json.dumps(document), encoding="utf-8")
        model: nn.Module = open_clip.create_model(
            f"local-dir:{folder}", load_weights=False, precision="fp32", device="cpu", pretrained_text=False
        )
    return model
