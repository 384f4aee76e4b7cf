"""What maxi itself costs in a run of many shares, by sources that answer at once, and a figure of it.

    python -m benchmarks.growth [--videos 20000 100000] [--each 1000] [--shares 20] [--json] [--figure growth.svg]

For each number of videos a list is written, cut into shares of `--each`. The first share writes the list of the run.
Of the others `--shares` are run and measured, spread over the run; what all others would have left (answers in the
store with their indexes, lines in the log, their files) is written by the functions that write it in a share, without
the sources, by two processes at once. Then the merge makes all bags, in a process of its own, and their index is made
and opened. The list, the merge and both kinds of index are measured whole; the cost of all shares is the mean of those
that were run times their number. Imports are not counted. Ten million videos take about half an hour and 20 GB of disk.
"""

import argparse
import json
import multiprocessing
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.measure import judge
from maxi_core.bags.answered import Answered, answers_of, to_lines
from maxi_core.bags.askers import Sources, store_about, store_name
from maxi_core.bags.codecs import TEXTS_OF_VIDEO, match_codec
from maxi_core.bags.run import Job
from maxi_core.bags.shard import Shard, note_done
from maxi_core.bags.sharing import key_of, merge, run_shard
from maxi_core.batches.bag_index import INDEX, open_bags
from maxi_core.plugin.roles import Augmenter, Captioner, Matcher
from maxi_core.system.files import identity, write_lines
from maxi_core.system.store import Store, digest
from maxi_core.types import Clip, Dictionary, Form, Match, Video
from maxi_core.video.inputs import find_videos
from maxi_core.video.listing import listed

GOAL_OF = 10_000_000  # videos
UNINDEXED = 5  # shares of 1,000 videos, after which a share that begins indexes what they have left
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


def fake_shares(folder: Path, of: int, numbers: Sequence[int]) -> dict[str, float]:
    """Leave what shares leave, without asking anybody; return what the indexes of the store took."""
    job, seconds = job_of(folder), 0.0
    key, codec, entries = key_of(job), match_codec(job.dictionary), digest(job.dictionary.entries)
    sources = zip(job.sources.every()[:2], ((entries,), ()), strict=True)
    abouts = [store_about(source, job.sources.reading, *more) for source, more in sources]
    file = identity(folder / "v.mp4")  # of all videos, looked at once
    for place, number in enumerate(numbers):
        began = time.process_time()
        for about in (
            abouts if place % UNINDEXED == 0 else ()
        ):  # as every share, of which so many leave enough for an index
            Store(job.store / store_name(about), about).close()
        seconds += time.process_time() - began
        shard = Shard(of, number)
        videos = list(shard.share(job.videos))
        with ExitStack() as stack:
            matches, captions = [stack.enter_context(Store(folder / "nothing", about)) for about in abouts]
            for store, about in zip((matches, captions), abouts, strict=True):
                store.folder, store._sync_every = job.store / store_name(about), 10**9
            for video in videos:
                name = digest(*file, video.start, video.end)
                matches.put(name, codec.describe(video), codec.encode(match_of(video)))
                captions.put(name, TEXTS_OF_VIDEO.describe(video), captions_of(video))
        write_lines(answers_of(job.out, shard), to_lines(key, map(answered, videos)))
        (job.out / "shards" / shard.lock).touch()
        note_done(job.out, shard, {**DONE, "share": key, "videos": len(videos), "matched": len(videos)})
    return {"index": seconds}


def answered(video: Video) -> Answered:
    said = captions_of(video)
    return Answered(video, match_of(video), {"stubcaption": said}, {text: forms_of(text) for text in said})


def one_share(folder: Path, of: int, number: int) -> dict[str, float]:
    """Do a share, and say when the first question was asked."""
    _imports(folder / "small")
    began, wall = time.process_time(), time.perf_counter()
    first: list[tuple[float, float]] = []
    match = StubMatcher.match

    def asked(self: StubMatcher, clips: list[Clip], dictionary: Dictionary) -> list[Any]:
        first.append((time.process_time() - began, time.perf_counter() - wall))
        return match(self, clips, dictionary)

    StubMatcher.match = asked  # type: ignore[method-assign]
    run_shard(job_of(folder), Shard(of, number))
    return {"start": first[0][0], "start_wall": first[0][1], "cpu": time.process_time() - began}


def _imports(folder: Path) -> None:
    """Have everything imported that a share imports, by a run of one video."""
    folder.mkdir()
    write_list(folder, 1)
    run_shard(job_of(folder), Shard(1, 1))
    shutil.rmtree(folder)


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


