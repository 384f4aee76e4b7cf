"""Frames of many videos: decoded ahead in worker processes, in order, one answer for each video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job
from maxi_core.video.options import VideoOptions
from maxi_core.video.pool import Pool
from maxi_core.video.problems import VideoFailed
from maxi_core.video.sampling import Sampling

Wanted = Mapping[str, Sampling]

NOTHING = Frames({}, {}, {}, 0)


def read_videos(
    videos: Iterable[Video], wanted: Wanted, options: VideoOptions | None = None
) -> Iterator[tuple[Video, Frames | VideoFailed]]:
    """Yield each video with its frames, or with the reason why there are none, in the order of `videos`.

    `wanted` names one `Sampling` per consumer; all are answered by one pass over the file, as `read_jobs` does.
    """
    for job, answer in read_jobs((Job(video, wanted) for video in videos), options or VideoOptions()):
        yield job.video, answer


def read_jobs(jobs: Iterable[Job], options: VideoOptions, ahead: int = 0) -> Iterator[tuple[Job, Frames | VideoFailed]]:
    """Yield each job with its frames, or with the reason why there are none, in the order of `jobs`.

    Each job says what is wanted of its video; one that wants nothing is answered without a look at the file. Jobs are
    taken from the iterable a few at a time, so it may be endless: four per worker, or `ahead` if that is more. Worker
    processes end with the iterator, also when it is closed early or interrupted. With `workers=0` everything happens in
    this process, where a decoder that crashes or hangs cannot be survived. Raises UsageError if the decoder cannot be
    loaded.
    """
    pending: deque[tuple[int | None, Job]] = deque()
    rest = iter(jobs)
    with Pool(options, ahead) as pool:
        while True:
            while len(pending) < max(1, pool.ahead) and (job := next(rest, None)):
                pending.append((pool.ask(job) if job.wanted else None, job))
            if not pending:
                return
            number, job = pending.popleft()
            yield job, NOTHING if number is None else pool.take(number)
