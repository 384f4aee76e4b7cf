"""How long a report of very many videos takes to make and, in Chromium, to open.

python -m benchmarks.report [--videos 240000] [--list 1000] [--rounds 5] [--chromium /usr/bin/chromium] [--keep FOLDER]

Bags are synthetic, as large as the paper's: 400 entries, five phrases of an entry, eight captions of a video; each
listed video has a picture of noise, as large as a JPEG of a real frame. Opening is from the start of the navigation
until the list can be searched (the `load` event, after the page's script); a search is timed until its list is drawn.
On a machine that others use, wall time says little: the goal is on the CPU time of all processes of the browser.
"""

import argparse
import json
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from maxi_core.bags.bag import to_line
from maxi_core.reporting.page import render
from maxi_core.reporting.pictures import Picture, as_uri
from maxi_core.reporting.report import LISTED, bags_part
from maxi_core.system.files import utc_stamp, write_lines, write_text
from maxi_core.types import Match, Text, TextBag, Video

GOAL = 2.0  # seconds
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
ENTRIES, PHRASES, CAPTIONS = 400, 5, 8
WORDS = [f"{first}{second}ing" for first in ("clap", "jump", "rid", "pull", "wav") for second in "abcdefghijklmnopqrst"]


def bags(count: int) -> Iterator[TextBag]:
    """Yield synthetic bags, the same every time."""
    draw = random.Random(0)
    for place in range(count):
        entry = f"{WORDS[place % 100]} the thing number {place % ENTRIES}"
        score = draw.gauss(0.25, 0.03)
        phrases = tuple(f"{draw.choice(WORDS)} with both hands {number}" for number in range(PHRASES))
        captions = tuple(f"a person is {draw.choice(WORDS)} near a table" for _ in range(CAPTIONS))
        texts = [Text(phrase, "gpt3", entry, "phrase") for phrase in phrases]
        for source, said in (("gpt3", phrases), ("blip", captions)):
            words = dict.fromkeys(word for text in said for word in text.split() if word in WORDS)
            texts += [Text(form, source, word, "verb") for word in words for form in (word, word.removesuffix("ing"))]
        top = tuple((f"entry {rank}", score - 0.01 * rank) for rank in range(5))
        video = Video(f"class {place % ENTRIES}/clip {place:06}.mp4", Path(f"/videos/{place:06}.mp4"))
        said = (("gpt3", phrases), ("blip", captions))
        yield TextBag(Match(video, entry, score, top), True, tuple(texts), said)


def write_report(folder: Path, videos: int, listed: int) -> dict[str, float]:
    """Write a run and its report; return seconds and megabytes."""
    write_lines(folder / "bags.jsonl", map(to_line, bags(videos)))
    began = time.perf_counter()
    part = bags_part(folder, listed=listed)
    counted = time.perf_counter() - began
    noise = np.random.default_rng(0)
    pictures = {
        place: Picture(
            tuple(
                as_uri((noise.normal(128, 40, (96, 171, 3)).clip(0, 255)).astype(np.uint8))
                for _ in range(wish.frames or 1)
            )
        )
        for place, wish in part.wishes.items()
    }
    began = time.perf_counter()
    html = render({"title": "synthetic", "made": utc_stamp(), "parts": [part.values]}, {0: pictures})
    written = time.perf_counter() - began
    write_text(folder / "report.html", html)
    return {"count_s": counted, "render_s": written, "mb": (folder / "report.html").stat().st_size / 1e6}


def cpu_seconds() -> float:
    """Return the CPU seconds so far of the processes that this one has started: of the browser, and what drives it."""
    return sum(sum(process.cpu_times()[:2]) for process in psutil.Process().children(recursive=True))


def open_report(path: Path, chromium: str, rounds: int) -> dict[str, list[float]]:
    """Open the page as often, each time in a browser of its own; return seconds."""
    from playwright.sync_api import sync_playwright

    found: dict[str, list[float]] = {"open_cpu_s": [], "open_s": [], "search_s": []}
    with sync_playwright() as playwright:
        for _ in range(rounds):
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            page = browser.new_page()
            used, began = cpu_seconds(), time.perf_counter()
            page.goto(path.as_uri(), wait_until="load")
            assert page.locator(".card").count() == 24
            found["open_s"].append(time.perf_counter() - began)
            found["open_cpu_s"].append(cpu_seconds() - used)
            searched = """() => {
              const began = performance.now();
              const field = document.querySelector("[name=words]");
              field.value = "table";
              field.dispatchEvent(new Event("input", {bubbles: true}));
              document.body.getBoundingClientRect();
              return (performance.now() - began) / 1000;
            }"""
            found["search_s"].append(page.evaluate(searched))
            browser.close()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=240_000)
    parser.add_argument("--list", type=int, default=LISTED)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--keep", type=Path, help="folder that keeps the run and its report")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        made = write_report(folder, arguments.videos, arguments.list)
        opened = open_report(folder / "report.html", arguments.chromium, arguments.rounds)
    if arguments.json:
        print(json.dumps({"schema": 1, **made, **opened, "goal_s": GOAL}))
    else:
        print(f"{arguments.videos} videos: counted in {made['count_s']:.1f} s, rendered in {made['render_s']:.1f} s")
        print(f"{made['mb']:.1f} MB with {arguments.list} videos listed")
        for name, seconds in opened.items():
            spread = f"{min(seconds):.2f} - {max(seconds):.2f}"
            print(f"{name}: {statistics.median(seconds):.2f} ({spread}) of {len(seconds)}")
    met = statistics.median(opened["open_cpu_s"]) <= GOAL
    print(f"goal: open in {GOAL:g} s of CPU: {'met' if met else 'MISSED'}; load average {os.getloadavg()[0]:.1f}")
    return not met


if __name__ == "__main__":
    raise SystemExit(main())
