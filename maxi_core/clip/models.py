"""Models: what MODEL means on the command line, and one frozen object with all that belongs to a CLIP."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from maxi_core.clip.tokens import Tokens, tokenize
from maxi_core.errors import MaxiError, UsageError, nearest

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
LOCAL_DIR, HUB = "local-dir:", "hf-hub:"

Device = Literal["auto", "cpu", "cuda", "mps"]
Statistics = tuple[float, float, float]


@dataclass(frozen=True)
class Clip:
    """A CLIP in evaluation mode with its tokenizer and what its inputs must look like.

    `config` is open_clip's model_cfg; `image_size` in pixels, square; `mean` and `std` of RGB in 0..1; `width` is D,
    the length of a feature; `identity` is the SHA-256 of configuration and weights, whatever file they came from.
    """

    name: str
    model: nn.Module = field(repr=False)
    tokenizer: Any = field(repr=False)
    config: Mapping[str, Any] = field(repr=False)
    image_size: int
    mean: Statistics
    std: Statistics
    quick_gelu: bool
    width: int
    device: torch.device
    identity: str

    def tokenize(self, texts: list[str]) -> Tokens:
        """Return the tokens of texts (see `maxi_core.clip.tokens.tokenize`)."""
        return tokenize(self.tokenizer, texts)


def load_model(name: str, device: str = "auto") -> Clip:
    """Load the model that MODEL names: `ARCH/TAG` as open_clip has them, an export folder, or `sandbox`.

    A folder may also be written `local-dir:FOLDER`; it holds open_clip_config.json and open_clip_model.safetensors.
    Weights are in float32. Raises UsageError for a name or folder that is not right, for weights that want the other
    activation (QuickGELU or GELU) and for a device that is not there, MaxiError for weights that cannot be fetched.
    """
    where = pick_device(device)
    if name == "sandbox":
        from maxi_core import sandbox

        return _load(name, f"{LOCAL_DIR}{sandbox.clip_folder()}", None, where)
    folder = _folder(name)
    if folder is not None:
        return _load(name, f"{LOCAL_DIR}{_checked_folder(name, folder)}", None, where)
    arch, tag = _checked_names(name)
    return _load(name, arch, tag, where)


def pick_device(name: str) -> torch.device:
    """Return the torch device for `auto`, `cpu`, `cuda` (or `cuda:1`) or `mps`; auto prefers them in reverse order.

    Raises UsageError for one that this machine or this torch has not.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        why = str(error).partition("\n")[0]
        raise UsageError(f"device '{name}' cannot be used here: {why}", "type --device auto") from None
    return device


def identity_of(model: nn.Module, config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a model's configuration and weights, in hex: about 0.5 s for a ViT-B/16."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _folder(name: str) -> Path | None:
    """Return the folder that `name` means, or None if it is the name of an architecture."""
    if name.startswith(LOCAL_DIR):
        return Path(name.removeprefix(LOCAL_DIR)).expanduser()
    path = Path(name).expanduser()
    if path.is_dir() and name in _known():
        raise UsageError(f"'{name}' is a model of open_clip and also a folder here", f"type ./{name} for the folder")
    return path if path.exists() or name.startswith((".", "/", "~")) else None


def _checked_folder(name: str, folder: Path) -> Path:
    missing = [file for file in (CONFIG, WEIGHTS) if not (folder / file).is_file()]
    if not folder.is_dir():
        raise UsageError(f"model '{name}': there is no folder {folder}", "name an export folder or ARCH/TAG")
    if missing:
        raise UsageError(
            f"model '{name}' is a folder without {' and '.join(missing)}",
            "an export folder has both; it is no run or checkpoint that this maxi can load",
        )
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        assert isinstance(config["model_cfg"], dict)
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        raise UsageError(f"{folder / CONFIG} is no configuration of open_clip", "it needs a table model_cfg") from None
    return folder


def _known() -> list[str]:
    import open_clip

    return [f"{arch}/{tag}" for arch, tag in open_clip.list_pretrained()]


def _checked_names(name: str) -> tuple[str, str]:
    import open_clip

    if name.startswith(HUB):
        hub = name.removeprefix(HUB)
        raise UsageError(f"'{name}' is no MODEL of maxi", f"type `hf download {hub} --local-dir DIR`, then name DIR")
    arch, slash, tag = name.rpartition("/")
    if not slash:
        arch, tag = tag, ""
    if arch not in open_clip.list_models():  # asked for anything else, open_clip looks on the network
        fix = "type ARCH/TAG as open_clip names them, such as ViT-B-16-quickgelu/openai, a folder, or sandbox"
        near = nearest(name, [*_known(), "sandbox"]) or nearest(arch, open_clip.list_models())
        raise UsageError(f"no model '{name}'{near}: open_clip knows no architecture '{arch}'", fix)
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


def _load(name: str, source: str, tag: str | None, device: torch.device) -> Clip:
    import open_clip

    try:
        model = open_clip.create_model(source, pretrained=tag, precision="fp32", device="cpu", require_pretrained=True)
        tokenizer = open_clip.get_tokenizer(source)
    except Exception as error:  # open_clip, torch, safetensors and the hub each raise their own
        raise _unloadable(name, source, tag, error) from error
    config = open_clip.get_model_config(source)
    preprocess = open_clip.get_model_preprocess_cfg(model)
    size = preprocess["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UsageError(f"model '{name}' takes images of {height} x {width} pixels", "maxi crops squares: use another")
    identity = identity_of(model, config)
    return Clip(
        name=name,
        model=model.eval().to(device),
        tokenizer=tokenizer,
        config=config,
        image_size=height,
        mean=tuple(preprocess["mean"]),
        std=tuple(preprocess["std"]),
        quick_gelu=bool(config.get("quick_gelu", False)),
        width=config["embed_dim"],
        device=device,
        identity=identity,
    )


def _unloadable(name: str, source: str, tag: str | None, error: Exception) -> MaxiError:
    """Return the error, in one line, for a model that open_clip could not load."""
    import open_clip

    why = str(error).strip().partition("\n")[0].partition(". ")[0][:300]
    if tag is None:
        return UsageError(f"model '{name}' cannot be loaded: {why}", f"look at {CONFIG} and {WEIGHTS} in it")
    place = open_clip.get_pretrained_cfg(source, tag)
    hub = place.get("hf_hub", "").rstrip("/")
    if not hub:
        return MaxiError(f"the weights of '{name}' cannot be fetched from {place.get('url')}: {why}")
    return MaxiError(
        f"the weights of '{name}' are not here and cannot be fetched: {CONFIG} and {WEIGHTS} of {hub} ({why})",
        "unset HF_HUB_OFFLINE and go online, or bring them: `hf download "
        f"{hub} {CONFIG} {WEIGHTS} --local-dir DIR` elsewhere, then type local-dir:DIR as the model",
    )
