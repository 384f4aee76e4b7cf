"""`--out` on real servers of S3 and gs: bags, a training and its checkpoints, and whoever reads them elsewhere."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.buckets import Bucket
from tests.conftest import Ran
from tests.video.clips import write_numbered

pytestmark = [
    pytest.mark.long,  # a server, and trainings
    pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning"),  # gcsfs does, with aiohttp
]

TINY = ["--frames", "2", "--batch-size", "4", "--bag-size", "2", "--workers", "0", "--device", "cpu"]


@pytest.fixture
def bags(on: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
    folder = tmp_path / "videos"
    folder.mkdir()
    for number in range(4):
        write_numbered(folder / f"{number}.mp4", 10)
    (folder / "actions.txt").write_text("archery\nrunning\n")

    def run(machine: str, out: str, *more: object) -> Ran:
        typed = [folder, "--dictionary", folder / "actions.txt", "--config", "sandbox", "--workers", 0]
        return on(machine, "bags", *typed, "--out", out, *more)

    return run


def test_bags_are_made_and_read_through_a_bucket(
    bucket: Bucket, on: Callable[..., Ran], bags: Callable[..., Ran], tmp_path: Path
) -> None:
    bucket.make("lab")
    made = bags("one", bucket.url("lab/runs/mine"), "--json")
    assert made.code == 0, made.err
    assert json.loads(made.out)["out"] == bucket.url("lab/runs/mine")
    assert f"{bucket.url('lab/runs/mine')}: 6 files uploaded" in made.err
    assert bags("one", str(tmp_path / "local")).code == 0
    assert bucket.client.cat_file("lab/runs/mine/bags.jsonl") == (tmp_path / "local/bags.jsonl").read_bytes()
    assert "4 bags" in on("two", "stats", bucket.url("lab/runs/mine")).out
    assert bags("two", bucket.url("lab/runs/mine"), "--keep", "0.5").code == 0, "another machine goes on with it"
    assert on("one", "stats", bucket.url("lab/runs/mine")).out != on("one", "stats", tmp_path / "local").out


def test_a_training_reads_bags_of_a_bucket_and_leaves_its_checkpoints_there(
    bucket: Bucket, on: Callable[..., Ran], world: Path, tmp_path: Path
) -> None:
    bucket.make("trained")
    bucket.client.put(str(world / "run"), "trained/runs/mine", recursive=True)
    train = ["train", bucket.url("trained/runs/mine"), "--model", world / "model", *TINY, "--epochs", 2]
    trained = on("two", *train)
    assert trained.code == 0, trained.err
    there = [name.removeprefix("trained/runs/mine/train/") for name in bucket.client.find("trained/runs/mine/train")]
    assert {"manifest.json", "recipe.toml", "metrics.jsonl"} < set(there)
    whole = sorted(name for name in there if name.endswith("/DONE"))
    assert len(whole) == 2
    again = on("two", *train)
    assert (again.code, "has checkpoints already" in again.err) == (2, True)
    elsewhere = on("three", *train)
    assert (elsewhere.code, f"{bucket.url('trained/runs/mine/train')} has checkpoints already" in elsewhere.err) == (
        2,
        True,
    )
    on_and_on = on("three", *train, "--resume", "latest")
    assert (on_and_on.code, "every step was taken already" in on_and_on.out) == (0, True), on_and_on.err
    step = whole[-1].rpartition("/")[0]
    said = []
    for model in bucket.url("trained/runs/mine/train"), bucket.url(f"trained/runs/mine/train/{step}"):
        guessed = on("four", "predict", model, world / "clips", "--labels", "run,jump", "--device", "cpu")
        assert guessed.code == 0, guessed.err
        said.append(guessed.out)
    assert said[0] == said[1]
    names = {path.name for path in (tmp_path / "four" / "copies").rglob("*")}
    assert "model.safetensors" in names
    assert "optimizer.safetensors" not in names, "what only training needs is not fetched"
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert bucket.secret.encode() not in file.read_bytes(), file


def test_an_upload_that_fails_goes_on_with_the_same_command(
    bucket: Bucket, on: Callable[..., Ran], bags: Callable[..., Ran], world: Path
) -> None:
    bucket.make("half")
    bucket.refuse("half", "*/manifest.json")
    mine, out = bucket.url("half/mine"), bucket.url("half/trained")
    train = ["train", world / "run", "--model", world / "model", *TINY, "--epochs", 1, "--out", out]
    for failed in bags("one", mine), on("one", *train):
        assert failed.code == 1
        assert "manifest.json may not be written (status 403); set " in failed.err
        assert "the same command goes on" in failed.err
    assert not bucket.client.exists("half/mine/manifest.json")
    bucket.allow("half")
    again = bags("one", mine)
    assert (again.code, f"{mine}: 1 file uploaded" in again.err) == (0, True), again.err
    again = on("one", *train, "--json")
    assert (again.code, "what was left of it is uploaded" in again.err) == (0, True), again.err
    assert json.loads(again.out) == {"schema": 1, "out": out}
    assert bucket.client.exists("half/trained/manifest.json")


def test_what_cannot_be_made_there_is_one_line_before_any_work(
    bucket: Bucket, on: Callable[..., Ran], bags: Callable[..., Ran], world: Path
) -> None:
    bucket.make("lines")
    none = bucket.url("lines/none")
    for out, line in {
        bucket.url("nowhere/run"): "there is no bucket 'nowhere'",
        "http://127.0.0.1:9/run": "http:// is for reading; name a place on s3:// or gs://",
    }.items():
        refused = bags("one", out)
        assert (refused.code, line in refused.err) == (2, True), refused.err
    refused = bags("one", bucket.url("lines/run"), "--shard", "1/2")
    assert (refused.code, "give each share an --out here and all one --store" in refused.err) == (2, True)
    for typed in (["stats", none], ["predict", none, world / "clips", "--labels", "a,b"]):
        refused = on("one", *typed)
        assert (refused.code, f"there is nothing at {none}" in refused.err) == (2, True), refused.err


def test_scores_are_compared_and_reported_where_they_are(
    bucket: Bucket, on: Callable[..., Ran], world: Path, tmp_path: Path
) -> None:
    bucket.make("scored")
    names = sorted(path.name for path in (world / "clips").iterdir())[:4]
    (tmp_path / "split.csv").write_text(
        "path,label\n" + "".join(f"{n},{'run' if n > names[1] else 'jump'}\n" for n in names)
    )
    where = ["--benchmark", tmp_path / "split.csv", "--videos", world / "clips", "--frames", "2", "--workers", "0"]
    scored = on("one", "eval", world / "model", *where, "--device", "cpu", "--out", bucket.url("scored/eval"), "--json")
    assert scored.code == 0, scored.err
    folder = json.loads(scored.out)["models"][0]["folder"]
    assert folder.startswith(bucket.url("scored/eval/"))
    assert '"top1"' in on("two", "compare", folder, "--json").out.replace(" ", "")
    page, other = bucket.url("scored/page.html"), bucket.url("scored/other.html")
    bucket.client.pipe_file("scored/other.html", b"somebody's own")
    for _ in range(2):  # a report may be replaced
        ran = on("two", "report", folder, "--out", page, "--no-pictures")
        assert (ran.code, f"{page}: " in ran.out) == (0, True), ran.err
    assert bucket.client.cat_file("scored/page.html").startswith(b"<!doctype html>")
    refused = on("two", "report", folder, "--out", other, "--no-pictures")
    assert (refused.code, f"{other} is no report and would be overwritten" in refused.err) == (2, True)
    assert bucket.client.cat_file("scored/other.html") == b"somebody's own"
