"""Benchmarks of plugins: a loader and a metric of one's own; each fault is named at the border."""

import json
from pathlib import Path

import numpy as np
import pytest

from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import PluginError, UsageError
from maxi_core.evaluation.benchmarks.lists import Annotations
from maxi_core.evaluation.benchmarks.opening import open_benchmark, training_split
from maxi_core.evaluation.comparing import compare
from maxi_core.evaluation.scoring import _metrics
from maxi_core.plugin.catalog import Catalog, discover
from tests.conftest import FakeDist

# a loader for files of one's own kind: `video: class` a line
OWN = """
    from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row, hookimpl

    class Own(Benchmark):
        '''Two moves.'''
        name = "own-moves"
        title = "Own moves"
        counts = {"day": 2, "night": None}
        aliases = ("moves",)
        metric = "near"

        def listing(self, files, split):
            path = files.annotations.find(f"{split}.txt")
            if path is None:
                from maxi_core import UsageError
                raise UsageError(f"there is no {split}.txt in {files.annotations.place}", "correct --annotations")
            pairs = [line.split(": ") for line in path.read_text().splitlines()]
            return Listing(("run", "jump"), tuple(Row(video, (name,)) for video, name in pairs), (path,))

        def training(self, annotations, split):
            return Listing(("run", "jump"), (Row("t.mp4", ("run",)),)) if split == "day" else None

        def measure(self, scores, labels):
            return {"near": float((scores.argmax(1) == [own[0] for own in labels]).mean()) / 2}

        def dictionary(self):
            return ["run", "jump", "climb"]

    @hookimpl
    def maxi_register_benchmarks():
        return [Own]
"""


@pytest.fixture
def catalog(fake_dist: FakeDist, tmp_path: Path) -> Catalog:
    fake_dist("own", OWN)
    (tmp_path / "day.txt").write_text("a.mp4: run\nb.mp4: jump\n")
    return discover(only=["own"])


def test_a_loader_of_ones_own_gives_splits_like_any_other(catalog: Catalog, tmp_path: Path) -> None:
    for name in ("own-moves:day", "OwnMoves:day", "moves:day", "own:own-moves:day"):
        opened = open_benchmark(name, catalog, annotations=tmp_path)
        (split,) = opened.splits
        assert (split.label, split.classes, split.published) == ("own-moves:day", ("run", "jump"), 2)
        assert [(sample.id, sample.labels) for sample in split.samples] == [("a", (0,)), ("b", (1,))]
    with pytest.raises(UsageError, match="own-moves has no split 'dusk'; its splits are day, night"):
        open_benchmark("moves:dusk", catalog, annotations=tmp_path)
    with pytest.raises(UsageError, match="there is no night.txt in"):
        open_benchmark("moves", catalog, annotations=tmp_path)


def test_its_training_split_and_its_dictionary_have_its_name(catalog: Catalog, tmp_path: Path) -> None:
    assert [row.path for row in training_split("moves", Annotations(tmp_path), catalog).rows] == ["t.mp4"]
    with pytest.raises(UsageError, match="the training split of own-moves is not in"):
        training_split("moves:night", Annotations(tmp_path), catalog)
    assert read_dictionary("own-moves", catalog).entries == ("run", "jump", "climb")
    assert len(read_dictionary("own-moves:2", catalog).entries) == 2
    with pytest.raises(UsageError, match="'own-moves:4' asks for 4 of 3 actions; N is 1 to 3"):
        read_dictionary("own-moves:4", catalog)


def test_a_metric_of_ones_own_stands_beside_the_cores(catalog: Catalog, tmp_path: Path) -> None:
    opened = open_benchmark("moves:day", catalog, annotations=tmp_path)
    scores = np.array([[0.9, 0.1], [0.8, 0.2]])
    found, _ = _metrics(opened, scores, scores, [(0,), (1,)])
    assert found == pytest.approx({"top1": 0.5, "top5": 1.0, "mean_class": 0.5, "near": 0.25})


def test_a_benchmarks_own_metric_is_compared_without_being_named(tmp_path: Path) -> None:
    for run, near in (("a", 0.25), ("b", 0.5)):
        (tmp_path / run).mkdir()
        record = {"schema": 1, "benchmark": "own-moves", "split": "day", "model": run, "n": 2}
        record |= {"metric": "near", "metrics": {"top1": 0.5, "near": near}}
        (tmp_path / run / "scores.json").write_text(json.dumps([record]))
    found = compare([tmp_path / "a", tmp_path / "b"])
    assert [(line.metric, line.value) for line in found.lines] == [
        ("top1", 50), ("top1", 50), ("near", 25), ("near", 50),
    ]  # fmt: skip


