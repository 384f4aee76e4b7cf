"""The split lists that ViFi-CLIP and the authors distribute: `<path> <label> [<label> ...]` beside a labels CSV."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from maxi_core.class_lists import read_class_list
from maxi_core.errors import UsageError
from maxi_core.system.hidden import is_hidden
from maxi_core.system.text_files import check_regular, excerpt, read_text
from maxi_core.system.urls import refuse_reading
from maxi_core.texts import AND_MORE, CAMEL, counted, first_few, name_key
from maxi_core.video.lists import parse_list_line

# What annotation files say, in one shape whatever their format: labelled videos, by class name, with their lines.

MESSAGE = 240  # characters of what is wrong with a line, which quotes it


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled video, or a window of one in seconds: its path as written, its classes, the line that says so."""

    path: str
    names: tuple[str, ...]
    line: int = 0
    start: float | None = None
    end: float | None = None

    @property
    def stem(self) -> str:
        """The file name without folder and ending, which every form of a benchmark shares."""
        name = self.path.rpartition("/")[2]
        return name.rpartition(".")[0] or name


@dataclass(frozen=True)
class Listing:
    """One split as one source has it: class names in order of their numbers, rows, and the files read.

    `unlabelled` counts videos that the source names without any class; they are in no benchmark. `notes` are what a
    reader of its scores should know.
    """

    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    files: tuple[Path, ...] = ()
    unlabelled: int = 0
    notes: tuple[str, ...] = ()


class Annotations:
    """The files of an annotations folder, at any depth, or the one file that was named; hidden ones are passed over."""

    def __init__(self, place: Path) -> None:
        refuse_reading(place, "annotations are read")
        if not os.path.exists(place):  # noqa: PTH110 (which raises for a name that is too long)
            raise UsageError(f"there are no annotations at {place}", "correct --annotations")
        check_regular(place)
        self.place = place
        self.top = place.parent if place.is_file() else place
        names = [place.name] if place.is_file() else _below(place)
        self._names = sorted(names, key=lambda name: (name.count("/"), name))

    def find(self, *patterns: str) -> Path | None:
        """Return the file that matches the first pattern that any matches; None if there is none.

        A pattern is matched from the right: `ucf_splits/val1.txt`. Raises UsageError if two files match equally well.
        """
        for pattern in patterns:
            found = self.find_all(pattern)
            if not found:
                continue
            depth = [len(path.parts) for path in found]
            if depth.count(depth[0]) > 1:
                both = " and ".join(str(path) for path in found[:2])
                raise UsageError(f"{both} could both be the '{pattern}' that is wanted", "name one with --annotations")
            return found[0]
        return None

    def find_all(self, pattern: str) -> list[Path]:
        """Return every file that matches the pattern, those nearest to the top first."""
        return [self.top / name for name in self._names if _matches(name, pattern)]


def _below(folder: Path) -> Iterator[str]:
    for top, folders, files in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for path in (Path(top, name) for name in files if not is_hidden(name)):
            if path.suffix.lower() in (".txt", ".csv", ".json") and path.is_file():
                yield path.relative_to(folder).as_posix()


def _unreadable(error: OSError) -> None:
    raise UsageError(f"cannot read the folder {error.filename}: {error.strerror or error}", "chmod u+rx it")


