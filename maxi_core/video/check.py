"""What is wrong with videos: each is decoded from beginning to end, and nothing is ever changed or deleted."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import write_lines
from maxi_core.types import Video
from maxi_core.video.archives import video_size
from maxi_core.video.frames import Frames, Info
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoError, VideoFailed, skip_record, to_line

KEEP = "it is used as far as it goes; get the file again to have all of it"
PROBLEMS = b'"stage": "check"'  # stands in each line of a list of problems


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


@dataclass(frozen=True, slots=True)
class Totals:
    """What a whole check came to; `seconds` and `bytes` are those of the usable videos."""

    videos: int
    usable: int
    damaged: int
    unusable: int
    problems: int
    seconds: float
    bytes: int


def check_videos(videos: Iterable[Video], options: VideoOptions | None = None) -> Iterator[Checked]:
    """Decode every frame of every video in worker processes and yield what was found, in order.

    The frame cache is left alone: it is the files that are checked. Raises UsageError for a decoder that cannot be
    loaded, never for a video.
    """
    options = (options or VideoOptions()).model_copy(update={"frame_cache": None})
    wanted = {"check": Sampling("middles", 1)}  # one frame, so that its conversion is tried too
    decoder = options.located().ref
    for video, reply in read_videos(videos, wanted, options):
        yield _checked(video, reply, decoder)


def _checked(video: Video, reply: Frames | VideoFailed, decoder: str) -> Checked:
    if isinstance(reply, VideoFailed):
        problem = reply.reason.removesuffix(f"; {reply.fix}")
        return Checked(video, False, error=reply.error, problem=problem, fix=reply.fix, decoder=decoder)
    info = reply.info or _probe(video)
    if flag := reply.flag:
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


def count(checked: Iterable[Checked]) -> Totals:
    """Add up a check; the sizes of the files are looked up."""
    videos = usable = problems = size = 0
    seconds = 0.0
    for one in checked:
        videos += 1
        usable += one.usable
        problems += bool(one.problem)
        if one.usable:
            seconds += (one.info.duration or 0.0) if one.info else 0.0
            with suppress(OSError):
                size += video_size(one.video.path)
    unusable = videos - usable
    return Totals(videos, usable, problems - unusable, unusable, problems, seconds, size)


def record(one: Checked) -> dict[str, object]:
    """Return what was found on one video, as JSON knows it."""
    video = one.video
    return {
        "video": video.id,
        "path": str(video.path),
        "start": video.start,
        "end": video.end,
        "usable": one.usable,
        "frames_found": one.found,
        "frames_declared": one.declared,
        "info": asdict(one.info) if one.info else None,
        "error": one.error or None,
        "problem": one.problem or None,
        "fix": one.fix or None,
        "decoder": one.decoder,
    }


def write_problems(checked: Iterable[Checked], path: Path) -> None:
    """Write one line of JSON per problem: a skip record, with what `record` knows beside it; raises MaxiError."""
    lines = []
    for one in checked:
        if one.problem:
            failed = VideoFailed(f"{one.problem}; {one.fix}", one.error, one.fix, one.decoder)
            lines.append(to_line(skip_record(one.video.id, failed, "check") | record(one)))
    write_lines(path, lines)
