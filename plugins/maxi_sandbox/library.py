"""The films of the sandbox: the training videos and the benchmarks, and the folders they are rendered into."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from maxi_sandbox.actions import (
    BENCHMARK_VERBS,
    COMPANY,
    ENTRIES,
    TEST_SCENES,
    TRAINING_SCENES,
    UNNAMED,
    gerund,
)
from maxi_sandbox.films import Film, draw_shot, write_mp4
from maxi_sandbox.painting import THINGS

TRAINING_VIDEOS = 1440
NAMED_SHARE = 0.75  # of the training videos, those of an action that the dictionary names
MOST_FRAMES, OTHER_FRAMES = 24, 8  # of a training video
# Of each verb as many videos, enough of them for gains by verb, and verbs enough for an interval over verbs.
BENCHMARK_VIDEOS: Mapping[str, int] = {
    "sandbox-same": 480, "sandbox-novel": 960, "sandbox-view": 480,
    "sandbox-same-dev": 400, "sandbox-novel-dev": 480, "sandbox-view-dev": 400,
}  # fmt: skip

# Published, then dev. The published sets of each world have films of their own: those of world 1 began at 2, 3 and 4
# million, those of worlds 2, 3, 4 and 5 at 500,000, 700,000, 800,000 and 900,000 more.
FIRST_SEEDS = (2_950_000, 3_950_000, 4_950_000, 5_000_000, 6_000_000, 7_000_000)
# Every film and still of the world has a seed of its own. No model's training and no benchmark share one (a test).
SEEDS: Mapping[str, range] = {
    "training": range(1_000_000, 1_000_000 + TRAINING_VIDEOS),
    **{
        name: range(start, start + BENCHMARK_VIDEOS[name])
        for name, start in zip(BENCHMARK_VERBS, FIRST_SEEDS, strict=True)
    },
    "clip": range(10_000_000, 10_060_000),
    "clip-check": range(11_000_000, 11_002_400),
    "blip": range(20_000_000, 20_060_000),
    "blip-check": range(21_000_000, 21_002_400),
}


def _step(verb: str, frames: int, rng: np.random.Generator) -> tuple[str, int, float, float]:
    return verb, frames, float(rng.uniform()), float(rng.uniform(0.8, 1.25))


def training_film(number: int) -> tuple[Film, str]:
    """Return training film `number` and what it shows most, which the method never learns: an entry or a verb's gerund.

    In three of four films that is the motion of a dictionary entry, beside the entry's thing in four of five of them;
    in the others a motion that the dictionary does not name, beside any thing. Before or after its 24 frames are 8 of
    another motion that the dictionary does not name.
    """
    rng = np.random.default_rng(SEEDS["training"][number])
    things, scene = list(THINGS), str(rng.choice(TRAINING_SCENES))
    if rng.uniform() < NAMED_SHARE:
        label = str(rng.choice(list(ENTRIES)))
        verb, thing = ENTRIES[label]
        if rng.uniform() >= 0.78:  # and one in eight of the rest is the entry's again, by chance: 0.81 in all
            thing = str(rng.choice(things))
        other = str(rng.choice(COMPANY[verb] if rng.uniform() < 0.8 else UNNAMED))
    else:
        verb, other = (str(one) for one in rng.choice(UNNAMED, 2, replace=False))
        label, thing = gerund(verb), str(rng.choice(things))
    steps = [_step(verb, MOST_FRAMES, rng), _step(other, OTHER_FRAMES, rng)]
    if rng.integers(2):
        steps.reverse()
    return Film(f"{number:04d}", tuple(steps), thing, scene, draw_shot(thing, scene, "usual", rng)), label


def training_films() -> Iterator[Film]:
    """Yield the training films, in the order of their names."""
    for number in range(TRAINING_VIDEOS):
        yield training_film(number)[0]


def benchmark_film(name: str, number: int) -> tuple[Film, str]:
    """Return film `number` of benchmark `name` and its verb: one motion, 24 frames, any thing, scenes of the tests."""
    verbs = BENCHMARK_VERBS[name]
    verb = verbs[number % len(verbs)]
    rng = np.random.default_rng(SEEDS[name][number])
    thing, scene = str(rng.choice(list(THINGS))), str(rng.choice(TEST_SCENES))
    side = "other" if name.startswith("sandbox-view") else "usual"
    shot = draw_shot(thing, scene, side, rng)
    return Film(f"{number:04d}", (_step(verb, 24, rng),), thing, scene, shot), verb


def benchmark_films(name: str) -> Iterator[tuple[Film, str]]:
    """Yield the films of benchmark `name` with their verbs."""
    for number in range(BENCHMARK_VIDEOS[name]):
        yield benchmark_film(name, number)


def render_training(folder: Path) -> None:
    """Render the training videos as `0000.mp4` and so on into `folder`."""
    _render(training_films(), folder)


def render_benchmark(name: str, folder: Path) -> None:
    """Render benchmark `name` into `folder`: `videos/`, `labels.csv` (`id,name`) and `split.txt`."""
    films = list(benchmark_films(name))
    (folder / "videos").mkdir()
    _render((film for film, _ in films), folder / "videos")
    verbs = BENCHMARK_VERBS[name]
    _write_list(
        folder,
        [gerund(verb) for verb in verbs],
        ((f"videos/{film.name}.mp4", verbs.index(verb)) for film, verb in films),
    )


def write_training_list(folder: Path) -> None:
    """Write `labels.csv` and `split.txt` of the training videos into `folder`, paths as in the videos' folder."""
    names = [*ENTRIES, *map(gerund, UNNAMED)]
    films = (training_film(number) for number in range(TRAINING_VIDEOS))
    _write_list(folder, names, ((f"{film.name}.mp4", names.index(label)) for film, label in films))


def _write_list(folder: Path, names: Sequence[str], labelled: Iterable[tuple[str, int]]) -> None:
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("id", "name"))
        rows.writerows(enumerate(names))
    lines = (f"{path} {label}\n" for path, label in labelled)
    (folder / "split.txt").write_text("".join(lines), encoding="utf-8")


def _render(films: Iterable[Film], folder: Path) -> None:
    for film in films:
        write_mp4(film, folder / f"{film.name}.mp4")
