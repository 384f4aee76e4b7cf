"""Shape, size and colour of frames, on clips that are awkward in each."""

from fractions import Fraction
from pathlib import Path
from struct import unpack

import numpy as np
import pytest

from maxi_core.video.picture import displayed
from tests.video.clips import COLOURS, MATRIX, X264, Coding, Image, coloured, colours_in, numbered, numbers_in, write
from tests.video.decoding import decode, loadable

UPRIGHT = list(COLOURS)


def first(path: Path, **asked: object) -> Image:
    frame: Image = decode("pyav", path, lambda n: (0,), **asked).pixels[0]  # type: ignore[arg-type]
    return frame


@pytest.mark.parametrize(("rotation", "turns"), [(90, 1), (-90, -1), (180, 2)])
@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
def test_a_clip_that_says_it_is_rotated_is_turned_upright(
    tmp_path: Path, rotation: int, turns: int, decoder: str
) -> None:
    loadable(decoder)
    lying = np.rot90(coloured(96, 160), -turns)  # as the camera stores it
    clip = write(tmp_path / "turned.mp4", [lying] * 3, Coding(options=X264, rotation=rotation))
    data = clip.read_bytes()
    at = data.index(b"tkhd") + 44  # the matrix in the track header says where the stored x axis points when shown
    a, b = unpack(">2i", data[at : at + 8])
    assert {(0, -65536): 1, (0, 65536): -1, (-65536, 0): 2}[a, b] == turns
    decoded = decode(decoder, clip, lambda n: (0,), threads=1)
    assert decoded.pixels.shape == (1, 160, 96, 3) if rotation != 180 else (1, 96, 160, 3)
    assert colours_in(decoded.pixels[0]) == UPRIGHT
    assert decoded.pixels.flags.c_contiguous  # as frames that were not turned
    assert decoded.info is not None
    if decoder == "pyav":
        assert (decoded.info.height, decoded.info.width) == decoded.pixels.shape[1:3]


@pytest.mark.parametrize(
    "coding",
    {
        "8-bit": Coding(options=X264),
        "10-bit": Coding(pixels="yuv420p10le", options=X264),
        "10-bit-hevc": Coding(codec="libx265", pixels="yuv420p10le", options=MATRIX["hevc"].options),
        "4:4:4": Coding(pixels="yuv444p", options=X264),
        "full-range": Coding(pixels="yuvj420p", options=X264),
        "alpha-vp9": Coding(".webm", "libvpx-vp9", pixels="yuva420p"),
        "alpha-qtrle": Coding(".mov", "qtrle", pixels="argb"),
        "lossless": Coding(".mkv", "ffv1", pixels="bgr0"),
    }.items(),
    ids=lambda item: item[0],
)
def test_colours_come_out_as_they_went_in(tmp_path: Path, coding: tuple[str, Coding]) -> None:
    frame = first(write(tmp_path / ("clip" + coding[1].suffix), [coloured(160, 96)] * 3, coding[1]))
    assert frame.shape == (96, 160, 3)
    assert frame.dtype == np.uint8
    for place, colour in zip([(24, 40), (24, 120), (72, 40), (72, 120)], COLOURS.values(), strict=True):
        assert np.abs(frame[place].astype(int) - colour).max() <= 6, place


def test_grey_clips_have_three_equal_channels(tmp_path: Path) -> None:
    frame = first(write(tmp_path / "grey.mkv", [coloured(160, 96)] * 3, Coding(".mkv", "ffv1", pixels="gray")))
    assert (frame[..., 0] == frame[..., 1]).all()
    assert (frame[..., 0] == frame[..., 2]).all()
    assert np.abs(frame[24, 40].astype(int) - 76).max() <= 2  # the luma of red, BT.601: 0.299 * 255
    assert np.abs(frame[72, 120].astype(int) - 255).max() <= 2


@pytest.mark.parametrize(("width", "height"), [(97, 65), (65, 97), (33, 34), (96, 160)])
def test_odd_and_upright_sizes_are_kept(tmp_path: Path, width: int, height: int) -> None:
    clip = write(tmp_path / "odd.mp4", [coloured(width, height)] * 3, Coding(pixels="yuv444p", options=X264))
    frame = first(clip)
    assert frame.shape == (height, width, 3)
    assert colours_in(frame) == UPRIGHT


def test_a_4k_clip_is_made_small_and_stays_readable(tmp_path: Path) -> None:
    clip = write(
        tmp_path / "4k.mp4",
        [numbered(i, 3840, 2160) for i in range(4)],
        Coding(options={"preset": "ultrafast", "crf": "30"}),
    )
    decoded = decode("pyav", clip, range, 256)
    assert decoded.pixels.shape == (4, 256, 455, 3)
    assert numbers_in(decoded.pixels) == [0, 1, 2, 3]


@pytest.mark.parametrize("decoder", ["pyav", "decord", "torchcodec"])
def test_pixels_that_are_not_square_are_shown_in_their_shape_or_as_stored(tmp_path: Path, decoder: str) -> None:
    loadable(decoder)
    clip = write(tmp_path / "wide.mp4", [coloured(120, 96)] * 3, Coding(options=X264, aspect=Fraction(4, 3)))
    wide = decode(decoder, clip, lambda n: (0,), threads=1).pixels[0]
    assert wide.shape == (96, 160, 3)
    assert colours_in(wide) == UPRIGHT
    assert decode(decoder, clip, lambda n: (0,), square_pixels=False, threads=1).pixels.shape == (1, 96, 120, 3)


def test_the_size_that_is_shown_is_never_larger_than_asked_nor_than_the_file() -> None:
    assert displayed(1920, 1080, None, 256) == (455, 256)
    assert displayed(1080, 1920, None, 256) == (256, 455)
    assert displayed(160, 96, None, 256) == (160, 96)
    assert displayed(340, 256, Fraction(5, 4), 128) == (212, 128)
    assert displayed(160, 96, Fraction(60000, 1), None) == (160, 96)  # a damaged header


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_short_clips_repeat_frames_and_keep_the_shape(tmp_path: Path, frames: int) -> None:
    from maxi_core.settings.sections import VideoOptions
    from maxi_core.types import Video
    from maxi_core.video.reader import read_videos
    from maxi_core.video.sampling import Sampling, segment_middles, uniform

    clip = write(tmp_path / "short.mp4", [numbered(i, 160, 96) for i in range(frames)])
    wanted = {"clip": Sampling("middles", 16), "captioner": Sampling("uniform", 8)}
    [(_, read)] = read_videos([Video("short.mp4", clip)], wanted, VideoOptions(workers=0))
    assert not hasattr(read, "reason")
    assert read["clip"].shape == (16, 96, 160, 3)
    assert read["captioner"].shape == (8, 96, 160, 3)
    assert numbers_in(read["clip"]) == list(segment_middles(frames, 16))
    assert numbers_in(read["captioner"]) == list(uniform(frames, 8))
    assert read.flag == ""
