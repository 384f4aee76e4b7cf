"""Expanders, augmenters and injectors with one fault each, which its docstring names."""

from collections.abc import Iterable, Iterator
from itertools import count

import maxi_core
from maxi_core import Dictionary, Failed, Form
from maxi_core.sources import Augment
from tests.core.samples import Echo, More, Tabled, Words


class Recounts(Echo):
    """Fault: drops what it has heard before."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for index, entry in enumerate(entries):
            if index != 1:
                yield [entry]


class Skips(Echo):
    """Fault: passes over an entry that it has nothing to say of."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            if entry.strip():
                yield [entry.strip()]


class Doubles(Echo):
    """Fault: answers twice."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [entry]
            yield [entry]


class Sorts(Echo):
    """Fault: answers in an order of its own."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in sorted(entries):
            yield [entry]


class Forgets(Echo):
    """Fault: says something else each time it is made."""

    made = 0

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        Forgets.made += 1
        for entry in entries:
            yield [f"{entry} {Forgets.made}"]


class Gossips(Echo):
    """Fault: an answer depends on what was asked before."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        heard: set[str] = set()
        for entry in entries:
            heard.add(entry)
            yield sorted(heard)


class Chats(Echo):
    """Fault: has something to say when nothing was asked."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        yield from super().expand(entries)
        yield ["anything else?"]


class Hoards(Echo):
    """Fault: reads everything before it answers anything."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        everything = list(entries)
        for entry in everything:
            yield [entry]


class Speaks(Echo):
    """Fault: answers with a string and not with a list."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        yield from entries  # type: ignore[misc]


class Spaces(Echo):
    """Fault: its texts are not stripped."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [f"{entry} "]


class Mumbles(Echo):
    """Fault: its texts can be empty."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            yield [entry, ""]


class Shrugs(Echo):
    """Fault: Failed without a reason."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for _ in entries:
            yield Failed(" ")


class GivesUp(Echo):
    """Fault: can answer nothing at all, and says so."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for _ in entries:
            yield Failed("not today")


class Throws(Echo):
    """Fault: raises for a text that it does not like."""

    def expand(self, entries: Iterable[str]) -> Iterator[list[str] | Failed]:
        for entry in entries:
            if not entry.strip():
                raise ValueError("an empty entry")
            yield [entry]


class Loads(Echo):
    """Fault: loads torch as soon as it is made."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options)
        import torch

        self.device = torch.device("cpu")


class Insists(Echo):
    """Fault: its options do not come back as they were."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options or Echo.Options(limit=3))
        self.options = self.options.model_copy(update={"limit": self.options.limit + 1})


class Undocumented(Echo):
    """Fault: an option that nobody can understand."""

    class Options(Echo.Options):
        depth: int = 3


class Wavers(Echo):
    """Fault: another fingerprint each time, so nothing is ever found again."""

    turns = count()

    def fingerprint(self) -> dict[str, str]:
        return {"turn": str(next(self.turns))}


class Counts(Echo):
    """Fault: a fingerprint that is no text."""

    def fingerprint(self) -> dict[str, str]:
        return {"version": 3}  # type: ignore[dict-item]


class Overlooks(Tabled):
    """Fault: its fingerprint does not know the file that decides its answers."""

    def fingerprint(self) -> dict[str, str]:
        return {}


class Stumbles(Tabled):
    """Fault: its fingerprint dies of a file that it does not expect."""

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"version": str(int(self._bytes()))}


class Adverbs(Words):
    """Fault: a kind of form that there is not."""

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for text in texts:
            yield [Form(word, "adverb", word) for word in text.split()]  # type: ignore[arg-type]


class Lumps(Words):
    """Fault: a lemma that is not stripped."""

    def augment(self, texts: Iterable[str]) -> Iterator[list[Form] | Failed]:
        for text in texts:
            yield [Form(word, "verb", f" {word}") for word in text.split()]


class Repeats(More):
    """Fault: adds an entry that is there."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, dictionary.entries[0]))


class Hides(More):
    """Fault: adds an entry and keeps the dictionary's name."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(dictionary.name, (*dictionary.entries, "waving"))


class Draws(More):
    """Fault: another dictionary each time."""

    turns = count()

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", (*dictionary.entries, f"waving {next(self.turns)}"))
