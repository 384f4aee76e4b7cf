"""A run with small real videos, and batches of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from open_clip.tokenizer import SimpleTokenizer

from maxi_core.batches.bag_index import open_bags
from maxi_core.batches.batch import Batch, BatchPlan
from maxi_core.batches.loader import Batches
from maxi_core.clip.tokens import Tokens, tokenize
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import TextBag
from tests.batches.runs import bag, write_run
from tests.video.clips import MATRIX, write

VIDEOS, FRAMES, SIZE = 13, 20, 32
ENTRIES = ("juggling", "riding a bike", "waving")


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write clips whose frames get brighter one by one, so that a pixel says which frame it is of."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(VIDEOS):
        frames = [np.full((48, 64, 3), 20 + 10 * place, np.uint8) for place in range(FRAMES)]
        for frame in frames:  # and a mark that says which video it is of
            frame[16:32, 24:40] = (255, 15 * number, 0)
        write(folder / f"{number}.mp4", frames, MATRIX["h264"])
    return folder


@pytest.fixture(scope="session")
def tokens() -> Callable[[list[str]], Tokens]:
    """Return a model's `tokenize`, with a short context."""
    tokenizer = SimpleTokenizer(context_length=20)
    return lambda texts: tokenize(tokenizer, texts)


def item_of(number: int, item: int) -> str:
    """Return text `item` of the bag of clip `number`."""
    return f"word {chr(97 + number)} {chr(97 + item)}"


def bags_of(films: Path, count: int = VIDEOS) -> list[TextBag]:
    """Return bags of 0, 1, 2 ... texts for the clips."""
    return [
        bag(
            f"{number}.mp4",
            ENTRIES[number % 3],
            number / 100,
            [item_of(number, item) for item in range(number)],
            path=films / f"{number}.mp4",
        )
        for number in range(count)
    ]


@dataclass(frozen=True)
class Maker:
    """Makes batches of a run, with what a test wants otherwise."""

    folder: Path
    films: Path
    tokens: Callable[[list[str]], Tokens]

    def __call__(
        self, bags: Sequence[TextBag] | None = None, *, workers: int = 0, log: Any = None, **plan: Any
    ) -> Batches:
        run = write_run(self.folder, bags_of(self.films) if bags is None else bags)
        settled = BatchPlan(**{"batch_size": 3, "frames": 4, "bag_size": 5, "hold_gb": 0.0, **plan})
        return Batches(open_bags(run), settled, self.tokens, SIZE, VideoOptions(workers=workers, retries=0), log)


@pytest.fixture
def batches(tmp_path: Path, films: Path, tokens: Callable[[list[str]], Tokens]) -> Maker:
    return Maker(tmp_path, films, tokens)


def digest(batch: Batch) -> str:
    """Return a checksum of all that is in a batch."""
    made = hashlib.sha256(f"{batch.number} {batch.videos}".encode())
    for tensor in (batch.frames, batch.tokens, batch.index, batch.groups):
        made.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        made.update(tensor.numpy().tobytes())
    return made.hexdigest()
