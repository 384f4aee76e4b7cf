"""Frames of many videos: decoded ahead in worker processes, in order, one answer for each video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING

from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job, Setup, answer
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed

if TYPE_CHECKING:
    from maxi_core.video.workers import Reply, Workers

# Videos that are asked for now and answered later, in worker processes or, without any, when the answer is taken.

AHEAD = 4  # videos per worker that are read before they are asked for; bounds the memory


class Pool:
    """Decodes jobs as `options` says; `ask` for a video, go on, and `take` its answer.

    `ahead` is how many videos should have been asked for and not taken, so that no worker is idle and the memory stays
    bounded: four per worker, or more if more is asked for, and 0 without worker processes. Processes end with the pool.
    Raises UsageError if the decoder cannot be loaded.
    """

    def __init__(self, options: VideoOptions, ahead: int = 0) -> None:
        count, located = options.processes(), options.located()
        self.options, self._count = options, count
        self.look_ahead(ahead)
        self._short_side = options.short_side or None
        self._setup = Setup(
            located.ref,
            located.target,
            located.version,
            options.square_pixels,
            threads=1 if count else 0,
            cache=str(options.frame_cache) if options.frame_cache else None,
            cache_bytes=int(options.frame_cache_gb * 1e9),
            writers=max(1, count),
        )
        self._asked = 0
        self._done: dict[int, Reply] = {}
        self._jobs: dict[int, Job] = {}
        self._workers: Workers | None = None
        if count:
            from maxi_core.video.workers import Workers

            self._workers = Workers(self._setup, count, options.timeout, options.retries)
        else:
            self._decode, self._cache = self._setup.load(), self._setup.frame_cache()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def look_ahead(self, ahead: int) -> None:
        """Set how many videos should be asked for before one is taken, if that is more than four per worker."""
        self.ahead = max(AHEAD * self._count, ahead) if self._count else 0

    def ask(self, job: Job) -> int:
        """Ask for a video; return the number under which its answer can be taken, once."""
        self._asked += 1
        self._jobs[self._asked] = job.sized(self._short_side)
        if self._workers is not None:
            self._workers.submit(self._asked, self._jobs[self._asked])
        return self._asked

    def take(self, number: int) -> Frames | VideoFailed:
        """Wait for an answer."""
        job = self._jobs.pop(number)
        if self._workers is None:
            reply = answer(job, self._decode, self._setup, self._cache)
        else:
            while number not in self._done:
                which, found = self._workers.collect()
                self._done[which] = found
            reply = self._done.pop(number)
        return reply if isinstance(reply, VideoFailed) else job.frames(reply)

    def close(self) -> None:
        """End the processes; what is being decoded is thrown away."""
        if self._workers is not None:
            self._workers.close()


Wanted = Mapping[str, Sampling]

NOTHING = Frames({}, {}, {}, 0)

_kept: list[list[Pool]] = []  # of each `pools_kept` that is open, the pools that nobody uses


@contextmanager
def pools_kept() -> Iterator[None]:
    """Keep the worker processes of `read_jobs` for the next call with the same options, until the end."""
    idle: list[Pool] = []
    _kept.append(idle)
    try:
        yield
    finally:
        _kept.remove(idle)
        for pool in idle:
            pool.close()


@contextmanager
def _opened(options: VideoOptions, ahead: int) -> Iterator[Pool]:
    """Give a pool, a kept one if there is one; it is kept again unless it was left in the middle or by an error."""
    idle = _kept[-1] if _kept else []
    pool = next((one for one in idle if one.options == options), None) or Pool(options, ahead)
    if pool in idle:
        idle.remove(pool)
    pool.look_ahead(ahead)
    try:
        yield pool
    except BaseException:
        pool.close()
        raise
    if _kept:
        _kept[-1].append(pool)
    else:
        pool.close()


def read_videos(
    videos: Iterable[Video], wanted: Wanted, options: VideoOptions | None = None
) -> Iterator[tuple[Video, Frames | VideoFailed]]:
    """Yield each video with its frames, or with the reason why there are none, in the order of `videos`.

    `wanted` names one `Sampling` per consumer; all are answered by one pass over the file, as `read_jobs` does.
    """
    for job, frames in read_jobs((Job(video, wanted) for video in videos), options or VideoOptions()):
        yield job.video, frames


def read_jobs(jobs: Iterable[Job], options: VideoOptions, ahead: int = 0) -> Iterator[tuple[Job, Frames | VideoFailed]]:
    """Yield each job with its frames, or with the reason why there are none, in the order of `jobs`.

    Each job says what is wanted of its video; one that wants nothing is answered without a look at the file. Jobs are
    taken from the iterable a few at a time, so it may be endless: four per worker, or `ahead` if that is more. Worker
    processes end with the iterator, also when it is closed early or interrupted, or with `pools_kept`. With `workers=0`
    everything happens in this process, where a decoder that crashes or hangs cannot be survived. Raises UsageError if
    the decoder cannot be loaded.
    """
    pending: deque[tuple[int | None, Job]] = deque()
    rest = iter(jobs)
    with _opened(options, ahead) as pool:
        while True:
            while len(pending) < max(1, pool.ahead) and (job := next(rest, None)):
                pending.append((pool.ask(job) if job.wanted else None, job))
            if not pending:
                return
            number, job = pending.popleft()
            yield job, NOTHING if number is None else pool.take(number)
