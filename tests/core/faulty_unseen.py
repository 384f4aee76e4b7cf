"""Sources with faults that no kit can see, each with the reason: what an author's own tests and eyes are for."""

import os
from pathlib import Path

from maxi_core import Failed
from tests.core.faulty import unseen_because
from tests.core.samples import Echo

Answers = list[list[str] | Failed]


@unseen_because("whether an answer is true only a person knows")
class Lies(Echo):
    """Fault: says of an entry what is not so, always the same."""

    def phrases(self, entry: str) -> list[str] | Failed:
        said = super().phrases(entry)
        return said if isinstance(said, Failed) else [text.replace("riding", "eating") for text in said]


@unseen_because("the variable is the source's own, and the kit does not know its name")
class ReadsAVariable(Echo):
    """Fault: a variable that is no option decides the answers."""

    def phrases(self, entry: str) -> list[str] | Failed:
        said = super().phrases(entry)
        return [*said, os.environ["FAULTY_STYLE"]] if isinstance(said, list) and "FAULTY_STYLE" in os.environ else said


@unseen_because("the kit's largest batch has 17 items")
class SwapsInLargeBatches(Echo):
    """Fault: batches of more than 64 come back reversed."""

    def expand(self, entries: list[str]) -> Answers:
        answers = super().expand(entries)
        return answers[::-1] if len(answers) > 64 else answers


@unseen_because("it takes more answers than a check may ask for")
class TiresLate(Echo):
    """Fault: after ten thousand answers it says less."""

    said = 0

    def phrases(self, entry: str) -> list[str] | Failed:
        self.said += 1
        return [] if self.said > 10_000 else super().phrases(entry)


@unseen_because("no option names the file, so the kit does not know that it decides the answers")
class OverlooksAFileOfItsOwn(Echo):
    """Fault: its fingerprint does not know a file beside the module that decides the answers."""

    def open(self) -> None:
        table = Path(__file__).with_suffix(".txt")
        self.more = table.read_text().split() if table.exists() else []

    def phrases(self, entry: str) -> list[str] | Failed:
        said = super().phrases(entry)
        return said if isinstance(said, Failed) or not said else [*said, *self.more]
