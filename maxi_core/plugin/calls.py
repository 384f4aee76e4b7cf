"""Calls into code that is not ours, in daemon threads: several at once, named when they take long, left at the end.

Interrupts reach the main thread alone, so a plugin can neither swallow nor delay Ctrl-C; a thread pool of the standard
library would hold the process until its last call has ended.
"""

import logging
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from maxi_core.errors import LEAVING, MaxiError, PluginError, deed, one_line
from maxi_core.plugin.global_state import untouched
from maxi_core.plugin.roles import Augment, Augmenter, Injector, Source
from maxi_core.texts import counted, tidy
from maxi_core.types import Dictionary, Failed, Form
from maxi_core.video.sampling import MOST_OF_A_VIDEO, Sampling

log = logging.getLogger("maxi")

SLOW = 60.0  # seconds without a result after which the source is named, and again after twice as long
MOST = 1800.0  # seconds without a result after which the run ends


class Calls:
    """Up to `threads` calls under way at once; `submit` them, and `next` waits for one to end."""

    def __init__(self, name: str, threads: int) -> None:
        self._name, self._most = name, threads
        self._tasks: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._ended: SimpleQueue[BaseException | None] = SimpleQueue()  # what each raised
        self._threads: list[Thread] = []
        self._open = 0

    def __len__(self) -> int:
        """The number of calls that were submitted and whose end nobody has waited for."""
        return self._open

    def submit(self, call: Callable[[], object]) -> None:
        """Have a thread make a call as soon as one is free."""
        self._open += 1
        self._tasks.put(call)
        if len(self._threads) < min(self._open, self._most):
            self._threads.append(Thread(target=self._work, daemon=True, name=f"maxi-{self._name}"))
            self._threads[-1].start()

    def next(self) -> None:
        """Wait for a call to end; raises what it raised, and MaxiError after `MOST` seconds without an end."""
        began, slow = time.monotonic(), SLOW
        while True:
            try:
                error = self._ended.get(timeout=min(slow, MOST) - (time.monotonic() - began))
                break
            except (Empty, ValueError):  # ValueError: the time is over before the wait began
                if slow >= MOST:
                    raise MaxiError(
                        f"source '{self._name}' has not answered for {MOST / 60:.0f} minutes",
                        f"mend it, or leave it out: --without {self._name}",
                    ) from None
                log.warning("source '%s' has not answered for %.0f s; Ctrl-C stops the run", self._name, slow)
                slow *= 2
        self._open -= 1
        if error is not None:
            raise error

    def close(self, grace: float) -> None:
        """Make no further call, and give those under way `grace` seconds."""
        while not self._tasks.empty():
            self._tasks.get()
        for _ in self._threads:
            self._tasks.put(None)
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        self._threads, self._open = [], 0

    def _work(self) -> None:
        while (call := self._tasks.get()) is not None:
            try:
                call()
                self._ended.put(None)
            except BaseException as error:  # whoever waits for the end gets it
                self._ended.put(error)


# The border to plugins outside the answers themselves: what is made, asked or changed once, before the work.

plugins_log = logging.getLogger("maxi.plugins")


@contextmanager
def named(name: str, when: str) -> Iterator[None]:
    """Turn whatever a plugin raises into a PluginError that names it; a MaxiError is its own word to the user.

    So does one that calls `sys.exit`: it must not end the command as if all were done.
    """
    try:
        yield
    except (MaxiError, *LEAVING):
        raise
    except BaseException as error:
        plugins_log.debug("%s raised %s", name, when, exc_info=True)
        raise PluginError(f"'{name}' {deed(error)} {when}", "the traceback: maxi --log-level debug ...") from error


@contextmanager
def blamed(name: str, when: str) -> Iterator[None]:
    """Do as `named`, and put back what all code of the process shares, random numbers too; not for what comes often."""
    with named(name, when), untouched(name, when):
        yield


