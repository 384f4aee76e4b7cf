"""A loaded model under a protocol: videos and class names in, features out, and all that its features depend on."""

import logging
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maxi_core.clip.loading import Loaded
from maxi_core.evaluation.protocol import Protocol
from maxi_core.prompts import fill
from maxi_core.video.sampling import Sampling

logger = logging.getLogger("maxi")

CUT = "are too long for the model and were cut"
STRIPPED = "have the name of a special token in them, which was taken out"
Features = NDArray[np.float32]


class Encoder:
    """One model in an evaluation. Each video goes through it by itself, so nothing else changes a bit of a feature."""

    def __init__(self, loaded: Loaded, protocol: Protocol) -> None:
        self.loaded, self.protocol = loaded, protocol

    @property
    def name(self) -> str:
        """MODEL as it was typed."""
        return self.loaded.clip.name

    @property
    def sampling(self) -> Sampling:
        """The frames that it wants of each video, in its own size."""
        return replace(self.protocol.sampling(), side=self.protocol.side(self.loaded.clip.image_size))

    @property
    def scale(self) -> float:
        """What cosines are multiplied with to become logits."""
        return 1 / self.loaded.model.sigma

    def about(self) -> dict[str, object]:
        """Return all that a video feature depends on, besides the video and how it is decoded."""
        protocol = self.protocol
        return {
            "weights": self.loaded.clip.identity,
            "temporal": self.loaded.temporal and dict(self.loaded.temporal),
            "statistics": self.loaded.model.statistics,
            "image_size": self.loaded.clip.image_size,
            "frames": protocol.frames,
            "views": protocol.views,
            "precision": protocol.precision,
            "device": self.loaded.clip.device.type,
        }

    def encode_video(self, views: Tensor) -> Features:
        """Return the features of one video's views, (V, T, 3, S, S) uint8 -> (V, D) of length 1."""
        with torch.inference_mode(), _autocast(self.loaded.clip.device, self.protocol.precision):
            features = self.loaded.model.encode_video(views)
        return np.asarray(features.float().cpu().numpy(), dtype=np.float32)

    def encode_names(self, names: Sequence[str]) -> Features:
        """Return the features of class names in the prompt, (C, D) of length 1; logs a warning for those cut."""
        tokens = self.loaded.clip.tokenize([fill(self.protocol.prompt, name) for name in names])
        for places, what in ((tokens.truncated, CUT), (tokens.stripped, STRIPPED)):
            if places:
                logger.warning("%d of %d class names %s: '%s'", len(places), len(names), what, names[places[0]])
        with torch.inference_mode():
            features = self.loaded.model.encode_text(tokens.ids)
        return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


def _autocast(device: torch.device, precision: str) -> Any:
    return torch.autocast(device.type, torch.bfloat16) if precision == "amp_bf16" else nullcontext()
