"""A distribution of small real sources for runs of `maxi bags` that need no model: each says what the names tell it.

Every question is noted in the file $TOY_LOG, so that tests can count who was really asked; with batches of one, nothing
is asked twice to see in which order the answers come.
"""

import os
import time
from collections.abc import Iterable
from hashlib import sha256

from pydantic import Field

import maxi_core
from maxi_core import (
    Augment,
    Augmenter,
    Captioner,
    Clip,
    Dictionary,
    Expander,
    Failed,
    Form,
    Injector,
    Match,
    Matcher,
    Source,
    Video,
    hookimpl,
)
from maxi_core.video.archives import video_exists


def asked(source: str, question: str) -> None:
    if path := os.environ.get("TOY_LOG"):
        with open(path, "a", encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123
            file.write(f"{source}\t{question!r}\n")
    time.sleep(float(os.environ.get("TOY_SLEEP", "0")))


def number(*parts: str) -> int:
    return int(sha256("/".join(parts).encode(errors="surrogatepass")).hexdigest()[:12], 16)


class ToyMatcher(Matcher):
    """Match a video to an entry by the hash of its id; a name with `broken` in it cannot be read."""

    name = "toymatch"
    frames = None  # it looks at the name
    batch = 1

    class Options(maxi_core.Options):
        seed: int = Field(0, description="another seed matches otherwise")
        haste: int = Field(1, description="changes nothing that is said")
        EFFORT = ("haste",)

    options: Options

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Match | Failed]:
        return [self._match(clip.video, dictionary) for clip in clips]

    def _match(self, video: Video, dictionary: Dictionary) -> Match | Failed:
        asked(self.name, video.id)
        if "broken" in video.id or not video_exists(video.path):
            return Failed("the file is broken")
        place = number(video.id, str(self.options.seed)) % len(dictionary.entries)
        score = number(video.id, "score") % 10_000 / 10_000
        entry = dictionary.entries[place]
        return Match(video, entry, score, ((entry, score), (dictionary.entries[place - 1], score / 2)))


class ToyGpt(Expander):
    """Say two phrases of an entry."""

    name = "toygpt"
    batch = 1

    class Options(maxi_core.Options):
        style: str = Field("gladly", description="the adverb of the second phrase")

    options: Options

    def expand(self, entries: list[str]) -> list[list[str] | Failed]:
        return [self._phrases(entry) for entry in entries]

    def tokens_each(self) -> int:
        return 65

    def _phrases(self, entry: str) -> list[str] | Failed:
        asked(self.name, entry)
        return [f"someone {entry}", f"{entry} {self.options.style}"]


class ToyBlip(Captioner):
    """Say two captions of a video; a name with `dark` in it shows nothing."""

    name = "toyblip"
    frames = None
    batch = 1

    def caption(self, clips: list[Clip]) -> list[list[str] | Failed]:
        return [self._sentences(clip.video) for clip in clips]

    def _sentences(self, video: Video) -> list[str] | Failed:
        asked(self.name, video.id)
        if "dark" in video.id:
            return Failed("all frames are black")
        return ["a person waving", f"a person {('kicking', 'jumping')[number(video.id) % 2]} a ball"]


class ToyVerbs(Augmenter):
    """Find words in -ing and give them with their lemma."""

    name = "toyverbs"
    batch = 1

    def augment(self, texts: list[str]) -> list[list[Form] | Failed]:
        return [self._forms(text) for text in texts]

    def _forms(self, text: str) -> list[Form] | Failed:
        asked(self.name, text)
        found = [word for word in text.split() if word.endswith("ing")]
        return [Form(form, "verb", word[:-3]) for word in found for form in (word[:-3], word)]


class ToyNoise(Injector):
    """Add one entry."""

    name = "toynoise"

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        (forms,) = augment(["somebody standing there"])
        return Dictionary(f"{dictionary.name}+{len(forms)}", (*dictionary.entries, *(form.text for form in forms)))


@hookimpl
def maxi_register_sources() -> Iterable[type[Source]]:
    return [ToyMatcher, ToyGpt, ToyBlip, ToyVerbs, ToyNoise]
