"""The options of a stranger's plugin are explained, completed and refused in the very words that a built-in's are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maxi_cli.flags import complete_offer, complete_option, complete_sources
from maxi_core.errors import ExitCode

# the same options under another name of the same length, so that even tables are as wide
TWINS = {"crossframe": "crosstwins", "gpt3": "gptx"}
CODE = """
    from maxi_core import hookimpl
    from maxi_plugins.crossframe import CrossFrame
    from maxi_plugins.gpt3 import Gpt3

    class Crossed(CrossFrame):
        __doc__ = CrossFrame.__doc__
        name = "crosstwins"

    class Spoken(Gpt3):
        __doc__ = Gpt3.__doc__
        name = "gptx"

    @hookimpl
    def maxi_register_temporal():
        return [Crossed]

    @hookimpl
    def maxi_register_sources():
        return [Spoken]
"""


@pytest.fixture(autouse=True)
def twins(fake_dist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_dist("strange", CODE, version="0.1.0")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def as_built_in(text: str) -> str:
    """Return what was said of a twin as it would be said of the built-in."""
    for builtin, twin in TWINS.items():
        text = text.replace(twin, builtin).replace(twin.upper(), builtin.upper())
    return text.replace("strange", "maxi")


def without_known(text: str) -> str:
    """Return an error without the list of all that is known, in which both twins stand."""
    return text.partition("; known:")[0]


@pytest.mark.parametrize(("builtin", "twin"), TWINS.items())
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_maxi_plugins_explains_them_alike(maxi, builtin: str, twin: str, flags: tuple[str, ...]) -> None:
    wanted, found = maxi("plugins", builtin, *flags), maxi("plugins", twin, *flags)
    assert found.code == wanted.code == ExitCode.DONE
    assert as_built_in(found.out) == wanted.out


@pytest.mark.parametrize(
    "flag",
    [
        "{}.offsets=a", "{}.layers=0", "{}.layer=2", "{}.layers=2.5", "{}=3", "{}.temperature=3", "{}.modle=x",
        "{}.provider=fax", "{}.timeout=soon",
    ],
)  # fmt: skip
@pytest.mark.parametrize(("builtin", "twin"), TWINS.items())
def test_a_wrong_option_is_refused_alike(maxi, builtin: str, twin: str, flag: str) -> None:
    wanted, found = maxi("env", "-o", flag.format(builtin)), maxi("env", "-o", flag.format(twin))
    assert found.code == wanted.code
    assert without_known(as_built_in(found.err)) == without_known(wanted.err)
    if wanted.code != ExitCode.DONE:
        assert wanted.err.count("\n") == found.err.count("\n") == 1


@pytest.mark.parametrize(("builtin", "twin"), TWINS.items())
def test_a_recipe_file_and_a_variable_are_refused_alike(maxi, builtin: str, twin: str, monkeypatch) -> None:
    said = {}
    for name in (builtin, twin):
        Path("maxi.toml").write_text(f"[{name}]\nlayers = 0\ntemperature = 9\nnothing = 1\n")
        from_file = maxi("env").err
        Path("maxi.toml").unlink()
        variable = f"MAXI_{name.upper()}_NOTHING"
        monkeypatch.setenv(variable, "1")
        said[name] = from_file, maxi("env").err.partition(" (did you mean")[0]
        monkeypatch.delenv(variable)
    assert tuple(map(as_built_in, said[twin])) == said[builtin]
    assert all(text.startswith("maxi: error: ") for text in said[builtin])


@pytest.mark.parametrize(("builtin", "twin"), TWINS.items())
def test_what_is_set_is_shown_alike(maxi, builtin: str, twin: str, monkeypatch) -> None:
    key, value = ("layers", "6") if builtin == "crossframe" else ("temperature", "0.7")
    lines = {}
    for name in (builtin, twin):
        out = maxi("env", "-o", f"{name}.{key}={value}").out
        (lines[name],) = [line for line in out.splitlines() if f"{name}.{key}" in line]
        monkeypatch.setenv(f"MAXI_{name.upper()}_{key.upper()}", value)
        assert f"{name}.{key}" in maxi("env").out
        monkeypatch.delenv(f"MAXI_{name.upper()}_{key.upper()}")
    assert as_built_in(lines[twin]).split() == lines[builtin].split()


def test_completion_offers_them_alike() -> None:
    for builtin, twin in TWINS.items():
        wanted = complete_option(f"{builtin}.")
        assert wanted
        assert [as_built_in(path) for path in complete_option(f"{twin}.")] == wanted
        assert [(as_built_in(name), role) for name, role in complete_offer(twin)] == complete_offer(builtin)
    assert complete_sources("blip,gpt") == ["blip,gpt3", "blip,gptx"]


def test_the_shell_completes_them(tmp_path: Path) -> None:
    program = "from maxi_cli.app import app\napp(prog_name='maxi')"
    words = {"COMP_WORDS": "maxi env -o crosstwins.l", "COMP_CWORD": "3", "_MAXI_COMPLETE": "complete_bash"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={**os.environ, **words}
    )
    assert done.stdout.split() == ["crosstwins.layers="]
