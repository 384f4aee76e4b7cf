"""Which program wrote a checkpoint, and what its weights are called in open_clip (docs/importing.md)."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maxi_core.clip.model_rules import COUNT, PREPROCESS, check
from maxi_core.errors import UsageError
from maxi_core.interop.pickles import Node, found
from maxi_core.interop.tensor_files import Lazies, Lazy, TensorFile

WRAPPERS = ("module.", "_orig_mod.", "model.", "clip_model.", "clip.")  # what programs put around a CLIP
OPENAI_NOTES = ("input_resolution", "context_length", "vocab_size")  # numbers beside the weights of an archive
KNOWN = "the table of weights is looked for under model, state_dict, model_state and model_state_dict"


@dataclass(frozen=True)
class Project:
    """Whose file it is, and what of it decides a score besides the weights.

    `protocol` is its evaluation as maxi has it by name, "" if it has none; `imagenet`, whether pixels are normalised as
    for ImageNet instead of the model's own way (None: unknown); `quick_gelu` its activation (None: that of the base);
    `frames` of a clip (None: unknown); `notes` what else its scores need or are not.
    """

    name: str
    protocol: str = ""
    imagenet: bool | None = False
    quick_gelu: bool | None = True
    frames: int | None = None
    notes: tuple[str, ...] = ()


# All that finetune OpenAI's CLIP with OpenAI's code compute QuickGELU, whatever the base says.
MIXED = "the paper's scores are of 0.2 original + 0.8 finetuned; unless this file is that mix: maxi ensemble BASE DIR"
NEIGHBOURS = "its attention sees the frames beside each, and maxi's does not: scores are not those of its authors"
MAXI = Project("the authors of MAXI", "maxi", imagenet=True, frames=16, notes=(MIXED,))
VIFI = Project("ViFi-CLIP", "vifi", imagenet=True, frames=32)
MAXI_OR_VIFI = Project(
    *("MAXI or ViFi-CLIP", "", True, True, None),
    ("which of the two is not in the file, and their frames differ (16, 32): type --protocol maxi or vifi",),
)
XCLIP = Project(
    *("X-CLIP", "", True, True, None),
    ("its prompts and its attention between frames are not CLIP's: scores of its CLIP part are not X-CLIP's",),
)
OPEN_VCLIP = Project(
    *("Open-VCLIP", "open-vclip", False, True, 8),
    ("its scores are of 0.5 original + 0.5 finetuned: maxi ensemble BASE DIR --ratio 0.5", NEIGHBOURS),
)
FROSTER = Project(
    *("FROSTER", "open-vclip", False, True, 8),
    ("its scores are with class names that a language model rephrased, and maxi's with the names", NEIGHBOURS),
)
ACTIONCLIP = Project(
    *("ActionCLIP", "", False, True, 8),
    ("its head over frames and its prompts are not maxi's: scores of its CLIP part are not ActionCLIP's",),
)
TACO = Project(
    *("TACO", "", None, True, 8),
    ("its normalisation and prompts are unknown: the model's own is taken; 8 frames and 3 views are published",),
)
EXPORTED = Project("maxi, for the authors' code")
OWN = "maxi"  # the key in `config` of such a file, and what stands under it
OWN_RULES = {"mean": PREPROCESS["mean"], "std": PREPROCESS["std"], "frames": COUNT}
OPENAI = Project("OpenAI", quick_gelu=True)
OPEN_CLIP = Project("open_clip", quick_gelu=None)
UNKNOWN = Project("an unknown program", imagenet=None, quick_gelu=None)


@dataclass(frozen=True)
class Layout:
    """A foreign checkpoint: its project, and its weights under the names that open_clip has for them.

    `dropped` are the names of tensors that are no weights of a CLIP by their place in the file; `first_token` is the
    embedding of the first token of a prompt, where the file has it, which tells its base from others.
    """

    project: Project
    weights: Lazies = field(repr=False)
    dropped: tuple[str, ...] = ()
    first_token: Lazy | None = field(default=None, repr=False)
    config: Mapping[str, Any] | None = None
    preprocess: Mapping[str, Any] | None = None
    tanh: frozenset[str] | None = None  # which of text_cfg and vision_cfg compute GELU by tanh; None: not said


def layout_of(file: TensorFile) -> Layout:
    """Return the layout of a file of PyTorch; raises UsageError if it holds no table of weights."""
    if file.scripted:
        weights = {key: value for key, value in file.parameters().items() if key not in OPENAI_NOTES}
        return Layout(OPENAI, _without_wrappers(file.path, weights))
    table, where = _table(file)
    weights = file.tensors(table)
    if not weights:
        raise UsageError(f"{file.path} holds no weights that maxi can find", KNOWN)
    return from_names(file.path, weights, where, file.content)


def from_names(path: Path, weights: Lazies, where: str = "", content: Any = None) -> Layout:
    """Return the layout of named tensors that stood under `where` in a file's `content`."""
    weights = _without_wrappers(path, weights)
    project = next(project for project, holds in PROJECTS if holds(set(weights), where, content))
    if found(content, "config", "MODEL", "USE_TEMP_ATTENTION") is not None:  # an option of the authors' code
        project = replace(project, notes=(*project.notes, NEIGHBOURS))
    preprocess = None
    if isinstance(own := found(content, "config", OWN), dict):
        said = {key: own[key] for key in OWN_RULES if own.get(key) is not None}
        check(path, f"config.{OWN}.", said, OWN_RULES)
        project, preprocess = replace(EXPORTED, frames=said.pop("frames", None)), said
    dropped = tuple(key for key in weights if key.startswith("prompt_learner."))
    named = {_openai(key): value for key, value in weights.items() if key not in dropped}
    first = weights.get("prompt_learner.complete_text_embeddings") or weights.get("prompt_learner.token_prefix")
    return Layout(project, named, dropped, first, preprocess=preprocess)


