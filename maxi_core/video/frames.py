"""What a decoder gives back, and what a consumer gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from maxi_core.texts import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"  # (..., H, W, 3) RGB; a string, so that listing videos does not import NumPy


@dataclass(frozen=True, slots=True)
class Info:
    """What the file says: codec, container, size as displayed in pixels, frames a second, length in seconds."""

    codec: str
    container: str
    width: int
    height: int
    rate: float | None
    duration: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What a decoder answers: for each size the chosen frames (N, H, W, 3) uint8, and how many there were to choose of.

    `found` counts the frames that a decode of the whole file (or window) gives, `declared` those that the container
    promises (None where it makes no promise), and `damage` says in words what else was wrong, empty when nothing was.
    """

    pixels: tuple[Pixels, ...]
    found: int
    declared: int | None = None
    damage: str = ""
    info: Info | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """The frames of one video for each of its consumers, decoded in one pass.

    `frames[name]` is the (T, H, W, 3) uint8 array in RGB that was asked for under `name`, T as asked, whatever the
    length of the video; `indices[name]` are the places of these frames in the file or window. `pixels[name]`
    (N, H, W, 3) are the distinct frames at `places[name]`, in order, which consumers of one size share: not to be
    changed.
    """

    pixels: Mapping[str, Pixels]
    places: Mapping[str, tuple[int, ...]]
    indices: Mapping[str, tuple[int, ...]]
    found: int
    declared: int | None = None
    damage: str = ""
    info: Info | None = None

    def __getitem__(self, name: str) -> Pixels:
        """Return the frames of the consumer `name`, (T, H, W, 3) uint8, a copy that may be changed.

        Raises KeyError if nobody asked under this name.
        """
        return self.at(name, self.indices[name])

    def at(self, name: str, indices: Sequence[int]) -> Pixels:
        """Return a copy of the frames at these places in the video; raises KeyError for one that is not held."""
        row = {index: row for row, index in enumerate(self.places[name])}
        return self.pixels[name][[row[index] for index in indices]]  # (N, H, W, 3) -> (T, H, W, 3)

    @property
    def nbytes(self) -> int:
        """Bytes of all distinct frames."""
        return sum({id(pixels): pixels.nbytes for pixels in self.pixels.values()}.values())

    @property
    def flag(self) -> str:
        """Say in one line what is missing from the video, or nothing if it is whole."""
        return shortfall(self.found, self.declared, self.damage)


def shortfall(found: int, declared: int | None, damage: str) -> str:
    """Return one line on frames that are missing or damaged, or an empty string."""
    parts = []
    if declared is not None and found < declared:
        parts.append(f"only {found} of {counted(declared, 'frame')} could be decoded")
    if damage:
        parts.append(damage)
    return ", ".join(parts)
