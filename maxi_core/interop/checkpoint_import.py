"""`maxi import checkpoint`: a checkpoint of another program becomes one of maxi's (docs/importing.md)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.checkpoints import SCHEMA, build, complete
from maxi_core.clip.image_tower import IMAGENET
from maxi_core.clip.model_rules import PREPROCESS, check, check_model, own_file, read_table
from maxi_core.clip.naming import CONFIG, HF_CONFIG
from maxi_core.clip.temporal_record import temporal_of
from maxi_core.clip.timm_tower import timm_tanh
from maxi_core.clip.tokens import Tokenizing, of_folder
from maxi_core.errors import UsageError
from maxi_core.interop.layouts import NEIGHBOURS, OPEN_CLIP, Fit, Layout, fit, from_names, layout_of
from maxi_core.interop.tensor_files import Lazies, read_safetensors, read_torch
from maxi_core.interop.transformers_names import from_transformers
from maxi_core.system.files import check_replaceable, sha256_of
from maxi_core.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

    from maxi_core.clip.model import VideoCLIP
    from maxi_core.plugin.catalog import Catalog

OPENAI_VOCABULARY = 49408  # of the tokenizer that open_clip brings
FRAMES = 16  # where a project's are unknown: the paper's
SAFE, TORCH = ".safetensors", (".bin", ".pt", ".pth", ".pyth", ".ckpt")
INDEX = ".index.json"  # of weights in several files
FOLDER_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin", "model.safetensors", "pytorch_model.bin")
TIMM = "its image tower computes GELU {}, and the base's, of timm, {}: features differ a little"
TOLERANCE = 0.01  # of the first token's embedding, which float16 rounds


@dataclass(frozen=True)
class Base:
    """What a checkpoint is put into: open_clip's configuration, and the weights for what the file lacks, if any."""

    name: str
    config: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    tokenizing: Tokenizing
    shapes: Mapping[str, tuple[int, ...]]
    weights: "Mapping[str, Tensor]"
    identity: str = ""
    timm_tanh: bool | None = None  # whether its image tower of timm computes GELU by tanh; None: it has no such tower


@dataclass(frozen=True)
class Imported:
    """What was imported, and how: the folder, the layout, how it fitted, and what its maxi.json says of it."""

    folder: Path
    layout: Layout
    fit: Fit
    about: Mapping[str, Any]


def import_checkpoint(
    source: Path,
    out: Path,
    base: str | None = None,
    *,
    protocol: str | None = None,
    overwrite: bool = False,
    catalog: "Catalog | None" = None,
) -> Imported:
    """Read a checkpoint of another program and write it to `out` as one of maxi's, whole or not at all.

    `source` is a file or folder; `base` the MODEL that it was finetuned from, which gives what it lacks (None: it has
    all and says what it is). Nothing in it is run. `protocol` is the evaluation that `maxi eval` takes for it (None:
    its project's). Raises UsageError for what is no checkpoint, is unsafe, or does not fit its base.
    """
    from maxi_core.clip.model import check_finite
    from maxi_core.training.checkpoint import write_checkpoint

    check_replaceable(out)
    if out.exists() and not overwrite and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there already", "name another --out, or add --overwrite")
    if overwrite and out.exists() and not complete(out):
        raise UsageError(f"{out} is no checkpoint, and is not removed", "name another --out")
    layout = read_checkpoint(source)
    found = _of_model(base, catalog) if base else _of_itself(source, layout)
    fitted = fit(source, layout, found.shapes, found.name)
    _check_base(source, layout, fitted, found)
    weights = {key: _as(fitted.mapped[key], found.shapes[key]) for key in found.shapes if key in fitted.mapped}
    weights |= {key: found.weights[key] for key in fitted.missing}
    check_finite(str(source), weights)
    about = _about(source, layout, fitted, found, protocol) | {"temporal": temporal_of(layout.project.name, catalog)}
    if about["temporal"]:
        about["imported"]["notes"] = [note for note in about["imported"]["notes"] if note != NEIGHBOURS]
    write_checkpoint(out, {key: weights[key] for key in found.shapes}, about, tokenizer=found.tokenizing.files)
    return Imported(out, layout, fitted, about)