def _table(file: TensorFile) -> tuple[Any, str]:
    """Return the table of weights in a file, and the key that it stands under."""
    for key in ("model_state_dict", "model_state", "state_dict", "model"):
        if isinstance(inner := found(file.content, key), dict | Node) and file.tensors(inner):
            return inner, key
    return file.content, ""


def _without_wrappers(path: Path, weights: Lazies) -> dict[str, Lazy]:
    stripped: dict[str, Lazy] = {}
    for key, value in weights.items():
        bare = key
        while wrapper := next((one for one in WRAPPERS if bare.startswith(one)), ""):
            bare = bare.removeprefix(wrapper)
        if bare in stripped:
            raise UsageError(f"{path} holds two models, both with {bare[:80]}", "save the one that is wanted alone")
        stripped[bare] = value
    return stripped


def _openai(key: str) -> str:
    """Return a key of ViFi-CLIP's and the authors' model as CLIP has it."""
    if key.startswith("image_encoder."):
        return f"visual.{key.removeprefix('image_encoder.')}"
    return key.removeprefix("text_encoder.")


Holds = Callable[[set[str], str, Any], bool]


def _begins(*starts: str) -> Holds:
    return lambda keys, _where, _content: any(key.startswith(starts) for key in keys)


def _vifi(keys: set[str], _where: str, content: Any) -> bool:
    return any(key.startswith("image_encoder.") for key in keys) and found(content, "config", "DATA") is not None


def _maxi(keys: set[str], where: str, content: Any) -> bool:
    return _vifi(keys, where, content) and found(content, "config", "MODEL", "FUSE_WEIGHT_FOR_ORIGIN") is not None


def _xclip(keys: set[str], _where: str, _content: Any) -> bool:
    return any(key.startswith(("mit.", "prompts_generator.")) or ".message_" in key for key in keys)


