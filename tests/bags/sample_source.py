"""Asking a source of these tests, and what it says."""

from collections.abc import Callable, Iterable
from pathlib import Path

from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import TEXTS_OF_ENTRY, text_key
from maxi_core.bags.in_order import ask_texts
from maxi_core.plugin.roles import Source
from maxi_core.system.store import Store
from maxi_core.types import Failed

Method = Callable[[list[str]], object]
QUESTIONS = [f"q{i}" for i in range(20)]


class Sample(Source):
    name, role = "test", "expander"

    def __init__(self, batch: int = 4, concurrency: int = 1) -> None:
        super().__init__()
        self.batch, self.concurrency, self.seen = batch, concurrency, list[str]()

    def open(self) -> None:
        self.seen.append("open")

    def close(self) -> None:
        self.seen.append("close")


def asking(method: Method, store: Store, source: Source, *, strict: bool = False) -> Asker[str, list[str]]:
    return Asker(source, method, Answers("test", TEXTS_OF_ENTRY, store), strict=strict)


def ask(
    method: Method, folder: Path, questions: Iterable[str] = QUESTIONS, source: Source | None = None, **how: bool
) -> dict[str, list[str] | Failed]:
    """Ask all questions; each must come back in its order."""
    questions = list(questions)
    with Store(folder, {}) as store:
        asker = asking(method, store, source or Sample(), **how)
        try:
            answers = list(ask_texts(asker, questions))
        finally:
            asker.close()
    assert [question for question, _ in answers] == questions
    return dict(answers)


def kept(folder: Path) -> dict[str, object]:
    """Return what another run would find."""
    with Store(folder, {}) as store:
        return {question: store.get(text_key(question)) for question in QUESTIONS if text_key(question) in store}


def right(answers: dict[str, object]) -> bool:
    return all(answer == [f"{question}!"] for question, answer in answers.items())


def says(questions: list[str]) -> list[object]:
    return [[f"{question}!"] for question in questions]


class Counting:
    """A method that notes the batches it is given; with `bad`, a batch that holds one of those raises."""

    def __init__(self, bad: Iterable[str] = (), error: Exception | None = None) -> None:
        self.bad, self.error, self.batches = set(bad), error or ValueError("no luck"), list[list[str]]()

    def __call__(self, questions: list[str]) -> list[object]:
        self.batches.append(list(questions))
        if self.bad & set(questions):
            raise self.error
        return says(questions)
