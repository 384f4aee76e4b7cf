"""The authors' released files as a run and back: small ones written here, and their samples where they are at hand."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxi_core.bags.bag import read_bags
from maxi_core.bags.released import Release, Released, find_release, import_released
from maxi_core.batches.bag_index import open_bags
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.locks import LOCK, InUseError, locked
from maxi_core.system.replacing import nothing_left_if_refused
from tests.clip.tiny_clip import write as write_model
from tests.video.clips import MATRIX
from tests.video.clips import write as write_clip

Maxi = Callable[..., Any]
Files = dict[str, set[str]]
SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "bags"
FILES = {
    "gpt3_verbs/applauding.txt": "clapping\nApplauding\ncheering hands\n\nclap\n",
    "gpt3_verbs/applying cream.txt": "rub\nrubbing\n",
    "gpt3_verbs/rock_paper scissors.txt": "  win \nrock\u2028paper\n",
    "gpt3_verbs/abseiling.txt": "climb\n",
    "caption_verbs_bag/3/a_000001.txt": "stand\nClap\nstand\n",
    "caption_verbs_bag/3/b of nobody.txt": "sit\n",
    "caption_verbs_bag/4/b.txt": "",
    "matches.txt": "train/3/a_000001.mp4 0\ntrain/4/b.mp4 1\n\ntrain/4/c d.mp4 1\ntrain/5/-e.mp4 7\n",
    "labels.csv": 'id,name\n0,applauding\n1,applying cream\n7,"rock, paper, scissors"\n',
}


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """Write three classes and four videos; some have no file of captions, one has an empty one."""
    folder = tmp_path / "release"
    for name, lines in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(lines, encoding="utf-8")
    return folder


def sets(folder: Path, *within: str) -> Files:
    """Return the texts of each file below a folder, or below some folders in it, as sets."""
    found = [path for name in within or [""] for path in (folder / name).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): {line for line in path.read_text("utf-8").split("\n") if line} for path in found
    }


def imported(release: Path, run: Path, **changed: Any) -> Released:
    known = find_release(release, None, str(release / "labels.csv"), release.parent / "videos")
    return import_released(Release(**{**known.__dict__, **changed}), run)


def test_the_released_files_become_bags_without_the_class_name(release: Path, tmp_path: Path) -> None:
    counts = imported(release, tmp_path / "run")
    assert (counts.videos, counts.missing, counts.without_captions, counts.empty, counts.rest) == (4, 4, 2, 0, 2)
    examples = open_bags(tmp_path / "run")
    assert [examples[place].texts for place in range(4)] == [
        ("clapping", "cheering hands", "clap", "stand"),
        ("rub", "rubbing"),
        ("rub", "rubbing"),
        ("win", "rock paper"),
    ]
    assert [bag.match.entry for bag in read_bags(tmp_path / "run")][2:] == ["applying cream", "rock, paper, scissors"]
    assert examples[2].video.id == "train/4/c d.mp4"
    assert examples[2].video.path == tmp_path / "videos" / "train/4/c d.mp4"
    assert next(read_bags(tmp_path / "run")).texts[2].also == ("blip",)


def test_what_was_imported_is_exported_identically_as_sets(release: Path, tmp_path: Path, maxi: Maxi) -> None:
    assert maxi("import", "bags", release, "--out", tmp_path / "run").code == ExitCode.DONE
    ran = maxi("export", "bags", tmp_path / "run", tmp_path / "back", "--to", "released")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    assert sets(tmp_path / "back") == sets(release)
    assert maxi("import", "bags", tmp_path / "back", "--out", tmp_path / "again").code == ExitCode.DONE
    once, twice = ([bag.texts for bag in read_bags(tmp_path / name)] for name in ("run", "again"))
    assert once == twice


@pytest.mark.parametrize("folder", ["gpt3_verbs", "caption_verbs_bag"])
def test_one_folder_alone_is_read_and_written_too(folder: str, release: Path, tmp_path: Path, maxi: Maxi) -> None:
    shutil.rmtree(release / folder)
    assert maxi("import", "bags", release, "--out", tmp_path / "run").code == ExitCode.DONE
    maxi("export", "bags", tmp_path / "run", tmp_path / "back", "--to", "released")
    assert sets(tmp_path / "back") == sets(release)


def test_an_imported_run_is_shown_counted_and_trained_on(
    release: Path, tmp_path: Path, maxi: Maxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [np.full((32, 40, 3), 20 * place, np.uint8) for place in range(8)]
    for name in ("3/a_000001", "4/b", "4/c d", "5/-e"):
        path = tmp_path / "videos" / "train" / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_clip(path, frames, MATRIX["h264"])
    write_model(tmp_path / "model")
    run = str(tmp_path / "run")
    ran = maxi("import", "bags", release, "--videos", tmp_path / "videos", "--out", run)
    assert (ran.err, "4 bags of 3 classes, 0 empty, 2 without captions" in ran.out) == ("", True)
    assert "match: applying cream" in maxi("show", run, "c d.mp4").out
    stats = maxi("stats", run)
    assert "all scores are the same" in stats.out
    assert "0.9" not in stats.out
    small = ("--epochs", "1", "--batch-size", "2", "--frames", "2", "--bag-size", "3", "--workers", "0", "-q")
    ran = maxi("train", run, "--model", tmp_path / "model", "--out", tmp_path / "trained", *small, "--device", "cpu")
    assert (ran.code, (tmp_path / "trained" / "metrics.jsonl").stat().st_size > 0) == (ExitCode.DONE, True), ran.err
    refused = maxi("train", run, "--model", tmp_path / "model", "--out", tmp_path / "part", *small, "--keep", "0.5")
    assert "have the same score" in refused.err
    monkeypatch.setattr(sys, "argv", ["another", "command"])
    refused = maxi("import", "bags", release, "--out", run)
    assert (refused.code, "has bags already" in refused.err) == (ExitCode.USAGE, True)


def test_folders_can_be_labels_where_there_is_no_list_and_it_is_said(release: Path, tmp_path: Path, maxi: Maxi) -> None:
    (release / "matches.txt").unlink()
    (release / "labels.csv").write_text("id,name\n3,applauding\n4,applying cream\n")
    refused = maxi("import", "bags", release, "--out", tmp_path / "run")
    assert "no list of matches" in refused.err
    assert not (tmp_path / "run" / "bags.jsonl").exists()
    ran = maxi("import", "bags", release, "--out", tmp_path / "run", "--matches", "folders")
    assert "true classes, and no matches" in ran.err
    found = {bag.match.video.id: bag.match.entry for bag in read_bags(tmp_path / "run")}
    assert found == {"3/a_000001.mp4": "applauding", "3/b of nobody.mp4": "applauding", "4/b.mp4": "applying cream"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/3/a.mp4 2", "line 1: there is no class 2 among the 3"),
        ("train/3/a.mp4", "line 1: this is not a path and a label"),
        ("train/3/a.mp4 0 1", "line 1: this is not a path and a label"),
        ("../a.mp4 0", "line 1: '../a.mp4' leads out of"),
        ("3/a_000001.mp4 0\n3/a_000001.mp4 1", "line 2: '3/a_000001.mp4' is already on line 1"),
        ("", "names no videos"),
        ("train/9/a.mp4 0", "not one of 1 video has captions; .*caption_verbs_bag/9/a.txt"),
    ],
)
def test_a_list_that_is_not_right_is_named_with_its_line(
    release: Path, tmp_path: Path, line: str, message: str
) -> None:
    (release / "matches.txt").write_text(line + "\n")
    with pytest.raises(UsageError, match=message):
        imported(release, tmp_path / "runs" / "mine")
    assert not (tmp_path / "runs").exists()


def test_a_refused_import_leaves_what_was_there(release: Path, tmp_path: Path) -> None:
    run, begun = tmp_path / "runs" / "mine", '{"released": {"matches": "matches.txt"}, "made_of": {}, "finished": null}'
    run.mkdir(parents=True)
    (run / "notes.md").write_text("mine")
    matches = (release / "matches.txt").read_text()
    for was in ({"notes.md"}, {"notes.md", "manifest.json", ".lock"}):
        if len(was) > 1:  # an import that was killed
            (run / "manifest.json").write_text(begun)
            (run / ".lock").touch()
        (release / "matches.txt").write_text("train/3/a.mp4 2\n")
        with pytest.raises(UsageError, match="no class 2"):
            imported(release, run)
        assert {path.name for path in run.iterdir()} == was
    assert (run / "manifest.json").read_text() == begun
    (release / "matches.txt").write_text(matches)
    assert imported(release, run).videos == 4


@pytest.mark.parametrize(("error", "name"), [(InUseError("it is in use"), ".lock"), (UsageError("it is no"), "more")])
def test_a_folder_that_another_process_has_or_that_holds_more_is_left(tmp_path: Path, error: Any, name: str) -> None:
    def refused() -> None:
        with nothing_left_if_refused(tmp_path / "run", (LOCK,)), locked(tmp_path / "run"):
            (tmp_path / "run" / name).touch()
            raise error

    with pytest.raises(type(error)):
        refused()
    assert {path.name for path in (tmp_path / "run").iterdir()} == {LOCK, name}


def test_files_that_are_missing_or_lie_elsewhere_are_named(release: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret\n")
    (release / "gpt3_verbs" / "abseiling.txt").unlink()
    (release / "gpt3_verbs" / "abseiling.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match="abseiling.txt' is a link that leads out of"):
        imported(release, tmp_path / "run")
    (release / "gpt3_verbs" / "abseiling.txt").unlink()
    (release / "gpt3_verbs" / "applauding.txt").unlink()
    with pytest.raises(UsageError, match="class 'applauding' has no file applauding.txt"):
        imported(release, tmp_path / "run")
    with pytest.raises(UsageError, match="cannot read .*nowhere"):
        imported(release, tmp_path / "run", matches=tmp_path / "nowhere")
    with pytest.raises(UsageError, match="neither gpt3_verbs nor caption_verbs_bag"):
        find_release(tmp_path, None, str(release / "labels.csv"))


def test_a_run_of_maxi_is_written_as_the_authors_would(tmp_path: Path, maxi: Maxi) -> None:
    texts = [("smearing cream", "gpt3", ["blip"]), ("rub", "blip", []), ("apply", "dictionary", [])]
    record = {
        **{"schema": 1, "video": "4/a b.mp4", "path": "/nowhere/4/a b.mp4", "start": None, "end": None, "kept": True},
        "match": {"entry": "applying cream/oil", "score": 0.3, "top": []},
        "texts": [{"text": text, "source": one, "of": "x", "kind": "verb", "also": also} for text, one, also in texts],
        "said": {"gpt3": ["smearing cream"], "blip": ["a man rubs a table"]},
    }
    dropped = {**record, "video": "4/c.mp4", "kept": False, "texts": [], "said": {}}
    roles = {"dictionary": "matcher", "gpt3": "expander", "blip": "captioner"}
    run = tmp_path / "run"
    run.mkdir()
    (run / "manifest.json").write_text(json.dumps({"roles": roles}))
    (run / "bags.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(dropped)}\n")
    assert maxi("export", "bags", run, tmp_path / "out", "--to", "released").code == ExitCode.DONE
    assert sets(tmp_path / "out") == {
        "gpt3_verbs/applying cream_oil.txt": {"applying cream/oil", "smearing cream", "apply"},
        "caption_verbs_bag/4/a b.txt": {"smearing cream", "rub"},
        "matches.txt": {"4/a b.mp4 0"},
        "labels.csv": {"id,name", "0,applying cream/oil"},
    }
    for name, what in (("../a.mp4", "would not lie"), ("a\nb.mp4", "newline"), ("x/4/a b.mp4", "would both have")):
        more = {**record, "video": name, "texts": []}
        (run / "bags.jsonl").write_text(f"{json.dumps(record)}\n{json.dumps(more)}\n")
        refused = maxi("export", "bags", run, tmp_path / "more", "--to", "released")
        assert (refused.code, what in " ".join(refused.err.split())) == (ExitCode.USAGE, True), refused.err
        assert not (tmp_path / "more").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]


def test_videos_that_are_links_elsewhere_are_followed_where_that_is_said(
    release: Path, tmp_path: Path, maxi: Maxi
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "b.mp4").write_bytes(b"\0")
    place = tmp_path / "videos" / "train" / "4" / "b.mp4"
    place.parent.mkdir(parents=True)
    place.symlink_to(tmp_path / "disk" / "b.mp4")
    typed = ("import", "bags", release, "--videos", tmp_path / "videos", "--out", tmp_path / "run")
    refused = maxi(*typed)
    assert (refused.code, "or pass --allow-outside-root" in refused.err) == (ExitCode.USAGE, True)
    ran = maxi(*typed, "--allow-outside-root")
    assert (ran.code, "4 bags of 3 classes" in ran.out) == (ExitCode.DONE, True), ran.err


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the authors' samples are not at hand")
def test_the_authors_own_samples_come_back_as_they_are(tmp_path: Path, maxi: Maxi) -> None:
    files = sorted((SAMPLES / "caption_verbs_bag").glob("*/*.txt"))
    lines = [f"train/{path.parent.name}/{path.stem}.mp4 {2 + place % 3}" for place, path in enumerate(files)]
    (tmp_path / "matches.txt").write_text("\n".join(lines))
    ran = maxi("import", "bags", SAMPLES, "--out", tmp_path / "run", "--matches", tmp_path / "matches.txt")
    assert f"{len(files)} bags of 3 classes, 0 empty\n" in ran.out
    examples = open_bags(tmp_path / "run")
    for place, path in enumerate(files):
        entry = ("answering questions", "applauding", "applying cream")[place % 3]
        wanted = (SAMPLES / "gpt3_verbs" / f"{entry}.txt").read_text().split("\n") + path.read_text().split("\n")
        assert set(examples[place].texts) == {*wanted} - {entry, ""}
    assert maxi("export", "bags", tmp_path / "run", tmp_path / "back", "--to", "released").code == ExitCode.DONE
    both = ("gpt3_verbs", "caption_verbs_bag")
    assert sets(tmp_path / "back", *both) == sets(SAMPLES, *both)
    assert (tmp_path / "back" / "matches.txt").read_text().split() == " ".join(lines).split()


def test_an_import_by_relative_paths_is_right_from_any_folder(
    release: Path, tmp_path: Path, maxi: Maxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = tmp_path / "videos" / "train" / "4" / "b.mp4"
    clip.parent.mkdir(parents=True)
    write_clip(clip, [np.zeros((32, 40, 3), np.uint8)] * 8, MATRIX["h264"])
    monkeypatch.chdir(tmp_path)
    typed = ("import", "bags", release.name, "--videos", "videos", "--out", "run")
    monkeypatch.setattr(sys, "argv", ["maxi", *typed])
    assert maxi(*typed).code == ExitCode.DONE
    made = (tmp_path / "run" / "bags.jsonl").read_text()
    (tmp_path / "run" / "bags.jsonl").write_text(made.replace(f"{tmp_path}/", ""))  # as an earlier maxi wrote it
    assert maxi(*typed).code == ExitCode.DONE
    assert (tmp_path / "run" / "bags.jsonl").read_text() == made
    monkeypatch.chdir("/")
    assert [bag.match.video.path for bag in read_bags(tmp_path / "run")][1] == clip
    said = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert said["sources"]["gpt3"] == f"read from {release / 'gpt3_verbs'}"
