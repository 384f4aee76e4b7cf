"""`maxi bags` as a user runs it: composition, resuming, what costs what, what is refused."""

import json
import tomllib

import pytest

from maxi_core.errors import ExitCode

CAST = "toymatch,toygpt,toyblip,toyverbs"


def test_each_video_gets_its_match_and_a_bag_with_who_said_what(world, watched) -> None:
    ran = world.bags()
    assert ran.code == ExitCode.DONE
    assert ran.err == "maxi: 6 videos, 4 names, sources toymatch, toygpt, toyblip, toyverbs\n"
    records = world.records()
    assert [record["video"] for record in records] == [f"clip {place}.mp4" for place in range(6)]
    record = records[0]
    assert set(record) == {"schema", "video", "path", "start", "end", "match", "kept", "texts", "said"}
    entry = record["match"]["entry"]
    assert record["said"] == {
        "toygpt": [f"someone {entry}", f"{entry} gladly"],
        "toyblip": ["a person waving", record["said"]["toyblip"][1]],
    }
    texts = {text["text"]: text for text in record["texts"]}
    verb = entry.split()[0]
    assert entry not in texts
    assert {key: texts[verb][key] for key in ("source", "of", "kind")} == {
        "source": "toymatch",
        "of": entry,
        "kind": "verb",
    }
    assert texts[f"someone {entry}"] == {
        "text": f"someone {entry}", "source": "toygpt", "of": entry, "kind": "phrase"
    }  # fmt: skip
    if entry != "waving a flag":
        assert texts["waving"]["source"] == "toyblip"
    assert "a person waving" not in texts


def test_the_run_folder_holds_recipe_manifest_skips_and_log(world) -> None:
    world.add("a broken one.mp4")
    world.bags()
    assert {path.name for path in world.out.iterdir()} >= {
        *("bags.jsonl", "skipped.jsonl", "dictionary.txt", "recipe.toml", "manifest.json", "run.log")
    }
    assert (world.out / "dictionary.txt").read_text() == (world.folder / "actions.txt").read_text()
    manifest = json.loads((world.out / "manifest.json").read_text())
    assert manifest["counts"] == {
        **{"videos": 7, "matched": 6, "kept": 6, "skipped": 1, "empty": 0},
        "texts": sum(len(record["texts"]) for record in world.records()),
    }
    (skip,) = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert (skip["video"], skip["stage"], skip["source"]) == ("a broken one.mp4", "match", "toymatch")
    assert skip["message"] == "the file is broken"


def test_the_settled_recipe_makes_the_same_bags_again_from_anywhere(world, tmp_path, monkeypatch) -> None:
    world.bags("-o", "toygpt.style=slowly", "--keep", "0.5")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    again = world.maxi("bags", "--config", str(world.out / "recipe.toml"), "--out", "again", "--store", "fresh")
    assert again.code == ExitCode.DONE
    assert (elsewhere / "again" / "bags.jsonl").read_bytes() == (world.out / "bags.jsonl").read_bytes()


def test_with_a_maxi_toml_the_command_needs_only_the_sources(world) -> None:
    (world.folder / "maxi.toml").write_text(
        '[bags]\nvideos = "videos"\ndictionary = "actions.txt"\nout = "mine"\n'
        '[sources]\nmatcher = "toymatch"\naugmenter = "toyverbs"\n'
    )
    assert world.maxi("bags", "--sources", "toygpt,toyblip").code == ExitCode.DONE
    assert set(world.records(world.folder / "mine")[0]["said"]) == {"toygpt", "toyblip"}


@pytest.mark.parametrize("missing", ["videos", "dictionary", "out"])
def test_a_missing_key_is_named_in_one_line(world, missing) -> None:
    settings = {"videos": "videos", "dictionary": "actions.txt", "out": "mine"}
    lines = [f'{key} = "{value}"' for key, value in settings.items() if key != missing]
    (world.folder / "maxi.toml").write_text("[bags]\n" + "\n".join(lines) + "\n")
    ran = world.maxi("bags", "--sources", CAST)
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith(f"maxi: error: which {missing}? neither ")
    assert ran.err.count("\n") == 1


def test_a_second_run_asks_nobody_anything_and_writes_the_same_bytes(world) -> None:
    world.bags()
    first = (world.out / "bags.jsonl").read_bytes()
    assert world.asked()["toymatch"] == 6
    assert world.bags().code == ExitCode.DONE
    assert world.asked() == {}
    assert (world.out / "bags.jsonl").read_bytes() == first


