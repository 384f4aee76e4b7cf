"""Evaluation on real films and tiny models: the protocol, its records, skips, sharing, resuming, several processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.evaluation import metrics
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.evaluating import evaluate
from maxi_core.evaluation.protocol import Protocol, parse_views
from maxi_core.evaluation.saving import folder_name, read_scores, save
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.ranks import Ranks, joined
from maxi_core.video.skips import TooManySkippedError

HERE = VideoOptions(workers=0)


def scores_of(world, protocol=None, reading=HERE, **more):
    loaded = load_model(str(world.model), "cpu", frames=(protocol or Protocol()).frames)
    evaluated = evaluate([loaded], [open_benchmark(str(world.benchmark))], protocol, reading=reading, **more)
    return evaluated.models[0].results[0]


def by_hand(world, path: Path, frames: int) -> np.ndarray:
    """Return the cosines of one video the straightforward way: PyAV, open_clip's own functions, one frame at a time."""
    import av
    import open_clip
    from torchvision.transforms.v2 import functional as transforms

    model = open_clip.create_model(f"local-dir:{world.model}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{world.model}")
    with av.open(str(path)) as container:
        every = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    mean, std = torch.tensor([0.5, 0.4, 0.3]), torch.tensor([0.2, 0.3, 0.25])
    rows = []
    with torch.no_grad():
        for part in range(frames):
            picture = torch.from_numpy(every[(2 * part + 1) * len(every) // (2 * frames)]).permute(2, 0, 1)
            picture = transforms.center_crop(transforms.resize(picture, [32], antialias=True), [28])
            rows.append(model.encode_image(((picture / 255 - mean[:, None, None]) / std[:, None, None])[None])[0])
        names = ["walk", "run fast", "jump", "sit"]
        texts = model.encode_text(tokenizer([f"a photo of a {name}." for name in names]), normalize=True)
    return (functional.normalize(torch.stack(rows).mean(0), dim=0) @ texts.T).numpy()


def test_the_default_protocol_is_that_of_the_paper(world) -> None:
    result = scores_of(world, reading=VideoOptions(workers=0))
    record = result.record
    assert (record["frames"], record["views"], record["prompt"]) == (16, "1x1", "a photo of a {}.")
    assert (record["n"], record["skipped"], record["classes"]) == (12, 0, 4)
    assert record["normalisation"] == "model"
    assert record["statistics"] == [[0.5, 0.4, 0.3], [0.2, 0.3, 0.25]]


def test_class_names_that_are_cut_are_logged(world, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "split.txt").write_text("videos/00.mp4 0\n")
    (tmp_path / "labels.csv").write_text(f"id,name\n0,{'very ' * 90}long\n1,walk\n")
    bench = open_benchmark(str(tmp_path), videos=world.benchmark)
    loaded = load_model(str(world.model), "cpu", frames=2)
    evaluate([loaded], [bench], Protocol(frames=2), reading=HERE)
    assert "1 of 2 class names too long for the model, and cut" in caplog.text


def test_scores_equal_those_of_the_straightforward_way(world) -> None:
    """Frames of 32 pixels are scaled by the decoder's library and by torchvision, so they differ by rounding."""
    result = scores_of(world, Protocol(frames=4))
    for row, video in enumerate(result.videos[:4]):
        assert np.abs(result.scores[row] - by_hand(world, video.path, 4)).max() < 0.02
    labels = [row % 4 for row in range(12)]
    rank = metrics.ranks(result.scores, labels)
    assert result.metrics["top1"] == (rank == 1).mean()
    assert result.metrics["top5"] == 1.0  # of four classes


def test_the_text_tower_runs_once_for_a_list_of_classes_and_the_videos_once_each(world) -> None:
    loaded = load_model(str(world.model), "cpu", frames=2)
    texts, images = [], []
    loaded.clip.ln_final.register_forward_hook(lambda *_: texts.append(1))
    loaded.visual.ln_pre.register_forward_hook(lambda *_: images.append(1))
    shutil_twice = [open_benchmark(str(world.benchmark)), open_benchmark(str(world.benchmark / "split.txt"))]
    evaluated = evaluate([loaded], shutil_twice, Protocol(frames=2), reading=HERE)
    assert len(evaluated.models[0].results) == 2
    assert (len(texts), len(images)) == (1, 12)


def test_four_clips_of_three_crops_are_twelve_views_of_frames_between_those_of_one(world) -> None:
    frames = np.arange(8 * 40 * 28 * 3, dtype=np.uint32).reshape(8, 40, 28, 3) % 251
    pixels = frames.astype(np.uint8)
    protocol = Protocol(frames=2, clips=4, crops=3)
    views = protocol.view(pixels, 28)
    assert views.shape == (12, 2, 3, 28, 28)
    assert protocol.sampling(224).indices(80, "x") == (5, 15, 25, 35, 45, 55, 65, 75)
    whole = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    for crop, top in enumerate((0, 6, 12)):
        for clip in range(4):
            assert torch.equal(views[4 * crop + clip], whole[clip::4, :, top : top + 28])
    one = Protocol(frames=2).sampling(224).indices(80, "x")
    assert one == (20, 60)  # the middles, which lie between the clips' second and third


def test_views_are_scored_by_the_sum_of_their_softmax(world) -> None:
    protocol = Protocol(frames=2, clips=2, crops=3)
    result = scores_of(world, protocol)
    assert result.record["score"] == "softmax"
    assert np.allclose(result.scores.sum(axis=1), 6)
    single = scores_of(world, Protocol(frames=2))
    assert single.record["score"] == "cosine"
    assert np.abs(single.scores).max() <= 1


@pytest.mark.parametrize("text", ["4", "0x1", "4x2", "4 x 3", "x3", "-1x1"])
def test_views_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not CLIPSxCROPS"):
        parse_views(text)


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}", "{0}", "{} {"])
def test_a_prompt_has_one_place_for_the_name(prompt: str) -> None:
    with pytest.raises(UsageError, match="needs one {} for the name"):
        Protocol(prompt=prompt)


def broken(world, tmp_path: Path) -> Path:
    folder = tmp_path / "bench"
    shutil.copytree(world.benchmark, folder)
    (folder / "videos/03.mp4").write_bytes(b"")
    (folder / "videos/04.mp4").unlink()
    return folder


def test_a_broken_video_is_skipped_counted_and_wrong(world, tmp_path: Path) -> None:
    loaded = load_model(str(world.model), "cpu", frames=2)
    told = []
    evaluated = evaluate(
        [loaded],
        [open_benchmark(str(broken(world, tmp_path)))],
        Protocol(frames=2),
        reading=HERE,
        missing=lambda split, ids: told.append((split.name, tuple(ids))),
    )
    (result,) = evaluated.models[0].results
    clean = scores_of(world, Protocol(frames=2))
    assert told == [("1", ("videos/04.mp4",))]
    assert (result.record["n"], result.record["skipped"]) == (12, 2)
    kept = [row for row in range(12) if row not in (3, 4)]
    assert np.array_equal(result.scores[kept], clean.scores[kept])
    right = (metrics.ranks(clean.scores, [row % 4 for row in range(12)]) == 1)[kept].sum()
    assert result.metrics["top1"] == right / 12
    assert result.record["metrics_answered"]["top1"] == right / 10
    save(evaluated.models[0], tmp_path / "out")
    skips = [json.loads(line) for line in (tmp_path / "out/skipped.jsonl").read_text().splitlines()]
    assert [(Path(skip["video"]).name, skip["stage"], skip["error"]) for skip in skips] == [
        ("03.mp4", "eval", "empty"),
        ("04.mp4", "eval", "missing"),
    ]
    lines = (tmp_path / "out/predictions-bench-1.jsonl").read_text().splitlines()
    predictions = [json.loads(line) for line in lines]
    assert [row for row, one in enumerate(predictions) if "skipped" in one] == [3, 4]
    assert predictions[3]["top"] == []
    assert predictions[3]["rank"] == 5


def test_a_list_that_begins_with_many_missing_videos_is_still_evaluated(world, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,name\n0,walk\n1,run\n")
    gone = "".join(f"gone{number}.mp4 0\n" for number in range(60))
    (tmp_path / "split.txt").write_text(f"{gone}videos/00.mp4 1\n")
    bench = open_benchmark(str(tmp_path), videos=world.benchmark)
    loaded = load_model(str(world.model), "cpu", frames=2)
    (result,) = evaluate([loaded], [bench], Protocol(frames=2), reading=HERE).models[0].results
    assert (result.record["n"], result.record["skipped"]) == (61, 60)


def test_more_skipped_videos_than_allowed_end_the_evaluation(world, tmp_path: Path) -> None:
    loaded = load_model(str(world.model), "cpu", frames=2)
    bench = [open_benchmark(str(broken(world, tmp_path)))]
    with pytest.raises(TooManySkippedError, match="more .*than --max-skipped 1 .*03.mp4: the file is empty"):
        evaluate([loaded], bench, Protocol(frames=2), reading=VideoOptions(workers=0, max_skipped=1))


def test_several_models_share_each_decode_and_score_as_each_alone(world) -> None:
    from maxi_core.evaluation.features import Clock  # noqa: F401

    protocol = Protocol(frames=2)
    models = [load_model(str(folder), "cpu", frames=2) for folder in (world.model, world.other)]
    decoded = []

    def follow(_title, total, items):
        decoded.append(total)
        return iter(items)

    bench = [open_benchmark(str(world.benchmark))]
    both = evaluate(models, bench, protocol, reading=HERE, follow=follow)
    assert decoded == [12]
    for model, scores in zip(models, both.models, strict=True):
        alone = evaluate([model], bench, protocol, reading=HERE).models[0]
        assert np.array_equal(alone.results[0].scores, scores.results[0].scores)


def test_features_that_are_kept_are_not_computed_again_and_give_the_same_scores(world, tmp_path: Path) -> None:
    first = scores_of(world, Protocol(frames=2), store=tmp_path)
    loaded = load_model(str(world.model), "cpu", frames=2)
    bench = [open_benchmark(str(world.benchmark))]
    again = evaluate([loaded], bench, Protocol(frames=2), reading=HERE, store=tmp_path)
    assert again.clock.encoded == 0
    assert again.models[0].results[0].record == first.record
    assert np.array_equal(again.models[0].results[0].scores, first.scores)
    other = evaluate([loaded], bench, Protocol(frames=2, prompt="{}"), reading=HERE, store=tmp_path)
    assert other.clock.encoded == 0  # the prompt concerns the text side only
    more = evaluate([loaded], bench, Protocol(frames=2, crops=3), reading=HERE, store=tmp_path)
    assert more.clock.encoded == 12


def test_models_with_one_image_tower_share_the_features_of_videos(world, tmp_path: Path) -> None:
    scores_of(world, Protocol(frames=2), store=tmp_path)
    bench = [open_benchmark(str(world.benchmark))]
    for part, encoded in (("transformer.", 0), ("visual.", 12)):
        trained = load_model(str(world.model), "cpu", frames=2)
        changed = {key: value + 0.1 if key.startswith(part) else value for key, value in trained.weights().items()}
        trained.load_weights(changed)
        found = evaluate([trained], bench, Protocol(frames=2), reading=HERE, store=tmp_path)
        assert found.clock.encoded == encoded


def test_scores_of_other_benchmarks_stay_in_the_file_and_those_of_the_same_are_replaced(world, tmp_path: Path) -> None:
    loaded = load_model(str(world.model), "cpu", frames=2)
    for name, frames in ((world.benchmark, 2), (world.benchmark / "split.txt", 2), (world.benchmark, 3)):
        evaluated = evaluate([loaded], [open_benchmark(str(name))], Protocol(frames=frames), reading=HERE)
        save(evaluated.models[0], tmp_path)
    found = read_scores(tmp_path)
    assert [(record["benchmark"], record["frames"]) for record in found] == [("split", 2), ("bench", 3)]


def test_several_splits_get_a_mean_and_a_deviation(world, tmp_path: Path) -> None:
    folder = tmp_path / "bench"
    shutil.copytree(world.benchmark, folder)
    lines = (folder / "split.txt").read_text().splitlines(keepends=True)
    (folder / "split.txt").unlink()
    for number in (1, 2, 3):
        (folder / f"split{number}.txt").write_text("".join(lines[number - 1 :: 3]))
    loaded = load_model(str(world.model), "cpu", frames=2)
    evaluated = evaluate([loaded], [open_benchmark(str(folder))], Protocol(frames=2), reading=HERE)
    *splits, mean = evaluated.models[0].records()
    top1 = [record["metrics"]["top1"] for record in splits]
    assert (mean["split"], mean["splits"], mean["n"]) == ("mean", ["1", "2", "3"], 12)
    assert mean["metrics"]["top1"] == pytest.approx(np.mean(top1))
    assert mean["deviations"]["top1"] == pytest.approx(np.std(top1, ddof=1))
    assert "list_sha256" not in mean  # it differs from split to split


def test_videos_with_several_labels_get_a_mean_average_precision(world, tmp_path: Path) -> None:
    lines = [f"videos/{row:02d}.mp4 {row % 4}" + (" 2" if row % 3 == 0 else "") + "\n" for row in range(12)]
    (tmp_path / "split.txt").write_text("".join(lines))
    (tmp_path / "labels.csv").write_text("id,name\n0,walk\n1,run\n2,jump\n3,sit\n4,never\n")
    bench = open_benchmark(str(tmp_path), videos=world.benchmark, multi_label=True)
    loaded = load_model(str(world.model), "cpu", frames=2)
    (result,) = evaluate([loaded], [bench], Protocol(frames=2), reading=HERE).models[0].results
    assert set(result.metrics) == {"map", "map_cosine"}
    assert result.record["classes_without_videos"] == 1
    assert np.allclose(result.scores.sum(axis=1), 1)
    labels = [sample.labels for sample in result.split.samples]
    assert result.metrics["map"] == metrics.mean_average_precision(result.scores, labels).mean
    save(evaluate([loaded], [bench], Protocol(frames=2), reading=HERE).models[0], tmp_path / "out")
    name = f"predictions-{tmp_path.name}-1.jsonl"
    first = json.loads((tmp_path / "out" / name).read_text().splitlines()[0])
    assert len(first["scores"]) == 5
    assert first["labels"] == ["walk", "jump"]


@pytest.mark.parametrize(
    ("model", "folder"),
    [
        ("ViT-B-16-quickgelu/openai", "ViT-B-16-quickgelu-openai"),
        ("runs/mine/vitb16/", "mine-vitb16"),
        ("sandbox", "sandbox"),
        ("a/run/checkpoints/step-3", "run-step-3"),
    ],
)
def test_a_model_s_scores_lie_in_a_folder_named_after_it(model: str, folder: str) -> None:
    assert folder_name(model) == folder


@pytest.mark.parametrize("env", [{"WORLD_SIZE": "two"}, {"WORLD_SIZE": "2", "RANK": "2"}, {"WORLD_SIZE": "0"}])
def test_a_place_among_processes_that_is_none_is_refused(env: dict[str, str]) -> None:
    with pytest.raises(UsageError, match="no place among processes|must be numbers"), joined("cpu", "gloo", env):
        pass


def test_every_video_is_in_one_share() -> None:
    shares = [Ranks(rank, 3).share(range(10)) for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(range(10))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def start(arguments: list[str], world, folder: Path, **env: str) -> subprocess.Popen:
    more = {"OMP_NUM_THREADS": "1", "MAXI_HOME": str(folder / "home"), **env}
    return subprocess.Popen(
        [sys.executable, *arguments, str(world.model), "--benchmark", str(world.benchmark), "--frames", "2"],
        cwd=folder,
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".json", ".jsonl", ".csv")
    }


@pytest.fixture(scope="module")
def whole(world, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    finished(start(["-m", "maxi_cli", "eval", "--out", "out"], world, folder))
    return files_of(folder / "out" / folder_name(str(world.model)))


@pytest.mark.long
def test_a_killed_evaluation_goes_on_and_its_files_are_those_of_an_unbroken_one(world, whole, tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import time\nfrom maxi_core.video.pyav_decoder import decode as real\n"
        "def decode(*given, **more):\n    time.sleep(0.3)\n    return real(*given, **more)\n"
    )
    command = ["-m", "maxi_cli", "eval", "--out", "out", "--decoder", "slow:decode", "--workers", "1"]
    env = {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    process = start(command, world, tmp_path, **env)
    began = time.monotonic()
    while time.monotonic() - began < 120:
        kept = list((tmp_path / "home/store").glob("eval-*/*.jsonl"))
        if kept and kept[0].read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "out" / folder_name(str(world.model)) / "scores.json").exists()
    report = json.loads(finished(start([*command, "--json"], world, tmp_path, **env)))
    assert 0 < report["seconds"]["encoded"] <= 9
    found = files_of(tmp_path / "out" / folder_name(str(world.model)))
    found["scores.json"] = found["scores.json"].replace(b"slow:decode", b"maxi:pyav")  # a score says who decoded
    assert found == whole


def test_two_processes_of_torchrun_write_the_files_of_one(world, whole, tmp_path: Path) -> None:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "maxi_cli"]
    said = finished(start([*launcher, "eval", "--out", "out", "--json"], world, tmp_path))
    assert json.loads(said)["seconds"]["encoded"] == 12, "each video was encoded by one of the two"
    assert files_of(tmp_path / "out" / folder_name(str(world.model))) == whole
    segments = list((tmp_path / "home/store").glob("eval-*/*.jsonl"))
    assert sorted(path.read_bytes().count(b"\n") for path in segments) == [6, 6]
