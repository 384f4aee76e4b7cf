"""The flow of `maxi bags`, in one straight line: match, keep the best, expand, caption, augment, compose.

Everything a source says is kept in the store, so a run that is stopped anywhere goes on where it was, and one with
another source costs only that source.
"""

from array import array
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, islice, tee
from pathlib import Path
from typing import Any, Protocol

from maxi_core.bags.askers import Players, open_askers
from maxi_core.bags.asking import Asker
from maxi_core.bags.composing import compose, keep_best
from maxi_core.errors import MaxiError
from maxi_core.types import Dictionary, Failed, Form, Match, TextBag, Video
from maxi_core.video.inputs import VideoList

CHUNK = 64  # videos whose captions are augmented together


class Watch(Protocol):
    """Somebody who watches one stage."""

    def follow(self, items: Iterable[Any]) -> Iterator[Any]:
        """Yield the items as they come."""
        ...

    def skip(self) -> None:
        """Hear that the last item could not be used."""
        ...


Watching = Callable[[str, int], Watch]  # title, number of items
Skip = Callable[[str, Failed, str, str], None]  # video, entry or text; reason; stage; source


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
    watching: Watching
    skip: Skip
    use: Callable[[], None]  # hears of each video that was matched
    strict: bool = False


def make_bags(
    videos: VideoList, dictionary: Dictionary, players: Players, keep: float, flow: Flow, tally: Tally
) -> Iterator[TextBag]:
    """Yield the bag of every video that was matched, in order; those that are not kept have no texts.

    `keep` is the share of matches that is kept; only these are expanded and captioned (SPEC section 2). The videos are
    gone through several times and never held.
    """
    with open_askers(players, dictionary, flow.store, strict=flow.strict) as askers:
        try:
            first = _match(videos, askers.matcher, flow, tally)
            kept = keep_best(first.scores, keep) if first.scores else []
            tally.kept, tally.threshold = sum(kept), min(compress(first.scores, kept), default=0.0)
            entries = first.entries_of(kept)
            phrases = _expand(entries, askers.expanders, flow)
            survivors = (match.video for match in compress(_matches(videos, askers.matcher, first), kept))
            captioned = _caption(survivors, askers.captioners, flow, tally)
            augment = _augment(askers.augmenter, flow)
            known = augment([*entries, *(t for said in phrases.values() for texts in said.values() for t in texts)])
            described = _in_chunks(captioned, augment)
            for match, use in zip(_matches(videos, askers.matcher, first), kept, strict=True):
                if use:
                    captions, forms = next(described)
                    every = None if known is None or forms is None else ChainMap(forms, known)
                    yield compose(match, phrases.get(match.entry, {}), captions, every, askers.matcher.name)
                else:
                    yield TextBag(match, kept=False)
        finally:
            tally.asked = askers.asked()


def answer_share(videos: VideoList, dictionary: Dictionary, players: Players, flow: Flow, tally: Tally) -> None:
    """Match and caption every video of a share, and augment its captions, so that the store has it all.

    Which matches are kept only all shares together tell; so does which entries are expanded.
    """
    with open_askers(players, dictionary, flow.store, strict=flow.strict) as askers:
        try:
            first = _match(videos, askers.matcher, flow, tally)
            tally.kept = tally.matched
            matched = (match.video for match in _matches(videos, askers.matcher, first))
            captioned = _caption(matched, askers.captioners, flow, tally)
            for _ in _in_chunks(captioned, _augment(askers.augmenter, flow)):
                pass
        finally:
            tally.asked = askers.asked()


@dataclass(frozen=True)
class _Matched:
    """The matches of a first pass over the videos, in little memory: which have one, and its score and entry."""

    which: bytearray
    scores: "array[float]"
    places: "array[int]"
    entries: dict[str, int]

    def entries_of(self, kept: Sequence[bool]) -> list[str]:
        """Return the entries of the matches that are kept, in the order in which they were first matched."""
        used = set(compress(self.places, kept))
        return [entry for entry, place in self.entries.items() if place in used]


def _match(videos: VideoList, matcher: Asker[Video, Match], flow: Flow, tally: Tally) -> _Matched:
    """Match every video."""
    found = _Matched(bytearray(), array("d"), array("l"), {})
    watch = flow.watching("matching", len(videos))
    for video, match in watch.follow(matcher.ask(videos)):
        tally.videos += 1
        found.which.append(not isinstance(match, Failed))
        if isinstance(match, Failed):
            watch.skip()
            flow.skip(video.id, match, "match", matcher.name)
            continue
        flow.use()
        found.scores.append(match.score)
        found.places.append(found.entries.setdefault(match.entry, len(found.entries)))
    tally.matched = len(found.scores)
    return found


def _matches(videos: VideoList, matcher: Asker[Video, Match], first: _Matched) -> Iterator[Match]:
    """Yield the matches again, from the store; those that failed are left out as before."""
    before = zip(first.scores, first.places, strict=True)
    for (video, match), was in zip(matcher.ask(videos), first.which, strict=True):
        if not was:  # also if it can be read by now: it is taken in by the next run
            continue
        if isinstance(match, Failed):
            raise MaxiError(f"{video.id} can no longer be read ({match.reason})", "run the same command again")
        if (match.score, first.entries.get(match.entry)) != next(before):
            raise MaxiError(f"{video.id} was changed while the run went on", "run the same command again")
        yield match


def _expand(
    entries: list[str], expanders: Iterable[Asker[str, list[str]]], flow: Flow
) -> dict[str, dict[str, list[str]]]:
    """Return entry -> source -> phrases."""
    phrases: dict[str, dict[str, list[str]]] = {entry: {} for entry in entries}
    for expander in expanders:
        watch = flow.watching(f"expanding by {expander.name}", len(entries))
        for entry, answer in watch.follow(expander.ask(entries)):
            if isinstance(answer, Failed):
                watch.skip()
                flow.skip(entry, answer, "expand", expander.name)
            else:
                phrases[entry][expander.name] = answer
    return phrases


def _caption(
    survivors: Iterator[Video], captioners: Sequence[Asker[Video, list[str]]], flow: Flow, tally: Tally
) -> Iterator[dict[str, list[str]]]:
    """Yield source -> captions for each video that is kept."""
    videos, *copies = tee(survivors, len(captioners) + 1)
    heard = [(captioner.name, captioner.ask(copy)) for captioner, copy in zip(captioners, copies, strict=True)]
    watch = flow.watching("captioning", tally.kept)
    for video in watch.follow(videos) if captioners else videos:
        captions: dict[str, list[str]] = {}
        for name, answers in heard:
            _, answer = next(answers)
            if isinstance(answer, Failed):
                watch.skip()
                flow.skip(video.id, answer, "caption", name)
            else:
                captions[name] = answer
        yield captions


Augment = Callable[[Iterable[str]], dict[str, list[Form]] | None]


def _augment(augmenter: Asker[str, list[Form]] | None, flow: Flow) -> Augment:
    """Return the augmenter as a function: texts -> text -> forms; it gives None where there is no augmenter."""
    if augmenter is None:
        return lambda _: None

    failed: set[str] = set()

    def augment(texts: Iterable[str]) -> dict[str, list[Form]]:
        found: dict[str, list[Form]] = {}
        for text, answer in augmenter.ask(dict.fromkeys(texts)):
            if isinstance(answer, Failed) and text not in failed:  # which may come again in every chunk
                failed.add(text)
                flow.skip(text, answer, "augment", augmenter.name)
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
