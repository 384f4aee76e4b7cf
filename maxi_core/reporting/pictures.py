"""Frames of videos as small JPEGs that stand inside a page: no file beside it, nothing fetched."""

import base64
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from maxi_core.settings.sections import VideoOptions
from maxi_core.system.secrets import without_secrets
from maxi_core.texts import written_out
from maxi_core.types import Failed, Video
from maxi_core.video.frames import Pixels
from maxi_core.video.jobs import Job
from maxi_core.video.reader import read_jobs
from maxi_core.video.sampling import Sampling

SIDE, LARGE = 96, 160  # pixels of the shorter side: of the one middle frame in a list, of the frames of a figure
QUALITY = 65


@dataclass(frozen=True)
class Picture:
    """Frames of one video as data URIs, or why there are none."""

    frames: tuple[str, ...] = ()
    missing: str = ""

    def in_list(self) -> dict[str, str]:
        """Return the frame for a list, and why there is none, as plain values."""
        return {"frame": self.frames[len(self.frames) // 2] if self.frames else "", "missing": self.missing}


def read_pictures(
    videos: Sequence[Video], frames: Mapping[str, int], options: VideoOptions
) -> Iterator[tuple[str, Picture]]:
    """Yield for each video, by its id, its middle frame, or as many as `frames` says, spread evenly, as captioners see.

    A video that cannot be read has the reason.
    """
    jobs = (Job(video, {"report": _sampling(frames.get(video.id))}) for video in videos)
    for job, found in read_jobs(jobs, options):
        if isinstance(found, Failed):
            yield job.video.id, Picture(missing=written_out(without_secrets(found.reason)))
        else:
            yield job.video.id, Picture(tuple(map(as_uri, found["report"])))


def _sampling(count: int | None) -> Sampling:
    return Sampling("middles", 1, side=SIDE) if count is None else Sampling("uniform", count, side=LARGE)


def as_uri(frame: Pixels) -> str:
    """Return one frame (H, W, 3) as the data URI of a JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