def _matches(name: str, pattern: str) -> bool:
    parts, wanted = PurePosixPath(name.lower()).parts, PurePosixPath(pattern.lower()).parts
    if len(parts) < len(wanted):
        return False
    return all(fnmatchcase(part, want) for part, want in zip(parts[-len(wanted) :], wanted, strict=True))


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line number, text) of the lines of a text file that are not blank; raises UsageError naming the file."""
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            yield number, line.strip()


def at(path: Path, line: int, what: str, fix: str = "correct the line") -> UsageError:
    """Return the error for one line of an annotation file."""
    return UsageError(f"{path}, line {line}: {excerpt(what, MESSAGE)}", fix)


# Class names by number, and how the names of two files find each other (method.md, field files).


def read_labels(path: Path) -> dict[int, str]:
    """Return {number: class name} of a file of class names (`read_class_list`); numbers are read, not counted.

    Raises UsageError with the line for a name without a number, a number that comes twice, and names that differ only
    in case, spaces or punctuation.
    """
    listed = read_class_list(path, numbered=True)
    labels: dict[int, str] = {}
    seen: dict[str, tuple[str, int]] = {}
    for one in listed.names:
        name = " ".join(one.name.split())
        if one.number is None or not name:
            raise listed.wrong(one.place, f"'{one.name}' is not a name with a number", "write a table id,name")
        if one.number in labels:
            what = f"the number {one.number} is '{labels[one.number]}' already"
            raise listed.wrong(one.place, what, "give each name its own")
        key = name_key(name)
        if key in seen:
            what = f"'{name}' is '{seen[key][0]}' of {listed.unit} {seen[key][1]} again"
            raise listed.wrong(one.place, what, "rename one, or take it out")
        seen[key] = name, one.place
        labels[one.number] = name
    if not labels:
        raise UsageError(f"{path} names no class", "write one id,name a line")
    return labels


def read_names(path: Path) -> tuple[str, ...]:
    """Return the class names of a file in its order, with numbers or without; raises UsageError if it has none."""
    names = tuple(filter(None, dict.fromkeys(" ".join(one.name.split()) for one in read_class_list(path).names)))
    if not names:
        raise UsageError(f"{path} names no class", "write one name a line")
    return names


class Names:
    """The class names of a benchmark, found by how others write them: case, spaces, punctuation, order of words."""

    def __init__(self, names: Sequence[str], where: str) -> None:
        self.names, self.where = tuple(names), where
        self._keys = {name_key(name): place for place, name in enumerate(names)}
        words: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            words.setdefault(_words(name), []).append(place)
        self._words = {key: places[0] for key, places in words.items() if len(places) == 1}

    def find(self, name: str) -> int | None:
        """Return the place of the class that `name` means, or None."""
        place = self._keys.get(name_key(name))
        return self._words.get(_words(name)) if place is None else place


def _words(name: str) -> str:
    parts = re.split(r"[\W_]+", CAMEL.sub(" ", name).casefold())
    return " ".join(sorted(part for part in parts if part))


def same_classes(ours: Names, theirs: Names) -> None:
    """Raise UsageError that shows both sides unless the two name the same classes, in any order and spelling."""
    missing = [name for name in ours.names if theirs.find(name) is None]
    extra = [name for name in theirs.names if ours.find(name) is None]
    if missing or extra:
        raise UsageError(
            f"the class names differ: only {ours.where} has {_some(missing)}, only {theirs.where} has {_some(extra)}",
            "correct one of them, or name one of them alone with --annotations",
        )


def _some(names: Sequence[str]) -> str:
    return first_few([f"'{name}'" for name in names], rest=AND_MORE) or "none"


def in_order(path: Path, labels: Mapping[int, str]) -> tuple[str, ...]:
    """Return the names by number; raises UsageError if the numbers are not 0, 1, 2 and so on."""
    gap = next((number for number in range(len(labels)) if number not in labels), None)
    if gap is not None:
        raise UsageError(f"{path} has no class {gap}: its numbers are not 0 to {len(labels) - 1}", "number them so")
    return tuple(labels[number] for number in range(len(labels)))


def read_list(path: Path, labels: Path, *, multi_label: bool = False) -> Listing:
    """Return the rows of a split list, their numbers turned into the names of the labels CSV.

    Raises UsageError with the line for a line without a label, a number that the CSV does not have, several labels in a
    benchmark that has one for each video, a video that comes twice, and a video in the folder of another class.
    """
    named = read_labels(labels)
    classes = in_order(labels, named)
    names = Names(classes, str(labels))
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, text in read_lines(path):
        written, numbers = parse_list_line(text)
        if not numbers:
            raise at(path, line, f"no label after '{written}'", "write `<path> <label>`, with the ending of the file")
        if len(set(numbers)) > 1 and not multi_label:
            fix = "take all but one out; in a benchmark of your own, add --multi-label if all may have several"
            raise at(path, line, f"{counted(len(numbers), 'label')} where each video has one", fix)
        for number in numbers:
            if number not in named:
                raise at(path, line, f"label {number} is not in {labels} (0 to {len(named) - 1})")
        if written in seen:
            raise at(path, line, f"'{written}' is on line {seen[written]} already", "take one of them out")
        seen[written] = line
        row = Row(written, tuple(named[number] for number in dict.fromkeys(numbers)), line)
        if not multi_label:
            _check_folder(path, row, names)
        rows.append(row)
    if not rows:
        raise UsageError(f"the list {path} is empty", "write `<path> <label>` on each line")
    return Listing(classes, tuple(rows), (path, labels))


def _check_folder(path: Path, row: Row, names: Names) -> None:
    """Raise UsageError if the video lies in a folder that is named after another class than its label."""
    parts = row.path.split("/")
    inside = names.find(parts[-2]) if len(parts) > 1 else None
    if inside is not None and inside != names.find(row.names[0]):
        what = f"label '{row.names[0]}' and the folder '{parts[-2]}' are two classes of {names.where}"
        raise at(path, row.line, what, "name the labels CSV that belongs to this list")


def write_list(listing: Listing, path: Path, labels: Path) -> None:
    """Write a listing as a split list and a labels CSV, whole or not at all.

    Raises UsageError if there is a file of either name with other lines.
    """
    import csv
    import io

    from maxi_core.system.files import check_replaceable, write_text

    numbers = {name: number for number, name in enumerate(listing.classes)}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("id", "name"))
    table.writerows(enumerate(listing.classes))
    lines = (f"{row.path} {' '.join(str(numbers[name]) for name in row.names)}" for row in listing.rows)
    written = {labels: out.getvalue(), path: "".join(f"{line}\n" for line in lines)}
    for file, text in written.items():
        check_replaceable(file)
        if file.is_file() and file.read_bytes() not in (b"", text.encode(errors="surrogateescape")):
            raise UsageError(f"{file} is there already, with other lines", "choose another --out, or delete it")
    for file, text in written.items():
        write_text(file, text)
