"""`maxi check`: names what is wrong, describes what is good, changes nothing, and says it in its exit code."""

import json
import shutil
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode
from tests.video.clips import MATRIX, X264, Coding, cut, write_numbered

SHARED = Path(__file__).parents[2].parent / "shared" / "videos"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a folder with a text file, an empty file, two cut videos, a clip of one frame and a good one."""
    aside, folder = tmp_path_factory.mktemp("aside"), tmp_path_factory.mktemp("clips")
    write_numbered(folder / "good.mp4", 90)
    write_numbered(folder / "one frame.mp4", 1)
    (folder / "x.mp4").write_text("just a text\n")
    (folder / "empty.mp4").write_bytes(b"")
    faststart = Coding(options=X264, container={"movflags": "faststart"})
    cut(write_numbered(aside / "whole.mp4", 90, faststart), folder / "cut.mp4")
    cut(write_numbered(aside / "whole.avi", 90, MATRIX["mpeg4-b-avi"]), folder / "cut.avi")
    return folder


@pytest.fixture
def good(clips: Path, tmp_path: Path) -> Path:
    """Return a folder with good clips only."""
    folder = tmp_path / "good"
    folder.mkdir()
    for name in ("good.mp4", "one frame.mp4"):
        shutil.copy(clips / name, folder)
    return folder


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the three real videos are not here")
def test_three_real_videos_are_three_good_videos(maxi) -> None:
    ran = maxi("check", str(SHARED))
    assert ran.code == ExitCode.DONE
    assert ran.out.splitlines()[-1].startswith("3 videos: 3 good, 0 damaged but usable, 0 unusable; 26.6 s")
    assert ran.err == ""


def test_every_problem_is_named_with_its_reason_and_the_good_ones_are_described(maxi, clips: Path) -> None:
    before = snapshot(clips)
    ran = maxi("check", str(clips))
    assert ran.code == ExitCode.SKIPPED
    lines = ran.out.splitlines()
    assert "good.mp4       3.60 s  160x96  25/s      90  h264" in [line.rstrip() for line in lines]
    assert "one frame.mp4  0.04 s  160x96  25/s       1  h264" in [line.rstrip() for line in lines]
    assert "x.mp4: this is a text file, not a video" in lines
    assert "empty.mp4: the file is empty (0 bytes)" in lines
    assert [line for line in lines if line.startswith("cut.")] == [
        "cut.avi: only 20 of 90 frames could be decoded, damaged frames: 1",
        "cut.mp4: only 20 of 90 frames could be decoded, some of its data is damaged",
    ]
    assert lines.count("    get the file again, or take it off the list") == 2
    assert lines.count("    it is used as far as it goes; get the file again to have all of it") == 2
    assert lines[-1].startswith("6 videos: 2 good, 2 damaged but usable, 2 unusable; 9.0 s")
    assert all(len(line) <= 80 for line in lines)
    assert snapshot(clips) == before


def test_the_json_holds_all_of_it(maxi, clips: Path, tmp_path: Path) -> None:
    ran = maxi("check", str(clips), "--json", "--problems", str(tmp_path / "bad.jsonl"))
    document = json.loads(ran.out)
    assert document["schema"] == 1
    by_name = {video["video"]: video for video in document["videos"]}
    assert list(by_name) == ["cut.avi", "cut.mp4", "empty.mp4", "good.mp4", "one frame.mp4", "x.mp4"]
    assert (by_name["cut.avi"]["frames_found"], by_name["cut.avi"]["frames_declared"]) == (20, 90)
    assert by_name["good.mp4"]["info"]["codec"] == "h264"
    assert {name: video["error"] for name, video in by_name.items() if not video["usable"]} == {
        "empty.mp4": "empty",
        "x.mp4": "not-a-video",
    }
    assert document["totals"] | {"bytes": 0} == {
        "videos": 6,
        "usable": 4,
        "damaged": 2,
        "unusable": 2,
        "problems": 4,
        "seconds": pytest.approx(9.04),
        "bytes": 0,
    }
    records = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [record["video"] for record in records] == ["cut.avi", "cut.mp4", "empty.mp4", "x.mp4"]
    assert {"schema", "video", "stage", "source", "error", "message", "decoder"} <= set(records[0])


def test_the_exit_code_says_all_some_or_none(maxi, clips: Path, good: Path, tmp_path: Path) -> None:
    assert maxi("check", str(good)).code == ExitCode.DONE
    assert maxi("check", str(clips), "--max-skipped", "3").code == ExitCode.SKIPPED
    assert maxi("check", str(clips), "--max-skipped", "4").code == ExitCode.DONE
    assert maxi("check", str(clips / "x.mp4")).code == ExitCode.FAILED
    (tmp_path / "none").mkdir()
    ran = maxi("check", str(tmp_path / "none"))
    assert (ran.code, ran.out) == (ExitCode.NOTHING, "")
    assert ran.err.startswith(f"maxi: error: there are no videos in {tmp_path / 'none'}; ")
    ran = maxi("check", str(tmp_path / "nowhere"))
    assert ran.code == ExitCode.USAGE
    assert "there is no folder, video or list at" in ran.err


def test_flags_are_options_of_the_recipe(maxi, good: Path, monkeypatch) -> None:
    ran = maxi("check", str(good), "--decoder", "pyva")
    assert ran.code == ExitCode.USAGE
    assert "no decoder is called 'pyva' (did you mean 'pyav'?)" in ran.err
    ran = maxi("check", str(good), "-o", "video.workers=0", "-o", "video.decoder=tests.video.faulty:decode", "--json")
    assert [video["info"]["codec"] for video in json.loads(ran.out)["videos"]] == ["h264", "h264"]
    monkeypatch.setenv("MAXI_VIDEO_DECODER", "decrd")
    assert "did you mean 'decord'?" in maxi("check", str(good)).err


def test_a_crash_and_a_hang_are_named_and_the_rest_is_checked(maxi, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a.mp4", "crash.mp4", "hang.mp4", "z.mp4"):
        (folder / name).write_text("x")
    faulty = ("--decoder", "tests.video.faulty:decode", "--video-timeout", "1", "--retries", "0", "--workers", "2")
    ran = maxi("check", str(folder), *faulty)
    assert ran.code == ExitCode.SKIPPED
    assert "crash.mp4: it crashed the decoder (SIGSEGV)" in ran.out
    assert "hang.mp4: it took longer than 1 s" in ran.out
    assert ran.out.splitlines()[-1].startswith("4 videos: 2 good, 0 damaged but usable, 2 unusable")


def test_a_link_out_of_the_folder_is_followed_only_when_asked(maxi, good: Path, clips: Path) -> None:
    (good / "link.mp4").symlink_to(clips / "good.mp4")
    ran = maxi("check", str(good))
    assert ran.code == ExitCode.USAGE
    assert "--allow-outside-root" in ran.err
    assert maxi("check", str(good), "--allow-outside-root").code == ExitCode.DONE


def test_names_do_nothing_to_the_terminal(maxi, tmp_path: Path) -> None:
    (tmp_path / "\x1b[31m[bold]\n.mp4").write_text("text")
    ran = maxi("check", str(tmp_path))
    assert "\\x1b[31m[bold]\\n.mp4: this is a text file, not a video" in ran.out
    assert "\x1b" not in ran.out


def test_problems_of_a_relative_folder_have_paths_that_are_right_from_any_folder(
    maxi, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clips.parent)
    maxi("check", clips.name, "--problems", tmp_path / "bad.jsonl", "-q")
    paths = [json.loads(line)["path"] for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert sorted(paths) == [str(clips / name) for name in ("cut.avi", "cut.mp4", "empty.mp4", "x.mp4")]
