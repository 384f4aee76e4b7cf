"""Checkpoints, written: a folder is complete when its last file is, and until then it does not count (method.md).

Weights and optimizer are safetensors, the rest JSON. Everything goes into a folder of another name first, is forced to
the disk, the folder is renamed, and DONE is written last, with checksums: a process may be killed anywhere between.
"""

import json
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from maxi_core.clip.checkpoints import (
    ABOUT,
    CHECKPOINTS,
    DONE,
    SCHEMA,
    STATE,
    WEIGHTS,
    check_whole,
    checkpoints_of,
    checksums_of,
    complete,
    find_checkpoint,
)
from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.tokens import BESIDE
from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import check_replaceable, fix_for
from maxi_core.training.combined import Combined
from maxi_core.version import __version__

PARTIAL = ".partial-"
NO_FILES: Mapping[str, bytes] = MappingProxyType({})
OPTIMIZER, OBJECTIVES, NOTES = "optimizer.safetensors", "objectives.safetensors", "state.json"


@dataclass(frozen=True)
class State:
    """What training needs to go on besides the weights: the optimizer's tensors by name, and plain `notes`.

    `objectives` are the weights of teachers and heads, if there are any.
    """

    tensors: Mapping[str, Tensor] = field(repr=False)
    notes: Mapping[str, Any]
    objectives: Mapping[str, Tensor] = field(default_factory=dict, repr=False)


def save_checkpoint(
    run: Path,
    name: str,
    weights: Mapping[str, Tensor],
    about: Mapping[str, Any],
    state: State | None = None,
    tokenizer: Mapping[str, bytes] = NO_FILES,
) -> Path:
    """Write a checkpoint into a run folder, as `write_checkpoint` does, and return its folder."""
    return write_checkpoint(run / CHECKPOINTS / name, weights, about, state, tokenizer)


def write_checkpoint(
    final: Path,
    weights: Mapping[str, Tensor],
    about: Mapping[str, Any],
    state: State | None = None,
    tokenizer: Mapping[str, bytes] = NO_FILES,
) -> Path:
    """Write the checkpoint `final`, whole or not at all, in place of one of its name; return its folder.

    `tokenizer` are the files of a tokenizer that is not open_clip's, by name: they go into the checkpoint.

    Raises MaxiError that names the folder and the bytes where it cannot be written.
    """
    check_replaceable(final)
    parent = final.parent
    partial = parent / f"{PARTIAL}{final.name}"
    kept = [*state.tensors.values(), *state.objectives.values()] if state else []
    size = sum(tensor.nbytes for tensor in [*weights.values(), *kept]) + sum(map(len, tokenizer.values()))
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        write_tensors(partial / WEIGHTS, weights)
        _write(partial / ABOUT, json.dumps(about, indent=2, default=str) + "\n")
        _write_files(partial / BESIDE, tokenizer)
        if state is not None:
            _write_state(partial / STATE, state)
        checksums = checksums_of(partial)
        _to_disk(partial)
        if final.exists():  # of an earlier try at the same step
            shutil.rmtree(_set_aside(final))
        partial.rename(final)
        _to_disk(parent)
        _write(final / DONE, checksums)
        _to_disk(final)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)  # a disk that is full needs the room
        why = error.strerror or str(error)
        raise MaxiError(f"cannot write the checkpoint {final} ({size} bytes): {why}", fix_for(error)) from error
    return final


def _write_state(folder: Path, state: State) -> None:
    folder.mkdir()
    write_tensors(folder / OPTIMIZER, state.tensors)
    if state.objectives:
        write_tensors(folder / OBJECTIVES, state.objectives)
    _write(folder / NOTES, json.dumps(state.notes, indent=2) + "\n")
    _to_disk(folder)


def clean(run: Path, keep: Collection[str] | None = None) -> None:
    """Remove what was not written to its end, and every complete checkpoint that is not in `keep` (None: keep all)."""
    folder = run / CHECKPOINTS
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_dir() and (not complete(path) or (keep is not None and path.name not in keep)):
            shutil.rmtree(_set_aside(path))


def state_of(
    model: VideoCLIP, optimizer: Optimizer, notes: Mapping[str, Any], objectives: Combined | None = None
) -> State:
    """Return the optimizer's state under the names of the parameters, with `notes`, and the teachers and heads."""
    names = _names(model, objectives)
    tensors = {
        f"{names[parameter]}/{key}": value.detach().cpu()
        for parameter, values in optimizer.state.items()
        for key, value in values.items()
    }
    return State(tensors, notes, objectives.state() if objectives else {})


def _names(model: VideoCLIP, objectives: Combined | None) -> dict[Tensor, str]:
    named = [*model.named_parameters(), *(objectives.parameters.items() if objectives else ())]
    return {parameter: name for name, parameter in named}


