"""The answers of one source: those in the store, and in memory those that failed in this run."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock
from typing import Any, Generic, TypeVar

from maxi_core.bags.codecs import Codec
from maxi_core.errors import LEAVING, MaxiError, deed, one_line
from maxi_core.system.store import Store
from maxi_core.types import Failed

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Answers(Generic[Question, Answer]):
    """Answers by the key of their question, kept and looked up by any thread; what failed is asked again next time."""

    def __init__(
        self, name: str, codec: Codec[Question, Answer], store: Store, failed: Mapping[str, Failed] | None = None
    ) -> None:
        self._name, self.codec, self.store = name, codec, store
        self.failed = dict(failed or {})  # by key, in this run; with those of its workers
        self._seconds: list[float] = []  # that each call took
        self._lock = Lock()  # over the files of the store

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measure a call to the source."""
        began = time.perf_counter()
        yield
        self._seconds.append(time.perf_counter() - began)

    def note_speed(self, asked: int, concurrency: int) -> None:
        """Remember in the store how long the source took for what it was `asked` now, for estimates."""
        at_once = max(1, min(concurrency, len(self._seconds)))
        self.store.note_speed(asked, sum(self._seconds) / at_once)

    def __contains__(self, key: str) -> bool:
        if key in self.failed:
            return True
        with self._lock:
            return key in self.store

    def checked(self, question: Question, answer: object) -> tuple[object | Failed, str]:
        """Return an answer of the source as it is to be kept, and what is wrong with it, one of them empty."""
        if isinstance(answer, Failed):
            return replace(answer, reason=one_line(answer.reason)), ""
        try:
            kept = self.codec.encode(self.codec.check(question, answer))
            json.dumps(kept)  # an answer that cannot be kept is as wrong as one of the wrong type
        except ValueError as error:
            return None, str(error)
        except LEAVING:
            raise
        except BaseException as error:  # of whatever the plugin put into its answer
            return None, f"answered what cannot be kept: it {deed(error)}"
        return kept, ""

    def keep(self, question: Question, key: str, encoded: Any) -> None:
        """Keep an answer as the codec encodes it, or Failed; raises MaxiError if the store cannot be written."""
        if isinstance(encoded, Failed):
            self.failed[key] = encoded
        else:
            with self._lock:
                self.store.put(key, self.codec.describe(question), encoded)

    def of(self, question: Question, key: str) -> Answer | Failed:
        """Return the answer to a question; raises MaxiError if the store has lost it."""
        if key in self.failed:
            return self.failed[key]
        with self._lock:
            kept = self.store.get(key)
        if kept is None:
            raise MaxiError(
                f"the store lost what '{self._name}' had answered: a file in {self.store.folder} is gone or damaged",
                "run the same command again: it asks again for what is missing",
            )
        try:
            return self.codec.decode(question, kept)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise MaxiError(
                f"an answer of '{self._name}' in {self.store.folder} is not of a form that it gives",
                "delete that folder: what was in it is asked again",
            ) from None
