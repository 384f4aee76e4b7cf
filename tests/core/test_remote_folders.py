"""Run folders on an object store: a copy is kept up to date, an upload goes on, and the manifest goes last."""

import os
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.remote import as_path
from maxi_core.system.remote_folders import MANIFEST, Upload, here, upload_to
from maxi_core.system.urls import in_urls
from tests.core.bucket import Bucket

AT = "s3://bucket/runs/mine"


def made(machine: Path, files: dict[str, str]) -> Upload:
    """Write files into the folder of a run, as a machine of its own does."""
    os.environ["MAXI_HOME"] = str(machine)
    upload = upload_to(as_path(AT), deep=True)
    assert upload is not None
    for name, text in files.items():
        (upload.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (upload.folder / name).write_text(text)
    return upload


def there(bucket: Bucket) -> dict[str, bytes]:
    return {name.partition("mine/")[2]: bucket.cat_file(name) for name in bucket.find(AT)}


RUN = {"bags.jsonl": "one", MANIFEST: "{}", "checkpoints/a/DONE": "", "checkpoints/a/maxi.json": "{}", ".lock": "x"}


def test_a_run_goes_up_with_its_manifest_last_and_then_only_what_changed(bucket: Bucket, tmp_path: Path) -> None:
    upload = made(tmp_path / "one", RUN)
    assert (upload.pending, upload.run(), upload.pending, upload.run()) == (True, 4, False, 0)
    assert bucket.written == [".maxi-writes", "bags.jsonl", "maxi.json", "DONE", MANIFEST]
    assert sorted(there(bucket)) == sorted(RUN.keys() - {".lock"})
    (upload.folder / "bags.jsonl").write_text("one")  # written anew as it was
    assert upload.run() == 0
    (upload.folder / "bags.jsonl").write_text("two")
    (upload.folder / "checkpoints/a/DONE").unlink()
    bucket.written.clear()
    assert upload.run() == 2
    assert bucket.written == ["bags.jsonl", MANIFEST]
    assert there(bucket) == {"bags.jsonl": b"two", MANIFEST: b"{}", "checkpoints/a/maxi.json": b"{}"}


@pytest.mark.parametrize("refused", ["a", "b"])  # the first file after the manifest was taken away, and a later one
def test_an_upload_that_is_interrupted_goes_on_and_is_never_taken_for_whole(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    upload = made(tmp_path / "one", {"a": "1", "b": "2", MANIFEST: "{}"})
    upload.run()
    made(tmp_path / "one", {"a": "3", "b": "4"})
    monkeypatch.setattr(bucket, "refuses", (f"mine/{refused}",))
    with pytest.raises(MaxiError, match=rf"{AT} is not all there: .*; .*the same command goes on, all is in"):
        upload.run()
    assert there(bucket) == {"a": b"1" if refused == "a" else b"3", "b": b"2"}
    monkeypatch.setattr(bucket, "refuses", ())
    bucket.written.clear()
    assert upload.pending
    left = ["a", "b", MANIFEST] if refused == "a" else ["b", MANIFEST]
    assert upload.run() == len(left)
    assert bucket.written == left
    bucket.rm_file(f"{AT}/{MANIFEST}")
    assert upload.run() == 1, "whoever took the manifest away left a half"
    assert MANIFEST in there(bucket)


def test_a_copy_fetches_what_changed_and_drops_what_is_gone(bucket: Bucket, tmp_path: Path) -> None:
    upload = made(tmp_path / "one", RUN)
    upload.run()
    os.environ["MAXI_HOME"] = str(tmp_path / "two")
    bucket.fetched.clear()
    folder = here(Path("s3:/bucket/runs/mine"))
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {"bags.jsonl", MANIFEST}
    assert folder.name == "mine"
    assert here(as_path(AT)) == folder
    assert bucket.fetched == ["bags.jsonl", MANIFEST]
    bucket.pipe_file(f"{AT}/bags.jsonl", b"three")
    bucket.rm_file(f"{AT}/{MANIFEST}")
    here(as_path(AT))
    assert bucket.fetched[2:] == ["bags.jsonl"]
    assert {path.name for path in folder.iterdir() if path.name[0] != "."} == {"bags.jsonl"}
    assert here(tmp_path) == tmp_path
    assert here(as_path(f"{AT}/bags.jsonl")).read_text() == "three"
    with pytest.raises(UsageError, match=f"{AT}/none"):
        here(as_path(f"{AT}/none"))


def test_names_that_lead_out_of_the_folder_are_passed_over(bucket: Bucket, tmp_path: Path) -> None:
    bucket.pipe_file(f"{AT}/a", b"")
    bucket.pipe_file(f"{AT}/../../out", b"")
    upload = made(tmp_path / "one", {})
    upload.begin()
    assert sorted(path.name for path in (tmp_path / "one").rglob("*") if path.is_file()) == [".remote.json", "a"]


def test_another_machine_goes_on_with_what_is_there_and_never_over_newer_work(bucket: Bucket, tmp_path: Path) -> None:
    made(tmp_path / "one", {"a": "1", MANIFEST: "1"}).run()
    two = made(tmp_path / "two", {})
    two.begin()
    assert (two.folder / "a").read_text() == "1"
    made(tmp_path / "two", {"a": "2", MANIFEST: "2"}).run()
    one = made(tmp_path / "one", {})
    one.begin()
    assert (one.folder / "a").read_text() == "2"
    made(tmp_path / "one", {"a": "3"})
    made(tmp_path / "two", {"a": "4", MANIFEST: "4"}).run()
    for act in (one.begin, one.run):
        with pytest.raises(UsageError, match=f"{AT} was changed by another machine while there was work on it here"):
            act()
    fresh = made(tmp_path / "three", {})
    fresh.begin(fetch=False)
    assert not (fresh.folder / "a").exists()
    made(tmp_path / "three", {MANIFEST: "5"}).run()
    assert there(bucket) == {MANIFEST: b"5"}


def test_people_are_told_urls_also_where_the_folder_they_are_in_is_gone(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path / "one", RUN).run()
    copy = here(as_path(AT))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert in_urls(f"no bags in {copy}") == f"no bags in {AT}"
