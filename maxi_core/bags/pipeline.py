"""The flow of `maxi bags`, in one straight line: match, keep the best, expand, caption, augment, compose, filter.

Everything a source says is kept in the store, so a run that is stopped anywhere goes on where it was, and one with
another source costs only that source.
"""

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, compress, islice

from maxi_core.bags.answered import Answered, Answers, as_answered
from maxi_core.bags.asker import Asker
from maxi_core.bags.askers import Askers, Sources, open_askers
from maxi_core.bags.bag import Found, Said, completed, of_entry
from maxi_core.bags.filtering import kept_best
from maxi_core.bags.in_order import ask_clips, ask_texts
from maxi_core.bags.passes import one_pass
from maxi_core.bags.progress import Progress
from maxi_core.bags.tally import Heard, Stages, Tally
from maxi_core.errors import MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Dictionary, Failed, Form, Match, TextBag, Video
from maxi_core.video.inputs import VideoList

CHUNK = 64  # videos whose captions are augmented together


def make_bags(
    videos: VideoList, dictionary: Dictionary, sources: Sources, keep: float, stages: Stages, tally: Tally
) -> Iterator[TextBag]:
    """Yield the bag of every video that was matched, in order; those that are not kept have no texts.

    `keep` is the share of matches that is kept; only these get texts (paper Table 4). The videos are gone through
    several times and never held; they are decoded once where that costs less than captions that nobody needs.
    """
    reading = sources.reading
    with open_askers(sources, dictionary, stages.store, strict=stages.strict, failed=stages.failed) as askers:
        try:
            tally.passes = stages.passes or (1 if one_pass(videos, askers, sources, keep) else 2)
            stages.decided(tally.passes)
            first = _match(videos, askers, reading, stages, tally)

            def described(kept: bytes) -> Iterator[Described]:
                survivors = (match.video for match in compress(_matches(videos, askers.matcher, first, reading), kept))
                captioned = _caption(survivors, askers.captioners, reading, stages, tally)
                for match, use in zip(_matches(videos, askers.matcher, first, reading), kept, strict=True):
                    yield match, next(captioned) if use else None, None
                next(captioned, None)  # so that its bar ends

            yield from _bags(first, described, askers, sources, keep, stages, tally)
        finally:
            _count_asked(askers, tally)


# A match, captions if it is kept, and their forms if known.
Described = tuple[Match, Mapping[str, list[str]] | None, Mapping[str, list[Form]] | None]


def _bags(
    first: "_Matched",
    described: Callable[[bytes], Iterator[Described]],
    askers: Askers,
    sources: Sources,
    keep: float,
    stages: Stages,
    tally: Tally,
) -> Iterator[TextBag]:
    """Return the bags of videos that are matched; `described` gives all of them again, and says which are kept."""
    kept = kept_best(first.scores, keep)
    tally.kept, tally.threshold = sum(kept), min(compress(first.scores, kept), default=0.0)
    entries = first.entries_of(kept)
    phrases = _expand(entries, askers.expanders, stages, tally)
    augment = _augment(askers.augmenter, stages, tally)
    known = augment([*entries, *(t for said in phrases.values() for texts in said.values() for t in texts)], {})
    matcher, shortened = askers.matcher.name, sources.shortened
    begun = {entry: of_entry(entry, phrases[entry], known, matcher, shortened=shortened) for entry in entries}
    made = _completed(described(kept), begun, phrases, augment)
    for one in askers.filters:
        made = _filter(made, one, sources.reading, stages, tally)
    return made


