"""Weight ensembling: a share of the original, the rest of the trained model, all parameters (method.md, training)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maxi_core.clip.checkpoints import ABOUT, CHECKPOINTS, STATE, checkpoints_of, read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.clip.naming import find_model
from maxi_core.clip.tokens import of_checkpoint
from maxi_core.errors import UsageError
from maxi_core.training.checkpoint import save_checkpoint, step_name

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog

SCALE = "logit_scale"


def mixed(original: Mapping[str, Tensor], trained: Mapping[str, Tensor], ratio: float) -> dict[str, Tensor]:
    """Return ratio * original + (1 - ratio) * trained for every weight, in the trained model's types.

    Weights that only the trained model has, such as those of a temporal module, are taken as they are, and so are
    counters. Raises UsageError for a ratio outside 0..1 and for weights that do not fit, with their names.
    """
    if not 0 <= ratio <= 1:
        raise UsageError(f"ratio {ratio:g} is no share of the original", "type a number from 0 to 1, such as 0.2")
    missing = sorted(original.keys() - trained.keys())
    wrong = sorted(key for key in original.keys() & trained.keys() if original[key].shape != trained[key].shape)
    alone = sorted(key for key in trained.keys() - original.keys() if not key.startswith("temporal."))
    if missing or wrong or alone:
        some = ", ".join([*missing, *wrong, *alone][:3])
        raise UsageError(
            f"the two models have other weights ({some}, ...)", "mix a model with what it was trained from"
        )
    return {key: _mixed(original.get(key, value), value, ratio) for key, value in trained.items()}


def _mixed(original: Tensor, trained: Tensor, ratio: float) -> Tensor:
    if not trained.is_floating_point() or original is trained:
        return trained
    with torch.no_grad():
        return (ratio * original.double() + (1 - ratio) * trained.double()).to(trained.dtype)


def ensemble(
    original: str, trained: str, ratios: list[float], out: Path, catalog: "Catalog | None" = None
) -> list[Path]:
    """Mix the models `original` and `trained` (MODEL each) and write one checkpoint per ratio below `out`.

    `ratio` is the original's share. The logit scale of an original that maxi has not trained counts as the one that
    the trained model began with, as in `maxi train --ensemble` and in the authors' code. Raises UsageError for models
    that do not fit, and for a trained one that is no checkpoint.
    """
    found = find_model(trained, catalog)
    if found.checkpoint is None:
        raise UsageError(f"'{trained}' is no checkpoint of maxi train", "the order is ORIGINAL TRAINED")
    about = read_about(found.checkpoint)
    names = {step_name(int(about.get("step", 0)), ratio): ratio for ratio in ratios}
    for name in names:
        _check_same(out / CHECKPOINTS / name, original, found.checkpoint)
    weights = read_weights(found.checkpoint)
    files = of_checkpoint(found.checkpoint, found.checkpoint / ABOUT, about.get("tokenizer"), found.config).files
    source = find_model(original, catalog)
    if source.checkpoint is not None:
        first, has = read_weights(source.checkpoint), read_about(source.checkpoint)["temporal"]
        if has is not None and (about["temporal"] is None or about["temporal"]["name"] != has["name"]):
            what = f"the temporal module '{has['name']}'"
            raise UsageError(f"'{original}' has {what}, and '{trained}' has not", "mix others")
    else:
        first = load_model(original, "cpu", catalog=catalog).weights()
        if SCALE in first and SCALE in about.get("began", {}):
            first[SCALE] = torch.tensor(about["began"][SCALE])
    made = []
    for name, ratio in names.items():
        said = {**about, "ensemble": {"original": original, "trained": str(found.checkpoint), "ratio": ratio}}
        made.append(save_checkpoint(out, name, mixed(first, weights, ratio), said, tokenizer=files))
    return made


def _check_same(checkpoint: Path, original: str, trained: Path) -> None:
    """Raise UsageError if there is a checkpoint already that is no mixture of these two."""
    if not (checkpoint / ABOUT).is_file():
        return
    before = read_about(checkpoint).get("ensemble") or {}
    of = str(before.get("trained", ""))  # a training says only which of its checkpoints it mixed
    same = trained.resolve() in (Path(of).resolve(), (checkpoint.parent / of).resolve())
    first = str(before.get("original", ""))
    if Path(first).exists() and Path(original).exists():
        same = same and Path(first).resolve() == Path(original).resolve()
    elif first != original:
        same = False
    if not same:
        what = f"of {before['original']} and {of}" if before else "and is no mixture"
        raise UsageError(f"{checkpoint} is there already, {what}", "choose another --out")


def last_epochs(run: Path, count: int | None = None) -> list[Path]:
    """Return the last `count` checkpoints of a training run that it could go on from, all if None: no mixtures of them.

    Raises UsageError if there are fewer.
    """
    found = [path for path in checkpoints_of(run) if (path / STATE).is_dir()]
    if len(found) < (count or 1):
        what = f"{run} has {len(found)} checkpoints of its epochs"
        raise UsageError(what, f"train with --keep-last {count or 'N'}, for as many as are wanted")
    return found[-count:] if count else found


def averaged(checkpoints: Sequence[Path], out: Path) -> Path:
    """Write the mean of the weights of checkpoints of one training, such as those of all epochs; return it.

    Counters are the last one's. Raises UsageError for no checkpoint and for weights that do not fit.
    """
    if not checkpoints:
        raise UsageError("there are no checkpoints to average", "train with --keep-last for as many as are wanted")
    mean = read_weights(checkpoints[0])
    for number, path in enumerate(checkpoints[1:], 1):
        mean = mixed(mean, read_weights(path), number / (number + 1))
    last = checkpoints[-1]
    about = {**read_about(last), "averaged": [path.name for path in checkpoints]}
    files = of_checkpoint(last, last / ABOUT, about.get("tokenizer"), about["config"]).files
    return save_checkpoint(out, step_name(int(about.get("step", 0))), mean, about, tokenizer=files)