MEASURED = {
    "no mapping": ('{"near": float', '[float', "measured .*, not numbers by name"),
    "the name of the core's": ('{"near"', '{"near": 0, "top1"', "measured 'top1', which is a metric of the core"),
    "not its own": ('{"near"', '{"far"', "did not measure its metric 'near'"),
    "an exception": ('return {"near"', 'raise ValueError("no"); return {"near"', "raised ValueError: no when it was"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line"), MEASURED.values(), ids=list(MEASURED))
def test_a_metric_that_is_not_right_is_one_line_with_the_benchmarks_name(
    fake_dist: FakeDist, tmp_path: Path, right: str, wrong: str, line: str
) -> None:
    code = OWN.replace(right, wrong)
    fake_dist("own", code.replace("/ 2}", "/ 2]") if "[float" in wrong else code)
    (tmp_path / "day.txt").write_text("a.mp4: run\n")
    opened = open_benchmark("moves:day", discover(only=["own"]), annotations=tmp_path)
    scores = np.array([[0.9, 0.1]])
    with pytest.raises(PluginError, match=f"'own:own-moves' {line}") as caught:
        _metrics(opened, scores, scores, [(0,)])
    assert "\n" not in str(caught.value)


LOADED = {
    "no listing": ("return Listing(", "return dict; Listing(", "gave type for a split, not a Listing"),
    "no videos": ("in pairs), (path,))", "in pairs[:0]), (path,))", "gave a split without videos"),
    "a class of nobody": ('Row(video, (name,))', 'Row(video, ("fly",))', "gave 'a.mp4' the classes"),
    "an exception": ('pairs = [', 'pairs = [][1]; [', "raised IndexError"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line"), LOADED.values(), ids=list(LOADED))
def test_a_loader_that_is_not_right_is_one_line_with_the_benchmarks_name(
    fake_dist: FakeDist, tmp_path: Path, right: str, wrong: str, line: str
) -> None:
    fake_dist("own", OWN.replace(right, wrong, 1))
    (tmp_path / "day.txt").write_text("a.mp4: run\n")
    with pytest.raises(PluginError, match=f"'own:own-moves' {line}") as caught:
        open_benchmark("moves:day", discover(only=["own"]), annotations=tmp_path)
    assert "\n" not in str(caught.value)


REFUSED = {
    "lists without labels": ('title =', 'lists = ("a.txt",); title =', "has lists without labels"),
    "no way to read it": ("def listing", "def listings", "cannot be read: name lists and labels"),
    "a metric of nobody": ("def measure", "def measures", "has the metric 'near', which is not the core's"),
    "the wrong metric of the core": ('metric = "near"', 'metric = "map"', "top1 is that of one with multi_label"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line"), REFUSED.values(), ids=list(REFUSED))
def test_a_benchmark_with_a_flaw_is_refused_when_it_is_loaded(
    fake_dist: FakeDist, right: str, wrong: str, line: str
) -> None:
    fake_dist("own", OWN.replace(right, wrong, 1))
    (plugin,) = [one for one in discover(only=["own"]).plugins if one.dist == "own"]
    assert plugin.error.startswith("benchmark 'own-moves' ")
    assert line in plugin.error


def test_a_name_that_two_plugins_have_is_refused_until_one_is_chosen(
    catalog: Catalog, fake_dist: FakeDist, tmp_path: Path
) -> None:
    fake_dist("other", OWN)
    both = discover(only=["own", "other"])
    with pytest.raises(PluginError, match="'moves' is a benchmark of several plugins; write other:own-moves or"):
        open_benchmark("moves:day", both, annotations=tmp_path)
    assert open_benchmark("own:own-moves:day", both, annotations=tmp_path).splits[0].name == "day"
    with pytest.raises(PluginError, match="'own-moves' is a dictionary of several plugins"):
        read_dictionary("own-moves", both)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ('"run"', "gave 'run' for its dictionary, not a list of names"),
        ('["run", " run "]', "gave a dictionary with a name twice"),
        ("[]", "gave a dictionary without any name"),
        ('["run", ""]', "gave .* for its dictionary, not a list of names"),
    ],
)
def test_a_dictionary_of_a_plugin_that_is_none_is_one_line_with_its_name(
    fake_dist: FakeDist, said: str, line: str
) -> None:
    fake_dist("own", OWN.replace('["run", "jump", "climb"]', said))
    with pytest.raises(PluginError, match=f"'own:own-moves' {line}"):
        read_dictionary("own-moves", discover(only=["own"]))


def test_the_list_of_benchmarks_has_those_of_plugins_and_of_worlds(maxi, catalog: Catalog) -> None:
    shown = maxi("data", "list").out
    assert "own-moves" in shown
    assert "of the world sandbox: sandbox-same" in shown
    said = json.loads(maxi("data", "list", "--json").out)
    assert [one["videos"] for one in said["benchmarks"] if one["name"] == "own-moves"] == [{"day": 2, "night": None}]
