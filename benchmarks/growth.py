"""What maxi itself costs in a run of many shares, by sources that answer at once, and a figure of it.

    python -m benchmarks.growth [--videos 20000 100000] [--each 1000] [--shares 20] [--json] [--figure growth.svg]

For each number of videos a list is written, cut into shares of `--each`. The first share writes the list of the run.
Of the others `--shares` are run and measured, spread over the run; what all others would have left (answers in the
store, lines in the log, their files) is written by the functions that write it in a share, without the sources. Then
the merge makes all bags, in a process of its own, and their index is made and opened. Costs of all shares are the mean
of those measured times their number; those of ten million videos, which the goals are of, are multiplied from the
largest size.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.measure import judge
from maxi_core.bags.answered import Answered, answers_of, to_lines
from maxi_core.bags.askers import Sources, store_about, store_name
from maxi_core.bags.codecs import TEXTS_OF_VIDEO, match_codec, video_key
from maxi_core.bags.run import Job
from maxi_core.bags.shard import Shard, note_done
from maxi_core.bags.sharing import key_of, merge, run_shard
from maxi_core.batches.bag_index import INDEX, open_bags
from maxi_core.plugin.roles import Augmenter, Captioner, Matcher
from maxi_core.system.files import write_lines
from maxi_core.system.store import Store, digest
from maxi_core.types import Clip, Dictionary, Form, Match, Video
from maxi_core.video.inputs import find_videos
from maxi_core.video.listing import listed

GOAL_OF = 10_000_000  # videos
ENTRIES = tuple(f"doing thing {number}" for number in range(400))
DONE = {"schema": 2, "finished": ""}


class StubMatcher(Matcher):
    """Match by the start of the window."""

    name = "stubmatch"
    frames = None
    batch = 64

    def match(self, clips: list[Clip], dictionary: Dictionary) -> list[Any]:  # noqa: ARG002 (a matcher's)
        return [match_of(clip.video) for clip in clips]


class StubCaptioner(Captioner):
    """Say two captions, of a hundred."""

    name = "stubcaption"
    frames = None
    batch = 64

    def caption(self, clips: list[Clip]) -> list[Any]:
        return [captions_of(clip.video) for clip in clips]


class StubAugmenter(Augmenter):
    """Find one verb in a caption."""

    name = "stubverbs"

    def augment(self, texts: list[str]) -> list[Any]:
        return [forms_of(text) for text in texts]


def number_of(video: Video) -> int:
    return int(video.start or 0)


def match_of(video: Video) -> Match:
    number = number_of(video)
    entry = ENTRIES[number * 7919 % len(ENTRIES)]
    score = number * 104729 % 1_000_003 / 1_000_003
    return Match(video, entry, score, ((entry, score),))


def captions_of(video: Video) -> list[str]:
    number = number_of(video)
    return [f"a person verb{number % 50}ing", f"somebody else verb{number % 50 + 50}ing"]


def forms_of(text: str) -> list[Form]:
    word = text.rsplit(maxsplit=1)[-1]
    return [Form(word, "verb", word[:-3])]


def job_of(folder: Path, *, shared: bool = True) -> Job:
    """Return the job as `maxi bags` makes it."""
    sources = Sources(StubMatcher(), (StubCaptioner(),), StubAugmenter())

    def find() -> Any:
        return find_videos(folder / "list.csv", allow_outside_root=True)

    videos = listed(folder / "run" / "shards", {}, find) if shared else find()
    return Job(videos, Dictionary("actions", ENTRIES), sources, folder / "run", folder / "store", recipe="")


def write_list(folder: Path, count: int) -> None:
    """Write a list of windows of one file, so that no two are the same video and there is one file to look at."""
    (folder / "v.mp4").write_bytes(b"x")
    rows = (f"v.mp4,{number},{number + 1}" for number in range(count))
    write_lines(folder / "list.csv", (row for part in (["path,start,end"], rows) for row in part))


def first_share(folder: Path, of: int) -> dict[str, float]:
    """Write the list of the run and do the first share."""
    began = time.process_time()
    job = job_of(folder)
    listing = time.process_time() - began
    run_shard(job, Shard(of, 1))
    return {"list": listing}


def fake_shares(folder: Path, of: int, numbers: list[int]) -> dict[str, float]:
    """Leave what shares leave, without asking anybody."""
    job = job_of(folder)
    key, dictionary = key_of(job), job.dictionary
    codec, entries = match_codec(dictionary), digest(dictionary.entries)
    for number in numbers:
        shard = Shard(of, number)
        videos = list(shard.share(job.videos))
        stores = []
        for source, more in zip(job.sources.every(), ((entries,), (), ()), strict=True):
            about = store_about(source, job.sources.reading, *more)
            store = Store.__new__(Store)  # its answers are not looked at, so they need not be learned
            store.__dict__.update(Store(folder / "nothing", about).__dict__, folder=job.store / store_name(about))
            store.SYNC_EVERY = store._sync_every = 10**9
            stores.append(store)
        for video in videos:
            name = video_key(video)
            stores[0].put(name, codec.describe(video), codec.encode(match_of(video)))
            stores[1].put(name, TEXTS_OF_VIDEO.describe(video), captions_of(video))
        for store in stores:
            store.close()
        write_lines(answers_of(job.out, shard), to_lines(key, map(answered, videos)))
        (job.out / "shards" / shard.lock).touch()
        note_done(job.out, shard, {**DONE, "share": key, "videos": len(videos), "matched": len(videos)})
    return {}


def answered(video: Video) -> Answered:
    said = captions_of(video)
    return Answered(video, match_of(video), {"stubcaption": said}, {text: forms_of(text) for text in said})


def one_share(folder: Path, of: int, number: int) -> dict[str, float]:
    """Do a share, and say when the first question was asked."""
    began, wall = time.process_time(), time.perf_counter()
    first: list[tuple[float, float]] = []
    match = StubMatcher.match

    def asked(self: StubMatcher, clips: list[Clip], dictionary: Dictionary) -> list[Any]:
        first.append((time.process_time() - began, time.perf_counter() - wall))
        return match(self, clips, dictionary)

    StubMatcher.match = asked  # type: ignore[method-assign]
    run_shard(job_of(folder), Shard(of, number))
    return {"start": first[0][0], "start_wall": first[0][1], "cpu": time.process_time() - began}


def all_bags(folder: Path) -> dict[str, float]:
    """Merge."""
    began, cpu = time.perf_counter(), time.process_time()
    made = merge(job_of(folder))
    assert made.tally.kept == made.tally.videos
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - began}


def opened(folder: Path) -> dict[str, float]:
    """Open the bags for training."""
    import numpy as np

    assert np.__name__  # its import is not what is measured
    found = {}
    for name in ("index", "open"):
        wall, cpu = time.perf_counter(), time.process_time()
        count = len(open_bags(folder / "run"))
        found[name], found[f"{name}_cpu"] = time.perf_counter() - wall, time.process_time() - cpu
    return {**found, "bags": count, "bytes": (folder / "run" / INDEX).stat().st_size}


def apart(work: Callable[..., dict[str, float]], *arguments: object) -> dict[str, float]:
    """Do work in a process of its own; return what it says and the most memory that the process had, in MB."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_weighed, work, arguments).result()


