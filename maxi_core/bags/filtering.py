"""Which videos are kept: the filter p, the share of all matches with the highest scores (paper Table 4, method.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def keep_best(scores: Sequence[float], share: float) -> list[bool]:
    """Return for each video whether its match is kept.

    One threshold for all videos, not one for each class. Of equal scores the earlier videos are kept. At least one is.
    """
    return list(map(bool, kept_best(scores, share)))


def kept_best(scores: Sequence[float], share: float) -> bytes:
    """Return what `keep_best` does as one byte for each video, 1 or 0: of millions in little memory."""
    import numpy as np

    kept = np.zeros(len(scores), bool)
    if len(scores):
        kept[best_places(np.asarray(scores, np.float64), share)] = True
    return kept.tobytes()


def best_places(scores: NDArray[np.float64], share: float) -> NDArray[np.int64]:
    """Return the places of the scores that are kept, best first; of millions in a second."""
    import numpy as np

    count = max(1, int(share * len(scores) + 0.5))
    order: NDArray[np.int64] = np.argsort(-scores, kind="stable")  # of equal scores the earlier
    return order[:count]
