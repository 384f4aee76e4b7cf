"""`maxi report` of studies."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.evaluation.published import published
from maxi_core.reporting.report import Wanted, make_report
from maxi_core.studies.formats import write_results
from maxi_core.studies.results import Cell, Line, Results, read_record
from maxi_core.system.files import write_text
from tests.reporting.conftest import PHONE

PAPER = tuple(one for one in published() if (one.table, one.method, one.benchmark) == ("7", "MAXI CE", "ucf101"))
RESULTS = Results(
    "loss", "Objective <b>(Table 7)</b>", "7", "one seed tells little", "mil_nce", (0, 1),
    (
        Line("mil_nce", "MIL-NCE", "done", cells=(Cell("ucf101", "top1", (50.0, 52.0)),), scores=("steps/scores/a",)),
        Line("ce", "CE", "done", cells=(Cell("ucf101", "top1", (53.0, 55.0), 3.0, -1.0, 7.0, PAPER),)),
        Line("nce", "NCE", "failed", "no space left on device"),
    ),
    ("a note",),
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "loss").mkdir()
    write_results(RESULTS, tmp_path / "loss")
    return tmp_path / "loss"


def test_what_a_study_has_written_is_read_back_whole(folder: Path) -> None:
    assert read_record(folder) == RESULTS
    assert PAPER


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_a_study_shows_its_tables_differences_and_what_failed(folder: Path, opened, width: int) -> None:
    write_text(folder / "report.html", make_report([folder], Wanted()).html)
    shown = opened(folder / "report.html", width=width)
    assert shown.texts("header nav a") == ["Study: Objective <b>(Table 7)</b>"]
    text = shown.page.locator("main").inner_text()
    assert "This study is not finished." in text
    assert shown.texts("table >> nth=0 >> tbody tr") == [
        "MIL-NCE\t51.0 ± 1.4\t", f"CE\t54.0 ± 1.4\t{PAPER[0].value:.1f}",
    ]  # fmt: skip
    assert "NCE: failed, no space left on device" in text
    assert "one seed tells little" in text
    drawn = shown.page.locator("svg.chart text.note").all_text_contents()
    assert drawn == ["CE: +3.0 [-1.0, +7.0]"]
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_interval_is_drawn_from_its_low_end_to_its_high_one(folder: Path, opened) -> None:
    write_text(folder / "report.html", make_report([folder], Wanted()).html)
    chart = opened(folder / "report.html").page.locator("svg.chart")
    low, zero, value, high = (
        float(chart.locator(selector).get_attribute(name))
        for selector, name in ((".line", "x1"), (".mark", "x1"), (".dot", "cx"), (".line", "x2"))
    )
    assert (zero - low) / (high - low) == pytest.approx(1 / 8, abs=0.01)
    assert (value - low) / (high - low) == pytest.approx(4 / 8, abs=0.01)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"schema": 1}',
        json.dumps({**RESULTS.as_record(), "lines": [{"name": 1}]}),
        json.dumps({**RESULTS.as_record(), "seeds": ["x"]}),
        json.dumps({**RESULTS.as_record(), "schema": 2}),
        json.dumps({**RESULTS.as_record(), "lines": [{**RESULTS.as_record()["lines"][0], "cells": [{}]}]}),
    ],
)
def test_what_is_no_study_is_one_line(folder: Path, text: str) -> None:
    (folder / "study.json").write_text(text)
    with pytest.raises(UsageError, match=r"study\.json") as said:
        make_report([folder], Wanted())
    assert "\n" not in str(said.value)


def test_a_study_of_which_nothing_is_done_has_no_tables_and_says_so(folder: Path) -> None:
    lines = tuple(replace(line, state="not begun", why="0 of 2 seeds", cells=()) for line in RESULTS.lines)
    write_results(replace(RESULTS, lines=lines), folder)
    page = make_report([folder], Wanted()).html
    assert "This study is not finished." in page
    assert "MIL-NCE: not begun, 0 of 2 seeds" in page
