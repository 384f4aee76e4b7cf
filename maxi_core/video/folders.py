"""The videos below a folder."""

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.hidden import is_hidden
from maxi_core.text_files import excerpt
from maxi_core.video.roots import Root
from maxi_core.video.rows import is_video_name

SHOWN = 5  # endings and hidden names in a message


@dataclass(frozen=True)
class PassedOver:
    """What was not taken in a folder: how many files by their ending, and which hidden files and folders."""

    endings: Counter[str] = field(default_factory=Counter)
    hidden: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Return it in words, or an empty string if there is nothing."""
        parts = []
        if count := self.endings.total():
            parts.append(f"{count} {'file' if count == 1 else 'files'} not named like a video ({_most(self.endings)})")
        if count := self.hidden.total():
            parts.append(f"{count} hidden ({_most(self.hidden)})")
        return " and ".join(parts)


def _most(counted: Counter[str]) -> str:
    said = [f"{count} {excerpt(name, 20)}" if count > 1 else excerpt(name, 20) for name, count in counted.most_common()]
    return ", ".join(said[:SHOWN]) + (", ..." if len(said) > SHOWN else "")


def scan(folder: Path, root: Root, *, follow: bool, passed: PassedOver | None = None) -> list[str]:
    """Return the paths of the videos below `folder`, relative to it and sorted; note in `passed` what is left out.

    Hidden files and folders (`maxi_core.hidden`) are passed over, and so are files that are not named like a video. A
    folder that is named like a video and holds none is listed too, so that it is reported and not passed over.
    Links to folders inside the root are not entered, since their files are found where they are; with `follow`, links
    that lead out of it are, and each folder once, so loops end. Raises UsageError for a link that leads out of the
    root unless `follow`, and for a folder that cannot be read.
    """
    passed = PassedOver() if passed is None else passed
    found = sorted(_below(str(folder), root, passed, follow=follow))
    folders = {os.path.dirname(path) for path in found}  # noqa: PTH120 (strings, for speed)
    above = {parent for path in folders for parent in _parents(path)}
    return [path for path in found if path not in above]


def _parents(path: str) -> Iterator[str]:
    while path:
        yield path
        path = os.path.dirname(path)  # noqa: PTH120


def _below(top: str, root: Root, passed: PassedOver, *, follow: bool) -> Iterator[str]:
    entered, waiting = {os.path.realpath(top)}, deque([""])
    while waiting:  # not recursive: folders may lie deeper than Python's stack
        inside = waiting.popleft()
        for entry in _listed(Path(top, inside)):
            if is_hidden(entry.name):
                passed.hidden[entry.name if not entry.name.startswith("._") else "._*"] += 1
                continue
            path = f"{inside}/{entry.name}" if inside else entry.name
            link = entry.is_symlink()
            is_folder = _is_folder(entry)
            if link and (is_folder or is_video_name(entry.name)):
                root.check_links(entry.path)
            if is_video_name(entry.name):
                yield path
            elif not is_folder:
                passed.endings[Path(entry.name).suffix.lower() or "no ending"] += 1
            if is_folder and (not link or follow):
                real = os.path.realpath(entry.path)
                if not link or real not in entered:
                    entered.add(real)
                    waiting.append(path)


def _listed(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read the folder {folder}: {error.strerror or error}") from error


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
