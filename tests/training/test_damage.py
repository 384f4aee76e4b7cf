"""Checkpoints that were changed, are not whole or cannot be written: one line that says which, no rank that hangs."""

import json
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from maxi_core.clip.checkpoints import checkpoints_of
from tests.said import errors
from tests.training.test_train_command import SMALL, arguments, environment

Maxi = Callable[..., Any]
SHORT = ("--epochs", "2", "--batch-size", "8", "-q")


@pytest.fixture(scope="module")
def trained(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "out"
    words = [sys.executable, "-m", "maxi_cli", *arguments(world, out, *SHORT)]
    subprocess.run(words, check=True, env=environment())
    return out


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "copy")


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0.3, 0.6, 0.999])
def test_a_byte_that_was_flipped_in_the_weights_is_seen(
    world: Path, copy: Path, maxi: Maxi, tmp_path: Path, place: float
) -> None:
    flip(checkpoints_of(copy)[-1] / "model.safetensors", place)
    for command in (
        ("predict", str(copy), str(world / "clips" / "0.mp4"), "--labels", "a, b"),
        ("ensemble", str(world / "model"), str(copy), "--out", str(tmp_path / "mixed")),
        tuple(arguments(world, copy, *SHORT, "--resume", "latest")),
        ("train", str(world / "run"), "--model", str(copy), "--out", str(tmp_path / "next"), *SMALL),
    ):
        ran = maxi(*command)
        assert ran.code == 2, (command, ran.err)
        assert "model.safetensors is damaged: it is not what was saved" in ran.err.splitlines()[-1]


@pytest.mark.parametrize("file", ["optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("place", [0.05, 0.5, 0.99])
def test_a_byte_that_was_flipped_in_the_state_is_seen(
    world: Path, copy: Path, maxi: Maxi, file: str, place: float
) -> None:
    flip(checkpoints_of(copy)[-1] / "state" / file, place)
    ran = maxi(*arguments(world, copy, *SHORT, "--resume", "latest"))
    assert (ran.code, errors(ran.err)) == (2, 1), ran.err
    assert f"{file} is damaged" in ran.err


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", "{}", '{"step": "2"}', '{"step": 2, "settings": 5}', "\0"])
def test_a_state_that_is_no_state_is_one_line(world: Path, copy: Path, maxi: Maxi, damage: str) -> None:
    last = checkpoints_of(copy)[-1]
    (last / "DONE").write_text("")  # as an earlier maxi, which knew no checksums
    (last / "state" / "state.json").write_text(damage)
    ran = maxi(*arguments(world, copy, *SHORT, "--resume", "latest"))
    assert (ran.code, errors(ran.err)) == (2, 1), ran.err
    assert "state" in ran.err


def test_a_checkpoint_without_checksums_is_taken_as_it_is(world: Path, copy: Path, maxi: Maxi) -> None:
    (checkpoints_of(copy)[-1] / "DONE").write_text("")
    assert maxi("predict", str(copy), str(world / "clips" / "0.mp4"), "--labels", "a, b").code == 0


def test_the_checksums_are_those_of_sha256sum(trained: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "DONE"], cwd=checkpoints_of(trained)[-1], check=True)


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o026)
    yield 0o666 & ~0o026
    os.umask(before)


def test_every_file_of_a_training_follows_the_umask(world: Path, maxi: Maxi, tmp_path: Path, umask: int) -> None:
    assert maxi(*arguments(world, tmp_path / "out", *SHORT, "--ensemble", "0.5")).code == 0
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {path: oct(mode) for path, mode in modes.items() if mode != umask} == {}


def limited(size: int) -> Callable[[], None]:
    """Return what makes every file of a process end at `size` bytes, as a full disk would."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_disk_that_is_full_while_a_checkpoint_is_saved_ends_all_ranks_in_one_line(
    world: Path, tmp_path: Path, ranks: int
) -> None:
    from tests.training.test_ranks import free_port

    words = [sys.executable, "-m", "maxi_cli", *arguments(world, tmp_path / "out", *SHORT)]
    port = str(free_port())
    running = []
    for rank in range(ranks):
        env = environment(MAXI_HOME=str(tmp_path / "home"), RANK=str(rank), WORLD_SIZE=str(ranks))
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if ranks > 1 else {}
        running.append(
            subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=limited(2_000_000))  # noqa: PLW1509
        )
    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in running]
    assert [code for _, code in ended] == [1] * ranks, ended
    assert "cannot write the checkpoint" in ended[0][0].splitlines()[-1]
    assert "a bug in maxi" not in "".join(said for said, _ in ended)
    assert checkpoints_of(tmp_path / "out") == []


def test_what_killed_runs_have_left_half_written_is_removed_and_what_is_being_written_stays(
    world: Path, trained: Path, maxi: Maxi, copy: Path
) -> None:
    from maxi_core.system.files import sweep, whole_file

    for name in (".manifest.json.0123abcd", ".recipe.toml.ffffffff"):
        (copy / name).write_text("half")
    (copy / "checkpoints" / ".partial-step-00000009").mkdir()
    (copy / ".mine").write_text("a user's own")
    assert maxi(*arguments(world, copy, *SHORT, "--resume", "latest")).code == 0
    assert sorted(path.name for path in copy.glob(".*")) == [".lock", ".mine"]
    assert not list((copy / "checkpoints").glob(".*"))
    with whole_file(copy / "new.txt") as file:
        file.write(b"whole")
        sweep(copy)
    assert (copy / "new.txt").read_text() == "whole"


def test_json_of_a_run_that_is_damaged_is_one_line_and_no_bug(world: Path, copy: Path, maxi: Maxi) -> None:
    for text in ("\xff\xfe", '{"step": 1}\n[]\n', "null\n"):
        (copy / "metrics.jsonl").write_bytes(text.encode("latin-1"))
        ran = maxi(*arguments(world, copy, *SHORT, "--resume", "latest"))
        assert "a bug in maxi" not in ran.err
    about = json.loads((checkpoints_of(copy)[-1] / "maxi.json").read_text())
    assert about["schema"] == 1
