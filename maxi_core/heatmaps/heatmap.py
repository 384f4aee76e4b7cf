"""From videos, texts and models to heatmaps, with the scores of the texts beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from maxi_core.clip.image_tower import centre_crop, short_side
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import MaxiError, UsageError
from maxi_core.evaluation.features import encode_names
from maxi_core.evaluation.metrics import Array, softmax
from maxi_core.evaluation.protocol import Protocol
from maxi_core.heatmaps import cosine, gradient, legrad, surgery
from maxi_core.heatmaps.region import Map, seen_box
from maxi_core.heatmaps.seen import Seen, look
from maxi_core.heatmaps.tower import tower_of
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import whole_file
from maxi_core.texts import has_words, spell
from maxi_core.types import Failed, Video
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

Method = Literal["gradient", "cosine", "surgery", "legrad"]
METHODS: tuple[Method, ...] = get_args(Method)
SHOWN_SIDE = 256  # pixels of the shorter side of the frames that are drawn
MOST_FRAMES = 480  # of a whole video; bounds memory and time
TINY = 1e-30
USUAL_RATE = 25.0  # frames a second of a file that does not say


@dataclass(frozen=True, eq=False)
class Heatmap:
    """What one model sees in one video for each text: `maps` (K, T, rows, columns) float32.

    `cosines` (K,) are of video and text, `shares` (K,) the softmax over these texts and the competing ones.
    """

    model: str
    image_size: int
    cosines: Array
    shares: Array
    maps: Map


@dataclass(frozen=True, eq=False)
class Heatmaps:
    """The heatmaps of one video, one of each model: `frames` (T, H, W, 3) as they are drawn, at `indices` of the file.

    `competing` texts are those that the asked ones are compared with, besides each other; `rate` is how many of these
    frames are shown in a second.
    """

    video: Video
    method: Method
    texts: tuple[str, ...]
    competing: tuple[str, ...]
    frames: "Pixels"
    indices: tuple[int, ...]
    rate: float
    models: tuple[Heatmap, ...]
    in_shares: bool = False

    def shared_out(self) -> "Heatmaps":
        """Return these with the maps of each model in shares of its largest value, so that all models can be seen.

        A model whose cosines lie close together has small maps, beside one whose cosines lie far apart.
        """
        models = (replace(one, maps=one.maps / max(float(np.abs(one.maps).max()), TINY)) for one in self.models)
        return replace(self, models=tuple(models), in_shares=True)


@dataclass(frozen=True)
class Question:
    """Which texts are asked for, with which others they compete, how they are shown to a model, and by which method."""

    texts: tuple[str, ...]
    competing: tuple[str, ...] = ()
    method: Method = "gradient"
    protocol: Protocol = field(default_factory=Protocol)

    def __post_init__(self) -> None:
        if not self.texts or not all(map(has_words, self.texts)):
            raise UsageError("there is no text to look for, or one without words", "name one: --text 'arm wrestling'")
        if twice := [text for place, text in enumerate(self.texts) if text in self.texts[:place]]:
            raise UsageError(f"the text '{twice[0]}' comes twice", "name it once")

    def features(self, model: VideoCLIP) -> Tensor:
        """Return the features of the texts, the competing ones behind them and the empty text last, (K + C + 1, D)."""
        others = [text for text in self.competing if text not in self.texts]
        names = spell([*self.texts, *others], self.protocol.spelling)
        bare = encode_names(model, Protocol(prompt="{}"), [""])
        return torch.from_numpy(np.concatenate([encode_names(model, self.protocol, names), bare])).to(model.device)


def heatmap(model: VideoCLIP, frames: Tensor, question: Question, features: Tensor | None = None) -> Heatmap:
    """Return the heatmaps of frames (T, 3, S, S), cropped for the model, as one video; `features` spares the texts.

    Raises UsageError for a tower that is no vision transformer, MaxiError if a map is not finite.
    """
    texts = question.features(model) if features is None else features
    known, count = texts[:-1], len(question.texts)
    with model.guarded("when its heatmaps were made"):
        seen = look(model, frames)
        found = _maps(seen, question, texts)
    if not bool(found.isfinite().all()):
        raise MaxiError(
            f"the model {model.name}{model.with_module} gives no finite heatmap", "look at its weights with maxi eval"
        )
    cosines = (known @ seen.video.detach()).double().cpu().numpy()
    shares = softmax(cosines / model.sigma)
    return Heatmap(model.name, model.image_size, cosines[:count], shares[:count], found.float().cpu().numpy())


def _maps(seen: Seen, question: Question, texts: Tensor) -> Tensor:
    """Return the maps of the texts of a question, by its method; `texts` are all features."""
    known, count = texts[:-1], len(question.texts)
    if question.method == "gradient":
        return gradient.maps(seen, known)[:count]
    if question.method == "surgery":
        return surgery.maps(seen, known, texts[-1])[:count]
    maps = {"cosine": cosine.maps, "legrad": legrad.maps}[question.method]
    return maps(seen, known[:count])


def heatmaps(
    models: Sequence[VideoCLIP],
    videos: Sequence[Video],
    question: Question,
    reading: VideoOptions,
    *,
    whole: bool = False,
) -> Iterator[tuple[Video, "Heatmaps | Failed"]]:
    """Yield the heatmaps of each video, or why there are none: of the frames that `maxi eval` shows, or of all frames.

    With `whole` a video of N frames is seen as many times as it takes, each time other T frames that are evenly apart,
    until each frame has a map; of more than 480 frames as many are taken, evenly apart. Scores are means then.
    """
    for model in models:
        with model.guarded("when its heatmaps were made"):
            tower_of(model.visual, model.name)  # refuses before anything is read
    features = [question.features(model) for model in models]
    count = question.protocol.frames
    taken = count * max(1, MOST_FRAMES // count) if whole else count
    sides = {f"model {place}": short_side(model.image_size) for place, model in enumerate(models)}
    wanted = {name: Sampling("middles", taken, side=side) for name, side in {**sides, "shown": SHOWN_SIDE}.items()}
    for video, read in read_videos(videos, wanted, reading):
        if isinstance(read, Failed):
            yield video, read
            continue
        given = read.pixels if whole else read  # distinct ones of a whole video
        found = []
        for place, (model, texts) in enumerate(zip(models, features, strict=True)):
            frames = centre_crop(given[f"model {place}"], model.image_size)
            found.append(_in_turns(model, frames, count, question, texts))
        indices = tuple(sorted(set(read.indices["shown"]))) if whole else read.indices["shown"]
        rate = (read.info.rate if read.info is not None else None) or USUAL_RATE
        yield (
            video,
            Heatmaps(
                video, question.method, question.texts, question.competing, given["shown"], indices,
                rate * len(indices) / read.found, tuple(found),
            ),
        )  # fmt: skip


def _in_turns(model: VideoCLIP, frames: Tensor, count: int, question: Question, features: Tensor) -> Heatmap:
    """Return the heatmap of N frames, of which the model sees `count` at a time, evenly apart."""
    turns = -(-len(frames) // count)
    parts = []
    for turn in range(turns):
        places = [min(turn + turns * step, len(frames) - 1) for step in range(count)]
        parts.append(heatmap(model, frames[places], question, features))
    maps = np.stack([part.maps for part in parts], axis=2)  # of each (K, T, r, c) -> (K, T, turns, r, c)
    maps = maps.reshape(len(maps), -1, *maps.shape[3:])[:, : len(frames)]
    cosines = np.mean([part.cosines for part in parts], axis=0)
    shares = np.mean([part.shares for part in parts], axis=0)
    return Heatmap(model.name, model.image_size, cosines, shares, maps)


MARK = b"maxi heatmap"  # stands in each figure and clip
RAW_MARK = b"competing.npy"  # and this name in each file of raw maps


def write_raw(found: Heatmaps, path: Path) -> None:
    """Write what was found, without pickles: `texts`, `competing`, `models`, `method`, `frames`, `indices`, and of each
    model M `maps_M` (K, T, rows, columns), `cosines_M` (K,), `shares_M` (K,), `box_M` (top, left, bottom, right in
    pixels of `frames`).
    """
    arrays: dict[str, Any] = {
        "method": found.method,
        "texts": np.array(found.texts),
        "competing": np.array(found.competing, dtype=str),
        "models": np.array([one.model for one in found.models]),
        "frames": found.frames,
        "indices": np.array(found.indices),
    }
    height, width = found.frames.shape[1:3]
    for place, one in enumerate(found.models):
        arrays |= {f"maps_{place}": one.maps, f"cosines_{place}": one.cosines, f"shares_{place}": one.shares}
        arrays[f"box_{place}"] = np.array(seen_box(height, width, one.image_size))
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
