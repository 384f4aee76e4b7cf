"""How fast `webvid` draws noise from files of captions, and how much memory it takes: 1,000 rows and 1,000,000.

    python -m benchmarks.webvid [--rows 1000000] [--read 20000] [PIPELINE]

Writes files in WebVid's form, of sentences made from word lists with a new name in every twentieth, and draws 400 verbs
and verb phrases from them with the rules, each file in a process of its own. Then it draws from `--read` rows with a
spaCy pipeline (the sandbox's, or the one that is named) and compares that with spaCy's own `nlp.pipe` alone over the
same captions. Exits with 1 if the large file takes 50 MB more than the small one, or less than 10,000 captions go
through in a second of CPU time.
"""

import argparse
import csv
import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from benchmarks.measure import judge
from maxi_core import Dictionary, Form
from maxi_plugins.verbs import RULES, Verbs
from maxi_plugins.webvid import Webvid, read_captions
from maxi_sandbox import Sandbox

MEMORY = 50.0  # MB
PACE = 10_000
SMALL = 1000
NOISE = 400
ROUNDS = 3
WHO = ("man", "young woman", "child", "chef", "group of people", "couple", "aerial view of a farmer")
VERBS = (
    "riding",
    "holding",
    "painting",
    "cooking",
    "cutting",
    "washing",
    "carrying",
    "drawing",
    "throwing",
    "cleaning",
)
LOOKS = ("red", "small", "old", "wooden", "beautiful", "broken", "fresh", "green", "heavy", "new", "round", "white")
THINGS = ("horse", "guitar", "plate", "boat", "drum", "tree", "kite", "spoon", "box", "fish", "carpet", "laptop")
WHERE = ("in the park at sunset", "on the beach, slow motion", "in a modern kitchen", "close up", "4k footage")


def write_captions(path: Path, rows: int) -> None:
    """Write a file in WebVid's form."""
    draw = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["videoid", "contentUrl", "duration", "page_dir", "name"])
        for row in range(rows):
            thing = f"{draw.choice(LOOKS)} {draw.choice(THINGS)}"
            place = draw.choice(WHERE) if row % 20 else f"in {_name(draw)}"
            text = f"A {draw.choice(WHO)} is {draw.choice(VERBS)} a {thing} {place}"
            table.writerow([row, f"https://videos.example/{row}.mp4", "PT00H00M10S", "000001_000050", text])


def _name(draw: random.Random) -> str:
    return "".join(draw.choice(part) for part in ("KLMNPR", "aeiou", "bdgklmnrst", "aeiou", "bdgklmnrst", "aeiou")) * 2


def draw_noise(path: Path, model: str) -> dict[str, float]:
    """Draw from a file and return seconds by the wall and the CPU, and the peak of memory before and after in MB."""
    verbs = Verbs(Verbs.Options(model=model))

    def augment(texts: Iterable[str]) -> list[list[Form]]:
        return [answer for answer in verbs.augment(list(texts)) if isinstance(answer, list)]

    augment(islice(read_captions(path, None), 500))  # the words and the model are known from here on
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    wall, cpu = perf_counter(), process_time()
    Webvid(Webvid.Options(captions=path, noise=NOISE)).inject(Dictionary("none", ("abseiling",)), augment)
    took = {"wall": perf_counter() - wall, "cpu": process_time() - cpu}
    return took | {"before": before, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def spacy_alone(path: Path, model: str) -> dict[str, float]:
    """Return the seconds that spaCy takes by itself for the same captions."""
    import spacy

    from maxi_plugins.english.pipeline import BATCH, pipeline_folder

    nlp = spacy.load(pipeline_folder(model))
    texts = list(read_captions(path, None))
    for _ in nlp.pipe(texts[:500], batch_size=BATCH):
        pass
    wall, cpu = perf_counter(), process_time()
    for _ in nlp.pipe(texts, batch_size=BATCH):
        pass
    return {"wall": perf_counter() - wall, "cpu": process_time() - cpu}


def in_a_process(what: str, path: Path, model: str) -> dict[str, float]:
    """Do one of the above in a process of its own."""
    arguments = [sys.executable, "-m", "benchmarks.webvid", "--do", what, str(path), model]
    done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(rows: int, read: int, pipeline: str) -> int:
    """Print all numbers; return 1 if a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        small, large, some = (Path(folder) / name for name in ("small.csv", "large.csv", "some.csv"))
        for path, count in ((small, SMALL), (large, rows), (some, read)):
            write_captions(path, count)
        peaks = {}
        for path, count in ((small, SMALL), (large, rows)):
            found = in_a_process("draw", path, RULES)
            peaks[count] = found["peak"]
            print(
                f"rules, {count:,} rows: {count / found['wall']:,.0f} captions/s wall, {count / found['cpu']:,.0f} "
                f"CPU, {found['peak']:.1f} MB at its peak, {found['before']:.1f} MB before"
            )
        pace = rows / found["cpu"]
        ratios = []
        for _ in range(ROUNDS):  # in turns
            own, alone = in_a_process("draw", some, pipeline), in_a_process("spacy", some, pipeline)
            ratios.append(own["cpu"] / alone["cpu"])
            print(
                f"{Path(pipeline).name}, {read:,} rows: {read / own['cpu']:,.0f} captions/s CPU, "
                f"nlp.pipe alone {read / alone['cpu']:,.0f}"
            )
        print(f"{Path(pipeline).name}: {median(ratios):.2f} x the CPU time of nlp.pipe alone")
    return judge(
        {
            f"MB more for {rows:,} rows than for {SMALL:,}": (peaks[rows] - peaks[SMALL], "<=", MEMORY),
            "rules, captions/s of CPU time": (pace, ">=", PACE),
        }
    )


def main() -> int:
    """Read the arguments; a process that was started by us does one thing and prints it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--read", type=int, default=20_000)
    parser.add_argument("--do", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("pipeline", nargs="?", default=str(Sandbox().pipeline()))
    asked = parser.parse_args()
    if asked.do:
        what, path, model = asked.do
        found = draw_noise(Path(path), model) if what == "draw" else spacy_alone(Path(path), model)
        print(json.dumps(found))
        return 0
    return measure(asked.rows, asked.read, asked.pipeline)


if __name__ == "__main__":
    sys.exit(main())
