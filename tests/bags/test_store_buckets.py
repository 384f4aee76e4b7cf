"""`--store` on real servers of S3 and gs: several machines, kills, and what is said where it cannot be."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_core.system.remote import as_path
from maxi_core.system.store import Store, digest
from tests.buckets import S3_KEYS, Bucket, afresh, point_nowhere, uninstall
from tests.conftest import Ran
from tests.video.clips import write_numbered

pytestmark = pytest.mark.long  # a server, and processes that are killed

WRITER = """
import sys
from maxi_core.system.remote import as_path
from maxi_core.system.store import Store, digest
with Store(as_path(sys.argv[2]), {}, costly=sys.argv[1] == "costly") as store:
    for number in range(10_000):
        store.put(digest(number), number, number)
        print(number, flush=True)
"""


@pytest.mark.parametrize("kind", ["costly", "cheap"])
def test_a_writer_that_is_killed_loses_at_most_what_was_not_flushed(
    bucket: Bucket, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.make("killed")
    url = bucket.url("killed/store/part")
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "one"))
    with subprocess.Popen([sys.executable, "-c", WRITER, kind, url], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(30 if kind == "costly" else 150)]
        writer.kill()
        said += [int(line) for line in writer.stdout.read().split()]
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "two"))
    with Store(as_path(url), {}) as store:
        lost = [number for number in said if store.get(digest(number)) != number]
    assert len(lost) == 0 if kind == "costly" else len(lost) < Store.SYNC_EVERY
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "one"))
    with Store(as_path(url), {}) as store:  # the machine itself lost nothing
        assert [store.get(digest(number)) for number in said] == said
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "two"))
    with Store(as_path(url), {}) as store:
        assert [store.get(digest(number)) for number in said] == said
    bucket.client.rm("killed/store", recursive=True)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for number in range(4):
        write_numbered(folder / f"{number}.mp4", 10)
    (folder / "actions.txt").write_text("archery\nrunning\n")
    return folder


@pytest.fixture
def bags(videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maxi: Callable[..., Ran]) -> Callable[..., Ran]:
    def run(machine: str, *more: object, store: str) -> Ran:
        monkeypatch.setenv("MAXI_HOME", str(tmp_path / machine))
        typed = [videos, "--dictionary", videos / "actions.txt", "--config", "sandbox", "--workers", "0"]
        return maxi("bags", *map(str, typed), "--out", str(tmp_path / f"run-{machine}"), "--store", store, *more)

    return run


def test_machines_share_a_store_and_the_last_one_asks_nothing(
    bucket: Bucket, bags: Callable[..., Ran], videos: Path, tmp_path: Path, maxi: Callable[..., Ran]
) -> None:
    bucket.make("shared")
    store = bucket.url("shared/store")
    for machine, shard in ("one", "1/2"), ("two", "2/2"):
        ran = bags(machine, "--shard", shard, store=store)
        assert ran.code == 0, ran.err
    plan = json.loads(bags("three", "--dry-run", "--json", store=store).out)
    assert {stage["source"]: stage["asked"] for stage in plan["stages"]}["dictionary"] == 0
    ran = bags("three", store=store)
    assert "asked now: dictionary 0, " in ran.out
    there = bucket.client.find("shared")
    bags("three", "--overwrite", store=store)
    assert bucket.client.find("shared") == there, "nothing was asked, so nothing was written"
    local = bags("four", store=str(tmp_path / "store"))
    assert local.code == 0
    texts = [(tmp_path / f"run-{machine}" / "bags.jsonl").read_bytes() for machine in ("three", "four")]
    assert texts[0] == texts[1]
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert bucket.secret.encode() not in file.read_bytes(), file
    for name in there:
        assert bucket.secret.encode() not in bucket.client.cat_file(name), name


def test_what_keeps_a_store_from_being_written_is_one_line_before_any_work(
    bucket: Bucket, bags: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bucket.make("closed")
    bucket.refuse("closed", "*")

    def refused(store: str) -> str:
        ran = bags("refused", store=store)
        assert ran.code == 2
        assert not (tmp_path / "run-refused").exists()
        (line,) = " ".join(ran.err.split()).splitlines()
        return line

    closed = bucket.url("closed/store")
    assert "there is no bucket 'nowhere'" in refused(bucket.url("nowhere/store"))
    assert f"{closed} may not be written (status 403); set " in refused(closed)
    assert "http:// is for reading" in refused("http://127.0.0.1:9/store")
    point_nowhere(monkeypatch)
    assert f"the server of {closed} cannot be reached" in refused(closed)
    if bucket.scheme == "s3":  # without credentials gcsfs asks as nobody
        for name in S3_KEYS:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(tmp_path))
        afresh()
        assert f"there are no credentials for {closed}" in refused(closed)
    uninstall(bucket.package, monkeypatch)
    line = (
        f"{bucket.scheme}:// is read with {bucket.package}, which is not installed; pip install 'maxi[{bucket.scheme}]'"
    )
    assert line in refused(closed)


def test_features_of_an_evaluation_are_kept_there_too(
    bucket: Bucket, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, maxi: Callable[..., Ran]
) -> None:
    bucket.make("features")
    (videos / "split.csv").write_text("path,label\n0.mp4,archery\n1.mp4,running\n")
    for machine in ("one", "two"):
        monkeypatch.setenv("MAXI_HOME", str(tmp_path / machine))
        where = ["--store", bucket.url("features/s"), "--out", str(tmp_path / f"{machine}-out"), "--device", "cpu"]
        ran = maxi("eval", "sandbox", "--benchmark", str(videos / "split.csv"), "--frames", "2", *where)
        assert ran.code == 0, ran.err
        if machine == "one":
            there = bucket.client.find("features")
            assert any(name.endswith(".jsonl") for name in there)
    assert bucket.client.find("features") == there
