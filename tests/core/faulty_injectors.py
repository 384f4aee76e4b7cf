"""Injectors with one fault each, which its docstring names."""

import random
from itertools import count

from maxi_core import Augment, Dictionary
from tests.core.faulty import ANY, AUGMENTS, INJECTS_TWICE, LEAVES, RENAMED, UNIQUE, caught_by
from tests.core.samples import Drawn, More

CAPTIONS = [
    "a man is throwing a ball", "two girls running and laughing", "a dog barking", "someone reading and writing",
    "people singing, dancing and drinking", "a boy jumping, falling and crying", "a woman cooking while talking",
]  # fmt: skip


def added(dictionary: Dictionary, *entries: str) -> Dictionary:
    return Dictionary(f"{dictionary.name}+{len(entries)}", (*dictionary.entries, *entries))


@caught_by(UNIQUE)
class Repeats(More):
    """Fault: adds an entry that is there."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, dictionary.entries[0])


@caught_by(UNIQUE)
class Lists(More):
    """Fault: the entries are a list."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}+1", [*dictionary.entries, "waving"])  # type: ignore[arg-type]


@caught_by(UNIQUE)
class ReturnsEntries(More):
    """Fault: returns the entries and no Dictionary."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return (*dictionary.entries, "waving")  # type: ignore[return-value]


@caught_by(UNIQUE)
class BreaksLines(More):
    """Fault: an entry of two lines."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, "waving\nand bowing")


@caught_by(UNIQUE)
class Spaces(More):
    """Fault: an entry that is not stripped."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, " waving")


@caught_by(UNIQUE)
class Blanks(More):
    """Fault: an empty entry."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, "")


@caught_by(UNIQUE)
class NamesAPath(More):
    """Fault: the name of the dictionary is a path."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary("/data/captions.txt", added(dictionary, "waving").entries)


@caught_by(UNIQUE)
class NamesTwoLines(More):
    """Fault: the name of the dictionary is two lines."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}\n+1", added(dictionary, "waving").entries)


@caught_by(UNIQUE)
class Unnamed(More):
    """Fault: the new dictionary has no name."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary("", added(dictionary, "waving").entries)


@caught_by(UNIQUE)
class Empties(More):
    """Fault: nothing is left in the dictionary."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(f"{dictionary.name}-all", ())


@caught_by(RENAMED)
class Hides(More):
    """Fault: adds an entry and keeps the dictionary's name."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary(dictionary.name, added(dictionary, "waving").entries)


@caught_by(RENAMED)
class NamesAllAlike(More):
    """Fault: every dictionary becomes one of the same name."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return Dictionary("noisy", added(dictionary, "waving").entries)


@caught_by(INJECTS_TWICE)
class Draws(More):
    """Fault: another dictionary each time."""

    turns = count()

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, f"waving {next(self.turns)}")


@caught_by(INJECTS_TWICE)
class DrawsFromAll(Drawn):
    """Fault: draws from the global generator."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, f"waving {random.random()}")


@caught_by(INJECTS_TWICE)
class OrdersBySet(Drawn):
    """Fault: draws with a seed from a set, whose order is another one in every process."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        verbs = {form.text for forms in augment(CAPTIONS) for form in forms} - set(dictionary.entries)
        return added(dictionary, *verbs)


@caught_by(LEAVES)
class SeedsAll(Drawn):
    """Fault: seeds the global generator with its seed."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        random.seed(self.options.seed)
        return added(dictionary, f"waving {random.randrange(9)}")


@caught_by(LEAVES)
class ChangesTheOld(More):
    """Fault: changes the dictionary that it was given."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        new = added(dictionary, "waving")
        object.__setattr__(dictionary, "entries", new.entries)
        return new


@caught_by(LEAVES)
class Prints(More):
    """Fault: prints what it adds."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        print("adding waving")
        return super().inject(dictionary, augment)


@caught_by(AUGMENTS)
class AsksOfOne(More):
    """Fault: gives the augmenter one text, letter by letter."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        found = {form.text for forms in augment("a man waving") for form in forms}
        return added(dictionary, *sorted(found)) if found else super().inject(dictionary, augment)


@caught_by(AUGMENTS)
class AsksOfNothing(More):
    """Fault: gives the augmenter what is no text."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        augment(text for text in (None,) if augment(["a man waving", dictionary]))  # type: ignore[list-item, misc]
        return super().inject(dictionary, augment)


@caught_by(AUGMENTS)
class TrustsTheAugmenter(More):
    """Fault: takes it that the augmenter finds something."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, augment(["a man waving"])[0][0].text)


@caught_by(AUGMENTS)
class AddsBlanks(More):
    """Fault: adds an empty entry when the augmenter finds nothing."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, " ".join(form.text for form in augment(["a man waving"])[0]))


@caught_by(ANY)
class AddsAgain(More):
    """Fault: adds an entry whether it is there or not."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        return added(dictionary, "waving")


@caught_by(ANY)
class SpeaksAscii(More):
    """Fault: dies of another script."""

    def inject(self, dictionary: Dictionary, augment: Augment) -> Dictionary:
        for entry in dictionary.entries:
            entry.encode("latin-1")
        return super().inject(dictionary, augment)
