"""What is no video and no list: hidden files, files that are no text, pipes, sockets, devices and links in a circle."""

import gzip
import inspect
import logging
import os
import socket
import sys
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.hidden import is_hidden
from maxi_core.video.check import check_videos
from maxi_core.video.inputs import find_videos
from tests.video.clips import write_numbered
from tests.video.films import Track, film

CASES = Path(os.environ.get("MAXI_SHARED", Path(__file__).parents[3] / "shared")) / "cases" / "videos"
JUNK = ["._a.mp4", ".ipynb_checkpoints/a-checkpoint.mp4", "@eaDir/a.mp4", "__MACOSX/a.mp4", "#recycle/a.mp4"]
JUNK += [
    ".Trash-1000/a.mp4",
    "lost+found/a.mp4",
    "$RECYCLE.BIN/a.mp4",
    "sub/@eaDir/b.mp4",
    "~snapshot/a.mp4",
    ".DS_Store",
    "Thumbs.db",
]


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    monkeypatch.setattr(logging.getLogger("maxi"), "propagate", True)
    return caplog


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


def names(place: Path) -> list[str]:
    return [video.id for video in find_videos(place)]


def test_hidden_files_and_folders_are_no_videos_and_are_said(tmp_path: Path, shown: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.mp4", "sub/b.mp4", "#20_Rhythm_clap.avi", "_under.mp4", "@name.mp4", *JUNK)
    assert names(tmp_path) == ["#20_Rhythm_clap.avi", "@name.mp4", "_under.mp4", "a.mp4", "sub/b.mp4"]
    [line] = shown.messages
    assert line.startswith(f"{tmp_path}: passed over {len(JUNK)} hidden (2 @eaDir, ")


def test_hidden_files_that_are_named_are_taken(tmp_path: Path) -> None:
    touch(tmp_path, "._a.mp4", ".old/b.mp4", "@eaDir/c.mp4")
    (tmp_path / "list.txt").write_text("._a.mp4\n.old/b.mp4\n")
    assert names(tmp_path / "list.txt") == ["._a.mp4", ".old/b.mp4"]
    assert names(tmp_path / "._a.mp4") == ["._a.mp4"]
    assert names(tmp_path / "@eaDir") == ["c.mp4"]


@pytest.mark.parametrize("name", ["clip.mp4", "#20_Rhythm.avi", "_x", "and action.mp4", "~a", "trash", "@a", "a~"])
def test_ordinary_names_are_not_hidden(name: str) -> None:
    assert not is_hidden(name)


def test_a_folder_says_how_many_files_of_which_ending_it_passed_over(
    tmp_path: Path, shown: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, "a.mp4", "b.gif", "c.GIF", "labels.csv", "README", "d.\x1b[31m" + "x" * 200)
    assert names(tmp_path) == ["a.mp4"]
    assert shown.messages == [
        f"{tmp_path}: passed over 5 files not named like a video (2 .gif, no ending, .?[31mxxxxxxxxxxx..., .csv)"
    ]


def test_a_folder_of_videos_alone_says_nothing(tmp_path: Path, shown: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.mp4", "sub/b.mp4")
    names(tmp_path)
    assert shown.messages == []


@pytest.mark.parametrize("ending", [".gif", ".mxf", ".dat", ""])
def test_a_file_that_is_a_video_is_one_whatever_its_ending(tmp_path: Path, good: Path, ending: str) -> None:
    made = {".gif": ("gif", "rgb8"), ".mxf": ("mpeg2video", "yuv420p")}.get(ending)
    clip = tmp_path / f"clip{ending}"
    if made is None:
        clip.write_bytes(good.read_bytes())
    elif ending == ".mxf":
        film(clip, [Track("mpeg2video", frames=20)])
    else:
        clip.write_bytes(GIF)
    [checked] = check_videos(find_videos(clip), VideoOptions(workers=0))
    assert (checked.video.id, checked.usable, checked.problem) == (clip.name, True, "")


GIF = bytes.fromhex(
    "47494638396101000100800000ffffff00000021f90400010000002c000000000100010000020144003b"
)  # one white pixel


@pytest.mark.parametrize("ending", [".txt", ".csv", ".tsv", ".jsonl", ".bin", ""])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x01\x02PNG\x1b[31m" * 5000, "NUL bytes"),
        (b"a.mp4\n" * 50 + b"\0" * 10, "NUL bytes"),
        ("a.mp4\nb.mp4\n".encode("utf-16"), "UTF-16"),
        (gzip.compress(b"a.mp4\nb.mp4\n"), "compressed"),
        (b"PK\x03\x04rest of a zip", "compressed"),
    ],
    ids=["noise", "text with zeros", "utf-16", "gzip", "zip"],
)
def test_what_is_no_text_is_no_list_and_is_not_quoted(tmp_path: Path, ending: str, data: bytes, why: str) -> None:
    path = tmp_path / f"list{ending}"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=f"is neither a video nor a list: .*{why}") as raised:
        find_videos(path)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < len(str(path)) + 120


