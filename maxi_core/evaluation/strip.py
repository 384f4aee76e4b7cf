"""A PNG strip of a video's windows: a frame of each, its time and its best label beneath."""

from collections.abc import Sequence
from pathlib import Path

from maxi_core.evaluation.predicting import Prediction
from maxi_core.files import whole_file
from maxi_core.types import Failed
from maxi_core.video.options import VideoOptions

TILE, BENEATH, ACROSS = 160, 46, 8  # pixels of a tile and of the text beneath it; tiles in a row


def write_strip(predictions: Sequence[Prediction], path: Path, reading: VideoOptions | None = None) -> None:
    """Write the strip, eight windows in a row; the frame is the middle one of its window."""
    from PIL import Image, ImageDraw

    from maxi_core.video.reader import read_videos
    from maxi_core.video.sampling import Sampling

    rows = -(-len(predictions) // ACROSS)
    sheet = Image.new("RGB", (min(len(predictions), ACROSS) * TILE, rows * (TILE + BENEATH)), "white")
    draw = ImageDraw.Draw(sheet)
    answers = read_videos((one.video for one in predictions), {"strip": Sampling("middles", 1, side=TILE)}, reading)
    for place, (one, (_, frames)) in enumerate(zip(predictions, answers, strict=True)):
        left, top = place % ACROSS * TILE, place // ACROSS * (TILE + BENEATH)
        if not isinstance(frames, Failed):
            picture = Image.fromarray(frames["strip"][0])
            picture.thumbnail((TILE - 4, TILE - 4))
            sheet.paste(picture, (left + 2, top + 2))
        said = [time_of(one), *_wrapped(one.guesses[0].label if one.guesses else "could not be read")]
        for line, text in enumerate(said[:3]):
            draw.text((left + 4, top + TILE + 14 * line), text, fill="black")
    with whole_file(path) as file:
        sheet.save(file, format="PNG")


def time_of(one: Prediction) -> str:
    """Return when a window is: `4.0-8.0 s`."""
    start, end = one.video.start or 0.0, one.video.end
    return f"{start:.1f}-{'end' if end is None else f'{end:.1f}'} s"


def _wrapped(text: str, width: int = 25) -> list[str]:
    lines = [""]
    for word in text.encode("ascii", "replace").decode().split():
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()[:width]
    return lines