def test_an_entry_is_expanded_once_and_a_text_augmented_once(world) -> None:
    world.bags()
    asked = world.asked()
    entries = {record["match"]["entry"] for record in world.records()}
    assert asked["toygpt"] == len(entries)
    assert asked["toyblip"] == 6
    captions = {text for record in world.records() for text in record["said"]["toyblip"]}
    assert asked["toyverbs"] == len(captions) + 3 * len(entries)


def test_adding_a_source_costs_only_that_source(world) -> None:
    world.bags(sources="toymatch,toygpt,toyverbs")
    world.asked()
    assert world.bags(sources="toymatch,toygpt,toyblip,toyverbs").code == ExitCode.DONE
    assert set(world.asked()) == {"toyblip", "toyverbs"}
    assert set(world.records()[0]["said"]) == {"toygpt", "toyblip"}


def test_another_run_in_another_folder_pays_nothing_for_what_is_known(world) -> None:
    world.bags()
    world.asked()
    arguments = world.arguments("--keep", "0.5")
    arguments[arguments.index("--out") + 1] = str(world.folder / "other")
    assert world.maxi(*arguments).code == ExitCode.DONE
    assert world.asked() == {}


def test_a_changed_option_asks_that_source_again_and_effort_does_not(world) -> None:
    world.bags()
    world.asked()
    world.bags("-o", "toygpt.style=slowly")
    assert set(world.asked()) == {"toygpt", "toyverbs"}
    world.bags("-o", "toymatch.haste=9")
    assert world.asked() == {}


def test_the_shape_in_which_videos_are_shown_is_part_of_what_an_answer_depends_on(world) -> None:
    world.bags()
    world.asked()
    world.bags("-o", "video.square_pixels=false", "--overwrite")
    assert (world.asked()["toymatch"], world.bags("-o", "video.square_pixels=false").code) == (6, ExitCode.DONE)


def test_a_later_run_that_fails_leaves_the_records_of_the_finished_one(world, fake_dist) -> None:
    world.add("a broken one.mp4")
    world.bags()
    before = (world.out / "skipped.jsonl").read_bytes()
    assert before
    assert world.bags("--max-skipped", "0").code != ExitCode.DONE
    assert (world.out / "skipped.jsonl").read_bytes() == before


def test_a_changed_file_is_asked_about_again(world) -> None:
    world.bags()
    world.asked()
    world.add("clip 3.mp4").write_text("another film")
    world.bags()
    assert world.asked() == {"toymatch": 1, "toyblip": 1}


def test_only_the_share_with_the_best_scores_is_captioned_and_all_stay_in_the_file(world) -> None:
    ran = world.bags("--keep", "0.5")
    records = world.records()
    kept = [record for record in records if record["kept"]]
    assert (len(records), len(kept)) == (6, 3)
    assert min(r["match"]["score"] for r in kept) >= max(r["match"]["score"] for r in records if not r["kept"])
    assert all(record["texts"] == [] for record in records if not record["kept"])
    assert world.asked()["toyblip"] == 3
    assert "3 bags of 6 videos: 6 matched, 3 kept" in ran.out


def test_the_dictionary_alone_gives_the_forms_of_the_entry(world) -> None:
    world.bags(sources="toymatch,toyverbs")
    for record in world.records():
        verb = record["match"]["entry"].split()[0]
        assert [text["text"] for text in record["texts"]] == [verb[:-3], verb]


def test_without_an_augmenter_captions_go_in_as_they_are(world) -> None:
    world.bags("--without", "toyverbs")
    for record in world.records():
        assert {text["kind"] for text in record["texts"]} == {"phrase"}
        assert "a person waving" in [text["text"] for text in record["texts"]]


def test_an_injector_changes_the_dictionary_before_matching(world) -> None:
    assert world.bags(sources=f"toynoise,{CAST}").code == ExitCode.DONE
    manifest = json.loads((world.out / "manifest.json").read_text())
    assert "actions.txt+2 (6 entries" in manifest["made_of"]["dictionary"]