def merge_bags(
    answers: Answers, dictionary: Dictionary, sources: Sources, keep: float, stages: Stages, tally: Tally
) -> Iterator[TextBag]:
    """Yield what `make_bags` does, of what shares have left; what failed in them is asked again.

    Nothing is held of a video but its score and entry, and what failed.
    """
    reading = sources.reading
    with open_askers(sources, dictionary, stages.store, strict=stages.strict) as askers:
        try:
            tally.passes = stages.passes or 1
            stages.decided(tally.passes)
            unmatched = (one.video for one in answers.unmatched() if one.match is None)
            failed = {video.id: match for video, (match,) in ask_clips([askers.matcher], unmatched, reading)}
            unknown: dict[int, Video] = {}  # by the number of its match, whose captions failed

            def described(kept: bytes) -> Iterator[Described]:
                survivors = (video for number, video in unknown.items() if kept[number])
                again = _caption(survivors, askers.captioners, reading, stages, tally)
                heard = [(captioner.name, tally.of(captioner.name)) for captioner in askers.captioners]
                number = 0
                for one in answers:
                    match = one.match or failed[one.video.id]
                    if isinstance(match, Failed):
                        continue
                    if not kept[number]:
                        yield match, None, None
                    elif one.said is None or number in unknown:
                        yield match, next(again), None
                    else:
                        for name, counts in heard:
                            counts.count(one.said[name])
                        yield match, one.said, one.forms
                    number += 1

            first = _gather(answers, failed, unknown, askers, stages, tally)
            yield from _bags(first, described, askers, sources, keep, stages, tally)
        finally:
            _count_asked(askers, tally)


def _gather(
    answers: Answers,
    failed: Mapping[str, Match | Failed],
    unknown: dict[int, Video],
    askers: Askers,
    stages: Stages,
    tally: Tally,
) -> "_Matched":
    """Return the matches of all shares; fills `unknown` with the videos that lack a caption."""
    found, names = _Matched(), {captioner.name for captioner in askers.captioners}
    bar, heard = stages.progress("merging", len(answers)), tally.of(askers.matcher.name)
    for row in bar.follow(answers.rows()):
        name, _, _, _, matched, said, _ = row
        tally.videos += 1
        again = None if matched else failed[name]
        heard.count(again)
        if isinstance(again, Failed):
            bar.skip()
            stages.skip(name, again, "match", askers.matcher.name)
            continue
        stages.use()
        if said is None or not names <= said.keys():
            unknown[len(found.scores)] = as_answered(row).video
        if again:
            found.add(again.entry, again.score)
        else:
            found.add(*matched[:2])
    tally.matched = len(found.scores)
    return found


def answer_share(
    videos: VideoList, dictionary: Dictionary, sources: Sources, stages: Stages, tally: Tally
) -> Iterator[Answered]:
    """Match and caption every video of a share, and augment its captions, so that the store has it all; yield it.

    Which matches are kept only all shares together tell; so does which entries are expanded.
    """
    with open_askers(sources, dictionary, stages.store, strict=stages.strict) as askers:
        try:
            yield from answer_all(videos, askers, sources, stages, tally)
        finally:
            _count_asked(askers, tally)


def answer_all(videos: VideoList, askers: Askers, sources: Sources, stages: Stages, tally: Tally) -> Iterator[Answered]:
    """Do what `answer_share` does with askers that are open, and stay so.

    The videos are gone through once. Only where a captioner costs money all are matched before, so that none is paid
    for a video without match.
    """
    matcher, captioners, reading = askers.matcher, askers.captioners, sources.reading
    tally.passes = 1 if one_pass(videos, askers, sources, 1.0) else 2
    if tally.passes == 2:
        for video, (match,) in stages.progress("matching", len(videos)).follow(ask_clips([matcher], videos, reading)):
            for one in captioners if isinstance(match, Failed) else ():
                one.answers.failed[one.answers.codec.key(video)] = match
    bar = stages.progress(_title(captioners), len(videos))

    def described() -> Iterator[tuple[Video, Match | None, dict[str, list[str]]]]:
        for video, (match, *answers) in bar.follow(ask_clips([matcher, *captioners], videos, reading)):
            if _is_match(video, match, matcher.name, bar, stages, tally):
                tally.matched = tally.kept = tally.matched + 1
                yield video, match, _captions(video, answers, captioners, bar, stages, tally)
            else:
                yield video, None, {}

    rest, augment = described(), _augment(askers.augmenter, stages, tally)
    augmenting = tally.of(askers.augmenter.name) if askers.augmenter else Heard()
    while chunk := list(islice(rest, CHUNK)):
        failed = augmenting.failed
        forms = augment((t for _, _, said in chunk for texts in said.values() for t in texts), {})
        known = None if augmenting.failed > failed else forms
        for video, match, said in chunk:
            own = None if known is None else {text: known[text] for texts in said.values() for text in texts}
            yield Answered(video, match, said, own) if match else Answered(video)


