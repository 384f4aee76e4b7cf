"""Frames in a terminal: each character is two pixels, the upper one its ink and the lower one its ground."""

from typing import TYPE_CHECKING

from maxi_core.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from maxi_core.types import Video
    from maxi_core.video.frames import Pixels

WIDE, GAP = 38, 2  # columns of a frame at least, and between two
UPPER_HALF = "▀"


def show_frames(console: "Console", video: "Video") -> None:
    """Print as many frames of a video as fit beside each other, at least two, spread evenly.

    Raises UsageError where the terminal has no colours, or for a video that cannot be read.
    """
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.types import Failed
    from maxi_core.video.reader import read_videos
    from maxi_core.video.sampling import Sampling

    if console.color_system is None or "utf" not in console.encoding:
        raise UsageError("this terminal shows no pictures", "type maxi report RUN --figure VIDEO, for a browser")
    count = max(2, (console.width + GAP) // (WIDE + GAP))
    wide = max(1, (console.width + GAP) // count - GAP)
    sampling = {"show": Sampling("middles", count, side=max(WIDE, wide))}
    ((_, read),) = read_videos([video], sampling, VideoOptions(workers=0))
    if isinstance(read, Failed):
        raise UsageError(f"{video.path} cannot be shown: {read.reason}", "leave out --frames")
    for line in lines_of(read["show"], wide):
        console.print(line, soft_wrap=True)


def lines_of(frames: "Pixels", wide: int) -> "list[Text]":
    """Return frames (T, H, W, 3) uint8 beside each other as lines of text, each `wide` columns."""
    import numpy as np
    from PIL import Image
    from rich.color import Color
    from rich.style import Style
    from rich.text import Text

    height, width = frames.shape[1:3]
    rows = max(1, round(wide * height / width / 2))
    small = [np.asarray(Image.fromarray(frame).resize((wide, 2 * rows), Image.Resampling.BOX)) for frame in frames]
    lines = []
    for row in range(rows):
        line = Text()
        for place, frame in enumerate(small):
            line.append(" " * GAP * bool(place))
            for upper, lower in zip(frame[2 * row].tolist(), frame[2 * row + 1].tolist(), strict=True):
                line.append(UPPER_HALF, Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower)))
        lines.append(line)
    return lines
