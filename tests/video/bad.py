"""Files that are no videos, or only say so, by the name of what is wrong with each."""

import os
from pathlib import Path

import av
import numpy as np

from tests.video.clips import cut

CHEAP = "/dev/null/missing.mp4"


def audio_only(path: Path) -> Path:
    """Write an MP4 that holds a second of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        for start in range(0, 16000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 16000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def bad_files(folder: Path, matrix: dict[str, Path]) -> dict[str, Path]:
    """Write one file of each kind; the part of a key before "/" is the short name of the problem it must give."""
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("this is a text\n" * 50)
    (folder / "short text.avi").write_text("x")
    (folder / "noise.mp4").write_bytes(np.random.default_rng(0).bytes(50_000))
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "pipe.mp4")
    (folder / "loop.mp4").symlink_to(folder / "loop.mp4")
    files = {
        "empty": folder / "empty.mp4",
        "not-a-video/text": folder / "text.mp4",
        "not-a-video/short": folder / "short text.avi",
        "not-a-video/noise": folder / "noise.mp4",
        "folder": folder / "folder.mp4",
        "missing": folder / "vanished.mp4",
        "missing/below a file": folder / "empty.mp4" / "x.mp4",
        "not-a-file": folder / "pipe.mp4",
        "unreadable": folder / "loop.mp4",
        "unfinished": cut(matrix["h264"], folder / "no index.mp4"),
        "unfinished/in the header": cut(matrix["h264"], folder / "header.mp4", 0.005),
        "no-video": audio_only(folder / "sound.mp4"),
        "damaged": cut(matrix["vp9"], folder / "header.webm", 0.01),
    }
    if os.geteuid():  # root may read everything
        (folder / "secret.mp4").write_bytes(matrix["h264"].read_bytes())
        (folder / "secret.mp4").chmod(0)
        files["permission"] = folder / "secret.mp4"
    return files
