"""Law 1: the core imports no plugin. Law 7: nothing heavy is imported before it is used."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_core.testing.plugin import HEAVY

ROOT = Path(__file__).parent.parent
HELP = [
    [name, "--help"]
    for name in (
        "bags",
        "train",
        "ensemble",
        "report",
        "show",
        "stats",
        "check",
        "env",
        "eval",
        "compare",
        "predict",
        "heatmap",
        "study",
        "data",
        "export",
        "new-plugin",
        "check-plugin",
    )
]


def imported_by(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [
        ("maxi_core", {"maxi_plugins", "maxi_sandbox", "maxi_cli", "tools", "typer", "rich"}),
        ("plugins/maxi_plugins", {"maxi_sandbox", "maxi_cli", "tools", "typer", "rich"}),
        ("plugins/maxi_sandbox", {"maxi_plugins", "maxi_cli", "tools", "typer", "rich"}),
        ("cli", {"maxi_plugins", "maxi_sandbox", "tools"}),
        ("tools", {"maxi_plugins", "maxi_cli", "typer", "rich"}),
    ],
)
def test_the_layers_import_only_downwards(folder: str, forbidden: set[str]) -> None:
    assert sources(folder)
    found = {str(path): sorted(imported_by(path) & forbidden) for path in sources(folder)}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["plugins"], ["plugins", "mean"], ["plugins", "--json"], ["plugins", "--help"], *HELP],
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import json, sys\nfrom maxi_cli.__main__ import run\n"
        f"code = run({arguments!r})\n"
        f"print(json.dumps([code, [name for name in {HEAVY!r} if name in sys.modules]]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def test_a_command_imports_no_other_command() -> None:
    program = (
        "import sys\nfrom maxi_cli.__main__ import run\nrun(['env', '--help'])\n"
        "print([name for name in sys.modules if name.startswith('maxi_cli.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    frame = {"__main__", "app", "command", "flags", "group", "terminal"}
    assert set(ast.literal_eval(done.stdout.splitlines()[-1])) == {f"maxi_cli.{name}" for name in {*frame, "env"}}


def test_help_waits_for_no_options() -> None:
    program = "import sys\nfrom maxi_cli.__main__ import run\nrun(['--help'])\nprint('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_the_public_names_of_the_core_come_without_torch() -> None:
    program = (
        "import json, sys, maxi_core\n"
        "for name in maxi_core.__all__: getattr(maxi_core, name)\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.parametrize(
    ("shell", "typed", "offered"),
    [
        ("bash", "maxi plugins me", "mean"),
        ("zsh", "maxi plugins me", "mean"),
        ("fish", "maxi plugins me", "mean"),
        ("bash", "maxi bags --sources dict", "dictionary"),
        ("bash", "maxi bags --sources dictionary,ver", "dictionary,verbs"),
        ("bash", "maxi bags -o video.dec", "video.decoder="),
        ("bash", "maxi plugins --no-plugin mea", "mean"),
        ("bash", "maxi check --decoder dec", "decord"),
        ("bash", "maxi train --loss mil_m", "mil_max"),
        ("bash", "maxi eval -b ucf101,sandbox-n", "ucf101,sandbox-novel"),
        ("bash", "maxi eval --config maxi-k", "maxi-k400"),
        ("zsh", "maxi predict sand", "sandbox"),
        ("bash", "maxi bags --dictionary mini", "minikinetics"),
        ("bash", "maxi data convert --trust off", "official"),
        ("bash", "maxi compare --metrics top1,mean_", "top1,mean_class"),
        ("bash", "maxi compare --tables 1,S", "1,S9"),
        ("bash", "maxi new-plugin --role exp", "expander"),
        ("bash", "maxi --log-level deb", "debug"),
        ("zsh", "maxi check -o train.loss=mil_m", "train.loss=mil_max"),
        ("fish", "maxi check sand", "sandbox"),
    ],
)
def test_completion_offers_names_without_anything_heavy(shell: str, typed: str, offered: str) -> None:
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules]))\n"
        "from maxi_cli.app import app\napp(prog_name='maxi')"
    )
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_TYPER_COMPLETE_ARGS": typed}
    env = {**os.environ, **words, "_MAXI_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=env)
    assert offered in done.stdout
    assert "HEAVY []" in done.stdout


def test_no_logic_depends_on_the_wall_clock() -> None:
    """`time.time` and naive `datetime.now` jump; only `system.files.utc_stamp` reads the clock, for people."""
    wall = []
    for folder in ("maxi_core", "plugins", "cli"):
        for path in sources(folder):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and ast.unparse(node) in (
                    *("time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
                    *("time.localtime", "time.ctime", "datetime.datetime.now"),
                ):
                    wall.append(path.name)
    assert wall == ["files.py"]


def test_nothing_untrusted_is_ever_unpickled_or_executed() -> None:
    forbidden = {"pickle", "cPickle", "dill", "joblib", "yaml", "shelve", "marshal"}
    found = [path.name for folder in ("maxi_core", "plugins", "cli") for path in sources(folder)
             if imported_by(path) & forbidden]  # fmt: skip
    assert found == []
    for folder in ("maxi_core", "plugins", "cli"):
        for path in sources(folder):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.keyword):
                    assert not (node.arg == "trust_remote_code" and ast.unparse(node.value) != "False"), path
                    assert not (node.arg == "weights_only" and ast.unparse(node.value) != "True"), path
                if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                    assert any(keyword.arg == "weights_only" for keyword in node.keywords), path
                assert not (isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.jit.load"), path
                assert not (isinstance(node, ast.Name) and node.id in ("eval", "exec")), path
