"""`maxi train` as a user runs it: what it prints and writes, resuming, stopping, and one line for what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.checkpoints import checkpoints_of, find_checkpoint, read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.plugin.catalog import discover

Maxi = Callable[..., Any]
SMALL = (
    *("--epochs", "3", "--batch-size", "4", "--frames", "2", "--bag-size", "3", "--lr", "1e-3", "--warmup", "3"),
    *("--workers", "0", "--device", "cpu"),
)


def arguments(world: Path, out: Path, *more: str) -> list[str]:
    return ["train", str(world / "run"), "--model", str(world / "model"), "--out", str(out), *SMALL, *more]


def metrics(out: Path) -> list[dict[str, Any]]:
    """Return what was measured, without how fast it was."""
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [{key: record[key] for key in ("step", "epoch", "loss", "lr", "sigma", "norm")} for record in records]


def same_end(one: Path, other: Path) -> bool:
    """Return whether two runs came to the same weights, optimizer and metrics, bit by bit."""
    first, second = checkpoints_of(one)[-1], checkpoints_of(other)[-1]
    files = ("model.safetensors", "state/optimizer.safetensors", "state/state.json")
    return metrics(one) == metrics(other) and all(
        (first / file).read_bytes() == (second / file).read_bytes() for file in files
    )


@pytest.fixture(scope="module")
def unbroken(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train once to the end."""
    out = tmp_path_factory.mktemp("unbroken") / "out"
    subprocess.run([sys.executable, "-m", "maxi_cli", *arguments(world, out), "-q"], check=True, env=environment())
    return out


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random", **more}


def test_a_training_says_what_it_does_and_leaves_all_that_is_needed(
    world: Path, tmp_path: Path, maxi: Maxi, watched: None
) -> None:
    out = tmp_path / "out"
    ran = maxi(*arguments(world, out, "--accum-freq", "2"))
    assert ran.code == 0, ran.err
    assert "global batch 8: 4 videos x 1 rank x 2 accumulated; the paper's is 256\n" in ran.err
    assert ran.err.startswith(f"maxi: loading {world / 'model'}\n")
    assert "3 epochs of 2 steps, warm-up 3 steps to lr 0.001, loss mil_nce" in ran.err
    assert "token embedding 0 of 2.4 M" in ran.err
    assert "4 bags have no texts" in ran.err
    assert "step 6/6 epoch 3: loss" in ran.err
    assert ran.out.startswith("6 steps, loss ")
    assert {path.name for path in out.iterdir()} >= {
        *("checkpoints", "metrics.jsonl", "recipe.toml", "manifest.json", "run.log")
    }
    assert [record["step"] for record in metrics(out)] == [1, 2, 3, 4, 5, 6]
    assert [path.name for path in checkpoints_of(out)] == ["step-00000004", "step-00000006"], "the last two are kept"
    assert load_model(str(out), "cpu").checkpoint == checkpoints_of(out)[-1]


