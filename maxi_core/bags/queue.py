"""Questions on their way through a source, and which answers are surely answers to their own question.

A source may read ahead, so an answer that it leaves out is not seen at once: all later ones would move up by one
question. An answer is therefore *held* until the source is in step: until it comes back for more, or ends, and has
given as many answers as it took questions. One that names its question (`Match`, `TextsOf`) is proved by that.
"""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from maxi_core.types import Failed

Question = TypeVar("Question")

ROUND = 30.0  # seconds after which a source that is never in step is given no more until it has answered all
MOST_UNSURE = 512  # questions that a source may have without being in step
MOST_UNSURE_COSTLY = 32  # the same where answers cost money: as many are paid again after a kill
MOST_TAKEN = 4096  # questions, those answered before too, that may wait for the answer to an earlier one


@dataclass
class Queue(Generic[Question]):
    """The questions of one `ask` by state, each with its key; `held` has the answers too, as they are to be kept."""

    most_unsure: int = MOST_UNSURE
    taken: deque[tuple[Question, str]] = field(default_factory=deque)  # all that are not yet given on, in order
    unasked: deque[tuple[Question, str]] = field(default_factory=deque)
    asked: deque[tuple[Question, str]] = field(default_factory=deque)  # the source has them
    held: list[tuple[Question, str, object | Failed]] = field(default_factory=list)
    alone: deque[tuple[Question, str]] = field(default_factory=deque)  # to be asked again, each by itself
    flying: set[str] = field(default_factory=set)  # the keys of the four above
    in_step_at: float = field(default_factory=time.monotonic)

    def full(self) -> bool:
        """Whether the source shall get no more questions before it has answered those that it has."""
        unsure = len(self.held) + len(self.asked)
        late = bool(self.held) and time.monotonic() - self.in_step_at > ROUND
        return unsure >= self.most_unsure or late or len(self.taken) >= unsure + MOST_TAKEN

    def settle(self) -> list[tuple[Question, str, object | Failed]]:
        """Return what was held: the source is in step, or an answer named its question."""
        settled, self.held = self.held, []
        self.in_step_at = time.monotonic()
        for _, key, _ in settled:
            self.flying.discard(key)
        return settled

    def isolate(self) -> None:
        """Forget the answers that are held: their questions and those without an answer are asked one by one."""
        self.alone.extend((question, key) for question, key, _ in self.held)
        self.alone.extend(self.asked)
        self.held.clear()
        self.asked.clear()

    def drop(self) -> list[str]:
        """Take out all that have no answer yet, and return their keys."""
        self.isolate()
        keys = [key for _, key in (*self.alone, *self.unasked)]
        self.alone.clear()
        self.unasked.clear()
        self.flying.clear()
        return keys
