"""What annotation files say, in one shape whatever their format: labelled videos, by class name, with their lines."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from maxi_core.errors import UsageError
from maxi_core.hidden import is_hidden
from maxi_core.text_files import check_regular, excerpt, read_text

MESSAGE = 240  # characters of what is wrong with a line, which quotes it


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled video: its path as written, the names of its classes, and the line that says so."""

    path: str
    names: tuple[str, ...]
    line: int = 0

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
