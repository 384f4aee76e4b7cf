"""The small frozen types that flow between the stages, in the order in which a video meets them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

FormKind = Literal["verb", "verb-phrase", "noun"]
TextKind = Literal["phrase", "verb", "verb-phrase", "noun"]


@dataclass(frozen=True, slots=True)
class Video:
    """One video, or one window of it, to be looked at; it carries no label, since the method is unsupervised.

    `id` is unique in a run and stays the same from one machine to the next (the path relative to the given root);
    `start` and `end` are seconds from the beginning of the file, None for its beginning and its end.
    """

    id: str
    path: Path
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A video with the frames that a source has asked for.

    `frames` are (T, H, W, 3) uint8 in RGB, upright, a copy of the source's own; T is 0 for a source that asks for none
    (its `frames` are None) and reads the file itself, with `open`.
    """

    video: Video
    frames: "Pixels" = field(repr=False)

    def open(self) -> BinaryIO:
        """Open the video to be read, wherever it lies; raises OSError as the built-in `open` does.

        `video.path` is the path of a file only where the video is not inside an archive.
        """
        from maxi_core.video.archives import open_video

        return open_video(self.video.path)


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A named list of action names, the texts that videos are matched to; entries are unique and keep their order."""

    name: str
    entries: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """The dictionary entry that fits a video best, with the cosine of the two (paper Eq. 1).

    `top` holds the best entries with their cosines, best first, when the matcher keeps more than one.
    """

    video: Video
    entry: str
    score: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Form:
    """One word or phrase that an augmenter found in a text: `throwing`, kind `verb`, lemma `throw`."""

    text: str
    kind: FormKind
    lemma: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The answer for an item that cannot be answered; `reason` is one line that a user can act on."""

    reason: str


@dataclass(frozen=True, slots=True)
class Text:
    """One item of a text bag: who said it, and of what (an entry, a phrase or a caption) it is a part or a form.

    `also` names the other sources that said the same.
    """

    text: str
    source: str
    of: str
    kind: TextKind
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextBag:
    """Everything the sources say of one video, and its match (method.md, bags).

    `kept` is whether the match is among the share that is kept; a video that is not has no texts. `said` holds the
    phrases and captions, by source, from which the texts come.
    """

    match: Match
    kept: bool
    texts: tuple[Text, ...] = ()
    said: tuple[tuple[str, tuple[str, ...]], ...] = ()
