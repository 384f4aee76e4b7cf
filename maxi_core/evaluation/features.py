"""Features of the videos of an evaluation: what is kept is not computed again, and one decode serves all models."""

import base64
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from maxi_core.bags.codecs import video_key
from maxi_core.clip.device import autocast
from maxi_core.clip.model import VideoCLIP, check_finite, identity_of
from maxi_core.clip.text_features import entry_features, mean_features, warn_of_cuts
from maxi_core.evaluation.protocol import CONSUMER, Protocol
from maxi_core.prompts import fill, templates_of
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.store import Store, digest
from maxi_core.texts import counted
from maxi_core.types import Failed, Video
from maxi_core.video.frames import Pixels
from maxi_core.video.jobs import Job
from maxi_core.video.reader import read_jobs
from maxi_core.video.skips import VideoFailed

# A model under a protocol: a video's views and class names in, features out, and all that these depend on.

logger = logging.getLogger("maxi")

Features = NDArray[np.float32]


def encode_views(model: VideoCLIP, protocol: Protocol, frames: Pixels) -> Features | Failed:
    """Return the features of one video's views, frames (T * C, H, W, 3) uint8 -> (V, D) of length 1, if all are finite.

    Each video goes through the model by itself, so nothing else changes a bit of a feature.
    """
    views = protocol.view(frames, model.image_size)  # (V, T, 3, S, S)
    with torch.inference_mode(), autocast(model.device, protocol.precision):
        features = model.encode_video(views)
    found = np.asarray(features.float().cpu().numpy(), dtype=np.float32)
    if not np.isfinite(found).all():
        return VideoFailed(f"the model {model.name}{model.with_module} gives no finite feature of it", "not-finite")
    return found


def encode_names(model: VideoCLIP, protocol: Protocol, names: Sequence[str]) -> Features:
    """Return the features of class names in the prompt, (C, D) of length 1; logs a warning for those cut.

    With several templates a feature is the mean of those in each, as for a dictionary entry (paper Eq. 1); with texts
    of its own for each class, the mean of theirs. Raises UsageError for a class without any.
    """
    if protocol.texts is not None:
        found = mean_features(model, protocol.texts.of(names))
        if unused := protocol.texts.unused(names):
            of = counted(len(unused), "class")
            mark = protocol.texts.mark
            logger.warning("%s: texts of %s beside these are not used, such as '%.40s'", mark, of, unused[0])
        check_finite(model.name, {"the texts of the classes": found}, "text features")
        return np.asarray(found.numpy(), dtype=np.float32)
    if len(templates := templates_of(protocol.prompt)) > 1:
        return np.asarray(entry_features(model, names, templates).cpu().numpy(), dtype=np.float32)
    tokens = model.tokenize([fill(protocol.prompt, name) for name in names])
    warn_of_cuts(tokens, names, "class name")
    with torch.inference_mode():
        features = model.encode_text(tokens.ids)
    check_finite(model.name, {"the class names": features}, "text features")
    return np.asarray(features.float().cpu().numpy(), dtype=np.float32)


def depends_on(model: VideoCLIP, protocol: Protocol) -> dict[str, object]:
    """Return all that a video's features depend on, besides the video and how it is decoded.

    Of the weights those of the image side alone: models that were trained with one frozen image tower share features.
    """
    image = {key: value for key, value in model.weights().items() if key.startswith(("visual.", "temporal."))}
    return {
        "weights": identity_of(image, {key: value for key, value in model.config.items() if key != "text_cfg"}),
        "temporal": model.temporal and dict(model.temporal),
        "statistics": model.statistics,
        "image_size": model.image_size,
        "frames": protocol.frames,
        "views": protocol.views,
        "precision": protocol.precision,
        "device": model.device.type,
    }


Follow = Callable[[str, int, Iterable[Any]], Iterator[Any]]  # title, total, items -> the items, watched
Found = dict[str, Features | Failed]  # key of a video -> its features


@dataclass
class Clock:
    """Where the seconds of an evaluation went: waiting for the decoder, in the model, in everything else."""

    decoder: float = 0.0
    model: float = 0.0
    whole: float = 0.0
    encoded: int = 0

    def shares(self) -> dict[str, float]:
        """Return the shares of decoder, model and the rest."""
        whole = self.whole or 1.0
        return {
            "decoder": self.decoder / whole,
            "model": self.model / whole,
            "rest": max(0.0, 1 - (self.decoder + self.model) / whole),
        }


