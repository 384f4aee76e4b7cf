"""Captioners, and a matcher of a black video, with one fault each, which its docstring names."""

from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core import Clip, Failed, Match, Sampling, Video
from tests.core.faulty import (
    AGAIN,
    ELSEWHERE,
    FAILED,
    FRAMES,
    INPUTS,
    ONE_FOR_EACH,
    PATHS,
    PLACES,
    TWICE,
    WINDOW,
    caught_by,
)
from tests.core.samples import First, Scribbles, Sizes

if TYPE_CHECKING:
    from maxi_core import Pixels

Said = list[list[str] | Failed]
Matches = list[Match | Failed]


@caught_by(ONE_FOR_EACH)
class Stacks(Scribbles):
    """Fault: stacks the frames of a batch as if all videos were of one shape."""

    def caption(self, clips: list[Clip]) -> Said:
        import numpy as np

        means = np.stack([clip.frames for clip in clips]).mean(axis=(1, 2, 3, 4))
        return [[f"a picture of brightness {int(mean)}"] for mean in means]


@caught_by(INPUTS)
class WritesOnFrames(Scribbles):
    """Fault: works on the frames in place."""

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        said = super().sentences(frames)
        frames //= 2
        return said


@caught_by(TWICE)
class Compares(Scribbles):
    """Fault: compares a video with the one before."""

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        before, self.before = getattr(self, "before", 0.0), float(frames.mean())
        return [f"a picture {'brighter' if self.before > before else 'darker'} than the last, {int(self.before)}"]


@caught_by(FRAMES)
class WantsANumber(Scribbles):
    """Fault: asks for a number of frames and not for a Sampling."""

    @property
    def frames(self) -> Sampling | None:
        return 4  # type: ignore[return-value]


@caught_by(FRAMES)
class WantsMoreAndMore(Scribbles):
    """Fault: asks for more frames each time."""

    turns = count(2)

    @property
    def frames(self) -> Sampling | None:
        return Sampling("uniform", next(self.turns))


@caught_by(FRAMES)
class WantsByWhatItSaw(Scribbles):
    """Fault: asks for other frames once it has seen a video."""

    seen = False

    @property
    def frames(self) -> Sampling | None:
        return Sampling("uniform", 3 if self.seen else 4)

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        self.seen = True
        return super().sentences(frames)


class Kept(Scribbles):
    """Keeps what it has said by some key of the video."""

    def open(self) -> None:
        self.kept: dict[object, list[str] | Failed] = {}

    def key(self, video: Video) -> object:
        return video

    def caption(self, clips: list[Clip]) -> Said:
        return [self.kept.setdefault(self.key(clip.video), self.sentences(clip.frames)) for clip in clips]


@caught_by(WINDOW)
class KeepsByPath(Kept):
    """Fault: what it keeps, it keeps by the path, whatever the window."""

    def key(self, video: Video) -> object:
        return video.path


@caught_by(PLACES)
class KeepsByFileName(Kept):
    """Fault: what it keeps, it keeps by the file's name, whatever the folder."""

    def key(self, video: Video) -> object:
        return (video.path.name, video.start, video.end)


@caught_by(WINDOW)
class KeepsByStart(Kept):
    """Fault: what it keeps of a window, it keeps without its end."""

    def key(self, video: Video) -> object:
        return (video.path, video.start)


_EVER: dict[Path, list[str] | Failed] = {}


@caught_by(WINDOW)
class KeepsForEver(Scribbles):
    """Fault: the module keeps what was said of a path, whatever the window."""

    def caption(self, clips: list[Clip]) -> Said:
        return [_EVER.setdefault(clip.video.path, self.sentences(clip.frames)) for clip in clips]


_NAMES: dict[str, list[str] | Failed] = {}


@caught_by(ELSEWHERE)
class KeepsNamesForEver(Scribbles):
    """Fault: the module keeps what was said of a file name, whatever the folder."""

    def caption(self, clips: list[Clip]) -> Said:
        return [_NAMES.setdefault(clip.video.path.name, self.sentences(clip.frames)) for clip in clips]


@caught_by(WINDOW)
class ReadsTheWhole(Sizes):
    """Fault: reads the whole file, whatever the window."""

    def sentences(self, clip: Clip) -> list[str] | Failed:
        return super().sentences(replace(clip, video=replace(clip.video, start=None, end=None)))


@caught_by(WINDOW)
class OpensThePathItself(Scribbles):
    """Fault: has frames of the window and reads the whole file again."""

    def caption(self, clips: list[Clip]) -> Said:
        return [[f"a file of {clip.video.path.stat().st_size} bytes"] for clip in clips]


@caught_by(FAILED)
class Blind(Sizes):
    """Fault: describes a file that is no video."""

    def sentences(self, clip: Clip) -> list[str] | Failed:
        said = super().sentences(clip)
        return ["a picture"] if isinstance(said, Failed) else said


@caught_by(FAILED)
class Raises(Sizes):
    """Fault: raises for a file that is not there."""

    def sentences(self, clip: Clip) -> list[str] | Failed:
        clip.open().close()
        return super().sentences(clip)


@caught_by(FAILED)
class Trips(Sizes):
    """Fault: one video that fails takes the next one with it."""

    def caption(self, clips: list[Clip]) -> Said:
        said = super().caption(clips)
        before = [False, *(isinstance(answer, Failed) for answer in said)]
        return [Failed("still dizzy") if fell else answer for fell, answer in zip(before, said, strict=False)]


@caught_by(FAILED)
class Passes(Sizes):
    """Fault: leaves out a video that it cannot read."""

    def caption(self, clips: list[Clip]) -> Said:
        return [answer for answer in super().caption(clips) if not isinstance(answer, Failed)]


@caught_by(FAILED)
class WantsSquares(Scribbles):
    """Fault: dies of pictures that are much wider than high."""

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        rows = frames.shape[1] * 8 // frames.shape[2]
        return [f"a picture of brightness {int(frames.mean())}, {len(frames) // rows}"]


@caught_by(FAILED)
class DividesByLight(First):
    """Fault: a black video has no finite score."""

    def best(self, clip: Clip, entries: tuple[str, ...]) -> Match | Failed:
        bright = float(clip.frames.mean())
        return Match(clip.video, entries[int(bright) % len(entries)], 1 / bright if bright else float("inf"))


@caught_by(PATHS)
class SplitsPaths(Sizes):
    """Fault: cannot bear a space in a path."""

    def sentences(self, clip: Clip) -> list[str] | Failed:
        path = Path(str(clip.video.path).rpartition(", ")[0] or str(clip.video.path))
        return super().sentences(replace(clip, video=replace(clip.video, path=path)))


@caught_by(PATHS)
class TakesAbsolutePaths(Sizes):
    """Fault: says what it says by whether a path is absolute."""

    def sentences(self, clip: Clip) -> list[str] | Failed:
        return super().sentences(clip) if clip.video.path.is_absolute() else Failed("name it from the root")


@caught_by(AGAIN)
class ForgetsItsModel(Scribbles):
    """Fault: close() lets the model go, and open() does not bring it back."""

    model: float | None = 1.0

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        return [f"a picture of brightness {int(frames.mean() * self.model)}"]  # type: ignore[operator]

    def close(self) -> None:
        self.model = None
