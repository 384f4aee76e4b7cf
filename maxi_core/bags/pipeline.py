"""The flow of `maxi bags`, in one straight line: match, keep the best, expand, caption, augment, compose.

Everything a source says is kept in the store, so a run that is stopped anywhere goes on where it was, and one with
another source costs only that source.
"""

from array import array
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import compress, islice, tee
from pathlib import Path
from typing import Any

from maxi_core.bags.asking import Asker
from maxi_core.bags.codecs import FORMS_OF_TEXT, TEXTS_OF_ENTRY, TEXTS_OF_VIDEO, Codec, match_codec
from maxi_core.bags.composing import compose, keep_best
from maxi_core.bags.shelf import Shelf, digest
from maxi_core.sources import Augmenter, Captioner, Expander, Matcher, Source
from maxi_core.types import Dictionary, Failed, Form, Match, TextBag, Video
from maxi_core.video.inputs import VideoList

CHUNK = 64  # videos whose captions are augmented together

Follow = Callable[[str, int, Iterable[Any]], Iterator[Any]]  # title, total, items -> the items, watched
Skip = Callable[[str, Failed, str, str], None]  # video, entry or text; reason; stage; source


@dataclass(frozen=True)
class Players:
    """The sources of a run, by part; texts in the order in which they fill the bags."""

    matcher: Matcher
    texts: tuple[Expander | Captioner, ...] = ()
    augmenter: Augmenter | None = None


@dataclass
class Tally:
    """What a run did: videos, bags, and what each source was really asked."""

    videos: int = 0
    matched: int = 0
    kept: int = 0
    threshold: float = 0.0
    asked: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Flow:
    """What all stages share: where answers are kept, who is told of progress and of what is left out."""

    store: Path
    follow: Follow
    skip: Skip
    strict: bool = False


def shelf_about(source: Source, *more: object) -> dict[str, object]:
    """Return what the answers of a source depend on: options, fingerprint, and `more` (a matcher's dictionary)."""
    options = source.options.model_dump(mode="json", exclude=set(type(source.options).EFFORT))
    about = {"source": source.name, "options": options, "fingerprint": source.fingerprint(), "more": list(more)}
    if isinstance(source, (Matcher, Captioner)):
        about["decoder"] = source.video.decoder
    return about


def shelf_name(source: Source, *more: object) -> str:
    """Return the name of the folder in the store that holds the answers of a source in this set-up."""
    return f"{source.name}-{digest(shelf_about(source, *more))[:16]}"


class Askers:
    """The askers of a run, each with its shelf open until the run ends."""

    def __init__(self, flow: Flow, stack: ExitStack, tally: Tally) -> None:
        self._flow, self._stack, self._tally = flow, stack, tally
        self._made: list[Asker[Any, Any]] = []
        stack.callback(self._count)

    def make(
        self,
        source: Source,
        method: Callable[[Iterable[Any]], Iterator[object]],
        codec: Codec[Any, Any],
        *more: object,
        costly: bool = False,
    ) -> Asker[Any, Any]:
        """Return the asker of a source; `more` is what its answers depend on besides its options."""
        folder = self._flow.store / shelf_name(source, *more)
        shelf = self._stack.enter_context(Shelf(folder, shelf_about(source, *more), costly=costly))
        self._made.append(Asker(source.name, method, codec, shelf, strict=self._flow.strict))
        return self._made[-1]

    def _count(self) -> None:
        self._tally.asked = {asker.name: asker.asked for asker in self._made}


def make_bags(
    videos: VideoList, dictionary: Dictionary, players: Players, keep: float, flow: Flow, tally: Tally
) -> Iterator[TextBag]:
    """Yield the bag of every video that was matched, in order; those that are not kept have no texts.

    `keep` is the share of matches that is kept; only these are expanded and captioned (SPEC section 2). The videos are
    gone through several times and never held.
    """
    with ExitStack() as stack:
        askers = Askers(flow, stack, tally)
        matcher = askers.make(
            players.matcher,
            lambda asked: players.matcher.match(asked, dictionary),
            match_codec(dictionary),
            digest(dictionary.entries),
        )
        kept, entries = _match(videos, matcher, keep, flow, tally)
        phrases = _expand(entries, players, askers, flow)
        captioned = _caption(compress(_matches(matcher, videos), kept), players, askers, flow, tally)
        augment = _augmenter(players.augmenter, askers, flow)
        said = (text for by_source in phrases.values() for texts in by_source.values() for text in texts)
        known = augment([*entries, *said])
        described = _in_chunks(captioned, augment)
        for match, use in zip(_matches(matcher, videos), kept, strict=True):
            if use:
                captions, forms = next(described)
                every = None if known is None or forms is None else ChainMap(forms, known)
                yield compose(match, phrases.get(match.entry, {}), captions, every, players.matcher.name)
            else:
                yield TextBag(match, kept=False)


