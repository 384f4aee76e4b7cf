"""`maxi demo`: what it prints to be pasted, and that public commands understand it."""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from maxi_cli.demo import as_table
from maxi_cli.terminal import stdout
from maxi_core.evaluation.metrics import Interval
from maxi_sandbox.actions import NOVEL
from maxi_sandbox.demo.commands import BENCHMARKS, TRAININGS, commands
from maxi_sandbox.demo.screen import ABOUT, ROWS, screen
from maxi_sandbox.demo.table import Cell
from maxi_sandbox.library import SEEDS as DRAWS
from tests.conftest import Ran
from tools.world.pretrain import BLIP_STILLS
from tools.world.stills import still

SEEDS = 3
Maxi = Callable[..., Ran]


def test_the_commands_to_paste_are_those_that_it_runs(maxi: Maxi, tmp_path: Path) -> None:
    printed = maxi("demo", "--out", str(tmp_path / "a b"), "--seeds", str(SEEDS), "--print-commands")
    assert printed.code == 0
    *lines, last = printed.out.splitlines()
    words = [shlex.split(line) for line in lines]
    assert last.startswith("# no command:")
    assert words == [["maxi", *command.words] for command in commands(tmp_path / "a b", SEEDS)]
    assert sum(line[1] == "train" for line in words) == SEEDS * len(TRAININGS)
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize("command", list(commands(Path("demo"), 1)), ids=lambda command: command.title)
def test_every_word_of_its_commands_is_known_to_the_command(command, maxi: Maxi) -> None:
    assert maxi(*command.words, "--help").code == 0
    flags = {word for word in command.words if word.startswith("--")}
    shown = maxi(command.words[0], "--help").out
    assert all(flag in shown for flag in flags)


def test_the_paper_s_loss_and_the_control_differ_from_all_sources_in_that_alone() -> None:
    train = {command.title: command.words for command in commands(Path("demo"), 1) if command.words[0] == "train"}
    bags = {command.title: command.words for command in commands(Path("demo"), 1) if command.words[0] == "bags"}
    full = " ".join(train["training: full, seed 0"])
    paper = " ".join(train["training: paper, seed 0"])
    assert paper.replace(" --loss mil_nce ", " ").replace("seed0/paper", "seed0/full") == full
    assert " ".join(train["training: shuffled, seed 0"]).replace("shuffled", "full") == full
    assert "gpt3,shuffled" in bags["text bags: captions of other videos"]


def test_a_file_in_the_place_of_its_folder_is_named(maxi: Maxi, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("")
    refused = maxi("demo", "--out", str(tmp_path / "demo"))
    assert refused.code == 2
    assert "is not a folder" in refused.err


def test_the_screen_names_what_was_trained_how_and_what_each_verb_gains_in_80_columns(capsys) -> None:
    cell = Cell(
        (90.0, 90.1, 99.9),
        Interval(-10.0, -10.0, -10.0),
        Interval(-10.0, -20.0, 10.0),
        {"running": 1.0, "bowing": -0.4},
    )
    table = {(row, benchmark): cell for row in ROWS for benchmark in BENCHMARKS}
    table["vote", "sandbox-novel"] = Cell((99.95,), Interval(50.0, 40.0, 60.0), Interval(50.0, 40.0, 60.0))
    for one in screen(table, 3):
        stdout().print(one.what if isinstance(one.what, str) else as_table(one.what), style=one.style)
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in ABOUT.splitlines())
    assert all(len(line) <= 80 for line in shown.splitlines())
    words = " ".join(shown.split())
    for said in (
        "image tower is frozen",
        "mil_nce_instance, not the paper's",
        "token embedding",
        "2,000 labelled stills",
    ):
        assert said in words
    assert "novel verbs, 1 of 2 gain: running +1, bowing +0" in words
    assert "highest score: raw CLIP on same verbs, other view; caption vote on novel verbs" in words
    assert any(line.startswith("caption vote (no CLIP, no training)") for line in shown.splitlines())
    assert any(line.endswith("[-10.0, -10.0] [-10.0, -10.0] [-10.0, -10.0]") for line in shown.splitlines())
    assert "with the paper's loss 3 of these 3 would fail" in words


def test_the_stills_of_novel_verbs_that_the_captioner_saw_are_counted_right() -> None:
    seen = [still(seed).verb for seed in DRAWS["blip"][:BLIP_STILLS]]
    assert f"{len(seen):,} labelled stills, {sum(verb in NOVEL for verb in seen)} of novel verbs" in ABOUT
