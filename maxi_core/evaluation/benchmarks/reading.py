"""Reading one split of a benchmark from whatever is there: lists, official files, or a loader of its own."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.agreement import Trust, conflicts, settle
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, BenchmarkFiles
from maxi_core.evaluation.benchmarks.checking import checked_listing
from maxi_core.evaluation.benchmarks.lists import Listing, Row, read_list
from maxi_core.evaluation.benchmarks.splits import Sample, Split, make_split
from maxi_core.plugin.calls import blamed
from maxi_core.system.remote import RemotePath, as_path, is_folder
from maxi_core.texts import Spelling, counted, name_key
from maxi_core.types import Video
from maxi_core.video.archives import is_archive, video_exists
from maxi_core.video.folders import Root, scan

ClassInName = Callable[[str, tuple[str, ...]], str | None]  # stem of a file, classes -> the class that it says


def read_split(benchmark: Benchmark, split: str, files: BenchmarkFiles, spelling: Spelling) -> Split:
    """Return one split of a benchmark; raises UsageError for its files, PluginError for a loader that is not right."""
    with blamed(benchmark.ref, f"when it was asked for its split {split}"):
        said: object = benchmark.listing(files, split)
        listing = checked_listing(benchmark.ref, said, multi_label=benchmark.multi_label)
    notes = list(listing.notes)
    if benchmark.classes is not None and len(listing.classes) != benchmark.classes:
        notes.append(f"{counted(len(listing.classes), 'class')}, and {benchmark.classes} in the published benchmark")
    return make_split(
        benchmark.name,
        split,
        listing,
        by_stem=True,
        spelling=spelling,
        published=benchmark.counts[split],
        notes=notes,
    )


def read_listing(benchmark: Benchmark, files: BenchmarkFiles, split: str) -> Listing:
    """Read a split from its list and its official files, and check what is there against each other.

    Raises UsageError if nothing is there, in words that say what was looked for.
    """
    annotations = files.annotations
    labels = annotations.find(*(pattern.format(split) for pattern in benchmark.labels))
    path = annotations.find(*(pattern.format(split) for pattern in benchmark.lists))
    if path is not None and labels is None:
        names = benchmark.labels[0].format(split)
        raise UsageError(f"{path} is there, but not its labels {names}", f"put {names} into {annotations.place}")
    listed = None if path is None or labels is None else read_list(path, labels, multi_label=benchmark.multi_label)
    official = benchmark.official(replace(files, labels=labels, listed=listed), split)
    if listed is None and official is None:
        what = f"{benchmark.name}:{split} is not in {annotations.place}: it takes {_wanted(benchmark, split)}"
        raise UsageError(what, "correct --annotations")
    listing = settle(f"{benchmark.name}:{split}", listed, official, files.trust)
    if listed is not None and official is None:
        listing = _by_file_name(listed, benchmark.class_in_name, files.trust)
    return listing


def _wanted(benchmark: Benchmark, split: str) -> str:
    lists = f"{benchmark.lists[-1]} and {benchmark.labels[0]}" if benchmark.lists else ""
    return ", or ".join(text.format(split) for text in (benchmark.official_files, lists) if text)


def _by_file_name(listed: Listing, in_name: ClassInName, trust: Trust | None) -> Listing:
    """Compare the labels of a list with the classes in its file names, which are the official ones."""
    said = [(row, in_name(row.stem, listed.classes)) for row in listed.rows]
    wrong = conflicts([(row.names, (name,)) for row, name in said if name is not None])
    if not wrong:
        return listed
    if trust == "official":
        rows = tuple(Row(row.path, (name,) if name else row.names, row.line) for row, name in said)
        return Listing(listed.classes, rows, listed.files, notes=(f"corrected by file names: {wrong}",))
    return replace(listed, notes=(f"{wrong} (by its file names; --trust official corrects it)",))


# Where the videos of a split lie: as the list says, or under the same name anywhere below the folder of videos.

# a clip of YouTube: its id of 11 characters, and from which to which second, as Kinetics and its downloaders write it
_CLIP = re.compile(r"(?:v_)?(?P<id>[\w-]{11})(?:[_-](?P<start>\d+)(?:\.\d+)?[_-](?P<end>\d+)(?:\.\d+)?)?", re.ASCII)
Clip = tuple[str, int, int] | tuple[str]
Key = TypeVar("Key", str, Clip)


@dataclass(frozen=True)
class Placed:
    """The videos of a split, in its order, and the ids of those that are nowhere."""

    videos: tuple[Video, ...]
    missing: tuple[str, ...]


class Places:
    """Finds videos below a folder or in an archive; `allow_outside` follows `..` and links that lead out of it.

    A list may have other folders and another ending than the disk (`v_Archery_g01_c01.avi` for
    `Archery/v_Archery_g01_c01.mp4`): a file of that name anywhere below the folder is taken, if there is only one, or
    only one in a folder named after its class. Where no file has the name, one in other case is; then one of the same
    clip of YouTube, its seconds written otherwise (`ID_10_20.mp4` for `ID_000010_000020.mp4`), or left out on one side
    and the only clip of that id.
    """

    def __init__(self, folder: Path, *, allow_outside: bool = False) -> None:
        folder = as_path(folder)
        if not is_folder(folder) and not is_archive(folder):
            raise UsageError(f"there is no folder of videos at {folder}", "correct --videos")
        self._folder, self._top, self._follow = folder, folder.absolute(), allow_outside
        self._root = Root(folder, given=True, allow_outside=allow_outside)

    def place(self, split: Split) -> Placed:
        """Return the videos of a split; one that is nowhere has the path that the list says.

        Raises UsageError for a path that leads out of the folder, and for a name that several files have.
        """
        videos, missing = [], []
        ids = Counter(key[0] for sample in split.samples if (key := _clip(sample.path)))
        for sample in split.samples:
            path = self._find(sample, split.classes, ids)
            if path is None:
                missing.append(sample.id)
                path = self._top / sample.path
            videos.append(Video(sample.id, path, sample.start, sample.end))
        return Placed(tuple(videos), tuple(missing))

    def _find(self, sample: Sample, classes: Sequence[str], ids: Counter[str]) -> Path | None:
        path = as_path(self._root.place(sample.path)[1])
        if (not isinstance(path, RemotePath) and os.path.exists(path)) or video_exists(path):  # noqa: PTH110 (which raises for a name that is too long)
            return path
        name, stem = sample.path.rpartition("/")[2], _stem(sample.path)
        found = self._by_name.get(name) or self._by_stem.get(stem) or self._by_case.get(stem.casefold())
        found = found or self._same_clip(sample.path, ids)
        if len(found) > 1:
            keys = {name_key(classes[place]) for place in sample.labels}
            found = [one for one in found if keys & {name_key(part) for part in one.split("/")[:-1]}] or found
        if len(found) > 1:
            raise UsageError(
                f"'{sample.path}' could be {' or '.join(found[:2])} in {self._folder}", "name a folder that has one"
            )
        return self._top / found[0] if found else None

    def _same_clip(self, path: str, ids: Counter[str]) -> list[str]:
        clip = _clip(path)
        if clip is None:
            return []
        whole = clip[:1]
        found = self._by_clip.get(clip) or (self._by_clip.get(whole, []) if ids[clip[0]] == 1 else [])
        cut = self._by_id.get(clip[0], []) if clip == whole else []
        return found or (cut if len(cut) == 1 else [])

    @cached_property
    def _names(self) -> list[str]:
        if isinstance(self._folder, RemotePath) and self._folder.scheme.startswith("http"):
            return []  # of a web server: nothing can be looked for
        return scan(self._folder, self._root, follow=self._follow)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return _grouped((path.rpartition("/")[2], path) for path in self._names)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _grouped((_stem(path), path) for path in self._names)

    @cached_property
    def _by_case(self) -> dict[str, list[str]]:
        return _grouped((_stem(path).casefold(), path) for path in self._names)

    @cached_property
    def _by_clip(self) -> dict[Clip, list[str]]:
        return _grouped((key, path) for path in self._names if (key := _clip(path)))

    @cached_property
    def _by_id(self) -> dict[str, list[str]]:
        return _grouped((key[0], path) for key, paths in self._by_clip.items() for path in paths)


def _stem(path: str) -> str:
    name = path.rpartition("/")[2]
    return name.rpartition(".")[0] or name


def _clip(path: str) -> Clip | None:
    found = _CLIP.fullmatch(_stem(path))
    if found is None:
        return None
    return (found["id"],) if found["start"] is None else (found["id"], int(found["start"]), int(found["end"]))


def _grouped(pairs: Iterable[tuple[Key, str]]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
