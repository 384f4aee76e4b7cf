"""Decoding 8 frames at short side 256: maxi's decoder against the plain ways to use decord and PyAV.

    python -m benchmarks.decode [DIR] [--frames 8] [--rounds 7] [--json]
    python -m benchmarks.decode --bad

All ways run in turns in one process, each round beginning with another; medians over rounds, and for ratios the median
of the ratios of each round. The goals compare maxi with plain PyAV with the same threads: all in this process, one
through a worker process (the way there and back included). Each frame is compared with every frame of a full sequential
decode: it must be nearest to the one that was asked for. `--bad` decodes bad files, each in a process of its own.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import decord
import numpy as np
from av.video.frame import VideoFrame

from benchmarks import moving
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.decoders import look_up
from maxi_core.video.frames import Frames
from maxi_core.video.jobs import Job
from maxi_core.video.picture import Picture, displayed
from maxi_core.video.reader import Pool
from maxi_core.video.sampling import Sampling, segment_middles

SHORT = 256
PEER = "decord from memory, one by one"
HERE, ALL_THREADS = "maxi, this process", "PyAV, plain, all threads"
WORKER, ONE_THREAD = "maxi, through a worker", "PyAV, plain, one thread"
GOALS = ((HERE, ALL_THREADS, 1.05), (WORKER, ONE_THREAD, 1.15))  # wall: the first over the second, at most


def small(pixels: np.ndarray) -> np.ndarray:
    """Resize one frame as maxi does, without its caring for the shape of pixels."""
    height, width = pixels.shape[:2]
    size = displayed(width, height, None, SHORT)
    return VideoFrame.from_ndarray(pixels, format="rgb24").reformat(width=size[0], height=size[1]).to_ndarray()


def decord_one_by_one(path: Path, count: int) -> list[np.ndarray]:
    """Read as the released training code of the paper does."""
    reader = decord.VideoReader(BytesIO(path.read_bytes()), num_threads=1)
    return [small(reader[i].asnumpy()) for i in segment_middles(len(reader), count)]


def decord_batch(path: Path, count: int) -> list[np.ndarray]:
    """Read as decord's own documentation does."""
    reader = decord.VideoReader(str(path))
    return [small(frame) for frame in reader.get_batch(list(segment_middles(len(reader), count))).asnumpy()]


