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
from typing import Any

from maxi_core.bags.askers import Players, open_askers
from maxi_core.bags.asking import Asker
from maxi_core.bags.composing import compose, keep_best
from maxi_core.errors import MaxiError
from maxi_core.types import Dictionary, Failed, Form, Match, TextBag, Video
from maxi_core.video.inputs import VideoList

CHUNK = 64  # videos whose captions are augmented together

Follow = Callable[[str, int, Iterable[Any]], Iterator[Any]]  # title, total, items -> the items, watched
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
    follow: Follow
    skip: Skip
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
            matched, kept, entries = _match(videos, askers.matcher, keep, flow, tally)
            phrases = _expand(entries, askers.expanders, flow)
            captioned = _caption(_survivors(videos, askers.matcher, matched, kept), askers.captioners, flow, tally)
            augment = _augment(askers.augmenter, flow)
            known = augment([*entries, *(t for said in phrases.values() for texts in said.values() for t in texts)])
            described = _in_chunks(captioned, augment)
            for match, use in zip(_matches(videos, askers.matcher, matched), kept, strict=True):
                if use:
                    captions, forms = next(described)
                    every = None if known is None or forms is None else ChainMap(forms, known)
                    yield compose(match, phrases.get(match.entry, {}), captions, every, askers.matcher.name)
                else:
                    yield TextBag(match, kept=False)
        finally:
            tally.asked = askers.asked()


def _match(
    videos: VideoList, matcher: Asker[Video, Match], keep: float, flow: Flow, tally: Tally
) -> tuple[bytearray, list[bool], list[str]]:
    """Match every video; return which ones have a match, which matches are kept, and the entries of these."""
    scores, places, matched = array("d"), array("l"), bytearray()
    entries: dict[str, int] = {}
    for video, match in flow.follow("matching", len(videos), matcher.ask(videos)):
        tally.videos += 1
        matched.append(not isinstance(match, Failed))
        if isinstance(match, Failed):
            flow.skip(video.id, match, "match", matcher.name)
            continue
        scores.append(match.score)
        places.append(entries.setdefault(match.entry, len(entries)))
    if not scores:
        return matched, [], []
    kept = keep_best(scores, keep)
    tally.matched, tally.kept = len(scores), sum(kept)
    tally.threshold = min(compress(scores, kept))
    used = set(compress(places, kept))
    return matched, kept, [entry for entry, place in entries.items() if place in used]


def _matches(videos: VideoList, matcher: Asker[Video, Match], matched: bytearray) -> Iterator[Match]:
    """Yield the matches again, from the store; those that failed are left out as before."""
    for (video, match), was in zip(matcher.ask(videos), matched, strict=True):
        if not was:  # also if it can be read by now: it is taken in by the next run
            continue
        if isinstance(match, Failed):
            raise MaxiError(f"{video.id} can no longer be read ({match.reason})", "run the same command again")
        yield match


def _survivors(
    videos: VideoList, matcher: Asker[Video, Match], matched: bytearray, kept: list[bool]
) -> Iterator[Video]:
    return (match.video for match in compress(_matches(videos, matcher, matched), kept))


def _expand(
    entries: list[str], expanders: Iterable[Asker[str, list[str]]], flow: Flow
) -> dict[str, dict[str, list[str]]]:
    """Return entry -> source -> phrases."""
    phrases: dict[str, dict[str, list[str]]] = {entry: {} for entry in entries}
    for expander in expanders:
        for entry, answer in flow.follow(f"expanding by {expander.name}", len(entries), expander.ask(entries)):
            if isinstance(answer, Failed):
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
    for video in flow.follow("captioning", tally.kept, videos) if captioners else videos:
        captions: dict[str, list[str]] = {}
        for name, answers in heard:
            _, answer = next(answers)
            if isinstance(answer, Failed):
                flow.skip(video.id, answer, "caption", name)
            else:
                captions[name] = answer
        yield captions


Augment = Callable[[Iterable[str]], dict[str, list[Form]] | None]


def _augment(augmenter: Asker[str, list[Form]] | None, flow: Flow) -> Augment:
    """Return the augmenter as a function: texts -> text -> forms; it gives None where there is no augmenter."""
    if augmenter is None:
        return lambda _: None

    def augment(texts: Iterable[str]) -> dict[str, list[Form]]:
        found: dict[str, list[Form]] = {}
        for text, answer in augmenter.ask(dict.fromkeys(texts)):
            if isinstance(answer, Failed):
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
