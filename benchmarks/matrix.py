"""The codec matrix: which decoder gives the right frames of which clip, by the numbers drawn into them.

    python -m benchmarks.matrix

Every decoder is asked for 16 segment middles. "alone" is decord's own random access, `get_batch`.
torchcodec needs the shared libraries of FFmpeg; without them its column says so.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
import decord

from maxi_core.errors import UsageError
from maxi_core.video.decoders import look_up
from maxi_core.video.sampling import segment_middles
from maxi_core.video.skips import VideoError
from tests.video.clips import MATRIX, X264, Coding, cut, number_in, numbered, numbers_in, write, write_numbered

COUNT, FRAMES = 16, 90


def clips(folder: Path) -> dict[str, Path]:
    """Write the clips of the matrix, and those that are cut, of variable rate, rotated or a single frame."""
    files = {name: write_numbered(folder / (name + coding.suffix), FRAMES, coding) for name, coding in MATRIX.items()}
    faststart = Coding(options=X264, container={"movflags": "faststart"})
    files["cut-mp4"] = cut(write_numbered(folder / "whole.mp4", FRAMES, faststart), folder / "cut-mp4.mp4")
    for name, source in {"cut-avi": "mpeg4-b-avi", "cut-ts": "ts", "cut-webm": "vp9"}.items():
        files[name] = cut(files[source], folder / (name + files[source].suffix))
    pictures = [numbered(index, 160, 96) for index in range(60)]
    times = [40 * i if i < 30 else 200 * i - 4800 for i in range(60)]
    files["variable-rate"] = write(folder / "variable.mp4", pictures, MATRIX["h264"], times=times)
    files["rotated"] = write_numbered(folder / "rotated.mp4", FRAMES, Coding(options=X264, rotation=180))
    files["one-frame"] = write_numbered(folder / "one.mp4", 1)
    return files


def sequential(path: Path) -> list[int]:
    """Return the number in each frame of a plain decode from the first to the last, up to where the file breaks."""
    numbers: list[int] = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                for frame in packet.decode():
                    pixels = frame.to_ndarray(format="rgb24")
                    numbers.append(number_in(pixels[::-1, ::-1] if frame.rotation else pixels))
            except av.error.FFmpegError:
                continue
    return numbers


def verdict(found: Sequence[int], expected: Sequence[int]) -> str:
    """Say how many frames are the right ones."""
    right = sum(a == b for a, b in zip(found, expected, strict=False))
    return "right" if list(found) == list(expected) else f"{len(expected) - right} of {len(expected)} wrong"


def with_maxi(name: str, path: Path, expected: Sequence[int]) -> str:
    """Say what a decoder of maxi gives."""
    try:
        decode = look_up(name).load()
        decoded = decode(path, lambda n, _: [sorted(set(segment_middles(n, COUNT)))], threads=1)
    except VideoError as error:
        return error.kind
    except UsageError:
        return "missing"
    return verdict(numbers_in(decoded.pixels[0]), expected)


def alone(path: Path) -> str:
    """Say what decord's random access gives."""
    try:
        reader = decord.VideoReader(str(path))
        places = sorted(set(segment_middles(len(reader), COUNT)))
        found = numbers_in(reader.get_batch(places).asnumpy())
    except Exception as error:
        return type(error).__name__
    numbers = sequential(path)
    return verdict(found, [numbers[place] if place < len(numbers) else -1 for place in places])


def main() -> None:
    """Print the table."""
    os.environ.setdefault("SVT_LOG", "1")  # the AV1 encoder chats on stderr
    decord.logging.set_level(decord.logging.QUIET)
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'clip':15} {'frames':>6}  {'pyav':10} {'torchcodec':10} {'decord':10} decord alone")
        for name, path in clips(Path(folder)).items():
            numbers = sequential(path)
            expected = [numbers[place] for place in sorted(set(segment_middles(len(numbers), COUNT)))]
            cells = [with_maxi(decoder, path, expected) for decoder in ("pyav", "torchcodec", "decord")]
            print(f"{name:15} {len(numbers):6}  {cells[0]:10} {cells[1]:10} {cells[2]:10} {alone(path)}")


if __name__ == "__main__":
    sys.exit(main())
