"""What a run's bags are like: sizes, sources, scores, the share that is kept, and where a word comes from."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from maxi_core.bags.filtering import keep_best
from maxi_core.columns import NAME, VIDEO, find_column
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import read_list
from maxi_core.evaluation.benchmarks.opening import LABELS
from maxi_core.plugin.catalog import Catalog
from maxi_core.plugin.world_paths import world_path
from maxi_core.system.remote import as_path
from maxi_core.system.text_files import check_text, excerpt
from maxi_core.texts import counted, name_key
from maxi_core.types import TextBag

SHARES = (1.0, 0.9, 0.5, 0.3)  # those of paper table 4
BINS = 10


@dataclass(frozen=True)
class Share:
    """What keeping a share of the videos means: how many, from which score on, and how many matches are right."""

    keep: float
    videos: int
    threshold: float
    right: int | None
    labelled: int | None


@dataclass(frozen=True)
class WordUse:
    """Where a word stands: the bags of how many videos matched to this entry hold it, by source."""

    entry: str
    videos: int
    of: int
    sources: Mapping[str, int]


@dataclass
class Stats:
    """The counts over all bags of a run; sizes and sources only of bags that are kept."""

    videos: int = 0
    kept: int = 0
    empty: int = 0
    sizes: list[int] = field(default_factory=list)
    sources: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    entries: Counter[str] = field(default_factory=Counter)
    scores: list[float] = field(default_factory=list)
    shares: list[Share] = field(default_factory=list)

    def as_record(self) -> dict[str, object]:
        """Return the counts as plain values."""
        counters = {name: dict(getattr(self, name)) for name in ("sources", "kinds", "entries")}
        plain = {name: getattr(self, name) for name in ("videos", "kept", "empty", "sizes")}
        shares = [asdict(share) for share in self.shares]
        return {**plain, **counters, "shares": shares, "histogram": self.histogram()}

    def histogram(self, bins: int = BINS) -> list[tuple[float, float, int]]:
        """Return (from, to, videos) of equal ranges of the score."""
        low, high = min(self.scores, default=0.0), max(self.scores, default=0.0)
        width = (high - low) / bins or 1.0
        counts = Counter(min(bins - 1, int((score - low) / width)) for score in self.scores)
        return [(low + i * width, low + (i + 1) * width, counts[i]) for i in range(bins)]


def collect(
    bags: Iterable[TextBag], labels: Mapping[str, str] | None = None, shares: Sequence[float] = SHARES
) -> Stats:
    """Count over the bags; `labels` (video id -> true name) give matching accuracies of `shares` (paper table 4)."""
    stats, right = Stats(), []
    for bag in bags:
        stats.videos += 1
        stats.scores.append(bag.match.score)
        stats.entries[bag.match.entry] += 1
        label = None if labels is None else labels.get(bag.match.video.id)
        right.append(None if label is None else name_key(label) == name_key(bag.match.entry))
        if not bag.kept:
            continue
        stats.kept += 1
        stats.empty += not bag.texts
        stats.sizes.append(len(bag.texts))
        stats.sources.update(source for text in bag.texts for source in (text.source, *text.also))
        stats.kinds.update(text.kind for text in bag.texts)
    if labels and right and not any(answer is not None for answer in right):
        raise UsageError(
            f"none of the {counted(len(labels), 'label')} is of a video of this run, such as '{bag.match.video.id}'",
            "name the videos as the run does: their paths below its folder of videos",
        )
    if stats.scores:
        stats.shares = [_share(stats.scores, right, keep, labelled=labels is not None) for keep in shares]
    return stats


def _share(scores: Sequence[float], right: Sequence[bool | None], keep: float, *, labelled: bool) -> Share:
    kept = keep_best(scores, keep)
    known = [answer for answer, use in zip(right, kept, strict=True) if use and answer is not None]
    return Share(
        keep,
        sum(kept),
        min(score for score, use in zip(scores, kept, strict=True) if use),
        sum(known) if labelled else None,
        len(known) if labelled else None,
    )


def word_uses(bags: Iterable[TextBag], word: str) -> list[WordUse]:
    """Return for each matched entry how many of its bags hold `word` in one of their texts, most first.

    Raises UsageError for a blank word.
    """
    seen: Counter[str] = Counter()
    holding: Counter[str] = Counter()
    sources: dict[str, Counter[str]] = {}
    if not (wanted := word.casefold().split()):
        raise UsageError("which word? it is blank", "for example --word wave")
    for bag in bags:
        if not bag.kept:
            continue
        seen[bag.match.entry] += 1
        found = [text for text in bag.texts if _holds(text.text.casefold().split(), wanted)]
        if found:
            holding[bag.match.entry] += 1
            by = dict.fromkeys(source for text in found for source in (text.source, *text.also))
            sources.setdefault(bag.match.entry, Counter()).update(by.keys())
    return [WordUse(entry, count, seen[entry], dict(sources[entry])) for entry, count in holding.most_common()]


def _holds(words: list[str], wanted: list[str]) -> bool:
    return any(words[place : place + len(wanted)] == wanted for place in range(len(words)))


def read_labels(path: Path) -> dict[str, str]:
    """Read true labels from a CSV with the header `video,label`; raises UsageError with the line of a mistake."""
    check_text(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            header = next(rows, [])
            video, label = find_column(header, ("id", *VIDEO)), find_column(header, NAME)
            if video is None or label is None or header == ["id", "name"]:  # that is a list of classes
                raise UsageError(
                    f"{path} has no columns video and label but {excerpt(', '.join(header)) or 'none'}",
                    "give it the header video,label",
                )
            labels: dict[str, str] = {}
            for row in filter(None, rows):
                name, said = (row[place] if place < len(row) else "" for place in (video, label))
                if not name or not said:
                    raise UsageError(f"{path}:{rows.line_num} lacks its video or its label")
                if name in labels:
                    raise UsageError(f"{path}:{rows.line_num} labels {excerpt(name)} again")
                labels[name] = said
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"cannot read the labels {path}: {why}", "name a CSV in UTF-8") from None
    return labels


def named_labels(name: str, catalog: Catalog) -> dict[str, str]:
    """Return the true labels by video id: of what `labels_of` reads, or of a world."""
    return labels_of(world_path(catalog, "labels", name) or as_path(name))


def labels_of(path: Path) -> dict[str, str]:
    """Return the true labels by video id: of a CSV `video,label`, or of a split list beside its labels.csv."""
    if path.suffix != ".txt":
        return read_labels(path)
    if not (classes := path.parent / LABELS).is_file():
        fix = "put it there, or name a CSV with the header video,label"
        raise UsageError(f"{path} is a list of videos with numbers of classes, and {LABELS} is not beside it", fix)
    return {row.path: row.names[0] for row in read_list(path, classes).rows}
