"""Asking a source: what it has said before comes from its shelf, the rest from itself, all in order.

Here is the border to plugins: whatever one does (too few answers, too many, the wrong type, an exception), the fault
carries the plugin's name, and no answer is kept for a question of which it is not surely the answer (see `queue`).
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Generic, TypeVar

from maxi_core.bags.codecs import Codec, named
from maxi_core.bags.queue import MOST_UNSURE, MOST_UNSURE_COSTLY, Queue
from maxi_core.bags.shelf import Shelf
from maxi_core.errors import MaxiError, PluginError
from maxi_core.texts import LONGEST
from maxi_core.types import Failed, Video

log = logging.getLogger("maxi.bags")

Question = TypeVar("Question")
Answer = TypeVar("Answer")

FAULTS_IN_A_ROW = 5  # then the source is switched off for the rest of the run


class Asker(Generic[Question, Answer]):
    """One source in one run: `ask` streams questions through it, and `asked` counts those that it was really asked.

    A plugin that raises, or answers out of its role, fails that question only; after `FAULTS_IN_A_ROW` it is switched
    off and fails the rest. With `strict` the first fault raises PluginError, and always one that leaves an answer out
    among others, since it cannot be told which. A MaxiError is the plugin's own word to the user, and ends the run.
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

        The source is only started when there is something to ask. It may read ahead, within the bounds of `queue`.
        """
        rest = iter(questions)
        queue = Queue[Question](MOST_UNSURE_COSTLY if self._shelf.costly else MOST_UNSURE)
        for question in rest:
            self._take(question, queue)
            while queue.alone or queue.unasked:
                if queue.alone:
                    self._ask_alone(queue)
                else:
                    yield from self._stream(rest, queue)
                if self._off:
                    self._failed |= {key: Failed(self._off) for key in queue.drop()}
                yield from self._ready(queue)
            yield from self._ready(queue)

    def known(self, question: Question) -> bool:
        """Whether the question was answered before, in this run or another."""
        return self._known(self._codec.key(question))

    def _known(self, key: str) -> bool:
        return key in self._failed or key in self._shelf

    def _take(self, question: Question, queue: Queue[Question]) -> None:
        key = self._codec.key(question)
        queue.taken.append((question, key))
        if not self._known(key) and key not in queue.flying:
            if self._off:
                self._failed[key] = Failed(self._off)
                return
            queue.unasked.append((question, key))
            queue.flying.add(key)

    def _feed(self, rest: Iterator[Question], queue: Queue[Question]) -> Iterator[Question]:
        """Yield what the source is to be asked, for as long as it takes more and is not too far ahead."""
        while True:
            if not queue.asked:
                self._keep(queue)
            if queue.full():
                return
            if queue.unasked:
                queue.asked.append(queue.unasked.popleft())
                self.asked += 1
                yield queue.asked[-1][0]
                continue
            try:
                question = next(rest)
            except StopIteration:
                return
            except BaseException:
                self._upstream = True  # not this plugin's fault
                raise
            self._take(question, queue)

    def _stream(self, rest: Iterator[Question], queue: Queue[Question]) -> Iterator[tuple[Question, Answer | Failed]]:
        """Run the source once, until it ends or dies, and yield what has become ready."""
        asked, complaint = self.asked, ""
        try:
            for answer in self._method(self._feed(rest, queue)):
                if not queue.asked:
                    self._overfull(queue)
                    break
                self._hear(answer, queue)
                if self._off:
                    break
                yield from self._ready(queue)
        except MaxiError:
            raise
        except Exception as error:
            if self._upstream:
                raise
            log.debug("%s raised", self.name, exc_info=True)
            complaint = f"raised {type(error).__name__}: {error}"
        if not queue.asked:
            self._keep(queue)
            if complaint or self.asked == asked:  # it took nothing, or fell after it had answered all
                self._blame(complaint or "took no question", queue.unasked if self.asked == asked else None, queue)
            return
        if self._off:
            return
        if len(queue.asked) == 1 and not queue.held:
            self._blame(complaint or "gave no answer", queue.asked, queue)
            return
        if queue.held and not complaint:
            raise self._out_of_step(
                f"took {len(queue.asked) + len(queue.held)} questions and gave {len(queue.held)} answers"
            )
        if self._strict:
            self._fault(complaint or "gave no answer")
        queue.isolate()

    def _ask_alone(self, queue: Queue[Question]) -> None:
        """Ask one question in a stream of its own, so that a fault is surely a fault of this question."""
        question, key = queue.alone.popleft()
        self.asked += 1
        heard: object | Failed
        try:
            answers = list(islice(self._method(iter([question])), 2))
        except MaxiError:
            raise
        except Exception as error:
            log.debug("%s raised", self.name, exc_info=True)
            heard = self._fault(f"raised {type(error).__name__}: {error}")
        else:
            heard = self._heard(question, answers[0]) if answers else self._fault("gave no answer")
            if len(answers) > 1:
                log.warning(self._fault("answered more than it was asked").reason)
        queue.held.append((question, key, heard))
        self._keep(queue)

    def _hear(self, answer: object, queue: Queue[Question]) -> None:
        question, key = queue.asked.popleft()
        about = named(answer)
        others = [*(one for one, _ in queue.asked), *(one for one, _, _ in queue.held)]
        if about is not None and about != question and about in others:
            raise self._out_of_step(f"was asked of {_named(question)} and answered of {_named(about)}")
        queue.held.append((question, key, self._heard(question, answer)))
        if about == question:
            self._keep(queue)

    def _heard(self, question: Question, answer: object) -> object | Failed:
        """Return an answer as it is to be kept, or Failed with the reason why it cannot."""
        if isinstance(answer, Failed):
            self._faults = 0
            return replace(answer, reason=_one_line(answer.reason))
        try:
            kept = self._codec.encode(self._codec.check(question, answer))
            json.dumps(kept)  # an answer that cannot be kept is as wrong as one of the wrong type
        except ValueError as error:
            return self._fault(str(error))
        except Exception as error:  # of whatever the plugin put into its answer
            return self._fault(f"answered what cannot be kept ({type(error).__name__}: {error})")
        self._faults = 0
        return kept

    def _keep(self, queue: Queue[Question]) -> None:
        for question, key, heard in queue.settle():
            if isinstance(heard, Failed):
                self._failed[key] = heard
            else:
                self._shelf.put(key, self._codec.describe(question), heard)

    def _ready(self, queue: Queue[Question]) -> Iterator[tuple[Question, Answer | Failed]]:
        while queue.taken and self._known(queue.taken[0][1]):
            question, key = queue.taken.popleft()
            yield question, self._recall(question, key)

    def _recall(self, question: Question, key: str) -> Answer | Failed:
        if key in self._failed:
            return self._failed[key]
        kept = self._shelf.get(key)
        if kept is None:
            raise MaxiError(
                f"the store lost what '{self.name}' had answered: a file in {self._shelf.folder} is gone or damaged",
                "run the same command again: it asks again for what is missing",
            )
        return self._codec.decode(question, kept)

    def _fault(self, what: str) -> Failed:
        """Count a fault of the plugin and return what becomes of the question; raises PluginError when strict."""
        self._faults += 1
        reason = _one_line(f"source '{self.name}' {what}")
        if self._strict:
            raise PluginError(reason, "run without --strict to skip what it cannot answer")
        if self._faults >= FAULTS_IN_A_ROW and not self._off:
            self._off = _one_line(
                f"source '{self.name}' was switched off after {FAULTS_IN_A_ROW} faults in a row; the last: {what}"
            )
            log.warning(self._off)
        return Failed(reason)

    def _blame(self, what: str, questions: deque[tuple[Question, str]] | None, queue: Queue[Question]) -> None:
        """Count a fault, and fail the first of `questions` for it."""
        failed = self._fault(what)
        if questions:
            _, key = questions.popleft()
            queue.flying.discard(key)
            self._failed[key] = failed
        else:
            log.warning(failed.reason)

    def _overfull(self, queue: Queue[Question]) -> None:
        """Bear one answer too many if it is plain which is the right one: the first to a question by itself."""
        if len(queue.held) > 1:
            raise self._out_of_step(f"took {len(queue.held)} questions and gave {len(queue.held) + 1} answers")
        log.warning(self._fault("answered more than it was asked").reason)

    def _out_of_step(self, what: str) -> PluginError:
        return PluginError(
            f"source '{self.name}' {what}, so it cannot be told which answer belongs to which question, and none of "
            f"these is kept in {self._shelf.folder}",
            f"mend the plugin (one answer per question, in order), or leave it out: --without {self.name}",
        )


def _named(question: object) -> str:
    return f"'{question.id if isinstance(question, Video) else question}'"


def _one_line(reason: object) -> str:
    try:
        return " ".join(str(reason).split())[:LONGEST] or "it does not say why"
    except Exception as error:
        return f"its reason cannot be read ({type(error).__name__})"
