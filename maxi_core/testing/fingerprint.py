"""What every source keeps about its fingerprint: what besides the options decides its answers."""

import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from maxi_core.errors import MaxiError
from maxi_core.plugin.roles import Injector, Source
from maxi_core.settings.options import Configured
from maxi_core.testing.subject import LARGEST, Subject, ask, hold, opened, shown

LARGEST_FILE = 16 << 20  # bytes of a file that is copied for the check


def is_text_and_the_same_twice(subject: Subject) -> None:
    """A dict of texts, which another instance with the same options repeats: else nothing is ever found again."""
    one, other = subject.make(), subject.make()  # both at once: an address is never that of an object that is gone
    first = _fingerprint(one)
    assert isinstance(first, dict), f"fingerprint() returned {first!r}, which is not a dict"
    for key, value in first.items():
        assert isinstance(key, str), f"the fingerprint has the key {key!r}, which is no text"
        assert isinstance(value, str), f"the fingerprint says {key} = {value!r}, which is no text"
    second = _fingerprint(other)
    assert first == second, f"first {first}, then {second}"


def follows_the_files_of_its_options(subject: Subject) -> None:
    """A file that an option names decides the answers, unless the option is in EFFORT: its content must count."""
    made = subject.make()
    for key in path_options(made):
        now = getattr(made.options, key)
        suffix = now.suffix if isinstance(now, Path) else ".txt"
        path = subject.folder / f"{key} of an option{suffix}"
        before, *others = [_with_file(made, key, path, content, age) for age, content in enumerate(_contents(now))]
        for after in others:
            assert None in (before, after) or before != after, (
                f"option '{key}' names a file, and after the file has changed the fingerprint is the same, {before}: "
                f"put a digest of its content there (or '{key}' into EFFORT, if it does not decide the answers)"
            )


def the_same_when_open(subject: Subject) -> None:
    """Opening it, asking it and closing it change no fingerprint: answers are kept under the one from before."""
    source = subject.source()
    said = {"before open()": source.fingerprint()}
    source.open()
    said["after open()"] = source.fingerprint()
    if not isinstance(source, Injector):
        ask(source, subject.batch(2))
    said["after it was asked"] = source.fingerprint()
    source.close()
    said["after close()"] = source.fingerprint()
    for when, fingerprint in said.items():
        assert fingerprint == said["before open()"], (
            f"its fingerprint {when} is {fingerprint}, and before open() it was {said['before open()']}: take it from "
            "the options and the files of a model, not from what is loaded"
        )


def path_options(made: Configured) -> list[str]:
    """Return the options that may name a file and are not in EFFORT."""
    model = made.Options
    return [
        key for key, field in model.model_fields.items() if Path in _kinds(field.annotation) and key not in model.EFFORT
    ]


def _kinds(annotation: Any) -> set[Any]:
    return {annotation}.union(*(_kinds(part) for part in get_args(annotation)))


def _fingerprint(made: Configured) -> dict[str, str]:
    assert isinstance(made, Source), f"{type(made).__name__} is no source"
    return made.fingerprint()


def _contents(now: object) -> list[bytes]:
    """Return contents of a file that differ: its own, one with another letter, and a cut one; or some made up."""
    if not (isinstance(now, Path) and now.is_file() and 1 < now.stat().st_size <= LARGEST_FILE):
        return [b"riding a bike: one\n", b"riding a bike: two\n", b"riding a bike: one, two\n"]
    whole = now.read_bytes()
    letters = list(re.finditer(rb"(?<=[a-z])[a-z](?=[a-z])", whole))
    place = letters[len(letters) // 2].start() if letters else len(whole) // 2
    return [
        whole,
        whole[:place] + (b"q" if whole[place] != ord("q") else b"x") + whole[place + 1 :],
        whole[: len(whole) // 2],
    ]


def _with_file(made: Configured, key: str, path: Path, content: bytes, age: int) -> dict[str, str] | None:
    """Return the fingerprint with this file, None if the source has said that it is not right."""
    path.write_bytes(content)
    os.utime(path, (age * 1000, age * 1000))
    options = made.options.model_copy(update={key: path})
    try:
        return _fingerprint(type(made)(options))
    except MaxiError:
        return None
    except Exception as error:
        raise AssertionError(
            f"with a file as option '{key}' that is not what it expects, fingerprint() raised "
            f"{type(error).__name__}: {error}; raise maxi_core.errors.UsageError(problem, fix)"
        ) from error


OPEN: dict[str, Callable[[Subject], None]] = {"its fingerprint is the same when it is open": the_same_when_open}
FINGERPRINT: dict[str, Callable[[Subject], None]] = {
    "its fingerprint is text, the same twice": is_text_and_the_same_twice,
    "its fingerprint follows the files that its options name": follows_the_files_of_its_options,
}


# What changes how fast answers come may not change them: options of EFFORT, `batch`, `concurrency`, and threads.

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
