"""Running again in a folder: what may change, what is refused with its difference, what changes under the run (S7)."""

import json
import os
import random
from hashlib import sha256

import pytest

from maxi_core.errors import ExitCode
from tests.bags.test_killed import killed_at
from tests.conftest import EXPANDER

CAST = "toymatch,toygpt,toyblip,toyverbs"
FAULTY = EXPANDER.format(name="faulty")


def manifest(world) -> dict:
    return json.loads((world.out / "manifest.json").read_text())


def listed(world, *rows: str) -> None:
    (world.folder / "videos.csv").write_text("\n".join(["path,id,start,end", *rows]) + "\n")


def from_list(world, *more: str):
    arguments = world.arguments("--root", str(world.videos), *more)
    arguments[1] = str(world.folder / "videos.csv")
    return world.maxi(*arguments)


def test_a_run_that_was_stopped_says_already_what_it_is_made_of(world) -> None:
    running = killed_at(world.arguments(), 25)
    assert running.returncode < 0
    assert manifest(world)["finished"] is None
    (world.folder / "actions.txt").write_text("riding a bike\nwaving\n")
    ran = world.bags()
    assert ran.code == ExitCode.USAGE
    assert "was made of something else (dictionary: was actions.txt (4 entries" in ran.err.replace(
        f"{world.folder}/", ""
    )
    world.add("new.mp4")
    assert "videos: was 6, " in world.bags().err
    assert world.bags("--overwrite").code == ExitCode.DONE
    assert [line.partition(":")[0] for line in manifest(world)["overwritten"]] == ["videos", "dictionary"]


def test_bags_of_another_version_of_maxi_are_not_mixed_with_ours(world) -> None:
    world.bags()
    old = manifest(world)
    old["made_of"]["maxi"] = "0.0.1"
    (world.out / "manifest.json").write_text(json.dumps(old))
    ran = world.bags()
    assert ran.code == ExitCode.USAGE
    assert "maxi: was 0.0.1, is " in ran.err
    assert world.bags("--overwrite").code == ExitCode.DONE


def test_another_model_behind_the_same_name_is_another_matcher(world, monkeypatch) -> None:
    toys = world.folder / "site" / "toys.py"
    body = "def fingerprint(self): return {'weights': os.environ['WEIGHTS']}\n\n    def match(self"
    toys.write_text(toys.read_text().replace("def match(self", body, 1))
    monkeypatch.setenv("WEIGHTS", "1")
    assert world.bags().code == ExitCode.DONE
    monkeypatch.setenv("WEIGHTS", "2")
    ran = world.bags()
    assert ran.code == ExitCode.USAGE
    assert "matcher: was toys.toymatch-" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["clip 1.mp4,b,,", "clip 0.mp4,a,0,1"], "videos: the same 2 in another order (b where a was)"),
        (["clip 0.mp4,a,0,2", "clip 1.mp4,b,,"], "videos: the window of a was 0 to 1, is 0 to 2"),
        (["clip 0.mp4,a,0,1", "clip 1.mp4,b,3,"], "videos: the window of b was the whole, is 3 to the end"),
    ],
)
def test_the_same_videos_in_another_order_or_window_are_refused_with_what_differs(world, rows, line) -> None:
    listed(world, "clip 0.mp4,a,0,1", "clip 1.mp4,b,,")
    assert from_list(world).code == ExitCode.DONE
    listed(world, *rows)
    ran = from_list(world)
    assert ran.code == ExitCode.USAGE
    assert line in ran.err


def test_a_kill_between_bags_and_manifest_leaves_no_wrong_checksum(world) -> None:
    world.bags()
    writes = int(killed_at(world.arguments("--keep", "0.5"), 0).stderr.split()[-1])
    for place in range(writes, max(0, writes - 6), -1):
        world.bags()  # of all videos again
        assert killed_at(world.arguments("--keep", "0.5"), place, place).returncode < 0
        found = manifest(world)
        assert found["finished"] is None or found["sha256"] == {
            "bags.jsonl": sha256((world.out / "bags.jsonl").read_bytes()).hexdigest()
        }


