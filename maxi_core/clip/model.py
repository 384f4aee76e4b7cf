"""VideoCLIP: a CLIP over videos and all that belongs to it, for matching, training, evaluation and heatmaps."""

import hashlib
import json
import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.image_tower import Statistics, encode_images, encode_patches, normalise
from maxi_core.clip.pooling import (
    Pooling,
    bordered,
    check_learns,
    checked_images,
    exact,
    mean_over_frames,
    pooled,
)
from maxi_core.clip.textual import encode_text
from maxi_core.clip.tokens import Tokenizing, Tokens, tokenize
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.module_weights import weights_of
from maxi_core.plugin.roles import tell_frames
from maxi_core.texts import AND_MORE, counted, first_few

SIGMA = 0.02  # where training starts
SIGMA_FLOOR = 0.001  # never below
HIGHEST = 700.0  # a logarithm whose number still is one in float64
AT_ONCE = 64  # frames that go through the tower together where nothing is differentiated: bounds the memory

NOTHING: Mapping[str, Any] = MappingProxyType({})


class VideoCLIP(nn.Module):
    """A CLIP over videos: frame features, not normalised, pooled to one video feature of length 1, and text features.

    `clip` is any open_clip model with `visual`, `encode_text` and a scalar `logit_scale`; `config` its model_cfg. A
    vision transformer with a class token is computed by `image_tower`; ResNets, timm and attention-pooled towers are
    asked themselves, which is right and not faster. Frames are uint8 pixels, normalised here with `statistics`, mean
    and deviation of RGB in 0..1 (None: the model's own), or float and normalised already. `pooling` (B, T, D) -> (B, D)
    is what a temporal module's `attach` returned; one with parameters is a module and belongs to the weights.
    `checkpointing` recomputes the visual blocks in the backward pass. With `fixed_frames` the tower has been changed
    for clips of `frames` frames and takes no others, unless what changed it can be told of them
    (`maxi_core.plugin.roles.tell_frames`).

    What is known of it: `name` is MODEL as it was typed; `identity` the SHA-256 of configuration and weights as they
    were loaded, whatever file they came from; `tokenizer` is open_clip's, and `tokenizing` where it is from; `temporal`
    is {name, version, options} of the temporal module, its name as `dist:name`, or None: then the mean over frames is
    taken; `normalisation` is `model`, `imagenet` or, for a checkpoint, what it was trained with; `checkpoint` is its
    folder and `about` its maxi.json, None and {} for a model that maxi has not trained.
    """

    def __init__(
        self,
        clip: nn.Module,
        config: Mapping[str, Any] = NOTHING,
        *,
        name: str = "",
        identity: str = "",
        tokenizer: Any = None,
        tokenizing: Tokenizing | None = None,
        statistics: tuple[Statistics, Statistics] | None = None,
        normalisation: str = "model",
        frames: int = 16,
        pooling: Pooling = mean_over_frames,
        temporal: Mapping[str, Any] | None = None,
        fixed_frames: bool = False,
        checkpointing: bool = False,
        checkpoint: Path | None = None,
        about: Mapping[str, Any] = NOTHING,
    ) -> None:
        super().__init__()
        self.clip: Any = clip
        self.config = config
        self.name, self.identity = name, identity
        self.tokenizer, self.tokenizing = tokenizer, tokenizing or Tokenizing()
        self.statistics = statistics or own_statistics(clip)
        self.normalisation = normalisation
        self.frames, self.pooling, self.temporal = frames, pooling, temporal
        self.fixed_frames = fixed_frames
        self.checkpointing = checkpointing
        self.checkpoint, self.about = checkpoint, about
        self.image_size = _side(name, clip)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of training; batch norms of a tower that is not trained keep the statistics they have."""
        with self.guarded("when the mode of training was set"):
            super().train(mode)
        for tower in self.clip.children():
            if not any(parameter.requires_grad for parameter in tower.parameters()):
                for module in tower.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.logit_scale.device

    @property
    def width(self) -> int:
        """The length of a feature, D."""
        width: int = self.config["embed_dim"]
        return width

    def tokenize(self, texts: list[str]) -> Tokens:
        """Return the tokens of texts (see `maxi_core.clip.tokens.tokenize`)."""
        return tokenize(self.tokenizer, texts)

    @property
    def visual(self) -> Any:
        """The image tower."""
        return self.clip.visual

    @property
    def logit_scale(self) -> nn.Parameter:
        """The logarithm of 1 / sigma, learnable."""
        scale: nn.Parameter = self.clip.logit_scale
        return scale

    @property
    def sigma(self) -> float:
        """The temperature now, never below the floor."""
        return max(math.exp(min(-float(self.logit_scale.detach()), HIGHEST)), SIGMA_FLOOR)

    def set_sigma(self, sigma: float = SIGMA) -> None:
        """Put the temperature to `sigma`."""
        with torch.no_grad():
            self.logit_scale.fill_(-math.log(sigma))

    def floor_sigma(self, floor: float = SIGMA_FLOOR) -> None:
        """Lift the temperature to `floor` if it is below: called after each step of the optimizer."""
        with torch.no_grad():
            self.logit_scale.clamp_(max=-math.log(floor))

    def scale(self) -> Tensor:
        """Return 1 / sigma, differentiable: what cosines are multiplied with to become logits."""
        return self.logit_scale.exp()

    def encode_video(self, frames: Tensor) -> Tensor:
        """Return video features, (B, T, 3, S, S) -> (B, D) float32 of length 1, on the model's device.

        What has the shape (B, D) are features already, and comes back. Raises UsageError for another number of frames
        than the tower was changed for by a temporal module: it could not tell a video's frames from the next one's.
        """
        batch, count = frames.shape[:2]
        if frames.ndim == 2:
            return frames.to(self.logit_scale)
        images = self._images(frames)
        together = torch.is_grad_enabled() or self.fixed_frames  # a changed tower needs all frames of a video
        parts = [images] if together else torch.split(images, AT_ONCE)
        features = torch.cat([self._encode_images(part) for part in parts])
        videos = exact(self.pool(features.view(batch, count, -1)))  # (B * T, D) -> (B, T, D) -> (B, D)
        return functional.normalize(videos, dim=-1)

    def pool(self, features: Tensor) -> Tensor:
        """Return the video features that the pooling makes of frame features, (B, T, D) -> (B, D).

        Raises PluginError that names the temporal module where they are none.
        """
        made = pooled(self._module, self.pooling, features)
        if self.temporal and self.training:
            check_learns(self._module, "video", made, (self.visual, self.pooling))
        return made

    def guarded(self, when: str) -> AbstractContextManager[None]:
        """Return the context for work in what a temporal module may have changed; PluginErrors in it name the module.

        Without a temporal module, whatever is raised stays what it is.
        """
        return bordered(self._module, when) if self.temporal else nullcontext()

    @property
    def _module(self) -> str:
        return str((self.temporal or {}).get("name", "pooling"))

    @property
    def with_module(self) -> str:
        """` with the temporal module 'x'`, for a message of its video features; "" for the mean over frames."""
        return f" with the temporal module '{self.temporal['name']}'" if self.temporal else ""

    def encode_patches(self, frames: Tensor) -> Tensor:
        """Return patch features of length 1, (B, T, 3, S, S) -> (B, T, rows, columns, D) float32."""
        images = self._images(frames)
        with self.guarded("when the frames were encoded"):
            patches = encode_patches(self.visual, images)
        patches = patches.view(*frames.shape[:2], *patches.shape[1:])
        return functional.normalize(exact(patches), dim=-1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Return text features, token ids (P, L) -> (P, D) float32 of length 1; L is the context length."""
        return functional.normalize(exact(encode_text(self.clip, tokens)), dim=-1)

    def forward(self, frames: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return video features (B, D), text features (P, D) and the scale of their cosines: a step's whole work."""
        return self.encode_video(frames), self.encode_text(tokens), self.scale()

    def weights(self) -> dict[str, Tensor]:
        """Return the weights under the keys of a checkpoint: open_clip's own, and `temporal.` before the pooling's.

        Raises PluginError that names the temporal module where they cannot be had, or are no tensors.
        """
        kept = weights_of(self._module, "the encoder", self.clip) if self.temporal else self.clip.state_dict()
        if isinstance(self.pooling, nn.Module):
            own = weights_of(self._module, "its pooling", self.pooling)
            kept = {**kept, **{f"temporal.{key}": value for key, value in own.items()}}
        return {key: value.detach() for key, value in kept.items()}

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Take weights as `weights` returns them; raises ValueError that names keys that are missing or too many."""
        own = self.weights()
        missing, unexpected = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
        wrong = [key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape]
        if missing or unexpected or wrong:
            found = {"missing": missing, "unexpected": unexpected, "of another shape": sorted(wrong)}
            said = (f"{first_few(keys, rest=AND_MORE)} {what}" for what, keys in found.items() if keys)
            raise ValueError("; ".join(said))
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(weights[key])

    def _encode_images(self, images: Tensor) -> Tensor:
        """Return the features of images, (n, 3, S, S) -> (n, D)."""
        with self.guarded("when the frames were encoded"):
            features: Tensor = encode_images(self.visual, images, checkpointing=self.checkpointing)
        if self.temporal:
            features = checked_images(self._module, features, images, self.config.get("embed_dim"))
            if self.training:
                check_learns(self._module, "image", features, (self.visual,))
        return features

    def _images(self, frames: Tensor) -> Tensor:
        """Return frames (B, T, 3, S, S) as images (B * T, 3, S, S) on the model's device, normalised; tell T."""
        count = frames.shape[1]
        with self.guarded(f"when it was told that videos have {counted(count, 'frame')}"):
            told = tell_frames(self.visual, count)
        if count != self.frames and self.fixed_frames and not told:
            raise UsageError(
                f"this model was set up for clips of {counted(self.frames, 'frame')}, not {count}", "load it for them"
            )
        images = frames.flatten(0, 1).to(self.device, non_blocking=True)
        images = images if images.is_floating_point() else normalise(images, *self.statistics)
        return images.to(self.logit_scale.dtype)


def own_statistics(clip: nn.Module) -> tuple[Statistics, Statistics]:
    """Return mean and deviation of RGB in 0..1 that an open_clip model says its pixels are normalised with."""
    import open_clip

    said = open_clip.get_model_preprocess_cfg(clip)
    return tuple(said["mean"]), tuple(said["std"])


def identity_of(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of weights by name and of a configuration, in hex: about 0.5 s for a ViT-B/16."""
    digest = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    for name, tensor in sorted(weights.items()):
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def check_finite(name: str, weights: Mapping[str, Tensor], what: str = "weights") -> None:
    """Raise MaxiError that names the model and the first tensors in which a number is NaN or infinite."""
    broken = [key for key, value in weights.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if broken:
        some = first_few(broken, rest=AND_MORE)
        raise MaxiError(f"the {what} of '{name}' hold NaN or infinite numbers: {some}", "name another model")


def _side(name: str, clip: nn.Module) -> int:
    """Return the pixels of the square that a model takes; raises UsageError for another shape."""
    import open_clip

    size = open_clip.get_model_preprocess_cfg(clip)["size"]
    height, width = (size, size) if isinstance(size, int) else size
    if height != width:
        raise UsageError(f"model '{name}' takes images of {height} x {width} pixels", "maxi crops squares: use another")
    return int(height)
