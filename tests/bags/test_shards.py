"""Many workers on one run: shares at once, dead ones, the merge; the files are those of one process (issue 6)."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest

from maxi_core.bags import codecs
from maxi_core.bags.answered import Answered, Answers, answers_of, to_lines
from maxi_core.bags.shard import Shard, done_with, missing, note_done, parse_shard, shard_of_environment, some
from maxi_core.errors import ExitCode, UsageError
from maxi_core.system.files import write_lines
from maxi_core.types import Form, Match, Video
from maxi_core.video.inputs import find_videos
from tests.conftest import Ran

CAST = "toynoise,toymatch,toygpt,toyblip,toyverbs"


@pytest.fixture
def many(world):
    """More videos, some that cannot be read or shown, and the files of a run by one process."""
    return world.made_whole(14)


def share(world, shard: str, *more: str) -> Ran:
    return world.bags("--keep", "0.7", "--shard", shard, *more, sources=CAST)


def start(world, shard: str, **env: str) -> subprocess.Popen[str]:
    arguments = world.arguments("--keep", "0.7", "--shard", shard, sources=CAST)
    return subprocess.Popen(
        [sys.executable, "-m", "maxi_cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("of", [1, 3, 40])
def test_the_last_share_makes_the_bags_of_one_process(many, of: int) -> None:
    for number in range(of, 0, -1):
        assert not (many.out / "bags.jsonl").exists()
        assert share(many, f"{number}/{of}").code == ExitCode.DONE
    assert many.files(many.out) == many.files(many.folder / "whole")
    asked = many.asked()
    assert asked["toygpt"] <= 5, "an entry was expanded by two shares"
    if of == 3:
        ran = share(many, "2/3")
        assert "share 2/3: 7 of 7 videos matched" in ran.out or "videos matched" in ran.out
        assert "bags of 22 videos" in ran.out


def test_a_share_says_which_others_are_to_be_done(many) -> None:
    document = json.loads(share(many, "2/4", "--json").out)
    assert (document["shard"], document["missing"], document["run"]) == ("2/4", ["1/4", "3/4", "4/4"], None)
    assert "to be done: 1/4, 4/4; the last one makes the bags" in share(many, "3/4").out
    ran = many.maxi("merge", str(many.out))
    assert ran.code == ExitCode.USAGE
    assert "2 of 4 shares of " in ran.err
    assert "are not done: 1/4, 4/4; run them (again): maxi bags ... --shard 1/4" in ran.err


def test_four_shares_at_once_of_which_one_is_killed_and_run_again(many) -> None:
    running = [start(many, f"{number}/4", TOY_SLEEP="0.05") for number in range(1, 5)]
    segments = many.folder / "store"
    while not list(segments.glob("toys.toyblip-*/*.jsonl")):
        time.sleep(0.02)
    running[2].kill()
    outs = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0, -9, 0], outs
    assert not (many.out / "bags.jsonl").exists()
    assert "3/4" in outs[3][0]
    many.asked()
    assert share(many, "3/4").code == ExitCode.DONE
    assert many.files(many.out) == many.files(many.folder / "whole")
    assert many.asked()["toymatch"] <= 6 + 1 + 1, "its share, and what cannot be read"


def test_merge_makes_the_bags_if_the_last_worker_could_not(many) -> None:
    for shard in ("1/2", "2/2"):
        share(many, shard)
    for name in many.files(many.out):
        (many.out / name).unlink()
    ran = many.maxi("merge", str(many.out), "--json")
    assert ran.code == ExitCode.DONE
    assert json.loads(ran.out)["asked"] == {"toymatch": 1, "toygpt": 0, "toyblip": 1, "toyverbs": 0}
    assert many.files(many.out) == many.files(many.folder / "whole")
    ran = many.maxi("merge", str(many.folder / "nothing"))
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "no share of" in ran.err


def test_a_share_is_held_by_one_process_and_keeps_a_whole_run_out(many) -> None:
    running = start(many, "1/2", TOY_SLEEP="0.5")
    while not (many.out / "shards" / "1-of-2.lock").exists() or not (many.out / "manifest.json").exists():
        time.sleep(0.02)
    ran = share(many, "1/2")
    assert ran.code == ExitCode.FAILED
    assert f"is in use by process {running.pid} on " in ran.err
    ran = many.bags("--keep", "0.7", sources=CAST)
    assert ran.code == ExitCode.FAILED
    assert f"is in use by share 1/2, process {running.pid} on " in ran.err
    running.kill()
    running.communicate()
    assert share(many, "1/2").code == ExitCode.DONE


def test_shares_of_something_else_do_not_count(many) -> None:
    share(many, "1/2")
    many.add("one more.mp4")
    ran = share(many, "2/2")
    assert ran.code == ExitCode.USAGE
    assert "videos: was 22, " in ran.err
    assert "to be done: 1/2;" in share(many, "2/2", "--overwrite").out


def test_a_share_looks_once_which_file_a_video_is(many, monkeypatch) -> None:
    looks: Counter[str] = Counter()
    look = codecs.video_identity
    monkeypatch.setattr(codecs, "video_identity", lambda path: looks.update([path.name]) or look(path))
    assert share(many, "2/3").code == ExitCode.DONE
    assert len(looks) == 7
    assert set(looks.values()) == {1}


def test_rank_and_world_size_name_a_share(many, monkeypatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        assert f"share {int(rank) + 1}/2: " in many.bags("--keep", "0.7", sources=CAST).out
    assert many.files(many.out) == many.files(many.folder / "whole")


def test_shares_are_disjoint_whole_and_in_order(many) -> None:
    videos = find_videos(many.videos)
    parts = [Shard(5, number).share(videos) for number in range(1, 6)]
    assert [len(part) for part in parts] == [len(list(part)) for part in parts] == [5, 5, 4, 4, 4]
    assert sorted(video.id for part in parts for video in part) == sorted(video.id for video in videos)


def test_a_torn_line_in_the_log_of_done_shares_costs_that_share_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    log = tmp_path / "shards" / "done.jsonl"
    log.write_bytes(b'{"shard": "1/4", "sha')
    writers = [
        Thread(target=note_done, args=(tmp_path, Shard(4, number), {"share": "k", "videos": 1, "matched": 1}))
        for number in (2, 3)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    note_done(tmp_path, Shard(4, 4), {"share": "another"})
    with log.open("ab") as file:
        file.write(b"[1]\n")
    done = done_with(tmp_path, "k")
    assert missing(done, 4) == (Shard(4, 1), Shard(4, 4))
    assert some(missing(done, 40), 2) == "1/40, 2/40 and 38 more"


@pytest.mark.parametrize("damage", ["another key", "torn", "fewer", "gone"])
def test_answers_of_a_share_that_are_not_as_it_left_them_are_named_with_the_share(tmp_path: Path, damage: str) -> None:
    videos = [Video(f"{place}\udcff.mp4", Path(f"v/{place}\udcff.mp4"), None, 2.5) for place in range(4)]
    matched = [
        Answered(video, Match(video, "waving", 0.5, (("waving", 0.5),)), {"a": ["b"]}, {"b": [Form("c", "verb", "c")]})
        for video in videos[:3]
    ]
    (tmp_path / "shards").mkdir()
    said = ([*matched[:2]], [matched[2], Answered(videos[3])])
    for number, answered in enumerate(said, 1):
        write_lines(answers_of(tmp_path, Shard(2, number)), to_lines("k", answered))
    answers = Answers(tmp_path, "k", 2, 4, [Shard(2, 2)])
    assert list(answers) == [*said[0], *said[1]]
    assert list(answers.unmatched()) == said[1]
    path = answers_of(tmp_path, Shard(2, 2))
    if damage == "another key":
        write_lines(path, to_lines("other", said[1]))
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "fewer":
        write_lines(path, to_lines("k", said[1][:1]))
    else:
        path.unlink()
    with pytest.raises(UsageError, match="run its shares again" if damage == "fewer" else "--shard 2/2"):
        list(answers)


def test_a_dry_run_of_a_share_counts_the_share(many) -> None:
    assert json.loads(share(many, "2/5", "--dry-run", "--json").out)["videos"] == 5
    assert not many.out.exists()


@pytest.mark.parametrize("text", ["", "0/4", "5/4", "1", "a/b", "1/0", "-1/4", "1/4/2", "¹/4"])
def test_a_share_that_is_none_is_one_line(world, text: str) -> None:
    ran = world.bags("--shard", text)
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert f"--shard {text}" in ran.err


def test_the_environment_names_a_share_or_none() -> None:
    assert parse_shard("2/4") == Shard(4, 2)
    assert shard_of_environment({}) is None
    assert shard_of_environment({"RANK": "0", "WORLD_SIZE": "1"}) is None
    assert shard_of_environment({"RANK": "3", "WORLD_SIZE": "4"}) == Shard(4, 4)
    for env in ({"RANK": "4", "WORLD_SIZE": "4"}, {"RANK": "x", "WORLD_SIZE": "4"}, {"RANK": "1"}):
        with pytest.raises(UsageError, match="name no share"):
            shard_of_environment(env)


@pytest.mark.parametrize("text", ["1/1000001", f"{10**20}/{10**20}", f"1/{'9' * 5000}", f"{'9' * 5000}/4"])
def test_more_shards_than_anybody_runs_are_refused_at_once(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert parse_shard("1000000/1000000").of == 1_000_000
