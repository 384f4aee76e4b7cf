"""The list of videos that shares read: written once, its parts read alone, and found anew when anything changes."""

import json
import os
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.video import listing
from maxi_core.video.inputs import VideoList, find_videos
from maxi_core.video.listing import listed
from tests.video.test_inputs import touch

NAMES = [f"a/{place}.mp4" for place in range(7)] + ["b/\udcff.mp4", "b/x y.mp4"]


class Finding:
    """Finds videos, and counts how often."""

    def __init__(self, *sources: Path) -> None:
        self.sources, self.times = sources, 0

    def __call__(self) -> VideoList:
        self.times += 1
        return find_videos(self.sources)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    touch(tmp_path, *(f"videos/{name}" for name in NAMES))
    return tmp_path / "videos"


def test_the_list_is_found_once_and_any_part_of_it_is_read_alone(
    tmp_path: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "STRIDE", 4)
    find, whole = Finding(videos), list(find_videos(videos))
    for _ in range(2):
        found = listed(tmp_path / "run", {}, find)
        assert list(found) == whole
        assert (len(found), found.checksum) == (9, find_videos(videos).checksum)
        assert [list(found.part(start, stop)) for start, stop in ((0, 3), (4, 4), (3, 9), (8, 9), (9, 9))] == [
            whole[0:3], [], whole[3:9], whole[8:9], []
        ]  # fmt: skip
    assert find.times == 1
    listed(tmp_path / "run", {"clip_seconds": 2}, find)
    assert find.times == 2, "another question, another list"


@pytest.mark.parametrize("change", ["added", "in an empty folder", "gone", "a list", "the file itself", "its end"])
def test_whatever_changes_the_videos_makes_the_list_anew(tmp_path: Path, videos: Path, change: str) -> None:
    (videos / "empty").mkdir()
    source = tmp_path / "l.txt"
    source.write_text("a/1.mp4\na/2.mp4\n")
    find = Finding(source if change == "a list" else videos)
    before, run = list(listed(tmp_path / "run", {}, find)), tmp_path / "run"
    (path,), (about,) = run.glob("*.jsonl"), run.glob("*.json")
    if change == "a list":
        source.write_text("a/1.mp4\na/3.mp4\n")
    elif change == "gone":
        (videos / "a" / "1.mp4").unlink()
    elif change == "the file itself":
        path.write_bytes(path.read_bytes().replace(b"b/", b"c/"))
    elif change == "its end":
        about.write_bytes(about.read_bytes()[:-9])
    else:
        touch(videos, "a/new.mp4" if change == "added" else "empty/new.mp4")
    after = list(listed(run, {}, find))
    assert after == list(Finding(*find.sources)())
    assert (after == before) == (change in ("the file itself", "its end"))
    assert find.times == 2
    listed(run, {}, find)
    assert find.times == 2


def test_a_list_that_nothing_vouches_for_is_found_each_time(tmp_path: Path, videos: Path) -> None:
    source = tmp_path / "annotations.json"
    source.write_text(json.dumps({"database": {"1": {"annotations": [{"segment": [0, 1], "label": "x"}]}}}))
    find = Finding(source)
    for times in (1, 2):
        assert len(listed(tmp_path / "run", {}, find)) == 1
        assert find.times == times


def test_a_list_that_is_changed_under_a_run_or_cannot_be_written_is_one_line(tmp_path: Path, videos: Path) -> None:
    found = listed(tmp_path / "run", {}, Finding(videos))
    (path,) = (tmp_path / "run").glob("*.jsonl")
    os.utime(path, ns=(1, 1))
    with pytest.raises(MaxiError, match="cannot read the list of videos.*it was changed"):
        list(found)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot write to .*choose another --out"):
        listed(tmp_path / "file" / "run", {}, Finding(videos))
    assert len(listed(tmp_path / "never", {}, Finding(videos), write=False)) == 9
    assert not (tmp_path / "never").exists()
