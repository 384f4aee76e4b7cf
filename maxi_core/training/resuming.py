"""Going on where a run was stopped: from which checkpoint, and whether it is still the same run."""

from collections.abc import Mapping
from pathlib import Path

from maxi_core.clip.checkpoints import STATE, checkpoints_of, find_checkpoint
from maxi_core.errors import UsageError
from maxi_core.training.saving import clean

LATEST = "latest"


def resume_from(run: Path, wanted: str | None, overwrite: bool = False) -> str | None:
    """Return the checkpoint to go on from, None to begin; remove what was not written to its end.

    `wanted` is `latest`, which begins if there is none, or a folder. Raises UsageError for a run that has checkpoints
    if neither it nor `overwrite`, which removes them, was asked for.
    """
    clean(run, keep=() if overwrite and wanted is None else None)
    found = [path for path in checkpoints_of(run) if (path / STATE).is_dir()]
    if wanted is None:
        if found:
            raise UsageError(f"{run} has checkpoints already", "add --resume latest to go on, or --overwrite")
        return None
    if wanted == LATEST:
        return str(found[-1]) if found else None
    checkpoint = find_checkpoint(Path(wanted))
    if checkpoint is None:
        raise UsageError(f"--resume {wanted}: there is no checkpoint", "type latest, or a folder with maxi.json")
    return str(checkpoint)


def check_same(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise UsageError that says what differs, if a run would go on with other settings than it began with."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if keys:
        said = "; ".join(f"{key}: was {before.get(key)}, is {now.get(key)}" for key in keys)
        raise UsageError(f"the run began with other settings ({said})", "set them back, or add --force-resume")
