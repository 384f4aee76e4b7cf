"""The index of bags: read lazily, made once, made anew when the bags change, and the same rule for `--keep`."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxi_core.bags.filtering import best_places, keep_best
from maxi_core.batches import bag_index as index_file
from maxi_core.batches.bag_index import open_bags
from maxi_core.errors import UsageError
from tests.batches.runs import bag, write_run


def test_an_example_is_its_bag_without_the_matched_entry_in_any_case(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a.mp4", "waving", 0.3, ["wave", "Waving", "greeting"])])
    example = open_bags(run)[0]
    assert (example.video.id, example.matched, example.texts) == ("a.mp4", "waving", ("wave", "greeting"))


def test_bags_that_were_not_kept_are_no_examples_and_empty_ones_are_counted(tmp_path: Path) -> None:
    bags = [bag("a", "waving", 0.3, ["wave"]), bag("b", "waving", 0.1, kept=False), bag("c", "kicking", 0.2)]
    examples = open_bags(write_run(tmp_path, bags))
    assert [examples[place].video.id for place in range(len(examples))] == ["a", "c"]
    assert examples.empty == 1
    assert examples.total == 3


def test_classes_are_the_matched_entries_sorted_or_those_that_are_given(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3), bag("b", "kicking", 0.2)])
    assert open_bags(run).classes == ("kicking", "waving")
    assert [open_bags(run)[place].group for place in (0, 1)] == [1, 0]
    given = open_bags(run, classes=("running", "waving", "kicking"))
    assert given.classes == ("running", "waving", "kicking")
    assert [given[place].group for place in (0, 1)] == [1, 2]


def test_a_matched_entry_that_is_no_class_is_named_with_the_one_that_was_meant(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3)])
    with pytest.raises(UsageError, match="matched to 'waving'.*did you mean 'waiving'"):
        open_bags(run, classes=["waiving"])


@given(scores=st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.25]), min_size=1, max_size=40), share=st.floats(0.01, 1))
def test_the_best_share_is_that_of_maxi_bags_ties_included(scores: list[float], share: float) -> None:
    kept = keep_best(scores, share)
    assert sorted(best_places(np.array(scores), share)) == [place for place, use in enumerate(kept) if use]


def test_a_smaller_share_is_of_all_videos_and_not_of_those_kept(tmp_path: Path) -> None:
    scores = [0.5, 0.1, 0.4, 0.3, 0.2, 0.45, 0.05, 0.35, 0.25, 0.15]
    kept = keep_best(scores, 0.8)
    bags = [bag(str(place), "waving", score, kept=kept[place]) for place, score in enumerate(scores)]
    examples = open_bags(write_run(tmp_path, bags), keep=0.3)
    assert [examples[place].video.id for place in range(len(examples))] == ["0", "2", "5"]


def test_a_share_that_the_run_has_no_texts_for_is_refused_in_one_line(tmp_path: Path) -> None:
    bags = [bag(str(place), "waving", place / 10, kept=place >= 5) for place in range(10)]
    run = write_run(tmp_path, bags)
    with pytest.raises(UsageError, match=r"--keep 0.9 asks for 9 of 10 videos.*texts for 5.*--keep 0.5") as raised:
        open_bags(run, keep=0.9)
    assert "\n" not in str(raised.value)
    assert len(open_bags(run, keep=0.5)) == 5
    with pytest.raises(UsageError, match="no share"):
        open_bags(run, keep=0.0)


def index_beside(run: Path) -> Path:
    return run / "bags.index"


def test_the_index_is_made_once_and_anew_when_the_bags_change(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3)])
    assert len(open_bags(run)) == 1
    made = index_beside(run).stat().st_ino
    assert len(open_bags(run)) == 1
    assert index_beside(run).stat().st_ino == made
    write_run(tmp_path, [bag("a", "waving", 0.3), bag("b", "kicking", 0.3)])
    assert len(open_bags(run)) == 2
    assert index_beside(run).stat().st_ino != made
    size = (run / "bags.jsonl").stat().st_size
    write_run(tmp_path, [bag("a", "boxing", 0.3), bag("b", "kicking", 0.3)])
    assert (run / "bags.jsonl").stat().st_size == size
    assert open_bags(run).classes == ("boxing", "kicking")


@pytest.mark.parametrize("damage", [b"", b"{}", b"x" * 100, None])
def test_a_broken_index_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3), bag("b", "kicking", 0.1)])
    open_bags(run)
    path = index_beside(run)
    path.write_bytes(path.read_bytes()[24:] if damage is None else damage)
    assert open_bags(run)[1].matched == "kicking"


def test_a_run_that_is_made_again_while_it_is_read_does_not_change_what_is_read(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3), bag("b", "kicking", 0.1)])
    examples = open_bags(run)
    write_run(tmp_path, [bag("somebody else", "kicking", 0.1)])
    assert [examples[place].video.id for place in (0, 1)] == ["a", "b"]


def test_processes_that_want_the_index_at_once_make_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path, [bag(str(place), "waving", 0.3) for place in range(500)])
    made = []
    make = index_file._make

    def slowly(*arguments: object) -> None:
        made.append(threading.get_ident())
        time.sleep(0.1)
        make(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(index_file, "_make", slowly)
    threads = [threading.Thread(target=open_bags, args=(run,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_bags_that_are_as_maxi_wrote_them_have_the_index_that_reading_them_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["a", 'b"', "c\\", "\udcff.mp4", "é", '"match": {"entry": "x", "score": 1, "top": ', '{"text": "']
    texts = (["wave", "Waving"], ["WAVING"], ["ﬁne", "waving "], ['{"text": "'], [], ["x"])
    bags = [
        bag(name, entry, score, items, kept=kept)
        for place, name in enumerate(names)
        for entry, score in (("waving", 0.25), ("straße", -1e-7), ('a "b"', 0.0), ("fine", 3e-5))
        for kept, items in ((False, []), (True, texts[place % len(texts)]))
    ]
    run = write_run(tmp_path, bags)
    read = open_bags(run)._index
    (run / "bags.index").unlink()
    quick = Counter[bool]()

    def quickly(line: bytes, way=index_file._quickly) -> object:
        found = way(line)
        quick[found is not None] += 1
        return found

    monkeypatch.setattr(index_file, "_quickly", quickly)
    checksum = sha256((run / "bags.jsonl").read_bytes()).hexdigest()
    (run / "manifest.json").write_text(json.dumps({"sha256": {"bags.jsonl": checksum}}))
    found = open_bags(run)._index
    assert (found.rows.tolist(), found.entries) == (read.rows.tolist(), read.entries)
    assert quick[True] > 2
    assert quick[False] > 20
    with (run / "bags.jsonl").open("ab") as file:  # now the checksum is another, and every line is read
        file.write(b'{"schema": 1, "match": {"entry": "a", "score": 1.0, "top": []}, "kept": true, "texts": [}\n')
    with pytest.raises(UsageError, match=rf"bags.jsonl:{len(bags) + 1} is not a bag"):
        open_bags(run)


def test_a_line_that_is_no_bag_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("a", "waving", 0.3)])
    with (run / "bags.jsonl").open("a") as file:
        file.write('{"schema": 1}\n')
    with pytest.raises(UsageError, match=r"bags.jsonl:2 is not a bag"):
        open_bags(run)
    write_run(tmp_path, [])
    with pytest.raises(UsageError, match="is empty"):
        open_bags(run)
    with pytest.raises(UsageError, match="maxi bags VIDEOS --out"):
        open_bags(tmp_path / "nowhere")


def test_names_that_are_not_utf8_come_back_as_they_were(tmp_path: Path) -> None:
    run = write_run(tmp_path, [bag("caf\udce9.mp4", "waving", 0.3, ["été"])])
    assert open_bags(run)[0].video.id == "caf\udce9.mp4"
    assert open_bags(run)[0].texts == ("été",)


MEASURE = """
import sys
from pathlib import Path
import numpy, maxi_core.batches.bag_index as b
def held():  # memory of the process that is no page of a file, in MB
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1000
before = held()
examples = b.open_bags(Path(sys.argv[1]))
for place in range(0, len(examples), 997):
    examples[place]
