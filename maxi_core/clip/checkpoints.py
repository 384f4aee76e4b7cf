"""Checkpoint folders, read: what is complete, what a run's last one is, what it says of itself, its weights.

They are written by `maxi_core.training.checkpoint`.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.model_rules import (
    COUNT,
    FLAG,
    LABEL,
    NUMBER,
    PLACE,
    PREPROCESS,
    Rule,
    check,
    check_model,
    own_file,
    read_table,
    words,
)
from maxi_core.errors import UsageError
from maxi_core.system.files import read_json, sha256_of

if TYPE_CHECKING:
    from torch import Tensor, nn

log = logging.getLogger("maxi")

SCHEMA = 1
MANIFEST = "manifest.json"  # of a training run, written at its end
CHECKPOINTS = "checkpoints"  # in the folder of a training run
ABOUT, WEIGHTS, STATE, DONE = "maxi.json", "model.safetensors", "state", "DONE"
NEEDED = ("config", "preprocess", "temporal", "mean", "std", "frames")
TABLE = Rule("a table", lambda value: isinstance(value, dict))
RULES = {
    **{key: PREPROCESS[key] for key in ("mean", "std")},
    "frames": COUNT,
    "normalisation": words("model", "imagenet"),
    "quick_gelu": FLAG,
    "temporal": Rule("null, or a table of name, version and options", lambda value: value is None or _is_record(value)),
    "step": PLACE,
    "began": Rule(
        "a table of numbers", lambda value: isinstance(value, dict) and all(map(NUMBER.holds, value.values()))
    ),
    "started_from": TABLE,
    "protocol": LABEL,
    "imported": TABLE,
}


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
    if (folder / ABOUT).is_file() or ((folder / WEIGHTS).is_file() and not (folder / "config.json").is_file()):
        if not complete(folder):
            raise UsageError(f"the checkpoint {folder} was not written to its end", "name another, or its run folder")
        return folder
    if (folder / CHECKPOINTS).is_dir():
        found = checkpoints_of(folder)
        if not found:
            raise UsageError(f"the run {folder} has no complete checkpoint", "go on training with --resume latest")
        if not (folder / MANIFEST).is_file() and not _is_mixture(found[-1]):
            log.warning(
                "the training %s is not finished: of it %s is taken; maxi train ... --resume latest goes on",
                folder,
                found[-1].name,
            )
        return found[-1]
    return None


def _is_mixture(checkpoint: Path) -> bool:
    try:
        return bool(read_json(checkpoint / ABOUT).get("ensemble"))
    except (OSError, UsageError):  # said where it is read
        return False


def checksums_of(folder: Path) -> str:
    """Return the SHA-256 of weights and state below a folder, a line each, as `sha256sum -c` reads them."""
    names = [WEIGHTS, *sorted(str(path.relative_to(folder)) for path in (folder / STATE).glob("*"))]
    return "".join(f"{sha256_of(folder / name)}  {name}\n" for name in names)


def check_whole(folder: Path, name: str) -> None:
    """Raise UsageError if a file of a checkpoint is not what was written, by the checksums in DONE.

    A checkpoint without them, of an earlier maxi, is taken as it is.
    """
    try:
        lines = (folder / DONE).read_text(encoding="utf-8").splitlines()
        wanted = {file: digest for digest, _, file in (line.partition("  ") for line in lines)}
        if not lines or (name in wanted and sha256_of(folder / name) == wanted[name]):
            return
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder / name} cannot be checked: {error}", "name another checkpoint") from None
    raise UsageError(f"{folder / name} is damaged: it is not what was saved (see {DONE})", "name another checkpoint")


def read_about(folder: Path) -> Mapping[str, Any]:
    """Return what a checkpoint says of itself; raises UsageError if it is not what this maxi writes."""
    path = folder / ABOUT
    read = read_table(folder, ABOUT)
    about = {key: value for key, value in read.items() if value is not None or key == "temporal" or key not in RULES}
    if "schema" not in about:
        raise UsageError(f"{path} describes no checkpoint", "name another checkpoint")
    if about["schema"] != SCHEMA:
        raise UsageError(
            f"{path} has schema {repr(about['schema'])[:80]}, and this maxi reads {SCHEMA}", "pip install -U maxi"
        )
    missing = [key for key in NEEDED if key not in about]
    if missing:
        raise UsageError(f"{path} says nothing of {', '.join(missing)}", "name another checkpoint")
    if about["temporal"] is not None and not _is_record(about["temporal"]):
        raise UsageError(
            f"{path} does not say of which distribution its temporal module is: {about['temporal']!r:.80}",
            "it is of an earlier maxi, or was trained by code of one's own: train it again, with --temporal NAME",
        )
    check(path, "", {key: value for key, value in about.items() if key in RULES}, RULES)
    check_model(path, about["config"], about["preprocess"], ("config", "preprocess"))
    return about


def _is_record(temporal: object) -> bool:
    """Whether maxi.json names a temporal module as {name: dist:name, version, options}."""
    return (
        isinstance(temporal, dict)
        and temporal.keys() == {"name", "version", "options"}
        and LABEL.holds(temporal["name"])
        and LABEL.holds(temporal["version"])
        and ":" in temporal["name"]
        and isinstance(temporal["options"], dict)
    )


def read_weights(folder: Path) -> "dict[str, Tensor]":
    """Return the weights of a checkpoint on the CPU; raises UsageError if the file is damaged, MaxiError for NaN."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from maxi_core.clip.model import check_finite

    file = own_file(folder, WEIGHTS)
    check_whole(folder, WEIGHTS)
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{folder / WEIGHTS} cannot be read: {error}", "name another checkpoint") from None
    check_finite(str(folder), weights)
    return weights


def build(config: Mapping[str, Any], preprocess: Mapping[str, Any], weights: Path | None = None) -> "nn.Module":
    """Return open_clip's model for a configuration that was checked, in float32 on the CPU.

    Its weights are those of the safetensors file `weights`, or not set. open_clip sees a folder with these two and no
    more, so it finds no other file of weights, and nothing that was changed since the check.
    """
    import tempfile

    import open_clip

    with tempfile.TemporaryDirectory() as folder:  # the only way into open_clip's factory with a configuration
        document = {"model_cfg": config, "preprocess_cfg": preprocess}
        (Path(folder) / "open_clip_config.json").write_text(json.dumps(document), encoding="utf-8")
        if weights is not None:
            (Path(folder) / "open_clip_model.safetensors").symlink_to(weights)
        with _without_warnings(weights is None):
            model: nn.Module = open_clip.create_model(
                f"local-dir:{folder}",
                load_weights=weights is not None,
                require_pretrained=weights is not None,
                precision="fp32",
                device="cpu",
                pretrained_text=False,
            )
    return model


@contextmanager
def _without_warnings(wanted: bool) -> Iterator[None]:
    """Keep open_clip from warning, by the root logger, of weights that are missing since they are set later."""

    def other(record: logging.LogRecord) -> bool:
        return not (wanted and record.name == "root" and "weights" in str(record.msg))

    logging.getLogger().addFilter(other)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(other)
