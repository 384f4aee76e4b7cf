"""What MODEL means on the command line, the same in every command: found before anything is loaded."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.checkpoints import CHECKPOINTS, DONE, STATE, find_checkpoint, read_about
from maxi_core.clip.model_rules import check_model, own_file, read_table
from maxi_core.clip.tokens import BESIDE
from maxi_core.errors import UsageError, nearest
from maxi_core.plugin.world_paths import world_path, worlds_with
from maxi_core.system.remote import as_path
from maxi_core.system.urls import is_remote

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
HF_CONFIG = "config.json"
PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pyth", ".tar")
MODELS = f"a model is a folder with {CONFIG} and {WEIGHTS}, a checkpoint of maxi train, or ARCH/TAG"
IMPORT = "take it in with maxi import checkpoint"
LOCAL_DIR, HUB = "local-dir:", "hf-hub:"


@dataclass(frozen=True)
class FoundModel:
    """Where a MODEL is: an `architecture` of open_clip and its `tag`, an export `folder`, or a `checkpoint` folder.

    `config` is open_clip's model_cfg; of a folder, `preprocess` is its preprocess_cfg, and of a checkpoint `about` is
    its maxi.json. What a folder says is only what a model may (`model_rules`).
    """

    name: str
    architecture: str = ""
    tag: str = ""
    folder: Path | None = None
    checkpoint: Path | None = None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    preprocess: Mapping[str, Any] = field(default_factory=dict, repr=False)
    about: Mapping[str, Any] = field(default_factory=dict, repr=False)


def find_model(name: str, catalog: "Catalog | None" = None) -> FoundModel:
    """Find what MODEL names; raises UsageError for a name or folder that is not right. No weights are read.

    Names of worlds are those of `catalog`; without one, those of the installed plugins.
    """
    world = world_path(catalog, "clip", name)
    if world is not None:
        return _export(name, world)
    folder = _folder(name)
    if folder is None:
        return _of_open_clip(name, *_checked_names(name, catalog))
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        return _export(name, folder)
    about = read_about(checkpoint)
    return FoundModel(name, checkpoint=checkpoint, config=about["config"], preprocess=about["preprocess"], about=about)


def _folder(name: str) -> Path | None:
    """Return the folder that `name` means, or None if it is the name of an architecture; a remote one is copied."""
    if is_remote(name.removeprefix(LOCAL_DIR)):
        from maxi_core.system.remote_folders import copied

        return copied(as_path(name.removeprefix(LOCAL_DIR)), _of_model)
    if name.startswith(LOCAL_DIR):
        return Path(name.removeprefix(LOCAL_DIR)).expanduser()
    path = Path(name).expanduser()
    there, folder = os.path.exists(path), os.path.isdir(path)  # noqa: PTH110, PTH112 (pathlib refuses long names)
    if folder and name in _known():
        raise UsageError(f"'{name}' is a model of open_clip and also a folder here", f"type ./{name} for the folder")
    return path if there or name.startswith((".", "/", "~")) else None


def _of_model(names: Iterable[str]) -> list[str]:
    """Return what of a remote folder is wanted of a model: of a run its last checkpoint, and no state of training."""
    names = [name for name in names if f"/{STATE}/" not in f"/{name}"]
    whole = sorted(name.removesuffix(DONE) for name in names if re.fullmatch(f"{CHECKPOINTS}/[^/]+/{DONE}", name))
    last = whole[-1] if whole else ""
    return [name for name in names if any("/" not in name.removeprefix(part) for part in (last, f"{last}{BESIDE}/"))]


def _export(name: str, folder: Path) -> FoundModel:
    """Return what an export folder holds; raises UsageError unless it is whole and says only what it may."""
    missing = [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]
    if what := _other_kind(folder) if missing else "":
        raise UsageError(f"model '{name}' is {what}", MODELS if "a file, and" in what else f"{IMPORT} (or {MODELS})")
    if not folder.is_dir():
        raise UsageError(f"model '{name}': there is no folder {folder}", "name an export folder or ARCH/TAG")
    if missing:
        raise UsageError(f"model '{name}' is a folder without {' and '.join(missing)}", MODELS)
    own_file(folder, WEIGHTS)
    document = read_table(folder, CONFIG)
    config, preprocess = document.get("model_cfg"), document.get("preprocess_cfg")
    check_model(folder / CONFIG, config, preprocess)
    return FoundModel(name, folder=folder, config=document["model_cfg"], preprocess=preprocess or {})


def _other_kind(place: Path) -> str:
    """Return in words what a file or folder is that other programs write for models, "" if it is nothing known."""
    if place.is_file():
        if place.suffix == ".safetensors":
            return "a file of weights alone, without the configuration of their model"
        return f"a file of PyTorch ({place.suffix})" if place.suffix in PICKLES else "a file, and a model is a folder"
    if not place.is_dir():
        return ""
    pickles = sorted(path.name for path in place.iterdir() if path.suffix in PICKLES)
    if (place / HF_CONFIG).is_file():
        said = read_table(place, HF_CONFIG)
        kind = said.get("model_type") or next(iter(said.get("architectures") or ["unknown"]), "unknown")
        return f"a Hugging Face folder of a model of the kind {str(kind)[:40]!r}"
    return f"a folder of PyTorch files ({pickles[0]})" if pickles else ""


def _of_open_clip(name: str, architecture: str, tag: str) -> FoundModel:
    import open_clip

    return FoundModel(name, architecture, tag, config=open_clip.get_model_config(architecture))


def _known() -> list[str]:
    import open_clip

    return [f"{arch}/{tag}" for arch, tag in open_clip.list_pretrained()]


def _checked_names(name: str, catalog: "Catalog | None" = None) -> tuple[str, str]:
    import open_clip

    if name.startswith(HUB):
        hub = name.removeprefix(HUB)
        raise UsageError(f"'{name}' is no MODEL of maxi", f"type `hf download {hub} --local-dir DIR`, then name DIR")
    arch, slash, tag = name.rpartition("/")
    if not slash:
        arch, tag = tag, ""
    if arch not in open_clip.list_models():  # asked for anything else, open_clip looks on the network
        fix = "type ARCH/TAG as open_clip names them, such as ViT-B-16-quickgelu/openai, a folder, or a world's name"
        near = nearest(name, [*_known(), *worlds_with(catalog, "clip")]) or nearest(arch, open_clip.list_models())
        why = f"there is no folder of that name, and open_clip knows no architecture '{arch}'"
        raise UsageError(f"no model '{name}'{near}: {why}", fix)
    tags = open_clip.list_pretrained_tags_by_model(arch)
    plain = arch.removesuffix("-quickgelu")
    if arch != plain and open_clip.is_pretrained_cfg(plain, tag) and not open_clip.is_pretrained_cfg(arch, tag):
        raise UsageError(f"'{tag}' was trained with GELU and {arch} computes QuickGELU", f"type {plain}/{tag}")
    if not open_clip.is_pretrained_cfg(arch, tag):
        known = ", ".join(tags) or "none"
        what = f"no weights '{tag}' for {arch}{nearest(tag, tags)}" if tag else f"'{name}' names no weights"
        raise UsageError(what, f"type {arch}/TAG with one of the tags: {known}")
    weights_quick = bool(open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu"))
    if weights_quick and not open_clip.get_model_config(arch).get("quick_gelu"):
        right = f"type {arch}-quickgelu/{tag}"
        raise UsageError(f"'{tag}' was trained with QuickGELU and {arch} computes GELU", right)
    return arch, tag
