"""A small benchmark of rendered clips and a tiny CLIP, for evaluations that take a second."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.clip.tiny_clip import write

CLASSES = ("walk", "run fast", "jump", "sit")


def film(path: Path, seed: int, frames: int = 12, size: tuple[int, int] = (48, 40)) -> None:
    """Write a short MPEG-4 film of moving colours."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    ground, step = rng.integers(0, 200, 3), rng.integers(1, 6, 3)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(frames):
            picture = np.empty((size[1], size[0], 3), np.uint8)
            picture[:] = (ground + number * step) % 255
            picture[number : number + 8, 2 * number : 2 * number + 9] = 255 - ground
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@dataclass(frozen=True)
class World:
    """A benchmark's folder (12 videos, 4 classes) and two models' folders."""

    benchmark: Path
    model: Path
    other: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("evaluation")
    bench = folder / "bench"
    lines = []
    for number in range(12):
        name = f"videos/{number:02d}.mp4"
        film(bench / name, number, size=((48, 40), (40, 56))[number % 2])
        lines.append(f"{name} {number % 4}\n")
    (bench / "split.txt").write_text("".join(lines))
    (bench / "labels.csv").write_text("id,name\n" + "".join(f"{n},{name}\n" for n, name in enumerate(CLASSES)))
    return World(bench, write(folder / "one", seed=1), write(folder / "two", seed=2))