def together(clocks: Sequence[Clock]) -> Clock:
    """Return what processes measured side by side: the mean of their seconds, and all that they encoded."""
    decoder, model, whole = (fmean(getattr(one, name) for one in clocks) for name in ("decoder", "model", "whole"))
    return Clock(decoder, model, whole, sum(one.encoded for one in clocks))


def keyed(videos: Iterable[Video]) -> dict[str, Video]:
    """Return the distinct videos by the key under which their features are kept: path, size and time of change."""
    return {video_key(video): video for video in videos}


def video_features(
    models: Sequence[VideoCLIP],
    protocol: Protocol,
    videos: Mapping[str, Video],
    reading: VideoOptions,
    store: Path | None,
    *,
    follow: Follow = lambda _title, _total, items: iter(items),
    told: Callable[[Video, Failed | None], None] = lambda _video, _failed: None,
    clock: Clock | None = None,
) -> list[Found]:
    """Return for each model the features (V, D), or the reason why there are none, of the videos by key.

    Features are kept in `store` (None: nowhere) as soon as they are there, so a stopped evaluation goes on where it
    was; failures are not. All models share one decode of each video. `told` hears of each video once.
    """
    clock = clock or Clock()
    began = time.perf_counter()
    found: list[Found] = [{} for _ in models]
    with ExitStack() as stack:
        caches = [_open(stack, depends_on(model, protocol), reading, store) for model in models]
        for cache, answers in zip(caches, found, strict=True):
            if cache is not None:
                answers |= {key: _unpack(kept) for key in videos if (kept := cache.get(key)) is not None}
        for video in (video for key, video in videos.items() if all(key in answers for answers in found)):
            told(video, None)
        todo = {key: video for key, video in videos.items() if any(key not in answers for answers in found)}
        if todo:
            _encode(list(zip(models, found, caches, strict=True)), protocol, todo, reading, follow, told, clock)
    clock.whole += time.perf_counter() - began
    return found


def _encode(
    group: Sequence[tuple[VideoCLIP, Found, Store | None]],
    protocol: Protocol,
    todo: Mapping[str, Video],
    reading: VideoOptions,
    follow: Follow,
    told: Callable[[Video, Failed | None], None],
    clock: Clock,
) -> None:
    wanting = {key: [place for place, (_, found, _) in enumerate(group) if key not in found] for key in todo}
    jobs = (
        Job(video, {f"{CONSUMER} {place}": protocol.sampling(group[place][0].image_size) for place in wanting[key]})
        for key, video in todo.items()
    )
    title = f"{len(group)} models" if len(group) > 1 else group[0][0].name
    waiting = time.perf_counter()
    answers = follow(f"evaluating {title}", len(todo), read_jobs(jobs, reading))
    for key, (job, frames) in zip(todo, answers, strict=True):
        clock.decoder += time.perf_counter() - waiting
        problem: Failed | None = None
        for place in wanting[key]:
            model, found, cache = group[place]
            if isinstance(frames, Failed):
                problem = found[key] = frames
                continue
            computing = time.perf_counter()
            features = encode_views(model, protocol, frames[f"{CONSUMER} {place}"])
            clock.model += time.perf_counter() - computing
            clock.encoded += 1
            if isinstance(features, Failed):
                problem = found[key] = features
                continue
            found[key] = features
            if cache is not None:
                cache.put(key, {"video": job.video.id, "path": str(job.video.path)}, _pack(features))
        told(job.video, problem)
        waiting = time.perf_counter()


def _open(stack: ExitStack, features: Mapping[str, object], reading: VideoOptions, store: Path | None) -> Store | None:
    if store is None:
        return None
    about = {**features} | reading.of_frames()
    return stack.enter_context(Store(store / f"eval-{digest(about)[:16]}", about))


def _pack(features: Features) -> dict[str, object]:
    return {"shape": list(features.shape), "float32": base64.b64encode(features.astype("<f4").tobytes()).decode()}


def _unpack(kept: Any) -> Features:
    data = np.frombuffer(base64.b64decode(kept["float32"]), dtype="<f4")
    return data.reshape(kept["shape"]).astype(np.float32)
