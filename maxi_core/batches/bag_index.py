"""The bags of a run as examples for training, without reading more of them than are asked for."""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.bags.records import BAGS, from_line
from maxi_core.batches.batch import Example
from maxi_core.batches.index_file import NOT_KEPT, IndexFile, index_of, is_item
from maxi_core.errors import UsageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class BagIndex:
    """The bags of a run that are trained on, in their order; see `open_bags`.

    `total` is the number of all bags of the run, kept or not.
    """

    def __init__(self, lines: mmap.mmap, index: IndexFile, places: NDArray[np.int64], classes: tuple[str, ...]) -> None:
        self._lines, self._index, self._places, self.classes = lines, index, places, classes
        self._numbers = {name: number for number, name in enumerate(classes)}
        self.total = len(index.rows)

    @property
    def empty(self) -> int:
        """Return how many of the bags have no text besides the matched entry."""
        return int((self._index.rows["items"][self._places] == 0).sum())

    def __len__(self) -> int:
        """Return how many bags are trained on."""
        return len(self._places)

    def __getitem__(self, place: int) -> Example:
        """Read one bag; its matched entry is not among its texts."""
        row = int(self._places[place])
        offsets = self._index.rows["offset"]
        end = int(offsets[row + 1]) if row + 1 < len(offsets) else len(self._lines)
        bag = from_line(self._lines[int(offsets[row]) : end].decode())
        entry = bag.match.entry
        texts = tuple(text.text for text in bag.texts if is_item(text.text, entry))
        return Example(bag.match.video, entry, self._numbers[entry], texts)


def open_bags(run: Path, keep: float | None = None, classes: Sequence[str] | None = None) -> BagIndex:
    """Return the bags of a run folder that its `--keep` kept, or a smaller share `keep` of all its matched videos.

    The share is found as `maxi bags` finds it: one threshold for all, of equal scores the earlier videos. `classes`
    are the entries that are numbered (default: those that any bag is matched to, sorted). Raises UsageError for a
    folder without bags, for a larger share than the run has texts for, and for a matched entry that is no class.
    """
    import numpy as np

    path = run / BAGS
    if not path.is_file():
        raise UsageError(f"there are no bags in {run}: no {BAGS}", f"make them: maxi bags VIDEOS --out {run}")
    with path.open("rb") as file:
        index = index_of(path, file)
        if not len(index.rows):
            raise UsageError(f"{path} is empty: no video was matched", "run maxi bags again")
        lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    kept = index.rows["items"] != NOT_KEPT
    places = np.flatnonzero(kept)
    if keep is not None:
        places = _share(run, index, places, keep)
    return BagIndex(lines, index, places, _classes(run, index, places, classes))


def _share(run: Path, index: IndexFile, kept: NDArray[np.int64], keep: float) -> NDArray[np.int64]:
    """Return the places of the `keep` best of all bags, ascending."""
    import numpy as np

    if not 0 < keep <= 1:
        raise UsageError(f"--keep {keep:g} is no share of the videos", "type a number above 0 and up to 1")
    places = best_places(index.rows["score"], keep)
    if len(places) > len(kept):
        total = len(index.rows)
        raise UsageError(
            f"--keep {keep:g} asks for {len(places)} of {total} videos, and {run} has texts for {len(kept)} of them",
            f"type --keep {len(kept) / total:.3g} or less, or run maxi bags with --keep {keep:g}",
        )
    scores = index.rows["score"]
    if len(places) < len(scores) > 1 and scores.min() == scores.max():
        raise UsageError(
            f"--keep {keep:g}: all {len(scores)} videos of {run} have the same score, so none are the best",
            "leave out --keep, or match them: maxi bags",
        )
    return np.sort(places)


def best_places(scores: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Return which scores `keep_best` of `maxi bags` keeps, best first, of millions in a second."""
    import numpy as np

    count = max(1, int(share * len(scores) + 0.5))
    order: NDArray[np.int64] = np.argsort(-scores, kind="stable")  # of equal scores the earlier
    return order[:count]


def _classes(run: Path, index: IndexFile, places: NDArray[np.int64], classes: Sequence[str] | None) -> tuple[str, ...]:
    import numpy as np

    if classes is None:
        return tuple(sorted(index.entries))
    known = set(classes)
    for number in np.unique(index.rows["entry"][places]):
        entry = index.entries[number]
        if entry not in known:
            raise UsageError(
                f"{run} has videos matched to '{entry}', which is not among the {len(known)} classes"
                f"{nearest(entry, classes)}",
                "name the dictionary that the bags were made with",
            )
    return tuple(classes)