def read_state(checkpoint: Path) -> State:
    """Return what a checkpoint keeps to go on; raises UsageError for one that keeps nothing, or is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = checkpoint / STATE
    if not folder.is_dir():
        raise UsageError(f"{checkpoint} has no {STATE}/: training cannot go on from it", "begin with it: --model")
    kept = [OBJECTIVES] if (folder / OBJECTIVES).is_file() else []
    for name in (NOTES, OPTIMIZER, *kept):
        check_whole(checkpoint, f"{STATE}/{name}")
    try:
        notes = json.loads((folder / NOTES).read_text(encoding="utf-8"))
        if not isinstance(notes, dict):
            raise ValueError(f"{NOTES} holds no table")
        return State(load_file(folder / OPTIMIZER), notes, *(load_file(folder / name) for name in kept))
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise UsageError(f"{folder} cannot be read: {error}", "resume from another checkpoint") from None


def check_notes(checkpoint: Path, notes: Mapping[str, Any]) -> None:
    """Raise UsageError unless the notes of a checkpoint are what a training goes on with."""
    best, step = notes.get("best"), notes.get("step")
    wrong = {
        "settings": not isinstance(notes.get("settings"), dict),
        "step": not isinstance(step, int) or step < 0,
        "scores": not isinstance(notes.get("scores", {}), dict),
        "best": not (best is None or (isinstance(best, list) and [type(part) for part in best] == [str, float])),
        "scaler": not isinstance(notes.get("scaler"), dict | None),
    }
    if named := [key for key, is_wrong in wrong.items() if is_wrong]:
        said = f"{checkpoint / STATE / NOTES} is damaged: {', '.join(named)}"
        raise UsageError(said, "resume from another checkpoint")


def restore(model: VideoCLIP, optimizer: Optimizer, state: State, objectives: Combined | None = None) -> None:
    """Give the optimizer, teachers and heads their state back.

    Raises UsageError if the optimizer is over other parameters than it was, or teachers or heads are others.
    """
    names = _names(model, objectives)
    places = [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
    known = {key.rpartition("/")[0] for key in state.tensors}
    if state.tensors and known != set(places):
        some = ", ".join(sorted(known ^ set(places))[:3])
        raise UsageError(
            f"the checkpoint trained other weights than are trained now ({some}, ...)", "see --freeze, --loss"
        )
    values: dict[int, dict[str, Tensor]] = {place: {} for place in range(len(places))}
    number = {name: place for place, name in enumerate(places)}
    for key, value in state.tensors.items():
        name, _, what = key.rpartition("/")
        values[number[name]][what] = value
    document = optimizer.state_dict()
    optimizer.load_state_dict({**document, "state": {place: kept for place, kept in values.items() if kept}})
    if objectives is not None:
        objectives.load(state.objectives)


def _set_aside(path: Path) -> Path:
    """Give a folder a name under which it does not count, so that removing it cannot leave half a checkpoint."""
    if path.name.startswith(PARTIAL):
        return path
    (path / DONE).unlink(missing_ok=True)
    aside = path.with_name(f"{PARTIAL}old-{path.name}")
    shutil.rmtree(aside, ignore_errors=True)
    return path.rename(aside)


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write tensors as safetensors, readable as the umask says, and force them to the disk; raises OSError."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    whole = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    seen: dict[int, str] = {}
    for key, value in whole.items():  # safetensors refuses tensors that share memory
        if value.data_ptr() in seen and value.numel():
            whole[key] = value.clone()
        seen[value.data_ptr()] = key
    path.touch()
    allowed = path.stat().st_mode  # what the umask leaves: safetensors lets nobody else read
    try:
        save_file(whole, path)
    except SafetensorError as error:  # "... No space left on device (os error 28)"
        code = re.search(r"os error (\d+)", str(error))
        raise (OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(str(error))) from error
    path.chmod(allowed)
    _to_disk(path)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    _to_disk(path)


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder of their own; there is none without files."""
    if not files:
        return
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
        _to_disk(folder / name)
    _to_disk(folder)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def step_name(step: int, ensemble: float | None = None, ema: float | None = None) -> str:
    """Return the name of a step's checkpoint; names sort as steps do, a mixture or mean after what it was made from."""
    mean = "" if ema is None else f"-ema-{ema:g}"
    return f"step-{step:08d}{mean}" + ("" if ensemble is None else f"-ensemble-{ensemble:g}")


def copy_of(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that do not change with the model, on the CPU."""
    with torch.no_grad():
        return {key: value.detach().cpu().clone() for key, value in weights.items()}


# Going on where a run was stopped: from which checkpoint, and whether it is still the same run.

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


# What a checkpoint says of itself in maxi.json: enough to load it anywhere, and where it came from (method.md).


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