def call(name: str, when: str, function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Call a function of a plugin; return its result, and in words what it did instead of returning one.

    It runs in a thread that is not the main one, so no interrupt of a user can be among what it raises.
    """
    try:
        with untouched(name, when):
            return function(*arguments), ""
    except MaxiError:
        raise
    except BaseException as error:
        plugins_log.debug("%s raised %s", name, when, exc_info=True)
        return None, deed(error)


def ask(name: str, method: Callable[[list[Any]], object], questions: list[Any]) -> tuple[Sequence[Any], str]:
    """Return the answers of a plugin to questions, and in words what it did instead of answering each.

    It gets a list of its own, which it may change.
    """
    answers, what = call(name, "when it was asked", method, list(questions))
    if not what and not isinstance(answers, (list, tuple)):
        return (), f"returned {type(answers).__name__}, not a list of answers"
    if not what and len(answers) != len(questions):
        return (), f"gave {counted(len(answers), 'answer')} to {counted(len(questions), 'question')}"
    return answers, what


def sampling_of(source: Source) -> Sampling | None:
    """Return the frames that an open source wants, None if it reads the file itself; raises PluginError."""
    wanted, what = call(source.label, "when it was asked for its frames", getattr, source, "frames")
    if what or not isinstance(wanted, Sampling | None):
        said = what or f"wants frames by {wanted!r:.80}, which is no Sampling"
        raise PluginError(f"source '{source.label}' {said}")
    if wanted is not None and wanted.kind not in ("all", "rate") and wanted.count > MOST_OF_A_VIDEO:
        raise PluginError(
            f"source '{source.label}' wants {wanted.count:.0f} frames of each video, and {MOST_OF_A_VIDEO} is the most"
        )
    return wanted


@contextmanager
def opened(source: Source | None) -> Iterator[None]:
    """Open a source and close it in the end."""
    if source is None:
        yield
        return
    with blamed(source.name, "when it was opened"):
        source.open()
    try:
        yield
    finally:
        call(source.name, "when it was closed", source.close)


def fingerprint(source: Source) -> dict[str, str]:
    """Return the fingerprint of a source; raises PluginError if it is none."""
    with blamed(source.name, "when it was asked for its fingerprint"):
        said: object = source.fingerprint()
    if not isinstance(said, dict) or not all(isinstance(text, str) for pair in said.items() for text in pair):
        raise PluginError(f"'{source.name}' has a fingerprint that is not a dict of texts: {said!r:.80}")
    return said


def notes(source: Source) -> list[str]:
    """Return what a source notes of its answers; a fault of it is a note, too, since the bags are made by then."""
    try:
        with untouched(source.name, when := "when it was asked for its notes"):
            said: object = source.notes()
            if isinstance(said, (list, tuple)):
                return [one_line(note) for note in said]
        fault = f"gave {type(said).__name__}, not a list of texts"
    except LEAVING:
        raise
    except BaseException as error:
        plugins_log.debug("%s raised %s", source.name, when, exc_info=True)
        fault = deed(error)
    log.warning("source '%s' %s %s", source.label, fault, when)
    return [f"its notes cannot be had: it {fault}"]


def tokens_each(source: Source) -> int | None:
    """Return the tokens that a source takes for a question, None for one that uses none; raises PluginError."""
    with blamed(source.label, "when it was asked for its tokens"):
        said: object = source.tokens_each()
    if said is None:
        return None
    if isinstance(said, bool) or not isinstance(said, (int, float)) or not 0 <= said < math.inf:
        raise PluginError(f"source '{source.label}' says {said!r:.80} of its tokens, which is no number of them")
    return round(said)


def inject(source: Injector, dictionary: Dictionary, augmenter: Augmenter | None) -> Dictionary:
    """Return the dictionary that an injector makes of another; raises PluginError if it is not one."""
    with opened(source), opened(augmenter), blamed(source.name, "when it was given the dictionary"):
        made: object = source.inject(dictionary, augment_by(augmenter))
    if not isinstance(made, Dictionary) or not isinstance(made.name, str):
        raise PluginError(f"injector '{source.name}' returned {type(made).__name__}, not a Dictionary")
    if not isinstance(made.entries, tuple) or not all(isinstance(entry, str) for entry in made.entries):
        raise PluginError(f"injector '{source.name}' returned a Dictionary whose entries are not a tuple of texts")
    entries = tuple(tidy(entry) for entry in made.entries)
    if not entries or "" in entries:
        raise PluginError(f"injector '{source.name}' returned {'a blank entry' if entries else 'an empty dictionary'}")
    if len(set(entries)) < len(entries):
        twice = next(entry for place, entry in enumerate(entries) if entry in entries[:place])
        raise PluginError(f"injector '{source.name}' returned '{twice}' twice")
    return Dictionary(made.name, entries)


def augment_by(augmenter: Augmenter | None) -> Augment:
    """Return the augmenter as an injector gets it: texts -> one list of forms each; without one, no text has forms."""

    def augment(texts: Iterable[str]) -> list[list[Form]]:
        if augmenter is None:
            return [[] for _ in texts]
        found: list[list[Form]] = []
        rest = iter(texts)
        while batch := list(islice(rest, augmenter.batch)):
            with blamed(augmenter.name, "when an injector asked it for forms"):
                answers = augmenter.augment(list(batch))
            if not isinstance(answers, list) or len(answers) != len(batch):
                count = f"{counted(len(answers), 'answer')}" if isinstance(answers, list) else type(answers).__name__
                raise PluginError(f"source '{augmenter.name}' gave {count} to {counted(len(batch), 'text')}")
            found += [_forms(augmenter.name, answer) for answer in answers]
        return found

    return augment


def _forms(name: str, answer: object) -> list[Form]:
    if isinstance(answer, Failed):
        return []
    if not isinstance(answer, list) or not all(isinstance(form, Form) for form in answer):
        raise PluginError(f"source '{name}' answered {answer!r:.80}, not a list of forms")
    return answer
