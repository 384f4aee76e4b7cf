"""A command, run by itself and measured: seconds, and the memory of its processes together."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

EVERY = 0.2  # seconds between looks at the memory


@dataclass(frozen=True)
class Stage:
    """A stage as it was measured: wall time, time of all cores, and the largest sum of the memory of its processes.

    A page that several processes share counts in each, so the sum is an upper bound.
    """

    name: str
    command: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    code: int
    output: str


def measured(name: str, command: Sequence[str], env: Mapping[str, str], folder: Path) -> Stage:
    """Run a command in `folder` until it ends; what it prints is kept, and is no error here."""
    began, peak = time.perf_counter(), 0
    cpu: dict[int, float] = {}  # seconds by process, as last seen
    with (folder / f"{name}.log").open("w+", encoding="utf-8") as log:
        with subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=subprocess.STDOUT) as process:  # noqa: S603
            while process.poll() is None:
                peak = max(peak, _look(process.pid, cpu))
                with suppress(subprocess.TimeoutExpired):
                    process.wait(EVERY)
        seconds = time.perf_counter() - began
        log.seek(0)
        output = log.read()
    shown = " ".join([Path(command[0]).name, *command[1:]])
    return Stage(name, shown, seconds, sum(cpu.values()), peak, process.returncode, output)


def _look(pid: int, cpu: dict[int, float]) -> int:
    """Return the memory of a process and all below it, and keep the time of each in `cpu`."""
    total = 0
    with suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):
                total += process.memory_info().rss
                cpu[process.pid] = sum(process.cpu_times()[:2])
    return total
