"""Few-shot lists: K videos of each class out of a training split, drawn with a seed (method.md, evaluation)."""

import random
from collections.abc import Sequence

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.listing import Listing, Row

SHOTS = (2, 4, 8, 16)  # of the paper


def few_shot(listing: Listing, shots: int, seed: int = 0) -> Listing:
    """Return `shots` videos of each class, in the order of the listing.

    Each class has a draw of its own, seeded by (seed, class), and larger K contain smaller ones. Raises UsageError for
    a class with fewer videos.
    """
    by_class: dict[str, list[Row]] = {name: [] for name in listing.classes}
    for row in listing.rows:
        if len(row.names) == 1:
            by_class[row.names[0]].append(row)
    chosen: set[str] = set()
    for name, rows in by_class.items():
        if len(rows) < shots:
            raise UsageError(f"'{name}' has {len(rows)} videos, and {shots} are wanted", "take fewer shots")
        chosen |= _drawn(sorted(row.path for row in rows), shots, f"{seed}\n{name}")
    return Listing(listing.classes, tuple(row for row in listing.rows if row.path in chosen), listing.files)


def _drawn(paths: Sequence[str], shots: int, seed: str) -> set[str]:
    order = list(paths)
    random.Random(seed).shuffle(order)  # noqa: S311 (a draw, not a secret)
    return set(order[:shots])