def _taco(keys: set[str], where: str, content: Any) -> bool:
    more = found(content, "fusion_model_state_dict")
    names = {*keys, *(key for key in (more if isinstance(more, dict) else ()) if isinstance(key, str))}
    return where == "model_state_dict" and any("vision_proj" in key for key in names)


# The first whose marks a file has.
PROJECTS: tuple[tuple[Project, Holds], ...] = (
    (MAXI, _maxi),
    (VIFI, _vifi),
    (MAXI_OR_VIFI, _begins("image_encoder.")),
    (XCLIP, _xclip),
    (FROSTER, _begins("raw_model.", "projector_v.", "projector_t.")),
    (OPEN_VCLIP, lambda _keys, where, _content: where == "model_state"),
    (TACO, _taco),
    (ACTIONCLIP, lambda _keys, _where, content: found(content, "fusion_model_state_dict") is not None),
    (OPEN_CLIP, lambda _keys, where, content: where == "state_dict" and found(content, "epoch") is not None),
    (UNKNOWN, lambda _keys, _where, _content: True),
)


@dataclass(frozen=True)
class Fit:
    """How the weights of a file fit a model: those that are `mapped` by the model's names, and what is left over."""

    mapped: Lazies
    missing: tuple[str, ...]
    left_out: tuple[str, ...]


def fit(path: Path, layout: Layout, shapes: Mapping[str, tuple[int, ...]], base: str) -> Fit:
    """Return how a layout fits a model with weights of `shapes`; raises UsageError if it is another architecture.

    A file may lack whole parts of the model and have parts that the model has not; it may not have a part with another
    number of blocks, or tensors of another shape.
    """
    custom = any(key.startswith("text.") for key in shapes)  # open_clip has two ways to call the text tower
    named = {_custom(key, shapes) if custom else key.removeprefix("text."): one for key, one in layout.weights.items()}
    mapped = {key: value for key, value in named.items() if key in shapes}
    left_out, missing = sorted(named.keys() - shapes.keys()), sorted(shapes.keys() - named.keys())
    if not mapped:
        held = ", ".join(sorted(named)[:3])
        raise UsageError(f"nothing in {path} is a weight of {base}: it holds {held}, ...", "name a file of a CLIP")
    fix = "name the CLIP that it was finetuned from with --base"
    for key, value in mapped.items():
        if value.shape != shapes[key] and not _one(value.shape) == _one(shapes[key]) == 1:
            both = f"{key} is {list(value.shape)} there and {list(shapes[key])} here"
            raise UsageError(f"{path} is of another architecture than {base}: {both}", fix)
    ours, theirs = _patterns(shapes), _patterns(mapped)
    more = [key for key in left_out if _pattern(key) in ours]
    fewer = [key for key in missing if _pattern(key) in theirs]
    if more or fewer:
        said = f"it has {more[0]} too many" if more else f"it has no {fewer[0]}"
        raise UsageError(f"{path} is of another architecture than {base}: {said}", fix)
    return Fit(mapped, tuple(missing), (*left_out, *layout.dropped))


def _custom(key: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    return f"text.{key}" if f"text.{key}" in shapes else key


def _one(shape: tuple[int, ...]) -> int:
    return 1 if all(size == 1 for size in shape) else 0


def _pattern(key: str) -> str:
    return re.sub(r"\d+", "*", key)


def _patterns(keys: Iterable[str]) -> set[str]:
    """Return the names of what is numbered, without the numbers."""
    return {_pattern(key) for key in keys if any(map(str.isdigit, key.split(".")))}


def grouped(names: Iterable[str]) -> dict[str, int]:
    """Return how many names there are of each kind: those that differ only in numbers, by their first three parts."""
    counts: dict[str, int] = {}
    for name in names:
        kind = ".".join(_pattern(name).split(".")[: 5 if ".resblocks." in name else 2])
        counts[kind] = counts.get(kind, 0) + 1
    return counts
