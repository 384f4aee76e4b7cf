"""A wheel built from what git tracks holds everything and works without the checkout."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from maxi_core.plugin.catalog import APART
from maxi_core.testing.contract import checks_for

ROOT = Path(__file__).parent.parent
FULL_INSTALL = 10e9  # bytes: torch with CUDA's libraries takes most of it
PACKAGES = {
    "maxi_core": "maxi_core",
    "plugins/maxi_plugins": "maxi_plugins",
    "plugins/maxi_sandbox": "maxi_sandbox",
    "cli/maxi_cli": "maxi_cli",
}


def call(*command: object, **env: str) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env={**os.environ, **env}
    )
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def tracked() -> list[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    return [name for name in call("git", "-C", ROOT, "ls-files", "-z").split("\0") if name and (ROOT / name).exists()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a wheel from a copy of the tracked files alone."""
    clone = tmp_path_factory.mktemp("clone")
    for name in tracked():
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, clone / name)
    out = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", out, clone)
    (built,) = out.glob("maxi-*.whl")
    return built


def test_the_wheel_holds_every_tracked_file_of_the_packages_data_too(wheel: Path) -> None:
    wanted = set()
    for name in tracked():
        for root, package in PACKAGES.items():
            if name.startswith(f"{root}/"):
                wanted.add(package + name.removeprefix(root))
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == wanted
    assert {f"{package}/py.typed" for package in PACKAGES.values()} <= held


def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    call(sys.executable, "-m", "venv", "--without-pip", venv)
    (site,) = venv.glob("lib/python*/site-packages")
    call(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    # a plain line in a .pth file adds the folder without running the .pth files in it, so not the editable checkout
    (site / "others.pth").write_text(str(Path(pytest.__file__).parent.parent) + "\n")
    python = venv / "bin" / "python"
    program = (
        "import maxi_core, maxi_plugins, maxi_sandbox, maxi_cli\n"
        "print(*(one.__file__ for one in (maxi_core, maxi_plugins, maxi_sandbox, maxi_cli)))"
    )
    found = call(python, "-c", program, PYTHONPATH="", PYTHONSAFEPATH="1").split()
    assert [Path(name).parent.parent for name in found] == [site] * 4
    listed = call(python, "-m", "maxi_cli", "plugins", PYTHONPATH="", PYTHONSAFEPATH="1")
    assert ["mean", "temporal"] in [line.split()[:2] for line in listed.splitlines()]
    assert "broken" not in listed


def test_every_dependency_has_a_floor_and_every_builtin_needs_no_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {line.split(">=")[0].split(";")[0].strip() for line in project["dependencies"]}
    assert {"torch", "open_clip_torch", "transformers", "spacy", "openai", "pluggy", "typer", "rich", "decord"} <= names
    assert all(">=" in line for line in project["dependencies"])
    extras = {"data", "dev", "docs", "gs", "http", "long", "onnx", "ray", "s3", "torchcodec"}
    assert set(project["optional-dependencies"]) == extras
    foreign = {line.split(">=")[0] for extra in ("data", "onnx") for line in project["optional-dependencies"][extra]}
    imported = re.compile(rf"^\s*(?:import|from) (?:{'|'.join(foreign)})\b", re.MULTILINE)
    plugins = [path for path in (ROOT / "plugins").rglob("*.py") if imported.search(path.read_text(encoding="utf-8"))]
    assert plugins == []


@pytest.mark.parametrize(
    ("dist", "row"),
    [
        ("maxi-synonyms", ["synonyms", "expander", "synonyms", "maxi-synonyms", "1.0", "ok"]),
        ("maxi-descriptors", ["descriptors", "expander", "descriptors", "maxi-descriptors", "1.0"]),
        pytest.param(
            "maxi-ownbench",
            ["own-kitchen", "benchmark", "ownbench", "maxi-ownbench", "1.0", "ok"],
            marks=pytest.mark.long,
        ),
        pytest.param(
            "maxi-tinyworld", ["tiny", "world", "tinyworld", "maxi-tinyworld", "1.0", "ok"], marks=pytest.mark.long
        ),
    ],
)
def test_each_third_party_example_installs_is_listed_and_passes_its_own_tests(
    tmp_path: Path, dist: str, row: list[str]
) -> None:
    example = tmp_path / dist
    shutil.copytree(ROOT / "docs" / "examples" / dist, example, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    site = tmp_path / "site"
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", site)
    call(*pip, example)
    (tmp_path / "broken.py").write_text("import not_a_module_of_anybody")
    info = site / "broken-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 0.1\n")
    (info / "entry_points.txt").write_text("[maxi]\nbroken = broken\n")
    listed = call(sys.executable, "-m", "maxi_cli", "plugins", PYTHONPATH=str(site), COLUMNS="120")
    assert row in [line.split()[: len(row)] for line in listed.splitlines()]
    assert "broken:broken is broken: ModuleNotFoundError" in listed
    tests = call(
        sys.executable, "-m", "pytest", "-q", "-W", "error", "-c", example / "pyproject.toml", example,
        PYTHONPATH=str(site),
    )  # fmt: skip
    passed = re.search(r"(\d+) passed", tests)
    assert passed is not None
    contract = [] if row[1] in APART else checks_for(row[1])
    assert int(passed[1]) > len(contract)  # the contract, and something of its own


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_full_install_into_an_empty_environment_works(wheel: Path, tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    if free < FULL_INSTALL:
        pytest.skip(f"an installation takes up to {FULL_INSTALL / 1e9:.0f} GB, and {free / 1e9:.1f} GB are free")
    venv = tmp_path / "venv"
    call(sys.executable, "-m", "venv", venv)
    call(venv / "bin" / "pip", "install", "--quiet", "--no-cache-dir", wheel, PYTHONPATH="", PYTHONSAFEPATH="1")
    call(venv / "bin" / "pip", "check", PYTHONPATH="", PYTHONSAFEPATH="1")
    assert "broken" not in call(
        venv / "bin" / "maxi", "plugins", PYTHONPATH="", PYTHONSAFEPATH="1", MAXI_STRICT_PLUGINS="1"
    )
    call(venv / "bin" / "maxi", "env", PYTHONPATH="", PYTHONSAFEPATH="1")
    heavy = "import open_clip, transformers, spacy, openai, av, torchvision; print(open_clip.__version__)"
    assert call(venv / "bin" / "python", "-c", heavy, PYTHONPATH="", PYTHONSAFEPATH="1").strip()
