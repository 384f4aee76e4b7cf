"""Small real plugins, some of each role, that keep the contract."""

import hashlib
import multiprocessing
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal

from pydantic import Field

import maxi_core
from maxi_core import (
    Augment,
    Augmenter,
    Captioner,
    Clip,
    Dictionary,
    Engine,
    Expander,
    Failed,
    Features,
    Filter,
    Form,
    Injector,
    Match,
    Matcher,
    Objective,
    Sampling,
    Teacher,
    Temporal,
    TextBag,
    UsageError,
    Work,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from maxi_core import Pixels, Pooling


class Echo(Expander):
    """Says each entry again, so many times."""

    name = "echo"

    class Options(maxi_core.Options):
        limit: int = Field(2, ge=1, description="how many times")
        words: tuple[str, ...] = Field((), description="what to say besides")

    options: Options

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        return [self.phrases(entry) for entry in entries]

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} {turn}" for turn in range(self.options.limit)] + list(self.options.words)


class Tabled(Echo):
    """Says what a file says of an entry, and knows the file by its content."""

    class Options(Echo.Options):
        table: Path | None = Field(None, description="lines such as `riding a bike: cycling`")
        log: Path | None = Field(None, description="where to write what was asked")

        EFFORT = ("log",)

    options: Options

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"table": hashlib.sha256(self.bytes()).hexdigest()}

    def open(self) -> None:
        self.lines = [] if self.options.table is None else self.bytes().decode(errors="replace").splitlines()

    def phrases(self, entry: str) -> list[str] | Failed:
        said = [line.partition(": ")[2].strip() for line in self.lines if line.startswith(f"{entry}: ")]
        return [text for text in said if text] or super().phrases(entry)

    def bytes(self) -> bytes:
        assert self.options.table is not None
        try:
            return self.options.table.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {self.options.table}: {error.strerror}", "name a table") from None


class Pool(Echo):
    """Is asked by several threads at once, and keeps what it has said."""

    batch = 1
    concurrency = 4

    class Options(Echo.Options):
        chunk: int = Field(4, ge=1, description="entries that are looked at together")
        speed: Literal["slow", "fast"] = Field("fast", description="how it goes about it")

        EFFORT = ("chunk", "speed")

    options: Options

    @cached_property
    def said(self) -> dict[str, list[str] | Failed]:
        return {}

    def phrases(self, entry: str) -> list[str] | Failed:
        if entry not in self.said:
            self.said[entry] = super().phrases(entry)
        return self.said[entry]

    def notes(self) -> list[str]:
        return [f"it said something of {len(self.said)} entries"]


class Scribbles(Captioner):
    """A captioner that says how bright a video is, and whether it moves."""

    name = "scribbles"

    @property
    def frames(self) -> Sampling | None:
        return Sampling("uniform", 4)

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        return [self.sentences(clip.frames) for clip in clips]

    def sentences(self, frames: "Pixels") -> list[str] | Failed:
        moving = bool(abs(frames[1:].astype(float) - frames[:-1]).mean() > 1)
        return [f"a picture of brightness {int(frames.mean())}", f"a person {'moves' if moving else 'stands'}"]


class Sizes(Captioner):
    """A captioner that reads the file itself, and cannot read a part of it."""

    name = "sizes"
    frames = None

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        return [self.sentences(clip) for clip in clips]

    def sentences(self, clip: Clip) -> list[str] | Failed:
        if clip.video.start is not None or clip.video.end is not None:
            return Failed("it reads whole files only")
        try:
            with clip.open() as file:
                data = file.read()
        except OSError as error:
            return Failed(f"cannot read it: {error.strerror}")
        return [f"a file of sum {sum(data)}"] if data[4:8] == b"ftyp" else Failed("not an MP4")


class Words(Augmenter):
    """An augmenter that takes every word in -ing for a verb."""

    name = "words"

    def augment(self, texts: list[str]) -> list[list[Form] | Failed]:
        return [self.forms(text) for text in texts]

    def forms(self, text: str) -> list[Form] | Failed:
        found = [word for word in text.split() if word.endswith("ing") and len(word) > 3]
        return [Form(word, "verb", word[:-3]) for word in dict.fromkeys(found)]


class Short(Filter):
    """A filter that drops long texts."""

    name = "short"

    def filter(self, clips: list[Clip], bags: list[TextBag]) -> list[TextBag | Failed]:
        return [self.left(clip, bag) for clip, bag in zip(clips, bags, strict=True)]

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        return replace(bag, texts=tuple(text for text in bag.texts if len(text.text) < 30))


class Bright(Short):
    """A filter that looks at the video: of a dark one the first text alone stays."""

    name = "bright"
    frames = Sampling("middles", 2)

    def left(self, clip: Clip, bag: TextBag) -> TextBag | Failed:
        return bag if clip.frames.mean() > 100 else replace(bag, texts=bag.texts[:1])


class First(Matcher):
    """A matcher that takes an entry by the brightness of a video."""

    name = "first"

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        return [self.best(clip, dictionary.entries) for clip in clips]

    def best(self, clip: Clip, entries: tuple[str, ...]) -> Match | Failed:
        bright = float(clip.frames.mean()) / 256
        return Match(clip.video, entries[int(bright * len(entries))], bright)


