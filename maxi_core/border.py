"""The border to plugins outside the answers themselves: what is made, asked or changed once, before the work."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from maxi_core.errors import MaxiError, PluginError
from maxi_core.sources import Augment, Augmenter, Injector, Source
from maxi_core.texts import tidy
from maxi_core.types import Dictionary, Failed, Form

log = logging.getLogger("maxi.plugins")


@contextmanager
def blamed(name: str, when: str) -> Iterator[None]:
    """Turn whatever a plugin raises into a PluginError that names it; a MaxiError is its own word to the user."""
    try:
        yield
    except MaxiError:
        raise
    except Exception as error:
        log.debug("%s raised %s", name, when, exc_info=True)
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise PluginError(f"'{name}' raised {text} {when}", "the traceback: maxi --log-level debug ...") from error


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
        return [str(note) for note in source.notes()]
    except Exception as error:
        log.debug("%s raised when it was asked for its notes", source.name, exc_info=True)
        return [" ".join(f"its notes cannot be had: {type(error).__name__}: {error}".split())]


def inject(source: Injector, dictionary: Dictionary, augmenter: Augmenter | None) -> Dictionary:
    """Return the dictionary that an injector makes of another; raises PluginError if it is not one."""
    with blamed(source.name, "when it was given the dictionary"):
        made: object = source.inject(dictionary, augment_by(augmenter))
    if not isinstance(made, Dictionary) or not isinstance(made.name, str):
        raise PluginError(f"injector '{source.name}' returned {type(made).__name__}, not a Dictionary")
    if not isinstance(made.entries, (tuple, list)) or not all(isinstance(entry, str) for entry in made.entries):
        raise PluginError(f"injector '{source.name}' returned a Dictionary whose entries are not texts")
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
        texts = list(texts)
        if augmenter is None:
            return [[] for _ in texts]
        with blamed(augmenter.name, "when an injector asked it for forms"):
            answers = list(augmenter.augment(texts))
        if len(answers) != len(texts):
            raise PluginError(f"source '{augmenter.name}' gave {len(answers)} answers to {len(texts)} texts")
        return [_forms(augmenter.name, answer) for answer in answers]

    return augment


def _forms(name: str, answer: object) -> list[Form]:
    if isinstance(answer, Failed):
        return []
    if not isinstance(answer, list) or not all(isinstance(form, Form) for form in answer):
        raise PluginError(f"source '{name}' answered {answer!r:.80}, not a list of forms")
    return answer