def apart(work: Callable[..., dict[str, float]], *calls: tuple[object, ...]) -> list[dict[str, float]]:
    """Do work in a process of its own for each call; return what each says and the most memory that it had, in MB."""
    with ProcessPoolExecutor(len(calls), multiprocessing.get_context("spawn"), max_tasks_per_child=1) as pool:
        return list(pool.map(_weighed, repeat(work), calls))


def _weighed(work: Callable[..., dict[str, float]], arguments: tuple[object, ...]) -> dict[str, float]:
    found = work(*arguments)
    return {**found, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def grow(count: int, each: int, sample: int) -> dict[str, float]:
    """Return what a run of so many videos costs."""
    of = -(-count // each)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_list(folder, count)
        (first,) = apart(first_share, (folder, of))
        steps = sorted(
            {2 + (of - 3) * place // max(1, sample - 1) for place in range(sample)}
        )  # not the last: it merges
        found, index, before = [], 0.0, 2
        for number in [*steps, of + 1]:
            halves = [range(before, number, 2), range(before + 1, number, 2)]
            index += sum(one["index"] for one in apart(fake_shares, *((folder, of, half) for half in halves)))
            if number <= of:
                found += apart(one_share, (folder, of, number))
            before = number + 1
        (merged,), (bags,) = apart(all_bags, (folder,)), apart(opened, (folder,))
    share = statistics.mean(one["cpu"] for one in found)
    return {
        "videos": count,
        "shares": of,
        "measured": len(found),
        "list_s": first["list"],
        "list_mb": first["mb"],
        "start_s": statistics.median(one["start"] for one in found),
        "start_last_s": found[-1]["start"],
        "start_wall_s": statistics.median(one["start_wall"] for one in found),
        "share_cpu_s": share,
        "share_mb": max(one["mb"] for one in found),
        "store_index_s": index,
        "merge_rate": count / merged["cpu"],
        "merge_cpu_s": merged["cpu"],
        "merge_wall_s": merged["wall"],
        "merge_mb": merged["mb"],
        "index_rate": bags["bags"] / bags["index"],
        "index_cpu_s": bags["index_cpu"],
        "open_s": bags["open"],
        "cpu_hours": (first["list"] + share * of + index + merged["cpu"]) / 3600,
    }


def draw(rows: list[dict[str, float]], path: Path) -> None:
    """Draw CPU time of the parts against the number of videos, and of shares above."""
    from matplotlib.figure import Figure

    from maxi_core.system.plotting import own_settings

    with own_settings(8.0):
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axis = figure.add_subplot()
        videos, each = [row["videos"] for row in rows], rows[-1]["videos"] / rows[-1]["shares"]
        parts: dict[str, Callable[[dict[str, float]], float]] = {
            "all of maxi": lambda row: 3600 * row["cpu_hours"],
            "all shares": lambda row: row["share_cpu_s"] * row["shares"],
            "merge": lambda row: row["merge_cpu_s"],
            "list": lambda row: row["list_s"],
            "indexes of the store": lambda row: row["store_index_s"],
            "one share": lambda row: row["share_cpu_s"],
            "start of a share": lambda row: row["start_s"],
        }
        for label, seconds in parts.items():
            axis.plot(videos, [seconds(row) for row in rows], marker="o", label=label)
        axis.set(xscale="log", yscale="log", xlabel="videos", ylabel="CPU seconds")
        above = axis.secondary_xaxis("top", functions=(lambda count: count / each, lambda shares: shares * each))
        above.set_xlabel("shares")
        for numbers in (axis.xaxis, axis.yaxis, above.xaxis):
            numbers.set_major_formatter(lambda number, _place: f"{number:,g}" if number < 1e6 else f"{number:,.0f}")
        axis.legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
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
    if min(asked.videos) < 3 * asked.each:
        parser.error("--videos: at least three shares")
    rows = []
    for count in asked.videos:
        rows.append(row := grow(count, asked.each, asked.shares))
        print("  ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
    if asked.figure:
        draw(rows, asked.figure)
    if asked.json:
        print(json.dumps({"schema": 1, "rows": rows}))
    last = rows[-1]
    said = "" if last["videos"] == GOAL_OF else ", multiplied"
    memory = max(last[name] for name in ("list_mb", "share_mb", "merge_mb"))
    return judge(
        {
            "start of a share, CPU s": (last["start_s"], "<=", 1.0),
            f"CPU-hours of {GOAL_OF:,} videos{said}": (last["cpu_hours"] * GOAL_OF / last["videos"], "<=", 2.0),
            "memory, MB": (memory, "<=", 500.0),
            "merge, records in a second of CPU": (last["merge_rate"], ">=", 20_000.0),
            "index of bags, bags/s": (last["index_rate"], ">=", 100_000.0),
            "opening bags, s": (last["open_s"], "<=", 1.0),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
