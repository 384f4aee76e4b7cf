"""Law 1: the core imports no plugin and knows no name of one: source, temporal module, benchmark or world."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.plugin.catalog import discover
from maxi_core.plugin.roles import World

CORE = Path(__file__).parents[2] / "maxi_core"
PLUGINS = {"maxi_plugins", "maxi_sandbox", "tools"}


def names_of_plugins() -> set[str]:
    """Return every name that the built-in plugins answer to, aliases and the benchmarks of worlds too."""
    names = set()
    for offer in discover(only=[]).offers:
        names |= {offer.name, offer.ref}
        if issubclass(offer.cls, Benchmark):
            names |= set(offer.cls.aliases)
        if issubclass(offer.cls, World):
            names |= set(offer.cls().benchmarks())
    return names


def is_name(value: object, names: set[str], worlds: tuple[str, ...]) -> bool:
    """Whether a literal is the name of a plugin, alone or with a split or a part behind it."""
    return isinstance(value, str) and (
        value in names or value.partition(":")[0] in names or value.startswith(tuple(f"{one}-" for one in worlds))
    )


def used_as_names(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield the literals that stand where a name is looked up, compared, or taken where none was given.

    Those are: subscripts, arguments of calls but a description, operands of comparisons, patterns, defaults of
    parameters, values of attributes and variables, and keys of dicts.
    """
    for node in ast.walk(tree):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.Subscript):
            found = [node.slice]
        elif isinstance(node, ast.Call):
            found = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg != "description")]
        elif isinstance(node, ast.Compare):
            found = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            found = [node.value]
        elif isinstance(node, ast.arguments):
            found = [*node.defaults, *node.kw_defaults]
        elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr)):
            found = [node.value]
        elif isinstance(node, ast.Dict):
            found = list(node.keys)
        for expression in found:
            yield from _constants(expression)


def _constants(expression: ast.expr | None) -> Iterator[ast.Constant]:
    if isinstance(expression, ast.Constant):
        yield expression
    elif isinstance(expression, (ast.Tuple, ast.List, ast.Set)):
        for one in expression.elts:
            yield from _constants(one)
    elif isinstance(expression, ast.IfExp):
        yield from (*_constants(expression.body), *_constants(expression.orelse))


def found_in(folder: Path) -> dict[tuple[str, str], list[int]]:
    """Return the lines of each (file, name of a plugin) that a folder uses as a name."""
    names = names_of_plugins()
    worlds = tuple(offer.name for offer in discover(only=[]).offers if offer.role == World.role)
    found: dict[tuple[str, str], list[int]] = {}
    for path in sorted(folder.rglob("*.py")):
        for constant in used_as_names(ast.parse(path.read_text(encoding="utf-8"))):
            if is_name(constant.value, names, worlds):
                place = (path.relative_to(folder).as_posix(), str(constant.value))
                found.setdefault(place, []).append(constant.lineno)
    return found


# (file, literal) -> how often, and why it is no plugin's name there
EXEMPT = {
    ("bags/run.py", "dictionary"): (1, "key of manifest.json"),
    ("bags/cost.py", "dictionary"): (2, "key of what a dry run says"),
    ("bags/released.py", "dictionary"): (1, "key of manifest.json"),
    ("bags/released.py", "gpt3"): (1, "who wrote the phrases in the authors' released files"),
    ("bags/released.py", "blip"): (1, "who wrote the captions in the authors' released files"),
    ("clip/checkpoints.py", "mean"): (1, "key of maxi.json: the mean of the pixels"),
    ("clip/loading.py", "mean"): (1, "key of maxi.json: the mean of the pixels"),
    ("clip/model.py", "mean"): (1, "key of open_clip's preprocessing: the mean of the pixels"),
    ("interop/checkpoint_import.py", "mean"): (3, "key of maxi.json: the mean of the pixels"),
    ("interop/layouts.py", "mean"): (2, "key of open_clip's preprocessing: the mean of the pixels"),
    ("export/authors_file.py", "mean"): (1, "key of open_clip's preprocessing: the mean of the pixels"),
    ("export/open_clip_folder.py", "mean"): (1, "key of open_clip_config.json: the mean of the pixels"),
    ("evaluation/comparing.py", "mean"): (2, "the mean over splits in scores.json"),
    ("evaluation/scoring.py", "dictionary"): (2, "key of scores.json and maxi.json"),
    **{("evaluation/published.py", name): (1, "columns of published tables") for name in ("ucf101", "hmdb51", "ssv2")},
    ("reporting/scores.py", "mean"): (1, "the mean over splits in scores.json"),
    ("recipe/recipe.py", "dictionary"): (1, "what a world has"),
    ("studies/plan.py", "dictionary"): (1, "an option of [bags]"),
    ("studies/results.py", "mean"): (4, "the mean over splits in scores.json, and over seeds in study.json"),
    ("studies/steps.py", "dictionary"): (1, "an option of [eval]"),
    ("training/checkpoint.py", "mean"): (1, "key of maxi.json: the mean of the pixels"),
    ("training/plan.py", "dictionary"): (2, "key of maxi.json and manifest.json"),
    ("plugin/roles.py", "dictionary"): (1, "what a world has"),
    ("clip/model_rules.py", "mean"): (1, "key of open_clip_config.json: the mean of the pixels"),
    ("settings/sections.py", "dictionary"): (1, "what a world has"),
    ("testing/plugin.py", "decord"): (1, "a library that is heavy to import"),
    ("video/decord_decoder.py", "decord"): (1, "the library, as messages call it"),
    ("video/torchcodec_decoder.py", "torchcodec"): (1, "the library, as messages call it"),
}


def test_the_core_uses_no_name_of_a_plugin() -> None:
    found = {place: len(lines) for place, lines in found_in(CORE).items()}
    allowed = {place: count for place, (count, _) in EXEMPT.items()}
    assert {place: found_in(CORE)[place] for place in found if found[place] > allowed.get(place, 0)} == {}
    assert {place for place in allowed if found.get(place, 0) < allowed[place]} == set(), "take them out of EXEMPT"


def test_the_core_imports_no_plugin() -> None:
    for path in CORE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {module.partition(".")[0] for module in modules} & PLUGINS, path


BROKEN = {
    "a lookup": "KNOWN['gpt3']",
    "a call": "catalog.find('ucf101')",
    "a call with a distribution": "catalog.find('maxi:gpt3')",
    "a split": "open_benchmark('hmdb51:1')",
    "an alias": "open_benchmark('k400')",
    "a keyword": "load(world='sandbox')",
    "a comparison": "name == 'sandbox'",
    "a comparison with several": "name in ('none', 'mean')",
    "a benchmark of a world": "name != 'sandbox-novel'",
    "replies of a world": "open_replies('sandbox-short')",
    "a pattern": "match name:\n    case 'blip':\n        pass",
    "a default": "def f(name='verbs'): pass",
    "a default by keyword": "def f(*, name='verbs'): pass",
    "a default of an option": "x = Field('dictionary', description='which')",
    "an attribute": "class A:\n    matcher: str = 'dictionary'",
    "one of two": "name = 'mean' if short else 'crossframe'",
    "a registry": "KNOWN = {'kinetics400': read}",
}


@pytest.mark.parametrize("code", BROKEN.values(), ids=list(BROKEN))
def test_each_way_to_name_a_plugin_is_seen(code: str, tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(code)
    assert found_in(tmp_path)


def test_texts_that_only_speak_of_a_plugin_are_no_names(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text(
        '"""Says gpt3."""\nx = Field("", description="sandbox")\nraise ValueError("no sandbox here")\n'
    )
    assert found_in(tmp_path) == {}
