"""Comparisons: against the published numbers, between runs with intervals, as table, Markdown, CSV, LaTeX, JSON."""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pandas
import pytest

from maxi_core.evaluation.comparing import compare
from maxi_core.evaluation.published import TABLES, published

SPEC = Path(__file__).parents[3] / "shared" / "SPEC.md"


def run(folder: Path, model: str, rank: list[int], **more) -> Path:
    """Write the scores of a run on `ucf101:1` with these places of the right class."""
    folder.mkdir(parents=True)
    lines = [
        {"schema": 1, "video": f"v{n}", "labels": ["a"], "ids": [n % 4], "top": [], "rank": r}
        for n, r in enumerate(rank)
    ]
    (folder / "predictions-ucf101-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    places = np.array(rank)
    record = {
        "schema": 1, "benchmark": "ucf101", "split": "1", "model": model, "n": len(rank), "skipped": 0,
        "metrics": {"top1": float((places == 1).mean()), "top5": float((places <= 5).mean())},
        "prompt": "a photo of a {}.", "frames": 16, "list_sha256": "x", "predictions": "predictions-ucf101-1.jsonl",
        **more,
    }  # fmt: skip
    (folder / "scores.json").write_text(json.dumps([record]))
    return folder / "scores.json"


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    return [
        run(tmp_path / "a", "sandbox", rng.integers(1, 4, 300).tolist()),
        run(tmp_path / "b", "runs/mine/x_1", rng.integers(1, 3, 300).tolist()),
    ]


@pytest.mark.skipif(not SPEC.is_file(), reason="the specification is not here")
def test_every_published_number_stands_in_the_specification() -> None:
    text = SPEC.read_text(encoding="utf-8").split("## 10.")[1].split("## 11.")[0]
    missing = [one for one in published() if f"{one.value:g}" not in text and f"{one.value:.2f}" not in text
               and f"{one.value:.1f}" not in text]  # fmt: skip
    assert missing == []


def test_the_published_tables_are_whole() -> None:
    counts = Counter(one.table for one in published())
    assert set(counts) == set(TABLES)
    assert counts == {
        "1": 14 * 4 - 5, "2": 5 * 7, "3": 6 * 12 + 6, "4": 35, "5": 21, "6": 15, "7": 15, "8": 12, "S9": 65, "S10": 21,
    }  # fmt: skip
    best = next(one for one in published() if (one.table, one.method) == ("1", "MAXI +GPT3+BLIP"))
    assert (best.benchmark, best.metric, best.value, best.deviation) == ("ucf101", "top1", 78.2, 0.8)
    charades = [one.value for one in published() if (one.table, one.metric) == ("2", "map")]
    assert charades == [25.77, 19.80, 23.47, 23.74, 23.79]


def test_runs_stand_before_the_published_numbers_and_differ_from_the_first_with_an_interval(runs: list[Path]) -> None:
    found = compare(runs, metrics=["top1"])
    assert [line.who for line in found.lines[:3]] == ["sandbox", "runs/mine/x_1", "CLIP"]
    first, second, clip = found.lines[:3]
    assert first.interval is None
    assert second.interval.difference == pytest.approx(second.value - first.value)
    assert second.interval.low > 0
    assert (clip.value, clip.deviation, clip.source) == (69.9, 1.3, "table 1")
    assert found.notes == ()


def test_an_interval_over_classes_is_wider_where_only_some_classes_gain(tmp_path: Path) -> None:
    first = run(tmp_path / "a", "first", [2] * 200)
    second = run(tmp_path / "b", "second", [1 if n % 4 == 0 else 2 for n in range(200)])
    narrow, wide = (compare([first, second], metrics=["top1"], over=over).lines[1] for over in ("videos", "classes"))
    assert narrow.interval.difference == wide.interval.difference == pytest.approx(25)
    assert narrow.interval.low > 15
    assert wide.interval.low == 0  # one class of four: a third of all draws has it not once


def test_the_command_draws_classes_too_where_it_is_told(maxi, runs: list[Path]) -> None:
    words = ("compare", *map(str, runs), "--tables", "none", "--json")
    videos, classes = (json.loads(maxi(*words, "--over", over).out)["lines"] for over in ("videos", "classes"))
    assert videos == json.loads(maxi(*words).out)["lines"]
    assert videos[1]["interval"]["difference"] == pytest.approx(classes[1]["interval"]["difference"])
    assert videos[1]["interval"] != classes[1]["interval"]


def test_runs_of_other_videos_or_settings_are_named_and_get_no_interval(tmp_path: Path, runs: list[Path]) -> None:
    other = run(tmp_path / "c", "third", [1, 2], frames=8, list_sha256="y")
    found = compare([runs[0], other], metrics=["top1"], tables=[])
    assert [line.interval for line in found.lines] == [None, None]
    assert found.notes == (
        "ucf101: frames differs (sandbox: 16, third: 8)",
        "ucf101: the runs are of different videos or labels",
    )


def test_a_run_without_its_predictions_is_compared_without_an_interval(runs: list[Path]) -> None:
    (runs[1].parent / "predictions-ucf101-1.jsonl").unlink()
    assert compare(runs, tables=[]).lines[1].interval is None


def test_the_command_prints_a_table_of_80_columns_and_three_other_formats(maxi, runs: list[Path]) -> None:
    ran = maxi("compare", *map(str, runs))
    assert ran.code == 0
    assert "table 1" in ran.out
    assert all(len(line) <= 80 for line in ran.out.splitlines())
    markdown = maxi("compare", *map(str, runs), "--format", "markdown", "--tables", "none").out
    assert markdown.splitlines()[1].startswith("|---|")
    assert len(markdown.splitlines()) == 2 + 4
    rows = list(csv.reader(io.StringIO(maxi("compare", *map(str, runs), "--format", "csv").out)))
    assert {len(row) for row in rows} == {9}
    latex = maxi("compare", *map(str, runs), "--format", "latex").out
    assert r"runs/mine/x\_1" in latex
    assert r"69.9$\pm$1.3" in latex
    document = json.loads(maxi("compare", *map(str, runs), "--json").out)
    assert document["schema"] == 1
    assert document["lines"][1]["interval"]["low"] > 0


def test_latex_has_six_cells_a_row_with_all_that_is_special_escaped(maxi, tmp_path: Path) -> None:
    first = run(tmp_path / "a", "first", [1, 1])
    other = run(tmp_path / "b", '50%_$&#{}~^\\<a|b>"x\x1b[31m--y\n*', [1, 2])
    for path in (first, other):
        path.write_text(path.read_text().replace('"ucf101"', '"[own]"'))
    rows = maxi("compare", str(first), str(other), "--format", "latex", "--tables", "none").out.splitlines()
    assert (rows[0], rows[-1]) == (r"\begin{tabular}{lllrrl}", r"\end{tabular}")
    escapes = r"\\text[a-z]+\{\}|\\[&%$#_{}]|\$(-|\\pm)\$|\{\}"
    bare = [re.sub(escapes, "", row.removesuffix(r" \\")) for row in rows[2:-1] if row != r"\hline"]
    assert {row.count("&") for row in bare} == {5}
    assert not [row for row in bare if set(row) & set("%$#_{}~^\\<>|\x1b")]
    assert not [row for row in rows if row.startswith(("[", "*"))]
    assert all(row.endswith((r" \\", r"\hline", "}")) for row in rows)
    assert "[31m-{}-y *" in rows[5]
    assert r"$-$" in rows[5].split(" & ")[4]


def test_pandas_reads_the_csv_as_numbers(maxi, runs: list[Path]) -> None:
    frame = pandas.read_csv(io.StringIO(maxi("compare", *map(str, runs), "--format", "csv", "--tables", "1").out))
    numbers = ["value", "deviation", "difference", "low", "high"]
    assert [str(kind) for kind in frame.dtypes[numbers]] == ["float64"] * 5
    assert frame["low"][1] <= frame["difference"][1] <= frame["high"][1]
    assert frame["difference"].isna()[0]


def test_a_name_that_is_a_formula_or_a_bar_is_harmless(maxi, tmp_path: Path) -> None:
    path = run(tmp_path / "x", "=cmd()|a", [1, 2])
    assert "'=cmd()|a" in maxi("compare", str(path), "--format", "csv").out
    assert "=cmd()\\|a" in maxi("compare", str(path), "--format", "markdown").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which scores?"),
        (["nowhere.json"], "there are no scores at nowhere.json"),
        (["{scores}", "--metrics", "top3"], "there is no metric 'top3'"),
        (["{scores}", "--tables", "12"], "there is no table '12'"),
        (["{other}"], "holds no scores"),
        (["{odd}"], "holds no scores"),
        (["{scores}", "--seed", "-1"], "--seed"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(maxi, tmp_path: Path, runs, arguments, said: str) -> None:
    (tmp_path / "other.json").write_text("{}")
    record = {**json.loads(runs[0].read_text())[0], "metric": {}}
    (tmp_path / "odd.json").write_text(json.dumps([record]))
    named = {"scores": runs[0], "other": tmp_path / "other.json", "odd": tmp_path / "odd.json"}
    filled = [word.format(**named) for word in arguments]
    ran = maxi("compare", *filled)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert said in ran.err


def test_what_was_forgotten_stands_beside_each_score(maxi, tmp_path: Path) -> None:
    paths = []
    for name, gained, kept in (("a", [1, 2] * 20, [1] * 40), ("b", [1] * 40, [1, 1, 1, 2] * 10)):
        path = run(tmp_path / name, name, gained)
        (record,) = json.loads(path.read_text())
        other = run(tmp_path / name / "kept", name, kept)
        (tmp_path / name / "kept.jsonl").write_text((other.parent / "predictions-ucf101-1.jsonl").read_text())
        (of_kept,) = json.loads(other.read_text())
        of_kept |= {"benchmark": "mine", "predictions": "kept.jsonl", "metric": "top1"}
        path.write_text(json.dumps([record, of_kept]))
        paths.append(path)
    words = ("compare", *map(str, paths), "--metrics", "top1", "--tables", "none", "--forgetting", "mine")
    first, second, *_ = json.loads(maxi(*words, "--json").out)["lines"]
    assert first["forgetting"] is None
    assert (second["interval"]["difference"], second["forgetting"]["difference"]) == (50, -25)
    assert second["forgetting"]["low"] < -25 < second["forgetting"]["high"]
    shown = maxi(*words).out.splitlines()
    assert shown[1].split() == ["score", "against", "the", "first", "forgetting"]
    assert shown[3].split()[:4] == ["b", "100.0", "+50.0", "[+35.0,"]
    assert shown[3].split()[-3] == "-25.0"
    header, _, row, other, *_ = maxi(*words, "--format", "markdown").out.splitlines()
    assert header.endswith("| source | forgetting |")
    assert row.endswith("|  |")
    assert "| -25.0 [" in other
    rows = list(csv.reader(io.StringIO(maxi(*words, "--format", "csv").out)))
    assert rows[0][-3:] == ["forgetting", "forgetting_low", "forgetting_high"]
    assert {len(row) for row in rows} == {12}
    assert r"\begin{tabular}{lllrrlr}" in maxi(*words, "--format", "latex").out
    assert "there is no benchmark 'other'" in maxi(*words[:-1], "other").err
    (record, _) = json.loads(paths[1].read_text())
    paths[1].write_text(json.dumps([record]))
    assert "has no scores on mine" in maxi(*words).err