def test_the_settled_recipe_trains_the_same_again(world: Path, tmp_path: Path, maxi: Maxi, unbroken: Path) -> None:
    again = maxi("train", "--config", unbroken / "recipe.toml", "--out", tmp_path / "again", "-q")
    assert again.code == 0, again.err
    assert metrics(tmp_path / "again") == metrics(unbroken)
    one, other = (read_weights(checkpoints_of(run)[-1]) for run in (unbroken, tmp_path / "again"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def killed_at(world: Path, out: Path, write: int, *more: str) -> None:
    """Train in a process that kills itself before write number `write` of its checkpoints is on the disk."""
    program = (
        "import os, signal, sys\nreal, left = os.fsync, [int(sys.argv.pop(1))]\n"
        "def die(handle):\n"
        "    left[0] -= 1 if '/checkpoints' in os.readlink(f'/proc/self/fd/{handle}') else 0\n"
        "    if left[0] < 0: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    real(handle)\n"
        "os.fsync = die\nfrom maxi_cli.__main__ import main\nmain()"
    )
    command = [sys.executable, "-c", program, str(write), *arguments(world, out, *more), "-q"]
    done = subprocess.run(command, check=False, env=environment())
    assert done.returncode == -signal.SIGKILL


def go_on(world: Path, out: Path, maxi: Maxi) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ran = maxi(*arguments(world, out, "--resume", "latest", "-q"))
    finally:
        torch.set_num_threads(threads)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("write", [12])
def test_a_run_killed_inside_a_save_goes_on_to_the_bits_of_an_unbroken_one(
    world: Path, tmp_path: Path, maxi: Maxi, unbroken: Path, write: int
) -> None:
    killed_at(world, tmp_path / "out", write)
    assert not (tmp_path / "out" / "manifest.json").exists()
    go_on(world, tmp_path / "out", maxi)
    assert same_end(tmp_path / "out", unbroken)


@pytest.mark.long
@pytest.mark.parametrize("write", [0, 2, 5, 7, 8, 9, 13, 17, 20, 25])
def test_a_run_killed_at_any_write_goes_on_to_the_bits_of_an_unbroken_one(
    world: Path, tmp_path: Path, maxi: Maxi, unbroken: Path, write: int
) -> None:
    killed_at(world, tmp_path / "out", write)
    go_on(world, tmp_path / "out", maxi)
    assert same_end(tmp_path / "out", unbroken)


@pytest.mark.parametrize(
    ("number", "code"), [pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long), (signal.SIGINT, 130)]
)
def test_a_signal_saves_a_checkpoint_in_the_middle_of_an_epoch_and_training_goes_on(
    world: Path, tmp_path: Path, maxi: Maxi, unbroken: Path, logged: list[str], number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    lingering = (  # a pooling that takes its time, so that the signal meets the run in the middle
        "import sys, time\nfrom maxi_core.clip import loading\n"
        "def slow(x):\n    time.sleep(0.4)\n    return x.mean(dim=1)\n"
        "loading.mean_over_frames = slow\nfrom maxi_cli.__main__ import main\nmain()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", lingering, *arguments(world, out)],
        env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists() or len((out / "metrics.jsonl").read_text().splitlines()) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert f"stopped by {number.name} after step" in err
    assert "go on with --resume latest" in err
    assert "Traceback" not in err
    assert find_checkpoint(out) == checkpoints_of(out)[-1]
    assert f"the training {out} is not finished: of it {checkpoints_of(out)[-1].name} is taken; " in logged.pop()
    assert find_checkpoint(unbroken)
    assert logged == []
    go_on(world, out, maxi)
    assert same_end(out, unbroken)


def test_a_folder_with_checkpoints_is_neither_mixed_nor_overwritten_unasked(
    world: Path, tmp_path: Path, maxi: Maxi, unbroken: Path
) -> None:
    import shutil

    out = tmp_path / "out"
    shutil.copytree(unbroken, out)
    refused = maxi(*arguments(world, out))
    assert refused.code == 2
    assert "has checkpoints already; add --resume latest to go on, or --overwrite" in refused.err
    other = maxi(*arguments(world, out, "--resume", "latest", "-o", "train.wd=0.5"))
    assert other.code == 2
    assert (
        "the run began with other settings (wd: was 0.001, is 0.5); set them back, or add --force-resume" in other.err
    )
    finished = maxi(*arguments(world, out, "--resume", "latest"))
    assert (finished.code, finished.out.splitlines()[0]) == (0, "every step was taken already")
    anew = maxi(*arguments(world, out, "--overwrite", "-q", "--epochs=1"))
    assert anew.code == 0, anew.err
    assert [path.name for path in checkpoints_of(out)] == ["step-00000004"]


def test_a_temporal_module_is_remembered_and_its_weights_are_kept(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    out = tmp_path / "out"
    ran = maxi(*arguments(world, out, "--temporal", "transformer", "--epochs=1", "-q"))
    assert ran.code == 0, ran.err
    about = read_about(checkpoints_of(out)[-1])
    version = discover(only=[]).find("maxi:transformer").version
    assert (about["temporal"]["name"], about["temporal"]["version"]) == ("maxi:transformer", version)
    weights = read_weights(checkpoints_of(out)[-1])
    assert any(key.startswith("temporal.") for key in weights)
    loaded = load_model(str(out), "cpu", catalog=discover(only=[]))
    assert all(torch.equal(value, weights[key]) for key, value in loaded.weights().items())
    from maxi_core.errors import UsageError

    with pytest.raises(
        UsageError, match="was trained with the temporal module 'maxi:transformer' .*cannot be had here"
    ):
        load_model(str(out), "cpu", catalog=discover(only=[], without=["transformer"]))
    again = maxi(*arguments(world, tmp_path / "x", "--model", str(out), "--temporal", "crossframe"))
    assert again.code == 2
    assert "was trained with the temporal module 'maxi:transformer'" in again.err


def test_labels_train_the_supervised_baseline(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    rows = [f"{number}.mp4,{('waving', 'running')[number % 2]}" for number in range(16)]
    (tmp_path / "train.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    base = ["train", "--model", str(world / "model"), *SMALL, "--labels", str(tmp_path / "train.csv"), "--out"]
    base += [str(tmp_path / "out"), "--videos", str(world / "clips"), "-q"]
    refused = maxi(*base)
    assert refused.code == 2
    assert "labels have no bags, and the loss mil_nce needs them; type --loss ce" in refused.err
    ran = maxi(*base, "--loss", "ce", "--shots", "4", "--epochs=8", "-o", "train.augmentation=none")
    assert ran.code == 0, ran.err
    losses = [record["loss"] for record in metrics(tmp_path / "out")]
    assert len(losses) == 8 * 2
    assert losses[-1] < losses[0]
    nowhere = maxi(*base, "--loss", "ce", "--videos", str(tmp_path))
    assert "16 labelled videos are nowhere (0.mp4, 1.mp4, 2.mp4, ...); correct --videos" in nowhere.err


def test_validation_is_recorded_and_the_best_checkpoint_is_kept(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    import shutil

    (tmp_path / "val").mkdir()
    for number in range(4):
        shutil.copy(world / "clips" / f"{number}.mp4", tmp_path / "val")
    rows = [f"{number}.mp4,{('juggling', 'waving')[number % 2]}" for number in range(4)]
    (tmp_path / "val" / "small.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    out = tmp_path / "out"
    ran = maxi(*arguments(world, out, "--val", str(tmp_path / "val" / "small.csv"), "-o", "train.keep_last=1", "-q"))
    assert ran.code == 0, ran.err
    records = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    scores = {record["step"]: record["val"]["small:1 top1"] for record in records if "val" in record}
    assert list(scores) == [4, 8, 12]
    best = f"step-{max(scores, key=lambda step: (scores[step], -step)):08d}"
    assert {path.name for path in checkpoints_of(out)} == {best, "step-00000012"}
    assert json.loads((out / "manifest.json").read_text())["best"] == [best, scores[int(best[5:])]]
    assert f"small:1 top1: {scores[12]:.2f}" in ran.out


def test_a_dry_run_takes_two_steps_and_writes_nothing(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    ran = maxi(*arguments(world, tmp_path / "out", "--dry-run"))
    assert ran.code == 0, ran.err
    assert ran.out.startswith("step 1: loss")
    assert "nothing was written" in ran.out
    assert not (tmp_path / "out").exists()


def test_what_is_not_finite_leaves_its_videos_in_a_file(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    out = tmp_path / "out"
    ran = maxi(*arguments(world, out, "--lr=1e30", "--warmup=0"))
    assert ran.code == 1
    assert "of mil_nce is not finite, nor are the video and text features of the model, in a batch of" in ran.err
    said = json.loads((out / "nonfinite.json").read_text())
    assert len(said["videos"]) == 4
    assert all(video in ran.err for video in said["videos"])


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            ["--batch-size=99"],
            "16 bags of run do not fill one step: batch_size 99 (--batch-size); type --batch-size 16",
        ),
        (["--accum-freq=9"], "one step: batch_size 4 (--batch-size) x accum_freq 9 x 1 rank; type --batch-size 1"),
        (["--accum-freq=17"], "x accum_freq 17 x 1 rank; lower --accum-freq, or add videos"),
        (["--loss", "mil_nse"], "mil_nce"),
        (["--temporal", "crossfram"], "no temporal is called 'crossfram' (did you mean 'crossframe'?)"),
        (["--temporal", "gpt3"], "'gpt3' is an expander, and a temporal is wanted here"),
        (["--precision", "amp_fp16"], "amp_fp16 needs a CUDA device, and this is cpu; try --precision amp_bf16"),
        (["--shots", "3"], "--shots are of labelled videos, and bags have no labels; add --labels"),
        (["--model", "nothing-there"], "no model 'nothing-there'"),
        (["--resume", "/nowhere"], "--resume /nowhere: there is no checkpoint; type latest"),
        (["--resume", "latest", "--overwrite"], "--resume goes on and --overwrite begins anew"),
        (["--report-to", "wandb"], "wandb is not installed; pip install wandb, or leave it out"),
        (["--report-to", "trackio"], "trackio is not installed; pip install trackio, or leave it out"),
        (["--keep", "2"], "keep"),
    ],
)
def test_what_is_wrong_is_one_line(world: Path, tmp_path: Path, maxi: Maxi, more: list[str], says: str) -> None:
    base = arguments(world, tmp_path / "out")
    for flag in more:
        if flag in base:
            place = base.index(flag)
            del base[place : place + 2]
    ran = maxi(*base, *more, "-q")
    assert ran.code == 2, ran.err
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1


TRACKER = """
import json
class Table:
    def __init__(self, columns=None, data=None):
        self.rows = [dict(zip(columns, row, strict=True)) for row in data]
class Run:
    def __init__(self, path):
        self.path = path
    def log(self, values, step=None):
        said = {key: getattr(value, "rows", value) for key, value in values.items()}
        with open(self.path, "a") as file:
            file.write(json.dumps({"step": step, **said}) + chr(10))
def finish():
    print("* good-bye")
def init(project, name, config, resume, dir=None):
    print("* hello from a tracker")
    with open(__file__ + ".log", "a") as file:
        file.write(json.dumps({"project": project, "name": name, "config": config, "resume": resume}) + chr(10))
    return Run(__file__ + ".log")
"""


@pytest.mark.parametrize("tracker", ["trackio", "wandb"])
def test_a_tracker_is_told_of_settings_bags_and_every_step(
    tracker: str, world: Path, tmp_path: Path, maxi: Maxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / f"{tracker}.py").write_text(TRACKER)
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.delitem(sys.modules, tracker, raising=False)
    out = tmp_path / "out"
    ran = maxi(*arguments(world, out, "--report-to", tracker), "-q", "--epochs", "1")
    monkeypatch.delitem(sys.modules, tracker)
    assert ran.code == 0, ran.err
    assert ("hello" in ran.out, "hello" in ran.err) == (False, True)
    begun, table, *steps = map(json.loads, (tmp_path / "site" / f"{tracker}.py.log").read_text().splitlines())
    assert (begun["project"], begun["resume"], begun["config"]["loss"]) == ("maxi", "allow", "mil_nce")
    assert (begun["name"] == f"train in {out}") == (tracker == "trackio")
    assert (table["step"], len(table["bags"])) == (0, 16)
    assert table["bags"][4] == {
        **{"video": "4.mp4", "match": "riding a bike", "texts": "4"},
        "bag": "word 4 0, word 4 1, word 4 2, word 4 3",
    }
    assert [step["step"] for step in steps] == [1, 2, 3, 4]
    assert [step["loss"] for step in steps] == [record["loss"] for record in metrics(out)]


def test_a_recipe_of_the_paper_on_one_rank_says_how_to_have_its_batch(
    world: Path, tmp_path: Path, maxi: Maxi, watched: None
) -> None:
    few = ("--epochs", "1", "--frames", "2", "--workers", "0", "--device", "cpu", "--accum-freq", "2", "--dry-run")
    config = tmp_path / "maxi-k400.toml"  # as the paper's, with smaller batches
    config.write_text("[train]\nbatch_size = 8\n")
    ran = maxi("train", str(world / "run"), "--config", str(config), "--model", str(world / "model"), *few)
    said = "global batch 16: 8 videos x 1 rank x 2 accumulated; the paper's is 256; for it type --accum-freq 32\n"
    assert said in ran.err
    assert "; of maxi-k400.toml: batch_size 8\n" in ran.err


def test_without_a_run_it_says_what_to_type(maxi: Maxi) -> None:
    ran = maxi("train")
    assert (ran.code, "which bags? neither RUN nor [train] run says" in ran.err) == (2, True)


@pytest.mark.long  # two ranks train as one in test_ranks.py
def test_torchruns_processes_train_as_one_that_accumulates(world: Path, tmp_path: Path) -> None:
    two, one = tmp_path / "two", tmp_path / "one"
    more = ["--batch-size=2", "--epochs=1"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "maxi_cli"]
    done = subprocess.run(
        [*command, *arguments(world, two, *more)],
        env=environment(), capture_output=True, text=True, check=False, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "global batch 4: 2 videos x 2 ranks x 1 accumulated" in done.stderr
    assert done.stdout.count("checkpoint:") == 1, "rank 0 alone prints"
    alone = [sys.executable, "-m", "maxi_cli", *arguments(world, one, *more, "--accum-freq=2", "-q")]
    subprocess.run(alone, env=environment(), check=True)
    losses = [[record["loss"] for record in metrics(out)] for out in (two, one)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert len(losses[0]) == 4
