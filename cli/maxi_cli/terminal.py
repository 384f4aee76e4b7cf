"""What reaches the terminal: data on stdout, messages on stderr, never a control character of somebody else's."""

import json
import logging
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from maxi_core.errors import UsageError
from maxi_core.system.files import to_json
from maxi_core.system.secrets import MaskedStream, masked, without_secrets
from maxi_core.system.urls import in_urls
from maxi_core.texts import counted, written_out

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from maxi_core.recipe.recipe import Recipe
    from maxi_core.system.remote_folders import Upload


def visible(text: str) -> str:
    """Return `text` in one line without secrets; control characters are written out and do nothing."""
    return written_out(without_secrets(in_urls(text)).replace("\t", " "))


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

    file = None if stderr else data()
    return Plain(file=file, stderr=stderr, markup=False, emoji=False, highlight=False)


def plain_table(*titles: str, numbers: Collection[str] = (), **how: Any) -> "Table":
    """Return a table without lines whose cells fold; columns of `numbers` stand to the right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, **how)
    for title in titles:
        table.add_column(visible(title), overflow="fold", justify="right" if title in numbers else "left")
    return table


def print_hanging(console: "Console", text: str, style: str = "", start: str = "") -> None:
    """Print a text behind `start`; where it goes on in a further line, that stands two columns more to the right."""
    from rich.text import Text

    margin = " " * (len(start) + 2)
    for number, line in enumerate(Text(visible(text)).wrap(console, max(20, console.width - len(margin)))):
        line.rstrip()
        console.print(f"{margin if number else start}{line.plain}", style=style, soft_wrap=True)


def below_each_other(scores: Sequence[str]) -> list[str]:
    """Return scores such as `69.9±1.3` and `100.0` with spaces before them, so that their points are at one place."""
    parts = [score.partition("±") for score in scores]
    before = max((len(value) for value, _, _ in parts), default=0)
    return [f"{value:>{before}}{sign}{spread}" for value, sign, spread in parts]


def show_json(document: Mapping[str, object]) -> None:
    """Print a document for programs, without secrets; ASCII, so that any name survives any terminal."""
    data().write(in_urls(to_json(masked(document), indent=2)) + "\n")


def show_json_list(head: Mapping[str, object], key: str, items: Iterable[Mapping[str, object]]) -> None:
    """Print a document whose last value is a list of any length, one item a line, as they come."""
    opening = "".join(f"{json.dumps(name)}: {to_json(value)}, " for name, value in head.items())
    data().write(f"{{{opening}{json.dumps(key)}: [")
    for number, item in enumerate(items):
        data().write((",\n  " if number else "\n  ") + to_json(masked(item)))
    data().write("\n]}\n")


_data: list[TextIO] = []  # where the data of the commands that run goes, the innermost last


def data() -> TextIO:
    """Return the stream of a command's own data: the process's stdout, also where what others print goes elsewhere."""
    return _data[-1] if _data else sys.stdout


@contextmanager
def own_stdout() -> Iterator[None]:
    """Keep stdout for a command's own data (`data`): what anybody else prints meanwhile goes to stderr.

    Both Python's stdout and the file behind it, which libraries in C and other processes write to.
    """
    from maxi_core.plugin.importing import descriptor_to_stderr

    with ExitStack() as stack:
        stream = sys.stdout
        with suppress(OSError, ValueError, AttributeError):  # no file, as in a notebook or a test; closed: None
            behind = stream.fileno()
            stream.flush()
            stream = stack.enter_context(_another(stream, os.dup(behind)))
            stack.enter_context(descriptor_to_stderr(behind))
        stack.enter_context(_masking())
        _data.append(stream)
        stack.callback(_data.pop)
        yield


@contextmanager
def _another(like: TextIO, descriptor: int) -> Iterator[TextIO]:
    """Yield a text file that writes to an open file as another does; its end raises OSError if that cannot be."""
    file = open(descriptor, "w", encoding=like.encoding, errors=like.errors)  # noqa: SIM115 (closed below)
    if isinstance(like, TextIOWrapper):
        file.reconfigure(line_buffering=like.line_buffering, write_through=like.write_through)
    with file:
        yield file


@contextmanager
def _masking() -> Iterator[None]:
    stream: Any = MaskedStream(sys.stderr)
    with redirect_stdout(stream), redirect_stderr(stream):
        yield


def complain(message: str) -> None:
    """Print one line that says what is wrong."""
    note(f"error: {message}")


def brought(recipe: "Recipe", section: str) -> str:
    """Return what a file sets in a section that is not the default, if it is one value: `; of my.toml: keep 0.9`."""
    found: dict[str, list[str]] = {}
    for (name, key), origin in recipe.origins.items():
        if name != section or not origin.endswith(".toml"):
            continue
        value, fields = getattr(recipe.sections[name], key), type(recipe.sections[name]).model_fields
        if value != fields[key].default and isinstance(value, (bool, int, float, str)):
            found.setdefault(origin, []).append(f"{key} {str(value).lower() if isinstance(value, bool) else value}")
    return "".join(f"; of {origin}: {', '.join(said)}" for origin, said in found.items())


@contextmanager
def goes_on() -> Iterator[None]:
    """Say of work that is stopped by Ctrl-C or a signal that the same command goes on with it."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, (Exception, SystemExit)):
            note("stopped; the same command goes on where it was, and what was answered is kept")
        raise