def read_checkpoint(source: Path) -> Layout:
    """Return the layout of a checkpoint file or folder of other programs; raises UsageError for others."""
    if not source.exists():
        raise UsageError(f"there is no checkpoint at {source}", "correct the path")
    if not source.is_dir() and not source.is_file():
        raise UsageError(f"{source} is no ordinary file", "name a .pt, .pth, .bin or .safetensors file, or a folder")
    if not source.is_dir():
        return _of_file(source)
    if (source / CONFIG).is_file():
        document = read_table(source, CONFIG)
        check_model(source / CONFIG, document.get("model_cfg"), document.get("preprocess_cfg"))
        layout = _of_file(_weights_in(source)[0])
        return replace(
            layout, project=OPEN_CLIP, config=document["model_cfg"], preprocess=document.get("preprocess_cfg")
        )
    if (source / HF_CONFIG).is_file():
        weights: dict[str, Any] = {}
        for file in _weights_in(source):
            weights |= _named(file)
        return from_transformers(source, read_table(source, HF_CONFIG), weights, _preprocess(source))
    raise UsageError(
        f"{source} is a folder without {CONFIG} and {HF_CONFIG}", "name the file of weights in it, with --base"
    )


def _of_file(path: Path) -> Layout:
    return from_names(path, read_safetensors(path)) if path.suffix == SAFE else layout_of(read_torch(path))


def _named(path: Path) -> Lazies:
    if path.suffix == SAFE:
        return read_safetensors(path)
    file = read_torch(path)
    return file.tensors(file.content)


def _weights_in(folder: Path) -> list[Path]:
    """Return the files of weights in a folder: the one that is called as its program calls it, or the parts of one."""
    for name in FOLDER_FILES:
        if (folder / name).is_file():
            return [own_file(folder, name)]
        if (folder / f"{name}{INDEX}").is_file():
            parts = read_table(folder, f"{name}{INDEX}").get("weight_map")
            if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
                raise UsageError(f"{folder / name}{INDEX} names no files", "fetch the folder again")
            return [own_file(folder, part) for part in sorted(set(parts.values()))]
    others = sorted(path for path in folder.iterdir() if path.suffix in (SAFE, *TORCH))
    if len(others) != 1:
        held = ", ".join(path.name for path in others[:3]) or "no weights"
        raise UsageError(f"{folder} holds {held}", f"it needs one of {', '.join(FOLDER_FILES)}, or one other file")
    return others


def _preprocess(folder: Path) -> dict[str, Any] | None:
    """Return open_clip's preprocess_cfg for a folder of transformers, None if it says nothing of its images."""
    if not (folder / "preprocessor_config.json").is_file():
        return None
    said = read_table(folder, "preprocessor_config.json")
    known = {"mean": said.get("image_mean"), "std": said.get("image_std")}
    known = {key: value for key, value in known.items() if value is not None}
    check(folder / "preprocessor_config.json", "image_", known, PREPROCESS)
    return known or None


def _of_model(name: str, catalog: "Catalog | None") -> Base:
    """Return the base that `--base` names, with its weights."""
    from maxi_core.clip.loading import load_model

    model: VideoCLIP = load_model(name, "cpu", catalog=catalog)
    if model.temporal is not None:
        raise UsageError(f"'{name}' has the temporal module '{model.temporal['name']}'", "name a plain CLIP as --base")
    weights = model.weights()
    return Base(
        f"'{name}'", model.config, _said(model.clip), model.tokenizing,
        {key: tuple(value.shape) for key, value in weights.items()}, weights, model.identity, timm_tanh(model.visual),
    )  # fmt: skip


def _of_itself(source: Path, layout: Layout) -> Base:
    """Return the base that a checkpoint describes itself; raises UsageError if it does not, or lacks weights."""
    config = layout.config or _openai_config(layout.weights)
    if config is None:
        raise UsageError(
            f"{source} does not say all of its model", "name the CLIP that it was finetuned from with --base"
        )
    preprocess = dict(layout.preprocess or {})
    check_model(source, config, preprocess)
    tokenizing = of_folder(source, config) if source.is_dir() and (source / CONFIG).is_file() else Tokenizing()
    vocabulary = config["text_cfg"].get("vocab_size")
    if not config["text_cfg"].get("hf_tokenizer_name") and vocabulary != OPENAI_VOCABULARY:
        raise UsageError(f"{source} reads {vocabulary} tokens, and CLIP's tokenizer has others", "name a --base")
    try:
        clip = build(config, preprocess)
    except Exception as error:  # open_clip, torch and timm each raise their own
        why = " ".join(str(error).split())[:200]
        raise UsageError(f"{source}: its model cannot be made: {why}", "name a --base") from None
    shapes = {key: tuple(value.shape) for key, value in clip.state_dict().items()}
    held = {key.removeprefix("text.") for key in layout.weights}
    if lacking := [key for key in shapes if key.removeprefix("text.") not in held]:
        raise UsageError(f"{source} lacks {lacking[0]} and {len(lacking) - 1} more", "name its base with --base")
    return Base("its own architecture", config, _said(clip), tokenizing, shapes, {})


def _said(clip: Any) -> dict[str, Any]:
    import open_clip

    return dict(open_clip.get_model_preprocess_cfg(clip))


