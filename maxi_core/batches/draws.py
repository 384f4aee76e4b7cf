"""Where every random choice of training comes from: a generator for each seed, epoch, video and purpose."""

from __future__ import annotations

import hashlib
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def stable_number(*parts: int | str) -> int:
    """Return a number of 128 bits that depends on nothing but `parts`: not on the process, nor on PYTHONHASHSEED."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        text = str(part).encode(errors="surrogatepass")  # ids may hold names that are not UTF-8
        digest.update(f"{len(text)}:".encode() + text)
    return int.from_bytes(digest.digest(), "big")


def generator(purpose: str, seed: int, epoch: int, video: str) -> Random:
    """Return the generator for one purpose of one video in one epoch; no other draw moves it."""
    return Random(stable_number(purpose, seed, epoch, video))  # noqa: S311 - a draw, not a secret


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the numbers below `count` in the order of an epoch.

    Made of the raw numbers of a bit generator, which NumPy promises to keep; its `permutation` may change.
    """
    import numpy as np

    raw = np.random.PCG64(stable_number("order", seed, epoch)).random_raw(count)
    order: NDArray[np.int64] = np.argsort(raw, kind="stable")
    return order
