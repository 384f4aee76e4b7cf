"""What is being checked, and how it is asked: batches of questions in, answers out, and those held to each other."""

import atexit
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from maxi_core.errors import LEAVING, MaxiError, UsageError
from maxi_core.plugin.importing import told_when_slow
from maxi_core.plugin.roles import ASKED, LOOKING, Augmenter, Captioner, Expander, Filter, Matcher, Source
from maxi_core.settings.options import Configured
from maxi_core.system.remote import as_path
from maxi_core.system.urls import refuse_reading
from maxi_core.texts import counted, tidy
from maxi_core.types import Clip, Dictionary, Failed, Form, Match, Text, TextBag, Video
from maxi_core.video.sampling import Sampling

if TYPE_CHECKING:
    from maxi_core.video.frames import Pixels

# What the kit asks a source: action names, sentences, and small clips that it writes itself, once a process.

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
    """Return the kit's questions for a role, all different: entries, texts, videos or bags; none for other roles."""
    if role in ("matcher", "captioner"):
        return list(clips())
    if role == "filter":
        return [_bag(video, number) for number, video in enumerate(clips())]
    return list({"augmenter": TEXTS, "expander": ENTRIES, "injector": ENTRIES}.get(role, ()))


def read_questions(role: str, path: Path) -> list[Any]:
    """Return the first questions of a file of texts, one a line, of a folder or list of videos, or of a run of bags.

    Raises UsageError if there are none, and if they, or the videos that they name, are not on this machine.
    """
    refuse_reading(as_path(path), "questions are read")
    if role in ("matcher", "captioner"):
        from maxi_core.video.inputs import find_videos

        found = [*islice(find_videos(path), len(ENTRIES))]
        for video in found:
            refuse_reading(video.path, _SHOWN)
        return [replace(video, path=video.path.absolute()) for video in found]  # another process stands elsewhere
    if role == "filter":
        from maxi_core.bags.bag import read_bags

        bags = [*islice((bag for bag in read_bags(path) if bag.texts), len(ENTRIES))]
        for bag in bags:
            refuse_reading(bag.match.video.path, _SHOWN)
        return bags
    try:
        lines = [tidy(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read the questions {path}: {why}", "name a file of texts, one a line") from None
    texts = list(dict.fromkeys(line for line in lines if line))
    if not texts:
        raise UsageError(f"there are no questions in {path}", "write texts into it, one a line")
    return texts[: len(ENTRIES)]


_SHOWN = "a plugin is checked with videos that are"


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


def _bag(video: Video, number: int) -> TextBag:
    """Return a bag of 2 to 6 texts, the matched entry's number deciding which."""
    entry, caption = ENTRIES[number], TEXTS[number]
    verbs = [text for text in TEXTS[number + 1 :] + TEXTS[: 2 + number % 5] if " " in text][: 1 + number % 5]
    texts = (Text(caption, "kit", video.id, "phrase"), *(Text(verb, "kit", entry, "phrase") for verb in verbs))
    return TextBag(Match(video, entry, 0.25, ((entry, 0.25),)), True, texts, (("kit", tuple(t.text for t in texts)),))


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


NEAR = 1e-4  # of a score: batches of other sizes round otherwise
SHOWN = 200  # characters of one thing in a message


class NotCheckedError(MaxiError):
    """A check that could not see what it looks for: neither kept nor broken."""


@dataclass(frozen=True)
class Subject:
    """What is being checked: how to make it, what to ask it, and a folder for files.

    `seen` keeps the answers that several checks compare with, so that a slow source is asked for them once.
    """

    make: Callable[[], Configured]
    questions: Sequence[Any]
    folder: Path
    seen: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def source(self) -> Source:
        """Return a new instance of the source."""
        made = self.make()
        assert isinstance(made, Source), f"{type(made).__name__} is no source"
        return made

    def batch(self, size: int) -> list[Any]:
        """Return so many questions, repeated where there are too few."""
        assert self.questions, "there are no questions to ask it"
        return [self.questions[place % len(self.questions)] for place in range(size)]

    def spare(self, place: int) -> Any:
        """Return a question that can take the place of another: one beyond the largest batch, if there are so many."""
        return self.questions[(LARGEST + place) % len(self.questions)]

    def truth(self) -> list[Any]:
        """Return what one instance says of each question, asked one by one: what every other asking is held to.

        Raises NotCheckedError if it says Failed of all of them: then there is nothing to compare.
        """
        if "truth" not in self.seen:
            with opened(self) as source:
                self.seen["truth"] = [ask(source, [question])[0] for question in self.questions]
        truth: list[Any] = self.seen["truth"]
        if all(isinstance(answer, Failed) for answer in truth):
            raise NotCheckedError(
                f"it says Failed of all that the kit asks, such as {shown(truth[0])}",
                "give it questions that it can answer: contract(make, questions=[...])",
            )
        return truth

    def true(self, question: Any) -> Any:
        """Return what it says of one of the questions, asked by itself."""
        return self.truth()[list(self.questions).index(question)]

    def told_apart(self) -> list[Any]:
        """Return the questions so that neighbours have different answers, as far as there are such.

        Raises NotCheckedError if there are none: then no kit sees whether answers are at their places.
        """
        groups: dict[str, list[Any]] = {}
        for question, answer in zip(self.questions, self.truth(), strict=True):
            groups.setdefault(repr(said(answer)), []).append(question)
        if len(groups) == 1:
            raise NotCheckedError(
                f"it says the same of all that the kit asks, {shown(self.truth()[0])}, so it cannot be seen whether "
                "answers are at their places",
                "give it questions that it answers differently: contract(make, questions=[...])",
            )
        rows = list(groups.values())
        return [row[turn] for turn in range(len(self.questions)) for row in rows if turn < len(row)]


@contextmanager
def opened(subject: Subject) -> Iterator[Source]:
    """Give a new instance that is open, and close it in the end."""
    source = subject.source()
    source.open()
    try:
        yield source
    finally:
        source.close()


def ask(source: Source, questions: Sequence[Any], dictionary: Dictionary = DICTIONARY) -> list[Any]:
    """Ask an open source one batch and return its answers; raises AssertionError if they are no list, one for each."""
    return answered(source, batch_of(source, questions), dictionary)


def answered(source: Source, batch: list[Any], dictionary: Dictionary = DICTIONARY) -> list[Any]:
    """Call the method of the source's role with a batch as it is."""
    asked = len(batch)
    method = f"{method_of(source)}()"
    try:
        with told_when_slow(f"{method} has not answered a batch of {asked}"):
            answers: object = _call(source, batch, dictionary)
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        raise AssertionError(
            f"asked a batch of {asked}, {method} raised {type(error).__name__}: {shown(error, plain=True)}; for an "
            "item that it cannot answer it returns Failed(reason) at that place"
        ) from error
    hint = "return a list with one answer for each item, [answer(item) for item in batch]"
    assert isinstance(answers, list), f"{method} returned a {type(answers).__name__}, {shown(answers)}: {hint}"
    assert len(answers) == asked, (
        f"asked a batch of {asked}, {method} returned {counted(len(answers), 'answer')}: {hint}"
    )
    return answers


def _call(source: Source, batch: list[Any], dictionary: Dictionary) -> object:
    if isinstance(source, Expander):
        return source.expand(batch)
    if isinstance(source, Captioner):
        return source.caption(batch)
    if isinstance(source, Augmenter):
        return source.augment(batch)
    if isinstance(source, Filter):
        return source.filter([clip for clip, _ in batch], [bag for _, bag in batch])
    assert isinstance(source, Matcher), f"{type(source).__name__} has none of the roles that are asked questions"
    return source.match(batch, dictionary)


def method_of(source: Source) -> str:
    """Return the name of the method by which a source is asked."""
    (name,) = next(role for role in type(source).__mro__ if role in ASKED).__abstractmethods__
    return name


def batch_of(source: Source, questions: Sequence[Any]) -> list[Any]:
    """Return the batch that the core makes of questions: of videos as clips with their frames, of bags with these."""
    if isinstance(source, Filter):
        return [(clip_of(bag.match.video, source.frames), bag) for bag in questions]
    return [clip_of(video, source.frames) for video in questions] if isinstance(source, LOOKING) else list(questions)


def clip_of(video: Video, wanted: Sampling | None) -> Clip:
    """Return a video with frames of its own as the core would give them."""
    import numpy as np

    if wanted is None:
        return Clip(video, np.empty((0, 0, 0, 3), np.uint8))
    return Clip(video, _frames(video, wanted).copy())


@lru_cache(256)
def _frames(video: Video, wanted: Sampling) -> "Pixels":
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.video.jobs import Job
    from maxi_core.video.reader import read_jobs

    ((_, frames),) = read_jobs([Job(video, {"kit": wanted})], VideoOptions(workers=0))
    if isinstance(frames, Failed):
        raise NotCheckedError(f"{video.id} cannot be decoded: {frames.reason}", "give videos that can")
    return frames["kit"]


def shuffled(questions: Sequence[Any], seed: int) -> list[Any]:
    """Return the questions in another order, the same one each time."""
    order = list(questions)
    Random(seed).shuffle(order)  # noqa: S311 (an order, not a secret)
    return order


def same(one: Any, other: Any) -> bool:
    """Whether two answers are the same; scores may differ by rounding, and two that failed are alike."""
    if isinstance(one, Failed) and isinstance(other, Failed):
        return True
    if not (isinstance(one, Match) and isinstance(other, Match)):
        return bool(one == other)
    if not (_near(one.score, other.score) and len(one.top) == len(other.top)):
        return False
    return (one.entry == other.entry or _tied(one, other.entry)) and all(
        _near(score, score_2) and (entry == entry_2 or _tied(one, entry_2))
        for (entry, score), (entry_2, score_2) in zip(one.top, other.top, strict=True)
    )


def _near(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)


def _tied(match: Match, entry: str) -> bool:
    """Whether `entry` is one of those in `top` that are as good as another, so that rounding decides between them."""
    scores = dict(match.top)
    return entry in scores and sum(_near(score, scores[entry]) for score in scores.values()) > 1


def hold(subject: Subject, questions: Sequence[Any], answers: Sequence[Any], how: str) -> None:
    """Raise AssertionError unless the answers are those that it gives when it is asked one by one."""
    for place, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        true = subject.true(question)
        if same(true, answer):
            continue
        moved = [other for other in questions if other != question and same(subject.true(other), answer)]
        hint = f"; that is what it says of {shown(moved[0])}: answer item i at place i" if moved else ""
        raise AssertionError(
            f"{how}, it says {shown(answer)} of {shown(question)} at place {place}, and {shown(true)} when that is "
            f"asked by itself{hint}"
        )


def said(answer: Any) -> Any:
    """Return what an answer says besides the video that it names."""
    return (answer.entry, answer.score, answer.top) if isinstance(answer, Match) else answer


def shown(value: object, *, plain: bool = False) -> str:
    """Return a value as a message shows it: in one line, cut where it is long."""
    if isinstance(value, Video):
        value = f"{value.id}{_window(value)}"
    elif isinstance(value, TextBag):
        value, plain = f"the bag of {value.match.video.id} with {[text.text for text in value.texts]}", True
    elif isinstance(value, Match):
        value, plain = f"Match({value.entry!r}, {value.score}, top={list(value.top)})", True
    text = ascii(value) if isinstance(value, str) and not (plain or value.isprintable()) else None
    text = text or " ".join((str(value) if plain else repr(value)).split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _window(video: Video) -> str:
    if video.start is None and video.end is None:
        return ""
    return f" from {video.start or 0:g} s to {'its end' if video.end is None else f'{video.end:g} s'}"
