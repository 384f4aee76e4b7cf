"""Dictionaries: files as people have them, known names, and one clear line for what cannot be right."""

import csv
import logging
import os
import time
import tracemalloc
from pathlib import Path

import pytest

from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import UsageError
from maxi_core.texts import name_key, near_duplicates

SHARED = Path(os.environ.get("MAXI_SHARED", Path(__file__).parents[3] / "shared")) / "data" / "labels"


def written(folder: Path, content: str | bytes, name: str = "actions.txt") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "riding a bike\njuggling\n",
        "riding a bike\r\njuggling",
        "riding a bike\rjuggling\r",
        "\n riding a bike \n\n\t\n\u200b\njuggling\n\n",
        "riding a bike\njuggling\n".encode("utf-8-sig"),
        "riding a bike\njuggling\n".encode("utf-16"),
        "\ufeffid,name\r\n0,riding a bike\r\n1,juggling\r\n",
        'id,name\n0,"riding a bike"\n\n1,juggling\n',
        "ID, Name\n7,riding a bike\n3,juggling\n",
    ],
    ids=["lf", "crlf", "cr", "blanks", "bom", "utf-16", "csv", "quoted csv", "header in capitals"],
)
def test_a_file_gives_its_entries_in_order(tmp_path: Path, content: str | bytes) -> None:
    dictionary = read_dictionary(written(tmp_path, content))
    assert dictionary.entries == ("riding a bike", "juggling")
    assert dictionary.name == str(tmp_path / "actions.txt")


def test_names_with_commas_stay_whole(tmp_path: Path) -> None:
    assert read_dictionary(written(tmp_path, 'id,name\n0,"laying it on its side, not upright"\n1,run\n')).entries == (
        "laying it on its side, not upright",
        "run",
    )
    assert (
        read_dictionary(written(tmp_path, "on its side, not upright\nrun\n")).entries[0] == "on its side, not upright"
    )


def test_entries_are_in_nfc_so_that_two_spellings_of_one_letter_are_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'café' twice, in lines 1 and 3"):
        read_dictionary(written(tmp_path, "cafe\u0301\nrun\ncaf\u00e9\n"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("run\n\njump\nrun\n", "has 'run' twice, in lines 1 and 4"),
        ("id,name\n0,run\n1,run\n", "has 'run' twice, in lines 2 and 3"),
        ("", "is empty"),
        (" \n\u200b\n", "is empty"),
        ("id,name\n", "is empty"),
        ("id,name\n0,run\n1,jump, high\n", "line 3: 3 columns instead of id,name"),
        ('id,name\n0,"run\n1,jump\n', "is not CSV"),
        (b"run\njump\ncaf\xe9\n", "line 3: this is not UTF-8 text"),
    ],
)
def test_what_cannot_be_right_is_refused_with_the_line(tmp_path: Path, content: str | bytes, says: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_dictionary(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_an_unknown_name_is_refused_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no dictionary 'kinetic400:20' \(did you mean 'kinetics400'\?\)"):
        read_dictionary("kinetic400:20")
    for path in (tmp_path, tmp_path / ("x" * 300)):
        with pytest.raises(UsageError, match="cannot read"):
            read_dictionary(path)


def test_a_file_that_is_called_like_a_known_name_is_not_preferred_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "run\njump\n", "sandbox")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"also a file in this folder; type \./sandbox"):
        read_dictionary("sandbox")
    assert read_dictionary("./sandbox").entries == ("run", "jump")


def test_kinetics400_is_torchvisions_list() -> None:
    from torchvision.models.video import MViT_V2_S_Weights

    entries = read_dictionary("kinetics400").entries
    assert len(set(entries)) == 400
    assert list(entries) == MViT_V2_S_Weights.KINETICS400_V1.meta["categories"]


def test_kinetics400_is_the_list_of_the_label_files() -> None:
    path = SHARED / "kinetics_400_labels.csv"
    if not path.exists():
        pytest.skip("the label files are not beside this checkout")
    assert read_dictionary(path).entries == read_dictionary("kinetics400").entries