def _match(
    videos: VideoList, matcher: Asker[Video, Match], keep: float, flow: Flow, tally: Tally
) -> tuple[list[bool], list[str]]:
    """Match every video; return which matches are kept, and the entries of these, each once, in order."""
    scores, places = array("d"), array("l")
    entries: dict[str, int] = {}
    for video, match in flow.follow("matching", len(videos), matcher.ask(videos)):
        tally.videos += 1
        if isinstance(match, Failed):
            flow.skip(video.id, match, "match", matcher.name)
            continue
        scores.append(match.score)
        places.append(entries.setdefault(match.entry, len(entries)))
    if not scores:
        return [], []
    kept = keep_best(scores, keep)
    tally.matched, tally.kept = len(scores), sum(kept)
    tally.threshold = min(compress(scores, kept))
    used = set(compress(places, kept))
    return kept, [entry for entry, place in entries.items() if place in used]


def _matches(matcher: Asker[Video, Match], videos: VideoList) -> Iterator[Match]:
    """Yield the matches again, from the store; those that failed are left out as before."""
    return (match for _, match in matcher.ask(videos) if isinstance(match, Match))


def _expand(entries: list[str], players: Players, askers: Askers, flow: Flow) -> dict[str, dict[str, list[str]]]:
    """Return entry -> source -> phrases."""
    phrases: dict[str, dict[str, list[str]]] = {entry: {} for entry in entries}
    for source in players.texts:
        if not isinstance(source, Expander):
            continue
        asker = askers.make(source, source.expand, TEXTS_OF_ENTRY, costly=True)
        for entry, answer in flow.follow(f"expanding by {source.name}", len(entries), asker.ask(entries)):
            if isinstance(answer, Failed):
                flow.skip(entry, answer, "expand", source.name)
            else:
                phrases[entry][source.name] = answer
    return phrases


def _caption(
    matches: Iterator[Match], players: Players, askers: Askers, flow: Flow, tally: Tally
) -> Iterator[dict[str, list[str]]]:
    """Yield source -> captions for each video that is kept."""
    captioners = [source for source in players.texts if isinstance(source, Captioner)]
    copies = tee((match.video for match in matches), len(captioners) + 1)
    heard = [
        askers.make(source, source.caption, TEXTS_OF_VIDEO).ask(copy)
        for source, copy in zip(captioners, copies[1:], strict=True)
    ]
    videos = flow.follow("captioning", tally.kept, copies[0]) if captioners else copies[0]
    for video in videos:
        captions: dict[str, list[str]] = {}
        for source, answers in zip(captioners, heard, strict=True):
            _, answer = next(answers)
            if isinstance(answer, Failed):
                flow.skip(video.id, answer, "caption", source.name)
            else:
                captions[source.name] = answer
        yield captions


Augment = Callable[[Iterable[str]], dict[str, list[Form]] | None]


def _augmenter(source: Augmenter | None, askers: Askers, flow: Flow) -> Augment:
    """Return the augmenter as a function: texts -> text -> forms; it gives None where there is no augmenter."""
    if source is None:
        return lambda _: None
    asker = askers.make(source, source.augment, FORMS_OF_TEXT)

    def augment(texts: Iterable[str]) -> dict[str, list[Form]]:
        found: dict[str, list[Form]] = {}
        for text, answer in asker.ask(dict.fromkeys(texts)):
            if isinstance(answer, Failed):
                flow.skip(text, answer, "augment", source.name)
            found[text] = [] if isinstance(answer, Failed) else answer
        return found

    return augment


def _in_chunks(
    captioned: Iterator[dict[str, list[str]]], augment: Augment
) -> Iterator[tuple[dict[str, list[str]], dict[str, list[Form]] | None]]:
    """Yield the captions of each video with the forms of its chunk."""
    while chunk := list(islice(captioned, CHUNK)):
        forms = augment(text for captions in chunk for texts in captions.values() for text in texts)
        for captions in chunk:
            yield captions, forms
