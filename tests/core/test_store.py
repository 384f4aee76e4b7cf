"""The store: answers survive kills, torn lines and damage; writers never meet."""

import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.errors import MaxiError
from maxi_core.system import store as store_module
from maxi_core.system import store_index
from maxi_core.system.store import Store, digest


def open_store(folder: Path) -> Store:
    return Store(folder, {"source": "test"})


def test_what_is_put_is_there_at_once_and_in_the_next_run(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.put(digest("a"), "a", ["one", 0.1 + 0.2, None])
        assert store.get(digest("a")) == ["one", 0.1 + 0.2, None]
        assert digest("b") not in store
    with open_store(tmp_path) as again:
        assert again.get(digest("a")) == ["one", 0.1 + 0.2, None]
        assert len(again) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # it waits for the disk
@given(answers=st.dictionaries(st.text(), json_values, max_size=5))
def test_any_answer_comes_back_as_it_was(answers: dict[str, object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        with open_store(Path(folder)) as store:
            for question, answer in answers.items():
                store.put(digest(question), question, answer)
        with open_store(Path(folder)) as again:
            assert {question: again.get(digest(question)) for question in answers} == answers


def segment(folder: Path) -> Path:
    (path,) = folder.glob("*.jsonl")
    return path


def test_a_torn_last_line_is_a_miss_and_the_others_are_kept(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for name in "abc":
            store.put(digest(name), name, name * 3)
    whole = segment(tmp_path).read_bytes()
    for cut in range(1, 40):
        segment(tmp_path).write_bytes(whole[:-cut])
        with open_store(tmp_path) as again:
            assert [again.get(digest(name)) for name in "abc"] == ["aaa", "bbb", None]


def test_a_row_with_a_flipped_byte_is_a_miss(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for name in "abc":
            store.put(digest(name), name, name * 3)
    whole = segment(tmp_path).read_bytes()
    second = whole.index(b"\n") + 1
    third = whole.index(b"\n", second) + 1
    missed = 0
    for place in range(second, third - 1):
        segment(tmp_path).write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with open_store(tmp_path) as again:
            found = [again.get(digest(name)) for name in "abc"]
        assert (found[0], found[2]) == ("aaa", "ccc")
        assert found[1] in ("bbb", None)
        missed += found[1] is None
    assert missed == third - 1 - second


def test_writers_in_many_processes_never_meet(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from maxi_core.system.store import Store, digest\n"
        "store = Store(Path(sys.argv[1]), {'source': 'test'})\n"
        "for i in range(200): store.put(digest(sys.argv[2], i), i, sys.argv[2] * 50)\n"
        "store.close()"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, tmp_path, name]) for name in "abcd"]
    assert [writer.wait() for writer in writers] == [0] * 4
    with open_store(tmp_path) as store:
        assert len(store) == 800
        assert store.get(digest("c", 199)) == "c" * 50
    assert json.loads((tmp_path / "about.json").read_text()) == {"schema": 1, "source": "test"}


def test_a_thousand_segments_need_few_open_files(tmp_path: Path) -> None:
    import psutil

    before = psutil.Process().num_fds()
    for number in range(1100):
        with open_store(tmp_path / "part") as store:
            store.put(digest(number), number, number)
        for path in (tmp_path / "part").glob("*.jsonl"):
            path.rename(tmp_path / path.name)
    with open_store(tmp_path) as store:
        assert [store.get(digest(number)) for number in range(1100)] == list(range(1100))
        assert psutil.Process().num_fds() < before + 100


def test_a_full_disk_names_the_folder_and_keeps_what_was_kept(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with open_store(tmp_path) as store:
        store.put(digest("a"), "a", "small")
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(
                MaxiError,
                match="cannot keep an answer of .* bytes in .*; make room",
            ):
                store.put(digest("b"), "b", "x" * 5000)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        store.put(digest("c"), "c", "later")
    with open_store(tmp_path) as again:
        assert [again.get(digest(name)) for name in "abc"] == ["small", None, "later"]


def test_a_store_that_was_only_read_leaves_nothing_behind(tmp_path: Path) -> None:
    with open_store(tmp_path / "none") as store:
        assert store.get(digest("a")) is None
    assert not (tmp_path / "none").exists()


def test_only_places_are_held_in_memory(tmp_path: Path) -> None:
    import psutil

    with open_store(tmp_path) as store:
        before = psutil.Process().memory_info().rss
        for place in range(20_000):
            store.put(digest(place), place, "x" * 5000)
        grown = psutil.Process().memory_info().rss - before
    assert segment(tmp_path).stat().st_size > 100e6
    assert grown < 20e6


def filled(folder: Path, numbers: range) -> None:
    with open_store(folder) as store:
        for number in numbers:
            store.put(digest(number), number, number)


def test_answers_are_found_through_indexes_that_are_made_into_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (store_index, store_module):
        monkeypatch.setattr(module, "LEAST", 8)
    for start in range(0, 600, 8):
        filled(tmp_path, range(start, start + 8))
    with open_store(tmp_path) as store:
        assert len(store._places) <= 8, "places are held that an index has"
        assert len(store) == 600
        assert [store.get(digest(number)) for number in range(601)] == [*range(600), None]
        assert [digest(number) in store for number in (0, 599, 600)] == [True, True, False]
    indexes = list(tmp_path.glob("*.index"))
    assert len(indexes) <= 15
    for damage in (b"", b"x" * 100, indexes[0].read_bytes()[:-9], indexes[0].read_bytes()[28:]):
        indexes[0].write_bytes(damage)
        with open_store(tmp_path) as store:
            assert [store.get(digest(number)) for number in range(600)] == list(range(600))
    for path in tmp_path.glob("*.index"):
        path.write_bytes(bytes(byte ^ 1 for byte in path.read_bytes()[:280]) + path.read_bytes()[280:])
    with open_store(tmp_path) as store:  # a wrong row is a miss, and never the answer to another question
        assert all(store.get(digest(number)) in (number, None) for number in range(600))


def test_an_answer_that_comes_while_another_thread_looks_for_it_stays(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        look = store._candidates

        def slowly(name: bytes) -> Iterator[tuple[str, int]]:
            yield from look(name)
            store.put(digest("a"), "a", "one")

        store._candidates = slowly  # type: ignore[method-assign]
        assert digest("a") in store
        store._candidates = look  # type: ignore[method-assign]
        assert store.get(digest("a")) == "one"


def test_an_index_that_another_machine_replaced_is_looked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (store_index, store_module):
        monkeypatch.setattr(module, "LEAST", 8)
    filled(tmp_path, range(20))
    with open_store(tmp_path), open_store(tmp_path) as store:
        assert not store._places
        store._indexes[0].close()  # as reading fails of a file that was removed on a disk of another machine
        assert [store.get(digest(number)) for number in range(21)] == [*range(20), None]


def test_a_segment_that_grows_or_is_torn_after_it_was_indexed_is_read_on_from_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (store_index, store_module):
        monkeypatch.setattr(module, "LEAST", 8)
    with open_store(tmp_path) as store:
        for number in range(20):
            store.put(digest(number), number, number)
        with open_store(tmp_path) as other:
            assert (other.get(digest(19)), len(other._places)) == (19, 0)
        store.put(digest(20), 20, 20)
        with open_store(tmp_path) as other:
            assert (other.get(digest(20)), len(other._places)) == (20, 1)
    segment(tmp_path).write_bytes(segment(tmp_path).read_bytes()[:500])
    with open_store(tmp_path) as store:
        assert store.get(digest(0)) == 0
        assert digest(19) not in store
        store.put(digest(19), 19, "again")
        assert store.get(digest(19)) == "again"
