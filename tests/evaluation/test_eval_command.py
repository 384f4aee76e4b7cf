"""`maxi eval` as it is typed: tables, JSON, files, exit codes, and mistakes in one line."""

import json
from pathlib import Path

import pytest

from maxi_core.evaluation.saving import folder_name


def arguments(world, out: Path, *more: str) -> list[str]:
    fast = ["--frames", "2", "--workers", "0", "--device", "cpu", "--quiet"]
    return [str(world.model), "--benchmark", str(world.benchmark), *fast, "--out", str(out), *more]


def test_the_table_has_80_columns_and_says_what_the_score_is_of(maxi, world, tmp_path: Path) -> None:
    ran = maxi("eval", *arguments(world, tmp_path, "--dictionary", "kinetics400"))
    assert ran.code == 0, ran.err
    assert all(
        len(line) <= 80 for line in ran.out.splitlines() if str(world.model) not in line and "scores.json" not in line
    )
    assert "top-1" in ran.out
    assert "prompt 'a photo of a walk.', 2 frames, views 1x1" in ran.out
    assert "bench:1 in-dictionary" in ran.out
    record = json.loads((tmp_path / folder_name(str(world.model)) / "scores.json").read_text())[0]
    wanted = {"benchmark", "split", "metrics", "n", "skipped", "classes", "prompt", "names", "frames", "views",
              "normalisation", "model", "ensemble", "list_sha256", "seed", "version", "groups"}  # fmt: skip
    assert wanted <= record.keys()


def test_videos_that_could_not_be_used_and_classes_without_any_are_named(maxi, watched, world, tmp_path: Path) -> None:
    (world.benchmark / "some.txt").write_text("videos/00.mp4 0\nvideos/bad.mp4 0\nvideos/none.mp4 1\n")
    (world.benchmark / "videos" / "bad.mp4").write_text("a text")
    split = ("-b", str(world.benchmark / "some.txt"), "--labels", str(world.benchmark / "labels.csv"))
    fast = ("--frames", "2", "--workers", "0", "--device", "cpu", "--out", str(tmp_path))
    ran = maxi("eval", str(world.model), *split, *fast)
    assert "some:1: skipped videos/bad.mp4: this is a text file, not a video; get the file again" in ran.out
    assert "some:1: skipped videos/none.mp4: no such file" in ran.out
    assert " classes have no videos: " in ran.out
    assert f"maxi: loading {world.model}\n" in ran.err


@pytest.mark.parametrize(
    ("file", "head", "type_"),
    [
        (
            "val.csv",
            "label,youtube_id,time_start,time_end,split",
            "-b kinetics400 --annotations {file} --videos FOLDER",
        ),
        ("val.csv", '"label","youtube_id","time_start","time_end","split","is_cc"', "-b kinetics400 --annotations"),
        ("Charades_v1_test.csv", "id,subject,scene,actions\n46GP8,HR43,Kitchen,c092 1 2", "-b charades --annotations"),
        ("validationSet.csv", "clapping/a.mp4,clapping,3,1", "-b moments --annotations {folder} --videos FOLDER"),
        ("testlist01.txt", "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi", "-b ucf101 --annotations {folder} --videos"),
        ("brush_hair_test_split1.txt", "a.avi 2", "-b hmdb51 --annotations {folder} --videos FOLDER"),
        ("something-something-v2-validation.json", "[]", "-b ssv2 --annotations {folder} --videos FOLDER"),
    ],
)
def test_an_official_file_is_pointed_to_the_way_that_reads_it(
    maxi, tmp_path: Path, file: str, head: str, type_
) -> None:
    (tmp_path / file).write_text(head + "\n")
    ran = maxi("eval", "sandbox", "-b", str(tmp_path / file))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "and no benchmark by itself; type " + type_.format(file=tmp_path / file, folder=tmp_path) in ran.err


