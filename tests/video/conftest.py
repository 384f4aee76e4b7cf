"""Clips that several test modules read, written once in a run."""

import os
from pathlib import Path

import pytest

from tests.video.clips import MATRIX, OPEN_GOP, Coding, cut, numbered, write, write_numbered

os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder chats on stderr

FRAMES = 90
VARIABLE = [40 * i if i < 30 else 1200 + 200 * (i - 30) for i in range(60)]  # ms: 25 frames a second, then 5


@pytest.fixture(scope="session")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write every clip of the codec matrix; the frames carry their numbers."""
    folder = tmp_path_factory.mktemp("matrix")
    files = {name: write_numbered(folder / (name + coding.suffix), FRAMES, coding) for name, coding in MATRIX.items()}
    whole = write_numbered(
        folder / "faststart.mp4", FRAMES, Coding(options=OPEN_GOP, container={"movflags": "faststart"})
    )
    files["cut-mp4"] = cut(whole, folder / "cut-mp4.mp4")
    for name, source in {"cut-avi": "mpeg4-b-avi", "cut-ts": "ts", "cut-webm": "vp9", "cut-mpg": "mpeg2"}.items():
        files[name] = cut(files[source], folder / (name + files[source].suffix))
    frames = [numbered(index, 160, 96) for index in range(len(VARIABLE))]
    files["variable-rate"] = write(folder / "variable-rate.mp4", frames, MATRIX["h264"], times=VARIABLE)
    files["rotated"] = write_numbered(folder / "rotated.mp4", FRAMES, Coding(options=OPEN_GOP, rotation=180))
    files["one-frame"] = write_numbered(folder / "one-frame.mp4", 1)
    return files


@pytest.fixture(scope="session")
def good(matrix: dict[str, Path]) -> Path:
    """Return an ordinary clip of 90 frames."""
    return matrix["h264"]
