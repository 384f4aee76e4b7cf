"""Class attributes of plugins: one that is not what its role takes makes a broken plugin, and hurts no other."""

import inspect

import pytest

from maxi_core.errors import PluginError
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.evaluation.benchmarks.opening import find_benchmark
from maxi_core.plugin.attributes import ATTRIBUTES
from maxi_core.plugin.catalog import discover
from tests.conftest import FakeDist

PLUGIN = """
    import maxi_core
    from maxi_core import {role}, hookimpl

    class Odd({role}):
        name = "odd"
        {needed}
        {set}

    @hookimpl
    def maxi_register_{hook}():
        return [Odd]
"""

NEEDED = {
    "Expander": ("sources", "def expand(self, entries): return [[] for one in entries]"),
    "Matcher": ("sources", "def match(self, clips, dictionary): return []"),
    "Captioner": ("sources", "def caption(self, clips): return []"),
    "Filter": ("sources", "def filter(self, clips, bags): return bags"),
    "Temporal": ("temporal", "def attach(self, visual, frames): return visual"),
    "Objective": ("objectives", "def loss(self, features): return features.scale"),
    "Decoder": ("decoders", "def decode(self, *how, **more): raise ValueError"),
    "Engine": ("engines", "def run(self, work, items): return iter(())"),
    "World": ("worlds", "pass"),
    "Benchmark": ("benchmarks", 'title = "Odd"\n        def official(self, files, split): return None'),
}


def why(fake_dist: FakeDist, role: str, attribute: str) -> str:
    """Return why a plugin of a role with an attribute is broken, "" if it is not."""
    hook, needed = NEEDED[role]
    fake_dist("odd", PLUGIN.format(role=role, hook=hook, needed=needed, set=attribute))
    (found,) = [plugin for plugin in discover(only=["odd"]).plugins if plugin.dist == "odd"]
    assert "\n" not in found.error
    return found.error


OTHERS = {
    ("Temporal", "projects = None"): "Odd.projects is None, not a tuple of names of projects",
    ("Temporal", "projects = 5"): "Odd.projects is 5, not a tuple of names",
    ("Temporal", "projects = 'Open-VCLIP'"): "Odd.projects is 'Open-VCLIP', not a tuple of names",
    ("Temporal", "projects = (1,)"): "Odd.projects is (1,), not a tuple of names",
    ("Matcher", "frames = 16"): "Odd.frames is 16, not a Sampling, None or a property",
    ("Captioner", "frames = 16"): "Odd.frames is 16, not a Sampling",
    ("Filter", "frames = 'all'"): "Odd.frames is 'all', not a Sampling",
    ("Captioner", "costs_money = 1"): "Odd.costs_money is 1, not True or False",
    ("Objective", "prompts = 'bag'"): "Odd.prompts is 'bag', not bags or classes or any",
    ("Objective", "prompts = ['bags']"): "Odd.prompts is ['bags'], not bags or classes or any",
    ("Objective", "regulariser = 'no'"): "Odd.regulariser is 'no', not True or False",
    ("Objective", "teacher = True"): "Odd.teacher is True, not a Teacher, None or a property",
    ("Objective", "alone = 'no'"): "Odd.alone is 'no', not True, False or a property",
    ("Objective", "weight = 'much'"): "Odd.weight is 'much', not a finite number from 0",
    ("Decoder", "archives = 'zip'"): "Odd.archives is 'zip', not True or False",
    ("Engine", "apart = 'no'"): "Odd.apart is 'no', not True, False or a property",
    ("Expander", "settled = 5"): "Odd.settled is 5, not None, and the core sets it",
    ("Expander", "ref = 5"): "Odd.ref is 5, not a text, which the core sets",
    ("World", "version = property(lambda self: 5)"): "Odd.version is <property object",
    ("Engine", "label = 'mine'"): "Odd.label is 'mine', not the property of the core",
    ("Expander", "class Options(maxi_core.Options): EFFORT = 5"): "Odd.Options: EFFORT is 5, not a tuple of keys",
    ("Expander", "class Options(maxi_core.Options): TYPED = 'x'"): "Odd.Options: TYPED is 'x', not a tuple of keys",
}


@pytest.mark.parametrize(("role", "attribute", "line"), [(*said, line) for said, line in OTHERS.items()])
def test_an_attribute_of_any_role_that_is_not_what_it_takes_is_refused(
    fake_dist: FakeDist, role: str, attribute: str, line: str
) -> None:
    assert why(fake_dist, role, attribute).startswith(line)


@pytest.mark.parametrize(
    ("role", "attribute"),
    [
        ("Temporal", "projects = ['Open-VCLIP']"),
        ("Matcher", "frames = maxi_core.Sampling('uniform', 3)"),
        ("Filter", "frames = None"),
        ("Captioner", "frames = __import__('functools').cached_property(lambda self: None)"),
        ("Objective", "teacher = maxi_core.Teacher()"),
        ("Engine", "apart = False"),
        ("World", "version = '2.0'"),
    ],
)
def test_what_a_role_takes_is_taken(fake_dist: FakeDist, role: str, attribute: str) -> None:
    assert why(fake_dist, role, attribute) == ""


