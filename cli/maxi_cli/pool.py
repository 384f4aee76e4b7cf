"""Commands in processes beside this one, some at a time, each after those whose results it needs."""

import io
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

from maxi_core.errors import ExitCode, MaxiError
from maxi_core.plugin.demonstrations import Step, needed
from maxi_core.system.child import Child
from maxi_core.system.threads import wait_passively

PATIENCE = 2.0  # seconds for processes that wait, or were interrupted as this one was, to end by themselves
SAVING = 60.0  # seconds for a training that is told to end, to save where it is


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command printed, its seconds, and its exit code."""

    printed: str
    seconds: float
    code: int


def run_all(
    commands: Sequence[Step],
    at_once: int,
    begins: Callable[[int, Step], None],
    ends: Callable[[Step, Finished], None],
) -> None:
    """Run commands in at most `at_once` processes of one thread each; `begins` and `ends` hear of each.

    The first in the list whose `after` are done is begun next. Each process runs one command after another, which saves
    the seconds that a start of Python and torch takes. Raises MaxiError for one that fails; no other is begun then, and
    those under way are ended.
    """
    waiting = list(range(len(commands)))
    done: set[str] = set()
    with _children(min(at_once, len(commands))) as free:
        busy: dict[Any, tuple[Child, int, float]] = {}  # pipe -> who is at it, at which command, since when
        while waiting or busy:
            for number in _ready(commands, waiting, done)[: len(free)]:
                waiting.remove(number)
                begins(number, commands[number])
                child = free.pop()
                child.send(json.dumps(commands[number].words))
                busy[child.pipe] = child, number, time.monotonic()
            if not busy:
                lacking = ", ".join(commands[number].title for number in waiting)
                raise MaxiError(f"these commands wait for some that are in no list: {lacking}", "mend their `after`")
            for pipe in wait(list(busy)):
                child, number, began = busy.pop(pipe)
                code, printed = _answer(commands[number], child)
                ends(commands[number], Finished(printed, time.monotonic() - began, code))
                if code != ExitCode.DONE:
                    raise MaxiError(f"`{commands[number]}` ended with {code}", "the lines above say why")
                done.add(commands[number].title)
                free.append(child)


def _answer(command: Step, child: Child) -> tuple[int, str]:
    """Return the exit code of a command and what it printed; raises MaxiError if its process has died."""
    text = child.receive()
    if text is None:
        raise MaxiError(f"the process of `{command}` has died ({child.how})", "type that command by itself to see why")
    code, printed = json.loads(text)
    return code, printed


def _ready(commands: Sequence[Step], waiting: Sequence[int], done: Collection[str]) -> list[int]:
    """Return which of those that wait may begin: what they need is done."""
    return [number for number in waiting if needed(commands, number) <= set(done)]


@contextmanager
def _children(count: int) -> Iterator[list[Child]]:
    """Start processes, and end them: those at work a little later than those that wait."""
    made: list[Child] = []
    try:
        for _ in range(count):
            made.append(Child(_serve))
        yield list(made)
    finally:
        for child in made:
            child.pipe.close()
        until = time.monotonic() + PATIENCE
        late = [child for child in made if not child.ended(max(0.0, until - time.monotonic()))]
        for child in late:
            child.terminate()
        for child in late:
            child.end(SAVING)


def _serve(pipe: "Connection[Any, Any]") -> None:
    """Run commands as they come, until the pipe is closed; end with the process that sends them."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # so the numbers are those of any number of cores
    wait_passively()
    from maxi_core.errors import Terminated

    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(EOFError, OSError, KeyboardInterrupt, Terminated):
        while True:
            pipe.send_bytes(json.dumps(_run(json.loads(pipe.recv_bytes()))).encode())


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
