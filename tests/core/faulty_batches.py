"""Expanders that treat a batch wrongly: its size, its order, its neighbours, and what is kept from one to the next."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache

from maxi_core import Failed
from tests.core.faulty import ELSEWHERE, NEIGHBOURS, ONE_FOR_EACH, PLACES, TWICE, caught_by
from tests.core.samples import Echo

Answers = list[list[str] | Failed]


@caught_by(ONE_FOR_EACH)
class Drops(Echo):
    """Fault: leaves out the second item of a batch."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for place, entry in enumerate(entries) if place != 1]


@caught_by(ONE_FOR_EACH)
class Doubles(Echo):
    """Fault: answers twice."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in entries for _ in range(2)]


@caught_by(ONE_FOR_EACH)
class Yields(Echo):
    """Fault: a generator."""

    def expand(self, entries: list[str]) -> Iterator[list[str] | Failed]:  # type: ignore[override]
        for entry in entries:
            yield self.phrases(entry)


@caught_by(ONE_FOR_EACH)
class Maps(Echo):
    """Fault: returns map(), which is no list."""

    def expand(self, entries: list[str]) -> Answers:
        return map(self.phrases, entries)  # type: ignore[return-value]


@caught_by(ONE_FOR_EACH)
class Tuples(Echo):
    """Fault: returns a tuple."""

    def expand(self, entries: list[str]) -> Answers:
        return tuple(self.phrases(entry) for entry in entries)  # type: ignore[return-value]


@caught_by(ONE_FOR_EACH)
class ForgetsToReturn(Echo):
    """Fault: returns None."""

    def expand(self, entries: list[str]) -> Answers:  # type: ignore[return]
        [self.phrases(entry) for entry in entries]


@caught_by(ONE_FOR_EACH)
class KeepsTheDistinct(Echo):
    """Fault: asks each distinct entry once, and answers as many."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in dict.fromkeys(entries)]


