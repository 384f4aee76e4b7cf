"""Every hook, role method, command and option is documented, and what is generated is up to date."""

import importlib
import importlib.util
import inspect
import json
import logging
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import maxi_core
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.plugin import hookspecs
from maxi_core.plugin.catalog import discover
from maxi_core.plugin.roles import ROLES, Source, Temporal, World
from maxi_core.settings.sections import CORE, core_section
from maxi_core.testing.contract import checks_for
from maxi_core.training.objective import Objective
from maxi_sandbox import library
from tests.video.clips import coloured, write

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
GUIDE = (DOCS / "writing-a-plugin.md").read_text(encoding="utf-8")
HOOKS = [name for name in vars(hookspecs) if name.startswith("maxi_register")]
METHODS = [
    (role, method) for role in (*ROLES.values(), Temporal, Objective) for method in sorted(role.__abstractmethods__)
]
METHODS += [(Source, name) for name, value in vars(Source).items() if inspect.isfunction(value) and name[0] != "_"]


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def signature(function) -> str:
    """Return the signature as it is written, without the quotes of a postponed annotation."""
    return str(inspect.signature(function)).replace("'", "").replace("maxi_core.types.", "").replace(
        "collections.abc.", ""
    )  # fmt: skip


@pytest.mark.parametrize("hook", HOOKS)
def test_each_hook_has_a_heading_with_its_signature(hook: str) -> None:
    assert f"### `{hook}{signature(getattr(hookspecs, hook))}`" in GUIDE


@pytest.mark.parametrize(("role", "method"), METHODS, ids=[f"{role.__name__}.{method}" for role, method in METHODS])
def test_each_role_method_has_a_heading_with_its_signature(role, method) -> None:
    written = inspect.getsource(getattr(role, method)).partition("def ")[2].partition(":\n")[0]
    written = written.replace('"', "")
    assert f"### `{role.__name__}.{written}`" in GUIDE


@pytest.mark.parametrize("role", [Benchmark, World])
def test_each_method_of_a_benchmark_and_of_a_world_stands_in_the_guide(role) -> None:
    methods = [name for name, value in vars(role).items() if inspect.isfunction(value) and name[0] != "_"]
    assert len(methods) > 5
    assert [name for name in methods if f"`{name}(" not in GUIDE] == []


@pytest.mark.parametrize("role", [*ROLES, "temporal", "objective", "engine"])
def test_the_guide_names_every_sentence_of_the_contract(role: str) -> None:
    assert [sentence for sentence in checks_for(role) if sentence not in GUIDE] == []


def test_the_page_on_stability_names_everything_public() -> None:
    page = (DOCS / "stability.md").read_text(encoding="utf-8")
    assert [name for name in (*maxi_core.__all__, *HOOKS) if f"`{name}`" not in page] == []
    assert f"MAXI_API = {hookspecs.API_VERSION}" in page


@pytest.mark.parametrize("file", ["maxi_synonyms.py", "tests/test_synonyms.py"])
def test_the_guide_shows_the_example_as_it_is(file: str) -> None:
    code = (DOCS / "examples" / "maxi-synonyms" / file).read_text(encoding="utf-8")
    assert f"<!-- {file} -->\n```python\n{code}```" in GUIDE


