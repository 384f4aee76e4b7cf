"""One video to be read, as it travels to a worker process and back: plain values, no pickles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import LEAVING, deed
from maxi_core.system.remote import admit, passport
from maxi_core.system.remote_errors import RemoteError
from maxi_core.texts import counted
from maxi_core.types import Clip, Video
from maxi_core.video.decoders import Decode, Side, load
from maxi_core.video.frames import Decoded, Frames, Info
from maxi_core.video.sampling import MOST_OF_A_VIDEO, Sampling, union
from maxi_core.video.skips import VideoError, VideoFailed
from maxi_core.video.wire import pack

if TYPE_CHECKING:
    from maxi_core.video.frame_cache import FrameCache


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told once: the decoder by name and place, threads, and the frame cache if there is one."""

    decoder: str
    target: str
    version: str
    square_pixels: bool
    threads: int
    cache: str | None = None
    cache_bytes: int = 0
    writers: int = 1  # processes that share the cache

    def load(self) -> Decode:
        """Import the decoder; raises UsageError if it cannot be loaded."""
        return load(self.target, self.decoder)

    def frame_cache(self) -> FrameCache | None:
        """Open the cache, or return None where none was asked for."""
        if self.cache is None:
            return None
        from maxi_core.video.frame_cache import FrameCache

        key = f"{self.decoder} {self.version}/{self.square_pixels}"
        return FrameCache(Path(self.cache), self.cache_bytes, key, self.writers)


@dataclass(frozen=True, slots=True)
class Job:
    """One video and what is wanted of it, under the name of each consumer; nothing may be wanted."""

    video: Video
    wanted: Mapping[str, Sampling]

    def sized(self, short_side: Side) -> Job:
        """Return the job with the size of each consumer settled: from now on None means as in the file."""
        sides = {name: sampling.side or short_side for name, sampling in self.wanted.items()}
        return Job(self.video, {name: replace(one, side=sides[name]) for name, one in self.wanted.items()})

    def sides(self) -> tuple[Side, ...]:
        """Return every size that any consumer wants, once, in an order that does not depend on their names."""
        return tuple(sorted({sampling.side for sampling in self.wanted.values()}, key=lambda side: side or 0))

    def choose(self, n: int, rate: float | None = None) -> tuple[tuple[int, ...], ...]:
        """Return for each of the sizes the indices into `n` frames that its consumers want, ascending and once.

        Raises VideoError if the video cannot serve a request: at a rate of one that has none, or for too many frames.
        """
        try:
            for sampling in self.wanted.values():
                if sampling.kind in ("all", "rate") and (length := sampling.length(n, rate)) > MOST_OF_A_VIDEO:
                    raise VideoError(
                        "too-long",
                        f"{length} frames of this video are wanted, and {MOST_OF_A_VIDEO} is the most",
                        "cut it with --clip-seconds",
                    )
            indices = self.indices(n, rate)
        except ValueError as error:
            raise VideoError("no-rate", str(error), "ask for a number of frames, or write the video anew") from None
        return tuple(
            union([indices[name] for name, sampling in self.wanted.items() if sampling.side == side])
            for side in self.sides()
        )

    def indices(self, n: int, rate: float | None = None) -> dict[str, tuple[int, ...]]:
        """Return the indices that each consumer wants, in order of time and with repeats; raises ValueError."""
        return {name: sampling.indices(n, self.video.id, rate) for name, sampling in self.wanted.items()}

    def frames(self, decoded: Decoded) -> Frames:
        """Sort what a decoder answered by consumer."""
        rate = decoded.info.rate if decoded.info else None
        held = dict(zip(self.sides(), zip(decoded.pixels, self.choose(decoded.found, rate), strict=True), strict=True))
        sides = {name: sampling.side for name, sampling in self.wanted.items()}
        return Frames(
            {name: held[side][0] for name, side in sides.items()},
            {name: held[side][1] for name, side in sides.items()},
            self.indices(decoded.found, rate),
            decoded.found,
            decoded.declared,
            decoded.damage,
            decoded.info,
        )

    def clip(self, name: str, frames: Frames | VideoFailed) -> Clip | VideoFailed | None:
        """Return what a consumer is handed: its clip, or why there is none; None if it wants no frames."""
        if name not in self.wanted:
            return None
        if isinstance(frames, VideoFailed):
            return frames
        try:
            return Clip(self.video, frames[name])
        except MemoryError:
            many, fix = counted(len(frames.indices[name]), "frame"), "ask for fewer or smaller frames"
            return VideoFailed(f"not enough memory for {many}; {fix}", "memory", fix)

    def to_json(self) -> dict[str, Any]:
        """Return the job as values that JSON knows."""
        video, wanted = self.video, {name: asdict(sampling) for name, sampling in self.wanted.items()}
        job = {"id": video.id, "path": str(video.path), "start": video.start, "end": video.end, "wanted": wanted}
        return job | ({"remote": known} if (known := passport(video.path)) else {})

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Job:
        """Rebuild a job."""
        path = admit(values["remote"]) if "remote" in values else Path(values["path"])
        video = Video(values["id"], path, values["start"], values["end"])
        return Job(video, {name: Sampling(**sampling) for name, sampling in values["wanted"].items()})


