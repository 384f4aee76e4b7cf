"""What is done in a video, out of given labels: `predict`, and windows that slide over a long one."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.evaluation.features import encode_names, encode_views
from maxi_core.evaluation.metrics import softmax
from maxi_core.evaluation.protocol import CONSUMER, Protocol
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import whole_file
from maxi_core.texts import has_words, spell
from maxi_core.types import Failed, Video
from maxi_core.video.reader import read_videos


@dataclass(frozen=True, slots=True)
class Guess:
    """One label of a video: the share that the softmax over all labels gives it, and its cosine (mean over views)."""

    label: str
    share: float
    cosine: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The best labels of a video or window, best first; none, and a reason, if it could not be read.

    `flag` says what is missing from a video that was cut short but could be used.
    """

    video: Video
    guesses: tuple[Guess, ...]
    failed: Failed | None = None
    flag: str = ""


def predict(
    model: VideoCLIP,
    videos: Iterable[Video | Path | str],
    labels: Sequence[str],
    protocol: Protocol | None = None,
    *,
    top: int = 5,
    reading: VideoOptions | None = None,
) -> Iterator[Prediction]:
    """Yield the best `top` labels of each video, in order; the labels are encoded once.

    The softmax is over the labels given: it says which of them fits best, not whether any does. Of equal scores the
    earlier label is first. Labels are shown to the model in the spelling of the protocol, and given back as they are.
    Raises UsageError if there is no label or one comes twice.
    """
    protocol = protocol or Protocol(frames=model.frames)
    names = [label.strip() for label in labels]
    if not names or not all(map(has_words, names)):
        raise UsageError(
            "there are no labels to choose from, or one without words", "name some: --labels 'arm wrestling, juggling'"
        )
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise UsageError(f"the label '{twice[0]}' comes twice", "name it once")
    texts = encode_names(model, protocol, spell(names, protocol.spelling)).astype(np.float64).T  # (D, C)
    asked = (one if isinstance(one, Video) else Video(str(one), Path(one)) for one in videos)
    for video, frames in read_videos(asked, {CONSUMER: protocol.sampling(model.image_size)}, reading):
        if isinstance(frames, Failed):
            yield Prediction(video, (), frames)
            continue
        features = encode_views(model, protocol, frames[CONSUMER])
        if isinstance(features, Failed):
            yield Prediction(video, (), features)
            continue
        cosines = features.astype(np.float64) @ texts  # (V, C)
        shares, means = softmax(cosines / model.sigma).mean(axis=0), cosines.mean(axis=0)
        best = np.argsort(-(means if len(cosines) == 1 else shares), kind="stable")[:top]
        guesses = tuple(Guess(names[place], float(shares[place]), float(means[place])) for place in best)
        yield Prediction(video, guesses, None, frames.flag)


def sliding(video: Video, window: float, stride: float) -> tuple[Video, ...]:
    """Cut a video into windows of `window` seconds that begin every `stride` seconds; the last one reaches its end,
    unless the stride leaves gaps.

    A video that is shorter than a window stays whole, and so does one that cannot be opened: reading it says why.
    Raises UsageError for lengths that are not above 0 or endless.
    """
    from maxi_core.video.lengths import length_of
    from maxi_core.video.pyav_decoder import opened
    from maxi_core.video.skips import VideoError

    if not (0 < window < math.inf and 0 < stride < math.inf):  # NaN is neither
        raise UsageError(f"a window of {window:g} s every {stride:g} s cannot slide", "both are above 0, and finite")
    try:
        with opened(video.path) as (container, stream):
            length = length_of(container, stream)
    except VideoError:
        length = None
    if length is None or length <= window:
        return (video,)
    windows = []
    for number in range(math.ceil(length / stride)):
        start = number * stride
        end = None if start + window >= length - 1e-9 else start + window
        name = f"{video.id}#t={start:g}" + ("" if end is None else f",{end:g}")  # as a media fragment
        windows.append(Video(name, video.path, start, end))
        if end is None:
            break
    return tuple(windows)


# A PNG strip of a video's windows: a frame of each, its time and its best label beneath.

STRIP = b"maxi predict --strip"  # stands in each
TILE, BENEATH, ACROSS = 160, 46, 8  # pixels of a tile and of the text beneath it; tiles in a row


def write_strip(predictions: Sequence[Prediction], path: Path, reading: VideoOptions | None = None) -> None:
    """Write the strip, eight windows in a row; the frame is the middle one of its window."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

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
    about = PngInfo()
    about.add_text("Software", STRIP.decode())
    with whole_file(path) as file:
        sheet.save(file, format="PNG", pnginfo=about)


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
