"""How fast `vlm` asks, 32 questions at once against one by one, of a server on the loopback interface.

    python -m benchmarks.vlm [--videos N] [--side N]

The server is a process of its own and answers each question 0.2 seconds after it has come. It runs on the same cores,
which a real one does not, so it does no more than it must: it reads a question and does not look into it. Everything
but the decoding of videos is as in `maxi bags`: frames become JPEGs, and each answer is kept on the disk twice, as a
reply and as an answer. Prints seconds and their ratio for videos of one frame and of as many as are usual, and the CPU
time that the client takes for a video and has got of the machine: on a busy one that bounds the ratio, and not how many
questions are under way. Exits with 1 if a ratio is below 20. No real endpoint is asked.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.measure import judge
from maxi_core import Clip, Video
from maxi_core.bags.answers import Answers
from maxi_core.bags.asker import Asker
from maxi_core.bags.codecs import TEXTS_OF_VIDEO, video_key
from maxi_core.system.store import Store
from maxi_plugins.vlm import Vlm

SECONDS = 0.2  # of a reply
GOAL = 20.0
ROUNDS = 3
ALONE = 20  # videos that are asked of one by one, scaled up


@contextmanager
def endpoint() -> Iterator[None]:
    """Run the server in a process of its own, and name it in the environment with a MAXI_HOME of its own."""
    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen([sys.executable, "-m", "benchmarks.vlm_server", str(SECONDS)], stdout=subprocess.PIPE)
        assert server.stdout is not None
        os.environ |= {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": server.stdout.readline().decode().strip()}
        os.environ["MAXI_HOME"] = home
        try:
            yield
        finally:
            server.terminate()
            server.wait()


def clips(count: int, frames: int, side: int) -> Iterator[Clip]:
    """Yield clips in the shape of films, each with smooth frames of its own."""
    from PIL import Image

    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 255, (frames, side // 8, side * 2 // 9, 3), dtype=np.uint8)
    large = np.stack([np.asarray(Image.fromarray(one).resize((side * 16 // 9, side))) for one in coarse])
    for place in range(count):
        yield Clip(Video(f"{place}.mp4", Path(f"{place}.mp4")), np.roll(large, place, axis=2))


def seconds_for(count: int, concurrency: int, frames: int, side: int) -> tuple[float, float]:
    """Return the seconds that the captions of so many videos take, and the CPU seconds of this process."""
    shown = list(clips(count, frames, side))
    with endpoint(), tempfile.TemporaryDirectory() as folder, Store(Path(folder), {}, costly=True) as store:
        source = Vlm(Vlm.Options(model="m", frames=frames, side=side))
        source.concurrency = concurrency
        asker = Asker(source, source.caption, Answers(source.label, TEXTS_OF_VIDEO, store), strict=True)
        began, computed = time.perf_counter(), time.process_time()
        try:
            for clip in shown:
                asker.take(clip.video, video_key(clip.video), clip)
            for clip in shown:
                asker.settle(video_key(clip.video))
            took = time.perf_counter() - began, time.process_time() - computed
            assert all(asker.answers.of(clip.video, video_key(clip.video)) == ["pouring water"] for clip in shown)
        finally:
            asker.close()
    return took


def measured(videos: int, frames: int, side: int) -> float:
    """Print how long videos of so many frames take, and return how much faster they are asked about at once."""
    alone, at_once, computed = [], [], []
    for _ in range(ROUNDS):
        alone.append(seconds_for(ALONE, 1, frames, side)[0] * videos / ALONE)
        took, cpu = seconds_for(videos, Vlm.concurrency, frames, side)
        at_once.append(took)
        computed.append(cpu)
    what = f"{videos} videos of {frames} frames of {side} px"
    for name, times in ((f"one by one (from {ALONE})", alone), (f"{Vlm.concurrency} at once", at_once)):
        print(f"{what}, {name}: {median(times):.1f} s ({min(times):.1f} to {max(times):.1f})")
    ratio, share = median(alone) / median(at_once), median(computed) / median(at_once)
    print(
        f"{ratio:.1f} times as fast; {1000 * median(computed) / videos:.1f} ms of CPU a video, {share:.2f} of one core"
    )
    return ratio


def main(arguments: Sequence[str]) -> int:
    """Print the times for one frame, and for as many as are usual; return 1 if the goal is missed."""
    options = Vlm.Options()
    parser = argparse.ArgumentParser()
    parser.add_argument("--videos", type=int, default=640)
    parser.add_argument("--side", type=int, default=options.side)
    asked = parser.parse_args(arguments)
    seconds_for(ALONE, Vlm.concurrency, 1, asked.side)  # libraries are imported, files are cached
    ratios = {frames: measured(asked.videos, frames, asked.side) for frames in (1, options.frames)}
    times = f"times as fast, {Vlm.concurrency} at once"
    return judge({f"{times}, frames: {frames}": (ratio, ">=", GOAL) for frames, ratio in ratios.items()})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
