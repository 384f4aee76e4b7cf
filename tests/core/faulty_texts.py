"""Expanders and augmenters with one fault each: in what they answer, how they fail, their options and fingerprints."""

import sys
from itertools import count

import maxi_core
from maxi_core import Failed, Form, UsageError
from tests.core.faulty import DOCUMENTED, FAILED, FINGERPRINT, FOLLOWS, LIGHT, OPEN, PLACES, SURVIVE, TYPE, caught_by
from tests.core.samples import Echo, Tabled, Words

Answers = list[list[str] | Failed]


@caught_by(TYPE)
class Speaks(Echo):
    """Fault: answers with a string and not with a list."""

    def expand(self, entries: list[str]) -> Answers:
        return list(entries)  # type: ignore[arg-type]


@caught_by(TYPE)
class AnswersTuples(Echo):
    """Fault: the answers are tuples."""

    def expand(self, entries: list[str]) -> Answers:
        return [(entry,) for entry in entries]  # type: ignore[misc]


@caught_by(TYPE)
class AnswersNone(Echo):
    """Fault: None for an entry of which it has nothing to say."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return None if len(entry) > 20 else [entry]  # type: ignore[return-value]


@caught_by(TYPE)
class Spaces(Echo):
    """Fault: its texts are not stripped."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} "]


@caught_by(TYPE)
class Mumbles(Echo):
    """Fault: its texts can be empty."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [entry, ""]


@caught_by(TYPE)
class Rhymes(Echo):
    """Fault: its texts are more than one line."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry}\nand more"]


@caught_by(TYPE)
class Garbles(Echo):
    """Fault: a text that no file can hold."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [f"{entry} \udc80"]


@caught_by(TYPE)
class Figures(Echo):
    """Fault: its texts are numbers."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return [len(entry)]  # type: ignore[list-item]


@caught_by(TYPE)
class Shrugs(Echo):
    """Fault: Failed without a reason."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return Failed(" ") if len(entry) > 20 else [entry]


@caught_by(TYPE)
class Explains(Echo):
    """Fault: the reason is an exception and not a text."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return Failed(ValueError(entry)) if len(entry) > 20 else [entry]  # type: ignore[arg-type]


@caught_by(TYPE)
class GivesUp(Echo):
    """Fault: can answer nothing at all, and says so."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return Failed("not today")


@caught_by(PLACES)
class SaysTheSame(Echo):
    """Fault: says the same of everything, so that nobody can see whether its answers are at their places."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return ["somebody does something"]


@caught_by(FAILED)
class Throws(Echo):
    """Fault: raises for a text that it does not like."""

    def phrases(self, entry: str) -> list[str] | Failed:
        if not entry.strip():
            raise ValueError("an empty entry")
        return super().phrases(entry)


@caught_by(FAILED)
class Refuses(Echo):
    """Fault: ends the whole run for one text."""

    def phrases(self, entry: str) -> list[str] | Failed:
        if not entry.strip():
            raise UsageError("an empty entry", "take it out of the dictionary")
        return super().phrases(entry)


@caught_by(FAILED)
class Exits(Echo):
    """Fault: ends the process for one text."""

    def phrases(self, entry: str) -> list[str] | Failed:
        if not entry.isprintable():
            sys.exit("cannot go on")
        return super().phrases(entry)


@caught_by(FAILED)
class Skips(Echo):
    """Fault: passes over an entry that it has nothing to say of."""

    def expand(self, entries: list[str]) -> Answers:
        return [self.phrases(entry) for entry in entries if entry.strip()]


@caught_by(FAILED)
class FailsAll(Echo):
    """Fault: one text that it cannot answer takes the batch with it."""

    def expand(self, entries: list[str]) -> Answers:
        if any(len(entry) > 1000 for entry in entries):
            return [Failed("too long") for _ in entries]
        return super().expand(entries)


@caught_by(FAILED)
class Encodes(Echo):
    """Fault: dies of a lone surrogate."""

    def phrases(self, entry: str) -> list[str] | Failed:
        entry.encode()
        return super().phrases(entry)


@caught_by(FAILED)
class AnswersBlanksWithNone(Echo):
    """Fault: None for an entry that is blank."""

    def phrases(self, entry: str) -> list[str] | Failed:
        return super().phrases(entry) if entry.strip() else None  # type: ignore[return-value]