def test_an_injector_is_asked_once_for_all_runs_and_a_dry_run_keeps_nothing(world) -> None:
    cast = f"toynoise,{CAST}"
    assert world.bags("--dry-run", sources=cast).code == ExitCode.DONE
    assert not (world.folder / "store").exists()
    world.bags(sources=cast)
    assert [path.name.rpartition("-")[0] for path in (world.folder / "store").glob("*toynoise-*")] == ["toys.toynoise"]
    world.asked()
    assert world.bags(sources=cast).code == ExitCode.DONE
    assert world.bags("--dry-run", sources=cast).code == ExitCode.DONE
    assert world.asked() == {}


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ("videos", "videos: 1 (new.mp4) added, 1 (clip 0.mp4) gone"),
        ("dictionary", "dictionary: was "),
        ("matcher", "matcher: was toys.toymatch-"),
    ],
)
def test_a_run_folder_that_was_made_of_something_else_is_refused_with_the_difference(world, change, line) -> None:
    world.bags()
    before = (world.out / "bags.jsonl").read_bytes()
    more = []
    if change == "videos":
        (world.videos / "clip 0.mp4").unlink()
        world.add("new.mp4")
    elif change == "dictionary":
        (world.folder / "actions.txt").write_text("riding a bike\nwaving\n")
    else:
        more = ["-o", "toymatch.seed=7"]
    ran = world.bags(*more)
    assert ran.code == ExitCode.USAGE
    assert line in ran.err
    assert "choose another --out or add --overwrite" in ran.err
    assert (world.out / "bags.jsonl").read_bytes() == before
    assert world.bags(*more, "--overwrite").code == ExitCode.DONE
    manifest = json.loads((world.out / "manifest.json").read_text())
    assert line in manifest["overwritten"][0]


def test_changed_sources_and_keep_recompose_without_being_asked(world) -> None:
    world.bags()
    assert world.bags("--keep", "0.5", sources="toymatch,toyverbs").code == ExitCode.DONE
    assert sum(record["kept"] for record in world.records()) == 3


def test_an_item_that_fails_is_skipped_and_the_others_are_as_if_it_were_not_there(world) -> None:
    world.bags()
    clean = world.records()
    world.add("dark.mp4")
    world.add("very broken.mp4")
    assert world.bags("--overwrite").code == ExitCode.DONE
    assert [record for record in world.records() if record["video"].startswith("clip")] == clean
    (dark,) = [record for record in world.records() if record["video"] == "dark.mp4"]
    assert set(dark["said"]) == {"toygpt"}
    skips = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert {(skip["video"], skip["stage"]) for skip in skips} == {("dark.mp4", "caption"), ("very broken.mp4", "match")}


def test_too_many_unusable_videos_stop_the_run_with_the_first_reasons(world) -> None:
    for place in range(3):
        world.add(f"later broken {place}.mp4")
    ran = world.bags("--max-skipped", "1")
    assert ran.code == ExitCode.SKIPPED
    assert "more videos, entries and texts than --max-skipped 1 could not be used" in ran.err
    assert "the file is broken" in ran.err
    assert not (world.out / "bags.jsonl").exists()


def test_a_run_in_which_every_video_fails_has_failed(world) -> None:
    for path in world.videos.iterdir():
        path.rename(path.with_name(f"broken {path.name}"))
    ran = world.bags()
    assert ran.code == ExitCode.FAILED
    assert "not one of 6 videos could be used" in ran.err
    assert "the file is broken" in ran.err


def test_a_folder_without_videos_has_nothing_to_do(world) -> None:
    for path in world.videos.iterdir():
        path.unlink()
    ran = world.bags()
    assert (ran.code, ran.out) == (ExitCode.NOTHING, "")
    assert f"there are no videos in {world.videos}; name a folder" in ran.err
    assert not world.out.exists()


def test_what_a_recipe_file_sets_is_said_before_the_work(world, watched) -> None:
    (world.folder / "mine.toml").write_text("[bags]\nkeep = 0.5\nnames = 'spaced'\n")
    ran = world.bags("--config", "mine.toml")
    assert ran.err == "maxi: 6 videos, 4 names, sources toymatch, toygpt, toyblip, toyverbs; of mine.toml: keep 0.5\n"
    assert "of mine.toml" not in world.bags("--config", "mine.toml", "--keep", "0.5").err
    assert world.bags("--config", "mine.toml", "--quiet").err == ""


