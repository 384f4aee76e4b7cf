"""Clips of examples in a given order: decoded ahead, kept in memory if all fit, replaced if they cannot be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor

from maxi_core.batches.batch import BatchPlan, Example, Examples
from maxi_core.batches.draws import generator
from maxi_core.errors import MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.video.frames import Frames, Pixels
from maxi_core.video.jobs import Job
from maxi_core.video.reader import Pool
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import SkipLog, VideoFailed

Clip: TypeAlias = "tuple[Example, Pixels | Tensor]"  # with its frames, or the feature that was kept of them
CLIP = "clip"
MOST_FRAMES = 512  # of a video that is held in memory; one that is longer is decoded every time
PROBES = 3  # videos that are read to see whether all would fit into memory, if the first are broken
STAND_INS = 100  # videos that are tried in the place of one


@dataclass
class _Slot:
    """A place of the epoch: the example that stands in it, who would be next, and what was asked of the pool."""

    example: Example
    others: Iterator[Example]
    number: int | None = None  # None: the clip is held
    whole: bool = False


class Clips:
    """Reads clips of T frames, random ones or the middles of segments.

    A video that cannot be read is replaced by one that is drawn from (seed, epoch, its id), and that by the next of the
    same draw: whoever comes across it, on whatever rank, replaces it alike. It is recorded once in `log` and not tried
    again by this process. `broken` are the reasons by id.
    """

    def __init__(self, examples: Examples, plan: BatchPlan, video: VideoOptions, log: SkipLog | None = None) -> None:
        self._examples, self._plan, self._video = examples, plan, video
        self._log = log or SkipLog(None, video.max_skipped, "train")
        self._random = plan.augmentation != "none"
        self._held: dict[str, Frames] = {}
        self._room = int(plan.hold_gb * 1e9)
        self._holding: bool | None = None  # not known yet
        self.broken: dict[str, VideoFailed] = {}

    def read(self, places: Iterable[int], epoch: int) -> Generator[Clip, None, None]:
        """Yield what stands in each place with its frames (T, H, W, 3) uint8.

        Raises TooManySkippedError as the log says, and MaxiError where a hundred videos in a row cannot be read.
        """
        sampling = self._sampling(epoch)
        rest, slots = iter(places), deque[_Slot]()
        with Pool(self._video) as pool:
            if self._holding is None:
                self._holding = self._room > 0 and self._all_fit(pool)
            while True:
                while len(slots) < max(1, pool.ahead) and (place := next(rest, None)) is not None:
                    candidates = self._candidates(place, epoch)
                    slots.append(self._next(candidates, pool, sampling))
                if not slots:
                    return
                yield self._take(slots.popleft(), pool, sampling)

    def _sampling(self, epoch: int) -> Sampling:
        if not self._random:
            return Sampling("middles", self._plan.frames)
        return Sampling("random", self._plan.frames, f"{self._plan.seed}/{epoch}")

    def _whole(self) -> Sampling:
        """Return the request for all frames that any epoch may want."""
        return Sampling("uniform", MOST_FRAMES) if self._random else Sampling("middles", self._plan.frames)

    def _all_fit(self, pool: Pool) -> bool:
        """Say whether the frames of all videos would fit into memory if they were like the first."""
        for place in range(min(PROBES, len(self._examples))):
            reply = pool.take(pool.ask(Job(self._examples[place].video, {CLIP: self._whole()})))
            if isinstance(reply, Frames):
                return self._complete(reply) and reply.nbytes * len(self._examples) <= self._room
        return False

    def _complete(self, reply: Frames) -> bool:
        return reply.found <= MOST_FRAMES or not self._random

    def _candidates(self, place: int, epoch: int) -> Iterator[Example]:
        """Yield the example of a place, then those that stand in for it."""
        first = self._examples[place]
        yield first
        rng = generator("stand-in", self._plan.seed, epoch, first.video.id)
        for _ in range(STAND_INS):
            yield self._examples[rng.randrange(len(self._examples))]
        last = next((f"{name}: {failed.reason}" for name, failed in reversed(self.broken.items())), "none")
        raise MaxiError(
            f"{first.video.id} cannot be read, nor can {STAND_INS} other videos that were drawn in its place, such as "
            f"{last}",
            "look at all with: maxi check VIDEOS",
        )

    def _next(self, candidates: Iterator[Example], pool: Pool, sampling: Sampling) -> _Slot:
        """Ask for the first candidate that is not known to be broken."""
        example = next(one for one in candidates if one.video.id not in self.broken)
        if example.video.id in self._held:
            return _Slot(example, candidates)
        whole = bool(self._holding)
        number = pool.ask(Job(example.video, {CLIP: self._whole() if whole else sampling}))
        return _Slot(example, candidates, number, whole)

    def _take(self, slot: _Slot, pool: Pool, sampling: Sampling) -> tuple[Example, Pixels]:
        reply = self._held[slot.example.video.id] if slot.number is None else pool.take(slot.number)
        if isinstance(reply, VideoFailed):
            self._lose(slot.example, reply)
            return self._take(self._next(slot.others, pool, sampling), pool, sampling)
        if slot.whole and not self._complete(reply):
            number = pool.ask(Job(slot.example.video, {CLIP: sampling}))
            return self._take(_Slot(slot.example, slot.others, number), pool, sampling)
        if slot.whole:
            self._hold(slot.example, reply)
        self._log.use()
        return slot.example, reply.at(CLIP, sampling.indices(reply.found, slot.example.video.id))

    def _lose(self, example: Example, failed: VideoFailed) -> None:
        if example.video.id not in self.broken:
            self.broken[example.video.id] = failed
            self._log.skip(example.video.id, failed)

    def _hold(self, example: Example, reply: Frames) -> None:
        if example.video.id in self._held:
            return
        self._room -= reply.nbytes
        if self._room < 0:
            self._holding = False  # the videos were not like the first: what is held stays, the rest is decoded anew
        else:
            self._held[example.video.id] = reply