def test_minikinetics_is_a_list_of_its_own_and_no_draw_of_kinetics400() -> None:
    mini, drawn = read_dictionary("minikinetics").entries, read_dictionary("kinetics400:200").entries
    assert len(set(mini)) == 200
    assert set(mini) < set(read_dictionary("kinetics400").entries)
    assert len(set(mini) & set(drawn)) == 95
    assert mini[:3] == ("air drumming", "answering questions", "applauding")


def test_a_subset_is_drawn_by_its_seed_and_keeps_the_order() -> None:
    whole = read_dictionary("kinetics400").entries
    drawn = read_dictionary("kinetics400:200").entries
    assert len(set(drawn)) == 200
    assert [entry for entry in whole if entry in drawn] == list(drawn)
    assert read_dictionary("kinetics400:200:0").entries == drawn
    assert read_dictionary("kinetics400:200:1").entries != drawn
    assert read_dictionary("kinetics400:400").entries == whole
    assert drawn[:3] == ("abseiling", "archery", "arranging flowers"), "the draw of seed 0 is the same for ever"


@pytest.mark.parametrize(
    "name", ["kinetics400:0", "kinetics400:401", "kinetics400:x", "kinetics400:2:1:0", "sandbox:17"]
)
def test_a_subset_that_cannot_be_drawn_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        read_dictionary(name)


def test_the_sandbox_has_a_dictionary() -> None:
    assert len(read_dictionary("sandbox").entries) == 16


def test_near_duplicates_and_a_single_entry_are_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="maxi"):
        read_dictionary(written(tmp_path, "riding bikes\nrun\nRiding_Bike\nRun\n"))
        read_dictionary(written(tmp_path, "run\n"))
    assert "'riding bikes' and 'Riding_Bike', 'run' and 'Run'" in caplog.messages[0]
    assert "has one entry: every video will match 'run'" in caplog.messages[1]
    assert len(caplog.messages) == 2


def test_an_ordinary_dictionary_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="maxi"):
        read_dictionary("kinetics400")
    assert caplog.messages == []


def test_an_entry_of_a_megabyte_is_cut_and_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="maxi"):
        entries = read_dictionary(written(tmp_path, "run\n" + "jump" * 250_000 + "\n")).entries
    assert len(entries[1]) == 1000
    assert "cut at 1000 characters: line 2" in caplog.messages[0]


def test_a_hundred_thousand_entries_take_seconds(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"doing the thing of number {number:x}\n" for number in range(100_000)))
    start = time.process_time()
    assert len(read_dictionary(path).entries) == 100_000
    assert time.process_time() - start < 10


def test_reading_takes_memory_for_the_entries_and_little_else(tmp_path: Path) -> None:
    path = written(tmp_path, "".join(f"doing the thing of number {number:x}\n" for number in range(20_000)))
    tracemalloc.start()
    read_dictionary(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16e6, "800 bytes an entry: with 100,000 of them 80 MB"


@pytest.mark.parametrize("file", sorted(path.name for path in SHARED.glob("*.csv")))
def test_every_label_file_of_the_field_is_read_whole(file: str) -> None:
    """`ZS_split*` are other tables; the rest have as many names as the csv module finds, after strict parsing."""
    with (SHARED / file).open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.reader(opened))
    if rows[0] != ["id", "name"]:
        pytest.skip("no labels CSV")
    names = [row[1].strip() for row in rows[1:] if row]
    if len(set(names)) < len(names):
        with pytest.raises(UsageError, match="twice, in lines"):
            read_dictionary(SHARED / file)
    else:
        assert list(read_dictionary(SHARED / file).entries) == names


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ApplyEyeMakeup", "apply eye makeup"),
        ("push_up", "Push Up"),
        ("tying knot (not on a tie)", "tying knot not on a tie"),
        ("adult+male+speaking", "adult male speaking"),
        ("Laying something on its side, not upright", "laying something on its side not upright"),
    ],
)
def test_names_are_the_same_whatever_their_case_spaces_and_punctuation(one: str, other: str) -> None:
    assert name_key(one) == name_key(other)


def test_names_of_nothing_but_punctuation_are_no_duplicates_of_each_other() -> None:
    assert list(near_duplicates(["?!", "...", "run"])) == []
