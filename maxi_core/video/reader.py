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
from maxi_core.video.workers import Reply

Wanted = Mapping[str, Sampling]


def read_videos(
    videos: Iterable[Video], wanted: Wanted, options: VideoOptions | None = None
) -> Iterator[tuple[Video, Frames | VideoFailed]]:
    """Yield each video with its frames, or with the reason why there are none, in the order of `videos`.

    `wanted` names one `Sampling` per consumer; all are answered by one pass over the file. Videos are taken from the
    iterable a few at a time, so it may be endless. Worker processes end with the iterator, also when it is closed
    early or interrupted. With `workers=0` everything happens in this process, where a decoder that crashes or hangs
    cannot be survived. Raises UsageError if the decoder cannot be loaded.
    """
    for video, reply in replies(videos, wanted, options or VideoOptions()):
        yield video, reply if isinstance(reply, VideoFailed) else _frames(video, wanted, reply)


def replies(videos: Iterable[Video], wanted: Wanted, options: VideoOptions) -> Iterator[tuple[Video, Reply]]:
    """Yield each video with what its decoder answered; `read_videos` sorts that by consumer."""
    pending: deque[tuple[int, Video]] = deque()
    rest = iter(videos)
    with Pool(options) as pool:
        while True:
            while len(pending) < max(1, pool.ahead) and (video := next(rest, None)):
                pending.append((pool.ask(Job(video, wanted)), video))
            if not pending:
                return
            number, video = pending.popleft()
            yield video, pool.take(number)


def _frames(video: Video, wanted: Wanted, reply: Reply) -> Frames:
    assert not isinstance(reply, VideoFailed)
    indices = {name: sampling.indices(reply.found, video.id) for name, sampling in wanted.items()}
    return Frames(reply.pixels, indices, reply.found, reply.declared, reply.damage)
