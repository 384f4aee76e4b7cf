"""`maxi eval --out s3://...`: scores go up when all are written, and whoever compares or reports reads them there."""

import json
from collections.abc import Callable

import pytest

from maxi_core.evaluation.saving import folder_name
from tests.conftest import Ran
from tests.core.bucket import Bucket
from tests.core.conftest import bucket  # noqa: F401 (a fixture)
from tests.evaluation.conftest import World

OUT = "s3://lab/eval"


def scored(world: World, split: str = "split.txt") -> list[str]:
    where = ["-b", str(world.benchmark / split), "--labels", str(world.benchmark / "labels.csv")]
    fast = ["--frames", "2", "--workers", "0", "--device", "cpu", "--out", OUT]
    return ["eval", str(world.model), *where, *fast]


def benchmarks(bucket: Bucket, folder: str) -> list[str]:  # noqa: F811
    return [record["benchmark"] for record in json.loads(bucket.cat_file(f"{folder}/scores.json"))]


def test_scores_of_two_machines_are_read_by_a_third(bucket: Bucket, world: World, on: Callable[..., Ran]) -> None:  # noqa: F811
    folder = f"{OUT}/{folder_name(str(world.model))}"
    (world.benchmark / "half.txt").write_text((world.benchmark / "split.txt").read_text()[: 6 * 16])
    ran = on("one", *scored(world))
    assert ran.code == 0, ran.err
    assert f"in {folder}: scores.json" in ran.out.replace("\n", "")
    assert f"{folder}: 5 files uploaded" in ran.err
    assert bucket.written[-1] == "scores.json", "what says that all is there goes last"
    assert on("two", *scored(world, "half.txt")).code == 0
    assert benchmarks(bucket, folder) == ["split", "half"], "scores of another benchmark stay"
    whole, file = (on("three", "compare", f"{folder}{part}", "--json") for part in ("", "/scores.json"))
    assert (whole.code, whole.out) == (0, file.out), whole.err
    assert json.loads(whole.out)["lines"][0]["benchmark"] == "split"
    page = on("three", "report", folder, "--out", "s3://lab/page.html", "--no-pictures", "--quiet")
    assert (page.code, page.out.partition(":")[2][:12]) == (0, "//lab/page.h"), page.err
    assert bucket.cat_file("s3://lab/page.html").startswith(b"<!doctype html>")


def test_an_upload_that_fails_is_one_line_and_the_same_command_goes_on(
    bucket: Bucket,  # noqa: F811
    world: World,
    on: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bucket, "refuses", ("classes-",))
    failed = on("one", *scored(world))
    assert (failed.code, "is not all there: " in failed.err) == (1, True)
    folder = f"{OUT}/{folder_name(str(world.model))}"
    assert not bucket.exists(f"{folder}/scores.json")
    monkeypatch.setattr(bucket, "refuses", ())
    assert on("one", *scored(world)).code == 0
    assert benchmarks(bucket, folder) == ["split"]
    refused = on("one", *scored(world)[:-1], "http://127.0.0.1:9/eval")
    assert (refused.code, "http:// is for reading" in refused.err) == (2, True)


def test_an_upload_that_fails_takes_nothing_of_others_away(
    bucket: Bucket,  # noqa: F811
    world: World,
    on: Callable[..., Ran],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = f"{OUT}/{folder_name(str(world.model))}"
    lines = (world.benchmark / "split.txt").read_text().splitlines(keepends=True)
    for number in (2, 3):
        (world.benchmark / f"part{number}.txt").write_text("".join(lines[:4]))
    assert on("one", *scored(world)).code == 0
    monkeypatch.setattr(bucket, "refuses", ("scores.json",))
    failed = on("two", *scored(world, "part2.txt"))
    assert (failed.code, "is not all there" in failed.err) == (1, True)
    assert f"in {folder}" not in failed.out.replace("\n", ""), "it does not say that they are where they are not"
    assert "part2" in failed.out, "what was scored is shown"
    assert benchmarks(bucket, folder) == ["split"], "what others have there stays"
    monkeypatch.setattr(bucket, "refuses", ())
    assert on("three", *scored(world, "part3.txt")).code == 0
    assert on("two", *scored(world, "part2.txt")).code == 0, "the same command goes on beside what came meanwhile"
    assert sorted(benchmarks(bucket, folder)) == ["part2", "part3", "split"]


def test_what_was_removed_there_goes_up_again(bucket: Bucket, world: World, on: Callable[..., Ran]) -> None:  # noqa: F811
    folder = f"{OUT}/{folder_name(str(world.model))}"
    assert on("one", *scored(world)).code == 0
    there = sorted(bucket.find(folder))
    for gone in there[-1], there[0]:
        bucket.rm(gone)
        assert on("one", *scored(world)).code == 0
        assert sorted(bucket.find(folder)) == there
    bucket.rm(folder, recursive=True)
    assert on("one", *scored(world)).code == 0
    assert sorted(bucket.find(folder)) == there


def test_damaged_scores_there_are_named_by_their_url(bucket: Bucket, world: World, on: Callable[..., Ran]) -> None:  # noqa: F811
    there = f"{OUT}/{folder_name(str(world.model))}/scores.json"
    bucket.pipe_file(there, b"[")
    for _ in range(2):
        failed = on("one", *scored(world))
        assert (failed.code, failed.err.count("error:")) == (2, 1)
        assert f"error: {there}, copied to " in failed.err
        assert bucket.cat_file(there) == b"[", "it is not replaced"
    bucket.pipe_file(there, b"[]")
    assert on("one", *scored(world)).code == 0
    assert benchmarks(bucket, there.removesuffix("/scores.json")) == ["split"]


def test_people_are_told_the_url_and_not_the_copy(bucket: Bucket, world: World, on: Callable[..., Ran]) -> None:  # noqa: F811
    folder = f"{OUT}/{folder_name(str(world.model))}"
    for benchmark in ("split.txt", "half.txt"):
        (world.benchmark / "half.txt").write_text(
            "".join((world.benchmark / "split.txt").read_text().splitlines(True)[:4])
        )
        assert on("one", *scored(world, benchmark)).code == 0
    bucket.pipe_file(f"{OUT}/none/scores.json", b"[]")
    compared = on("two", "compare", folder, folder, "--json")
    assert compared.code == 0, compared.err
    page = on("two", "report", folder, "--out", "s3://lab/page.html", "--no-pictures")
    silent = on("two", "compare", f"{OUT}/none")
    assert (silent.code, f"{OUT}/none holds no scores" in silent.err) == (2, True)
    for told in compared.out, page.out, bucket.cat_file("s3://lab/page.html").decode(), silent.err:
        assert "copies" not in told
        assert "s3://lab/" in told
