"""A study that could not do its work, or whose table would take the place of another, says so; what is there stays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.studies.conftest import Mine
from tests.studies.test_run import environment, study, words

NEEDED = pytest.mark.skipif(
    not shutil.which("setpriv") or os.geteuid() != 0, reason="needs root, to be refused something"
)
RAW = '[variants.raw]\non = "nothing"\n'
SLOW = '[variants.slow]\non = "nothing"\neval.views = "2x1"\n'


def typed(mine: Mine, file: Path, *more: str) -> list[str]:
    """Return the command of another study file, with its results beside the file."""
    found = words(mine, file.parent / "out", *more)
    found[1] = str(file)
    return found


@NEEDED
@pytest.mark.parametrize("jobs", ["1", pytest.param("2", marks=pytest.mark.long)])
def test_a_study_that_may_not_write_its_steps_says_why_and_leaves_the_table(
    mine: Mine, tmp_path: Path, jobs: str, maxi
) -> None:
    (tmp_path / "own.toml").write_text(RAW)
    assert maxi(*typed(mine, tmp_path / "own.toml")).code == 0
    table = (tmp_path / "out" / "own" / "study.json").read_bytes()
    for path in (tmp_path / "out" / "steps" / "scores").glob("*/step.json"):
        path.unlink()
        path.parent.chmod(0o500)
    refused = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search,-fowner"]
    command = [*refused, sys.executable, "-m", "maxi_cli", *typed(mine, tmp_path / "own.toml", "--jobs", jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment(mine.folder / "home"))
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("maxi: error: cannot write ")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "own" / "study.json").read_bytes() == table


@pytest.mark.long
def test_jobs_take_no_modules_of_the_current_folder(mine: Mine, tmp_path: Path) -> None:
    for name in ("typer.py", "json.py", "torch.py"):
        (tmp_path / name).write_text(
            f"from pathlib import Path\nPath({str(tmp_path / 'ran')!r}).touch()\nraise ImportError"
        )
    (tmp_path / "own.toml").write_text(RAW)
    command = [str(Path(sys.executable).with_name("maxi")), *typed(mine, tmp_path / "own.toml", "--jobs", "2")]
    env = environment(mine.folder / "home")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "ran").exists()
    assert [line["state"] for line in study(tmp_path / "out", "own")["lines"]] == ["done"]


def test_the_table_of_another_study_of_the_same_name_stays(mine: Mine, tmp_path: Path, maxi) -> None:
    (tmp_path / "own.toml").write_text(RAW + SLOW)
    assert maxi(*typed(mine, tmp_path / "own.toml")).code == 0
    table = (tmp_path / "out" / "own" / "table.md").read_bytes()
    (tmp_path / "b").mkdir()
    other = tmp_path / "b" / "own.toml"
    other.write_text(RAW)
    command = [*typed(mine, other), "--out", str(tmp_path / "out")]
    done = maxi(*command)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert f"own has the table of {tmp_path / 'own.toml'}" in done.err
    assert (tmp_path / "out" / "own" / "table.md").read_bytes() == table
    (tmp_path / "own.toml").unlink()  # the file was moved
    done = maxi(*command)
    assert (done.code, done.err) == (0, "maxi: the table that was there had slow, too; what was made for it is kept\n")


def test_a_study_json_that_is_none_is_left_alone(mine: Mine, tmp_path: Path, maxi) -> None:
    (tmp_path / "own.toml").write_text(RAW)
    (tmp_path / "out" / "own").mkdir(parents=True)
    (tmp_path / "out" / "own" / "study.json").write_text('{"mine": 1}')
    done = maxi(*typed(mine, tmp_path / "own.toml"))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "cannot be read as a study" in done.err
    assert (tmp_path / "out" / "own" / "study.json").read_text() == '{"mine": 1}'