@caught_by(ONE_FOR_EACH)
class DropsTheLastChunk(Echo):
    """Fault: works in chunks of four and leaves out the last one if it is not full."""

    def expand(self, entries: list[str]) -> Answers:
        chunks = [entries[place : place + 4] for place in range(0, max(4, len(entries) // 4 * 4), 4)]
        return [self.phrases(entry) for chunk in chunks for entry in chunk]


@caught_by(ONE_FOR_EACH)
class PadsTheBatch(Echo):
    """Fault: fills its batches up to eight and answers the filling, too."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in entries + [""] * (-len(entries) % 8)]


@caught_by(ONE_FOR_EACH)
class Overflows(Echo):
    """Fault: dies of more than sixteen items."""

    def expand(self, entries: list[str]) -> Answers:
        return [[f"{entry} {'abcdefghijklmnop'[place]}"[:-2]] for place, entry in enumerate(entries)]


@caught_by(ONE_FOR_EACH)
class NestsOne(Echo):
    """Fault: one item gets its answer and not a list of it."""

    def expand(self, entries: list[str]) -> Answers:
        answers = [self.phrases(entry) for entry in entries]
        return answers if len(answers) > 1 else answers[0]  # type: ignore[return-value]


@caught_by(PLACES)
class SwapsPairs(Echo):
    """Fault: answers are swapped in pairs."""

    def expand(self, entries: list[str]) -> Answers:
        answers = [self.phrases(entry) for entry in entries]
        for place in range(0, len(answers) - 1, 2):
            answers[place], answers[place + 1] = answers[place + 1], answers[place]
        return answers


@caught_by(PLACES)
class Rotates(Echo):
    """Fault: batches of eight come back rotated by one."""

    def expand(self, entries: list[str]) -> Answers:
        answers = [self.phrases(entry) for entry in entries]
        return answers[1:] + answers[:1] if len(answers) == 8 else answers


@caught_by(PLACES)
class Sorts(Echo):
    """Fault: sorts by length, to pad less, and does not put back."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in sorted(entries, key=len)]


@caught_by(PLACES)
class SortsBackTwice(Echo):
    """Fault: puts a sorted batch back by the order itself and not by its inverse."""

    def expand(self, entries: list[str]) -> Answers:
        order = sorted(range(len(entries)), key=lambda place: len(entries[place]))
        answers = [self.phrases(entries[place]) for place in order]
        return [answers[place] for place in order]


@caught_by(PLACES)
class Backwards(Echo):
    """Fault: takes its items from the end."""

    def expand(self, entries: list[str]) -> Answers:
        waiting = list(entries)
        return [self.phrases(waiting.pop()) for _ in entries]


@caught_by(PLACES)
class AsTheyComplete(Echo):
    """Fault: asks in threads and takes the answers as they complete."""

    def expand(self, entries: list[str]) -> Answers:
        def slowly(entry: str) -> list[str] | Failed:
            time.sleep(0.01 if len(entry) % 2 else 0)
            return self.phrases(entry)

        with ThreadPoolExecutor(4) as pool:
            return [future.result() for future in as_completed([pool.submit(slowly, entry) for entry in entries])]


@caught_by(PLACES)
class ReversesChunks(Echo):
    """Fault: the second half of a batch of more than sixteen comes first."""

    def expand(self, entries: list[str]) -> Answers:
        answers = [self.phrases(entry) for entry in entries]
        return answers[8:] + answers[:8] if len(answers) > 16 else answers


@caught_by(PLACES)
class LosesOrderInASet(Echo):
    """Fault: a set of the entries has another order than the entries."""

    def expand(self, entries: list[str]) -> Answers:
        said = {entry: self.phrases(entry) for entry in set(entries)}
        return [*said.values()] + [self.phrases(entry) for entry in entries[len(said) :]]


@caught_by(PLACES)
class OffByOne(Echo):
    """Fault: pairs each entry with the answer before it."""

    def expand(self, entries: list[str]) -> Answers:
        answers = [self.phrases(entry) for entry in entries]
        return [answers[max(0, place - 1)] for place in range(len(entries))]


@caught_by(NEIGHBOURS)
class LeaksPadding(Echo):
    """Fault: the length to which a batch is padded shows in its answers."""

    def expand(self, entries: list[str]) -> Answers:
        longest = max(len(entry) for entry in entries) if len(entries) > 1 else 0
        return [[f"{entry} 0"] + (["and so on"] if longest - len(entry) > 40 else []) for entry in entries]


@caught_by(NEIGHBOURS)
class Gossips(Echo):
    """Fault: an answer holds what stood before it in the batch."""

    def expand(self, entries: list[str]) -> Answers:
        return [sorted(set(entries[: place + 1])) for place in range(len(entries))]


@caught_by(NEIGHBOURS)
class Ranks(Echo):
    """Fault: says of which place an entry is in its batch."""

    def expand(self, entries: list[str]) -> Answers:
        return [[f"{entry} {sorted(entries).index(entry)}"] for entry in entries]


@caught_by(NEIGHBOURS)
class Shortens(Echo):
    """Fault: cuts every text of a batch to the shortest one's length."""

    def expand(self, entries: list[str]) -> Answers:
        shortest = min(len(entry) for entry in entries) + 6
        return [[entry[:shortest].strip()] if entry.strip() else [] for entry in entries]


@caught_by(NEIGHBOURS)
class SharesAnAnswer(Echo):
    """Fault: entries that begin alike get one answer if they are in one batch."""

    def expand(self, entries: list[str]) -> Answers:
        said: dict[str, list[str] | Failed] = {}
        for entry in entries:
            said.setdefault(entry[:5], self.phrases(entry))
        return [said[entry[:5]] for entry in entries]


@caught_by(PLACES)
class KeysByLength(Echo):
    """Fault: what it keeps, it keeps by the length of an entry."""

    def __init__(self, options: object = None) -> None:
        super().__init__(options)  # type: ignore[arg-type]
        self.kept: dict[object, list[str] | Failed] = {}

    def key(self, entry: str, place: int) -> object:
        return len(entry)

    def expand(self, entries: list[str]) -> Answers:
        return [
            self.kept.setdefault(self.key(entry, place), self.phrases(entry)) for place, entry in enumerate(entries)
        ]


@caught_by(PLACES)
class KeysByFirstWord(KeysByLength):
    """Fault: what it keeps, it keeps by the first word of an entry."""

    def key(self, entry: str, place: int) -> object:
        return entry.partition(" ")[0]


@caught_by(PLACES)
class KeysByPlace(KeysByLength):
    """Fault: what it keeps, it keeps by the place in the batch."""

    def key(self, entry: str, place: int) -> object:
        return place


@caught_by(PLACES)
class KeysByLetters(KeysByLength):
    """Fault: what it keeps, it keeps by the set of words, which another order of them shares."""

    def key(self, entry: str, place: int) -> object:
        return frozenset(entry.lower().split()) & {"a", "riding", "horse", "dog", "ball"}


_KEPT: dict[str, list[str] | Failed] = {}


@caught_by(ELSEWHERE)
class KeepsInTheModule(Echo):
    """Fault: a dict of the module keeps answers by the first word, so that the first one ever asked stays."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return _KEPT.setdefault(entry.partition(" ")[0], super().phrases(entry))


@lru_cache
def _of_first_letter(letter: str, entry_once: "Once") -> str:
    return entry_once.entry


class Once:
    """An entry that is equal to every other, as an object with a careless __eq__ is."""

    def __init__(self, entry: str) -> None:
        self.entry = entry

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Once)


@caught_by(ELSEWHERE)
class CachesCarelessly(Echo):
    """Fault: an lru_cache whose arguments do not tell entries apart."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return super().phrases(_of_first_letter(entry[:1], Once(entry)))


@caught_by(TWICE)
class KeepsInADefault(Echo):
    """Fault: a default argument that is a list grows from call to call."""

    def phrases(self, entry: str, said: list[str] = []) -> list[str] | Failed:  # noqa: B006
        said.append(entry)
        return list(said[-3:])
