"""The authors' released files as a run: their real samples where they are at hand, and small ones written here."""

from pathlib import Path

import pytest

from maxi_core.bags.released import Released, import_released
from maxi_core.batches.bag_index import open_bags
from maxi_core.errors import UsageError

CLASSES = ("applauding", "applying cream")
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "bags"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Write two classes and three videos; one has no captions file, one an empty one."""
    for name, lines in {
        "gpt3_verbs/applauding.txt": "clapping\nApplauding\ncheering hands\n\nclap\n",
        "gpt3_verbs/applying cream.txt": "rub\nrubbing\n",
        "caption_verbs_bag/3/a_000001.txt": "stand\nClap\n",
        "caption_verbs_bag/4/b.txt": "",
        "matches.txt": "train/3/a_000001.mp4 0\ntrain/4/b.mp4 1\n\ntrain/4/c d.mp4 1\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
    return tmp_path


def imported(release: Path, **more: object) -> Released:
    folders = {"phrases": release / "gpt3_verbs", "captions": release / "caption_verbs_bag", **more}
    return import_released(release / "matches.txt", CLASSES, release / "run", videos=release / "videos", **folders)


def test_the_released_files_become_bags_without_the_class_name(release: Path) -> None:
    assert imported(release) == Released(videos=3, without_captions=1, empty=0)
    examples = open_bags(release / "run", classes=CLASSES)
    assert [examples[place].texts for place in range(3)] == [
        ("clapping", "cheering hands", "clap", "stand"),
        ("rub", "rubbing"),
        ("rub", "rubbing"),
    ]
    assert [examples[place].group for place in range(3)] == [0, 1, 1]
    assert examples[2].video.id == "train/4/c d.mp4"
    assert examples[2].video.path == release / "videos" / "train/4/c d.mp4"


def test_one_source_alone_can_be_read_and_videos_without_a_word_are_counted(release: Path) -> None:
    assert imported(release, phrases=None) == Released(videos=3, without_captions=1, empty=2)
    assert open_bags(release / "run")[0].texts == ("stand", "Clap")
    assert imported(release, captions=None).without_captions == 0


def test_a_share_of_matches_without_scores_is_refused(release: Path) -> None:
    imported(release)
    assert len(open_bags(release / "run", keep=1.0)) == 3
    with pytest.raises(UsageError, match="all 3 videos .* have the same score"):
        open_bags(release / "run", keep=0.5)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/3/a.mp4 2", "line 1: this is not a path and a label below 2"),
        ("train/3/a.mp4", "line 1: this is not a path and a label"),
        ("train/3/a.mp4 0 1", "line 1: this is not a path and a label"),
        ("../a.mp4 0", "line 1: '../a.mp4' leads out of"),
        ("", "names no videos"),
        ("train/9/a.mp4 0", "not one of 1 videos has captions; .*caption_verbs_bag/9/a.txt"),
    ],
)
def test_a_list_that_is_not_right_is_named_with_its_line(release: Path, line: str, message: str) -> None:
    (release / "matches.txt").write_text(line + "\n")
    with pytest.raises(UsageError, match=message):
        imported(release)
    assert not (release / "run" / "bags.jsonl").exists()


def test_files_that_are_missing_are_named(release: Path) -> None:
    (release / "gpt3_verbs" / "applauding.txt").unlink()
    with pytest.raises(UsageError, match="class 'applauding' has no file .*applauding.txt"):
        imported(release)
    with pytest.raises(UsageError, match="there is no folder"):
        imported(release, captions=release / "nowhere")
    (release / "matches.txt").unlink()
    with pytest.raises(UsageError, match="cannot read .*matches.txt"):
        imported(release)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the authors' samples are not at hand")
def test_the_authors_own_samples_are_read(tmp_path: Path) -> None:
    names = sorted(path.stem for path in (SAMPLES / "gpt3_verbs").glob("*.txt"))
    files = sorted((SAMPLES / "caption_verbs_bag").glob("*/*.txt"))
    lines = [f"{path.parent.name}/{path.stem}.mp4 {place % len(names)}" for place, path in enumerate(files)]
    (tmp_path / "matches.txt").write_text("\n".join(lines))
    read = import_released(
        tmp_path / "matches.txt",
        names,
        tmp_path / "run",
        videos=tmp_path,
        phrases=SAMPLES / "gpt3_verbs",
        captions=SAMPLES / "caption_verbs_bag",
    )
    assert read == Released(len(files), 0, 0)
    examples = open_bags(tmp_path / "run")
    for place, path in enumerate(files):
        entry = names[place % len(names)]
        wanted = set((SAMPLES / "gpt3_verbs" / f"{entry}.txt").read_text().splitlines()) | set(
            path.read_text().splitlines()
        )
        assert set(examples[place].texts) == {text for text in wanted if text and text != entry}