def answer(job: Job, decode: Decode, setup: Setup, cache: FrameCache | None) -> Decoded | VideoFailed:
    """Read one video: out of the cache if it is there, else with the decoder; never raises for what is in a file.

    The sizes of the job are settled (`Job.sized`).
    """
    try:
        kept = cache.get(job) if cache else None
        if kept is not None:
            return kept
        video = job.video
        decoded = decode(
            video.path,
            job.choose,
            job.sides(),
            start=video.start,
            end=video.end,
            square_pixels=setup.square_pixels,
            threads=setup.threads,
        )
        if problem := next(_flaws(job, decoded), ""):
            raise VideoError("decoder", f"the decoder returned {problem}", "choose another --decoder")
        if cache:
            cache.put(job, decoded)
        return decoded
    except (VideoError, RemoteError) as error:
        return VideoFailed(str(error), error.kind, error.fix, setup.decoder)
    except MemoryError:
        return _failed("not enough memory for its frames", "memory", "ask for fewer or smaller frames", setup)
    except LEAVING:
        raise
    except BaseException as error:  # a decoder, ours or a stranger's, may raise anything on a damaged file, or leave
        return _failed(f"the decoder {deed(error)}", "decoder", "look at the file, or choose another --decoder", setup)


def _failed(problem: str, kind: str, fix: str, setup: Setup) -> VideoFailed:
    return VideoFailed(f"{problem}; {fix}", kind, fix, setup.decoder)


def _flaws(job: Job, decoded: object) -> Iterator[str]:
    """Yield what is wrong with the answer of a decoder; only the first is to be read, since the rest builds on it."""
    if not isinstance(decoded, Decoded):
        yield f"a {type(decoded).__name__} instead of Decoded"
        return
    info: object = decoded.info
    if info is not None and not isinstance(info, Info):
        yield f"a {type(info).__name__} instead of Info"
    sides, pixels = job.sides(), decoded.pixels
    if not isinstance(pixels, tuple) or len(pixels) != len(sides):
        what = f"{counted(len(pixels), 'array')}" if isinstance(pixels, tuple) else f"a {type(pixels).__name__}"
        yield f"{what} instead of a tuple of {len(sides)}, one for each size"
    for part in pixels:
        kind, shape = getattr(part, "dtype", type(part).__name__), getattr(part, "shape", ())
        if str(kind) != "uint8" or len(shape) != 4:
            yield f"frames of type {kind} and shape {shape} instead of uint8 (N, H, W, 3)"
    try:
        json.dumps(pack(decoded)[0])
    except (TypeError, ValueError):
        yield "numbers that are no plain Python numbers"
    if decoded.found < 1:
        yield f"{counted(decoded.found, 'frame')} without an error"
    wanted = job.choose(decoded.found, decoded.info.rate if decoded.info else None)
    for side, part, indices in zip(sides, pixels, wanted, strict=True):
        if len(part) != len(indices) or part.shape[-1] != 3:
            size = f" with a side of {side}" if side else ""
            yield f"frames of shape {part.shape} where {len(indices)}{size} were asked for"
