"""What the kit asks a source: action names, sentences, and small clips that it writes itself, once a process."""

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError
from maxi_core.texts import tidy
from maxi_core.types import Dictionary, Form, Video

LARGEST = 17  # items of the largest batch that is asked; the questions beyond take the place of a neighbour

ENTRIES = (
    "riding a bike", "juggling balls", "playing chess", "arm wrestling", "riding a horse", "throwing a ball",
    "playing with a dog", "washing a horse", "Tai Chi", "throwing an axe", "walking a dog", "washing hands",
    "cleaning a pool", "jumping into a pool", "playing a guitar", "walking on hands", "passing a ball (in game)",
    "dancing", "catching or throwing a frisbee on a long sandy beach early in the morning", "crème brûlée making",
)  # fmt: skip
TEXTS = (
    "a man is riding a bike down a street", "throwing a ball into the air", "a close up of a red wall",
    "two people are arm wrestling at a table", "a woman is riding a horse on a beach", "a dog catching a ball",
    "someone playing a guitar", "people playing chess", "a girl washing a horse", "Jumping into a pool.",
    "a man throwing an axe at a tree", "cleaning a pool", "a boy walking a dog", "walking on hands",
    "somebody is cutting an apple and eating it", "a group dancing in the rain", "juggling three balls while running",
    "swimming", "an old man sitting on a bench in the park and reading a newspaper while children are playing around",
    "a café making crème brûlée",
)  # fmt: skip
HOSTILE_TEXTS = ("", " \n\t", "\x00\x1b[31m", "\ud800 lone", "🎾" * 50, "لعب الكرة", "run " * 20_000)

DICTIONARY = Dictionary("kit", ENTRIES[:LARGEST])
OTHER_DICTIONARIES = (
    Dictionary("kit of others", ("Riding a unicycle", "playing chess", "crème brûlée making", "riding a bike")),
    Dictionary("kit", tuple(f"{entry} at night" for entry in ENTRIES[:LARGEST])),  # the name and the size of the first
    Dictionary("kit reversed", DICTIONARY.entries[::-1]),
    Dictionary("kit of one", ("juggling balls",)),
)

SAME_NAME = (3, 12)  # clips of one file name in two folders
RATE, SIDE = 12, 64  # frames a second and pixels of the kit's clips
SHAPES = ((SIDE, SIDE), (96, SIDE), (SIDE, 96))  # width and height: batches are of mixed shapes
HOSTILE_SHAPES = ((16, 16), (16, 256), (256, 16))  # height and width


@dataclass(frozen=True)
class Halves:
    """A clip whose halves differ, and each half as a file of its own: what a window of the clip shows."""

    whole: Video
    first: Video
    second: Video


def questions_for(role: str) -> list[Any]:
    """Return the kit's questions for a role, all different: entries, texts, or videos; none for other roles."""
    if role in ("matcher", "captioner"):
        return list(clips())
    return list({"augmenter": TEXTS, "expander": ENTRIES, "injector": ENTRIES}.get(role, ()))


def read_questions(role: str, path: Path) -> list[Any]:
    """Return the first questions of a file of texts, one a line, or of a folder or list of videos, as the role has it.

    Raises UsageError if there are none.
    """
    if role in ("matcher", "captioner"):
        from maxi_core.video.inputs import find_videos

        return list(islice(find_videos(path), len(ENTRIES)))
    try:
        lines = [tidy(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read the questions {path}: {why}", "name a file of texts, one a line") from None
    texts = list(dict.fromkeys(line for line in lines if line))
    if not texts:
        raise UsageError(f"there are no questions in {path}", "write texts into it, one a line")
    return texts[: len(ENTRIES)]


def clip(path: Path, shade: int, *, moving: bool = True, size: tuple[int, int] = (SIDE, SIDE)) -> Video:
    """Write a clip of a second, 12 frames of one grey shade with a bar that moves or not, and return it as a video.

    `shade` is 0 (black) to 255, `size` width and height in pixels, both even.
    """
    return _write(path, [(shade, 4 * (index if moving else 3)) for index in range(RATE)], size)


def unreadable(folder: Path) -> Video:
    """Write a text file that calls itself a video."""
    path = folder / "no video.mp4"
    path.write_text("this is no video")
    return Video(path.name, path)


def plain_augment(texts: Iterable[str]) -> list[list[Form]]:
    """Return each word that ends in -ing as a verb: enough of an augmenter for an injector to work with."""
    return [[Form(word, "verb", word[:-3]) for word in text.split() if word.endswith("ing")] for text in texts]


@cache
def clips() -> tuple[Video, ...]:
    """Write clips that differ in shade, motion and shape, two of one file name in two folders."""
    return tuple(_clip(number) for number in range(len(ENTRIES)))


def _clip(number: int) -> Video:
    name = f"kit {number}/clip.mp4" if number in SAME_NAME else f"kit/clip {number}.mp4"
    path = _folder() / name
    path.parent.mkdir(exist_ok=True)
    shade = (40, 200, 10, 120, 230, 80, 160)[number % 7] + number
    written = clip(path, shade, moving=number % 3 != 2, size=SHAPES[number % len(SHAPES)])
    return Video(name, written.path)


@cache
def halves() -> Halves:
    """Write a clip of two seconds, dark and moving in its first half and bright and still in the second."""
    dark = [(20, 4 * index) for index in range(RATE)]
    bright = [(235, 12)] * RATE
    parts = {"whole": dark + bright, "first": dark, "second": bright}
    made = [_write(_folder() / f"{name} half.mp4", pictures, (SIDE, SIDE)) for name, pictures in parts.items()]
    return Halves(*made)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="maxi-kit-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _write(path: Path, pictures: list[tuple[int, int]], size: tuple[int, int]) -> Video:
    """Write one frame for each (shade, place of the bar)."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height = size
        for shade, place in pictures:
            picture = np.full((size[1], size[0], 3), shade, np.uint8)
            picture[:, place : place + 4] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Video(path.name, path)


def odd_frames(frames: Any) -> list[Any]:
    """Return frames of shapes and contents that a source must bear, as many as `frames` (T, H, W, 3) has."""
    import numpy as np

    shapes = [np.zeros((len(frames), *shape, 3), np.uint8) for shape in HOSTILE_SHAPES]
    noise = np.random.default_rng(0).integers(0, 256, (len(frames), SIDE, SIDE, 3), np.uint8)
    return [*shapes, np.full_like(noise, 255), noise]
