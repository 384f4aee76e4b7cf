"""Small real plugins, good ones and ones with a single fault each."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
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


class Recounts(Echo):
    """Fault: drops what it has heard before."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for index, entry in enumerate(entries):
            if index != 1:
                yield [entry]


class Sorts(Echo):
    """Fault: answers in an order of its own."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in sorted(entries):
            yield [entry]


class Forgets(Echo):
    """Fault: says something else each time it is made."""

    made = 0

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        Forgets.made += 1
        for entry in entries:
            yield [f"{entry} {Forgets.made}"]


class Gossips(Echo):
    """Fault: an answer depends on what was asked before."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        heard: set[str] = set()
        for entry in entries:
            heard.add(entry)
            yield sorted(heard)


class Chats(Echo):
    """Fault: has something to say when nothing was asked."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        yield from super().expand(entries)
        yield ["anything else?"]


class Speaks(Echo):
    """Fault: answers with a string and not with a list."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        yield from entries  # type: ignore[misc]


class Spaces(Echo):
    """Fault: its texts are not stripped."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [f"{entry} "]


class Mumbles(Echo):
    """Fault: its texts can be empty."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [entry, ""]


class Shrugs(Echo):
    """Fault: Failed without a reason."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for _ in entries:
            yield Failed(" ")


class GivesUp(Echo):
    """Fault: can answer nothing at all, and says so."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for _ in entries:
            yield Failed("not today")


class Throws(Echo):
    """Fault: raises for a text that it does not like."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            if not entry.strip():
                raise ValueError("an empty entry")
            yield [entry]


class Loads(Echo):
    """Fault: loads torch as soon as it is made."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options)
        import torch

        self.device = torch.device("cpu")


class Insists(Echo):
    """Fault: its options do not come back as they were."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options or Echo.Options(limit=3))
        self.options = self.options.model_copy(update={"limit": self.options.limit + 1})


class Undocumented(Echo):
    """Fault: an option that nobody can understand."""

    class Options(Echo.Options):
        depth: int = 3


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


class Blind(Scribbles):
    """Fault: describes a file that is no video."""

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        for answer in super().caption(videos):
            yield ["a picture"] if isinstance(answer, Failed) else answer


class Trips(Scribbles):
    """Fault: one video that fails takes the next one with it."""

    def caption(self, videos: Iterable[Video]) -> Iterator[list[str] | Failed]:
        fell = False
        for answer in super().caption(videos):
            yield Failed("still dizzy") if fell else answer
            fell = isinstance(answer, Failed)


class Words(Augmenter):
    """An augmenter that takes every word in -ing for a verb."""

    name = "words"

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for text in texts:
            yield [Form(word, "verb", word[:-3]) for word in text.split() if word.endswith("ing") and len(word) > 3]


class Adverbs(Words):
    """Fault: a kind of form that there is not."""

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for text in texts:
            yield [Form(word, "adverb", word) for word in text.split()]  # type: ignore[arg-type]


class First(Matcher):
    """A matcher that takes the first entry for every video that there is."""

    name = "first"

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for video in videos:
            if video.path.read_bytes()[4:8] == b"ftyp":
                yield Match(video, dictionary.entries[0], 0.5)
            else:
                yield Failed("not an MP4")


class Invents(First):
    """Fault: matches to an entry that nobody gave it."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, entry="sleeping")


class Doubts(First):
    """Fault: a score that is not a number."""

    def match(self, videos: Iterable[Video], dictionary: Dictionary) -> Iterator[Match | Failed]:
        for answer in super().match(videos, dictionary):
            yield answer if isinstance(answer, Failed) else replace(answer, score=float("nan"))


class More(Injector):
    """An injector that adds one entry and says so."""

    name = "more"

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, "waving"))


class Repeats(More):
    """Fault: adds an entry that is there."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, dictionary.entries[0]))


class Hides(More):
    """Fault: adds an entry and keeps the dictionary's name."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(dictionary.name, (*dictionary.entries, "waving"))


class Average(Temporal):
    """A temporal module as it should be."""

    name = "average"

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1)


class Flattens(Average):
    """Fault: pools to the wrong shape."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.flatten(1)


class Detaches(Average):
    """Fault: no gradient passes."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        return lambda features: features.mean(1).detach().requires_grad_()


class Renames(Average):
    """Fault: wraps a layer, so that stock weights no longer load."""

    def attach(self, visual: "nn.Module", frames: int) -> "Pooling":
        from torch import nn

        visual.ln_post = nn.Sequential(visual.ln_post)  # type: ignore[arg-type]
        return super().attach(visual, frames)
