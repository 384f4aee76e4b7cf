"""Asking a source: what it has said before comes from the store, the rest from itself in batches, all in order.

Here is the border to plugins. A call that fails (an exception, too little memory, answers of another number) is made
again in halves until the one bad item is alone, and whatever is wrong carries the source's name.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from maxi_core.bags.answers import Answers
from maxi_core.bags.faults import Faults
from maxi_core.bags.order_check import OrderCheck
from maxi_core.plugin.calls import Calls, ask, call
from maxi_core.plugin.roles import Source
from maxi_core.types import Failed

Question = TypeVar("Question")
Answer = TypeVar("Answer")
Method = Callable[[list[Any]], object]
Item = tuple[Any, str, Any]  # question, its key, what the source is handed for it (a text or a clip)
Heard = list[tuple[Item, object]]  # each item with its answer as it is to be kept, or Failed

GRACE = 5.0  # seconds for calls that are under way when the run ends by an error


class Asker(Generic[Question, Answer]):
    """One source in one run; `asked` counts the items it was really asked, `before` is called before it is opened.

    With `strict` a fault raises PluginError. A MaxiError is the source's own word to the user: it ends the run.
    """

    def __init__(self, source: Source, method: Method, answers: Answers[Question, Answer], *, strict: bool) -> None:
        self.source, self.name, self.answers, self.asked = source, source.label, answers, 0
        self._method, self._faults = method, Faults(source.label, strict=strict)
        self.before: Callable[[], object] = lambda: None
        self._calls = Calls(self.name, source.concurrency)
        self._batch: list[Item] = []
        self._asking: set[str] = set()  # keys in the batch and in calls
        self._opened, self._order = False, OrderCheck(self.name, answers.store, source.batch)

    @property
    def off(self) -> str:
        """Why the source was switched off, "" while it was not."""
        return self._faults.off

    def wanted(self, key: str) -> bool:
        """Whether the source has to be asked the question of this key."""
        return key not in self.answers and key not in self._asking

    def open(self) -> None:
        """Open the source if that was not done; one that cannot be opened is switched off."""
        if not self._opened:
            self.before()
            self._opened = True
            self._calls.submit(self._open)
            self._calls.next()

    def take(self, question: Question, key: str, item: object) -> None:
        """Put a question into the batch, or keep why it cannot be asked (an item that is Failed)."""
        if not self.wanted(key):
            return
        self.open()
        if self.off or isinstance(item, Failed):
            self.answers.keep(question, key, item if isinstance(item, Failed) else Failed(self.off))
            return
        self.asked += 1
        self._asking.add(key)
        self._batch.append((question, key, item))
        if len(self._batch) >= self.source.batch:
            self._ask()

    def is_settled(self, key: str) -> bool:
        """Whether nothing that has to be asked for this key is still being asked."""
        return key not in self._asking

    def settle(self, key: str) -> None:
        """Wait until the question of this key is answered."""
        while key in self._asking:
            if any(key == waiting for _, waiting, _ in self._batch):
                self._ask()
            self._calls.next()

    def close(self) -> None:
        """Close the source; calls that are under way get a few seconds, and what they bring is kept."""
        self.answers.note_speed(self.asked, self.source.concurrency)
        if self._opened:
            call(self.name, "when it was closed", self.source.close)
        self._calls.close(GRACE)

    def _open(self) -> None:
        if what := call(self.name, "when it was opened", self.source.open)[1]:
            self._faults.count(what, most=1)

    def _ask(self) -> None:
        batch, self._batch = self._batch, []
        while len(self._calls) > self.source.concurrency:  # one more than run at once, so that no thread waits
            self._calls.next()
        self._calls.submit(partial(self._answer, batch))

    def _answer(self, batch: list[Item]) -> None:
        """Answer a batch, in a thread, and keep the answers at once: a kill costs what is being asked and no more."""
        with self.answers.timed():
            heard = self._halved(batch)
        self._order.look(heard, lambda items: [answer for _, answer in self._halved(items)])
        for (question, key, _), answer in heard:
            self.answers.keep(question, key, answer)
            self._asking.discard(key)
        self._order.remember()

    def _halved(self, batch: list[Item]) -> Heard:
        if self.off:
            return [(item, Failed(self.off)) for item in batch]
        answers, what = ask(self.name, self._method, [item for _, _, item in batch])
        if not what:
            return [(item, self._checked(item[0], answer)) for item, answer in zip(batch, answers, strict=True)]
        if len(batch) == 1:
            return [(batch[0], self._faults.count(what))]
        half = len(batch) // 2
        return self._halved(batch[:half]) + self._halved(batch[half:])

    def _checked(self, question: Question, answer: object) -> object | Failed:
        """Return an answer as it is to be kept, or Failed with the reason why it cannot."""
        kept, what = self.answers.checked(question, answer)
        if what:
            return self._faults.count(what)
        self._faults.end()
        return kept
