"""`maxi show` and `maxi stats`: what a person sees of a run."""

import json
import shlex

from maxi_core.errors import ExitCode


def test_the_list_shows_each_video_with_its_match(world) -> None:
    world.bags("--keep", "0.5")
    out = world.maxi("show", str(world.out)).out
    assert out.count("clip ") == 6
    assert out.count("not kept") == 3
    assert max(len(line) for line in out.splitlines()[:-1]) <= 80


def test_one_bag_shows_match_what_was_said_and_the_texts_by_source(world) -> None:
    world.bags()
    record = world.records()[2]
    out = world.maxi("show", str(world.out), "clip 2.mp4").out
    assert f"match: {record['match']['entry']} ({record['match']['score']:.4f})" in out
    assert "toyblip said\n  a person waving" in out
    assert f"text bag, {len(record['texts'])} texts" in out
    assert f"toygpt: someone {record['match']['entry']}" in out


def test_a_part_of_the_name_is_enough_if_only_one_video_has_it(world) -> None:
    world.bags()
    assert world.maxi("show", str(world.out), "p 2").out.startswith("clip 2.mp4\n")
    ran = world.maxi("show", str(world.out), "clip")
    assert ran.code == ExitCode.USAGE
    assert "'clip' fits 6 videos" in ran.err
    ran = world.maxi("show", str(world.out), "clop 2.mp4")
    assert "(did you mean 'clip 2.mp4'?)" in ran.err


def test_one_bag_as_json_is_its_record(world) -> None:
    world.bags()
    assert json.loads(world.maxi("show", str(world.out), "clip 2", "--json").out) == world.records()[2]


def test_the_list_as_json_has_every_bag(world) -> None:
    for place in range(30):
        world.add(f"more {place}.mp4")
    world.bags()
    document = json.loads(world.maxi("show", str(world.out), "--json").out)
    assert document == {"schema": 1, "bags": world.records()}
    (world.out / "bags.jsonl").write_text("")
    assert json.loads(world.maxi("show", str(world.out), "--json").out) == {"schema": 1, "bags": []}


def test_a_video_that_was_skipped_is_named_with_the_reason(world) -> None:
    world.add("broken.mp4")
    world.bags()
    ran = world.maxi("show", str(world.out), "broken.mp4")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "broken.mp4 has no bag, it was skipped: the file is broken; see" in ran.err
    assert "no video of" not in ran.err
    assert "1 skipped: broken.mp4\n" in world.maxi("show", str(world.out)).out
    assert "6 videos, 6 kept, 3 entries matched; 1 more skipped" in world.maxi("stats", str(world.out)).out
    assert json.loads(world.maxi("stats", str(world.out), "--json").out)["skipped"] == 1


