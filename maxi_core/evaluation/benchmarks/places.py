"""Where the videos of a split lie: as the list says, or under the same name anywhere below the folder of videos."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.splits import Sample, Split
from maxi_core.names import name_key
from maxi_core.types import Video
from maxi_core.video.folders import scan
from maxi_core.video.roots import Root


@dataclass(frozen=True)
class Placed:
    """The videos of a split, in its order, and the ids of those that are nowhere."""

    videos: tuple[Video, ...]
    missing: tuple[str, ...]


class Places:
    """Finds videos below a folder; `allow_outside` follows `..` and links that lead out of it.

    A list may have other folders and another ending than the disk (`v_Archery_g01_c01.avi` for
    `Archery/v_Archery_g01_c01.mp4`): a file of that name anywhere below the folder is taken, if there is only one, or
    only one in a folder named after its class.
    """

    def __init__(self, folder: Path, *, allow_outside: bool = False) -> None:
        if not folder.is_dir():
            raise UsageError(f"there is no folder of videos at {folder}", "correct --videos")
        self._folder, self._follow = folder, allow_outside
        self._root = Root(folder, given=True, allow_outside=allow_outside)

    def place(self, split: Split) -> Placed:
        """Return the videos of a split; one that is nowhere has the path that the list says.

        Raises UsageError for a path that leads out of the folder, and for a name that several files have.
        """
        videos, missing = [], []
        for sample in split.samples:
            path = self._find(sample, split.classes)
            if path is None:
                missing.append(sample.id)
                path = self._folder / sample.path
            videos.append(Video(sample.id, path))
        return Placed(tuple(videos), tuple(missing))

    def _find(self, sample: Sample, classes: Sequence[str]) -> Path | None:
        path = Path(self._root.place(sample.path)[1])
        if os.path.exists(path):  # noqa: PTH110 (which raises for a name that is too long)
            return path
        name = sample.path.rpartition("/")[2]
        found = self._by_name.get(name) or self._by_stem.get(name.rpartition(".")[0] or name, [])
        if len(found) > 1:
            keys = {name_key(classes[place]) for place in sample.labels}
            found = [one for one in found if keys & {name_key(part) for part in one.split("/")[:-1]}] or found
        if len(found) > 1:
            raise UsageError(
                f"'{sample.path}' could be {' or '.join(found[:2])} in {self._folder}", "name a folder that has one"
            )
        return self._folder / found[0] if found else None

    @cached_property
    def _names(self) -> list[str]:
        return scan(self._folder, self._root, follow=self._follow)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        return _grouped((path.rpartition("/")[2], path) for path in self._names)

    @cached_property
    def _by_stem(self) -> dict[str, list[str]]:
        return _grouped((path.rpartition("/")[2].rpartition(".")[0], path) for path in self._names)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups
