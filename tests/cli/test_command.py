"""Flags that are made of the options of sections: what help shows of them, what they set, and what TAB offers."""

from pathlib import Path

import pytest
import typer
from typer.main import get_command

from maxi_cli.app import app
from maxi_cli.flags import complete_option, completing, offering
from maxi_core.errors import ExitCode
from maxi_core.settings.sections import CORE, core_section


def commands_of(group, before=""):
    """Return the commands of a group by name, those of the groups in it too: `data stats`."""
    found = {before + name: group.get_command(None, name) for name in group.list_commands(None)}
    below = [commands_of(one, f"{name} ") for name, one in found.items() if hasattr(one, "list_commands")]
    return {name: one for some in (found, *below) for name, one in some.items()}


GROUP = commands_of(get_command(app))
COMMANDS = {name: command for name, command in GROUP.items() if hasattr(command.callback, "taken")}
FLAGS = [(name, path) for name, command in COMMANDS.items() for path in command.callback.taken.options()]


def test_some_commands_take_sections() -> None:
    assert {"bags", "train", "eval", "data stats"} <= set(COMMANDS)


@pytest.mark.parametrize(("name", "path"), FLAGS, ids=str)
def test_each_option_that_a_command_takes_is_declared_nowhere_else(name: str, path: str) -> None:
    own = {param.name for param in COMMANDS[name].params}
    assert path.partition(".")[2] not in own


@pytest.mark.parametrize("name", COMMANDS)
def test_no_two_parameters_of_a_command_share_a_name_or_a_flag(name: str) -> None:
    params = COMMANDS[name].get_params(typer.Context(COMMANDS[name]))
    names = [param.name for param in params]
    flags = [
        flag for param in params if param.param_type_name == "option" for flag in (*param.opts, *param.secondary_opts)
    ]
    assert len(set(names)) == len(names)
    assert len(set(flags)) == len(flags)


def test_help_shows_defaults_and_ranges(maxi) -> None:
    text = " ".join(maxi("check", "--help").out.split())
    assert "--retries <int> How often a video is tried again that killed its worker or hung. [default: 1; x>=0]" in text
    assert "[default: one per core, up to 8; x>=0]" in text  # what is said of none
    assert "--allow-outside-root / --no-allow-outside-root" in text
    assert "Problems that are no reason for exit code 3" in text  # what it means in this command


def test_help_says_what_is_required_wherever_it_is_set(maxi, tmp_path, monkeypatch) -> None:
    text = " ".join(maxi("bags", "--help").out.split())
    assert text.count("[required, here or in maxi.toml]") == 3
    monkeypatch.chdir(tmp_path)
    assert "which dictionary? neither --dictionary nor [bags] dictionary says" in maxi("bags", ".", "--out", "x").err
    (tmp_path / "maxi.toml").write_text("[bags]\ndictionary = 'actions.txt'\nout = 'x'\n")
    assert "which videos? neither VIDEOS nor [bags] videos says" in maxi("bags").err


def test_an_empty_value_of_a_flag_is_none_as_that_of_an_option_is(maxi, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "which out?" in maxi("bags", ".", "--dictionary", "actions.txt", "--out", "").err


def test_a_flag_wins_over_variable_and_file_and_can_say_no(maxi, tmp_path, monkeypatch) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / "away" / "clip.mp4").write_bytes(b"no video")
    (tmp_path / "clips" / "link.mp4").symlink_to(tmp_path / "away" / "clip.mp4")
    (tmp_path / "maxi.toml").write_text("[video]\nallow_outside_root = true\nworkers = 0\n")
    monkeypatch.chdir(tmp_path)
    assert "link.mp4" in maxi("check", "clips").out
    monkeypatch.setenv("MAXI_VIDEO_ALLOW_OUTSIDE_ROOT", "false")
    assert "link.mp4" in maxi("check", "clips", "--allow-outside-root").out
    monkeypatch.setenv("MAXI_VIDEO_ALLOW_OUTSIDE_ROOT", "true")
    refused = maxi("check", "clips", "--no-allow-outside-root")
    assert refused.code != ExitCode.DONE
    assert "root" in refused.err + refused.out
    refused = maxi("check", "clips", "--no-allow-outside-root", "-o", "video.allow_outside_root=true")
    assert "--no-allow-outside-root False and -o video.allow_outside_root=true say different things" in refused.err


@pytest.mark.parametrize("value", ["-1", "x"])
def test_a_wrong_value_is_refused_in_one_line_that_names_the_flag(maxi, tmp_path, value: str) -> None:
    ran = maxi("check", str(tmp_path), "--retries", value)
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "--retries" in ran.err


@pytest.mark.parametrize(
    ("path", "typed", "offered"),
    [
        ("train.loss", "mil_nce_", ["mil_nce_instance", "mil_nce_pairs"]),
        ("train.flip", "", ["true", "false"]),
        ("train.report_to", "wandb,", ["wandb,tensorboard", "wandb,trackio"]),
        ("train.temporal", "cross", ["crossframe"]),
        ("train.model", "sand", ["sandbox"]),
        ("train.val", "ucf101,hmdb", ["ucf101,hmdb51"]),
        ("train.val", "sandbox-", ["sandbox-novel"]),
        ("train.lr", "", []),
        ("bags.dictionary", "mini", ["minikinetics"]),
        ("bags.videos", "", ["sandbox"]),
        ("video.decoder", "dec", ["decord"]),
        ("sources.matcher", "", ["dictionary"]),
    ],
)
def test_tab_offers_the_values_of_an_option_to_its_flag_and_to_o(path: str, typed: str, offered: list[str]) -> None:
    section, _, key = path.partition(".")
    found = completing(core_section(section), key)(typed)
    assert found[: len(offered)] == offered
    assert complete_option(f"{path}={typed}") == [f"{path}={value}" for value in found]


def test_tab_offers_the_options_of_plugins_too() -> None:
    assert complete_option("verbs.forms=verb,") == ["verbs.forms=verb,verb-phrase", "verbs.forms=verb,noun"]
    assert complete_option("blip.model=") == ["blip.model=sandbox"]


def test_tab_offers_no_more_than_begins_so() -> None:
    assert offering(closed=("maxi-k400", "maxi-fewshot"))("maxi-k") == ["maxi-k400"]
    assert "sandbox" in offering("world.recipe")("")


@pytest.mark.parametrize("name", CORE)
def test_each_option_of_the_core_says_what_it_is_in_a_sentence(name: str) -> None:
    from maxi_core.settings.options import describe

    for one in describe(core_section(name)):
        assert one.sentence[0] == one.sentence[0].upper()
        assert "none:" not in one.sentence.partition("[")[2]


EMPTY = [
    *(("heatmap", "a.mp4", "--text", "x", "--models", "m", "--out", ""), ("report", "run", "--out", "")),
    *(("predict", "m", "a.mp4", "--strip", ""), ("check", "a.mp4", "--problems", ""), ("check", "", "-q")),
    *(("import", "bags", "", "--out", "run"), ("import", "checkpoint", "f", "--out", ""), ("show", "")),
    *(("export", "bags", "run", "", "--to", "jsonl"), ("export", "model", "m", ""), ("compare", "a", "")),
    *(("data", "convert", "-b", "x", "--out", ""), ("data", "shots", "-b", "x", "--annotations", "", "--out", "y")),
    *(("eval", "m", "-b", "x", "--videos", ""), ("eval", "m", "-b", "x", "--plugin", ""), ("train", "")),
    *(("bags", "clips", "--config", ""), ("bags", ""), ("merge", ""), ("demo", "--out", ""), ("study", "")),
    *(("eval", "m", "-b", "x", "--out", ""), ("eval", "m", "-b", "x", "-o", "eval.out=")),
    *(("study", "loss", "--out", ""), ("report", "run", "--labels", ""), ("import", "bags", "r", "--videos", "")),
]  # fmt: skip


@pytest.mark.parametrize("typed", EMPTY, ids=" ".join)
def test_an_empty_path_is_one_line_and_nothing_is_written(
    maxi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = maxi(*typed)
    assert (ran.code, ran.err.count("\n"), " is empty" in ran.err) == (2, 1, True), ran.err
    assert list(tmp_path.iterdir()) == []
