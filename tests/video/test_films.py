"""Which stream of a file is the film, how long it lasts, and which way up it is held, by every decoder alike."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from av.stream import Disposition

from maxi_core.errors import MaxiError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.check import check_videos
from maxi_core.video.frames import Frames
from maxi_core.video.inputs import cut
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from tests.video.clips import X264, Coding, coloured, colours_in, numbered, numbers_in, write
from tests.video.decoding import decode, loadable
from tests.video.films import MATRICES, Track, film, held, orientated

CASES = Path(os.environ.get("MAXI_SHARED", Path(__file__).parents[3] / "shared")) / "cases" / "videos"
DECODERS = ("pyav", "decord", "torchcodec")
SHOWN = {  # of a picture whose quarters are stored as 0 1 / 2 3
    "as stored": (0, 1, 2, 3),
    "mirrored": (1, 0, 3, 2),
    "upside down": (2, 3, 0, 1),
    "half a turn": (3, 2, 1, 0),
    "a quarter": (2, 0, 3, 1),
    "three quarters": (1, 3, 0, 2),
    "transposed": (0, 2, 1, 3),
    "transposed the other way": (3, 1, 2, 0),
}


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> str:
    loadable(request.param)
    return str(request.param)


def windows(path: Path, decoder: str = "pyav") -> list[list[int]]:
    """Cut a film into windows of a second and read the numbers of every frame of each."""
    wanted = {"every": Sampling("all")}
    answers = read_videos(cut([Video(path.name, path)], 1.0), wanted, VideoOptions(decoder=decoder, workers=0))
    return [numbers_in(answer["every"]) if isinstance(answer, Frames) else [] for _, answer in answers]


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("side", [None, 48])
def test_all_of_the_display_matrix_is_applied(tmp_path: Path, name: str, side: int | None, decoder: str) -> None:
    stored = coloured(160, 96)
    clip = held(write(tmp_path / "a.mp4", [stored] * 3, Coding(options=X264)), tmp_path / "b.mp4", MATRICES[name])
    decoded = decode(decoder, clip, lambda n: (0, 2), side, threads=1)
    assert all(colours_in(frame) == [colours_in(stored)[place] for place in SHOWN[name]] for frame in decoded.pixels)
    turned = (160, 96) if MATRICES[name][0] == 0 else (96, 160)
    assert decoded.pixels.shape[1:3] == tuple(length * (side or 96) // 96 for length in turned)
    assert decoded.info is not None
    assert (decoded.info.height, decoded.info.width) == turned


def test_an_orientation_in_the_stream_itself_is_applied_or_refused(tmp_path: Path, decoder: str) -> None:
    clip = orientated(write(tmp_path / "a.mp4", [coloured(160, 96)] * 3), tmp_path / "b.mp4", "flip=horizontal")
    if decoder == "pyav":
        assert colours_in(decode(decoder, clip, lambda n: (0,)).pixels[0]) == ["green", "red", "white", "blue"]
    else:  # which does not look there
        with pytest.raises(MaxiError, match="shows another picture than the first"):
            decode(decoder, clip, lambda n: (0,), threads=1)


def test_a_squeezed_film_that_is_held_sideways_keeps_its_shape(tmp_path: Path, decoder: str) -> None:
    squeezed = write(tmp_path / "a.mp4", [coloured(120, 96)] * 3, Coding(options=X264, aspect=Fraction(4, 3)))
    clip = held(squeezed, tmp_path / "b.mp4", MATRICES["transposed"])
    assert decode(decoder, clip, lambda n: (0,), threads=1).pixels.shape == (1, 160, 96, 3)
    assert decode(decoder, clip, lambda n: (0,), square_pixels=False, threads=1).pixels.shape == (1, 120, 96, 3)


def test_the_frame_cache_gives_mirrored_frames_back_as_they_are_shown(tmp_path: Path) -> None:
    clip = held(write(tmp_path / "a.mp4", [coloured(160, 96)] * 3), tmp_path / "b.mp4", MATRICES["mirrored"])
    options = VideoOptions(workers=0, frame_cache=tmp_path / "cache")
    reads = [next(read_videos([Video("b", clip)], {"one": Sampling("middles", 1)}, options))[1] for _ in range(2)]
    assert all(isinstance(read, Frames) and colours_in(read["one"][0])[0] == "green" for read in reads)
    assert list((tmp_path / "cache").glob("??/*.frames"))


COVER = Track("mjpeg", 64, 64, 1)


@pytest.mark.parametrize(
    ("ending", "tracks"),
    [
        (".mkv", (COVER, Track())),
        (".mkv", (Track(), COVER)),
        (".mp4", (Track(), replace(COVER, role=int(Disposition.attached_pic)))),
    ],
    ids=["unmarked and first", "unmarked and last", "attached"],
)
def test_the_film_is_read_and_not_the_picture_beside_it(
    tmp_path: Path, ending: str, tracks: tuple[Track, ...], decoder: str
) -> None:
    decoded = decode(decoder, film(tmp_path / f"a{ending}", tracks), range, threads=1)
    assert numbers_in(decoded.pixels) == list(range(50))
    assert decoded.info is not None
    assert decoded.info.duration == pytest.approx(2.0)


def test_of_several_films_that_is_read_which_the_file_says(tmp_path: Path) -> None:
    preview = Track(width=64, height=64, frames=20, role=0)
    clip = film(tmp_path / "a.mkv", [preview, Track(role=int(Disposition.default))])
    assert decode("pyav", clip, range).pixels.shape == (50, 96, 160, 3)


def test_of_several_films_in_a_file_another_decoder_reads_none(tmp_path: Path, decoder: str) -> None:
    if decoder == "pyav":
        pytest.skip("it reads the one that the file says, see above")
    clip = film(tmp_path / "a.mkv", [Track(width=64, height=64, frames=20, role=0), Track()])
    with pytest.raises(MaxiError, match="several films in this file"):
        decode(decoder, clip, range, threads=1)


@pytest.mark.parametrize(("ending", "role"), [(".mp4", int(Disposition.attached_pic)), (".mkv", 0)])
def test_music_with_a_cover_has_no_video(tmp_path: Path, ending: str, role: int, decoder: str) -> None:
    music = film(tmp_path / f"a{ending}", [replace(COVER, role=role)], "aac")
    with pytest.raises(MaxiError, match="no video in this file, only a picture, audio"):
        decode(decoder, music, range)


def test_a_film_of_pictures_with_sound_is_a_film(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.avi", [Track("mjpeg")], "mp2")
    assert numbers_in(decode("pyav", clip, range).pixels) == list(range(50))


def test_a_film_that_ffmpeg_cannot_decode_is_named(tmp_path: Path, good: Path, decoder: str) -> None:
    strange = tmp_path / "a.mp4"
    strange.write_bytes(good.read_bytes().replace(b"avc1", b"zzzz"))
    with pytest.raises(MaxiError, match="no decoder for the video"):
        decode(decoder, strange, range)


LATE = {
    "mp4": ("libx264", "aac", {}),
    "fragments.mp4": ("libx264", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "mkv": ("libx264", "aac", {}),
    "live.mkv": ("libx264", "aac", {"live": "1"}),
    "webm": ("libvpx", "libopus", {}),
    "live.webm": ("libvpx", "libopus", {"live": "1"}),
    "avi": ("mpeg4", "mp2", {}),
    "flv": ("libx264", "aac", {}),
    "live.flv": ("libx264", "aac", {"flvflags": "no_duration_filesize"}),
    "ts": ("libx264", "aac", {}),
    "mpg": ("mpeg2video", "mp2", {}),
    "nut": ("mpeg4", "mp2", {}),
    "wmv": ("wmv2", "mp2", {}),
}
READ = {
    "decord": ("mp4", "mkv", "webm", "avi"),
    "torchcodec": ("mp4", "fragments.mp4", "mkv", "live.mkv", "webm", "live.webm"),
}


@pytest.mark.parametrize("late", [0.0, 1.0], ids=["sound goes on", "film is late"])
@pytest.mark.parametrize("sound", [True, False], ids=["sound", "silent"])
@pytest.mark.parametrize("kind", LATE)
def test_a_film_is_as_long_as_it_is_whatever_the_sound_does(
    tmp_path: Path, kind: str, late: float, sound: bool, decoder: str
) -> None:
    if kind not in READ.get(decoder, LATE):
        pytest.skip(f"{decoder} refuses it")
    codec, voice, how = LATE[kind]
    clip = film(tmp_path / f"a.{kind}", [Track(codec, late=late)], voice if sound else "", 4.0, **how)
    [checked] = check_videos([Video("a", clip)], VideoOptions(decoder=decoder, workers=0))
    assert (checked.usable, checked.problem, checked.found) == (True, "", 50)
    assert checked.declared in (50, None)
    if kind == "fragments.mp4" and late:
        return  # its first frame is shown all the while, see below
    assert checked.info is not None
    assert checked.info.duration == pytest.approx(2.0, abs=0.05)
    assert windows(clip, decoder) == [list(range(25)), list(range(25, 50))]


def test_a_window_in_which_no_frame_begins_has_the_one_that_is_still_shown(tmp_path: Path, decoder: str) -> None:
    times = [0, 40, 80, 3000, 3040]
    clip = write(tmp_path / "a.mp4", [numbered(i, 160, 96) for i in range(5)], Coding(options=X264), times=times)
    assert windows(clip, decoder) == [[0, 1, 2], [2], [3, 4]]
    with pytest.raises(MaxiError, match="no frames between"):
        decode(decoder, clip, range, start=9.0, threads=1)


@pytest.mark.parametrize(("ending", "codec", "voice"), [("mkv", "libx264", "aac"), ("flv", "libx264", "aac")])
def test_a_film_with_sound_that_is_cut_is_still_seen_to_be(tmp_path: Path, ending: str, codec: str, voice: str) -> None:
    whole = film(tmp_path / f"whole.{ending}", [Track(codec, frames=100)], voice)
    short = tmp_path / f"a.{ending}"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    [checked] = check_videos([Video("a", short)], VideoOptions(workers=0))
    assert checked.usable
    assert checked.problem
    assert checked.found < 90


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_the_cases_are_read_as_they_should_be(decoder: str) -> None:
    def frames(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return decode(decoder, CASES / name, range, threads=1).pixels

    base = frames("base.mp4")
    assert base.shape == (100, 120, 160, 3)
    assert np.abs(frames("m_h.mp4").astype(int) - base[:, :, ::-1]).mean() < 1
    for name in ("cover_first.mkv", "udta_first.mp4", "lateVideo.mkv", "lateVideo.webm"):
        assert np.abs(frames(name).astype(int) - base).mean() < 5, name
    assert [len(part) for part in windows(CASES / "lateVideo.mkv", decoder)] == [25] * 4
    assert [len(part) for part in windows(CASES / "lateVideo.webm", decoder)] == [25] * 4
    assert len(cut([Video("live", CASES / "live.webm")], 1.0)) == 4
    videos = [Video(path.name, path) for path in sorted(CASES.iterdir())]
    checked = {one.video.id: one for one in check_videos(videos, VideoOptions(decoder=decoder, workers=0))}
    problems = {name: one.error for name, one in checked.items() if one.problem}
    refused = {} if decoder == "pyav" else {"anim.gif": "refused", "live.webm": "refused"}
    assert problems == {"audio_cover.mp4": "no-video"} | refused