def pyav_plain(path: Path, count: int, threads: str = "") -> list[np.ndarray]:
    """Read in order with PyAV, by default with its defaults, converting the wanted frames at full size."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if threads:
            stream.thread_type, stream.codec_context.thread_count = threads, int(threads == "NONE")
        wanted = set(segment_middles(stream.frames, count))
        frames = enumerate(container.decode(stream))
        return [small(frame.to_ndarray(format="rgb24")) for i, frame in frames if i in wanted]


def maxi(name: str, threads: int) -> Callable[[Path, int], Sequence[np.ndarray]]:
    """Return a way to read with a decoder of maxi."""
    read = look_up(name).load()

    def way(path: Path, count: int) -> Sequence[np.ndarray]:
        return read(
            path, lambda n, _: [segment_middles(n, count)], [SHORT], square_pixels=False, threads=threads
        ).pixels[0]

    return way


@cache
def _pool() -> Pool:
    return Pool(VideoOptions(workers=1, short_side=SHORT, square_pixels=False))


def through_a_worker(path: Path, count: int) -> Sequence[np.ndarray]:
    """Ask a worker process for one video and wait for it: what it costs to send is not hidden behind other videos."""
    frames = _pool().take(_pool().ask(Job(Video(path.name, path), {"": Sampling("middles", count)})))
    assert isinstance(frames, Frames)
    return frames.pixels[""]


WAYS: dict[str, Callable[[Path, int], Sequence[np.ndarray]]] = {
    PEER: decord_one_by_one,
    "decord, get_batch": decord_batch,
    "PyAV, plain": pyav_plain,
    ALL_THREADS: lambda path, count: pyav_plain(path, count, "AUTO"),
    ONE_THREAD: lambda path, count: pyav_plain(path, count, "NONE"),
    HERE: maxi("pyav", 0),
    "maxi, as in a worker": maxi("pyav", 1),
    WORKER: through_a_worker,
    "maxi --decoder decord, worker": maxi("decord", 1),
}
AT_ONCE = (HERE, "maxi, as in a worker", WORKER)


@cache
def sequential(path: Path, at_once: bool) -> np.ndarray:
    """Return every frame of a plain decode in order, (N, h, w, 3) with every eighth pixel each way.

    Frames are made small and RGB in one step or in two, as the way that is judged does: the difference (1.5 grey levels
    on the 1080p clips) is enough to make a neighbouring frame look nearer.
    """
    with av.open(str(path)) as container:
        first = next(container.decode(video=0))
    picture = Picture(first, None, SHORT)
    with av.open(str(path)) as container:
        frames = container.decode(video=0)
        made = (picture.of(frame) if at_once else small(frame.to_ndarray(format="rgb24")) for frame in frames)
        return np.stack([pixels[::8, ::8] for pixels in made])


def right(path: Path, frames: Sequence[np.ndarray], at_once: bool) -> int:
    """Count the frames that are nearest to the frame that was asked for, of all in a full sequential decode."""
    every = sequential(path, at_once)
    wanted = segment_middles(len(every), len(frames))
    nearest = 0
    for index, frame in zip(wanted, frames, strict=True):
        distances = np.abs(every.astype(np.int16) - frame[::8, ::8]).mean(axis=(1, 2, 3))  # (N, h, w, 3) -> (N,)
        nearest += bool(distances[index] <= distances.min())
    return nearest


def measure(clips: list[Path], count: int, rounds: int) -> dict[str, dict[str, Any]]:
    """Time every way on every clip, in turns; return wall and CPU seconds a video of each round and the right frames.

    CPU is that of this process, so nothing is said of it for what a worker does.
    """
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in WAYS}
    names = list(WAYS)
    for number in range(-1, rounds):  # the first starts the worker and fills caches, and does not count
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            wall, cpu = time.perf_counter(), time.process_time()
            for clip in clips:
                WAYS[name](clip, count)
            passed = time.perf_counter() - wall, time.process_time() - cpu
            if number >= 0:
                times[name].append((passed[0] / len(clips), passed[1] / len(clips)))
    return {
        name: {
            "wall": [wall for wall, _ in found],
            "cpu": [cpu for _, cpu in found] if name != WORKER else None,
            "right": sum(right(clip, WAYS[name](clip, count), name in AT_ONCE) for clip in clips),
            "of": count * len(clips),
        }
        for name, found in times.items()
    }


def times_as_long(ours: list[float], theirs: list[float]) -> float:
    """Return the median over rounds of how many times as long as theirs ours took in that round."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def show(size: str, clips: list[Path], found: dict[str, dict[str, Any]]) -> None:
    """Print one table; ratios are the peer's time over this way's."""
    print(f"{size}, {len(clips)} videos")
    print(f"  {'':31} ms a video (min-max)  videos/s   wall x  CPU s/video  CPU x  nearest")
    for name, row in found.items():
        wall = statistics.median(row["wall"])
        span = f"{1000 * wall:6.1f} ({1000 * min(row['wall']):.0f}-{1000 * max(row['wall']):.0f})"
        cpu = f"{'':>12} {'':>6}"
        if row["cpu"]:
            cpu = f"{statistics.median(row['cpu']):12.3f} {times_as_long(found[PEER]['cpu'], row['cpu']):6.2f}"
        print(
            f"  {name:31} {span:>20} {1 / wall:9.1f} {times_as_long(found[PEER]['wall'], row['wall']):8.2f} {cpu}"
            f"  {row['right']}/{row['of']}"
        )


def judge(size: str, found: dict[str, dict[str, Any]]) -> bool:
    """Print whether the goals are met."""
    exact = all(found[name]["right"] == found[name]["of"] for name in found if name.startswith("maxi"))
    print(f"  {size}, frames {'right' if exact else 'WRONG'}: {_word(exact)}")
    met = [exact]
    for ours, theirs, most in GOALS:
        ratio = times_as_long(found[ours]["wall"], found[theirs]["wall"])
        met.append(ratio <= most)
        print(f"  {size}, {ours} / {theirs}: {ratio:.2f} x wall (at most {most:.2f}): {_word(ratio <= most)}")
    return all(met)


