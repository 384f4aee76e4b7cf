"""The clip: all frames of a video, with the maps of each model and text beside them, as MP4 or GIF."""

from fractions import Fraction
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from maxi_core.errors import UsageError
from maxi_core.heatmaps.figure import plain, scale_of, score_of, short_name
from maxi_core.heatmaps.heatmap import MARK, Heatmaps
from maxi_core.heatmaps.region import laid_over
from maxi_core.system.files import whole_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from maxi_core.video.frames import Pixels

FORMATS = (".mp4", ".gif")
ABOVE = 30  # pixels of the two lines above a panel
MOST = 8192  # pixels of a side: what H.264 encoders take
LEAST = 200  # pixels of a panel's width, for what stands above it; smaller frames are enlarged to about that


def write_clip(found: Heatmaps, path: Path) -> None:
    """Write the frames of `found` with their maps, at their pace; raises MaxiError if the file cannot be written."""
    rate = Fraction(max(found.rate, 0.1)).limit_denominator(1000)
    with whole_file(path) as file:
        write = _write_gif if path.suffix == ".gif" else _write_mp4
        write(list(_pictures(found)), rate, file)


def _pictures(found: Heatmaps) -> "Iterator[Pixels]":
    """Yield a picture for each frame: a row for each model, the frame itself and one panel for each text."""
    from matplotlib import font_manager
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 11)
    scale = scale_of(found)
    height, width = found.frames.shape[1:3]
    times = max(1, LEAST // min(height, width))
    wide, high = max(width * times, LEAST), height * times + ABOVE
    size = (wide * (len(found.texts) + 1), high * len(found.models))
    size = (size[0] + size[0] % 2, size[1] + size[1] % 2)  # H.264 wants even sides
    if max(size) > MOST:
        raise UsageError(f"the clip would be {size[0]} by {size[1]} pixels", "name fewer texts or models")
    for place, frame in enumerate(found.frames):
        sheet = Image.new("RGB", size, "white")
        pen = ImageDraw.Draw(sheet)
        for row, one in enumerate(found.models):
            panels = [(frame, short_name(one.model), "")]
            for text, said in enumerate(found.texts):
                laid = laid_over(frame, one.maps[text, place], one.image_size, scale)
                panels.append((laid, plain(said), score_of(found, one, text)))
            for column, (picture, *lines) in enumerate(panels):
                large = Image.fromarray(picture.repeat(times, axis=0).repeat(times, axis=1))
                sheet.paste(large, (column * wide, row * high + ABOVE))
                for line, said in enumerate(lines):
                    shown = said
                    while shown and pen.textlength(shown, font) > wide - 4:
                        shown = shown[:-1]
                    pen.text((column * wide + 2, row * high + 1 + 14 * line), shown, fill="black", font=font)
        yield np.asarray(sheet)


def _write_mp4(pictures: "list[Pixels]", rate: Fraction, file: IO[bytes]) -> None:
    import av

    with av.open(file, "w", format="mp4") as container:
        container.metadata["comment"] = MARK.decode()
        has_x264 = "libx264" in av.codecs_available
        options = {"crf": "20"} if has_x264 else {"qscale": "3"}
        stream = container.add_stream("libx264" if has_x264 else "mpeg4", rate=rate, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def _write_gif(pictures: "list[Pixels]", rate: Fraction, file: IO[bytes]) -> None:
    from PIL import Image

    first, *rest = [Image.fromarray(picture).quantize() for picture in pictures]
    first.save(file, format="GIF", save_all=True, append_images=rest, duration=round(1000 / rate), loop=0,
               comment=MARK)  # fmt: skip