def note(message: str) -> None:
    """Print one line that says what happens; a terminal that is gone hears nothing."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"maxi: {visible(message)}\n")


def uploaded(upload: "Upload", files: int) -> None:
    """Say what went up to a server."""
    note(f"{upload.at}: {counted(files, 'file')} uploaded" if files else f"{upload.at} has all of it already")


def watched() -> bool:
    """Return whether somebody sees stderr as it comes, and it is no log or pipe."""
    return sys.stderr.isatty()


def announce(message: str) -> None:
    """Print what is begun, to whoever watches; elsewhere an error is the only line."""
    if watched():
        note(message)


# Logging of the `maxi` command: its own loggers on stderr; other libraries' only when they are asked for.

LEVELS = ("debug", "info", "warning", "error")


class MaskedFormatter(logging.Formatter):
    """Writes a record without the secrets that its message or traceback may quote."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        return without_secrets(super().format(record))


class LogFile(logging.FileHandler):
    """A log file that a full disk ends in one line, not in a traceback for each record."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name is logging's)
        """Say once that the log is not written any more."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logging.getLogger("maxi").removeHandler(self)
            note(f"{self.baseFilename} cannot be written any more: {error.strerror or error}")
        else:
            super().handleError(record)


def set_up_logs(level: str) -> None:
    """Log at `level` on stderr; with MAXI_TRACE_PLUGINS=1 also every plugin that is looked at.

    What other libraries log is shown only at `info` and `debug`: what the user needs of it is in maxi's own line.
    """
    if level not in ("debug", "info"):
        logging.getLogger().addHandler(logging.NullHandler())  # else the first message of anybody sets up the root
        for name in ("HF_HUB_VERBOSITY", "TRANSFORMERS_VERBOSITY"):
            os.environ.setdefault(name, "critical")
    handler = logging.StreamHandler()
    handler.setFormatter(MaskedFormatter("%(levelname)s %(name)s: %(message)s"))
    if logging.lastResort is not None:  # shows what others log at `info` and `debug`
        logging.lastResort.setFormatter(MaskedFormatter())
    logger = logging.getLogger("maxi")
    logger.handlers[:] = [handler]
    logger.setLevel(level.upper())
    logger.propagate = False
    if os.environ.get("MAXI_TRACE_PLUGINS", "") not in ("", "0"):
        logging.getLogger("maxi.plugins").setLevel(logging.DEBUG)


@contextmanager
def log_to(path: Path) -> Iterator[None]:
    """Write everything that maxi logs, debugging and tracebacks too, at the end of a run's log file, in UTC."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = LogFile(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"cannot write to {path.parent}: {error.strerror or error}", "choose another --out") from None
    formatter = MaskedFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logger = logging.getLogger("maxi")
    shown = logger.level
    for other in logger.handlers:  # what is shown stays what was asked for
        other.setLevel(shown)
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(shown)
        handler.close()
