"""A plugin that ends the process below Python's own ways out, or does not let it end, is named."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

VANISHES = """
import os
from maxi_core import Expander, hookimpl
if "{where}" == "import":
    os._exit(0)
class Gone(Expander):
    "Is gone."
    name = "gone"
    def expand(self, entries):
        os._exit(0)
@hookimpl
def maxi_register_sources():
    return [Gone]
"""


@pytest.mark.parametrize("where", ["import", "expand"])
def test_os_exit_is_named_and_fails(tmp_path: Path, maxi_process, where: str) -> None:
    (tmp_path / "gone.py").write_text(VANISHES.format(where=where))
    done = maxi_process("check-plugin", "gone", "--full", "--plugin", str(tmp_path / "gone.py"))
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if "os._exit" in line]
    assert line.startswith(f"maxi: error: {tmp_path / 'gone.py'}:")
    assert "called os._exit(0), which ends maxi before its command is done" in line


def test_a_process_that_is_forked_may_use_it(tmp_path: Path, maxi_process) -> None:
    forks = ["import os", "child = os.fork()", "if not child:", "    os._exit(7)", "_, status = os.waitpid(child, 0)"]
    forks += ["assert os.waitstatus_to_exitcode(status) == 7", ""]
    (tmp_path / "gone.py").write_text("\n".join(forks) + VANISHES.format(where=""))
    done = maxi_process("plugins", "--plugin", str(tmp_path / "gone.py"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "gone" in done.stdout


LINGERS = """
import threading
from maxi_core import Expander, hookimpl
threading.Thread(target=threading.Event().wait, name="lingers").start()
class Here(Expander):
    "Is here."
    name = "here"
    def expand(self, entries):
        return [[] for _ in entries]
@hookimpl
def maxi_register_sources():
    return [Here]
"""


def test_a_thread_that_outlives_its_command_is_named_and_ctrl_c_ends_it(tmp_path: Path) -> None:
    (tmp_path / "here.py").write_text(LINGERS)
    command = [sys.executable, "-m", "maxi_cli", "plugins", "here", "--plugin", str(tmp_path / "here.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = process.stderr.readline()
        assert said.startswith("maxi: all is done; the thread 'lingers' of a plugin or library still runs")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert "Is here." in process.stdout.read()
        assert process.stderr.read() == ""
