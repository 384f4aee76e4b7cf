"""Weight ensembling: arithmetic on every parameter, and ordinary checkpoints."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.checkpoints import read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.training.ensemble import averaged, last_epochs, mixed


def test_every_weight_is_the_share_of_the_original_and_the_rest_of_the_trained() -> None:
    original = {"a": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)}
    trained = {"a": torch.tensor([11.0, 22.0]), "n": torch.tensor(5), "temporal.w": torch.tensor([7.0])}
    found = mixed(original, trained, 0.2)
    assert found["a"].tolist() == pytest.approx([9.0, 18.0])
    assert (found["n"].item(), found["temporal.w"].item()) == (5, 7)


def test_shares_of_nothing_and_all_are_the_two_models_bit_by_bit() -> None:
    original, trained = ({"a": torch.randn(50)} for _ in range(2))
    assert torch.equal(mixed(original, trained, 0)["a"], trained["a"])
    assert torch.equal(mixed(original, trained, 1)["a"], original["a"])


@pytest.mark.parametrize(
    ("original", "trained", "ratio", "says"),
    [
        ({"a": torch.ones(1)}, {"a": torch.ones(1)}, 1.2, "ratio 1.2 is no share"),
        ({"a": torch.ones(1), "b": torch.ones(1)}, {"a": torch.ones(1)}, 0.2, r"other weights \(b, ...\)"),
        ({"a": torch.ones(1)}, {"a": torch.ones(2)}, 0.2, r"other weights \(a, ...\)"),
        ({"a": torch.ones(1)}, {"a": torch.ones(1), "visual.x": torch.ones(1)}, 0.2, "visual.x"),
    ],
)
def test_models_that_do_not_fit_are_refused(original: Any, trained: Any, ratio: float, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        mixed(original, trained, ratio)


def test_the_command_and_the_flag_write_the_same_checkpoint_and_a_sweep_writes_one_for_each_ratio(
    world: Path, tmp_path: Path, maxi: Callable[..., Any], logged: list[str]
) -> None:
    model, run, out = str(world / "model"), str(world / "run"), tmp_path / "out"
    small = ["--epochs", "1", "--batch-size", "4", "--frames", "2", "--bag-size", "3", "--lr", "1e-3", "--warmup", "0"]
    trained = maxi("train", run, "--model", model, "--out", out, *small, "--workers", "0", "--ensemble", "0.2", "-q")
    assert trained.code == 0, trained.err
    flagged = out / "checkpoints" / "step-00000004-ensemble-0.2"
    plain = out / "checkpoints" / "step-00000004"
    assert f"checkpoint: {flagged.name}" in trained.out.replace(
        trained.out.split("checkpoint: ")[1].split("step")[0], ""
    )
    mixing = maxi("ensemble", model, str(plain), "--ratio", "0.2,0.5", "--out", tmp_path / "mixed", "--json")
    written = [Path(path) for path in json.loads(mixing.out)["checkpoints"]]
    assert [read_about(path)["ensemble"]["ratio"] for path in written] == [0.2, 0.5]
    logged.clear()
    assert load_model(str(tmp_path / "mixed"), "cpu").checkpoint == written[1]
    assert logged == [], "a mixture is no training that could go on"
    one, other = read_weights(flagged), read_weights(written[0])
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
    before, after = load_model(model, "cpu").weights(), read_weights(plain)
    key = "visual.proj"
    assert torch.allclose(one[key], 0.2 * before[key] + 0.8 * after[key], atol=1e-7)
    assert not torch.allclose(one[key], after[key], atol=1e-7)
    mean = 0.2 * torch.tensor(50.0).log() + 0.8 * after["logit_scale"]
    assert float(one["logit_scale"]) == pytest.approx(float(mean), rel=1e-6), "mixed with its initial value"
    assert load_model(str(out), "cpu").checkpoint == flagged, "the run folder stands for what was made last"


def test_only_a_checkpoint_can_be_the_trained_one(world: Path, maxi: Callable[..., Any]) -> None:
    ran = maxi("ensemble", str(world / "model"), str(world / "model"))
    assert ran.code == 2
    assert "is no checkpoint of maxi train; the order is ORIGINAL TRAINED" in ran.err
    assert "is no list of numbers" in maxi("ensemble", "a", "b", "--ratio", "x").err


def test_the_mean_of_checkpoints_is_the_mean_of_every_weight_and_an_ordinary_checkpoint(
    world: Path, tmp_path: Path, maxi: Callable[..., Any]
) -> None:
    model, run, out = str(world / "model"), str(world / "run"), tmp_path / "out"
    small = ["--epochs", "3", "--batch-size", "4", "--frames", "2", "--bag-size", "3", "--lr", "1e-3", "--warmup", "0"]
    trained = maxi("train", run, "--model", model, "--out", out, *small, "--workers", "0", "--keep-last", "3", "-q")
    assert trained.code == 0, trained.err
    epochs = sorted((out / "checkpoints").iterdir())
    found = averaged(epochs, tmp_path / "mean")
    each = [read_weights(path) for path in epochs]
    mean = read_weights(found)
    assert all(torch.allclose(mean[key], sum(one[key] for one in each) / 3, atol=1e-6) for key in mean)
    assert load_model(str(found), "cpu").about["averaged"] == [path.name for path in epochs]
    with pytest.raises(UsageError, match="no checkpoints to average"):
        averaged([], tmp_path / "none")


def test_the_mean_of_the_last_epochs_is_mixed_and_a_sweep_is_scored_in_one_command(
    world: Path, tmp_path: Path, maxi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model, out = str(world / "model"), tmp_path / "out"
    small = ["--epochs", "3", "--batch-size", "4", "--frames", "2", "--bag-size", "3", "--lr", "1e-3", "--warmup", "0"]
    train = ("train", str(world / "run"), "--model", model, "--out", out, *small, "--workers", "0", "--ensemble", "0.5")
    assert maxi(*train, "-o", "train.keep_last=2", "-q").code == 0
    first, second = (read_weights(path) for path in last_epochs(out, 2))
    bench = tmp_path / "bench"
    shutil.copytree(world / "clips", bench / "videos")
    (bench / "labels.csv").write_text("id,name\n0,juggling\n1,waving\n")
    (bench / "split.txt").write_text("".join(f"videos/{number}.mp4 {number % 2}\n" for number in range(4)))
    words = ("ensemble", model, str(out), "--ratio", "0,0.5", "--last", "2", "--out", str(tmp_path / "mixed"))
    more = ("--benchmark", str(bench), "-o", "eval.frames=2", "-o", "video.workers=0", "-o", "eval.device=cpu", "-q")
    ran = maxi(*words, *more)
    assert ran.code == 0, ran.err
    mean = read_weights(tmp_path / "mixed" / "checkpoints" / "step-00000012-ensemble-0")
    assert all(torch.allclose(mean[key], (first[key] + second[key]) / 2, atol=1e-6) for key in mean)
    rows = [line.split() for line in ran.out.splitlines()[-4:]]
    assert rows[0] == ["original", "bench"]
    assert [row[0] for row in rows[1:]] == ["all", "0", "0.5"]
    assert float(rows[2][1]) - float(rows[1][1]) == pytest.approx(float(rows[2][2].strip("()")), abs=0.06)
    said = json.loads(maxi(*words, *more, "--json").out)
    assert [len(one) for one in said["scores"]] == [1, 1, 1]
    plain = {path: path.read_bytes() for path in tmp_path.rglob("scores.json")}
    (tmp_path / "texts.json").write_text(json.dumps({"juggling": ["balls"], "waving": ["a hand"]}))
    assert maxi(*words, *more, "-o", f"eval.prompts={tmp_path / 'texts.json'}").code == 0
    assert all(path.read_bytes() == scores for path, scores in plain.items()), "those of other texts lie beside them"
    assert len(list(tmp_path.rglob("*+prompts/scores.json"))) == len(plain) == 3
    ran = maxi(*words[:5], "--last", "3", "--out", str(tmp_path / "other"))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "has 2 checkpoints of its epochs; train with --keep-last 3" in ran.err
    assert "bench" not in maxi(*words, "--benchmark", "nowhere").out
    assert not (tmp_path / "other").exists()
