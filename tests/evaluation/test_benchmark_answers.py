"""What a plugin's benchmark gives for a split and as its metric: taken where it can be read, else named in one line."""

from pathlib import Path

import numpy as np
import pytest

from maxi_core.errors import PluginError
from maxi_core.evaluation.benchmarks.lists import Annotations
from maxi_core.evaluation.benchmarks.opening import open_benchmark, training_split
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark
from maxi_core.evaluation.scoring import _metrics
from maxi_core.plugin.catalog import discover
from tests.conftest import FakeDist

OWN = """
    import math, sys
    from pathlib import Path
    import numpy, torch
    from maxi_core import Benchmark, Listing, Row, hookimpl

    ROWS = (Row("a.mp4", ("run",)), Row("b.mp4", ("jump",)))
    CLASSES = ("run", "jump")

    class Own(Benchmark):
        name = "moves"
        title = "Own moves"
        metric = "near"

        def listing(self, files, split):
            return LISTING

        training = listing

        def measure(self, scores, labels):
            return {"near": NEAR}

    @hookimpl
    def maxi_register_benchmarks():
        return [Own]
"""

GOOD = "Listing(CLASSES, ROWS)"


def opened(fake_dist: FakeDist, tmp_path: Path, listing: str = GOOD, near: str = "0.5") -> OpenedBenchmark:
    """Return the benchmark whose loader and metric give what these expressions say."""
    fake_dist("own", OWN.replace("LISTING", listing).replace("NEAR", near))
    return open_benchmark("moves", discover(only=["own"]), annotations=tmp_path)


WRONG = {
    "Listing(CLASSES, 'ab')": "gave 'ab' for its rows, not Rows",
    "Listing(CLASSES, ('a', 'b'))": "gave 'a' among its rows, which are Rows",
    "Listing(CLASSES, None)": "gave None for its rows",
    "Listing(CLASSES, (row for row in ()))": "gave a split without videos",
    "Listing(CLASSES, (1 / 0 for _ in 'a'))": "raised ZeroDivisionError: division by zero when it was asked for its s",
    "Listing(CLASSES, (sys.exit(0) for _ in 'a'))": "called sys.exit(0) when it was asked for its split",
    "Listing(CLASSES, (Row(None, ('run',)),))": "gave a row with the path None, which no file has",
    "Listing(CLASSES, (Row('', ('run',)),))": "gave a row with the path '', which no file has",
    "Listing(CLASSES, (Row('a\\0b.mp4', ('run',)),))": "gave a row with the path 'a\\x00b.mp4', which no file has",
    "Listing(CLASSES, (Row('\\ud800.mp4', ('run',)),))": "gave a row with the path '\\ud800.mp4', which no file has",
    "Listing(('a', 'b'), (Row('a.mp4', 'a'),))": "gave 'a.mp4' the classes 'a', which are not its own",
    "Listing(CLASSES, (Row('a.mp4', None),))": "gave 'a.mp4' the classes None",
    "Listing(CLASSES, (Row('a.mp4', (1,)),))": "gave 'a.mp4' the classes (1,)",
    "Listing(CLASSES, (Row('a.mp4', ()),))": "gave 'a.mp4' the classes ()",
    "Listing(CLASSES, (Row('a.mp4', ([],)),))": "gave 'a.mp4' the classes ([],)",
    "Listing(CLASSES, (Row('a.mp4', CLASSES),))": "gave 'a.mp4' 2 classes, where each video has one (no mul",
    "Listing(CLASSES, (Row('a.mp4', ('run',), 'x'),))": "gave 'a.mp4' the line 'x', which is no number",
    "Listing(CLASSES, (Row('a.mp4', ('run',), 1, 'a', 'b'),))": "gave 'a.mp4' the window 'a' to 'b', which is not in s",
    "Listing(CLASSES, (Row('a.mp4', ('run',), 1, math.nan),))": "gave 'a.mp4' the window nan to None, which is not in",
    "Listing(CLASSES, (Row('a.mp4', ('run',), 1, -1.0),))": "gave 'a.mp4' the window -1.0 to None, which is not in",
    "Listing(CLASSES, (Row('a.mp4', ('run',), 1, 5.0, 1.0),))": "gave 'a.mp4' the window 5.0 to 1.0, which ends before",
    "Listing(None, ROWS)": "gave None for its classes, not texts",
    "Listing('run', ROWS)": "gave 'run' for its classes, not texts",
    "Listing((1, 2), ROWS)": "gave 1 among its classes, which are texts",
    "Listing(('', *CLASSES), ROWS)": "gave '' among its classes, which are texts",
    "Listing((*CLASSES, 'run'), ROWS)": "gave the class 'run' twice",
    "Listing(CLASSES, ROWS, None)": "gave None for its files, not Paths",
    "Listing(CLASSES, ROWS, ('a.txt',))": "gave 'a.txt' among its files, which are Paths",
    "Listing(CLASSES, ROWS, (), 'x')": "gave 'x' for the number of videos without a class",
    "Listing(CLASSES, ROWS, notes=None)": "gave None for its notes, not texts",
    "Listing(CLASSES, ROWS, notes=(5,))": "gave 5 among its notes, which are texts",
}