def _weighed(work: Callable[..., dict[str, float]], arguments: tuple[object, ...]) -> dict[str, float]:
    found = work(*arguments)
    return {**found, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def grow(count: int, each: int, sample: int) -> dict[str, float]:
    """Return what a run of so many videos costs."""
    of = -(-count // each)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_list(folder, count)
        first = apart(first_share, folder, of)
        steps = sorted({2 + (of - 2) * place // max(1, sample - 1) for place in range(sample)} & set(range(2, of + 1)))
        found, before = [], 2
        for number in steps:
            apart(fake_shares, folder, of, [other for other in range(before, number) if other != number])
            found.append(apart(one_share, folder, of, number))
            before = number + 1
        (folder / "run" / "bags.jsonl").unlink(missing_ok=True)  # the last share has made them
        merged = apart(all_bags, folder)
        bags = apart(opened, folder)
    shares = statistics.mean(one["cpu"] for one in found[:-1] or found) * of  # the last one merges too
    return {
        "videos": count,
        "shares": of,
        "measured": len(found),
        "list_s": first["list"],
        "list_mb": first["mb"],
        "start_s": statistics.median(one["start"] for one in found),
        "start_last_s": found[-1]["start"],
        "start_wall_s": statistics.median(one["start_wall"] for one in found),
        "share_cpu_s": statistics.mean(one["cpu"] for one in found[:-1] or found),
        "share_mb": max(one["mb"] for one in found[:-1] or found),
        "merge_rate": count / merged["cpu"],
        "merge_cpu_s": merged["cpu"],
        "merge_wall_s": merged["wall"],
        "merge_mb": merged["mb"],
        "index_rate": bags["bags"] / bags["index"],
        "index_cpu_s": bags["index_cpu"],
        "open_s": bags["open"],
        "cpu_hours": (first["list"] + shares + merged["cpu"]) / 3600,
    }


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw CPU time of the parts against the number of videos."""
    from matplotlib.figure import Figure

    from maxi_core.system.plotting import own_settings

    with own_settings(8.0):
        figure = Figure(figsize=(5, 3.2), layout="constrained")
        axis = figure.add_subplot()
        videos = [row["videos"] for row in rows]
        parts: dict[str, Iterator[float]] = {
            "all": (3600 * row["cpu_hours"] for row in rows),
            "list": (row["list_s"] for row in rows),
            "merge": (row["merge_cpu_s"] for row in rows),
            "start of a share": (row["start_s"] for row in rows),
        }
        for label, seconds in parts.items():
            axis.plot(videos, list(seconds), marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="videos, in shares of 1,000", ylabel="seconds")
        axis.legend()
        figure.savefig(path)


def main() -> int:
    """Measure each size, print a table, and judge the largest; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--videos", type=int, nargs="+", default=[20_000, 100_000])
    parser.add_argument("--each", type=int, default=1000)
    parser.add_argument("--shares", type=int, default=20)
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    parser.add_argument("--figure", type=Path, help="draw it there")
    asked = parser.parse_args()
    rows = []
    for count in asked.videos:
        rows.append(row := grow(count, asked.each, asked.shares))
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    if asked.figure:
        draw(rows, asked.figure)
    if asked.json:
        print(json.dumps({"schema": 1, "rows": rows}))
    last = rows[-1]
    memory = max(last[name] for name in ("list_mb", "share_mb", "merge_mb"))
    return judge(
        {
            "start of a share, CPU s": (last["start_s"], "<=", 1.0),
            f"CPU-hours of {GOAL_OF:,} videos, multiplied": (last["cpu_hours"] * GOAL_OF / last["videos"], "<=", 2.0),
            "memory, MB": (memory, "<=", 500.0),
            "merge, records in a second of CPU": (last["merge_rate"], ">=", 20_000.0),
            "index of bags, bags/s": (last["index_rate"], ">=", 100_000.0),
            "opening bags, s": (last["open_s"], "<=", 1.0),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
