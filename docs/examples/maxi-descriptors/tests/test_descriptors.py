import json
from pathlib import Path

import pytest
from maxi_descriptors import Descriptors, read_descriptors, read_labels

from maxi_core import Failed, UsageError
from maxi_core.testing import contract

HERE = Path(__file__).parent
OST = {"0": ["Grab a brush", "Brush the hair "], "1": ["Throw a ball up"], "2": ["Sit at a board", "Move a piece"]}
FROSTER = {
    "0": "Brush hair: A person is brushing hair.",
    "1": "Juggling balls: Balls fly.",
    "2": "playing chess: Two: one.",
}
LABELS = "id,name\n0,brush hair\n1,Juggling balls\n2,playing chess\n3,standing\n"

test_descriptors_keep_the_contract = contract(
    lambda: Descriptors(Descriptors.Options(file=HERE / "ost.json", labels=HERE / "labels.csv")),
    questions=["brush hair", "juggling balls", "playing chess"],
)


def write(folder: Path, document: object, labels: str | None = LABELS) -> tuple[Path, Path | None]:
    (folder / "d.json").write_text(document if isinstance(document, str) else json.dumps(document))
    if labels is not None:
        (folder / "l.csv").write_text(labels)
    return folder / "d.json", None if labels is None else folder / "l.csv"


def said(folder: Path, document: object, *entries: str, labels: str | None = LABELS, **options: int) -> object:
    file, table = write(folder, document, labels)
    return Descriptors(Descriptors.Options(file=file, labels=table, **options)).expand(list(entries))


def test_the_layout_of_ost_is_lists_by_label_id(tmp_path: Path) -> None:
    assert said(tmp_path, OST, "playing chess", "brush hair") == [
        ["Sit at a board", "Move a piece"],
        ["Grab a brush", "Brush the hair"],
    ]


def test_the_layout_of_froster_is_one_text_that_begins_with_the_class(tmp_path: Path) -> None:
    assert said(tmp_path, FROSTER, "brush hair", "playing chess") == [["A person is brushing hair."], ["Two: one."]]


@pytest.mark.parametrize("value", [["Grab a brush"], "Grab a brush", "Brush hair: Grab a brush"])
def test_by_class_name_no_labels_are_needed_and_spelling_does_not_matter(tmp_path: Path, value: object) -> None:
    assert said(tmp_path, {"BrushHair": value}, "brush_hair", labels=None) == [["Grab a brush"]]


def test_a_colon_inside_a_text_means_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, {"0": "Two hands: one brush"}, "brush hair") == [["Two hands: one brush"]]


def test_an_entry_without_descriptors_is_failed_with_the_nearest(tmp_path: Path) -> None:
    first, second = said(tmp_path, OST, "brushing hair", "juggling balls")
    assert isinstance(first, Failed)
    assert "has no descriptors of 'brushing hair' (did you mean 'brush hair'?)" in first.reason
    assert second == ["Throw a ball up"]


def test_a_limit_keeps_the_first(tmp_path: Path) -> None:
    assert said(tmp_path, OST, "playing chess", limit=1) == [["Sit at a board"]]


@pytest.mark.parametrize(
    ("document", "labels", "reason"),
    [
        (OST, None, "the keys of .*d.json are label ids, such as 0; name the CSV"),
        ({"7": ["x"]}, LABELS, "has label 7, which is not in .*l.csv"),
        (
            {"0": "Juggling balls: Balls fly."},
            LABELS,
            "d.json says of 'brush hair' what begins with another class, 'Juggling balls'",
        ),
        ({"brush hair": ["x"], "Brush_Hair": ["y"]}, None, "speaks of 'Brush_Hair' twice, of 'brush hair' too"),
        ('{"a": ["x"], "a": ["y"]}', None, "has the key 'a' twice"),
        ({"a": 3}, None, "'a' has neither a text nor a list of texts"),
        ({"a": [3]}, None, "'a' has neither a text nor a list of texts"),
        ([], None, "is no JSON object with a key for each class"),
        ({}, None, "is no JSON object with a key for each class"),
        ('{"a": ', None, "is not JSON"),
        (OST, "id;name\n0;x\n", "its header is not id,name"),
        (OST, "id,name\n0,x\nzero,y\n", "l.csv:3 is not of the form id,name"),
        (OST, "id,name\n0,x\n0,y\n", "l.csv:3 has label 0 a second time"),
    ],
)
def test_what_does_not_fit_is_one_line_that_names_both_sides(
    tmp_path: Path, document: object, labels: str | None, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason) as error:
        read_descriptors(*write(tmp_path, document, labels))
    assert "\n" not in str(error.value)


def test_a_missing_file_or_option_is_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"descriptors has no file; type -o descriptors.file=FILE"):
        Descriptors().fingerprint()
    with pytest.raises(UsageError, match=r"cannot read .*none.json"):
        Descriptors(Descriptors.Options(file=tmp_path / "none.json")).fingerprint()
    (tmp_path / "latin.csv").write_bytes("id,name\n0,caf\xe9\n".encode("latin-1"))
    with pytest.raises(UsageError, match="it is not UTF-8 text"):
        read_labels(tmp_path / "latin.csv")
