"""`maxi demo`: what it prints to be pasted, and that public commands understand it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_core.demo.commands import TRAININGS, commands
from tests.conftest import Ran

SEEDS = 3
Maxi = Callable[..., Ran]


def test_the_commands_to_paste_are_those_that_it_runs(maxi: Maxi, tmp_path: Path) -> None:
    printed = maxi("demo", "--out", str(tmp_path / "a b"), "--seeds", str(SEEDS), "--print-commands")
    assert printed.code == 0
    words = [shlex.split(line) for line in printed.out.splitlines()]
    assert words == [["maxi", *command.words] for command in commands(tmp_path / "a b", SEEDS)]
    assert sum(line[1] == "train" for line in words) == SEEDS * len(TRAININGS)
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize("command", list(commands(Path("demo"), 1)), ids=lambda command: command.title)
def test_every_word_of_its_commands_is_known_to_the_command(command, maxi: Maxi) -> None:
    assert maxi(*command.words, "--help").code == 0
    flags = {word for word in command.words if word.startswith("--")}
    shown = maxi(command.words[0], "--help").out
    assert all(flag in shown for flag in flags)


def test_a_file_in_the_place_of_its_folder_is_named(maxi: Maxi, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    refused = maxi("demo", "--out", str(tmp_path / "demo"))
    assert refused.code == 2
    assert "is not a folder" in refused.err