ROLES = {
    ("Expander", "role = 'matcher'"): "Odd.role is 'matcher', and that of every Expander is 'expander'; leave it out",
    ("Expander", "role = ['list']"): "Odd.role is ['list'], and that of every Expander is 'expander'",
    ("Temporal", "role = None"): "Odd.role is None, and that of every Temporal is 'temporal'",
    ("World", "role = 5"): "Odd.role is 5, and that of every World is 'world'",
    ("World", "role = 'benchmark'"): "Odd.role is 'benchmark', and that of every World is 'world'",
    ("Decoder", "role = property(lambda self: 'decoder')"): "Odd.role is <property object",
}


@pytest.mark.parametrize(("role", "attribute", "line"), [(*said, line) for said, line in ROLES.items()])
def test_a_class_has_the_role_that_it_stands_on(fake_dist: FakeDist, role: str, attribute: str, line: str) -> None:
    assert why(fake_dist, role, attribute).startswith(line)


def test_a_class_of_two_roles_is_refused(fake_dist: FakeDist) -> None:
    text = PLUGIN.replace("import {role},", "import Expander,")
    fake_dist(
        "odd", text.format(role="Expander, maxi_core.World", hook="sources", needed=NEEDED["Expander"][1], set="")
    )
    (found,) = [plugin for plugin in discover(only=["odd"]).plugins if plugin.dist == "odd"]
    assert found.error == "Odd is a subclass of Expander and World, and a class has one role; make two classes"


BENCHMARK = {
    "title = ' '": "Odd.title is ' ', not a title in one line",
    "title = 5": "Odd.title is 5, not a title in one line",
    "title = 'a\\nb'": "Odd.title is 'a\\nb', not a title in one line",
    "metric = 5": "Odd.metric is 5, not the name of a metric",
    "metric = ['top1']": "Odd.metric is ['top1'], not the name of a metric",
    "multi_label = 'yes'": "Odd.multi_label is 'yes', not True or False",
    "classes = 'twelve'": "Odd.classes is 'twelve', not a number of classes, or None",
    "classes = True": "Odd.classes is True, not a number of classes, or None",
    "classes = 0": "Odd.classes is 0, not a number of classes, or None",
    "counts = {}": "Odd.counts is {}, not a number of videos, or None, for each split",
    "counts = 5": "Odd.counts is 5, not a number of videos",
    "counts = {'1': 'many'}": "Odd.counts is {'1': 'many'}, not a number of videos",
    "counts = {'1': -3}": "Odd.counts is {'1': -3}, not a number of videos",
    "counts = {1: 3}": "Odd.counts is {1: 3}, not a number of videos",
    "counts = {'': 3}": "Odd.counts is {'': 3}, not a number of videos",
    "counts = {'da:y': 3}": "Odd.counts is {'da:y': 3}, not a number of videos",
    "aliases = 'moves'": "Odd.aliases is 'moves', not a tuple of names without a colon",
    "aliases = (1,)": "Odd.aliases is (1,), not a tuple of names",
    "aliases = ('-',)": "Odd.aliases is ('-',), not a tuple of names",
    "lists, labels = (1,), ('a.csv',)": "Odd.lists is (1,), not a tuple of names of files, with {} for the split",
    "lists, labels = ('a',), ('{x}',)": "Odd.labels is ('{x}',), not a tuple of names of files",
    "official_files = 5": "Odd.official_files is 5, not a text in one line, with {} for the split",
    "official_files = '{} {}'": "Odd.official_files is '{} {}', not a text in one line",
    "few_shot = 7": "Odd.few_shot is 7, not a text in one line",
    "few_shot = property(lambda self: 'x')": "Odd.few_shot is <property object",
}


@pytest.mark.parametrize(("attribute", "line"), BENCHMARK.items(), ids=list(BENCHMARK))
def test_an_attribute_of_a_benchmark_that_is_not_what_it_takes_is_refused(
    fake_dist: FakeDist, attribute: str, line: str
) -> None:
    assert why(fake_dist, "Benchmark", attribute).startswith(line)


def test_what_a_benchmark_may_say_is_taken(fake_dist: FakeDist) -> None:
    said = "classes = 3; counts = {'a': None, 'b': 7}; aliases = ('odd one',); few_shot = '{}shot.txt'"
    assert why(fake_dist, "Benchmark", said) == ""


def test_every_attribute_of_a_benchmark_is_in_the_table() -> None:
    assert set(ATTRIBUTES[Benchmark]) == set(inspect.get_annotations(Benchmark))


@pytest.mark.parametrize("attribute", ["aliases = (1,)", "metric = 5", "official_files = 5"])
def test_a_benchmark_with_a_wrong_attribute_hurts_no_other(fake_dist: FakeDist, maxi, attribute: str) -> None:
    assert why(fake_dist, "Benchmark", attribute)
    found = find_benchmark(discover(), "ucf-101")
    assert found is not None
    assert found[0].name == "ucf101"
    listed = maxi("data", "list")
    assert (listed.code, "ucf101" in listed.out) == (0, True)
    with pytest.raises(PluginError, match="plugin 'odd:odd' 1.0 is broken: Odd"):
        discover().find("odd", ("benchmark",))
