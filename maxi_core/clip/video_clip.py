"""VideoCLIP: an open_clip model that takes whole videos, for training, evaluation and heatmaps (SPEC section 2)."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.image_tower import encode_images, encode_patches
from maxi_core.clip.models import Statistics
from maxi_core.clip.textual import encode_text
from maxi_core.clip.visual import normalise
from maxi_core.errors import UsageError
from maxi_core.temporal import tell_frames

SIGMA = 0.02  # where training starts (SPEC section 5)
SIGMA_FLOOR = 0.001  # never below
HIGHEST = 700.0  # a logarithm whose number still is one in float64

Pooling = Callable[[Tensor], Tensor]


def mean_over_frames(features: Tensor) -> Tensor:
    """Return the mean of frame features, (B, T, D) -> (B, D): the paper's pooling, without parameters."""
    return features.mean(dim=1)


class VideoCLIP(nn.Module):
    """A CLIP over videos: frame features, not normalised, pooled to one video feature of length 1, and text features.

    `clip` is any open_clip model with `visual`, `encode_text` and a scalar `logit_scale`. A vision transformer with a
    class token is computed by `image_tower`; ResNets, timm and attention-pooled towers are asked themselves, which is
    right and not faster. Frames are uint8 pixels, normalised here with `mean` and `std` of RGB in 0..1, or float and
    normalised already. `pooling` (B, T, D) -> (B, D) is what a temporal module's `attach` returned; one with parameters
    is a module and belongs to the weights. `checkpointing` recomputes the visual blocks in the backward pass.
    With `fixed_frames` the tower has been changed for clips of `frames` frames and takes no others, unless what changed
    it can be told of them (`maxi_core.temporal.tell_frames`).
    """

    def __init__(
        self,
        clip: nn.Module,
        *,
        mean: Statistics,
        std: Statistics,
        frames: int = 16,
        pooling: Pooling = mean_over_frames,
        checkpointing: bool = False,
        fixed_frames: bool = False,
    ) -> None:
        super().__init__()
        self.clip: Any = clip
        self.pooling = pooling
        self.frames = frames
        self.checkpointing = checkpointing
        self.fixed_frames = fixed_frames
        self.statistics = (mean, std)

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
        """Return video features, (B, T, 3, S, S) -> (B, D) float32 of length 1.

        Raises UsageError for another number of frames than the tower was changed for by a temporal module: it could not
        tell a video's frames from the next one's.
        """
        batch, count = frames.shape[:2]
        features = encode_images(self.visual, self._images(frames), checkpointing=self.checkpointing)  # (B * T, D)
        pooled = self.pooling(features.view(batch, count, -1))
        return functional.normalize(_exact(pooled), dim=-1)

    def encode_patches(self, frames: Tensor) -> Tensor:
        """Return patch features of length 1, (B, T, 3, S, S) -> (B, T, rows, columns, D) float32 (SPEC section 9)."""
        patches = encode_patches(self.visual, self._images(frames))
        patches = patches.view(*frames.shape[:2], *patches.shape[1:])
        return functional.normalize(_exact(patches), dim=-1)

    def encode_text(self, tokens: Tensor) -> Tensor:
        """Return text features, token ids (P, L) -> (P, D) float32 of length 1; L is the context length."""
        return functional.normalize(_exact(encode_text(self.clip, tokens)), dim=-1)

    def forward(self, frames: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return video features (B, D), text features (P, D) and the scale of their cosines: a step's whole work."""
        return self.encode_video(frames), self.encode_text(tokens), self.scale()

    def weights(self) -> dict[str, Tensor]:
        """Return the weights under the keys of a checkpoint: open_clip's own, and `temporal.` before the pooling's."""
        kept = {key: value.detach() for key, value in self.clip.state_dict().items()}
        if isinstance(self.pooling, nn.Module):
            kept |= {f"temporal.{key}": value.detach() for key, value in self.pooling.state_dict().items()}
        return kept

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """Take weights as `weights` returns them; raises ValueError that names keys that are missing or too many."""
        own = self.weights()
        missing, unexpected = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
        wrong = [key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape]
        if missing or unexpected or wrong:
            found = {"missing": missing, "unexpected": unexpected, "of another shape": sorted(wrong)}
            raise ValueError("; ".join(f"{_some(keys)} {what}" for what, keys in found.items() if keys))
        with torch.no_grad():
            for key, value in own.items():
                value.copy_(weights[key])

    def _images(self, frames: Tensor) -> Tensor:
        """Return frames (B, T, 3, S, S) as images (B * T, 3, S, S) on the model's device, normalised; tell T."""
        count, told = frames.shape[1], tell_frames(self.visual, frames.shape[1])
        if count != self.frames and self.fixed_frames and not told:
            raise UsageError(
                f"this model was set up for clips of {self.frames} frames, not {count}", "load it for them"
            )
        images = frames.flatten(0, 1).to(self.logit_scale.device, non_blocking=True)
        images = images if images.is_floating_point() else normalise(images, *self.statistics)
        return images.to(self.logit_scale.dtype)


def _exact(features: Tensor) -> Tensor:
    """Return features in float32, or in float64 if the model is."""
    return features if features.dtype == torch.float64 else features.float()


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