@pytest.mark.parametrize("name", ["list.jsonl", "list.txt", "list.csv"])
def test_what_a_message_quotes_of_a_list_is_short_and_without_control_characters(tmp_path: Path, name: str) -> None:
    long = "../" + "\x1b]0;title\x07" + "y" * 100_000
    lines = {"list.jsonl": f'{{"path": "a.mp4", "start": "{"9" * 5000}x"}}', "list.csv": f'path\n"{long}"'}
    (tmp_path / name).write_text(lines.get(name, long))
    with pytest.raises(UsageError, match="line") as raised:
        find_videos(tmp_path / name)
    assert len(str(raised.value)) < len(str(tmp_path)) * 2 + 250
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("name", ["pipe", "pipe.mp4", "pipe.txt", "socket", "/dev/zero"])
def test_what_is_no_ordinary_file_is_refused_at_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if name.startswith("pipe"):
        os.mkfifo(name)
    elif name == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    with pytest.raises(UsageError, match="a (named pipe|socket|device) and not an ordinary file"):
        find_videos(name)


@pytest.mark.parametrize("text", ["ffconcat version 1.0\nfile a.mp4\n", "#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"])
def test_a_list_of_other_files_that_is_named_as_a_video_is_none(tmp_path: Path, text: str) -> None:
    write_numbered(tmp_path / "a.mp4", 3)
    film(tmp_path / "a.ts", [Track("mpeg4")])
    (tmp_path / "list.mp4").write_text(text)
    found = {one.video.id: one.error for one in check_videos(find_videos(tmp_path), VideoOptions(workers=0))}
    assert found["a.mp4"] == ""
    assert found["list.mp4"] in ("no-video", "not-a-video")


def test_pipes_sockets_devices_and_circles_among_videos_cost_one_line_each(tmp_path: Path) -> None:
    write_numbered(tmp_path / "a.mp4", 3)
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "circle.mp4").symlink_to("circle.mp4")
    (tmp_path / "round").symlink_to(".")
    (tmp_path / "up").symlink_to("sub/down")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "down").symlink_to("../up")
    found = {one.video.id: one.error for one in check_videos(find_videos(tmp_path), VideoOptions(workers=0))}
    assert found == {"a.mp4": "", "circle.mp4": "unreadable", "pipe.mp4": "not-a-file"}
    (tmp_path / "list.txt").write_text("a.mp4\npipe.mp4\n/dev/zero\n")
    found = {
        one.video.id: one.error for one in check_videos(find_videos(tmp_path / "list.txt"), VideoOptions(workers=0))
    }
    assert found == {"a.mp4": "", "pipe.mp4": "not-a-file", "/dev/zero": "not-a-file"}


@pytest.mark.parametrize("name", ["circle", "x" * 5000, "a\0b"])
def test_what_is_not_there_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(UsageError, match="there is no folder, video or list"):
        find_videos(tmp_path / name)


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases are not here")
def test_the_case_that_is_no_list_is_read(tmp_path: Path, shown: pytest.LogCaptureFixture) -> None:
    [checked] = check_videos(find_videos(CASES / "anim.gif"), VideoOptions(workers=0))
    assert (checked.usable, checked.found, checked.problem) == (True, 20, "")
    (tmp_path / "anim.gif").write_bytes((CASES / "anim.gif").read_bytes())
    assert names(tmp_path) == []
    assert shown.messages == [f"{tmp_path}: passed over 1 file not named like a video (.gif)"]


def test_folders_may_lie_deeper_than_the_stack(tmp_path: Path) -> None:
    touch(tmp_path, "d/" * 150 + "a.mp4")
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 100)
    try:
        assert names(tmp_path) == ["d/" * 150 + "a.mp4"]
    finally:
        sys.setrecursionlimit(limit)
