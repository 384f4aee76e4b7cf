"""Which bags of a run a page lists: all of a small run, of a large one those with signs first, the rest at random."""

import heapq
from dataclasses import dataclass, field
from hashlib import blake2b

from maxi_core.types import TextBag

SIGNED = 0.5  # at most this share of what is listed is there for its signs


@dataclass(frozen=True)
class Listed:
    """A bag that is listed, with its place in the run and its signs."""

    place: int
    bag: TextBag
    signs: tuple[str, ...]


@dataclass
class Sample:
    """Takes in the bags of a run as they come and holds at most twice `most` of them.

    Which are drawn depends on the ids of the videos alone, so the same run gives the same page.
    """

    most: int
    named: frozenset[str] = frozenset()  # videos that are wanted whatever the draw
    _signed: list[tuple[int, int, Listed]] = field(default_factory=list)
    _drawn: list[tuple[int, int, Listed]] = field(default_factory=list)
    _named: list[Listed] = field(default_factory=list)

    def take(self, listed: Listed) -> None:
        """Take in the next bag."""
        video = listed.bag.match.video.id
        if video in self.named:
            self._named.append(listed)
        drawn = int.from_bytes(blake2b(video.encode(errors="surrogatepass"), digest_size=8).digest())
        if listed.signs:
            _keep(self._signed, (-drawn, listed.place, listed), self.most)
        _keep(self._drawn, (-drawn, listed.place, listed), self.most)

    def listed(self) -> list[Listed]:
        """Return the bags that are listed, in the order of the run, and the named ones."""
        found = {listed.place: listed for listed in self._named}
        signed = [listed for _, _, listed in sorted(self._signed, key=lambda one: -one[0])]
        drawn = [listed for _, _, listed in sorted(self._drawn, key=lambda one: -one[0])]
        for listed in (*signed[: int(SIGNED * self.most)], *drawn):
            if len(found) < self.most:
                found.setdefault(listed.place, listed)
        return [found[place] for place in sorted(found)]


def _keep(heap: list[tuple[int, int, Listed]], item: tuple[int, int, Listed], most: int) -> None:
    if len(heap) < most:
        heapq.heappush(heap, item)
    elif most and item[:2] > heap[0][:2]:
        heapq.heapreplace(heap, item)