print(len(examples), held() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux says which memory is a file's")
def test_two_hundred_thousand_bags_take_no_memory_of_their_own(tmp_path: Path) -> None:
    """The file is 50 MB; what stays is the list of places (8 bytes a bag) and what Python keeps of building it."""
    run = tmp_path / "run"
    run.mkdir()
    record = {
        "schema": 1, "path": "/x.mp4", "start": None, "end": None, "kept": True, "said": {},
        "match": {"entry": "waving", "score": 0.5, "top": []},
        "texts": [{"text": "wave", "source": "gpt3", "of": "waving", "kind": "verb"}],
    }  # fmt: skip
    line = json.dumps({"video": "XXXXXX", **record})
    with (run / "bags.jsonl").open("w") as file:
        file.writelines(line.replace("XXXXXX", f"{place:06}") + "\n" for place in range(200_000))
    assert (run / "bags.jsonl").stat().st_size > 40e6
    found = []
    for _ in range(2):  # the first makes the index, the second maps it
        measured = subprocess.run(
            [sys.executable, "-c", MEASURE, str(run)], capture_output=True, text=True, check=True, env=os.environ
        )
        count, megabytes = measured.stdout.split()
        assert count == "200000"
        found.append(float(megabytes))
    assert found[0] < 15
    assert found[1] < 4


def test_the_nearest_entries_of_a_video_are_those_that_some_video_is_matched_to_its_own_first(tmp_path: Path) -> None:
    near = (("waving", 0.3), ("running", 0.29), ("kicking", 0.28))
    bags = [bag("a.mp4", "waving", 0.3), bag("b.mp4", "kicking", 0.2), bag("c.mp4", "kicking", 0.2)]
    bags[0] = replace(bags[0], match=replace(bags[0].match, top=near))
    bags[2] = replace(bags[2], match=replace(bags[2].match, top=near))
    examples = open_bags(write_run(tmp_path, bags))
    assert [examples[place].top for place in range(3)] == [
        ((1, 0.3), (0, 0.28)), ((0, 0.2),), ((0, 0.28), (1, 0.3)),
    ]  # fmt: skip