def _openai_config(weights: Lazies) -> dict[str, Any] | None:
    """Return open_clip's model_cfg for a whole CLIP with a vision transformer under OpenAI's names, None for others.

    OpenAI's heads are 64 wide in every one of its vision transformers and text towers.
    """
    needed = {"visual.conv1.weight": 4, "visual.positional_embedding": 2, "text_projection": 2}
    needed |= {"token_embedding.weight": 2, "positional_embedding": 2}
    if not all(key in weights and len(weights[key].shape) == dimensions for key, dimensions in needed.items()):
        return None
    width, _, patch, _ = weights["visual.conv1.weight"].shape
    places, _ = weights["visual.positional_embedding"].shape
    text_width, embed = weights["text_projection"].shape
    return {
        "embed_dim": embed,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": patch * round(max(places - 1, 0) ** 0.5),
            "patch_size": patch,
            "width": width,
            "layers": _blocks(weights, "visual.transformer.resblocks."),
        },
        "text_cfg": {
            "context_length": weights["positional_embedding"].shape[0],
            "vocab_size": weights["token_embedding.weight"].shape[0],
            "width": text_width,
            "heads": max(1, text_width // 64),
            "layers": _blocks(weights, "transformer.resblocks."),
        },
    }


def _blocks(weights: Lazies, prefix: str) -> int:
    return len({key.removeprefix(prefix).partition(".")[0] for key in weights if key.startswith(prefix)})


def _check_base(source: Path, layout: Layout, fitted: Fit, base: Base) -> None:
    """Raise UsageError if the file shows that it was finetuned from another CLIP than its base."""
    fix = "name the CLIP that it was finetuned from with --base"
    if layout.project.quick_gelu and not base.config.get("quick_gelu"):
        raise UsageError(f"{source} is of {layout.project.name}, with QuickGELU, and {base.name} computes GELU", fix)
    table = "text.token_embedding.weight" if "text.token_embedding.weight" in base.shapes else "token_embedding.weight"
    first = layout.first_token
    if first is None or table not in fitted.missing or len(first.shape) != 3 or 0 in first.shape:
        return
    ours = base.weights[table][base.config["text_cfg"].get("vocab_size", OPENAI_VOCABULARY) - 2].float()
    theirs = first.read()[0, 0].float()
    if ours.shape != theirs.shape or float((ours - theirs).abs().max()) > TOLERANCE * float(ours.abs().max()):
        raise UsageError(f"{source} was finetuned from another CLIP than {base.name}: its token embeddings differ", fix)


def _as(one: Any, shape: tuple[int, ...]) -> "Tensor":
    tensor: Tensor = one.read()
    return (tensor.float() if tensor.is_floating_point() else tensor).reshape(shape)


def _about(source: Path, layout: Layout, fitted: Fit, base: Base, protocol: str | None) -> dict[str, Any]:
    """Return the maxi.json of an import: what any checkpoint says, and where it is from."""
    project = layout.project
    quick = base.config.get("quick_gelu", False) if project.quick_gelu is None else project.quick_gelu
    own = {**base.preprocess, **(layout.preprocess or {})}
    timm, towers, notes = "timm_model_name" in base.config["vision_cfg"], {}, list(project.notes)
    if timm and layout.tanh is not None and ("vision_cfg" in layout.tanh) is not base.timm_tanh:
        notes.append(TIMM.format(*(("by tanh", "exactly") if "vision_cfg" in layout.tanh else ("exactly", "by tanh"))))
    by_tanh = layout.tanh or frozenset()
    for key in () if layout.tanh is None else ("text_cfg",) if timm else ("text_cfg", "vision_cfg"):
        asked = {"approximate": "tanh"} if key in by_tanh else {}
        if asked != (base.config[key].get("act_kwargs") or {}):
            towers[key] = {**base.config[key], "act_kwargs": asked}
    mean, std = IMAGENET if project.imagenet else (own["mean"], own["std"])
    return {
        "schema": SCHEMA,
        "maxi": __version__,
        "started_from": {"name": base.name.strip("'"), "identity": base.identity} if base.identity else {},
        "config": {**base.config, **towers, "quick_gelu": bool(quick)},
        "preprocess": own,
        "tokenizer": base.tokenizing.record,
        "quick_gelu": bool(quick),
        "normalisation": "imagenet" if project.imagenet else "model",
        "mean": list(mean),
        "std": list(std),
        "frames": project.frames or FRAMES,
        "protocol": protocol or project.protocol or None,
        "imported": {
            "file": source.name,
            "sha256": sha256_of(source) if source.is_file() else None,
            "project": project.name,
            "mapped": len(fitted.mapped),
            "missing": list(fitted.missing),
            "left_out": list(fitted.left_out),
            "notes": notes,
        },
    }