@pytest.mark.parametrize("page", ["cli.md", "options.md", "examples/sandbox.ipynb"])
def test_the_generated_page_is_up_to_date(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    made = generator().PAGES[page]()
    assert (DOCS / page).read_text(encoding="utf-8") == made, "run make docs"


def test_every_command_and_every_option_stands_in_the_generated_pages() -> None:
    commands = (DOCS / "cli.md").read_text(encoding="utf-8")
    options = (DOCS / "options.md").read_text(encoding="utf-8")
    for name in generator().names():
        assert f"## maxi {name}\n" in commands
    models = {name: core_section(name) for name in CORE}
    models |= {offer.name: offer.options for offer in discover(only=[]).offers if not offer.space}
    for name, model in models.items():
        for key in model.model_fields:
            assert f"`{name}.{key}`" in options


PAGES = [*DOCS.glob("*.md"), *ROOT.glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_a_page_shows_exist(page: Path) -> None:
    """Only of commands in console blocks and in indented lines; those of the plan are marked as such."""
    known = set(generator().names())
    text = page.read_text(encoding="utf-8")
    for line in re.findall(r"^(?:    |\$ )(?:\.venv/bin/)?maxi ([a-z][a-z-]*)", text, flags=re.MULTILINE):
        assert line in known, f"{page.name} shows `maxi {line}`"


def blocks(page: Path) -> dict[str, str]:
    """Return the programs that a page says to write into a file, by its name."""
    return dict(
        re.findall(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a fresh folder with a few clips, a list of names and a table of labels."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clips").mkdir()
    for place, name in enumerate(("one", "two", "three")):  # that differ: a loss needs something to tell apart
        images = [(np.roll(coloured(96, 96), 9 * place * step, axis=place % 2) // (place + 1)) for step in range(24)]
        write(tmp_path / "clips" / f"{name}.mp4", images)
    (tmp_path / "actions.txt").write_text("arm wrestling\ncleaning pool\njuggling balls\n")
    (tmp_path / "mine.csv").write_text("path,label\nclips/one.mp4,arm wrestling\nclips/two.mp4,juggling balls\n")
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "clips" / "one.mp4")
    return tmp_path


EXAMPLES = [
    *(("bags", "bags"), ("training-data", "batches"), ("training", "loop"), ("training", "train")),
    *(("evaluation", "eval"), ("evaluation", "predict"), ("heatmaps", "heat")),
]


def test_the_library_examples_run_one_after_the_other_as_they_are_shown(
    newcomer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = {}
    for page, file in EXAMPLES:
        exec(compile(blocks(DOCS / f"{page}.md")[f"{file}.py"], f"{file}.py", "exec"), {})
        shown[file] = capsys.readouterr().out
    assert shown["bags"].startswith("3 bags of 3 videos, ")
    assert re.fullmatch(r"0 \('\w+.mp4', '\w+.mp4'\) \(2, 4, 3, 60, 60\) \(2, 16\)\n", shown["batches"])
    assert [line.split()[0] for line in shown["loop"].splitlines()] == ["1", "2"]
    assert shown["heat"].splitlines() == [f"{name}.mp4 (2, 16, 6, 6)" for name in ("one", "three", "two")]
    assert shown["train"].startswith(str(newcomer / "runs" / "library" / "train" / "checkpoints" / "step-00000002"))
    assert [line.split()[:4] for line in shown["eval"].splitlines()] == [
        [model, "mine", "2", "0"] for model in ("sandbox", "runs/library/train")
    ]
    assert "arm wrestling" in shown["predict"]


def test_the_offline_path_of_the_quickstart_runs_as_it_is_typed(newcomer: Path, maxi) -> None:
    page = (DOCS / "quickstart.md").read_text(encoding="utf-8")
    typed = page.partition("<!-- offline -->\n```console\n")[2].partition("```")[0].splitlines()
    assert [line.split()[2] for line in typed] == ["check", "bags", "show", "stats", "train", "predict"]
    for line in typed:
        words = [name for word in shlex.split(line)[2:] for name in sorted(map(str, newcomer.glob(word))) or [word]]
        ran = maxi(*words)
        assert ran.code == 0, f"{line}: {ran.err}"
        assert "error" not in ran.err
        assert "warning" not in ran.err.lower()


@pytest.mark.parametrize("file", ["mine.py", "blips.py"])
def test_a_captioner_of_the_guide_is_at_most_15_lines_and_knows_nothing_of_decoding(file: str) -> None:
    code = blocks(DOCS / "writing-a-plugin.md")[file]
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    assert not re.search(r"(?<!batch_)decode|decoding|read_|Failed\(|try:|Thread|Queue", code)


def test_every_command_has_its_functions_on_the_page_of_the_python_api() -> None:
    rows = re.findall(
        r"^\| `maxi ([a-z -]+)` \| (.*) \|$", (DOCS / "python.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    groups = {"data", "import", "export"}
    assert {name for name, _ in rows} == set(generator().names()) - groups
    for _, cell in rows:
        for path in re.findall(r"`(maxi_core[\w.]+)`", cell):
            module, _, name = path.rpartition(".")
            assert inspect.getdoc(getattr(importlib.import_module(module), name)), path


def test_the_notebook_runs_from_its_first_cell_to_its_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a sandbox of a few films: a whole one is rendered for a minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(library, "TRAINING_VIDEOS", 6)
    monkeypatch.setattr(library, "BENCHMARK_VIDEOS", dict.fromkeys(library.BENCHMARK_VIDEOS, 6))
    cells = json.loads((DOCS / "examples" / "sandbox.ipynb").read_text(encoding="utf-8"))["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    sizes, names = "VIDEOS, EPOCHS, BATCH, SHOWN = 96, 2, 16, 3", dict[str, object]()
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert sizes in codes[0]
    logger = logging.getLogger("maxi")
    level = logger.level
    try:
        for code in codes:
            exec(compile(code.replace(sizes, "VIDEOS, EPOCHS, BATCH, SHOWN = 6, 1, 2, 1"), "cell", "exec"), names)
    finally:
        logger.setLevel(level)  # the first cell leaves out warnings
    said = capsys.readouterr().out
    assert "5 bags of 6 videos" in said
    assert "5 bags written, 5 read" in said
    assert "| MIL-NCE, instance only | " in said
    assert (tmp_path / "runs" / "notebook" / "heatmap.png").is_file()
