"""A store on an object store: every flush is an object, and any number of machines share it without locks."""

import os

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.files import maxi_home
from maxi_core.system.remote import as_path
from maxi_core.system.store import ABOUT, Store, digest, parts_of, store_at
from tests.core.bucket import Bucket

PART = "s3://bucket/store/part"


def opened(machine: str, *, costly: bool = False) -> Store:
    """Open the store as a machine does: each has a copy of its own."""
    os.environ["MAXI_HOME"] = str(maxi_home().with_name(machine))
    return Store(as_path(PART), {"source": "test"}, costly=costly)


def put(store: Store, *names: str) -> None:
    for name in names:
        store.put(digest(name), name, name * 3)


def found(store: Store, names: str) -> str:
    return "".join(name for name in names if store.get(digest(name)) == name * 3)


def objects(bucket: Bucket) -> list[str]:
    return sorted(name.rpartition("/")[2] for name in bucket.find(PART) if name.endswith(".jsonl"))


def test_each_flush_is_one_new_object_and_all_machines_read_all(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "SYNC_EVERY", 2)
    with opened("one") as one, opened("two", costly=True) as two:
        put(one, "a", "b", "c")
        put(two, "d", "e")
        assert len(objects(bucket)) == 3, "one of two answers, and one of each that was paid for"
    assert len(objects(bucket)) == 4, "closing writes the rest"
    with opened("three") as three:
        assert found(three, "abcdef") == "abcde"
        assert len(three) == 5
    assert bucket.exists(f"{PART}/{ABOUT}")
    assert [str(path) for path in parts_of(as_path("s3://bucket/store"), "pa")] == [PART]
    assert parts_of(as_path("s3://bucket/nothing"), "pa") == []


def test_the_next_start_fetches_only_what_is_new(bucket: Bucket) -> None:
    with opened("one") as one:
        put(one, "a")
    with opened("two") as two:
        put(two, "b")
    bucket.fetched.clear()
    with opened("one") as one:
        assert found(one, "ab") == "ab"
    assert len(bucket.fetched) == 1, "and not what it wrote itself"
    with opened("one") as one:
        assert found(one, "ab") == "ab"
    assert len(bucket.fetched) == 1


def test_the_copy_may_be_deleted_and_objects_that_are_gone_are_gone(bucket: Bucket) -> None:
    import shutil

    with opened("one") as one:
        put(one, "a")
    with opened("two") as two:
        put(two, "b")
    shutil.rmtree(maxi_home())
    with opened("two") as two:
        assert found(two, "ab") == "ab"
    (first, second) = objects(bucket)
    bucket.rm_file(f"{PART}/{first}")
    with opened("two") as two:
        assert len(found(two, "ab")) == 1
    bucket.rm_file(f"{PART}/{second}")
    with opened("two") as two:
        assert found(two, "ab") == ""


def test_what_cannot_be_uploaded_stays_here_is_said_and_goes_up_the_next_time(
    bucket: Bucket, logged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "refuses", (".jsonl",))
    line = f"1 answer is on this machine alone: the server of {PART}/.* cannot be reached; look at the network"
    with pytest.raises(MaxiError, match=line), opened("one", costly=True) as one:
        put(one, "a")
    with pytest.raises(UsageError, match="cannot be reached"):
        opened("one")
    with pytest.raises(MaxiError, match=line), opened("two") as one:
        put(one, "b")
    one = opened("three")
    put(one, "c")
    one.__exit__(ZeroDivisionError, ZeroDivisionError(), None)  # what is already wrong is not hidden
    assert "1 answer is on this machine alone" in logged[-1]
    monkeypatch.setattr(bucket, "refuses", ())
    for machine in ("one", "two", "three", "one"):
        with opened(machine) as store:
            said = found(store, "abc")
    assert said == "abc"


def test_what_a_living_process_writes_is_not_taken_for_left(bucket: Bucket) -> None:
    with opened("one") as one:
        put(one, "a")
        with opened("one") as other:
            assert found(other, "a") == "a", "it is in the copy that both have"
        assert objects(bucket) == []
        put(one, "b")
    assert len(objects(bucket)) == 1


def test_a_killed_process_loses_nothing_of_what_was_said(bucket: Bucket) -> None:
    with opened("one") as one:
        put(one, "a")
        (segment,) = one.folder.glob("*.jsonl")
        torn = segment.read_bytes() + b'{"key": "12'
    (segment.with_name("left.jsonl")).write_bytes(torn)
    with opened("one"):
        pass
    assert len(objects(bucket)) == 2
    with opened("two") as two:
        assert found(two, "a") == "a"


@pytest.mark.parametrize("url", ["http://host/store", "hf://datasets/me/store"])
def test_a_store_that_can_only_be_read_is_refused(url: str) -> None:
    for refused in (lambda: store_at(as_path(url)), lambda: Store(as_path(f"{url}/part"), {})):
        with pytest.raises(
            UsageError, match=r"cannot be written: .*:// is for reading; name a place on s3:// or gs://"
        ):
            refused()


def test_a_place_that_cannot_be_written_is_said_at_once(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert str(store_at(as_path("s3://bucket/store"))) == "s3://bucket/store"
    assert not bucket.find("s3://bucket")
    monkeypatch.setattr(bucket, "refuses", (".maxi-writes",))
    with pytest.raises(UsageError, match=r"the server of s3://bucket/store cannot be reached"):
        store_at(as_path("s3://bucket/store"))
