"""What the kit asks a source: action names, sentences, and small clips that it writes itself."""

from pathlib import Path
from typing import Any

from maxi_core.types import Dictionary, Form, Video

ENTRIES = ("riding a bike", "juggling balls", "playing chess", "arm wrestling")
TEXTS = (
    "a man is riding a bike down a street",
    "throwing a ball into the air",
    "a close up of a red wall",
    "two people are arm wrestling at a table",
)
HOSTILE_TEXTS = ("", " \n\t", "\x00\x1b[31m", "\ud800 lone", "🎾" * 50, "لعب الكرة", "run " * 20_000)
DICTIONARY = Dictionary("kit", ENTRIES)


def questions_for(role: str, folder: Path) -> list[Any]:
    """Return the kit's questions for a role: entries, texts, or videos written into `folder`."""
    if role in ("matcher", "captioner"):
        return [clip(folder / f"clip {shade}.mp4", shade) for shade in (40, 120, 200)]
    return list(TEXTS if role == "augmenter" else ENTRIES)


def clip(path: Path, shade: int) -> Video:
    """Write a clip of 12 frames, 64 x 64, of one grey shade with a moving bar, and return it as a video."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=12)
        stream.width = stream.height = 64
        for index in range(12):
            picture = np.full((64, 64, 3), shade, np.uint8)
            picture[:, 5 * index : 5 * index + 4] = 255 - shade
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Video(path.name, path)


def unreadable(folder: Path) -> Video:
    """Write a text file that calls itself a video."""
    path = folder / "no video.mp4"
    path.write_text("this is no video")
    return Video(path.name, path)


def plain_augment(texts: Any) -> list[list[Form]]:
    """Return each word that ends in -ing as a verb: enough of an augmenter for an injector to work with."""
    return [[Form(word, "verb", word[:-3]) for word in text.split() if word.endswith("ing")] for text in texts]
