"""What it costs to hand a share of 64 videos to a worker of an engine, beside asking in one process.

    python -m benchmarks.engines [--shares 20 120] [--rounds 3] [--engines local ray]

`maxi bags` of sources that answer at once runs as a command with so many shares; what a share costs is the difference
of the two runs over that of their numbers, so starts, imports and the cluster of Ray do not count. One worker each.
What stays is what maxi does for 64 videos, and at a worker their way there and back. Wall time.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.growth import ENTRIES, write_list

SHARE = 64  # videos
WORDS = {
    "one process": (),
    "local": ("--engine", "local", "-o", "local.processes=1"),
    "ray": ("--engine", "ray", "-o", "ray.address=local", "-o", "ray.actors=1", "-o", "ray.cpus=1"),
}
PLUGIN = """
from benchmarks.growth import StubAugmenter, StubCaptioner, StubMatcher
from maxi_core import hookimpl

@hookimpl
def maxi_register_sources():
    return [StubMatcher, StubCaptioner, StubAugmenter]
"""


def seconds(folder: Path, shares: int, engine: str) -> float:
    """Return how long the command takes for so many shares, none of which is known."""
    videos = folder / str(shares)
    if not videos.exists():
        videos.mkdir()
        write_list(videos, shares * SHARE)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        out = ["--out", f"{place}/run", "--store", f"{place}/store", "--plugin", str(folder / "stubs.py")]
        sources = ["--sources", "stubmatch,stubcaption,stubverbs", "--dictionary", str(folder / "actions.txt")]
        words = ["bags", str(videos / "list.csv"), *sources, *out, *WORDS[engine], "--quiet"]
        root = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
        env = {**os.environ, "PYTHONPATH": root, "RAY_USAGE_STATS_ENABLED": "0"}
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "maxi_cli", *words], check=True, env=env, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began


def main() -> int:
    """Measure each engine in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--shares", type=int, nargs=2, default=(20, 120))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="+", choices=[*WORDS][1:], default=[*WORDS][1:])
    asked = parser.parse_args()
    few, many = sorted(asked.shares)
    if few == many:
        parser.error("--shares: two different numbers")
    times: dict[tuple[str, int], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "stubs.py").write_text(PLUGIN)
        (folder / "actions.txt").write_text("".join(f"{entry}\n" for entry in ENTRIES))
        for _ in range(asked.rounds):
            for engine in ("one process", *asked.engines):
                for shares in (few, many):
                    times.setdefault((engine, shares), []).append(seconds(folder, shares, engine))
    each = {}
    print(f"{'':14}{f'{few} shares, s':>16}{f'{many} shares, s':>16}{'a share, ms':>14}{'beside one process':>20}")
    for engine in ("one process", *asked.engines):
        low, high = (statistics.median(times[engine, shares]) for shares in (few, many))
        each[engine] = 1000 * (high - low) / (many - few)
        ratio = each[engine] / each["one process"]
        print(f"{engine:14}{low:16.1f}{high:16.1f}{each[engine]:14.1f}{ratio:19.2f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main())
