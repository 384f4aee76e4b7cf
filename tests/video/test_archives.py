"""Videos in tar archives: found, known by their place, read where they lie by every reader, and nothing is unpacked."""

import io
import os
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maxi_core.bags.codecs import video_key
from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Clip, Video
from maxi_core.video.archives import open_video, video_identity
from maxi_core.video.inputs import find_videos
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_core.video.skips import VideoFailed
from tests.video.clips import MATRIX, cut, numbers_in, write_numbered

Maxi = Callable[..., Any]
NAMES = ("h264", "mpeg4-b-avi", "vp9", "ts")
WANTED = {"test": Sampling("uniform", 5, side=None)}


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write clips of several containers and codecs as files."""
    folder = tmp_path_factory.mktemp("clips")
    for name in NAMES:
        write_numbered(folder / (name + MATRIX[name].suffix), 60, MATRIX[name])
    cut(folder / "mpeg4-b-avi.avi", folder / "cut.avi")
    return folder


@pytest.fixture
def shard(clips: Path, tmp_path: Path) -> Path:
    """Write a tar as WebDataset has it, with all that may lie beside videos."""
    members = {f"./{path.name}": path.read_bytes() for path in sorted(clips.iterdir())}
    more = {"0.json": b"{}", "0.txt": b"a caption", "._0.mp4": b"x", "__MACOSX/0.mp4": b"x", "empty.mp4": b""}
    long = {f"{'deep/' * 30}a b.mp4": next(iter(members.values())), "no film.mp4": b"text"}
    return write_tar(tmp_path / "000.tar", {**members, **more, **long})


def read(videos: Any, **options: Any) -> dict[str, Any]:
    answers = read_videos(videos, WANTED, VideoOptions(**{"workers": 0, "short_side": 0, **options}))
    return {video.id: answer for video, answer in answers}


def test_an_archive_is_a_folder_of_videos_in_its_own_order(shard: Path, clips: Path, logged: list[str]) -> None:
    found = list(find_videos(shard))
    names = [*sorted(path.name for path in clips.iterdir()), "empty.mp4", f"{'deep/' * 30}a b.mp4", "no film.mp4"]
    assert [video.id for video in found] == [f"000.tar/{name}" for name in names]
    assert [str(video.path) for video in found] == [f"{shard}/{name}" for name in names]
    assert "passed over 2 files not named like a video (.json, .txt) and 2 hidden (._*, __MACOSX)" in " ".join(logged)


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_read_of_an_archive_is_what_is_read_of_the_files(
    decoder: str, workers: int, shard: Path, clips: Path
) -> None:
    files = read(find_videos(clips), decoder=decoder, workers=workers)
    held = read(find_videos(shard), decoder=decoder, workers=workers)
    for name, frames in files.items():
        other = held[f"000.tar/{name}"]
        if isinstance(frames, VideoFailed):
            assert (other.error, other.reason) == (frames.error, frames.reason)
            continue
        assert np.array_equal(other["test"], frames["test"])
        assert (other.found, other.declared, other.damage) == (frames.found, frames.declared, frames.damage)
        assert numbers_in(other["test"]) == list(other.indices["test"])
    assert held["000.tar/empty.mp4"].error == "empty"
    assert held["000.tar/no film.mp4"].reason.startswith("this is a text file")


def test_windows_of_a_video_in_an_archive_are_those_of_the_file(shard: Path, clips: Path) -> None:
    cut = [video for video in find_videos(clips, clip_seconds=1.0) if video.id.startswith("h264")]
    held = [video for video in find_videos(shard, clip_seconds=1.0) if video.id.startswith("000.tar/h264")]
    assert [video.id.removeprefix("000.tar/") for video in held] == [video.id for video in cut]
    for one, other in zip(read(cut).values(), read(held).values(), strict=True):
        assert np.array_equal(one["test"], other["test"])


def test_a_video_in_an_archive_is_known_by_archive_and_place(shard: Path, tmp_path: Path) -> None:
    one, *others = (shard / name for name in ("h264.mp4", f"{'deep/' * 30}a b.mp4", "vp9.webm"))
    status = shard.stat()
    assert video_identity(one)[:3] == (str(shard), status.st_size, status.st_mtime_ns)
    with open_video(one) as file:
        data = file.read()
    assert shard.read_bytes()[video_identity(one)[3] :].startswith(data)
    assert len({video_key(Video("same", path)) for path in (one, *others)}) == 3
    before = video_key(Video("same", one))
    os.utime(shard, ns=(1, 1))
    assert video_key(Video("same", one)) != before
    with Clip(Video("x", one), np.zeros((0, 1, 1, 3), np.uint8)).open() as file:
        assert (file.read(), file.seek(-3, os.SEEK_END), file.read(9)) == (data, len(data) - 3, data[-3:])
    with pytest.raises(FileNotFoundError):
        open_video(shard / "nowhere.mp4")


def test_the_frame_cache_tells_videos_of_one_archive_apart(shard: Path, tmp_path: Path) -> None:
    videos = [video for video in find_videos(shard) if video.path.name in ("h264.mp4", "vp9.webm")]
    first = read(videos, frame_cache=tmp_path / "cache")
    again = read(videos, frame_cache=tmp_path / "cache")
    for video in videos:
        assert np.array_equal(first[video.id]["test"], again[video.id]["test"])


def test_lists_and_commands_name_videos_in_archives(shard: Path, maxi: Maxi) -> None:
    (shard.parent / "list.txt").write_text("000.tar/h264.mp4 3\n000.tar/gone.mp4 1\n")
    assert [video.id for video in find_videos(shard.parent / "list.txt")] == ["000.tar/h264.mp4", "000.tar/gone.mp4"]
    ran = maxi("check", shard.parent / "list.txt", "--workers", "0")
    assert ("000.tar/gone.mp4: no such file" in ran.out, "1 good" in ran.out) == (True, True)
    ran = maxi("check", shard / "h264.mp4", "--workers", "0")
    assert (ran.code, "000.tar/h264.mp4" in ran.out) == (0, True)


def test_several_archives_and_videos_are_named_together(shard: Path, clips: Path, tmp_path: Path) -> None:
    other = write_tar(tmp_path / "001.TAR", {"h264.mp4": (clips / "h264.mp4").read_bytes()})
    several = find_videos([other, shard, clips / "vp9.webm"], tmp_path.parent, allow_outside_root=True)
    found = [video.id for video in several]
    assert sum("001.TAR/h264.mp4" in name for name in found) == 1
    assert len(found) == len({*found}) == 10


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"../a.mp4": b"x"}, "'../a.mp4', which leads out of it"),
        ({"a/../../b.mp4": b"x"}, "which leads out of it"),
        ({"a.mp4": b"x", "./a.mp4": b"y"}, "has 'a.mp4' twice"),
    ],
)
def test_names_that_lead_out_or_come_twice_are_refused(members: dict[str, bytes], message: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=message):
        find_videos(write_tar(tmp_path / "x.tar", members))


def test_links_and_other_members_that_are_no_files_are_not_seen(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for kind, name in ((tarfile.SYMTYPE, "a.mp4"), (tarfile.LNKTYPE, "b.mp4"), (tarfile.FIFOTYPE, "c.mp4")):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    assert len(find_videos(tmp_path / "x.tar")) == 0


def test_archives_that_are_cut_compressed_or_none_are_named(shard: Path, tmp_path: Path, logged: list[str]) -> None:
    (tmp_path / "text.tar").write_text("a text that is long enough to be read as a header" * 100)
    with pytest.raises(UsageError, match="is no tar archive"):
        find_videos(tmp_path / "text.tar")
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(UsageError, match="is no tar archive"):
        find_videos(tmp_path / "empty.tar")
    for name in ("a.tar.gz", "a.tgz"):
        (tmp_path / name).write_bytes(b"\x1f\x8b")
        with pytest.raises(UsageError, match="is compressed"):
            find_videos(tmp_path / name)
    whole = shard.read_bytes()
    header = video_identity(shard / "ts.ts")[3] - 512
    (tmp_path / "cut.tar").write_bytes(whole[:header] + b"\x01" * 512 + whole[header + 512 :])
    assert 0 < len(find_videos(tmp_path / "cut.tar")) < len(find_videos(shard))
    assert "cut.tar is damaged or cut off after" in " ".join(logged)
    (tmp_path / "cut.tar").write_bytes(whole[: header + 600])
    assert len(find_videos(tmp_path / "cut.tar")) > 0
    assert " ".join(logged).count("cut.tar is damaged or cut off") == 2


def write_parquet(path: Path, clips: Path, form: str) -> Path:
    """Write the clips as a table of two rows a group, in one of the forms that people have."""
    rows: list[dict[str, Any]] = []
    for number, clip in enumerate(sorted(clips.iterdir())):
        data = clip.read_bytes()
        rows.append(
            {
                "id": {"number": number, "video_id": f"in/{clip.name}", "video": data},
                "struct": {"label": number, "video": {"bytes": data, "path": clip.name}},
                "rows": {"mp4": data, "json": {"title": "same"}, "thumbnail": b"x", "name": "same"},
            }[form]
        )
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    return path


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
@pytest.mark.parametrize("form", ["id", "struct", "rows"])
def test_a_column_of_videos_in_parquet_is_read_as_the_files_are(
    form: str, decoder: str, clips: Path, tmp_path: Path
) -> None:
    names = sorted(path.name for path in clips.iterdir())
    table = write_parquet(tmp_path / "t.parquet", clips, form)
    called = {"id": [f"in/{name}" for name in names], "struct": names, "rows": [str(n) for n in range(len(names))]}
    found = list(find_videos(table))
    assert [video.id for video in found] == [f"t.parquet/{name}" for name in called[form]]
    asked = {"decoder": decoder, "workers": 2 if form == "id" else 0}
    files, held = read(find_videos(clips), **asked), read(found, **asked)
    for (name, frames), other in zip(files.items(), held.values(), strict=True):
        if isinstance(frames, VideoFailed):
            assert (other.error, other.reason) == (frames.error, frames.reason)
        else:
            assert np.array_equal(other["test"], frames["test"]), name
    assert len({video_key(video) for video in found}) == len(found)
    before = open_video(found[0].path).read()
    write_parquet(table, clips, form)  # with another time of change the cells are read anew
    assert open_video(found[0].path).read() == before


def test_tables_that_hold_no_videos_or_cannot_be_read_are_named(
    clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"a": [b"x"], "b": [b"y"]}), tmp_path / "two.parquet")
    with pytest.raises(UsageError, match="its columns a, b could all be videos"):
        find_videos(tmp_path / "two.parquet")
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "none.parquet")
    with pytest.raises(UsageError, match="none of its columns has the bytes of videos"):
        find_videos(tmp_path / "none.parquet")
    (tmp_path / "text.parquet").write_text("a text")
    with pytest.raises(UsageError, match="cannot be read as Parquet"):
        find_videos(tmp_path / "text.parquet")
    pq.write_table(pa.table({"video": pa.array([None, b"text"], pa.binary())}), tmp_path / "bad.parquet")
    found = read(find_videos(tmp_path / "bad.parquet"))
    assert [answer.error for answer in found.values()] == ["empty", "not-a-video"]
    table = write_parquet(tmp_path / "t.parquet", clips, "id")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"needs pyarrow, which is not installed; pip install 'maxi\[data\]'"):
        find_videos(table)


def test_a_folder_of_archives_alone_is_their_videos(
    shard: Path, clips: Path, tmp_path: Path, logged: list[str]
) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    shard.rename(folder / "001.tar")
    write_parquet(folder / "000.parquet", clips, "id")
    found = [video.id for video in find_videos(folder)]
    assert found[:2] == ["000.parquet/in/cut.avi", "000.parquet/in/h264.mp4"]
    assert sum(name.startswith("001.tar/") for name in found) == 8
    (folder / "own.mp4").write_bytes((clips / "h264.mp4").read_bytes())
    assert [video.id for video in find_videos(folder)] == ["own.mp4"]
    assert "2 files not named like a video (.parquet, .tar)" in logged[-1]


def test_benchmarks_find_their_videos_in_archives(shard: Path, tmp_path: Path) -> None:
    from maxi_core.evaluation.benchmarks.reading import Places
    from maxi_core.evaluation.benchmarks.splits import Sample, Split

    samples = tuple(Sample(name, name, (0,)) for name in ("elsewhere/h264.mp4", "vp9.avi", "gone.mp4"))
    split = Split("own", "1", ("waving",), samples, ())
    for place, inside in ((shard, ""), (shard.parent, "000.tar/")):
        placed = Places(place).place(split)
        paths = [str(video.path.relative_to(place)) for video in placed.videos[:2]]
        assert (paths, placed.missing) == ([f"{inside}h264.mp4", f"{inside}vp9.webm"], ("gone.mp4",))
