"""Questions in order, though their answers come in another: an early one that takes long holds no other up."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from maxi_core.bags.asker import Asker
from maxi_core.bags.clip_loader import Question as OfVideo
from maxi_core.bags.clip_loader import clips_for
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Failed

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MOST_WAITING = 4096  # questions that may wait for the answer to an earlier one


def answers_of(
    askers: Sequence[Asker[Any, Any]], stream: Iterable[tuple[Question, str, Sequence[object]]]
) -> Iterator[tuple[Question, list[Any]]]:
    """Yield each question with the answer of every asker, in order.

    The stream has, for each question, its key and what each asker is handed for it, None where that need not be asked.
    """
    waiting: deque[tuple[Question, str]] = deque()

    def first() -> tuple[Question, list[Any]]:
        question, key = waiting.popleft()
        for asker in askers:
            asker.settle(key)
        return question, [asker.answers.of(question, key) for asker in askers]

    for question, key, items in stream:
        waiting.append((question, key))
        for asker, item in zip(askers, items, strict=True):
            if item is not None:
                asker.take(question, key, item)
        while waiting and (len(waiting) > MOST_WAITING or all(asker.is_settled(waiting[0][1]) for asker in askers)):
            yield first()
    while waiting:
        yield first()


def ask_clips(
    askers: Sequence[Asker[OfVideo, Any]], questions: Iterable[OfVideo], reading: VideoOptions
) -> Iterator[tuple[OfVideo, list[Any]]]:
    """Yield each video or bag with the answer of every asker, in order; it is decoded once, and only if it must be."""
    return answers_of(askers, clips_for(askers, questions, reading))


def ask_texts(asker: Asker[str, Answer], texts: Iterable[str]) -> Iterator[tuple[str, Answer | Failed]]:
    """Yield each text with the answer to it, in order; one that was answered before costs nothing."""
    stream = ((text, asker.answers.codec.key(text), [text]) for text in texts)
    for text, (answer,) in answers_of([asker], stream):
        yield text, answer
