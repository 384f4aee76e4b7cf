"""Commands in processes beside this one, some at a time, each after those whose results it needs."""

import io
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING

from maxi_core.errors import ExitCode, MaxiError
from maxi_core.system.threads import wait_passively

if TYPE_CHECKING:
    from maxi_core.plugin.roles import Command

PATIENCE = 2.0  # seconds for a process that has nothing to do, or was interrupted as this one was, to end by itself


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended: its exit code, what it printed, and its seconds."""

    code: int
    printed: str
    seconds: float


def run_all(
    commands: Sequence["Command"],
    at_once: int,
    begins: Callable[[int, "Command"], None],
    ends: Callable[["Command", Finished], None],
) -> None:
    """Run commands in at most `at_once` processes of one thread each; `begins` and `ends` hear of each.

    The first in the list whose `after` are done is begun next. Each process runs one command after another, which saves
    the seconds that a start of Python and torch takes. Raises MaxiError for one that fails; no other is begun then, and
    those under way are ended.
    """
    waiting = list(range(len(commands)))
    done: set[str] = set()
    with _processes(min(at_once, len(commands))) as free:
        busy: dict[Connection, tuple[_Process, int]] = {}
        while waiting or busy:
            for number in _ready(commands, waiting, done)[: len(free)]:
                waiting.remove(number)
                process = free.pop()
                begins(number, commands[number])
                process.begin(commands[number].words)
                busy[process.pipe] = process, number
            if not busy:
                lacking = ", ".join(commands[number].title for number in waiting)
                raise MaxiError(f"these commands wait for some that are in no list: {lacking}", "mend their `after`")
            for pipe in wait(list(busy)):
                process, number = busy.pop(pipe)  # type: ignore[call-overload]
                finished = process.finished()
                free.append(process)
                ends(commands[number], finished)
                if finished.code != ExitCode.DONE:
                    raise MaxiError(f"`{commands[number]}` ended with {finished.code}", "the lines above say why")
                done.add(commands[number].title)


def _ready(commands: Sequence["Command"], waiting: Sequence[int], done: Collection[str]) -> list[int]:
    """Return which of those that wait may begin: what they need is done; one that does not say needs all before it."""
    found = []
    for number in waiting:
        needs = getattr(commands[number], "after", None)
        needed = needs if needs is not None else [command.title for command in commands[:number]]
        if set(needed) <= set(done):
            found.append(number)
    return found


@dataclass
class _Process:
    """A process that runs the commands it is sent, and this end of the pipe to it."""

    pipe: Connection
    itself: SpawnProcess
    began: float = field(default=0.0)

    def begin(self, words: Sequence[str]) -> None:
        self.began = time.monotonic()
        self.pipe.send(tuple(words))

    def finished(self) -> Finished:
        """Return what the command has come to; a process that died of it has the code that a shell would name."""
        try:
            code, printed = self.pipe.recv()
        except EOFError:
            self.itself.join()
            ended = self.itself.exitcode or 0
            code, printed = (128 - ended if ended < 0 else ended or ExitCode.FAILED), ""
        return Finished(code, printed, time.monotonic() - self.began)


@contextmanager
def _processes(count: int) -> Iterator[list[_Process]]:
    spawn = multiprocessing.get_context("spawn")
    made = []
    try:
        for _ in range(count):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(theirs,))
            process.start()
            theirs.close()  # else the end of the process would not be the end of the pipe
            made.append(_Process(ours, process))
        yield list(made)
    finally:
        for one in made:
            one.pipe.close()
        for one in made:
            one.itself.join(PATIENCE)
            one.itself.terminate()
            one.itself.join()


def _serve(pipe: Connection) -> None:
    """Run commands as they come, until the pipe is closed; end with the process that sends them."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # so the numbers are those of any number of cores
    wait_passively()
    from maxi_cli.__main__ import Terminated

    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt, Terminated):
        while True:
            pipe.send(_run(pipe.recv()))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(ExitCode.FAILED)


def _run(words: Sequence[str]) -> tuple[int, str]:
    """Return a command's exit code and what it printed; manifests say this command, and not the demonstration's."""
    from maxi_cli.__main__ import run

    printed = io.StringIO()
    sys.argv = ["maxi", *words]
    with redirect_stdout(printed):
        code = run([*words, *_without_progress(words[0])])
    return code, printed.getvalue()


def _without_progress(name: str) -> list[str]:
    """Return the flag that keeps a command from showing how far it is, since another may be at it beside it."""
    from typer.main import get_command

    from maxi_cli.app import app

    command = get_command(app).get_command(None, name)  # type: ignore[attr-defined]
    return ["--quiet"] if command and any("--quiet" in one.opts for one in command.params) else []
