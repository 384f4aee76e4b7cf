"""What a micro-batch costs before the model sees it, part by part, and how long training would wait for it.

    python -m benchmarks.loading [--videos 24] [--batch 4] [--frames 16] [--busy 1.0] [--rounds 5] [--json]

Clips of ten seconds, 340 x 256, written here, with bags of 20 texts. The consumer waits `--busy` seconds for each
micro-batch and uses no CPU, as with a GPU. Parts and ways run in turns; medians over rounds, CPU time by part.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import Any

from benchmarks import measure  # before torch: it sets how OpenMP waits

# isort: split
import torch

from benchmarks import moving
from maxi_core.bags.bag import to_line
from maxi_core.bags.manifest import BAGS
from maxi_core.batches.augmentation import Colour, draw_view
from maxi_core.batches.bag_index import open_bags
from maxi_core.batches.bag_sampling import draw_items
from maxi_core.batches.batch import BatchPlan
from maxi_core.batches.draws import generator
from maxi_core.batches.loader import Batches
from maxi_core.batches.token_rows import Prompter
from maxi_core.batches.training_prompts import training_prompt
from maxi_core.clip.tokens import Tokens, tokenize
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.files import write_lines
from maxi_core.types import Match, Text, TextBag, Video
from maxi_core.video.jobs import Job
from maxi_core.video.reader import Pool
from maxi_core.video.sampling import Sampling

SIZE, CLIPS, ITEMS = 224, 4, 20
JITTER = Colour(1.2, 0.8, 1.1, 0.05)
LONG = 200_000  # bags of the file whose index is timed


def bag(number: int, path: Path) -> TextBag:
    """Return a bag of 20 texts of two or three words."""
    items = tuple(Text(f"doing thing {number * 7 % 97} {item}", "gpt3", "x", "phrase") for item in range(ITEMS))
    return TextBag(Match(Video(f"{number}.mp4", path), f"action {number % 50}", 0.3), True, items)


def write_run(folder: Path, paths: list[Path], count: int) -> Path:
    """Write a run of `count` videos that are the same few clips in turn."""
    write_lines(folder / BAGS, (to_line(bag(number, paths[number % len(paths)])) for number in range(count)))
    return folder


def slow_colour(frames: torch.Tensor) -> torch.Tensor:
    """Change the colours in torchvision's way, one after the other."""
    from torchvision.transforms.v2 import functional as transforms

    frames = transforms.adjust_brightness(frames, JITTER.brightness)
    frames = transforms.adjust_contrast(frames, JITTER.contrast)
    frames = transforms.adjust_saturation(frames, JITTER.saturation)
    return transforms.adjust_hue(frames, JITTER.hue)


def parts(run: Path, call: Any, frames: int, rounds: int) -> dict[str, float]:
    """Return milliseconds of CPU per video of each part of the work."""
    examples = open_bags(run)
    count = min(16, len(examples))
    some = [examples[place] for place in range(count)]
    with Pool(VideoOptions(workers=0)) as pool:
        reply = pool.take(pool.ask(Job(some[0].video, {"clip": Sampling("random", frames)})))
    pixels = reply["clip"]  # type: ignore[index]
    view = draw_view("spatial", True, Random(0))
    cropped = view.apply(pixels, SIZE)
    drawn = [draw_items(one.texts, 16, generator("bag", 0, 0, one.video.id)) for one in some]
    prompts = [[training_prompt(one.matched, item) for item in items] for one, items in zip(some, drawn, strict=True)]
    warm = Prompter(call)
    warm.batch(prompts)

    def decode() -> None:
        with Pool(VideoOptions(workers=0)) as pool:
            pool.take(pool.ask(Job(some[0].video, {"clip": Sampling("random", frames)})))

    ways = {
        "read the bag": (lambda: [examples[place] for place in range(count)], count),
        "draw 16 items": (lambda: [draw_items(o.texts, 16, generator("bag", 0, 1, o.video.id)) for o in some], count),
        "tokenize, new texts": (lambda: Prompter(call).batch(prompts), count),
        "tokenize, known texts": (lambda: warm.batch(prompts), count),
        "decode": (decode, 1),
        "crop and resize": (lambda: view.apply(pixels, SIZE), 1),
        "colour": (lambda: JITTER.apply(cropped.numpy()), 1),
        "colour, torchvision": (lambda: slow_colour(cropped), 1),
    }
    for way, _ in ways.values():
        way()
    times = measure.in_turns({name: way for name, (way, _) in ways.items()}, rounds)
    return {name: 1000 * times[name].median("cpu") / videos for name, (_, videos) in ways.items()}


