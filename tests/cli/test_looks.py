"""What commands print looks right in 80 columns, with and without colour."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from maxi_cli.terminal import below_each_other
from maxi_core.bags.stats import word_uses
from maxi_core.types import Text
from tests.conftest import Ran
from tests.reporting.evaluations import write_scores
from tests.reporting.runs import bag, write_run

LONG = "pretending to put something, something and something (that is not there) on a slanted surface"
NAME = f"train_256/{'x' * 70} 打太极拳 [b]markup[/b].mp4"
SCORES = [[0.9, 0.1, 0.0], [0.1, 0.3, 0.2], [0.1, 0.9, 0.0]]
ESCAPE = re.compile(r"\x1b\[[\d;]*m")

Show = Callable[..., str]


@pytest.fixture
def show(tmp_path: Path, maxi: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> Show:
    monkeypatch.chdir(tmp_path)
    bags = [bag(0, video=NAME, entry=LONG, captions=[f"a person who is {LONG}", "a person is waving"])]
    bags += [bag(place) for place in range(1, 40)]
    write_run(tmp_path / "run", bags)
    for name in ("first", "runs/kinetics400-gpt3-blip-keep-0.9/vitb16-lr5e-6-seed1024/step-00009370"):
        write_scores(tmp_path / name[:5], name, SCORES, (0, 1, 1), videos=tmp_path, skipped=0)

    def call(*words: str) -> str:
        ran = maxi(*words)
        assert ran.code == 0, ran.err
        return ran.out

    return call


COMMANDS = [
    ("show", "run"),
    ("show", "run", "train_256"),
    ("stats", "run"),
    ("stats", "run", "--word", "move"),
    ("compare", "first", "runs/"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_line_is_wider_than_80_columns_and_colour_changes_no_letter(
    show: Show, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.cells import cell_len

    plain = show(*words)
    assert "\x1b" not in plain
    assert max(cell_len(line) for line in plain.splitlines()) <= 80
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = show(*words)
    assert ESCAPE.sub("", coloured) == plain
    assert "\x1b" in coloured


def test_what_goes_on_in_a_further_line_stands_further_in(show: Show) -> None:
    lines = show("show", "run", "train_256").splitlines()
    assert lines[lines.index("captioner said") + 1].startswith("  a person who is pretending")
    assert lines[lines.index("captioner said") + 2].startswith("    ")
    place = next(place for place, line in enumerate(lines) if line.startswith("match: "))
    assert lines[place + 1].startswith("  ")
    place = next(place for place, line in enumerate(lines) if line.startswith("  phraser: "))
    assert lines[place + 1].startswith("    ")
    assert not any(line.endswith(" ") for line in lines[2:])


def test_the_bars_of_scores_begin_at_one_column_whatever_the_sign(show: Show) -> None:
    lines = show("stats", "run").partition("\nscores\n")[2].splitlines()
    assert any("-0." in line for line in lines)
    assert any("-" not in line for line in lines)
    assert len({re.search(r"\d ( *#|\d+$| \d+$)", line).start(1) for line in lines}) == 1


def test_texts_stand_left_and_numbers_right(show: Show) -> None:
    head, *rows = show("stats", "run", "--word", "move").splitlines()
    assert head.index("from") == rows[0].index("phraser")
    block = show("compare", "first", "runs/").partition("\n\n")[0].splitlines()
    ours, theirs = (next(line for line in block if line.startswith(name)) for name in ("first", "CLIP "))
    assert ours.index("100.0") + 1 == theirs.index("69.9±1.3")


def test_points_of_scores_are_below_each_other() -> None:
    assert below_each_other(["69.9±1.3", "100.0", "-", "5.1±10.2"]) == [" 69.9±1.3", "100.0", "    -", "  5.1±10.2"]


def test_the_sources_of_a_word_keep_the_order_of_the_bag() -> None:
    sources = [f"source {place}" for place in range(8)]
    made = bag(0)
    made = replace(made, texts=tuple(Text("move", source, made.match.entry, "verb") for source in sources))
    (use,) = word_uses([made], "move")
    assert list(use.sources) == sources
