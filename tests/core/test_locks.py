"""Locks: one holder at a time, on one machine by the system, on several by signs of life."""

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system import locks
from maxi_core.system.locks import LOCK, holder_of, locked


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 0.05)


def foreign(folder: Path, **more: object) -> Path:
    lease = {"pid": 7, "host": "another", "since": "2020-01-01T00:00:00Z", "beat": 3, **more}
    (folder / LOCK).write_text(json.dumps(lease))
    return folder / LOCK


def until(holds: Callable[[], bool]) -> None:
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < 20
        time.sleep(0.02)


def test_a_held_folder_is_refused_by_process_host_and_time_and_free_afterwards(tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        with pytest.raises(MaxiError, match=rf"in use by process {os.getpid()} on {socket.gethostname()} since 20.*Z"):
            locked(tmp_path / "run").__enter__()
        assert holder_of(tmp_path / "run").startswith(f"process {os.getpid()} on ")
    assert holder_of(tmp_path / "run") == ""
    with locked(tmp_path / "run"):
        pass


def test_parts_of_a_folder_are_held_by_themselves(tmp_path: Path) -> None:
    with locked(tmp_path, ".1-of-2"), locked(tmp_path, ".2-of-2"):
        assert holder_of(tmp_path, ".1-of-2")
        assert not holder_of(tmp_path)


def test_a_holder_that_was_killed_is_taken_over_at_once(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 10.0)
    program = (
        "import os, sys; from pathlib import Path; from maxi_core.system.locks import locked\n"
        "with locked(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path], check=False)
    assert json.loads((tmp_path / LOCK).read_text())["pid"]
    began = time.monotonic()
    with locked(tmp_path):
        assert time.monotonic() - began < 10.0


def test_the_lease_of_another_machine_without_a_sign_of_life_is_taken_over(tmp_path: Path) -> None:
    foreign(tmp_path)
    began = time.monotonic()
    with locked(tmp_path):
        assert time.monotonic() - began >= 4 * 0.05
        assert json.loads((tmp_path / LOCK).read_text())["host"] == socket.gethostname()


def test_the_lease_of_another_machine_that_shows_a_sign_of_life_is_respected(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(locks, "BEAT", 1.0)
    foreign(tmp_path)
    beat = threading.Timer(0.1, lambda: foreign(tmp_path, beat=4))
    beat.start()
    with pytest.raises(MaxiError, match="in use by process 7 on another since 2020-01-01T00:00:00Z; wait for it"):
        locked(tmp_path).__enter__()
    beat.join()
    assert json.loads((tmp_path / LOCK).read_text())["beat"] == 4


def test_without_locks_of_the_system_the_lease_alone_keeps_others_out(tmp_path: Path, monkeypatch) -> None:
    def refuse(file: int, kind: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path), pytest.raises(MaxiError, match="is in use by process"):
        locked(tmp_path).__enter__()
    with locked(tmp_path):
        pass
    foreign(tmp_path, host=socket.gethostname(), pid=2**22 + 1)  # no such process
    with locked(tmp_path):
        pass


def test_a_holder_shows_signs_of_life_and_says_when_it_was_robbed(tmp_path: Path, caplog, monkeypatch) -> None:
    import logging

    monkeypatch.setattr(logging.getLogger("maxi"), "propagate", True)
    with locked(tmp_path):
        until(lambda: json.loads((tmp_path / LOCK).read_text())["beat"] > 0)
        assert len((tmp_path / LOCK).read_bytes()) == locks.LENGTH
        foreign(tmp_path)
        until(lambda: bool(caplog.text))
    assert "was taken over by process 7 on another" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot write to .*file/run: "):
        locked(tmp_path / "file" / "run").__enter__()
