"""`python -m tests.bags.killer PLACE SEED ARGUMENTS`: the maxi command, which kills itself at one write to the disk.

Every write, sync and rename that maxi makes is counted. At number PLACE the process writes a part of what it should,
or nothing, or all of it, and dies by SIGKILL. PLACE 0 kills nothing and prints the count.
"""

import os
import random
import signal
import sys
from io import FileIO
from pathlib import Path
from typing import Any

from maxi_core.system import files, store


class Killer:
    """Counts what reaches the disk and ends the process at one of these."""

    def __init__(self, place: int, seed: int) -> None:
        self.place, self.count = place, 0
        self.draw = random.Random(seed)

    def now(self) -> bool:
        self.count += 1
        return self.count == self.place

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(killer: Killer) -> None:
    """Put the killer into every write of the store and of whole files, every sync, and every rename."""

    def writing(write: Any) -> Any:
        def torn(file: FileIO, data: Any, /) -> int:
            if killer.now():
                write(file, bytes(data)[: killer.draw.randint(0, len(data))])
                killer.die()
            return int(write(file, data))

        return torn

    def around(function: Any) -> Any:
        def torn(*arguments: Any, **more: Any) -> Any:
            if killer.now():
                if killer.draw.random() < 0.5:
                    function(*arguments, **more)
                killer.die()
            return function(*arguments, **more)

        return torn

    class Torn(FileIO):
        write = writing(FileIO.write)

    def start(self: store.Store) -> FileIO:
        started(self).close()
        self._own = Torn(self.folder / self._own_name, "ab")
        return self._own

    started = store.Store._start
    store.Store._start = start  # type: ignore[method-assign]
    files._Whole.write = writing(files._Whole.write)  # type: ignore[method-assign]
    os.fsync = around(os.fsync)
    Path.replace = around(Path.replace)  # type: ignore[method-assign]


def main() -> int:
    from maxi_cli.__main__ import run

    killer = Killer(int(sys.argv[1]), int(sys.argv[2]))
    arm(killer)
    code = run(sys.argv[3:])
    sys.stderr.write(f"writes {killer.count}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
