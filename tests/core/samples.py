"""Small real plugins, one or two of each role, that keep the contract."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

import maxi_core
from maxi_core import (
    Augmenter,
    Captioner,
    Dictionary,
    Expander,
    Failed,
    Form,
    Injector,
    Match,
    Matcher,
    Temporal,
    Video,
)
from maxi_core.errors import UsageError
from maxi_core.sources import Augment

if TYPE_CHECKING:
    from torch import nn

    from maxi_core.temporal import Pooling


class Echo(Expander):
    """Says each entry again, so many times."""

    name = "echo"

    class Options(maxi_core.Options):
        limit: int = Field(2, ge=1, description="how many times")
        words: tuple[str, ...] = Field((), description="what to say besides")

    options: Options

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [f"{entry} {turn}" for turn in range(self.options.limit)] + list(self.options.words)


class Tabled(Echo):
    """Says what a file says of an entry, and knows the file by its content."""

    class Options(Echo.Options):
        table: Path | None = Field(None, description="lines such as `riding a bike: cycling`")
        log: Path | None = Field(None, description="where to write what was asked")

        EFFORT = ("log",)

    options: Options

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"table": hashlib.sha256(self._bytes()).hexdigest()}

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        lines = [] if self.options.table is None else self._bytes().decode().splitlines()
        for entry in entries:
            yield [line.partition(": ")[2] for line in lines if line.startswith(f"{entry}: ")]

    def _bytes(self) -> bytes:
        try:
            return self.options.table.read_bytes()
        except OSError as error:
            raise UsageError(f"cannot read {self.options.table}: {error.strerror}", "name a table") from None


class Scribbles(Captioner):
    """A captioner that reads a video and says how bright it is."""

    name = "scribbles"

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        import av

        for video in videos:
            try:
                with av.open(str(video.path)) as container:
                    frame = next(container.decode(video=0)).to_ndarray(format="gray")
            except (av.FFmpegError, StopIteration) as error:
                yield Failed(f"cannot decode it: {error}")
            else:
                yield [f"a picture of brightness {int(frame.mean())}"]


class Words(Augmenter):
    """An augmenter that takes every word in -ing for a verb."""

    name = "words"

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for text in texts:
            yield [Form(word, "verb", word[:-3]) for word in text.split() if word.endswith("ing") and len(word) > 3]


class First(Matcher):
    """A matcher that takes the first entry for every video that there is."""

    name = "first"

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for video in videos:
            if video.path.read_bytes()[4:8] == b"ftyp":
                yield Match(video, dictionary.entries[0], 0.5)
            else:
                yield Failed("not an MP4")


class Ranked(First):
    """A matcher that keeps all entries, the first best."""

    name = "ranked"

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        top = tuple((entry, 0.5 - 0.1 * place) for place, entry in enumerate(dictionary.entries))
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else Match(answer.video, *top[0], top)


class More(Injector):
    """An injector that adds one entry and says so."""

    name = "more"

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, "waving"))


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

            def forward(self, features: torch.Tensor) -> torch.Tensor:
                return (self.score(features).softmax(1) * features).sum(1)

        return Weighing(visual.output_dim)
