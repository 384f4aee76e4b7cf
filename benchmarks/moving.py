"""Clips for the benchmarks: ten seconds of a moving texture, so that decoding has something to do."""

from pathlib import Path

import av
import numpy as np

SECONDS, RATE = 10, 25
SIZES = {"256p": (340, 256, 4), "1080p": (1920, 1080, 2)}  # width, height, clips


def write_clips(folder: Path) -> dict[str, list[Path]]:
    """Write the clips of each size into `folder` as H.264 with one key frame in ten seconds, as people have them."""
    clips: dict[str, list[Path]] = {}
    for name, (width, height, count) in SIZES.items():
        clips[name] = [write(folder / f"{name}-{seed}.mp4", width, height, seed) for seed in range(count)]
    return clips


def write(path: Path, width: int, height: int, seed: int, codec: str = "libx264", frames: int = SECONDS * RATE) -> Path:
    """Write one clip: a texture that drifts, brightens and dims, so that no two frames are alike."""
    rng = np.random.default_rng(seed)
    side = height // 16  # of a block: the finer, the more bits; this comes near the bit rates of real clips
    coarse = rng.integers(0, 200, (height // side + 2, width // side + 2, 3), dtype=np.uint8)
    texture = np.repeat(np.repeat(coarse, side, axis=0), side, axis=1)[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = frames
        if codec == "libx264":
            stream.options = {"preset": "veryfast", "crf": "24"}
        for number in range(frames):
            picture = np.roll(texture, (number, 3 * number), axis=(0, 1)) + np.uint8(number % 50)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
