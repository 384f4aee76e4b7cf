"""Frames of many videos: decoded ahead in worker processes, in order, one answer for each video."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from maxi_core.types import Video
from maxi_core.video.decoders import resolve
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job, Setup, answer
from maxi_core.video.options import VideoOptions
from maxi_core.video.problems import VideoFailed
from maxi_core.video.sampling import Sampling
from maxi_core.video.workers import Reply, Workers

AHEAD = 4  # videos per worker that are read before they are asked for; bounds the memory

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
    count = options.processes()
    setup = Setup(
        options.decoder,
        options.short_side or None,
        options.square_pixels,
        threads=1 if count else 0,
        cache=str(options.frame_cache) if options.frame_cache else None,
        cache_bytes=int(options.frame_cache_gb * 1e9),
        writers=max(1, count),
    )
    return _with_workers(videos, wanted, options, setup, count) if count else _in_process(videos, wanted, setup)


def _in_process(videos: Iterable[Video], wanted: Wanted, setup: Setup) -> Iterator[tuple[Video, Reply]]:
    decoder, cache = resolve(setup.decoder), setup.frame_cache()
    for video in videos:
        yield video, answer(Job(video, wanted), decoder, setup, cache)


def _with_workers(
    videos: Iterable[Video], wanted: Wanted, options: VideoOptions, setup: Setup, count: int
) -> Iterator[tuple[Video, Reply]]:
    pending: deque[tuple[int, Video]] = deque()
    done: dict[int, Reply] = {}
    rest = enumerate(videos)
    with Workers(setup, count, options.timeout, options.retries) as workers:
        while True:
            while len(pending) < AHEAD * count and (following := next(rest, None)):
                pending.append(following)
                workers.submit(following[0], Job(following[1], wanted))
            if not pending:
                return
            number, video = pending.popleft()
            while number not in done:
                which, reply = workers.collect()
                done[which] = reply
            yield video, done.pop(number)


def _frames(video: Video, wanted: Wanted, reply: Reply) -> Frames:
    assert not isinstance(reply, VideoFailed)
    indices = {name: sampling.indices(reply.found, video.id) for name, sampling in wanted.items()}
    return Frames(reply.pixels, indices, reply.found, reply.declared, reply.damage)
