"""What goes wrong, in one line that names the thing, says why, and what to type."""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import IntEnum

from maxi_core.texts import LONGEST


class ExitCode(IntEnum):
    """What the `maxi` command returns to the shell."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SKIPPED = 3  # done, but more items were skipped than --max-skipped allows
    CAPPED = 4  # stopped by the spend cap; the same command goes on with a higher one
    NOTHING = 5  # there was nothing to do
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM, or the end of the terminal (SIGHUP): leave as Ctrl-C does, with an exit code of its own."""


LEAVING = (KeyboardInterrupt, Terminated)  # what a user wants, whatever code is running


class MaxiError(Exception):
    """Base of every error that maxi raises on purpose: `problem` says what and why, `fix` what to type."""

    exit_code = ExitCode.FAILED

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(f"{problem}{'' if problem.endswith('?') else ';'} {fix}" if fix else problem)
        self.problem = problem
        self.fix = fix


class UsageError(MaxiError):
    """The command, an option or a file that was named is not right; nothing was started."""

    exit_code = ExitCode.USAGE


class CannotTellError(MaxiError):
    """What was tried does not tell whether it would work, as an endpoint that lists no models."""


class NothingError(MaxiError):
    """There is nothing to do."""

    exit_code = ExitCode.NOTHING


class PluginError(UsageError):
    """A plugin that was asked for is missing, ambiguous or broken."""


def words_of(error: BaseException) -> str:
    """Return what an error says; one of somebody's may fail to say it."""
    try:
        return str(error)
    except LEAVING:
        raise
    except BaseException:
        return "(its text cannot be made)"


def deed(error: BaseException) -> str:
    """Return in one line what a plugin did: `raised ValueError: no luck`, `called sys.exit(0)`."""
    if isinstance(error, SystemExit):
        return f"called sys.exit({error.code!r:.80})"
    return one_line(f"raised {kind_and_words(error)}")


def kind_and_words(error: BaseException) -> str:
    """Return the type of an error and what it says: `ValueError: no luck`; the type alone if it says nothing."""
    said = words_of(error)
    return f"{type(error).__name__}: {said}" if said.strip() else type(error).__name__


def one_line(reason: object) -> str:
    """Return the words of a plugin in one line, of at most `LONGEST` characters."""
    try:
        said = "" if reason is None else str(reason)
        return " ".join(said.split())[:LONGEST] or "it does not say why"
    except LEAVING:
        raise
    except BaseException as error:
        return f"its reason cannot be read ({type(error).__name__})"


_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error is Python's, or what torch says, of memory that there is not."""
    of_torch = isinstance(error, RuntimeError) and any(word in words_of(error) for word in _MEMORY)
    return of_torch or isinstance(error, MemoryError)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)` for the known name closest to `name`, or an empty string if none is close."""
    found = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean '{found[0]}'?)" if found else ""


def with_article(noun: str) -> str:
    """Return `noun` with its article: an expander, a matcher."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