def _word(ok: bool) -> str:
    return "met" if ok else "MISSED"


def bad_files(folder: Path) -> dict[str, Path]:
    """Write nine bad files."""
    whole = moving.write(folder / "whole.mp4", 340, 256, 0, frames=60)
    avi = moving.write(folder / "whole.avi", 340, 256, 0, codec="mpeg4", frames=60)
    data, changed = whole.read_bytes(), bytearray(whole.read_bytes())
    rng = np.random.default_rng(0)
    for place in rng.integers(64, len(changed), 3000):
        changed[place] = rng.integers(256)
    contents = {
        "zero bytes.mp4": b"",
        "text.mp4": b"a text\n" * 100,
        "cut in the header.mp4": data[:30],
        "cut tail, index last.mp4": data[: len(data) * 9 // 10],
        "cut.avi": avi.read_bytes()[: avi.stat().st_size // 2],
        "3000 bytes changed.mp4": bytes(changed),
        "noise.webm": rng.bytes(50_000),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    with (
        av.open(str(whole)) as source,
        av.open(str(folder / "cut faststart.mp4"), "w", options={"movflags": "faststart"}) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                target.mux(packet)
    faststart = folder / "cut faststart.mp4"
    faststart.write_bytes(faststart.read_bytes()[: faststart.stat().st_size // 2])
    return {name: folder / name for name in [*contents, "cut faststart.mp4", "missing.mp4"]}


ONE = """
import sys, time; sys.path[:] = {path!r}
from pathlib import Path
import decode
from maxi_core.video.skips import VideoError
way, path = sys.argv[1], Path(sys.argv[2])
try:
    if way == "peer":
        print(len(decode.decord_one_by_one(path, 8)), "frames")
    else:
        found = decode.look_up(way).load()(path, lambda n, _: [decode.segment_middles(n, 8)], threads=1)
        of = "" if found.declared in (None, found.found) else f" of {{found.declared}}"
        damage = ", " + found.damage if found.damage else ""
        print(f"{{len(found.pixels[0])}} frames, found {{found.found}}{{of}}{{damage}}")
except VideoError as error:
    print("named:", error.problem)
except Exception as error:
    print(type(error).__name__)
"""


def decode_bad(folder: Path) -> bool:
    """Decode each bad file in three ways, each in a process of its own; say whether maxi's all ended well."""
    ok = True
    for name, path in bad_files(folder).items():
        print(name)
        for way in ("peer", "pyav", "decord"):
            began = time.perf_counter()
            command = [sys.executable, "-c", ONE.format(path=sys.path), way, str(path)]
            try:
                done = subprocess.run(
                    command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=False
                )  # FFmpeg's own messages on stderr are not even text
                said = f"KILLED by signal {-done.returncode}" if done.returncode < 0 else done.stdout.decode().strip()
            except subprocess.TimeoutExpired:
                said = "HANGS"
            passed = time.perf_counter() - began
            title = "decord from memory" if way == "peer" else f"maxi, {way}"
            print(f"  {title:19} {said}")
            ended = said.startswith("named:") or "found" in said
            ok &= way == "peer" or (ended and passed < 10)
    print(f"no crash, no hang over 10 s, each named or counted: {_word(ok)}")
    return ok


def main() -> int:
    """Run the benchmark that was asked for; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, help="videos to use instead of clips written here")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--bad", action="store_true", help="decode bad files")
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    asked = parser.parse_args()
    decord.logging.set_level(decord.logging.QUIET)
    with tempfile.TemporaryDirectory() as folder:
        if asked.bad:
            return 0 if decode_bad(Path(folder)) else 1
        if asked.folder:
            clips = {"given": sorted(path for path in asked.folder.iterdir() if path.is_file())}
        else:
            clips = moving.write_clips(Path(folder))
        found = {size: measure(paths, asked.frames, asked.rounds) for size, paths in clips.items()}
        for size, paths in clips.items():
            show(size, paths, found[size])
        met = [judge(size, found[size]) for size in clips]
    if asked.json:
        print(json.dumps({"schema": 1, "frames": asked.frames, "rounds": asked.rounds, "found": found}))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