@pytest.mark.parametrize(("listing", "line"), WRONG.items(), ids=list(WRONG))
def test_a_listing_that_is_not_right_is_one_line_with_the_benchmark(
    fake_dist: FakeDist, tmp_path: Path, listing: str, line: str
) -> None:
    with pytest.raises(PluginError) as caught:
        opened(fake_dist, tmp_path, listing)
    assert f"'own:moves' {line}" in str(caught.value)
    assert "\n" not in str(caught.value)
    if "gave a split" not in line and "asked" not in line:
        with pytest.raises(PluginError, match="'own:moves' gave"):
            training_split("moves", Annotations(tmp_path), discover(only=["own"]))


HARMLESS = [
    "Listing(list(CLASSES), list(ROWS), [])",
    "Listing((name for name in CLASSES), (row for row in ROWS), iter(()))",
    "Listing(CLASSES, tuple(Row(Path(row.path), list(row.names)) for row in ROWS))",
    "Listing(CLASSES, tuple(Row(row.path, row.names * 2) for row in ROWS), notes=['a\\nb'])",
]


@pytest.mark.parametrize("listing", HARMLESS)
def test_what_can_be_read_all_the_same_is_taken(fake_dist: FakeDist, tmp_path: Path, listing: str) -> None:
    (split,) = opened(fake_dist, tmp_path, listing).splits
    assert (split.classes, split.files) == (("run", "jump"), ())
    assert [(one.path, one.labels) for one in split.samples] == [("a.mp4", (0,)), ("b.mp4", (1,))]
    assert split.notes in ((), ("a b",))


def test_a_window_in_numbers_of_any_kind_is_taken(fake_dist: FakeDist, tmp_path: Path) -> None:
    listing = "Listing(CLASSES, (Row('a.mp4', ('run',), 1, 1, numpy.float32(2.5)),))"
    (split,) = opened(fake_dist, tmp_path, listing).splits
    assert [one.id for one in split.samples] == ["a#t=1,2.5"]


def near(found: OpenedBenchmark) -> float:
    """Return the benchmark's own metric of one video."""
    scores = np.array([[0.9, 0.1]])
    return _metrics(found, scores, scores, [(0,)])[0]["near"]


@pytest.mark.parametrize(
    "said",
    ["math.nan", "math.inf", "50.0", "-0.5", "'0.5'", "True", "None", "1j", "numpy.bool_(True)", "torch.tensor(2.)"],
)
def test_a_metric_that_is_no_number_from_0_to_1_is_one_line_with_the_benchmark(
    fake_dist: FakeDist, tmp_path: Path, said: str
) -> None:
    with pytest.raises(PluginError, match="benchmark 'own:moves' measured .* as 'near', not a number from 0 to 1"):
        near(opened(fake_dist, tmp_path, near=said))


@pytest.mark.parametrize("name", ["5", "''", "'a\\nb'"])
def test_a_metric_has_a_name_in_one_line(fake_dist: FakeDist, tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginError, match="benchmark 'own:moves' measured .*, which is no name in one line"):
        near(opened(fake_dist, tmp_path, near=f"0.5, {name}: 0.5"))


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("1", 1.0),
        ("numpy.float32(0.5)", 0.5),
        ("torch.tensor(0.25)", 0.25),
        ("1.0000001", 1.0),
        ("numpy.array(0.5)", 0.5),
    ],
)
def test_a_metric_may_be_a_number_of_any_kind(fake_dist: FakeDist, tmp_path: Path, said: str, value: float) -> None:
    assert near(opened(fake_dist, tmp_path, near=said)) == value
