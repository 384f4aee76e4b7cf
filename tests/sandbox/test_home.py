"""The cache folder: made once, never seen half-made, and light to ask for."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_sandbox import BENCHMARKS, Sandbox
from maxi_sandbox.home import WORLD_VERSION, forget, made, sandbox_home


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MAXI_HOME", str(tmp_path))
    return tmp_path / "sandbox" / WORLD_VERSION


def test_the_home_follows_the_environment(home: Path) -> None:
    assert sandbox_home() == home


def test_a_folder_is_made_once_and_then_found(home: Path) -> None:
    calls: list[Path] = []

    def make(folder: Path) -> None:
        calls.append(folder)
        (folder / "file").write_text("whole")

    assert made("thing", make) == made("thing", make) == home / "thing"
    assert len(calls) == 1
    assert calls[0] != home / "thing"
    forget("thing")
    assert not (home / "thing").exists()


def test_making_that_fails_leaves_nothing(home: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "file").write_text("half")
        raise OSError("the disk is full")

    with pytest.raises(MaxiError, match=f"cannot make {home / 'thing'}: the disk is full"):
        made("thing", make)
    assert list(home.iterdir()) == []


def test_a_home_that_is_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MAXI_HOME", str(tmp_path / "file"))
    with pytest.raises(MaxiError, match="cannot make .*file/sandbox.*: Not a directory") as refused:
        made("thing", lambda _: None)
    assert refused.value.fix == "name another folder: MAXI_HOME"


def test_two_makers_at_once_give_one_whole_folder(home: Path) -> None:
    barrier = Barrier(2)

    def make(folder: Path) -> None:
        (folder / "first").write_text("a")
        barrier.wait(timeout=30)
        (folder / "second").write_text("b")

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: made("thing", make), range(2)))
    assert found == [home / "thing"] * 2
    assert sorted(file.name for file in found[0].iterdir()) == ["first", "second"]
    assert [folder.name for folder in home.iterdir()] == ["thing"]


def test_a_killed_maker_leaves_nothing_under_the_final_name(home: Path) -> None:
    code = (
        "import os; from maxi_sandbox.home import made\n"
        "def make(folder):\n    (folder / 'half').touch(); os._exit(9)\n"
        "made('thing', make)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert not (home / "thing").exists()
    assert made("thing", lambda folder: (folder / "whole").touch()).is_dir()
    assert [file.name for file in (home / "thing").iterdir()] == ["whole"]


def test_folders_can_be_read_by_others(home: Path) -> None:
    assert made("thing", lambda folder: None).stat().st_mode & 0o055 == 0o055


def test_an_unknown_benchmark_is_one_line_that_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'sandbox-novel'") as error:
        Sandbox().benchmark("sandbox-novell")
    assert "\n" not in str(error.value)


def test_the_benchmarks_are_three_and_their_dev_twins() -> None:
    assert set(BENCHMARKS) == {f"sandbox-{kind}{twin}" for kind in ("same", "novel", "view") for twin in ("", "-dev")}


def test_importing_the_sandbox_is_light() -> None:
    code = (
        "import sys, maxi_sandbox as s; w = s.Sandbox(); w.dictionary(); w.replies(); w.pipeline()\n"
        "heavy = {'torch', 'numpy', 'av', 'PIL', 'spacy', 'transformers', 'open_clip'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, env=dict(os.environ), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
