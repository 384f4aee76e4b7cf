"""Contact sheets of every motion and every benchmark, for people to look at: `python -m tools.world.pictures`."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from maxi_sandbox.actions import BENCHMARK_VERBS, TRAINING_SCENES, gerund
from maxi_sandbox.films import SIZE, Film, draw_shot, frames, render
from maxi_sandbox.library import benchmark_film, training_film
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import THINGS, Frame

MARGIN = 112


def sheet(rows: Sequence[tuple[str, Sequence[Frame]]], columns: int = 1) -> Image.Image:
    """Return a picture of rows of frames, each with its title at the left, in `columns` columns."""
    high = -(-len(rows) // columns)
    wide = MARGIN + SIZE * max(len(shown) for _, shown in rows)
    paper = Image.new("RGB", (wide * columns, high * SIZE), "white")
    pen = ImageDraw.Draw(paper)
    for number, (title, shown) in enumerate(rows):
        left, top = number // high * wide, number % high * SIZE
        pen.text((left + 6, top + SIZE // 2 - 6), title, fill="black")
        for place, frame in enumerate(shown):
            paper.paste(Image.fromarray(frame), (left + MARGIN + place * SIZE, top))
    return paper


def motions() -> Image.Image:
    """Return one cycle of every motion in six frames, each motion in one shot."""
    rows = []
    for number, (verb, motion) in enumerate(MOTIONS.items()):
        rng = np.random.default_rng(number)
        thing, scene = list(THINGS)[number % len(THINGS)], TRAINING_SCENES[number % len(TRAINING_SCENES)]
        shot = draw_shot(thing, scene, "usual", rng)
        rows.append((gerund(verb), [render(motion.pose(step / 6), shot) for step in range(6)]))
    return sheet(rows, columns=2)


def films(shown: Iterable[tuple[Film, str]], every: int) -> Image.Image:
    """Return every `every`-th frame of films, each titled."""
    rows = []
    for film, title in shown:
        pictures = [frame for _, frame in frames(film)]
        rows.append((title, pictures[every // 2 :: every]))
    return sheet(rows, columns=2)


def main() -> None:
    """Write all contact sheets into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.world.pictures", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    _save(motions(), folder / "sandbox-motions.png")
    _save(films((training_film(number) for number in range(16)), 4), folder / "sandbox-training.png")
    for name, verbs in BENCHMARK_VERBS.items():
        first = ((film, gerund(verb)) for film, verb in (benchmark_film(name, number) for number in range(len(verbs))))
        _save(films(first, 4), folder / f"{name}.png")


def _save(picture: Image.Image, path: Path) -> None:
    picture.quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
