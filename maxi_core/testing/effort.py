"""What changes how fast answers come may not change them: options of EFFORT, `batch`, `concurrency`, and threads."""

import sys
import threading
from collections.abc import Callable, Iterator
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from maxi_core.errors import MaxiError
from maxi_core.options import Configured
from maxi_core.sources import Source
from maxi_core.testing.questions import LARGEST
from maxi_core.testing.subject import Subject, ask, hold, opened, shown

ROUNDS = 3
MOST_THREADS = 8


def effort_changes_no_answer(subject: Subject) -> None:
    """Options of EFFORT, `batch` and `concurrency` have other values, and the answers are the same."""
    questions = subject.batch(8)
    for key, value in ((key, value) for key in ("batch", "concurrency") for value in (1, 3)):
        with opened(subject) as source:
            setattr(source, key, value)
            hold(subject, questions, ask(source, questions), f"with {key} {value}")
    for key in type(subject.make()).Options.EFFORT:
        for source in _others(subject.make(), key):
            _check_effort(subject, questions, source, key)


def _check_effort(subject: Subject, questions: list[Any], source: Source, key: str) -> None:
    try:
        source.open()
        answers = ask(source, questions)
    except MaxiError:  # a device that is not here
        return
    finally:
        source.close()
    value = getattr(source.options, key)
    hold(subject, questions, answers, f"with option '{key}', which is in EFFORT, as {shown(value)}")


def _others(made: Configured, key: str) -> Iterator[Source]:
    """Yield the source with other legal values of an option, as far as its type tells any."""
    now = getattr(made.options, key)
    for value in _values(type(made).Options.model_fields[key].annotation, key, now):
        if value == now:
            continue
        try:
            other = type(made)(type(made.options).model_validate({**dict(made.options), key: value}))
        except (ValidationError, MaxiError):
            continue
        assert isinstance(other, Source)
        yield other


def _values(annotation: Any, key: str, now: Any) -> list[Any]:
    kinds = {annotation, *get_args(annotation)} - {NoneType}
    if bool in kinds:
        return [True, False]
    if int in kinds:
        return [1, 2, 3] if now is None else [1, now + 1, 2 * now + 1]
    if float in kinds:
        return [1.0, 0.5] if now is None else [now * 2, now / 2]
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return ["cpu"] if str in kinds and key == "device" else []


def answers_from_threads(subject: Subject) -> None:
    """It is opened in one thread and asked in others, in as many at once as `concurrency` says."""
    questions = subject.batch(LARGEST)
    with opened(subject) as source:
        count = max(1, min(MOST_THREADS, source.concurrency))
        for turn in range(ROUNDS):
            batches = [
                [questions[(turn + place + step) % LARGEST] for step in range(min(2, source.batch))]
                for place in range(0, 2 * count, 2)
            ]
            for batch, answers in zip(batches, _at_once(source, batches), strict=True):
                how = f"asked from {count} threads at once" if count > 1 else "asked from another thread than open()"
                hold(subject, batch, answers, how)


def _at_once(source: Source, batches: list[list[Any]]) -> list[list[Any]]:
    """Ask every batch in a thread of its own, all at the same time, with threads that take turns often."""
    answers: dict[int, list[Any]] = {}
    errors: list[BaseException] = []
    start = threading.Barrier(len(batches))

    def call(number: int) -> None:
        start.wait()
        try:
            answers[number] = ask(source, batches[number])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(number,), daemon=True) for number in range(len(batches))]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    if errors:
        if isinstance(errors[0], MaxiError):
            raise errors[0]
        where = "another thread than open()" if len(batches) == 1 else f"{len(batches)} threads at once"
        raise AssertionError(f"asked from {where}: {errors[0]}") from errors[0]
    return [answers[number] for number in range(len(batches))]


EFFORT: dict[str, Callable[[Subject], None]] = {
    "what changes its effort changes no answer": effort_changes_no_answer,
    "it answers from other threads": answers_from_threads,
}
