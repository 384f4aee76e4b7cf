"""`tiny`: a world of two rendered clips; its recipe takes the models of the sandbox."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from maxi_core import World, hookimpl
from maxi_core.system.files import maxi_home

ENTRIES = ("a bar moving right", "a bar standing still")
SPEEDS = {"moving.mp4": 5, "still.mp4": 0}  # pixels from one frame to the next
RECIPE = """\
[bags]
videos = "tiny"
dictionary = "tiny"

[dictionary]
model = "sandbox"
frames = 4

[verbs]
model = "rules"

[train]
model = "sandbox"
labels = "tiny"
loss = "ce"
"""


class Tiny(World):
    """A bar that moves, and one that does not."""

    name = "tiny"

    def videos(self) -> Path:
        """Return the folder of the two clips, rendered on first use."""
        return made("videos", render)

    def dictionary(self) -> list[str]:
        """Return what can be seen."""
        return list(ENTRIES)

    def labels(self) -> Path:
        """Return what is seen in which clip."""
        return made("labels", lambda folder: write_list(folder, "")) / "split.txt"

    def benchmarks(self) -> list[str]:
        """Return the one benchmark."""
        return ["tiny-moves"]

    def benchmark(self, name: str) -> Path:
        """Return the clips once more, with their list."""
        return made(name, write_benchmark)

    def recipe(self) -> Path:
        """Return the recipe."""
        return made("recipe", lambda folder: (folder / "tiny.toml").write_text(RECIPE)) / "tiny.toml"


def made(name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder that is made once: filled under another name, renamed when it is complete."""
    final = maxi_home() / "tiny" / "1" / name
    if not final.is_dir():
        final.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".", dir=final.parent))
        make(part)
        part.rename(final)
    return final


def render(folder: Path) -> None:
    """Write the clips: 12 frames of 64 x 64 pixels."""
    import av
    import numpy as np

    for name, speed in SPEEDS.items():
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=12)
            stream.width = stream.height = 64
            for number in range(12):
                picture = np.full((64, 64, 3), 40, np.uint8)
                picture[:, speed * number : speed * number + 6] = 220
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())


def write_list(folder: Path, place: str) -> None:
    """Write labels.csv and split.txt, the clips being at `place`."""
    names = "".join(f"{number},{name}\n" for number, name in enumerate(ENTRIES))
    (folder / "labels.csv").write_text(f"id,name\n{names}")
    (folder / "split.txt").write_text("".join(f"{place}{name} {number}\n" for number, name in enumerate(SPEEDS)))


def write_benchmark(folder: Path) -> None:
    """Write a benchmark as a folder: labels.csv, split.txt and videos."""
    (folder / "videos").mkdir()
    render(folder / "videos")
    write_list(folder, "videos/")


@hookimpl
def maxi_register_worlds() -> Iterable[type[World]]:
    """Offer `tiny`."""
    return [Tiny]