def test_a_file_that_changes_during_the_run_is_named_and_no_bag_goes_without_its_phrases(world, fake_dist) -> None:
    body = "from pathlib import Path; Path('videos/clip 3.mp4').write_text('much more')"
    fake_dist("faulty", FAULTY.replace("return [self", f"{body}\n            return [self"))
    (world.folder / "site" / "toys.py").write_text(
        (world.folder / "site" / "toys.py")
        .read_text()
        .replace('number(video.id, "score")', "number(video.id, str(video.path.stat().st_size))")
    )
    ran = world.bags(sources=f"{CAST},faulty")
    assert (ran.code, ran.err) == (
        ExitCode.FAILED,
        "maxi: error: clip 3.mp4 was changed while the run went on; run the same command again\n",
    )
    assert not (world.out / "bags.jsonl").exists()
    assert world.bags(sources=f"{CAST}").code == ExitCode.DONE


def test_a_video_that_becomes_readable_during_the_run_is_taken_in_by_the_next_one(world, fake_dist) -> None:
    world.add("broken.mp4")
    toys = world.folder / "site" / "toys.py"
    toys.write_text(toys.read_text().replace('if "broken" in video.id or', 'if video.path.read_text() == "bad" or'))
    (world.videos / "broken.mp4").write_text("bad")
    body = "from pathlib import Path; Path('videos/broken.mp4').write_text('good')"
    fake_dist("faulty", FAULTY.replace("return [self", f"{body}\n            return [self"))
    assert world.bags(sources=f"{CAST},faulty").code == ExitCode.DONE
    assert "broken.mp4" not in [record["video"] for record in world.records()]
    assert "broken.mp4" in (world.out / "skipped.jsonl").read_text()
    assert world.bags(sources=f"{CAST},faulty").code == ExitCode.DONE
    assert "broken.mp4" in [record["video"] for record in world.records()]
    assert (world.out / "skipped.jsonl").read_text() == ""


def test_a_text_that_cannot_be_augmented_is_recorded_once_however_often_it_comes(world) -> None:
    toys = world.folder / "site" / "toys.py"
    weak = "return Failed('too hard') if text == 'a person waving' else [Form("
    toys.write_text(toys.read_text().replace("return [Form(", weak))
    for place in range(200):  # four chunks
        world.add(f"more {place}.mp4")
    assert world.bags().code == ExitCode.DONE
    records = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert [(record["video"], record["stage"]) for record in records] == [("a person waving", "augment")]


@pytest.mark.parametrize(
    ("said", "noted"),
    [
        ("return ['asked without temperature']", "asked without temperature"),
        ("return 1 / 0", "its notes cannot be had: it raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(0)", "its notes cannot be had: it called sys.exit(0)"),
        ("return 'a word'", "its notes cannot be had: it gave str, not a list of texts"),
    ],
)
def test_what_a_source_has_to_note_of_its_answers_is_in_the_manifest(world, fake_dist, said, noted) -> None:
    body = f"def notes(self): {said}\n        def expand"
    fake_dist("noting", EXPANDER.format(name="noting").replace("def expand", body))
    ran = world.bags(sources=f"{CAST},noting")
    assert (ran.code, manifest(world)["notes"]) == (ExitCode.DONE, {"noting": [noted]})
    fault = noted.removeprefix("its notes cannot be had: it ")
    assert ran.err.count(f"source 'noting' {fault} when it was asked for its notes") == (fault != noted)
    assert ran.err.count("WARNING") == (fault != noted)


def test_the_files_of_a_run_can_be_read_by_whom_the_umask_lets(world) -> None:
    before = os.umask(0o022)
    try:
        world.bags()
    finally:
        os.umask(before)
    files = [path for folder in (world.out, world.folder / "store") for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}


def test_skipped_videos_are_counted_while_they_pass(world, capsys, monkeypatch) -> None:
    from maxi_cli import progress

    monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
    world.add("a broken one.mp4")
    world.add("dark.mp4")
    lines = world.bags().err.splitlines()
    assert lines[7].startswith("matching and captioning: 8/8")
    assert lines[7].endswith(", 1 skipped")
    assert next(line for line in lines if line.startswith("captioning: 7/7")).endswith(", 1 skipped")


def test_seeded_damage_to_the_store_costs_questions_and_no_bag(world) -> None:
    world.bags()
    whole = (world.out / "bags.jsonl").read_bytes()
    draw = random.Random(0)
    segments = sorted((world.folder / "store").glob("*/*.jsonl"))
    for segment in segments:
        data = bytearray(segment.read_bytes())
        for _ in range(3):
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        segment.write_bytes(data)
    world.asked()
    assert world.bags().code == ExitCode.DONE
    assert (world.out / "bags.jsonl").read_bytes() == whole
    assert 0 < sum(world.asked().values()) <= 3 * 2 * len(segments)
