"""Asking a source: what it has said before comes from its shelf, the rest from itself, all in order.

Here is the border to plugins: whatever one does (too few answers, too many, the wrong type, an exception), the run goes
on and the fault carries the plugin's name.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from maxi_core.bags.codecs import Codec
from maxi_core.bags.shelf import Shelf
from maxi_core.errors import MaxiError, PluginError
from maxi_core.types import Failed

log = logging.getLogger("maxi.bags")

Question = TypeVar("Question")
Answer = TypeVar("Answer")

FAULTS_IN_A_ROW = 5  # then the source is switched off for the rest of the run


@dataclass
class _Queue(Generic[Question]):
    """Questions on their way: all that were taken, those that the source has, and those to be asked (again)."""

    taken: deque[tuple[Question, str]] = field(default_factory=deque)
    asked: deque[tuple[Question, str]] = field(default_factory=deque)
    unasked: deque[tuple[Question, str]] = field(default_factory=deque)
    flying: set[str] = field(default_factory=set)  # keys of `asked` and `unasked`


class Asker(Generic[Question, Answer]):
    """One source in one run: `ask` streams questions through it, and `asked` counts those that it was really asked.

    A plugin that raises, or answers out of its role, fails that question only; after `FAULTS_IN_A_ROW` it is switched
    off and fails the rest. With `strict` the first fault raises PluginError. A MaxiError is the plugin's own word to
    the user, and ends the run.
    """

    def __init__(
        self,
        name: str,
        method: Callable[[Iterable[Question]], Iterator[object]],
        codec: Codec[Question, Answer],
        shelf: Shelf,
        *,
        strict: bool = False,
    ) -> None:
        self.name, self.asked = name, 0
        self._method, self._codec, self._shelf, self._strict = method, codec, shelf, strict
        self._failed: dict[str, Failed] = {}
        self._faults, self._off, self._upstream = 0, "", False

    def ask(self, questions: Iterable[Question]) -> Iterator[tuple[Question, Answer | Failed]]:
        """Yield each question with its answer, in order; one that was answered before costs nothing.

        The source is only started when there is something to ask, and may read as far ahead as it likes.
        """
        rest, queue = iter(questions), _Queue[Question]()
        for question in rest:
            self._take(question, queue)
            while queue.unasked:
                yield from self._stream(rest, queue)
            yield from self._ready(queue)

    def known(self, question: Question) -> bool:
        """Whether the question was answered before, in this run or another."""
        return self._known(self._codec.key(question))

    def _known(self, key: str) -> bool:
        return key in self._failed or key in self._shelf

    def _take(self, question: Question, queue: _Queue[Question]) -> None:
        key = self._codec.key(question)
        queue.taken.append((question, key))
        if not self._known(key) and key not in queue.flying:
            if self._off:
                self._failed[key] = Failed(self._off)
                return
            queue.unasked.append((question, key))
            queue.flying.add(key)

    def _feed(self, rest: Iterator[Question], queue: _Queue[Question]) -> Iterator[Question]:
        """Yield what the source is to be asked, for as long as it takes more."""
        while True:
            while queue.unasked:
                queue.asked.append(queue.unasked.popleft())
                self.asked += 1
                yield queue.asked[-1][0]
            try:
                question = next(rest)
            except StopIteration:
                return
            except BaseException:
                self._upstream = True  # not this plugin's fault
                raise
            self._take(question, queue)

    def _stream(self, rest: Iterator[Question], queue: _Queue[Question]) -> Iterator[tuple[Question, Answer | Failed]]:
        """Run the source once, until it ends or dies, and yield what has become ready."""
        before = len(queue.unasked)
        try:
            for answer in self._method(self._feed(rest, queue)):
                if not queue.asked:
                    log.warning(self._fault("answered more than it was asked").reason)
                    break
                self._hear(*queue.asked.popleft(), answer, queue)
                yield from self._ready(queue)
                if self._off:
                    break
            silent = bool(queue.asked) or len(queue.unasked) == before
            complaint = "gave no answer" if silent and not self._off and (queue.asked or queue.unasked) else ""
        except MaxiError:
            raise
        except Exception as error:
            if self._upstream:
                raise
            log.debug("%s raised", self.name, exc_info=True)
            complaint = f"raised {type(error).__name__}: {error}"
        queue.unasked.extendleft(reversed(queue.asked))
        queue.asked.clear()
        if complaint:
            self._blame(complaint, queue)
        if self._off:
            self._give_up(queue)
        yield from self._ready(queue)

    def _hear(self, question: Question, key: str, answer: object, queue: _Queue[Question]) -> None:
        queue.flying.discard(key)
        if isinstance(answer, Failed):
            self._faults = 0
            self._failed[key] = answer
            return
        try:
            kept = self._codec.encode(self._codec.check(question, answer))
            json.dumps(kept)  # an answer that cannot be kept is as wrong as one of the wrong type
        except ValueError as error:
            self._failed[key] = self._fault(str(error))
            return
        except Exception as error:  # of whatever the plugin put into its answer
            self._failed[key] = self._fault(f"answered what cannot be kept ({type(error).__name__}: {error})")
            return
        self._faults = 0
        self._shelf.put(key, self._codec.describe(question), kept)

    def _ready(self, queue: _Queue[Question]) -> Iterator[tuple[Question, Answer | Failed]]:
        while queue.taken and self._known(queue.taken[0][1]):
            question, key = queue.taken.popleft()
            yield question, self._recall(question, key)

    def _recall(self, question: Question, key: str) -> Answer | Failed:
        if key in self._failed:
            return self._failed[key]
        return self._codec.decode(question, self._shelf.get(key))

    def _fault(self, what: str) -> Failed:
        """Count a fault of the plugin and return what becomes of the question; raises PluginError when strict."""
        self._faults += 1
        reason = f"source '{self.name}' {what}"
        if self._strict:
            raise PluginError(reason, "run without --strict to skip what it cannot answer")
        if self._faults >= FAULTS_IN_A_ROW:
            self._off = (
                f"source '{self.name}' was switched off after {FAULTS_IN_A_ROW} faults in a row; the last: {what}"
            )
            log.warning(self._off)
        return Failed(reason)

    def _blame(self, what: str, queue: _Queue[Question]) -> None:
        """Fail the question that the source was at, and leave the others to be asked again."""
        failed = self._fault(what)
        if queue.unasked:
            _, key = queue.unasked.popleft()
            queue.flying.discard(key)
            self._failed[key] = failed

    def _give_up(self, queue: _Queue[Question]) -> None:
        for _, key in queue.unasked:
            self._failed[key] = Failed(self._off)
        queue.unasked.clear()
        queue.flying.clear()
