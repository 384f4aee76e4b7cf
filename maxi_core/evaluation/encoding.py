"""A model under a protocol: a video's views and class names in, features out, and all that these depend on."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from maxi_core.clip.device import autocast
from maxi_core.clip.model import VideoCLIP
from maxi_core.evaluation.protocol import Protocol
from maxi_core.prompts import fill
from maxi_core.video.frames import Pixels

logger = logging.getLogger("maxi")

CUT = "are too long for the model and were cut"
STRIPPED = "have the name of a special token in them, which was taken out"
Features = NDArray[np.float32]


def encode_views(model: VideoCLIP, protocol: Protocol, frames: Pixels) -> Features:
    """Return the features of one video's views, frames (T * C, H, W, 3) uint8 -> (V, D) of length 1.

    Each video goes through the model by itself, so nothing else changes a bit of a feature.
    """
    views = protocol.view(frames, model.image_size)  # (V, T, 3, S, S)
    with torch.inference_mode(), autocast(model.device, protocol.precision):
        features = model.encode_video(views)
    return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


def encode_names(model: VideoCLIP, protocol: Protocol, names: Sequence[str]) -> Features:
    """Return the features of class names in the prompt, (C, D) of length 1; logs a warning for those cut."""
    tokens = model.tokenize([fill(protocol.prompt, name) for name in names])
    for places, what in ((tokens.truncated, CUT), (tokens.stripped, STRIPPED)):
        if places:
            logger.warning("%d of %d class names %s: '%s'", len(places), len(names), what, names[places[0]])
    with torch.inference_mode():
        features = model.encode_text(tokens.ids)
    return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


def depends_on(model: VideoCLIP, protocol: Protocol) -> dict[str, object]:
    """Return all that a video's features depend on, besides the video and how it is decoded."""
    return {
        "weights": model.identity,
        "temporal": model.temporal and dict(model.temporal),
        "statistics": model.statistics,
        "image_size": model.image_size,
        "frames": protocol.frames,
        "views": protocol.views,
        "precision": protocol.precision,
        "device": model.device.type,
    }