class Ranked(First):
    """A matcher that keeps all entries, those of the nearest length best."""

    def best(self, clip: Clip, entries: tuple[str, ...]) -> Match | Failed:
        bright = float(clip.frames.mean()) / 10
        scores = [(entry, -abs(bright - len(entry))) for entry in entries]
        top = tuple(sorted(scores, key=lambda pair: -pair[1]))
        return Match(clip.video, *top[0], top)


class More(Injector):
    """An injector that adds one entry and says so."""

    name = "more"

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        if "waving" in dictionary.entries:
            return dictionary
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, "waving"))


class Drawn(Injector):
    """An injector that adds verbs of captions at random, by a generator of its own."""

    name = "drawn"

    class Options(maxi_core.Options):
        seed: int = Field(0, description="which verbs")

    options: Options

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        found = augment(["a man is throwing a ball", "two girls running and laughing", "a dog barking"])
        verbs = sorted({form.text for forms in found for form in forms} - set(dictionary.entries))
        if not verbs:
            return dictionary
        drawn = Random(self.options.seed).sample(verbs, min(2, len(verbs)))
        return Dictionary(f"{dictionary.name}+drawn{len(drawn)}@{self.options.seed}", (*dictionary.entries, *drawn))


class Average(Temporal):
    """A temporal module as it should be."""

    name = "average"

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1)


class Weighs(Temporal):
    """A temporal module with weights of its own: how much each frame counts, whatever their number."""

    name = "weighs"

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        class Weighing(torch.nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.score = torch.nn.Linear(width, 1)
                self.drop = torch.nn.Dropout(0.1)

            def forward(self, features: torch.Tensor) -> torch.Tensor:
                return (self.score(self.drop(features)).softmax(1) * features).sum(1)

        return Weighing(visual.output_dim)


class Blends(Temporal):
    """A temporal module that changes the encoder: each frame gets something of the one before it."""

    name = "blends"

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        import torch

        class Blend(torch.nn.LayerNorm):
            def forward(self, tokens: torch.Tensor) -> torch.Tensor:
                whole = super().forward(tokens).unflatten(0, (-1, self.frames))
                before = torch.cat([whole[:, :1], whole[:, :-1]], 1)
                return (0.8 * whole + 0.2 * before).flatten(0, 1)

        visual.ln_post.__class__ = Blend
        visual.ln_post.frames = frames
        return lambda features: features.mean(1)


class Tells(Objective):
    """Tells the first text of each video's bag from all texts."""

    name = "tells"

    def loss(self, features: Features) -> "Tensor":
        return self.each(features).mean()

    def each(self, features: Features) -> "Tensor":
        """Return the loss of each video."""
        own, every = self.parts(features)
        return every - own

    def parts(self, features: Features) -> "tuple[Tensor, Tensor]":
        """Return the logit of each video's own text, and the logarithm of the mass of all, in float32 at least."""
        import torch

        videos, texts, told, scale = (
            part.float() if part.dtype in (torch.float16, torch.bfloat16) else part
            for part in (features.videos, features.texts, self.told(features), features.scale)
        )
        own = (videos * texts[features.index[:, 0]]).sum(1)
        return scale * own, (scale * videos @ told.T).logsumexp(1)

    def told(self, features: Features) -> "Tensor":
        """Return what a video is told apart from."""
        return features.told_from(features.texts)


class Holds(Objective):
    """Holds the features of videos, which its head scales, to those of a teacher that follows."""

    name = "holds"
    regulariser = True
    prompts = "any"
    teacher = Teacher(0.9)

    def head(self, width: int) -> "nn.Module":
        import torch

        class Scaling(torch.nn.Module):
            def __init__(self, width: int) -> None:
                super().__init__()
                self.weight = torch.nn.Parameter(torch.ones(width))

            def forward(self, features: "Tensor") -> "Tensor":
                return features * self.weight

        return Scaling(width)

    def loss(self, features: Features) -> "Tensor":
        assert features.teacher is not None
        assert features.head is not None
        apart = features.head(features.videos) - features.teacher.videos
        return apart.float().square().sum(1).mean() if apart.dtype.itemsize < 4 else apart.square().sum(1).mean()


class Here(Engine):
    """Does the work in this process."""

    name = "here"
    apart = False
    work: Work | None = None

    def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
        self.work = work
        for place, item in enumerate(items):
            yield place, work(item)

    def close(self) -> None:
        if self.work is not None:
            self.work.close()


HELD: list[Work] = []  # the work, in the worker


class Beside(Engine):
    """Does the work in one process beside this one."""

    name = "beside"
    pool: ProcessPoolExecutor | None = None

    def run(self, work: Work, items: Iterable[str]) -> Iterator[tuple[int, str | Failed]]:
        result: str | Failed
        for place, item in enumerate(items):
            if self.pool is None:
                spawn = multiprocessing.get_context("spawn")
                self.pool = ProcessPoolExecutor(1, spawn, initializer=begin, initargs=(work,))
            try:
                result = self.pool.submit(do, item).result()
            except BrokenProcessPool:
                self.pool, result = None, Failed("a worker died")
            yield place, result

    def close(self) -> None:
        if self.pool is not None:
            with suppress(BrokenProcessPool):
                self.pool.submit(end).result()
            self.pool.shutdown()


def begin(work: Work) -> None:
    """Keep the work in the worker."""
    HELD.append(work)


def do(item: str) -> str:
    """Do an item in the worker."""
    return HELD[0](item)


def end() -> None:
    """Close the work in the worker."""
    HELD[0].close()
