"""Decoding ahead in worker processes against none, for a consumer that computes elsewhere, as with a GPU.

    python -m benchmarks.prefetch [DIR] [--videos 48] [--busy 0.04] [--rounds 5] [--json]

The consumer waits `--busy` seconds for each video, using no CPU. Ways run in turns; medians over rounds.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from benchmarks import moving
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.frames import Frames
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling

WANTED = {"clip": Sampling("middles", 16)}


def consume(videos: list[Video], options: VideoOptions, busy: float) -> tuple[float, float]:
    """Go through the videos; return seconds a video and the share of them that the consumer waited for frames."""
    waited = 0.0
    began = time.perf_counter()
    last = began
    for _, frames in read_videos(videos, WANTED, options):
        waited += time.perf_counter() - last
        if not isinstance(frames, Frames):
            raise SystemExit(f"a video of the benchmark cannot be read: {frames.reason}")
        time.sleep(busy)
        last = time.perf_counter()
    passed = time.perf_counter() - began
    return passed / len(videos), waited / passed


def main() -> None:
    """Time every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, help="videos to use instead of clips written here")
    parser.add_argument("--videos", type=int, default=48)
    parser.add_argument("--busy", type=float, default=0.04)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.folder is None:
            for seed in range(4):
                moving.write(Path(folder) / f"{seed}.mp4", 340, 256, seed)
        videos = list(islice(cycle(find_videos(asked.folder or folder)), asked.videos))
        cache = Path(folder) / "cache"
        ways = {
            "no workers": VideoOptions(workers=0),
            "1 worker": VideoOptions(workers=1),
            "2 workers": VideoOptions(workers=2),
            "2 workers, frame cache": VideoOptions(workers=2, frame_cache=cache),
        }
        consume(videos, ways["2 workers, frame cache"], 0.0)  # fill the cache
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(asked.rounds):
            for name, options in ways.items():
                times[name].append(consume(videos, options, asked.busy))
    found = {
        name: {
            "seconds": statistics.median(seconds for seconds, _ in rounds),
            "waited": statistics.median(waited for _, waited in rounds),
        }
        for name, rounds in times.items()
    }
    print(f"{asked.videos} videos, 16 frames each, a consumer that takes {1000 * asked.busy:g} ms a video")
    print(f"  {'':24} videos/s  ratio  consumer waits")
    for name, row in found.items():
        ratio = found["no workers"]["seconds"] / row["seconds"]
        print(f"  {name:24} {1 / row['seconds']:8.1f} {ratio:6.2f} {row['waited']:14.0%}")
    if asked.json:
        print(json.dumps({"schema": 1, "busy": asked.busy, "found": found}))


if __name__ == "__main__":
    sys.exit(main())
