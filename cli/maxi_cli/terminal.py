"""What reaches the terminal: data on stdout, messages on stderr, never a control character of somebody else's."""

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

from maxi_core.secrets import masked, without_secrets

if TYPE_CHECKING:
    from rich.console import Console

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    """Return `text` in one line without secrets; control characters are written out and do nothing."""
    return _CONTROL.sub(lambda found: ascii(found.group())[1:-1], without_secrets(text).replace("\t", " "))


def stdout() -> "Console":
    """Return a console for data; markup is off, so that `[/b]` in a caption is four characters."""
    return _console(stderr=False)


def stderr() -> "Console":
    """Return a console for messages."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError  # rich would end the process with code 1

    return Plain(stderr=stderr, markup=False, emoji=False, highlight=False)


def show_json(document: Mapping[str, object]) -> None:
    """Print a document for programs, without secrets; ASCII, so that any name survives any terminal."""
    sys.stdout.write(json.dumps(masked(document), indent=2, default=str) + "\n")


def show_json_list(head: Mapping[str, object], key: str, items: Iterable[Mapping[str, object]]) -> None:
    """Print a document whose last value is a list of any length, one item a line, as they come."""
    opening = "".join(f"{json.dumps(name)}: {json.dumps(value)}, " for name, value in head.items())
    sys.stdout.write(f"{{{opening}{json.dumps(key)}: [")
    for number, item in enumerate(items):
        sys.stdout.write((",\n  " if number else "\n  ") + json.dumps(masked(item), default=str))
    sys.stdout.write("\n]}\n")


@contextmanager
def plugins_at_work() -> Iterator[None]:
    """Send to stderr what anybody prints who is not a command: stdout is for the command's own data.

    Both Python's stdout and the file behind it, which libraries in C and other processes write to.
    """
    try:
        behind = sys.stdout.fileno()
        before = os.dup(behind)
    except (OSError, ValueError):  # no file, as in a notebook or a test
        with redirect_stdout(sys.stderr):
            yield
        return
    sys.stdout.flush()
    os.dup2(2, behind)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(before, behind)
        os.close(before)


def complain(message: str) -> None:
    """Print one line that says what is wrong."""
    sys.stderr.write(f"maxi: error: {visible(message)}\n")


def note(message: str) -> None:
    """Print one line that says what happens."""
    sys.stderr.write(f"maxi: {visible(message)}\n")