def _count_asked(askers: Askers, tally: Tally) -> None:
    for asker in askers.every():
        tally.of(asker.name).asked, tally.of(asker.name).off = asker.asked, asker.off


@dataclass(frozen=True)
class _Matched:
    """The matches of a first pass over the videos, in little memory: which have one, and its score and entry."""

    which: bytearray = field(default_factory=bytearray)
    scores: "array[float]" = field(default_factory=lambda: array("d"))
    places: "array[int]" = field(default_factory=lambda: array("i"))
    entries: dict[str, int] = field(default_factory=dict)

    def add(self, entry: str, score: float) -> None:
        """Note one match."""
        self.scores.append(score)
        self.places.append(self.entries.setdefault(entry, len(self.entries)))

    def entries_of(self, kept: Sequence[int]) -> list[str]:
        """Return the entries of the matches that are kept, in the order in which they were first matched."""
        used = set(compress(self.places, kept))
        return [entry for entry, place in self.entries.items() if place in used]


def _match(videos: VideoList, askers: Askers, reading: VideoOptions, stages: Stages, tally: Tally) -> _Matched:
    """Match every video; in one pass, also have it captioned while its frames are there."""
    found = _Matched()
    matcher, captioners = askers.matcher, askers.captioners if tally.passes == 1 else ()
    bar = stages.progress(_title(captioners), len(videos))
    for video, (match, *_) in bar.follow(ask_clips([matcher, *captioners], videos, reading)):
        found.which.append(is_match := _is_match(video, match, matcher.name, bar, stages, tally))
        if is_match:
            found.add(match.entry, match.score)
    tally.matched = len(found.scores)
    return found


def _title(captioners: Sequence[object]) -> str:
    return "matching and captioning" if captioners else "matching"


def _is_match(video: Video, match: Match | Failed, matcher: str, bar: Progress, stages: Stages, tally: Tally) -> bool:
    """Count the answer of the matcher to a video; return whether it is a match."""
    tally.videos += 1
    tally.of(matcher).count(match)
    if isinstance(match, Failed):
        bar.skip()
        stages.skip(video.id, match, "match", matcher)
        return False
    stages.use()
    return True


def _matches(
    videos: VideoList, matcher: Asker[Video, Match], first: _Matched, reading: VideoOptions
) -> Iterator[Match]:
    """Yield the matches again, from the store; those that failed are left out as before."""
    before = zip(first.scores, first.places, strict=True)
    for (video, (match,)), was in zip(ask_clips([matcher], videos, reading), first.which, strict=True):
        if not was:  # also if it can be read by now: it is taken in by the next run
            continue
        if isinstance(match, Failed):
            raise MaxiError(f"{video.id} can no longer be read ({match.reason})", "run the same command again")
        if (match.score, first.entries.get(match.entry)) != next(before):
            raise MaxiError(f"{video.id} was changed while the run went on", "run the same command again")
        yield match


def _expand(
    entries: list[str], expanders: Iterable[Asker[str, list[str]]], stages: Stages, tally: Tally
) -> dict[str, dict[str, list[str]]]:
    """Return entry -> source -> phrases."""
    phrases: dict[str, dict[str, list[str]]] = {entry: {} for entry in entries}
    for expander in expanders:
        bar = stages.progress(f"expanding by {expander.name}", len(entries))
        for entry, answer in bar.follow(ask_texts(expander, entries)):
            tally.of(expander.name).count(answer)
            if isinstance(answer, Failed):
                bar.skip()
                stages.skip(entry, answer, "expand", expander.name)
            else:
                phrases[entry][expander.name] = answer
    return phrases


