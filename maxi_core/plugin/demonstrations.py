"""Calls of a demonstration, which is a plugin's: its commands and its outcome are looked at once, and trusted after."""

import inspect
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maxi_core.errors import PluginError
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.roles import STYLES, Grid, Outcome, Shown
from maxi_core.system.files import to_json
from maxi_core.texts import written_out


@dataclass(frozen=True, slots=True)
class Step:
    """One `maxi` command of a demonstration: what it is for, its words after `maxi`, and the titles that it needs.

    With `after` None it needs all that stand before it.
    """

    title: str
    words: tuple[str, ...]
    after: tuple[str, ...] | None = None

    def __str__(self) -> str:
        """Return the command as it is typed in a shell."""
        return shlex.join(("maxi", *self.words))


def needed(steps: Sequence[Step], number: int) -> frozenset[str]:
    """Return the titles of the commands that are done before command `number` begins."""
    after = steps[number].after
    return frozenset(after if after is not None else [step.title for step in steps[:number]])


class Guarded:
    """A demonstration of a plugin; what it does wrong is a PluginError in one line that names it."""

    def __init__(self, ref: str, demonstration: Any) -> None:
        self._ref, self._demonstration = ref, demonstration
        with blamed(ref, "when it was asked for its demonstration"):
            if not all(callable(getattr(demonstration, name, None)) for name in ("commands", "outcome")):
                raise self._wrong(f"is {demonstration!r:.80}, which has no commands and no outcome")
            self.beside = self._text(getattr(demonstration, "beside", None), "what no command does")

    def commands(self, out: Path, seeds: int) -> list[Step]:
        """Return the commands in order, with all that they write below `out`."""
        with blamed(self._ref, "when it was asked for the commands of its demonstration"):
            said = self._all(self._demonstration.commands(out, seeds), "commands")
            steps = [self._step(one, out) for one in said]
        if not steps:
            raise self._wrong("has no commands")
        titles = [step.title for step in steps]
        if len(set(titles)) < len(titles):
            twice = next(title for place, title in enumerate(titles) if title in titles[:place])
            raise self._wrong(f"has two commands '{twice}'")
        self._refuse_waiting(steps)
        return steps

    def outcome(self, out: Path, seeds: int) -> Outcome:
        """Return what a demonstration that was run has come to."""
        with blamed(self._ref, "when it was asked for the outcome of its demonstration"):
            said: object = self._demonstration.outcome(out, seeds)
            if not isinstance(said, Outcome):
                raise self._wrong(f"gave {said!r:.80} for its outcome, not an Outcome")
            if not isinstance(said.data, Mapping):
                raise self._wrong(f"gave {said.data!r:.80} for its data, not values by name")
            to_json(said.data)
            shown = tuple(self._shown(one) for one in self._all(said.shown, "lines and tables"))
            afterwards = tuple(self._text(line, "a line") for line in self._all(said.afterwards, "lines"))
            return Outcome(shown, said.data, afterwards)

    def _wrong(self, what: str) -> PluginError:
        return PluginError(f"the demonstration of '{self._ref}' {what}")

    def _all(self, said: object, what: str) -> list[Any]:
        if inspect.iscoroutine(said):
            said.close()
        if not isinstance(said, Iterable) or isinstance(said, (str, bytes, Mapping)):
            raise self._wrong(f"gave {said!r:.80}, not a list of {what}")
        return list(said)

    def _text(self, said: object, what: str) -> str:
        if not isinstance(said, str):
            raise self._wrong(f"gave {said!r:.80} for {what}, not a text")
        return said

    def _step(self, one: Any, out: Path) -> Step:
        if isinstance(one, str) or not (hasattr(one, "title") and hasattr(one, "words")):
            raise self._wrong(f"gave {one!r:.80} for a command, which has no title and words")
        title = self._text(one.title, "the title of a command")
        if not title.strip() or written_out(title) != title:
            raise self._wrong(f"gave {title!r:.80} for the title of a command, which is no line")
        words = tuple(self._all(one.words, f"words for '{title}'"))
        for word in words:
            bare = self._text(word, f"a word of '{title}'").replace(str(out), "")
            if written_out(bare) != bare:
                raise self._wrong(f"gave {word!r:.80} for a word of '{title}', which nobody can type")
        if not words:
            raise self._wrong(f"has no words for '{title}'")
        after = getattr(one, "after", None)
        if after is None:
            return Step(title, words)
        needs = [self._text(other, f"what '{title}' needs") for other in self._all(after, f"titles for '{title}'")]
        return Step(title, words, tuple(needs))

    def _refuse_waiting(self, steps: Sequence[Step]) -> None:
        """Raise PluginError for a command that needs what is in no list, or what needs that command itself."""
        done: set[str] = set()
        waiting = list(range(len(steps)))
        while ready := [number for number in waiting if needed(steps, number) <= done]:
            done |= {steps[number].title for number in ready}
            waiting = [number for number in waiting if number not in ready]
        if waiting:
            lacking = sorted(needed(steps, waiting[0]) - done)[0]
            raise self._wrong(
                f"has a command '{steps[waiting[0]].title}' after '{lacking}', which is never done before it"
            )

    def _shown(self, one: object) -> Shown:
        if not isinstance(one, Shown):
            raise self._wrong(f"gave {one!r:.80} to be shown, not a Shown")
        style = self._text(one.style, "a style")
        if not STYLES.issuperset(style.split()):
            raise self._wrong(f"gave the style {style!r:.80}, and it takes {', '.join(sorted(STYLES))}")
        if not isinstance(one.what, Grid):
            return Shown(self._text(one.what, "a line or a table"), style)
        titles = tuple(self._text(title, "the title of a column") for title in self._all(one.what.columns, "titles"))
        rows = [
            tuple(self._text(cell, "a cell of a table") for cell in self._all(row, "cells"))
            for row in self._all(one.what.rows, "rows")
        ]
        if not titles or any(len(row) != len(titles) for row in rows):
            raise self._wrong(f"gave a table with {len(titles)} columns, whose rows have another number of cells")
        return Shown(Grid(titles, tuple(rows)), style)
