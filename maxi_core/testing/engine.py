"""What every engine keeps: each item its result, a worker its copy of the work, and nobody left behind."""

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from maxi_core.plugin.engine import Engine
from maxi_core.testing.effects import unsettle, watched
from maxi_core.testing.subject import Subject, shown
from maxi_core.types import Failed

ITEMS = ("", " a ", "two\nlines\r\n", "\x00\x1b", "🎾 é لعب", '{"a": "\\u2028"}', "long " * 50_000)
MANY = 500  # items, more than there are workers
PATIENCE = 10.0  # seconds that workers have to end
DIE = "die"  # as an item: end the process
WAIT = "wait"  # as an item: take a while


@dataclass
class Probe:
    """Work that says who did it: the item, host and process, and how many items this copy has had.

    It leaves files in `folder` that tell which processes began and which closed it.
    """

    folder: str
    home: int  # process that hands it out
    had: int = 0

    def __call__(self, item: str) -> str:
        """Return the item with who did it, or end the process."""
        self._mark("began")
        self.had += 1
        if item == DIE:
            assert os.getpid() != self.home, "it says that there are workers, and works in this process: set `apart`"
            os._exit(3)
        if item == WAIT:
            time.sleep(0.1)
        return json.dumps([item, f"{socket.gethostname()}:{os.getpid()}", self.had])

    def close(self) -> None:
        """Say that this process closed it."""
        self._mark("closed")

    def _mark(self, what: str) -> None:
        if Path(self.folder).is_dir():  # on another machine it is not
            (Path(self.folder) / f"{what} {os.getpid()}").touch()

    def marked(self, what: str) -> set[int]:
        """Return the processes of this machine that began or closed it."""
        return {int(path.name.split()[1]) for path in Path(self.folder).glob(f"{what} *")}


@contextmanager
def _engine(subject: Subject) -> Iterator[tuple[Engine, Probe]]:
    """Give a new engine, closed in the end, and work for it; raises AssertionError for something else."""
    made = subject.make()
    assert isinstance(made, Engine), f"{type(made).__name__} is no Engine"
    made.check()
    with closing(made):
        yield made, Probe(str(subject.folder), os.getpid())


def one_result_each(subject: Subject) -> None:
    """Every item has one result, the one of its text, in any order; and it says truly what it has."""
    with _engine(subject) as (engine, work):
        cores: object = engine.cores()
        assert cores is None or (isinstance(cores, int) and cores >= 1), f"cores() gave {cores!r}: a worker has one"
        assert not list(engine.run(work, ())), "without items it gave results"
        found: dict[object, object] = {}
        for place, result in engine.run(work, iter(ITEMS)):
            assert place not in found, f"it gave two results at place {place}"
            found[place] = result
        assert set(found) == set(range(len(ITEMS))), f"{len(ITEMS)} items have results at {sorted(map(str, found))}"
        for place, item in enumerate(ITEMS):
            said = found[place]
            assert isinstance(said, str), f"its result of {shown(item)} is {shown(said)}, and the work gave a text"
            assert json.loads(said)[0] == item, f"at the place of {shown(item)} is the result of {shown(said)}"


def taken_when_free(subject: Subject) -> None:
    """Items are taken as workers are free for them: what later ones are depends on the results of earlier ones."""
    taken = 0

    def items() -> Iterator[str]:
        nonlocal taken
        for taken in range(1, MANY + 1):
            yield str(taken)

    with _engine(subject) as (engine, work), closing(engine.run(work, items())) as results:  # type: ignore[type-var]
        next(results)
        assert taken < MANY, f"it had taken all {MANY} items before it gave a result: take one when a worker is free"


def kept_copy(subject: Subject) -> None:
    """A worker gets its copy of the work once, and has it for all items, in a further run too."""
    with _engine(subject) as (engine, work):
        had: dict[str, list[int]] = {}
        for _ in range(2):
            for _, result in engine.run(work, map(str, range(MANY // 10))):
                assert isinstance(result, str), f"nobody died, and a result is {shown(result)}"
                _, who, count = json.loads(result)
                had.setdefault(who, []).append(count)
        for who, counts in had.items():
            assert sorted(counts) == list(range(1, len(counts) + 1)), (
                f"the copy of worker {who} counted {shown(sorted(counts))} items in two runs: give each worker one copy"
            )
        assert max(map(len, had.values())) > 1, "each item had a worker of its own: keep workers for further items"


def death_is_failed(subject: Subject) -> None:
    """An item whose worker died is Failed, with the reason; the others are done, and a further run works."""
    with _engine(subject) as (engine, work):
        if not engine.apart:
            return
        items = ["1", DIE, "2", "3", DIE, "4", "5"]
        for _ in range(2):
            for place, result in engine.run(work, iter(items)):
                if items[place] != DIE:
                    assert isinstance(result, str), f"its worker did not die, and the result is {shown(result)}"
                    continue
                assert isinstance(result, Failed), f"a worker died, and its item's result is {shown(result)}, no Failed"
                assert result.reason.strip(), "a worker died, and Failed has no reason"


def left_midway(subject: Subject) -> None:
    """A run that is left before its end gives nothing to the next one."""
    with _engine(subject) as (engine, work):
        for _ in range(2):
            with closing(engine.run(work, [WAIT] * MANY)) as results:  # type: ignore[type-var]
                next(results)
            found = list(engine.run(work, ("1", "2")))
            assert sorted(place for place, _ in found) == [0, 1], (
                f"a run of two items, after one that was left, gave places {sorted(place for place, _ in found)}"
            )
            for place, result in found:
                assert isinstance(result, str), f"a run was left, and the next one has {shown(result)}"
                assert json.loads(result)[0] == str(place + 1), f"a run that was left answered the next: {result}"


def nobody_is_left(subject: Subject) -> None:
    """Closed, it leaves no worker: those that waited have closed their work, those in the middle of an item end."""
    with _engine(subject) as (engine, work):
        for _ in engine.run(work, map(str, range(10))):
            pass
    began, closed = work.marked("began"), work.marked("closed")
    assert closed == began, f"of {len(began)} processes that worked {len(closed)} closed the work: call its close()"
    _wait_for(began - {os.getpid()})
    with _engine(subject) as (engine, work), closing(engine.run(work, [WAIT] * MANY)) as results:  # type: ignore[type-var]
        next(results)
    _wait_for(work.marked("began") - {os.getpid()})


def _wait_for(processes: set[int]) -> None:
    end = time.monotonic() + PATIENCE
    while left := [one for one in processes if _is_alive(one)]:
        assert time.monotonic() < end, f"after close() its worker {left[0]} goes on: end it, and wait for it"
        time.sleep(0.05)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def leaves_the_process(subject: Subject) -> None:
    """Opened, run and closed, it leaves signals, folder, environment and modes as they were, prints nothing."""
    for first in (True, False):  # the first time may import
        unsettle(4242)
        with watched(first=first), _engine(subject) as (engine, work):
            for _ in engine.run(work, ("1", "2")):
                pass


ENGINE: dict[str, Callable[[Subject], None]] = {
    "each item has one result, at its place": one_result_each,
    "items are taken when a worker is free": taken_when_free,
    "a worker keeps its copy of the work": kept_copy,
    "an item whose worker died is Failed, the others are done": death_is_failed,
    "a run that is left gives nothing to the next": left_midway,
    "closed, it leaves no worker": nobody_is_left,
    "it leaves the process as it was": leaves_the_process,
}
