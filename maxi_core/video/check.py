"""What is wrong with videos: each is decoded from beginning to end, and nothing is ever changed or deleted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from maxi_core.types import Video
from maxi_core.video.frames import Info, shortfall
from maxi_core.video.options import VideoOptions
from maxi_core.video.problems import VideoError, VideoFailed
from maxi_core.video.reader import replies
from maxi_core.video.sampling import Sampling
from maxi_core.video.workers import Reply

KEEP = "it is used as far as it goes; get the file again to have all of it"


@dataclass(frozen=True, slots=True)
class Checked:
    """What one video is, or what is wrong with it.

    `usable` says whether frames come out of it; `problem`, empty when there is none, has the short name `error` and
    `fix` says what to do. A cut video is both usable and a problem.
    """

    video: Video
    usable: bool
    found: int = 0
    declared: int | None = None
    info: Info | None = None
    error: str = ""
    problem: str = ""
    fix: str = ""
    decoder: str = ""


def check_videos(videos: Iterable[Video], options: VideoOptions | None = None) -> Iterator[Checked]:
    """Decode every frame of every video in worker processes and yield what was found, in order.

    The frame cache is left alone: it is the files that are checked. Raises UsageError for a decoder that cannot be
    loaded, never for a video.
    """
    options = (options or VideoOptions()).model_copy(update={"frame_cache": None})
    wanted = {"check": Sampling("middles", 1)}  # one frame, so that its conversion is tried too
    for video, reply in replies(videos, wanted, options):
        yield _checked(video, reply, options.decoder)


def _checked(video: Video, reply: Reply, decoder: str) -> Checked:
    if isinstance(reply, VideoFailed):
        problem = reply.reason.removesuffix(f"; {reply.fix}")
        return Checked(video, False, error=reply.error, problem=problem, fix=reply.fix, decoder=decoder)
    info = reply.info or _probe(video)
    flag = shortfall(reply.found, reply.declared, reply.damage)
    if flag:
        return Checked(video, True, reply.found, reply.declared, info, "damaged", flag, KEEP, decoder)
    return Checked(video, True, reply.found, reply.declared, info, decoder=decoder)


def _probe(video: Video) -> Info | None:
    """Describe a video whose decoder, a stranger's, did not."""
    from maxi_core.video.pyav_decoder import describe, opened

    try:
        with opened(video.path) as (container, stream):
            return describe(container, stream)
    except VideoError:
        return None