def _caption(
    survivors: Iterator[Video],
    captioners: Sequence[Asker[Video, list[str]]],
    reading: VideoOptions,
    stages: Stages,
    tally: Tally,
) -> Iterator[dict[str, list[str]]]:
    """Yield source -> captions for each video that is kept."""
    if not captioners:
        yield from ({} for _ in survivors)
        return
    bar = stages.progress("captioning", tally.kept)
    for video, answers in bar.follow(ask_clips(captioners, survivors, reading)):
        yield _captions(video, answers, captioners, bar, stages, tally)


def _captions(
    video: Video,
    answers: Sequence[list[str] | Failed],
    captioners: Sequence[Asker[Video, list[str]]],
    bar: Progress,
    stages: Stages,
    tally: Tally,
) -> dict[str, list[str]]:
    """Return source -> captions of a video; counts the answers."""
    captions: dict[str, list[str]] = {}
    for captioner, answer in zip(captioners, answers, strict=True):
        tally.of(captioner.name).count(answer)
        if isinstance(answer, Failed):
            bar.skip()
            stages.skip(video.id, answer, "caption", captioner.name)
        else:
            captions[captioner.name] = answer
    return captions


Augment = Callable[[Iterable[str], Mapping[str, list[Form]]], dict[str, list[Form]] | None]


def _augment(augmenter: Asker[str, list[Form]] | None, stages: Stages, tally: Tally) -> Augment:
    """Return the augmenter as a function: texts, and the forms of some -> text -> forms; None without an augmenter."""
    if augmenter is None:
        return lambda *_: None

    failed: set[str] = set()

    def augment(texts: Iterable[str], known: Mapping[str, list[Form]]) -> dict[str, list[Form]]:
        found, heard = dict(known), tally.of(augmenter.name)
        for forms in known.values():
            heard.count(forms)
        for text, answer in ask_texts(augmenter, (text for text in dict.fromkeys(texts) if text not in known)):
            heard.count(answer)
            if isinstance(answer, Failed) and text not in failed:  # which may come again in every chunk
                failed.add(text)
                stages.skip(text, answer, "augment", augmenter.name)
            found[text] = [] if isinstance(answer, Failed) else answer
        return found

    return augment


def _completed(
    described: Iterator[Described],
    begun: Mapping[str, Found],
    phrases: Mapping[str, Said],
    augment: Augment,
) -> Iterator[TextBag]:
    """Yield the bag of each match: that of its entry with what the captions give, whose forms are asked by chunks."""
    while chunk := list(islice(described, CHUNK)):
        known = {text: forms for _, _, some in chunk if some for text, forms in some.items()}
        new = (texts for _, captions, some in chunk if captions and some is None for texts in captions.values())
        forms = augment(chain.from_iterable(new), known)
        for match, captions, _ in chunk:
            if captions is None:
                yield TextBag(match, kept=False)
            else:
                yield completed(match, begun[match.entry], phrases[match.entry], captions, forms)


def _filter(
    bags: Iterator[TextBag], asker: Asker[TextBag, TextBag], reading: VideoOptions, stages: Stages, tally: Tally
) -> Iterator[TextBag]:
    """Yield all bags in order, those with texts as a filter leaves them, or as they are where it fails."""
    passed: deque[TextBag] = deque()  # bags that no answer has come for, and those without texts between them

    def asked() -> Iterator[TextBag]:
        for bag in bags:
            passed.append(bag)
            if bag.texts:
                yield bag

    heard, bar = tally.of(asker.name), stages.progress(f"filtering by {asker.name}", tally.kept)
    for bag, (answer,) in bar.follow(ask_clips([asker], asked(), reading)):
        while (first := passed.popleft()) is not bag:
            yield first
        heard.count(answer if isinstance(answer, Failed) else list(answer.texts))
        heard.texts += len(bag.texts)
        if isinstance(answer, Failed):
            bar.skip()
            stages.skip(bag.match.video.id, answer, "filter", asker.name)
            yield bag
        else:
            heard.dropped += len(bag.texts) - len(answer.texts)
            yield answer
    yield from passed
