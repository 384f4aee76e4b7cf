"""scores.json and predictions that somebody edited or that are damaged: one line that names the file, never a fault."""

import json
from pathlib import Path
from typing import Any

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.comparing import compare
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.records import KNOWN, NEEDED
from maxi_core.evaluation.saving import folders_for
from maxi_core.export.card import _scores
from tests.evaluation.test_comparing import run

ODD = ("missing", None, "\ud800\0", ["a"], {"a": {"b": "c"}}, {"top1": float("nan")})


class _Model:
    """As much of a model as its card asks for."""

    identity, name, about = "w", "m", {}  # type: ignore[var-annotated]


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Write the scores of two runs with every key that is read."""
    more: dict[str, Any] = {
        "metric": "top1", "weights_sha256": "w", "names": "written", "views": "1x1", "normalisation": "model",
        "precision": "float32", "mostly_skipped": False, "prompts": None, "deviations": {"top1": 0.1},
        "groups": {"novel": {"classes": 1, "n": 2, "top1": 0.5}},
    }  # fmt: skip
    return [run(tmp_path / name, name, [1, 2, 7, 1], **more) for name in ("a", "b")]


def changed(path: Path, key: str, value: Any) -> None:
    (record,) = json.loads(path.read_text())
    record[key] = value
    if value == "missing":
        del record[key]
    path.write_text(json.dumps([record]))


def readers(maxi: Any, pair: list[Path], out: Path) -> list[Any]:
    """Ask every command that reads scores; return what came of each."""
    a, b = map(str, pair)
    page = ("--no-pictures", "--out", str(out))
    return [maxi("compare", a, b, "--forgetting", "ucf101"), maxi("report", a, str(pair[1].parent), *page)]


def test_every_key_of_scores_may_be_missing_or_odd_and_the_file_is_named(
    maxi, pair: list[Path], tmp_path: Path
) -> None:
    whole = pair[1].read_text()
    keys = json.loads(whole)[0].keys()
    assert keys >= {*NEEDED, *KNOWN}
    for key in keys:
        for value in ODD:
            changed(pair[1], key, value)
            for ran in readers(maxi, pair, tmp_path / "out.html"):
                assert ran.code in (0, 2), (key, value, ran.err)
                assert ran.code == 0 or (str(pair[1].parent) in ran.err and ran.err.count("\n") == 1), ran.err
            with_card(pair[1])
            pair[1].write_text(whole)


def with_card(path: Path) -> None:
    said = ""
    try:
        _scores(_Model(), [path])  # type: ignore[arg-type]
    except UsageError as error:
        said = error.problem
    assert not said or str(path) in said


@pytest.mark.parametrize("key", NEEDED)
def test_a_key_that_is_needed_is_named_where_it_is_missing(maxi, pair: list[Path], key: str) -> None:
    changed(pair[1], key, "missing")
    for typed in (("compare", *pair), ("report", pair[1])):
        ran = maxi(*typed)
        assert (ran.code, f"{pair[1]} holds no scores: record 1: it has no {key};" in ran.err) == (2, True), ran.err


def test_scores_that_cannot_be_read_are_named_before_anything_is_evaluated(pair: list[Path]) -> None:
    changed(pair[1], "n", "missing")
    with pytest.raises(UsageError, match="holds no scores: record 1: it has no n"):
        folders_for(["b"], pair[1].parents[1], Protocol())


@pytest.mark.parametrize("key", ["video", "ids", "rank"])
def test_damaged_predictions_are_named_and_scores_stand_without_an_interval(maxi, pair: list[Path], key: str) -> None:
    path = pair[1].parent / "predictions-ucf101-1.jsonl"
    first, *rest = path.read_text().splitlines()
    for value in ODD:
        line = {**json.loads(first), key: value}
        if value == "missing":
            del line[key]
        path.write_text("\n".join([*rest, json.dumps(line)]))
        ran = maxi("compare", *pair)
        assert ran.code == 0, (key, value, ran.err)
        said = f"maxi: no intervals: {path}, line 4, is no prediction: it " in ran.err or f"{key} is " in ran.err
        assert said or (key, value) in ALLOWED, (key, value, ran.err)
    assert "[" not in ran.out


ALLOWED = [("video", one) for one in ODD if isinstance(one, str) and one != "missing"] + [("rank", 1), ("rank", 1.0)]


@pytest.mark.parametrize("text", ["[]\n", "\0\0", "{", "[" * 100_000, "null\n", b"\xff\xfe{"])
def test_predictions_that_are_no_json_lines_are_named(maxi, pair: list[Path], text: str | bytes) -> None:
    path = pair[1].parent / "predictions-ucf101-1.jsonl"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = maxi("compare", *pair)
    assert (ran.code, f"no intervals: {path}, line 1, is no prediction" in ran.err) == (0, True), ran.err
    assert any("no intervals" in note for note in compare(pair).notes)


def test_scores_of_videos_with_several_labels_are_of_the_same_classes(maxi, tmp_path: Path) -> None:
    both = []
    for name, width in (("a", 4), ("b", 3)):
        both.append(run(tmp_path / name, name, [1, 1], metrics={"map": 0.5}, metric="map"))
        path = both[-1].parent / "predictions-ucf101-1.jsonl"
        lines = [{**json.loads(line), "scores": [0.1] * width} for line in path.read_text().splitlines()]
        lines[0]["ids"] = [3]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ran = maxi("compare", *both)
    assert (ran.code, "line 1, is no prediction: its scores are of other classes" in ran.err) == (0, True), ran.err
