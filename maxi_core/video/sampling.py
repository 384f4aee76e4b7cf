"""Which frames of a video are looked at: index functions of plain numbers, and the request that names one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

Kind = Literal["uniform", "middles", "random"]


def uniform(n: int, k: int) -> tuple[int, ...]:
    """Return `k` indices spread evenly from the first of `n` frames to the last; a single one is the middle."""
    if k == 1:
        return (n // 2,)
    return tuple((2 * i * (n - 1) + k - 1) // (2 * (k - 1)) for i in range(k))


def segment_middles(n: int, k: int) -> tuple[int, ...]:
    """Return the middle frame of each of `k` equal segments of `n` frames (TSN's rule for testing, SPEC section 8)."""
    return tuple((2 * i + 1) * n // (2 * k) for i in range(k))


def segment_random(n: int, k: int, rng: Random) -> tuple[int, ...]:
    """Return one frame at random from each of `k` equal segments of `n` frames (TSN's rule for training, SPEC 6).

    Segments differ by at most one frame in length and cover the whole video; with fewer frames than segments, frames
    repeat.
    """
    indices = []
    for i in range(k):
        first, after = i * n // k, (i + 1) * n // k
        indices.append(rng.randrange(first, after) if after > first else first)
    return tuple(indices)


@dataclass(frozen=True, slots=True)
class Sampling:
    """A request for `count` frames of each video, in order of time; frames of a short video repeat.

    `uniform` goes from the first frame to the last, `middles` takes the middles of equal segments, `random` draws one
    frame from each segment, seeded by `seed` and the id of the video: the same on any number of workers.
    """

    kind: Kind
    count: int
    seed: str = ""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ValueError(f"a sampling needs at least one frame, not {self.count}")

    def indices(self, n: int, video: str) -> tuple[int, ...]:
        """Return the `count` indices into the `n` frames of the video whose id is `video`; `n` is at least 1."""
        if self.kind == "uniform":
            return uniform(n, self.count)
        if self.kind == "middles":
            return segment_middles(n, self.count)
        seed = f"{self.seed}\n{video}".encode(errors="surrogatepass")  # an id may hold a name that is not UTF-8
        return segment_random(n, self.count, Random(seed))  # noqa: S311 - a draw, not a secret


def union(parts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return every index that occurs in one of `parts`, ascending and once."""
    return tuple(sorted({index for part in parts for index in part}))
