"""Stdout is for a command's own data: what a plugin prints, in Python, below it or in another process, is on stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clip.tiny_clip import write
from tests.evaluation.conftest import film

PRINTS = """
import os
from maxi_core import Decoder, hookimpl


def loud(where):
    print(f"{where} in Python")
    os.write(1, f"{where} below it\\n".encode())
    os.system(f"echo {where} elsewhere")


class Loud(Decoder):
    "PyAV, announced."
    name = "loud"

    def decode(self, *video, **how):
        from maxi_core.video.pyav_decoder import decode

        loud("decoded")
        return decode(*video, **how)

    @classmethod
    def about(cls):
        loud("about")
        return "1.0"


@hookimpl
def maxi_register_decoders():
    loud("offered")
    return [Loud]
"""


@pytest.fixture
def loud(tmp_path: Path) -> list[str]:
    (tmp_path / "loud.py").write_text(PRINTS)
    film(tmp_path / "clip.mp4", 1)
    write(tmp_path / "model")
    video = '[video]\nworkers = 0\ndecoder = "file:loud"\n[eval]\nframes = 2\n'
    (tmp_path / "mine.toml").write_text(f'[plugins]\nfiles = ["{tmp_path}/loud.py"]\n{video}')
    return ["--config", str(tmp_path / "mine.toml"), "--json"]


def out_of(*arguments: str) -> tuple[dict[str, object], str]:
    """Return the document on stdout, and stderr."""
    done = subprocess.run([sys.executable, "-m", "maxi_cli", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.mark.parametrize("command", ["predict", "env"])
def test_a_document_is_one_whatever_plugins_print(tmp_path: Path, loud: list[str], command: str) -> None:
    asked = [str(tmp_path / "model"), str(tmp_path / "clip.mp4"), "--labels", "a,b"] if command == "predict" else []
    document, said = out_of(command, *asked, *loud)
    assert document["schema"] == 1
    for what in ("offered", "decoded" if asked else "about"):
        assert [f"{what} {how}" in said for how in ("in Python", "below it", "elsewhere")] == [True] * 3


def test_a_command_in_this_process_leaves_stdout_as_it_was(tmp_path: Path, loud: list[str], maxi) -> None:
    before = sys.stdout
    ran = maxi("predict", str(tmp_path / "model"), str(tmp_path / "clip.mp4"), "--labels", "a,b", *loud)
    assert json.loads(ran.out)["schema"] == 1
    assert "decoded in Python" in ran.err
    assert sys.stdout is before
