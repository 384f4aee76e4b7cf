"""The benchmarks that maxi knows by name: how many videos and classes were published, what their files are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from maxi_core.errors import UsageError, nearest
from maxi_core.evaluation.benchmarks import charades, hmdb51, kinetics, moments, ssv2, uav_human, ucf101
from maxi_core.evaluation.benchmarks.agreement import Trust, conflicts, settle
from maxi_core.evaluation.benchmarks.benchmark import Metric, Split, make_split
from maxi_core.evaluation.benchmarks.labels import Spelling, in_order, read_labels
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing, Row
from maxi_core.evaluation.benchmarks.lists import read_list
from maxi_core.names import name_key

ClassInName = Callable[[str, tuple[str, ...]], str | None]  # stem of a file, classes -> the class that it says


@dataclass(frozen=True)
class Place:
    """Where a benchmark is looked for: its annotations, its videos; the labels CSV and the list that were found."""

    files: Annotations
    videos: Path | None = None
    labels: Path | None = None
    listed: Listing | None = None

    def classes(self) -> tuple[str, ...]:
        """Return the classes of the labels CSV; none if there is none."""
        return in_order(self.labels, read_labels(self.labels)) if self.labels else ()


@dataclass(frozen=True)
class Known:
    """A benchmark by name. `counts` are the videos of its published lists, `{}` in a pattern is the split.

    `official` reads the files as downloaded; `in_name` reads the class out of a file's name, where it stands there.
    """

    name: str
    title: str
    metric: Metric
    classes: int
    counts: Mapping[str, int | None]
    lists: tuple[str, ...]
    labels: tuple[str, ...]
    official: Callable[[Place, str], Listing | None]
    official_files: str
    aliases: tuple[str, ...] = ()
    shots: str = ""
    in_name: ClassInName | None = None


def _ucf(place: Place, split: str) -> Listing | None:
    return ucf101.official(place.files, split)


def _hmdb(place: Place, split: str) -> Listing | None:
    return hmdb51.official(place.files, split)


def _k600(place: Place, split: str) -> Listing | None:  # noqa: ARG001 (the classes say which split it is)
    if not (classes := place.classes()):
        return None
    if place.listed is None:
        return kinetics.official(place.files, ("test",), classes)
    every = kinetics.official(place.files, ("train", "val", "test"), classes)  # the lists draw on all three
    stems = {row.stem for row in place.listed.rows}
    return every and replace(every, rows=tuple(row for row in every.rows if row.stem in stems))


def _k400(place: Place, split: str) -> Listing | None:  # noqa: ARG001
    return kinetics.official(place.files, ("val",))


def _ssv2(place: Place, split: str) -> Listing | None:  # noqa: ARG001
    return ssv2.official(place.files)


def _minissv2(place: Place, split: str) -> Listing | None:  # noqa: ARG001
    return ssv2.official(place.files, classes=classes) if (classes := place.classes()) else None


def _charades(place: Place, split: str) -> Listing | None:  # noqa: ARG001
    return charades.official(place.files)


def _moments(place: Place, split: str) -> Listing | None:  # noqa: ARG001
    return moments.official(place.files)


def _uav(place: Place, split: str) -> Listing | None:
    from maxi_core.video.inputs import find_videos

    if place.listed is not None or place.labels is None or place.videos is None or not place.videos.is_dir():
        return None  # what is on the disk says nothing against a list
    names = (video.id for video in find_videos(place.videos))
    return uav_human.official(names, split, read_labels(place.labels), place.videos)


# Counts of SPEC section 8. The three lists of Kinetics-600 end without a line break, so that `wc -l`, and the section
# with it, is one short of what stands in them.
KNOWN: tuple[Known, ...] = (
    Known("ucf101", "UCF101", "top1", 101, {"1": 3783, "2": 3734, "3": 3696},
          ("ucf_splits/val{}.txt", "ucf*/val{}.txt", "val{}.txt"), ("ucf_101_labels.csv",),
          _ucf, "classInd.txt and testlist0{}.txt", ("ucf",),
          "ucf_splits/train1_few_shot_{}.txt"),
    Known("hmdb51", "HMDB51", "top1", 51, {"1": 1530, "2": 1530, "3": 1530},
          ("hmdb_splits/val{}.txt", "hmdb*/val{}.txt", "val{}.txt"), ("hmdb_51_labels.csv",),
          _hmdb, "<class>_test_split{}.txt", ("hmdb",),
          "hmdb_splits/train1_few_shot_{}.txt", hmdb51.class_in_name),
    Known("kinetics600-novel", "Kinetics-600, 160 novel classes", "top1", 160, {"1": 14084, "2": 13978, "3": 14136},
          ("ZS_split{}_K600_eval.txt",), ("ZS_split{}_K600.csv",),
          _k600, "a CSV of Kinetics-600 beside ZS_split{}_K600.csv", ("k600", "kinetics600")),
    Known("minissv2", "MiniSSv2", "top1", 87, {"1": 11799},
          ("validation_mini.txt",), ("minissv2_labels.csv",),
          _minissv2, "the JSON files of SSv2 beside minissv2_labels.csv", ("mini-ssv2",)),
    Known("ssv2", "Something-Something v2", "top1", 174, {"1": 24777},
          ("ssv2_splits/validation.txt", "validation.txt"), ("ssv2_labels.csv",),
          _ssv2, "something-something-v2-labels.json and -validation.json", ("somethingsomethingv2",),
          "ssv2_splits/train1_few_shot_{}.txt"),
    Known("charades", "Charades", "map", 157, {"1": 1814},
          ("charades_splits/test_split.txt", "test_split.txt"), ("charades_labels.csv",),
          _charades, "Charades_v1_classes.txt and Charades_v1_test.csv"),
    Known("moments", "Moments in Time", "top1", 305, {"1": 30500},
          ("Moments_in_time_splits/val_split.txt", "val_split.txt"), ("moments_in_time_labels.csv",),
          _moments, "moments_categories.txt and validationSet.csv", ("mit", "moments-in-time")),
    Known("uav-human", "UAV-Human", "top1", 155, {"1": 6191, "2": 6292},
          ("test_split{}.txt",), ("UAV_human_labels.csv",),
          _uav, "UAV_human_labels.csv, and --videos with the files themselves", ("uav",),
          in_name=uav_human.class_in_name),
    Known("kinetics400", "Kinetics-400, validation", "top1", 400, {"1": None},
          ("k400_splits/val.txt", "k400*/val.txt"), ("kinetics_400_labels.csv",),
          _k400, "a CSV label,youtube_id,time_start,time_end,split", ("k400",)),
)  # fmt: skip


def find_known(name: str) -> Known | None:
    """Return the benchmark of that name or alias, in any spelling, or None."""
    key = name_key(name)
    return next((known for known in KNOWN if key in map(name_key, (known.name, *known.aliases))), None)


def check_split(known: Known, split: str) -> None:
    """Raise UsageError if the benchmark has no split of that name."""
    if split not in known.counts:
        near = nearest(split, known.counts)
        raise UsageError(f"{known.name} has no split '{split}'{near}", f"its splits are {', '.join(known.counts)}")


def read_known(
    known: Known, split: str, files: Annotations, videos: Path | None, trust: Trust | None, spelling: Spelling
) -> Split:
    """Read one split of a known benchmark from whatever is there, and check what is there against each other.

    Raises UsageError if nothing is there, in words that say what was looked for.
    """
    labels = files.find(*(pattern.format(split) for pattern in known.labels))
    label = f"{known.name}:{split}"
    path = files.find(*(pattern.format(split) for pattern in known.lists))
    if path is not None and labels is None:
        names = known.labels[0].format(split)
        raise UsageError(f"{path} is there, but not its labels {names}", f"put {names} into {files.place}")
    listed = None if path is None or labels is None else read_list(path, labels, multi_label=known.metric == "map")
    official = known.official(Place(files, videos, labels, listed), split)
    if listed is None and official is None:
        wanted = f"{known.official_files.format(split)}, or {known.lists[-1].format(split)} and {known.labels[0]}"
        raise UsageError(f"{label} is not in {files.place}: it takes {wanted.format(split)}", "correct --annotations")
    listing = settle(label, listed, official, trust)
    notes: list[str] = []
    if known.in_name is not None and listed is not None and official is None:
        listing, notes = _by_file_name(listed, known.in_name, trust)
    if len(listing.classes) != known.classes:
        notes.append(f"{len(listing.classes)} classes, and {known.classes} in the published benchmark")
    return make_split(
        known.name,
        split,
        listing,
        by_stem=True,
        spelling=spelling,
        published=known.counts[split],
        notes=notes,
    )


def _by_file_name(listed: Listing, in_name: ClassInName, trust: Trust | None) -> tuple[Listing, list[str]]:
    """Compare the labels of a list with the classes in its file names, which are the official ones."""
    said = [(row, in_name(row.stem, listed.classes)) for row in listed.rows]
    wrong = conflicts([(row.names, (name,)) for row, name in said if name is not None])
    if not wrong:
        return listed, []
    if trust == "official":
        rows = tuple(Row(row.path, (name,) if name else row.names, row.line) for row, name in said)
        return Listing(listed.classes, rows, listed.files), [f"corrected by file names: {wrong}"]
    return listed, [f"{wrong} (by its file names; --trust official corrects it)"]
