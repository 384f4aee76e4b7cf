"""Several questions at once, answered by threads, whose answers come in the order of the questions."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")

GRACE = 5.0  # seconds that questions under way have to be finished when nobody waits for them any more


class Crew(Generic[Question, Answer]):
    """Up to `size` threads that answer questions; at most `ahead` are taken before the first of them is answered.

    `stop` is told of the first error of a question, and of the end; it has to wake whoever waits. The threads are
    daemons: a process that is told to stop does not wait for a server.
    """

    def __init__(
        self, answer: Callable[[Question], Answer], size: int, ahead: int, stop: Callable[[BaseException], None]
    ) -> None:
        self._answer, self._size, self._ahead, self._stop = answer, size, ahead, stop
        self._tasks: SimpleQueue[tuple[Future[Answer], Question] | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def answers(self, questions: Iterable[Question]) -> Iterator[Answer]:
        """Yield one answer per question, in order, and raise what a question raises when it is its turn.

        However this ends, what is under way gets `GRACE` seconds to be finished.
        """
        waiting: deque[Future[Answer]] = deque()
        try:
            for question in questions:
                waiting.append(self._begin(question))
                while waiting and (waiting[0].done() or len(waiting) >= self._ahead):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            self._stop(RuntimeError("nobody waits for the answer any more"))
            for future in waiting:
                future.cancel()
            self._dismiss()

    def _begin(self, question: Question) -> Future[Answer]:
        future: Future[Answer] = Future()
        self._tasks.put((future, question))
        if len(self._threads) < self._size:
            thread = Thread(target=self._work, daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            future, question = task
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(self._answer(question))
            except BaseException as error:  # the one who waits for the answer gets it
                self._stop(error)
                future.set_exception(error)

    def _dismiss(self) -> None:
        until = time.monotonic() + GRACE
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads = []
