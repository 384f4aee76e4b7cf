"""Frames of videos as small JPEGs that stand inside a page: no file beside it, nothing fetched."""

import base64
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from maxi_core.reporting.part import Wish
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.secrets import without_secrets
from maxi_core.texts import written_out
from maxi_core.types import Failed
from maxi_core.video.frames import Pixels
from maxi_core.video.jobs import Job
from maxi_core.video.reader import read_jobs
from maxi_core.video.sampling import Sampling

SIDE, LARGE = 96, 160  # pixels of the shorter side: of the one middle frame in a list, of the frames of a figure
QUALITY = 65


@dataclass(frozen=True)
class Picture:
    """Frames of one video as data URIs, or why there are none; and where a model looked, if that is wanted."""

    frames: tuple[str, ...] = ()
    missing: str = ""
    looks: tuple[tuple[str, str], ...] = ()  # what is shown, and the strip of frames
    unseen: str = ""

    def in_list(self) -> dict[str, str]:
        """Return the frame for a list, and why there is none, as plain values."""
        return {"frame": self.frames[len(self.frames) // 2] if self.frames else "", "missing": self.missing}


def read_pictures(wishes: Iterable[Wish], options: VideoOptions) -> Iterator[Picture]:
    """Yield the picture of each video in their order, with the reason for one that cannot be read."""
    jobs = (Job(wish.video, {"report": _sampling(wish.frames)}) for wish in wishes)
    for _, found in read_jobs(jobs, options):
        if isinstance(found, Failed):
            yield Picture(missing=written_out(without_secrets(found.reason)))
        else:
            yield Picture(tuple(map(as_uri, found["report"])))


def _sampling(count: int | None) -> Sampling:
    return Sampling("middles", 1, side=SIDE) if count is None else Sampling("uniform", count, side=LARGE)


def as_uri(frame: Pixels) -> str:
    """Return one frame (H, W, 3) as the data URI of a JPEG."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
