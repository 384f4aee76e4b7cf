"""One decode for two consumers against a decode for each: a matcher's 16 middles at 256, a captioner's 8 at 384.

    python -m benchmarks.decode_once [DIR] [--rounds 5] [--decoder pyav] [--json]

Videos come from DIR or are rendered here. Both ways run in turns in one process, on one thread as in a worker. CPU time
is what counts; each consumer must get the same pixels from both.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import in_turns, report
from benchmarks.moving import write_clips
from maxi_core.types import Video
from maxi_core.video.decoders import Decode, look_up
from maxi_core.video.frames import Frames
from maxi_core.video.inputs import find_videos
from maxi_core.video.jobs import Job
from maxi_core.video.sampling import Sampling

WANTED = {"matcher": Sampling("middles", 16, side=256), "captioner": Sampling("uniform", 8, side=384)}
EACH, ONCE = "two decodes", "one decode"


def read(decode: Decode, path: Path, wanted: Mapping[str, Sampling]) -> Frames:
    """Decode a video as a worker process does."""
    job = Job(Video(path.name, path), wanted)
    return job.frames(decode(path, job.choose, job.sides(), threads=1))


def equal(decode: Decode, path: Path) -> bool:
    """Whether each consumer gets from one decode, to the bit, what it gets from its own."""
    both = read(decode, path, WANTED)
    alone = {name: read(decode, path, {name: sampling}) for name, sampling in WANTED.items()}
    return all(both[name].tobytes() == alone[name][name].tobytes() for name in WANTED)


def compare(decode: Decode, paths: list[Path], rounds: int) -> dict[str, float]:
    """Time both ways over all videos, in turns, and print the table."""
    times = in_turns(
        {
            EACH: lambda: [read(decode, path, {name: one}) for path in paths for name, one in WANTED.items()],
            ONCE: lambda: [read(decode, path, WANTED) for path in paths],
        },
        rounds,
    )
    return report(times, EACH, ONCE)


def main() -> int:
    """Compare the two on every kind of clip; return 1 if a pixel differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, help="videos to use instead of clips rendered here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--decoder", default="pyav")
    parser.add_argument("--json", action="store_true", help="print JSON at the end")
    asked = parser.parse_args()
    decode = look_up(asked.decoder).load()
    found, same = {}, True
    with tempfile.TemporaryDirectory() as rendered:
        if asked.folder is None:
            clips = write_clips(Path(rendered))
        else:
            clips = {"given": [video.path for video in find_videos(asked.folder)]}
        for size, paths in clips.items():
            print(f"{size}, {len(paths)} videos, {asked.decoder}")
            found[size] = compare(decode, paths, asked.rounds)
            wrong = [path.name for path in paths if not equal(decode, path)]
            print("pixels: " + (f"DIFFERENT in {', '.join(wrong)}" if wrong else "equal to the bit, of both consumers"))
            same = same and not wrong
    if asked.json:
        print(json.dumps({"schema": 1, "decoder": asked.decoder, "rounds": asked.rounds, "found": found}))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
