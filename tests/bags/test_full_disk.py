"""A disk that is full, anywhere in a run: one line with path and bytes, no half file, and the next run goes on (S1)."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode


def limited(world, size: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Run in a process whose files can be `size` bytes long, as if the disk were full then."""
    return subprocess.run(
        [sys.executable, "-m", "maxi_cli", *world.arguments(*more)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        env={name: value for name, value in os.environ.items() if name != "TOY_LOG"},
    )


@pytest.mark.parametrize(("size", "what"), [(100, r"\.lock"), (700, r"manifest\.json"), (3000, r"bags\.jsonl")])
def test_a_full_disk_is_one_line_with_path_and_bytes_and_the_run_goes_on_later(world, size: int, what: str) -> None:
    ran = limited(world, size)
    assert ran.returncode in (ExitCode.FAILED, ExitCode.USAGE)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("maxi: error: ")]
    assert re.search(what, line)
    assert "File too large" in line or "No space left" in line
    assert size == 100 or re.search(r"\d+ bytes", line)
    assert "Traceback" not in ran.stderr
    assert not (world.out / "bags.jsonl").exists()
    assert not [path for path in world.out.rglob(".*") if path.is_file() and path.name != ".lock"]
    assert world.bags().code == ExitCode.DONE
    whole = (world.out / "bags.jsonl").read_bytes()
    assert limited(world, 3000).returncode == ExitCode.FAILED
    assert (world.out / "bags.jsonl").read_bytes() == whole, "a finished run lost its bags to a full disk"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_report_that_cannot_be_written_has_failed_in_one_line(world) -> None:
    world.bags()
    for command in (["show", str(world.out)], ["stats", str(world.out), "--json"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "maxi_cli", *command],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == ExitCode.FAILED
        assert done.stderr == "maxi: error: cannot write to stdout: No space left on device\n"
