"""Which frames of a video are looked at: index functions of plain numbers, and the request that names one of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, inf
from random import Random
from typing import Literal, get_args

MOST_FRAMES = 1000  # of a clip: a count that is no mistake, and 600 MB as the floats of a model of 224 pixels
# frames of one video for one consumer: more than six minutes of every frame, several gigabytes
MOST_OF_A_VIDEO = 10_000
Kind = Literal["uniform", "middles", "random", "all", "rate"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def uniform(n: int, k: int) -> tuple[int, ...]:
    """Return `k` indices spread evenly from the first of `n` frames to the last; a single one is the middle."""
    if k == 1:
        return (n // 2,)
    return tuple((2 * i * (n - 1) + k - 1) // (2 * (k - 1)) for i in range(k))


def segment_middles(n: int, k: int) -> tuple[int, ...]:
    """Return the middle frame of each of `k` equal segments of `n` frames (TSN's rule for testing)."""
    return tuple((2 * i + 1) * n // (2 * k) for i in range(k))


def segment_random(n: int, k: int, rng: Random) -> tuple[int, ...]:
    """Return one frame at random from each of `k` equal segments of `n` frames (TSN's rule for training).

    Segments differ by at most one frame in length and cover the whole video; with fewer frames than segments, frames
    repeat.
    """
    indices = []
    for i in range(k):
        first, after = i * n // k, (i + 1) * n // k
        indices.append(rng.randrange(first, after) if after > first else first)
    return tuple(indices)


def at_rate(n: int, wanted: float, rate: float) -> tuple[int, ...]:
    """Return the middle frame of each `1 / wanted` seconds of `n` frames shown at `rate` a second; at least one."""
    step = rate / wanted  # frames between two that are wanted
    return tuple(min(n - 1, int((i + 0.5) * step)) for i in range(count_at_rate(n, wanted, rate)))


def count_at_rate(n: int, wanted: float, rate: float) -> int:
    """Return how many indices `at_rate` gives."""
    return max(1, ceil(n * wanted / rate - 0.5))


@dataclass(frozen=True, slots=True)
class Sampling:
    """A request for frames of each video, in order of time; frames of a short video repeat.

    `uniform` takes `count` frames from the first to the last, `middles` the middles of `count` equal segments, `random`
    draws one frame from each of `count` segments, seeded by `seed` and the id of the video (the same on any number of
    workers), `all` takes every frame and `rate` `count` frames a second, by the video's average rate. `side` is the
    length in pixels of the shorter side of the frames, never enlarged; None: as the run's `video.short_side` says.
    """

    kind: Kind
    count: float = 1
    seed: str = ""
    side: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no frames are taken by '{self.kind}'; a sampling is one of {', '.join(KINDS)}")
        if self.kind == "rate" and self.count <= 0:
            raise ValueError(f"a sampling at a rate needs more than {self.count:g} frames a second")
        if self.kind in ("uniform", "middles", "random") and (self.count < 1 or self.count != int(self.count)):
            raise ValueError(f"a sampling needs a whole number of frames, at least one, not {self.count:g}")
        if self.side is not None and self.side < 1:
            raise ValueError(f"frames need a side of at least one pixel, not {self.side}")

    def length(self, n: int, rate: float | None = None) -> int:
        """Return how many frames `indices` gives of `n`; raises ValueError as it does."""
        if self.kind == "all":
            return n
        return count_at_rate(n, self.count, _known(rate)) if self.kind == "rate" else int(self.count)

    def indices(self, n: int, video: str, rate: float | None = None) -> tuple[int, ...]:
        """Return the indices into the `n` frames (at least 1) of the video whose id is `video`.

        `rate` is the video's average number of frames a second. Raises ValueError if a rate is asked for and the video
        has none.
        """
        if self.kind == "all":
            return tuple(range(n))
        if self.kind == "rate":
            return at_rate(n, self.count, _known(rate))
        count = int(self.count)
        if self.kind == "uniform":
            return uniform(n, count)
        if self.kind == "middles":
            return segment_middles(n, count)
        seed = f"{self.seed}\n{video}".encode(errors="surrogatepass")  # an id may hold a name that is not UTF-8
        return segment_random(n, count, Random(seed))  # noqa: S311 - a draw, not a secret


def _known(rate: float | None) -> float:
    if rate is None or not 0 < rate < inf:
        raise ValueError("the video does not say how many frames a second it has")
    return rate


def union(parts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return every index that occurs in one of `parts`, ascending and once."""
    return tuple(sorted({index for part in parts for index in part}))
