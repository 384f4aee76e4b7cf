"""Where the videos of a benchmark are: by name, by folder, by YouTube id, and never in hidden places."""

from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.benchmarks.reading import Places
from tests.evaluation.own import litter, own


def test_videos_are_not_looked_for_in_hidden_places(tmp_path: Path) -> None:
    folder = own(tmp_path, "x/a.mp4 0\nx/b.mp4 1\n")
    videos = tmp_path / "disk"
    (videos / "y").mkdir(parents=True)
    (videos / "y" / "a.mp4").touch()
    litter(videos, "a.mp4", "b.mp4")
    placed = Places(videos).place(open_benchmark(str(folder)).splits[0])
    assert placed.videos[0].path == videos / "y" / "a.mp4"
    assert placed.missing == ("x/b.mp4",)


def test_videos_are_found_as_listed_or_by_their_names_and_what_is_missing_is_told(tmp_path: Path) -> None:
    folder = own(tmp_path, "a.mp4 0\nsub/b.mp4 1\nc.avi 0\ngone.mp4 0\n")
    videos = tmp_path / "disk"
    for name in ("a.mp4", "deep/er/b.mp4", "other/c.mp4", "walk/d.mp4", "run_fast/d.mp4"):
        (videos / name).parent.mkdir(parents=True, exist_ok=True)
        (videos / name).touch()
    places = Places(videos)
    split = open_benchmark(str(folder)).splits[0]
    placed = places.place(split)
    assert [str(video.path.relative_to(videos)) for video in placed.videos] == [
        "a.mp4", "deep/er/b.mp4", "other/c.mp4", "gone.mp4",
    ]  # fmt: skip
    assert placed.missing == ("gone.mp4",)
    in_class = places.place(open_benchmark(str(own(tmp_path, "d.mp4 1\n"))).splits[0])
    assert in_class.videos[0].path == videos / "run_fast/d.mp4"
    (videos / "more").mkdir()
    (videos / "more" / "b.mp4").touch()
    with pytest.raises(UsageError, match="could be deep/er/b.mp4 or more/b.mp4"):
        Places(videos).place(split)


@pytest.mark.parametrize("path", ["../secret.mp4", "/etc/passwd.mp4", "link/secret.mp4"])
def test_a_list_cannot_lead_out_of_the_folder_of_videos(tmp_path: Path, path: str) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "secret.mp4").touch()
    (videos / "link").symlink_to(tmp_path / "away")
    split = open_benchmark(str(own(tmp_path, f"{path} 0\n")), videos=videos).splits[0]
    with pytest.raises(UsageError, match="--allow-outside-root"):
        Places(videos).place(split)


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("v_HandStand_g01_c01.avi", "HandStand/v_Handstand_G01_c01.AVI"),
        ("a b.mp4", "x/A B.mkv"),
        ("val/0wR5jVB-WPk_000417_000427.mp4", "walk/0wR5jVB-WPk.mp4"),
        ("val/0wR5jVB-WPk_000417_000427.mp4", "0wR5jVB-WPk_417_427.webm"),
        ("val/0wR5jVB-WPk_000417_000427.mp4", "walk/v_0wR5jVB-WPk.mp4"),
        ("val/-_R5jVB-W_k_000417_000427.mp4", "walk/-_R5jVB-W_k-417.0-427.0.mp4"),
        ("0wR5jVB-WPk.mp4", "val/0wR5jVB-WPk_000417_000427.mp4"),
    ],
)
def test_a_video_is_found_in_other_case_and_by_its_youtube_id(tmp_path: Path, listed: str, there: str) -> None:
    videos = tmp_path / "videos"
    (videos / there).parent.mkdir(parents=True)
    (videos / there).touch()
    placed = Places(videos).place(open_benchmark(str(own(tmp_path, f"{listed} 0\n"))).splits[0])
    assert ([video.path for video in placed.videos], placed.missing) == ([videos / there], ())


def test_a_video_by_its_youtube_id_is_not_guessed_between_two_clips(tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    (videos / "0wR5jVB-WPk.mp4").touch()
    two = "0wR5jVB-WPk_000010_000020.mp4 0\n0wR5jVB-WPk_000030_000040.mp4 1\n"
    assert len(Places(videos).place(open_benchmark(str(own(tmp_path, two))).splits[0]).missing) == 2
    (videos / "0wR5jVB-WPk.mp4").rename(videos / "0wR5jVB-WPk_50_60.mp4")
    one = open_benchmark(str(own(tmp_path, "0wR5jVB-WPk_000010_000020.mp4 0\n"))).splits[0]
    assert len(Places(videos).place(one).missing) == 1