def consume(batches: Batches, epoch: int, busy: float) -> tuple[float, float]:
    """Go through an epoch; return seconds per micro-batch and the share of them that was spent waiting."""
    waited, began = 0.0, time.perf_counter()
    last = began
    for _ in batches.epoch(epoch):
        waited += time.perf_counter() - last
        time.sleep(busy)
        last = time.perf_counter()
    passed = time.perf_counter() - began
    return passed / batches.per_epoch(), waited / passed


def waiting(run: Path, call: Any, asked: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Return how long each way takes; frames that are held are so from the second epoch on."""
    ways = {"no workers": (0, 0.0), "2 workers": (2, 0.0), "held in memory": (2, 64.0)}
    made = {}
    for name, (workers, held) in ways.items():
        plan = BatchPlan(asked.batch, asked.frames, hold_gb=held)
        made[name] = Batches(open_bags(run), plan, call, SIZE, VideoOptions(workers=workers))
    consume(made["held in memory"], 0, 0.0)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for epoch in range(1, asked.rounds + 1):
        for name, batches in made.items():
            times[name].append(consume(batches, epoch, asked.busy))
    return {
        name: {"seconds": statistics.median(s for s, _ in rounds), "waits": statistics.median(w for _, w in rounds)}
        for name, rounds in times.items()
    }


def opening(folder: Path) -> dict[str, float]:
    """Return seconds to open a run of many bags for the first time and later."""
    run = write_run(folder, [Path("/nowhere.mp4")], LONG)
    times = []
    for _ in range(2):
        began = time.perf_counter()
        open_bags(run)
        times.append(time.perf_counter() - began)
    return {"first": times[0], "later": times[1], "megabytes": (run / BAGS).stat().st_size / 1e6}


def main() -> None:
    """Time every part and every way and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--videos", type=int, default=24)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--busy", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()

    def call(texts: list[str]) -> Tokens:
        return tokenize(tokenizer, texts)

    with tempfile.TemporaryDirectory() as folder:
        paths = [moving.write(Path(folder) / f"{seed}.mp4", 340, 256, seed) for seed in range(CLIPS)]
        run = write_run(Path(folder) / "run", paths, asked.videos)
        cost = parts(run, call, asked.frames, asked.rounds)
        ways = waiting(run, call, asked)
        opened = opening(Path(folder) / "long")
    print(f"CPU ms a video: {asked.frames} frames of 340 x 256, 16 prompts")
    for name, milliseconds in cost.items():
        print(f"  {name:24}{milliseconds:8.2f}")
    print(f"micro-batches of {asked.batch}, a consumer that takes {asked.busy:g} s for each")
    print(f"  {'':24}seconds a batch  consumer waits")
    for name, row in ways.items():
        print(f"  {name:24}{row['seconds']:15.2f}{row['waits']:16.0%}")
    print(
        f"opening {LONG} bags ({opened['megabytes']:.0f} MB): {opened['first']:.1f} s the first time, "
        f"{1000 * opened['later']:.0f} ms later"
    )
    if asked.json:
        print(json.dumps({"schema": 1, "parts": cost, "ways": ways, "opening": opened}))


if __name__ == "__main__":
    sys.exit(main())
