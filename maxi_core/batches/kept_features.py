"""Video features that stand in the place of clips, for trainings that change nothing of what makes them.

Which frames of a video are seen, and how, comes of (seed, epoch, video) alone; so does its feature where the image
tower and what pools frames stay as they are. `maxi_core.training.keeping` makes the files, one for each epoch.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from maxi_core.batches.batch import Augmentation, BatchPlan, Examples
from maxi_core.batches.clips import Clip, Clips
from maxi_core.errors import MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import parsed_json, whole_file
from maxi_core.video.skips import SkipLog, VideoFailed

FORMAT = 1  # of the files; raise it when the features of the same clips change
FEATURES, ABOUT = "features", "about"


@dataclass(frozen=True)
class EpochFeatures:
    """The features of the videos in one epoch: `features` (V, D) float32 of length 1, `videos` their ids in order.

    `model` is the identity of the model that made them; `failed` are the videos that could not be read.
    """

    features: Tensor = field(repr=False)
    videos: tuple[str, ...]
    model: str
    failed: Mapping[str, VideoFailed] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all; raises MaxiError with path and bytes."""
        from safetensors.torch import save

        failed = {name: asdict(one) for name, one in self.failed.items()}
        about = {"format": FORMAT, "model": self.model, "videos": self.videos, "failed": failed}
        about["sha256"] = _checksum(about, self.features)
        with whole_file(path) as file:
            file.write(save({FEATURES: self.features}, {ABOUT: json.dumps(about)}))


def read_features(path: Path) -> EpochFeatures | None:
    """Return what a file holds; None if it is not there, damaged, or of another maxi."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about, features = parsed_json((file.metadata() or {})[ABOUT]), file.get_tensor(FEATURES)
        if about.pop("sha256") != _checksum(about, features) or about["format"] != FORMAT:
            return None
    except (OSError, ValueError, KeyError, AttributeError, SafetensorError):
        return None
    failed = {name: VideoFailed(**one) for name, one in about["failed"].items()}
    return EpochFeatures(features, tuple(about["videos"]), about["model"], failed)


def _checksum(about: Mapping[str, object], features: Tensor) -> str:
    return hashlib.sha256(json.dumps(about).encode() + features.numpy().tobytes()).hexdigest()


def epoch_file(folder: Path, augmentation: Augmentation, epoch: int) -> Path:
    """Return the file of an epoch; without augmentation all epochs see the same frames, and have one."""
    return folder / f"epoch-{0 if augmentation == 'none' else epoch:04d}.safetensors"


class KeptFeatures:
    """The files in a folder, as the training of a model reads them."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._model = folder, model
        self._path, self._found = Path(), EpochFeatures(torch.empty(0), (), model)
        self._rows: dict[str, int] = {}

    def open(self, augmentation: Augmentation, epoch: int) -> None:
        """Take the features of an epoch; raises MaxiError for a file that is damaged, or of another model."""
        path = epoch_file(self._folder, augmentation, epoch)
        if path == self._path:
            return
        found = read_features(path)
        if found is None or found.model != self._model:
            raise self._error(f"{path} is {'missing or damaged' if found is None else 'of a model with other weights'}")
        self._path, self._found = path, found
        self._rows = {name: row for row, name in enumerate(found.videos)}

    def of(self, video: str) -> Tensor | VideoFailed:
        """Return the feature of a video (D,), or why it has none; raises MaxiError for one that nobody encoded."""
        if (failed := self._found.failed.get(video)) is not None:
            return failed
        if video not in self._rows:
            raise self._error(f"{self._path} has no feature of {video}")
        return self._found.features[self._rows[video]]

    def _error(self, what: str) -> MaxiError:
        return MaxiError(what, f"remove {self._folder}; the same command makes it anew")


class KeptClips(Clips):
    """Gives features in the place of frames; a video without one is replaced as one that cannot be read."""

    def __init__(
        self, examples: Examples, plan: BatchPlan, video: VideoOptions, log: SkipLog | None, kept: KeptFeatures
    ) -> None:
        super().__init__(examples, plan, video, log)
        self._kept = kept

    def read(self, places: Iterable[int], epoch: int) -> Generator[Clip, None, None]:
        """Yield what stands in each place with its feature (D,); raises as `Clips.read` and `KeptFeatures` do."""
        self._kept.open(self._plan.augmentation, epoch)
        for place in places:
            yield self._first(place, epoch)

    def _first(self, place: int, epoch: int) -> Clip:
        for example in self._candidates(place, epoch):
            found = self._kept.of(example.video.id)
            if isinstance(found, Tensor):
                self._log.use()
                return example, found
            self._lose(example, found)
        raise AssertionError("candidates end with an error")