def test_several_models_and_benchmarks_go_in_one_process(maxi, world, tmp_path: Path) -> None:
    (world.benchmark / "half.txt").write_text("videos/00.mp4 0\nvideos/05.mp4 1\n")
    benchmarks = f"{world.benchmark},{world.benchmark / 'half.txt'}"
    fast = ["--frames", "2", "--workers", "0", "--device", "cpu", "--json", "--out", str(tmp_path)]
    ran = maxi("eval", str(world.model), str(world.other), "--benchmark", benchmarks, *fast)
    document = json.loads(ran.out)
    assert [[one["benchmark"] for one in model["scores"]] for model in document["models"]] == [["bench", "half"]] * 2
    assert document["seconds"]["encoded"] == 2 * 12
    assert sum(document["seconds"]["shares"].values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--views", "4"], "not CLIPSxCROPS"),
        (["--prompt", "a photo"], "needs one {} for the name"),
        (["--decoder", "nope"], "nope"),
        (["-o", "eval.frame=3"], "did you mean"),
        (["--classes", "{missing}"], "cannot read"),
        (["--dictionary", "kinetics401"], "no dictionary 'kinetics401'"),
    ],
)
def test_a_mistake_is_said_in_one_line_before_any_work(maxi, world, tmp_path: Path, more, said: str) -> None:
    filled = [word.format(missing=tmp_path / "none.csv") for word in more]
    ran = maxi("eval", *arguments(world, tmp_path / "out", *filled))
    assert (ran.code, len(ran.err.splitlines())) == (2, 1), ran.err
    assert said in ran.err


def test_no_model_no_benchmark_and_two_models_of_one_name_are_refused(maxi, world, tmp_path: Path) -> None:
    assert "which model?" in maxi("eval", "--benchmark", str(world.benchmark)).err
    assert "which benchmark?" in maxi("eval", "sandbox").err
    ran = maxi("eval", *arguments(world, tmp_path / "out")[1:], "./none")
    assert (ran.code, "none" in ran.err, (tmp_path / "out").exists()) == (2, True, False), "no folder is left"
    ran = maxi("eval", str(world.model), str(world.model), "-b", str(world.benchmark), "--out", str(tmp_path))
    assert "would both be written to" in ran.err