def test_a_run_that_was_stopped_is_said_to_be_unfinished_with_the_command_that_goes_on(world, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/maxi", *world.arguments()])
    world.bags()
    manifest = json.loads((world.out / "manifest.json").read_text())
    (world.out / "manifest.json").write_text(json.dumps({**manifest, "finished": None}))
    (world.out / "bags.jsonl").unlink()
    for command in ("show", "stats", "train"):
        ran = world.maxi(command, str(world.out))
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
        assert f"{world.out} is not finished: its bags are not made; the same command goes on" in ran.err
        assert ran.err.endswith(f": maxi {shlex.join(world.arguments())}\n")
    ran = world.maxi("show", str(world.folder / "nowhere"))
    assert f"there is no run folder {world.folder / 'nowhere'}; make one: maxi bags" in ran.err


def test_a_folder_without_bags_is_one_line(world) -> None:
    for command in ("show", "stats"):
        ran = world.maxi(command, str(world.folder))
        assert ran.code == ExitCode.USAGE
        assert "there are no bags in" in ran.err


def test_colours_tell_the_sources_apart(world, monkeypatch) -> None:
    world.bags()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = world.maxi("show", str(world.out), "clip 2").out
    lines = {line.split("m", 1)[0] for line in out.splitlines() if "someone" in line or "waving" in line}
    assert len(lines) >= 2


def test_stats_count_sizes_sources_shares_and_scores(world) -> None:
    world.bags()
    document = json.loads(world.maxi("stats", str(world.out), "--json").out)
    sizes = [len(record["texts"]) for record in world.records()]
    assert (document["videos"], document["kept"], document["sizes"]) == (6, 6, sizes)
    assert [(share["keep"], share["videos"]) for share in document["shares"]] == [(1, 6), (0.9, 5), (0.5, 3), (0.3, 2)]
    assert sum(count for _, _, count in document["histogram"]) == 6
    said = [text for record in world.records() for text in record["texts"]]
    counted = sum("toyblip" in (text["source"], *text.get("also", ())) for text in said)
    assert document["sources"]["toyblip"] == counted
    out = world.maxi("stats", str(world.out)).out
    assert "6 videos, 6 kept" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_with_labels_the_share_of_right_matches_is_shown_at_each_share_kept(world) -> None:
    world.bags()
    records = world.records()
    labels = {record["video"]: record["match"]["entry"].replace(" ", "_").title() for record in records}
    worst = min(records, key=lambda record: record["match"]["score"])["video"]
    labels[worst] = "sleeping"
    table = world.folder / "labels.csv"
    table.write_text("video,label\n" + "".join(f"{video},{label}\n" for video, label in labels.items()))
    document = json.loads(world.maxi("stats", str(world.out), "--labels", str(table), "--json").out)
    assert [(share["right"], share["labelled"]) for share in document["shares"]] == [(5, 6), (5, 5), (3, 3), (2, 2)]
    assert "5 of 6 (83.3%)" in world.maxi("stats", str(world.out), "--labels", str(table)).out
    (world.folder / "labels.csv").rename(world.folder / "true.csv")
    (world.folder / "split.txt").write_text("a.mp4 0\n")
    alone = world.maxi("stats", str(world.out), "--labels", str(world.folder / "split.txt"))
    assert "split.txt is a list of videos with numbers of classes, and labels.csv is not beside it" in alone.err


def test_wrong_label_files_are_one_line_with_their_place(world) -> None:
    world.bags()
    table = world.folder / "labels.csv"
    table.write_bytes(b"\xef\xbb\xbfvideo,label\r\nclip 0.mp4,waving a flag\r\n")  # as spreadsheets save it
    assert world.maxi("stats", str(world.out), "--labels", str(table)).code == ExitCode.DONE
    for content, line in {
        "video,label\na," + "x" * 200_000: "cannot read the labels",
        "id,name\n": "has no columns video and label but id, name",
        "video,label\na,\n": "labels.csv:2 lacks its video or its label",
        "video,label\na,b\na,c\n": "labels.csv:3 labels a again",
    }.items():
        table.write_text(content)
        ran = world.maxi("stats", str(world.out), "--labels", str(table))
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
        assert line in ran.err


def test_a_word_is_traced_to_entries_and_sources(world) -> None:
    world.bags()
    records = world.records()
    document = json.loads(world.maxi("stats", str(world.out), "--word", "Waving", "--json").out)
    holding = [r for r in records if any("waving" in text["text"].split() for text in r["texts"])]
    assert sum(use["videos"] for use in document["uses"]) == len(holding) > 0
    assert all(use["sources"]["toyblip"] == use["videos"] for use in document["uses"])
    assert "'waving' stands in" in world.maxi("stats", str(world.out), "--word", "waving").out
    assert "no bag holds 'sleep'" in world.maxi("stats", str(world.out), "--word", "sleep").out
    ran = world.maxi("stats", str(world.out), "--word", " ")
    assert (ran.code, ran.err) == (
        ExitCode.USAGE,
        "maxi: error: which word? it is blank; for example --word wave\n",
    )


def test_labels_have_the_columns_that_lists_of_videos_have(world) -> None:
    world.bags()
    table = world.folder / "true.tsv"
    for header in ("path\tlabel", "Filename\tClass Name", "id\taction"):
        table.write_text(f"{header}\nclip 0.mp4\t{world.records()[0]['match']['entry']}\n")
        document = json.loads(world.maxi("stats", str(world.out), "--labels", str(table), "--json").out)
        assert (document["shares"][0]["right"], document["shares"][0]["labelled"]) == (1, 1)
    table.write_text("path\tlabel\nother.mp4\trun\n")
    ran = world.maxi("stats", str(world.out), "--labels", str(table))
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "none of the 1 label is of a video of this run" in ran.err
