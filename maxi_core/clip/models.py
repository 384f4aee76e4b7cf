"""Models: one frozen object with all that belongs to a CLIP, loaded from wherever MODEL says (`naming`)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from maxi_core.clip.checkpoints import ABOUT, build, read_weights
from maxi_core.clip.model_files import own_file
from maxi_core.clip.naming import CONFIG, WEIGHTS, Found, find_model
from maxi_core.clip.tokenizers import Tokenizing, of_architecture, of_checkpoint, of_folder
from maxi_core.clip.tokens import Tokens, tokenize
from maxi_core.errors import MaxiError, UsageError

if TYPE_CHECKING:
    from maxi_core.plugins import Catalog

Device = Literal["auto", "cpu", "cuda", "mps"]
Statistics = tuple[float, float, float]


@dataclass(frozen=True)
class Clip:
    """A CLIP in evaluation mode with its tokenizer and what its inputs must look like.

    `config` is open_clip's model_cfg; `image_size` in pixels, square; `mean` and `std` of RGB in 0..1; `width` is D,
    the length of a feature; `identity` is the SHA-256 of configuration and weights, whatever file they came from;
    `tokenizing` is where the tokenizer is from.
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
    tokenizing: Tokenizing = field(default_factory=Tokenizing, repr=False)

    def tokenize(self, texts: list[str]) -> Tokens:
        """Return the tokens of texts (see `maxi_core.clip.tokens.tokenize`)."""
        return tokenize(self.tokenizer, texts)


def load_model(name: str, device: str = "auto", catalog: "Catalog | None" = None) -> Clip:
    """Load the model that MODEL names: `ARCH/TAG` as open_clip has them, an export folder, a checkpoint or a world.

    An export folder holds open_clip_config.json and open_clip_model.safetensors and may also be written
    `local-dir:FOLDER`; the folder of a training run is its last complete checkpoint. Weights are in float32. Raises
    UsageError for a name or folder that is not right, for weights that want the other activation (QuickGELU or GELU),
    for a checkpoint with a temporal module (`maxi_core.clip.loading` has those) and for a device that is not there,
    MaxiError for weights that cannot be fetched.
    """
    found = find_model(name, catalog)
    clip = load_bare(found, device)
    if found.checkpoint is None:
        return clip
    if found.about["temporal"] is not None:
        module = found.about["temporal"]["name"]
        raise UsageError(f"'{name}' has the temporal module '{module}', which matching does not use", "name another")
    try:
        clip.model.load_state_dict(read_weights(found.checkpoint))
    except RuntimeError as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError(f"the weights of '{name}' do not fit its model: {why}", "name another checkpoint") from None
    return replace(clip, identity=identity_of(clip.model, clip.config))


def load_bare(found: Found, device: str = "auto") -> Clip:
    """Load what was found; a checkpoint's model without its weights, which need its temporal module first."""
    where = pick_device(device)
    if found.checkpoint is None:
        return _load(found, where)
    about, path = found.about, found.checkpoint / ABOUT
    tokenizing = of_checkpoint(found.checkpoint, path, about.get("tokenizer"), found.config)
    try:
        model, tokenizer = build(found.config, found.preprocess), tokenizing.make(found.config["text_cfg"])
    except Exception as error:  # open_clip and the hub each raise their own
        raise UsageError(f"the model of '{found.name}' cannot be made: {_why(error)}", f"look at {path}") from error
    statistics = tuple(about["mean"]), tuple(about["std"])
    return _clip(found.name, model, (tokenizing, tokenizer), found.config, statistics, where, "")


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
    return identity_of_weights(model.state_dict(), config)


def identity_of_weights(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of weights by name and of a configuration, in hex."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _load(found: Found, device: torch.device) -> Clip:
    """Load a model that maxi has not trained: an export folder's or, by name, one of open_clip's own."""
    import open_clip

    if found.folder is None:
        config, tokenizing = open_clip.get_model_config(found.architecture), of_architecture(found.architecture)
    else:
        config, tokenizing = found.config, of_folder(found.folder, found.config)
    try:
        if found.folder is None:
            model = open_clip.create_model(
                found.architecture, pretrained=found.tag, precision="fp32", device="cpu", require_pretrained=True
            )
        else:
            model = build(found.config, found.preprocess, own_file(found.folder, WEIGHTS))
        tokenizer = tokenizing.make(config["text_cfg"])
    except Exception as error:  # open_clip, torch, safetensors and the hub each raise their own
        raise _unloadable(found, error) from error
    preprocess = open_clip.get_model_preprocess_cfg(model)
    statistics = tuple(preprocess["mean"]), tuple(preprocess["std"])
    return _clip(found.name, model, (tokenizing, tokenizer), config, statistics, device, identity_of(model, config))


def _clip(
    name: str,
    model: nn.Module,
    tokenizer: tuple[Tokenizing, Any],
    config: Mapping[str, Any],
    statistics: tuple[Statistics, Statistics],
    device: torch.device,
    identity: str,
) -> Clip:
    import open_clip

    size = open_clip.get_model_preprocess_cfg(model)["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UsageError(f"model '{name}' takes images of {height} x {width} pixels", "maxi crops squares: use another")
    return Clip(
        name=name,
        model=model.eval().to(device),
        tokenizer=tokenizer[1],
        config=config,
        image_size=height,
        mean=statistics[0],
        std=statistics[1],
        quick_gelu=bool(config.get("quick_gelu", False)),
        width=config["embed_dim"],
        device=device,
        identity=identity,
        tokenizing=tokenizer[0],
    )


def _why(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _unloadable(found: Found, error: Exception) -> MaxiError:
    """Return the error, in one line, for a model that open_clip could not load."""
    import open_clip

    name, why = found.name, _why(error).partition(". ")[0]
    if found.folder is not None:
        return UsageError(f"model '{name}' cannot be loaded: {why}", f"look at {CONFIG} and {WEIGHTS} in it")
    place = open_clip.get_pretrained_cfg(found.architecture, found.tag)
    hub = place.get("hf_hub", "").rstrip("/")
    if not hub:
        return MaxiError(f"the weights of '{name}' cannot be fetched from {place.get('url')}: {why}")
    return MaxiError(
        f"the weights of '{name}' are not here and cannot be fetched: {CONFIG} and {WEIGHTS} of {hub} ({why})",
        "unset HF_HUB_OFFLINE and go online, or bring them: `hf download "
        f"{hub} {CONFIG} {WEIGHTS} --local-dir DIR` elsewhere, then type local-dir:DIR as the model",
    )