def test_a_checkpoint_that_does_not_fit_is_refused_with_its_keys_and_never_replaced(
    maxi, world, tmp_path: Path
) -> None:

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "checkpoint"
    folder.mkdir()
    weights = load_file(world.model / "open_clip_model.safetensors")
    document = json.loads((world.model / "open_clip_config.json").read_text())
    weights["strange.weight"] = weights.pop("ln_final.weight")
    save_file(weights, folder / "model.safetensors")
    about = {"schema": 1, "config": document["model_cfg"], "preprocess": document["preprocess_cfg"], "frames": 2,
             "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "temporal": None}  # fmt: skip
    (folder / "maxi.json").write_text(json.dumps(about))
    (folder / "DONE").touch()
    ran = maxi("eval", str(folder), "-b", str(world.benchmark), "--workers", "0", "--out", str(tmp_path / "out"))
    assert ran.code == 2
    assert "ln_final.weight missing; strange.weight unexpected" in ran.err
    assert not list(tmp_path.glob("out/*/scores.json"))


def test_a_checkpoint_with_a_temporal_module_gets_it_from_the_plugins(maxi, world, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    document = json.loads((world.model / "open_clip_config.json").read_text())
    weights = load_file(world.model / "open_clip_model.safetensors")
    scores = {}
    for name in ("none", "mean", "crossframe", "nobodys"):
        temporal = None if name == "none" else {"name": f"maxi:{name}", "version": "0", "options": {}}
        folder = tmp_path / name
        folder.mkdir()
        save_file(weights, folder / "model.safetensors")
        about = {"schema": 1, "config": document["model_cfg"], "preprocess": document["preprocess_cfg"], "frames": 2,
                 "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "temporal": temporal,
                 "ensemble": {"original": "a", "trained": "b", "ratio": 0.2}}  # fmt: skip
        (folder / "maxi.json").write_text(json.dumps(about))
        (folder / "DONE").touch()
        ran = maxi("eval", str(folder), "-b", str(world.benchmark), "--frames", "2", "--workers", "0",
                   "--out", str(tmp_path / "out"))  # fmt: skip
        if name == "nobodys":
            assert ran.code == 2
            assert "temporal module 'maxi:nobodys' 0, which cannot be had here" in ran.err
            continue
        assert ran.code == 0, ran.err
        (found,) = (tmp_path / "out").glob(f"*-{name}")
        (record,) = json.loads((found / "scores.json").read_text())
        assert (record["temporal"] and record["temporal"]["name"]) == (temporal and f"maxi:{name}")
        assert record["ensemble"]["ratio"] == 0.2
        scores[name] = (found / "predictions-bench-1.jsonl").read_text()
    assert scores["none"] == scores["mean"] != scores["crossframe"]


def test_a_missing_folder_of_videos_is_said_before_a_model_is_loaded(maxi, world, tmp_path: Path) -> None:
    ran = maxi("eval", "no/such-model", "-b", str(world.benchmark), "--videos", str(tmp_path / "none"))
    assert (ran.code, "there is no folder of videos at" in ran.err) == (2, True)


def test_too_many_skipped_videos_end_with_code_3_and_all_with_code_1(maxi, world, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    (folder / "videos").mkdir(parents=True)
    (folder / "labels.csv").write_text("id,name\n0,walk\n")
    (folder / "split.txt").write_text("videos/a.mp4 0\nvideos/b.mp4 0\n")
    (folder / "videos/a.mp4").write_bytes((world.benchmark / "videos/00.mp4").read_bytes())
    common = [str(world.model), "-b", str(folder), "--frames", "2", "--workers", "0", "--out", str(tmp_path / "out")]
    assert maxi("eval", *common).code == 0
    assert maxi("eval", *common, "--max-skipped", "0").code == 3
    (folder / "videos/a.mp4").unlink()
    ran = maxi("eval", *common)
    assert ran.code == 1
    assert "not one of 2 videos could be used" in ran.err


def mostly_missing(world, folder: Path) -> Path:
    (folder / "videos").mkdir(parents=True)
    (folder / "videos" / "00.mp4").write_bytes((world.benchmark / "videos" / "00.mp4").read_bytes())
    for name in ("split.txt", "labels.csv"):
        (folder / name).write_text((world.benchmark / name).read_text())
    return folder


def test_scores_of_a_benchmark_that_is_mostly_missing_are_said_to_be_none(maxi, world, tmp_path: Path) -> None:
    words = arguments(world, tmp_path / "out")
    words[2] = str(mostly_missing(world, tmp_path / "bench"))
    ran = maxi("eval", *words)
    assert ran.code == 3
    assert ran.err.splitlines()[-1].startswith("maxi: error: 11 of 12 videos of bench:1 could not be used")
    (record,) = json.loads((tmp_path / "out" / folder_name(str(world.model)) / "scores.json").read_text())
    assert (record["mostly_skipped"], record["skipped"], record["n"]) == (True, 11, 12)
    ran = maxi("eval", *words, "--json")
    assert (ran.code, json.loads(ran.out)["models"][0]["scores"][0]["mostly_skipped"]) == (3, True)
    assert maxi("eval", *words, "--max-skipped", "10").code == 3


def test_a_few_missing_videos_leave_the_scores_as_they_are(maxi, world, tmp_path: Path) -> None:
    bench = mostly_missing(world, tmp_path / "bench")
    for number in range(1, 6):
        (bench / f"videos/{number:02d}.mp4").write_bytes((world.benchmark / f"videos/{number:02d}.mp4").read_bytes())
    words = arguments(world, tmp_path / "out")
    words[2] = str(bench)
    assert maxi("eval", *words).code == 0
    (record,) = json.loads((tmp_path / "out" / folder_name(str(world.model)) / "scores.json").read_text())
    assert (record["mostly_skipped"], record["skipped"]) == (False, 6)


def test_what_a_model_forgot_stands_beside_what_it_gained(maxi, world, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "videos").symlink_to(world.benchmark / "videos")
    (tmp_path / "kept" / "labels.csv").write_text("id,name\n0,walk\n1,jump\n")
    (tmp_path / "kept" / "split.txt").write_text("".join(f"videos/{n:02d}.mp4 {n % 2}\n" for n in range(4)))
    words = arguments(world, tmp_path / "out", "--forgetting", str(tmp_path / "kept"), "--allow-outside-root")
    ran = maxi("eval", words[0], str(world.other), *words[1:])
    assert ran.code == 0, ran.err
    assert "forgetting" in ran.out
    assert "kept top-1" in ran.out
    ran = maxi("eval", *words)
    assert (ran.code, ran.err.splitlines()) == (
        2,
        ["maxi: error: --forgetting is a difference from the first model; name that before this one"],
    )


def test_files_of_an_evaluation_by_relative_paths_are_right_from_any_folder(
    maxi, world, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.benchmark.parent)
    (world.benchmark / "few.txt").write_text("videos/00.mp4 0\nvideos/none.mp4 1\n")
    there = (f"{world.benchmark.name}/few.txt", "--labels", f"{world.benchmark.name}/labels.csv")
    fast = ("--frames", "2", "--workers", "0", "--device", "cpu", "-q", "--out", str(tmp_path))
    assert maxi("eval", str(world.model), "-b", *there, *fast).code == 0
    (folder,) = tmp_path.iterdir()
    lines = (folder / "predictions-few-1.jsonl").read_text().splitlines()
    files = [world.benchmark / "videos" / name for name in ("00.mp4", "none.mp4")]
    assert [json.loads(line)["file"] for line in lines] == list(map(str, files))
    assert json.loads((folder / "skipped.jsonl").read_text())["video"] == str(files[1])
