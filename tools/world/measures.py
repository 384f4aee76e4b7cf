"""How good the sandbox's models are at what they see: the numbers that training stops at and that gates are set on."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from maxi_sandbox.actions import gerund
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import THINGS
from tools.world.clip_training import Vocabulary, pixels
from tools.world.stills import Still

if TYPE_CHECKING:
    from maxi_core.clip.model import VideoCLIP

PROMPT = "a photo of a {}."
FRAMES = 8


def named_accuracy(model: Any, vocabulary: Vocabulary, stills: Sequence[Still]) -> tuple[float, float]:
    """Return how often a CLIP in training names the verb (of all motions) and the thing of single stills."""
    model.eval()
    with torch.no_grad():
        seen = model.encode_image(pixels(stills), normalize=True)
        shares = []
        for names, texts, truth in (
            (list(MOTIONS), [gerund(verb) for verb in MOTIONS], [one.verb for one in stills]),
            (list(THINGS), list(THINGS), [one.thing for one in stills]),
        ):
            said = model.encode_text(vocabulary([PROMPT.format(text) for text in texts]), normalize=True)
            best = (seen @ said.T).argmax(1).tolist()
            shares.append(sum(names[row] == name for row, name in zip(best, truth, strict=True)) / len(truth))
    model.train()
    return shares[0], shares[1]


def caption_accuracy(captions: Sequence[str], verbs: Sequence[str]) -> float:
    """Return the share of captions that hold the gerund of their frame's verb."""
    return sum(gerund(verb) in text.split() for text, verb in zip(captions, verbs, strict=True)) / len(verbs)


def read_frames(path: Path, count: int = FRAMES) -> list[NDArray[np.uint8]]:
    """Return the frames of an MP4 in the middles of `count` equal parts, each (height, width, 3) RGB."""
    import av

    with av.open(str(path)) as container:
        every = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
    return [every[(2 * part + 1) * len(every) // (2 * count)] for part in range(count)]


def raw_clip() -> "VideoCLIP":
    """Return raw CLIP as `maxi eval sandbox --config sandbox` has it."""
    from maxi_core.clip.loading import load_model

    return load_model("sandbox", "cpu", frames=FRAMES)


def video_features(clip: "VideoCLIP", paths: Sequence[Path]) -> NDArray[np.float64]:
    """Return the videos' features of length 1, (n, width), by the very functions of `maxi eval`."""
    from maxi_core.evaluation.features import keyed
    from maxi_core.evaluation.features import video_features as read
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.types import Failed, Video

    videos = keyed(Video(path.name, path) for path in paths)
    (found,) = read([clip], Protocol(frames=FRAMES), videos, VideoOptions(), None)
    rows = [row for row in found.values() if not isinstance(row, Failed)]
    assert len(rows) == len(paths), "a rendered video that cannot be read"
    return np.concatenate(rows).astype(np.float64)


def best_names(clip: "VideoCLIP", features: NDArray[np.float64], names: Sequence[str]) -> list[int]:
    """Return for each video the number of the name whose prompt is nearest; of equal ones the first."""
    from maxi_core.evaluation.features import encode_names
    from maxi_core.evaluation.protocol import Protocol

    said = encode_names(clip, Protocol(frames=FRAMES), names).astype(np.float64)
    best: list[int] = (features @ said.T).argmax(1).tolist()
    return best