def test_videos_that_are_named_one_by_one_are_those_of_their_folder(world) -> None:
    whole, one_by_one = world.arguments(), world.arguments()
    one_by_one[1:2] = sorted(map(str, world.videos.iterdir()))
    world.maxi(*whole)
    made = world.records()
    again = world.maxi(*one_by_one)
    assert again.code == ExitCode.DONE, again.err
    assert world.records() == made
    assert tomllib.loads((world.out / "recipe.toml").read_text())["bags"]["videos"] == one_by_one[1:7]
    settled = world.maxi("bags", "--config", str(world.out / "recipe.toml"))
    assert (settled.code, world.records()) == (ExitCode.DONE, made), settled.err


def test_json_on_stdout_says_what_was_made(world) -> None:
    document = json.loads(world.bags("--json").out)
    assert (document["schema"], document["videos"], document["kept"]) == (1, 6, 6)
    assert document["asked"]["toymatch"] == 6


def test_a_misspelt_source_is_one_line(world) -> None:
    ran = world.bags(sources="toymatch,toygtp")
    assert ran.code == ExitCode.USAGE
    assert "'toygtp' (did you mean 'toygpt'?)" in ran.err


def test_a_decoder_that_is_not_there_is_one_line_before_anybody_is_asked(world) -> None:
    ran = world.bags("--decoder", "pyva")
    assert ran.code == ExitCode.USAGE
    assert "pyva" in ran.err
    assert ran.err.count("\n") == 1
    assert world.asked() == {}


def test_names_that_are_run_together_are_matched_with_their_words_apart(world) -> None:
    (world.folder / "actions.txt").write_text("1 RidingABike\n2 juggling_balls\n")
    ran = world.bags()
    assert ran.code == ExitCode.DONE
    assert ran.err.count("are matched with their words apart") == 1
    assert {record["match"]["entry"] for record in world.records()} <= {"riding a bike", "juggling balls"}
    again = world.bags("--names", "written", "--overwrite")
    assert "words apart" not in again.err
    assert {record["match"]["entry"] for record in world.records()} <= {"RidingABike", "juggling_balls"}


@pytest.mark.parametrize("stage", ["caption", "expand", "augment"])
def test_what_any_stage_leaves_out_counts_for_max_skipped_and_is_shown_by_reason(world, fake_dist, stage: str) -> None:
    role, method, question = {
        "caption": ("Captioner", "caption", "clips"),
        "expand": ("Expander", "expand", "entries"),
        "augment": ("Augmenter", "augment", "texts"),
    }[stage]
    fake_dist(
        "mute",
        f"""
        from maxi_core import {role}, Failed, hookimpl

        class Mute({role}):
            '''Says nothing.'''
            name = "mute"
            batch = 1
            frames = None
            def {method}(self, {question}):
                return [Failed("it is mute today") for _ in {question}]

        @hookimpl
        def maxi_register_sources():
            return [Mute]
        """,
    )
    cast = "toymatch,toygpt,mute" if stage == "augment" else "toymatch,toygpt,mute,toyverbs"
    ran = world.bags("--max-skipped", "1", sources=cast)
    assert ran.code == ExitCode.SKIPPED, ran.err
    assert "more videos, entries and texts than --max-skipped 1 could not be used" in ran.err
    assert f"{stage} of " in ran.err
    ran = world.bags(sources=cast)
    shown = [line for line in ran.out.splitlines() if line.startswith("skipped at")]
    assert len(shown) == 1
    assert shown[0].startswith(f"skipped at {stage} by mute: ")
    assert " x it is mute today (" in shown[0]


def test_what_was_skipped_is_shown_by_reason_the_most_frequent_first() -> None:
    from maxi_core.types import Failed
    from maxi_core.video.skips import VideoFailed, grouped, skip_record

    empty = VideoFailed("the file is empty (0 bytes)", "empty")
    records = [skip_record(f"{n}.mp4", empty, "match", "dictionary") for n in range(3)]
    records.insert(1, skip_record("jumping", Failed("no phrases for 'jumping'"), "expand", "gpt3"))
    records.append(skip_record("waving", Failed("no phrases for 'waving'"), "expand", "gpt3"))
    records.append(skip_record("4.mp4", Failed("dark"), "caption", "blip"))
    assert grouped(records, 2) == [
        "skipped at match by dictionary: 3 x the file is empty (0 bytes) (0.mp4, ...)",
        "skipped at expand by gpt3: 2 x no phrases for 'jumping' (jumping, ...)",
        "... and 1 more for 1 reason",
    ]
