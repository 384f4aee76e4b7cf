"""The part of a report that is of text bags: counts over all of them, a list of some, figures of a few."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from maxi_core.bags.bag import read_bags
from maxi_core.bags.manifest import read_manifest
from maxi_core.bags.progress import NewProgress, Unwatched
from maxi_core.bags.run import read_entries, read_skipped, texts_of
from maxi_core.bags.signs import EMPTY, SIGNS, captioners_of, signs_of
from maxi_core.bags.stats import Stats, collect
from maxi_core.reporting.part import Part, Wish, made_of
from maxi_core.reporting.sampled import Listed, Sample
from maxi_core.texts import name_key
from maxi_core.types import TextBag

BINS = 40
FREQUENT = 50  # texts
ROWS = 1000  # entries of a table
MOST_FRAMES = 16  # of a figure


@dataclass
class Survey:
    """What is counted over all bags of a run beside its `Stats`: texts, signs, scores by entry; and what is listed."""

    sample: Sample
    sources: Sequence[str]
    failed: frozenset[str]
    labels: Mapping[str, str] | None
    texts: Counter[str] = field(default_factory=Counter)
    written: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)  # folded -> as written, sources
    signs: Counter[str] = field(default_factory=Counter)
    signed: int = 0
    kept: Counter[str] = field(default_factory=Counter)
    summed: Counter[str] = field(default_factory=Counter)

    def watch(self, bags: Iterable[TextBag]) -> Iterator[TextBag]:
        """Yield the bags and count them."""
        for place, bag in enumerate(bags):
            video, entry = bag.match.video.id, bag.match.entry
            label = None if self.labels is None else self.labels.get(video)
            right = None if label is None else name_key(label) == name_key(entry)
            failed = not self.failed.isdisjoint((video, entry))
            signs = tuple(signs_of(bag, self.sources, failed=failed, right=right))
            self.signs.update(signs)
            self.signed += bool(signs)
            self.kept[entry] += bag.kept
            self.summed[entry] += bag.match.score  # type: ignore[assignment]
            for text in bag.texts:
                key = text.text.casefold()
                self.texts[key] += 1
                self.written.setdefault(key, (text.text, (text.source, *text.also)))
            self.sample.take(Listed(place, bag, signs))
            yield bag


def bags_part(
    run: Path,
    *,
    listed: int,
    figures: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    progress: NewProgress = Unwatched,
) -> Part:
    """Count over the bags of a run and choose which are listed.

    Raises UsageError as `read_bags`. Memory is that of the listed bags and of the distinct texts, whatever the number
    of videos.
    """
    skipped, manifest = read_skipped(run), read_manifest(run)
    failed = frozenset(str(record["video"]) for record in skipped if record["stage"] != "match")
    survey = Survey(Sample(listed, frozenset(figures)), texts_of(run), failed, labels)
    stats = _counted(run, manifest, survey, progress)
    chosen, unmatched = survey.sample.listed(), _unmatched(run, stats)
    shown = _figures(chosen, figures)
    frames = {one.place: _frames(one.bag) for one in shown}
    values = {
        "kind": "bags",
        "name": str(run),
        "counts": _counts(stats, survey, skipped),
        "histogram": stats.histogram(BINS) if stats.scores else [],
        "shares": [asdict(share) for share in stats.shares],
        **{key: manifest.get(key) for key in ("keep", "threshold")},
        "sources": stats.sources.most_common(),
        "texts": _texts(survey),
        "distinct": len(survey.texts),
        "entries": _entries(stats, survey),
        "unmatched": None if unmatched is None else unmatched[:ROWS],
        "unmatched_count": len(unmatched or ()),
        "signs": [(sign, SIGNS[sign], survey.signs[sign]) for sign in SIGNS if sign != "wrong" or labels is not None],
        "skipped": _skipped(skipped),
        "figures": [_item(one, labels) for one in shown],
        "listed": [_item(one, labels) for one in chosen],
        "made_of": made_of(run, manifest, ("made_of", "sources", "versions")),
    }
    return Part(values, {one.place: Wish(one.bag.match.video, frames.get(one.place)) for one in chosen})


def _counted(run: Path, manifest: Mapping[str, object], survey: Survey, progress: NewProgress) -> Stats:
    counts = manifest.get("counts")
    total = counts.get("matched", 0) if isinstance(counts, Mapping) else 0
    return collect(survey.watch(progress("counting bags", total).follow(read_bags(run))), survey.labels)


def _counts(stats: Stats, survey: Survey, skipped: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    return {
        "videos": stats.videos,
        "kept": stats.kept,
        "entries": len(stats.entries),
        "texts": sum(stats.sizes) / len(stats.sizes) if stats.sizes else None,
        "empty": survey.signs[EMPTY],
        "signed": survey.signed,
        "skipped": sum(record["stage"] == "match" for record in skipped),
    }


def _texts(survey: Survey) -> list[tuple[str, int, tuple[str, ...]]]:
    most = survey.texts.most_common(FREQUENT)
    return [(survey.written[key][0], count, survey.written[key][1]) for key, count in most]


def _entries(stats: Stats, survey: Survey) -> list[tuple[str, int, int, float]]:
    return [
        (entry, count, survey.kept[entry], survey.summed[entry] / count)
        for entry, count in stats.entries.most_common(ROWS)
    ]


def _unmatched(run: Path, stats: Stats) -> list[str] | None:
    entries = read_entries(run)
    return None if entries is None else [entry for entry in entries if entry not in stats.entries]


def _skipped(records: Sequence[Mapping[str, object]]) -> list[dict[str, Any]]:
    kinds = Counter((str(one["stage"]), str(one.get("source", "")), str(one["message"])) for one in records)
    first: dict[tuple[str, str, str], str] = {}
    for one in records:
        first.setdefault((str(one["stage"]), str(one.get("source", "")), str(one["message"])), str(one["video"]))
    return [
        {"stage": stage, "source": source, "message": message, "count": count, "first": first[stage, source, message]}
        for (stage, source, message), count in kinds.most_common(FREQUENT)
    ]


def _figures(chosen: Sequence[Listed], names: Sequence[str]) -> list[Listed]:
    """Return the bags that are drawn as in Figure 6 of the supplement: those named, else the best, median and worst."""
    if names:
        by_id = {one.bag.match.video.id: one for one in chosen}
        return [by_id[name] for name in dict.fromkeys(names) if name in by_id]
    kept = sorted((one for one in chosen if one.bag.texts), key=lambda one: -one.bag.match.score)
    places = dict.fromkeys((0, len(kept) // 2, len(kept) - 1))
    return [kept[place] for place in places] if kept else []


def _frames(bag: TextBag) -> int:
    """Return how many frames a figure shows: as many as a captioner has said captions, one for each."""
    said = dict(bag.said)
    return max(1, min(MOST_FRAMES, max((len(said[source]) for source in captioners_of(bag)), default=1)))


def _item(one: Listed, labels: Mapping[str, str] | None) -> dict[str, Any]:
    bag, match = one.bag, one.bag.match
    captioners = captioners_of(bag)
    sources = list(dict.fromkeys([*(source for source, _ in bag.said), *(text.source for text in bag.texts)]))
    return {
        "place": one.place,
        "video": match.video.id,
        "start": match.video.start,
        "end": match.video.end,
        "entry": match.entry,
        "score": round(match.score, 4),
        "top": [[entry, round(score, 4)] for entry, score in match.top[1:]],
        "kept": bag.kept,
        "label": None if labels is None else labels.get(match.video.id),
        "signs": list(one.signs),
        "captions": [[source, list(texts)] for source, texts in bag.said if source in captioners],
        "phrases": [[source, list(texts)] for source, texts in bag.said if source not in captioners],
        "bag": [[source, [_text(text) for text in bag.texts if text.source == source]] for source in sources],
    }


def _text(text: Any) -> str:
    return f"{text.text}*" if text.also else str(text.text)
