"""`maxi bags --dry-run` says what a run takes and what would fail, and asks nobody."""

import json

from maxi_core.errors import ExitCode

CAST = "toymatch,toygpt,toyblip,toyverbs"


def test_a_dry_run_counts_writes_nothing_and_asks_nobody(world) -> None:
    before = set(world.folder.rglob("*"))
    ran = world.bags("--dry-run", "--json")
    document = json.loads(ran.out)
    assert (document["videos"], document["calls"], document["tokens"]) == (6, {"toygpt": 4}, 260)
    assert document["disk"].startswith("about 0.0 MB")
    assert set(world.folder.rglob("*")) == before
    assert world.asked() == {}
    world.bags()
    unmatched = 4 - len({record["match"]["entry"] for record in world.records()})
    assert json.loads(world.bags("--dry-run", "--json").out)["calls"] == {"toygpt": unmatched}


def test_a_dry_run_is_not_misled_by_other_stores_and_damaged_ones(world) -> None:
    world.bags()
    store = world.folder / "store"
    (about,) = store.glob("toys.toygpt-*/about.json")
    other = store / "toys.toygpt-x-0123456789abcdef"
    other.mkdir()
    (other / "about.json").write_text(about.read_text().replace('"toys:toygpt"', '"toys:toygpt-x"'))
    for segment in about.parent.glob("*.jsonl"):
        segment.rename(other / segment.name)
    assert json.loads(world.bags("--dry-run", "--json").out)["calls"] == {"toygpt": 4}
    for damage in ("{", "[]", '{"options": 5}'):
        about.write_text(damage)
        assert json.loads(world.bags("--dry-run", "--json").out)["calls"] == {"toygpt": 4}


def test_a_dry_run_says_in_text_what_each_stage_takes_and_how_long(world) -> None:
    first = world.bags("--dry-run").out.splitlines()
    assert first[:6] == [
        f"6 videos, {world.folder / 'actions.txt'} (4 entries), keep 1",
        "match by toymatch: 6 videos at most",
        "caption by toyblip: 6 videos at most",
        "expand by toygpt: 4 calls at most, about 260 tokens",
        "no time is known of toymatch, toyblip, toygpt: run a few videos with the same options first",
        first[5],
    ]
    assert first[5].startswith("disk: about ")
    assert "{" not in "".join(first)
    world.bags()
    world.add("new.mp4")
    said = world.bags("--dry-run", "--keep", "0.5").out.splitlines()
    assert said[0].startswith("7 videos, ")
    assert said[1].startswith("match by toymatch: 1 video at most, 6 of 7 are known, about ")
    assert said[1].endswith(" at the speed of the last run")
    assert "no time is known" not in "".join(said)
    document = json.loads(world.bags("--dry-run", "--json", "-o", "toymatch.seed=1").out)
    assert [stage["seconds"] is None for stage in document["stages"]] == [True, False, False]


def test_a_dry_run_says_what_would_fail_and_ends_with_code_1(world) -> None:
    (world.videos / "empty.mp4").touch()
    ran = world.bags("--dry-run")
    assert "1 of 7 videos would be skipped, the first: empty.mp4: the file is empty (0 bytes)" in ran.out
    assert ran.code == ExitCode.DONE
    for path in world.videos.iterdir():
        path.write_bytes(b"")
    ran = world.bags("--dry-run")
    assert ran.code == ExitCode.FAILED
    assert "would fail: not one of 7 videos can be read, the first: clip 0.mp4: the file is empty" in ran.out
    (world.folder / "run").write_text("a file in its place")
    assert "would fail: nothing can be written into " in world.bags("--dry-run").out
