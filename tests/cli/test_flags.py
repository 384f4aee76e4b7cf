"""Flags that are aliases of options, and what the shell offers after TAB."""

import json

import pytest

from maxi_cli.flags import complete_plugin, complete_sources
from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER, FakeDist


@pytest.mark.parametrize(
    "arguments",
    [
        ["--video-timeout", "60", "-o", "video.timeout=60"],
        ["--video-timeout", "60", "-o", "video.timeout=6e1"],
        ["--retries", "2", "-o", "video.retries=2"],
        ["--decoder", "pyav", "-o", "video.decoder=pyav"],
        ["--allow-outside-root", "-o", "video.allow_outside_root=yes"],
    ],
)
def test_a_flag_and_an_option_that_say_the_same_are_no_conflict(maxi, tmp_path, arguments) -> None:
    ran = maxi("check", str(tmp_path), *arguments)
    assert (ran.code, ran.err.count("\n")) == (ExitCode.NOTHING, 1)


def test_a_flag_and_an_option_that_differ_are_refused_with_both(maxi, tmp_path) -> None:
    ran = maxi("check", str(tmp_path), "--video-timeout", "60", "-o", "video.timeout=61")
    assert ran.code == ExitCode.USAGE
    assert "--video-timeout 60.0 and -o video.timeout=61 say different things" in ran.err


def test_tab_offers_what_the_command_would_load(fake_dist: FakeDist, monkeypatch) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    fake_dist("rude", EXPANDER.format(name="rude"))
    assert complete_sources("gpt3,ru") == ["gpt3,rude"]
    monkeypatch.setenv("MAXI_LOAD_PLUGINS", "polite")
    assert complete_sources("gpt3,ru") == []
    assert complete_sources("p") == ["polite"]
    monkeypatch.setenv("MAXI_LOAD_PLUGINS", "nobody")
    assert "gpt3" in complete_sources("")
    assert complete_plugin("verb") == ["verbs"]


def test_a_folder_with_the_name_of_a_dictionary_is_a_folder_of_videos(maxi, tmp_path, monkeypatch) -> None:
    (tmp_path / "kinetics400").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = ["-o", "bags.videos=kinetics400", "-o", "bags.dictionary=kinetics400:200"]
    shown = json.loads(maxi("env", "--json", *settings).out)["settings"]
    assert shown["bags.videos"].startswith(str(tmp_path / "kinetics400"))
    assert shown["bags.dictionary"].startswith("kinetics400:200 ")
