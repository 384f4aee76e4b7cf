"""README.md of an exported model: what it is, how it was made, what it scores, and what is not known of it."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from maxi_core.bags.run import RECIPE
from maxi_core.clip.checkpoints import CHECKPOINTS
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.evaluation.saving import read_scores
from maxi_core.texts import counted
from maxi_core.version import __version__

CARD = "README.md"
UNKNOWN = "unknown"  # as the Hub spells a licence that nobody named
# Keys of a recipe that say how a model was trained; others hold paths of whoever trained it.
TRAINED_WITH = (
    *("loss", "epochs", "batch_size", "accum_freq", "lr", "wd", "warmup", "warmup_epochs", "frames", "bag_size"),
    *("keep", "augmentation", "freeze", "last_blocks", "token_embedding", "sigma", "gather", "precision", "seed"),
)


def card(
    model: VideoCLIP, loading: str, library: str, scores: Sequence[Path] = (), licence: str = "", notes: str = ""
) -> str:
    """Return the model card, Markdown with the fields of the Hub before it.

    `loading` says how it is loaded, `library` by what; `scores` are files of `maxi eval`. Raises UsageError for scores
    of other weights.
    """
    licence = licence or UNKNOWN
    fields = {
        "library_name": library,
        "license": licence,
        "pipeline_tag": "zero-shot-image-classification",
        "tags": ["clip", "zero-shot", "action-recognition", "video", "maxi"],
    }
    head = "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items())
    sections = {
        "Loading": loading,
        "Frames and videos": _use(model),
        "Data and recipe": _table(_recipe(model)),
        "Scores": _scores(model, scores),
        "Licence": _licence(licence),
        **({"Notes": notes} if notes else {}),
    }
    parts = [f"---\n{head}\n---\n\n# {_title(model)}\n\nA CLIP over videos, written by maxi {__version__}."]
    return "\n\n".join([*parts, *(f"## {title}\n\n{text}" for title, text in sections.items())]) + "\n"


def _title(model: VideoCLIP) -> str:
    started = model.about.get("started_from", {}).get("name")
    return f"{short(started)}, finetuned" if started else short(model.name)


def short(name: str) -> str:
    """Return a MODEL without the folders of whoever typed it."""
    is_path = name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).exists()
    return Path(name).name if is_path else name


def _use(model: VideoCLIP) -> str:
    mean, std = (", ".join(f"{value:g}" for value in values) for values in model.statistics)
    prompt = model.about.get("prompt")
    asked = f" Texts were trained as `{prompt}`." if prompt else ""
    short_side = round(model.image_size * 256 / 224)
    return (
        f"The feature of a video is the mean of its frames' features, which are not normalised one by one, then of "
        f"length 1. Frames are {model.image_size} x {model.image_size} pixels, normalised with mean {mean} and "
        f"deviation {std}; maxi scales the short side to {short_side} (bilinear) and takes the "
        f"centre. The activation is {'QuickGELU' if model.config.get('quick_gelu') else 'GELU'}; 1 / sigma is "
        f"{float(model.scale().detach()):.4g}.{asked}"
    )


def _recipe(model: VideoCLIP) -> Iterator[tuple[str, object]]:
    """Yield what is known of how a model was made; nothing for one that maxi has not trained."""
    about = model.about
    started = about.get("started_from", {})
    if started:
        yield "started from", f"{short(started.get('name', ''))} (SHA-256 {started.get('identity', '')[:12]})"
    for key in ("data", "dictionary"):
        if about.get(key):
            place, bracket, rest = str(about[key]).partition(" (")
            yield key, short(place) + bracket + rest
    recipe = recipe_of(model)
    texts = recipe.get("sources", {}).get("texts")
    if texts is not None:
        yield "sources of texts", ", ".join(texts) or "none"
    settings = recipe.get("train", {"loss": about.get("loss")})
    yield from ((key, settings[key]) for key in TRAINED_WITH if settings.get(key) is not None)
    for key in ("step", "epoch", "recipe_sha256"):
        if about.get(key) is not None:
            yield key, about[key]
    if mixed := about.get("ensemble"):
        yield "mixed", f"{mixed['ratio']:g} of {short(str(mixed['original']))}, the rest of the trained one"
    yield "weights, SHA-256", model.identity


def recipe_of(model: VideoCLIP) -> Mapping[str, Any]:
    """Return the settled recipe of the run that a checkpoint lies in, {} where it is not there."""
    checkpoint = model.checkpoint
    if checkpoint is None or checkpoint.parent.name != CHECKPOINTS:
        return {}
    try:
        return tomllib.loads((checkpoint.parent.parent / RECIPE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _table(rows: Iterator[tuple[str, object]]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {_cell(value)} |" for key, value in rows)])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _scores(model: VideoCLIP, paths: Sequence[Path]) -> str:
    """Return a table of the scores in files of `maxi eval`, and of the validation while training."""
    rows = [f"| {name} | | {value:.4g} | while training |" for name, value in model.about.get("scores", {}).items()]
    for path in paths:
        for record in read_scores(path):
            if record.get("weights_sha256") != model.identity:
                raise UsageError(
                    f"{path} holds scores of other weights ({record['model']}) than '{model.name}' has",
                    f"type maxi eval {model.name} -b {record['benchmark']} first",
                )
            how = f"{counted(int(record.get('frames') or 0), 'frame')}, {record.get('views')}, `{record.get('prompt')}`"
            rows += [
                f"| {record['benchmark']} {record['split']} | {name} | {100 * value:.2f} | {how} |"
                for name, value in record["metrics"].items()
                if isinstance(value, int | float)
            ]
    return "\n".join(["| benchmark | metric | score | how |", "|---|---|---|---|", *rows]) if rows else "None given."


def _licence(licence: str) -> str:
    if licence != UNKNOWN:
        return f"{licence}, as whoever exported it says. The model that it began with and the videos have their own."
    return "Not said. The model that it began with and the videos have their own; name yours with `--license`."
