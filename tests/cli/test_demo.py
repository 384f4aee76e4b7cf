"""`maxi demo`: what it prints to be pasted, and that public commands understand it."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from maxi_cli.demo import as_table
from maxi_cli.terminal import stdout
from maxi_core.evaluation.metrics import Interval
from maxi_sandbox.actions import ENTRIES, NOVEL, UNNAMED
from maxi_sandbox.demo import shuffled
from maxi_sandbox.demo.commands import BAGS, BENCHMARKS, INSTANCE, TRAININGS, WITH_SEEDS, commands, trainings
from maxi_sandbox.demo.gates import Gate
from maxi_sandbox.demo.screen import ABOUT, ROWS, plain, screen
from maxi_sandbox.demo.table import Cell
from maxi_sandbox.library import SEEDS as DRAWS
from maxi_sandbox.motions import MOTIONS
from tests.conftest import Ran
from tools.world.captions import HABITS
from tools.world.pretrain import BLIP_STILLS
from tools.world.stills import still

SEEDS = 3
FIRST = [command for command in commands(Path("demo"), SEEDS) if not command.title.endswith(("seed 1", "seed 2"))]
LONG = "a claim that is so long that it is broken somewhere before the 80th of all its columns"
GATES = [Gate("novel verbs: far above raw CLIP", "+20.0 [+1.0, +30.0]", True), Gate(LONG, "-1.0", False)]
Maxi = Callable[..., Ran]


def test_the_commands_to_paste_are_those_that_it_runs(maxi: Maxi, tmp_path: Path) -> None:
    printed = maxi("demo", "--out", str(tmp_path / "a b"), "--seeds", str(SEEDS), "--print-commands")
    assert printed.code == 0
    *lines, last = printed.out.splitlines()
    words = [shlex.split(line) for line in lines]
    assert last.startswith("# no command:")
    assert words == [["maxi", *command.words] for command in commands(tmp_path / "a b", SEEDS)]
    assert sum(line[1] == "train" for line in words) == SEEDS * len(trainings(SEEDS))
    assert not (tmp_path / "a b").exists()


@pytest.mark.parametrize("command", FIRST, ids=lambda command: command.title)
def test_every_word_of_its_commands_is_known_to_the_command(command, maxi: Maxi) -> None:
    assert maxi(*command.words, "--help").code == 0
    flags = {word for word in command.words if word.startswith("--")}
    shown = maxi(command.words[0], "--help").out
    assert all(flag in shown for flag in flags)


def test_the_other_loss_and_the_control_differ_from_the_row_of_captions_in_that_alone() -> None:
    words = {command.title: " ".join(command.words) for command in FIRST}
    captions, control = words["text bags: blip"], words["text bags: captions of other videos"]
    blip = words["training: blip, seed 0"]
    other = words["training: instance, seed 0"]
    assert other.replace(" --loss mil_nce_instance ", " ").replace("seed0/instance", "seed0/blip") == blip
    assert words["training: shuffled, seed 0"].replace("shuffled", "blip") == blip
    plugin = f" --plugin {Path(shuffled.__file__)} -o shuffled.run=demo/bags/blip "
    assert control.replace(plugin, " ").replace("shuffled", "blip") == captions


def test_the_losses_are_compared_from_three_seeds_on() -> None:
    assert WITH_SEEDS == 3
    assert trainings(1) == trainings(2) == TRAININGS
    assert set(trainings(3)) - set(TRAININGS) == {INSTANCE}
    assert set(BAGS) <= set(TRAININGS)
    for seeds in (1, 2, 3):
        trained = [command.words for command in commands(Path("demo"), seeds) if command.words[0] == "train"]
        assert sum("mil_nce_instance" in words for words in trained) == (seeds if seeds >= 3 else 0)


def test_every_command_needs_only_what_stands_before_it_and_reads_what_those_have_written() -> None:
    """So the commands can be pasted one after the other, and no two that make the same thing run at once."""
    story = list(commands(Path("demo"), SEEDS))
    done: dict[str, str] = {}  # title -> the folder that it writes
    for command in story:
        assert set(command.after) <= set(done), command.title
        read = [word for word in command.words[1:] if word.startswith("demo/")][:-1]  # the last one is its --out
        assert set(read) <= {done[title] for title in command.after}, command.title
        done[command.title] = command.words[command.words.index("--out") + 1]
    assert len(done) == len(story)
    assert [command.title for command in story if not command.after] == [
        "text bags: dictionary",  # renders the training videos
        *(f"captions of {benchmark}, for the vote" for benchmark in BENCHMARKS),  # render a benchmark each
    ]


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
    for one in screen(table, GATES, 3):
        stdout().print(one.what if isinstance(one.what, str) else as_table(one.what), style=one.style)
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in ABOUT.splitlines())
    assert all(len(line) <= 80 for line in shown.splitlines())
    words = " ".join(shown.split())
    for said in (
        "both towers, as in the paper, and the token embedding, which the authors leave as it is",
        "loss: the paper's (mil_nce, Eq. 2)",
        "each video with another one's captions",
        "true labels of all videos and cross-entropy; so it is told of novel verbs, too",
        f"supervised, {len(ENTRIES) + len(UNNAMED)} names",
        "10,000 labelled stills",
    ):
        assert said in words
    assert "novel verbs, 1 of 2 gain: running +1, bowing +0" in words
    assert "highest score: raw CLIP on same verbs, other view; caption vote on novel verbs" in words
    assert any(line.startswith("caption vote (no CLIP, no training)") for line in shown.splitlines())
    assert sum(line.endswith("[-10.0, -10.0] [-10.0, -10.0] [-10.0, -10.0]") for line in shown.splitlines()) == 2
    assert "holds novel verbs: far above raw CLIP: +20.0 [+1.0, +30.0]" in words
    assert f"FAILS {LONG}: -1.0" in words


def test_a_row_that_was_not_run_is_not_shown() -> None:
    cell = Cell((90.0,), Interval(1.0, 0.0, 2.0), Interval(1.0, 0.0, 2.0))
    table = {(row, benchmark): cell for row in ROWS for benchmark in BENCHMARKS}
    titles = [row[0] for row in _rows(table)]
    assert ROWS[INSTANCE] in titles
    without = {place: one for place, one in table.items() if place[0] != INSTANCE}
    assert [row[0] for row in _rows(without)] == [title for title in titles if title != ROWS[INSTANCE]]
    assert {one["model"] for one in plain(without, GATES)["scores"]} == set(ROWS) - {INSTANCE}


def _rows(table: Mapping[tuple[str, str], Cell]) -> Sequence[Sequence[str]]:
    (grid,) = (one.what for one in screen(table, GATES, 1) if not isinstance(one.what, str))
    return grid.rows


def test_the_checks_are_told_to_programs_too() -> None:
    assert plain({}, GATES)["gates"] == [asdict(gate) for gate in GATES]


def test_the_stills_of_novel_verbs_that_the_captioner_saw_are_counted_right() -> None:
    """The verb is what is drawn first: to paint ten thousand pictures takes long."""
    verbs = list(MOTIONS)
    seen = [str(np.random.default_rng(seed).choice(verbs)) for seed in DRAWS["blip"][:BLIP_STILLS]]
    assert seen[:40] == [still(seed).verb for seed in DRAWS["blip"][:40]]
    words = " ".join(ABOUT.split())
    assert f"{len(seen):,} labelled stills, {sum(verb in NOVEL for verb in seen):,} of novel verbs" in words


def test_nearly_half_of_what_the_captioner_learned_from_has_not_the_right_verb() -> None:
    right = [said == verb for verb, by_shirt in HABITS.items() for said in by_shirt.values()]
    assert 0.4 < 1 - sum(right) / len(right) < 0.5
    assert "nearly half of them with a wrong verb or one that says nothing" in " ".join(ABOUT.split())
