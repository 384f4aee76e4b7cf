"""Timing two ways of doing one thing fairly: one process, in turns, wall clock and CPU, and the machine's own rate.

Wall time on a shared machine varies two-fold, so goals are on CPU time, and OpenMP's threads must not spin while they
wait: import this before torch.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, process_time
from typing import Any

os.environ["OMP_WAIT_POLICY"] = "passive"

GEMM = 1536  # rows of the square matrices


@dataclass(frozen=True)
class Times:
    """Seconds of each round, by the wall and by the CPU, of `share` of the work."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    share: float = 1.0

    def median(self, clock: str) -> float:
        """Return the median in seconds of the whole work, scaled up if a share of it was timed."""
        return median(getattr(self, clock)) / self.share

    def spread(self, clock: str) -> tuple[float, float]:
        """Return the smallest and the largest time of the whole work."""
        return min(getattr(self, clock)) / self.share, max(getattr(self, clock)) / self.share


def in_turns(
    ways: dict[str, Callable[[], Any]], rounds: int, shares: dict[str, float] | None = None
) -> dict[str, Times]:
    """Time the ways one after the other, `rounds` times round, with a matrix product (`gemm`) in each round."""
    import torch

    matrix = torch.randn(GEMM, GEMM)
    ways = {**ways, "gemm": lambda: matrix @ matrix}
    times = {name: Times(share=(shares or {}).get(name, 1.0)) for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            wall, cpu = perf_counter(), process_time()
            way()
            times[name].cpu.append(process_time() - cpu)
            times[name].wall.append(perf_counter() - wall)
    return times


def report(times: dict[str, Times], slow: str, fast: str) -> dict[str, float]:
    """Print the medians and their ratio as a table; return them by name."""
    import torch

    found: dict[str, float] = {}
    print(f"{'':14}{'wall s, median (min - max)':>34}{'CPU s, median (min - max)':>34}")
    for name in (slow, fast):
        cells = []
        for clock in ("wall", "cpu"):
            found[f"{name}_{clock}"] = times[name].median(clock)
            low, high = times[name].spread(clock)
            cells.append(f"{times[name].median(clock):.3f} ({low:.3f} - {high:.3f})")
        scaled = "" if times[name].share == 1 else f"  timed {times[name].share:.2%} of it, scaled"
        print(f"{name:14}{cells[0]:>34}{cells[1]:>34}{scaled}")
    for clock in ("wall", "cpu"):
        found[f"ratio_{clock}"] = found[f"{slow}_{clock}"] / found[f"{fast}_{clock}"]
    found["gemm_gflops"] = 2 * GEMM**3 / times["gemm"].median("wall") / 1e9
    print(f"{slow} / {fast}: {found['ratio_wall']:.1f} x wall, {found['ratio_cpu']:.1f} x CPU")
    print(f"fp32 matrix product in the same run: {found['gemm_gflops']:.0f} GFLOP/s, {torch.get_num_threads()} threads")
    return found


def judge(goals: dict[str, tuple[float, str, float]]) -> int:
    """Print each goal, name -> (found, `>=` or `<=`, wanted), and return 1 if one is missed."""
    missed = 0
    for name, (found, sign, wanted) in goals.items():
        met = found >= wanted if sign == ">=" else found <= wanted
        missed += not met
        print(f"{name}: {found:.3g}, goal {sign} {wanted:g}: {'met' if met else 'MISSED'}")
    return 1 if missed else 0
