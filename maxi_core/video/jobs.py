"""One video to be read, as it travels to a worker process and back: plain values, no pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maxi_core.types import Video
from maxi_core.video.cache import FrameCache
from maxi_core.video.decoders import Decoder
from maxi_core.video.frames import Decoded
from maxi_core.video.problems import VideoError, VideoFailed
from maxi_core.video.sampling import Sampling, union


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told once: decoder, size of the frames, threads, and the frame cache if there is one."""

    decoder: str
    short_side: int | None
    square_pixels: bool
    threads: int
    cache: str | None = None
    cache_bytes: int = 0
    writers: int = 1  # processes that share the cache

    def frame_cache(self) -> FrameCache | None:
        """Open the cache, or return None where none was asked for."""
        if self.cache is None:
            return None
        key = f"{self.decoder}/{self.short_side}/{self.square_pixels}"
        return FrameCache(Path(self.cache), self.cache_bytes, key, self.writers)


@dataclass(frozen=True, slots=True)
class Job:
    """One video and what is wanted of it, under the name of each consumer."""

    video: Video
    wanted: Mapping[str, Sampling]

    def choose(self, n: int) -> tuple[int, ...]:
        """Return the indices into `n` frames that any consumer wants, ascending and once."""
        return union([sampling.indices(n, self.video.id) for sampling in self.wanted.values()])

    def to_json(self) -> dict[str, Any]:
        """Return the job as values that JSON knows."""
        video, wanted = self.video, {name: asdict(sampling) for name, sampling in self.wanted.items()}
        return {"id": video.id, "path": str(video.path), "start": video.start, "end": video.end, "wanted": wanted}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Job:
        """Rebuild a job."""
        video = Video(values["id"], Path(values["path"]), values["start"], values["end"])
        return Job(video, {name: Sampling(**sampling) for name, sampling in values["wanted"].items()})


def answer(job: Job, decoder: Decoder, setup: Setup, cache: FrameCache | None) -> Decoded | VideoFailed:
    """Read one video: out of the cache if it is there, else with the decoder; never raises for what is in a file."""
    try:
        kept = cache.get(job) if cache else None
        if kept is not None:
            return kept
        video = job.video
        decoded = decoder(
            video.path,
            job.choose,
            start=video.start,
            end=video.end,
            short_side=setup.short_side,
            square_pixels=setup.square_pixels,
            threads=setup.threads,
        )
        _inspect(job, decoded)
        if cache:
            cache.put(job, decoded)
        return decoded
    except VideoError as error:
        return VideoFailed(str(error), error.kind, error.fix, setup.decoder)
    except MemoryError:
        return _failed("not enough memory for its frames", "memory", "lower video.short_side", setup)
    except Exception as error:  # a decoder, ours or a stranger's, may raise anything on a damaged file
        what = f"the decoder raised {type(error).__name__}: {error}".splitlines()[0]
        return _failed(what, "decoder", "look at the file, or choose another --decoder", setup)


def _failed(problem: str, kind: str, fix: str, setup: Setup) -> VideoFailed:
    return VideoFailed(f"{problem}; {fix}", kind, fix, setup.decoder)


def _inspect(job: Job, decoded: object) -> None:
    """Raise VideoError unless a decoder answered as decoders must."""
    problem = ""
    if not isinstance(decoded, Decoded):
        problem = f"a {type(decoded).__name__} instead of Decoded"
    elif decoded.found < 1:
        problem = f"{decoded.found} frames without an error"
    elif (dtype := str(decoded.pixels.dtype)) != "uint8" or decoded.pixels.ndim != 4:
        problem = f"frames of type {dtype} with {decoded.pixels.ndim} dimensions instead of uint8 (N, H, W, 3)"
    elif len(decoded.pixels) != len(job.choose(decoded.found)) or decoded.pixels.shape[-1] != 3:
        problem = f"frames of shape {decoded.pixels.shape} where {len(job.choose(decoded.found))} were asked for"
    if problem:
        raise VideoError("decoder", f"the decoder returned {problem}", "choose another --decoder")