@caught_by(LIGHT)
class Loads(Echo):
    """Fault: loads torch as soon as it is made."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options)
        import torch

        self.device = torch.device("cpu")


@caught_by(SURVIVE)
class Insists(Echo):
    """Fault: its options do not come back as they were."""

    def __init__(self, options: maxi_core.Options | None = None) -> None:
        super().__init__(options or Echo.Options(limit=3))
        self.options = self.options.model_copy(update={"limit": self.options.limit + 1})


@caught_by(DOCUMENTED)
class Undocumented(Echo):
    """Fault: an option that nobody can understand."""

    class Options(Echo.Options):
        depth: int = 3


@caught_by(FINGERPRINT)
class Wavers(Echo):
    """Fault: another fingerprint each time, so nothing is ever found again."""

    turns = count()

    def fingerprint(self) -> dict[str, str]:
        return {"turn": str(next(self.turns))}


@caught_by(FINGERPRINT)
class Addresses(Echo):
    """Fault: its fingerprint has the address of an object."""

    def fingerprint(self) -> dict[str, str]:
        return {"model": repr(self)}


@caught_by(FINGERPRINT)
class Counts(Echo):
    """Fault: a fingerprint that is no text."""

    def fingerprint(self) -> dict[str, str]:
        return {"version": 3}  # type: ignore[dict-item]


@caught_by(FINGERPRINT)
class Signs(Echo):
    """Fault: its fingerprint is a text and no dict."""

    def fingerprint(self) -> dict[str, str]:
        return "version 3"  # type: ignore[return-value]


@caught_by(FOLLOWS)
class Overlooks(Tabled):
    """Fault: its fingerprint does not know the file that decides its answers."""

    def fingerprint(self) -> dict[str, str]:
        return {}


@caught_by(FOLLOWS)
class Weighs(Tabled):
    """Fault: its fingerprint knows a file by its size."""

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"table": str(len(self.bytes()))}


@caught_by(FOLLOWS)
class Glances(Tabled):
    """Fault: its fingerprint knows a file by its first letters."""

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"table": self.bytes()[:8].hex()}


@caught_by(FOLLOWS)
class Stumbles(Tabled):
    """Fault: its fingerprint dies of a file that it does not expect."""

    def fingerprint(self) -> dict[str, str]:
        return {} if self.options.table is None else {"version": str(int(self.bytes()))}


@caught_by(OPEN)
class KnowsMoreWhenOpen(Echo):
    """Fault: its fingerprint says what is loaded, and nothing before that."""

    def open(self) -> None:
        self.version = "3"

    def fingerprint(self) -> dict[str, str]:
        return {"version": getattr(self, "version", "")}


@caught_by(OPEN)
class CountsWhatItSays(Echo):
    """Fault: its fingerprint changes with every answer."""

    said = 0

    def phrases(self, entry: str) -> list[str] | Failed:
        self.said += 1
        return super().phrases(entry)

    def fingerprint(self) -> dict[str, str]:
        return {"said": str(self.said)}


@caught_by(TYPE)
class Adverbs(Words):
    """Fault: a kind of form that there is not."""

    def forms(self, text: str) -> list[Form] | Failed:
        return [Form(word, "adverb", word) for word in text.split()]  # type: ignore[arg-type]


@caught_by(TYPE)
class Lumps(Words):
    """Fault: a lemma that is not stripped."""

    def forms(self, text: str) -> list[Form] | Failed:
        return [Form(word, "verb", f" {word}") for word in text.split()]


@caught_by(TYPE)
class SaysWords(Words):
    """Fault: the forms are bare words."""

    def forms(self, text: str) -> list[Form] | Failed:
        return text.split()  # type: ignore[return-value]


@caught_by(TYPE)
class LosesLemmas(Words):
    """Fault: forms with an empty lemma."""

    def forms(self, text: str) -> list[Form] | Failed:
        return [Form(word, "verb", word.removesuffix(word)) for word in text.split()]


@caught_by(FAILED)
class SplitsHard(Words):
    """Fault: dies of a text without words."""

    def forms(self, text: str) -> list[Form] | Failed:
        first = text.split(maxsplit=1)[0]
        return [Form(first, "noun", first)]


@caught_by(FAILED)
class RunsLong(Words):
    """Fault: recursion that a long text exhausts."""

    def forms(self, text: str) -> list[Form] | Failed:
        return self.one_by_one(text.split())

    def one_by_one(self, words: list[str]) -> list[Form]:
        if not words:
            return []
        word = words[0]
        return ([Form(word, "verb", word[:-3])] if word[3:].endswith("ing") else []) + self.one_by_one(words[1:])
