"""`maxi plugins`: what is installed, with reasons in place, and the variables that choose what loads."""

import json

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER


def test_the_table_shows_what_is_offered_by_whom(maxi, fake_dist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    ran = maxi("plugins")
    assert ran.code == ExitCode.DONE
    assert ["polite", "expander", "polite", "polite", "1.0", "ok"] in [line.split() for line in ran.out.splitlines()]
    assert max(len(line) for line in ran.out.splitlines()) <= 80


def test_a_broken_plugin_is_shown_with_its_reason_and_nothing_is_complained_of(maxi, fake_dist) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    ran = maxi("plugins")
    assert ran.code == ExitCode.DONE
    assert ran.err == ""
    assert "broken:broken is broken: ModuleNotFoundError" in ran.out
    assert ["mean", "temporal"] in [line.split()[:2] for line in ran.out.splitlines()]


def test_a_broken_plugin_is_red_on_a_terminal(maxi, fake_dist, monkeypatch) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    red = [line for line in maxi("plugins").out.splitlines() if "\x1b[31m" in line]
    assert any("broken:broken is broken" in line for line in red)


def test_a_broken_plugin_that_is_asked_for_shows_its_traceback(maxi, fake_dist) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    ran = maxi("plugins", "broken")
    assert "Traceback" in ran.out
    assert json.loads(maxi("plugins", "broken", "--json").out)["state"] == "broken"


def test_one_source_is_explained_with_its_options(maxi, fake_dist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    out = maxi("plugins", "polite").out
    assert "polite (expander, polite 1.0)" in out
    assert "Says the entry again." in out
    assert "polite.limit        integer >= 1             5        how many" in out
    document = json.loads(maxi("plugins", "polite", "--json").out)
    assert document["options"][0] == {"key": "limit", "type": "integer >= 1", "default": 5, "help": "how many"}


def test_a_clash_is_shown_with_what_to_write(maxi, fake_dist) -> None:
    fake_dist("first", EXPANDER.format(name="twin"))
    fake_dist("second", EXPANDER.format(name="twin"))
    out = maxi("plugins").out
    assert "clash: write first:twin" in out
    assert "clash: write second:twin" in out
    ran = maxi("plugins", "twin")
    assert ran.code == ExitCode.USAGE
    assert "offered by first 1.0 and by second 1.0" in ran.err


def test_the_json_has_name_version_hooks_state_and_error(maxi, fake_dist) -> None:
    fake_dist("broken", "import sys; sys.exit(3)")
    document = json.loads(maxi("plugins", "--json").out)
    rows = {row["dist"]: row for row in document["plugins"]}
    assert document["schema"] == 1
    assert (rows["broken"]["state"], rows["broken"]["error"]) == ("broken", "SystemExit: 3")
    assert (rows["maxi"]["state"], rows["maxi"]["error"]) == ("ok", None)


def test_load_plugins_and_no_plugin_choose_what_loads(maxi, fake_dist, monkeypatch) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    monkeypatch.setenv("MAXI_LOAD_PLUGINS", "")
    assert "polite:polite is off: not named in MAXI_LOAD_PLUGINS" in maxi("plugins").out
    monkeypatch.setenv("MAXI_LOAD_PLUGINS", "polite")
    assert "polite:polite is off" not in maxi("plugins").out
    assert "polite:polite is off: left out by --no-plugin" in maxi("plugins", "--no-plugin", "polite").out
    monkeypatch.setenv("MAXI_LOAD_PLUGINS", "polit")
    ran = maxi("plugins")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "no installed plugin is called 'polit' (did you mean 'polite'?)" in ran.err


def test_strict_plugins_fail_the_command(maxi, fake_dist, monkeypatch) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    monkeypatch.setenv("MAXI_STRICT_PLUGINS", "1")
    ran = maxi("plugins")
    assert ran.code == ExitCode.USAGE
    assert ran.err.startswith("maxi: error: plugin 'broken:broken' 1.0 is broken: ModuleNotFoundError")
    assert ran.err.count("\n") == 1


def test_tracing_names_each_plugin_as_it_is_loaded(maxi_process, fake_dist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    quiet = maxi_process("plugins")
    traced = maxi_process("plugins", MAXI_TRACE_PLUGINS="1")
    assert "maxi.plugins" not in quiet.stderr
    assert "polite:polite (polite): ok, offers polite," in traced.stderr
    assert traced.stdout == quiet.stdout


def test_names_with_escape_codes_do_nothing_to_the_terminal(maxi, fake_dist) -> None:
    fake_dist("broken", "raise ValueError('\\x1b[2J [/b] [link=x]')")
    out = maxi("plugins").out
    assert "\x1b" not in out
    assert "\\x1b[2J [/b] [link=x]" in out


def test_what_a_plugin_says_of_itself_does_nothing_to_the_terminal(maxi, fake_dist) -> None:
    says = EXPANDER.format(name="polite").replace("Says the entry again.", "Says it.\n\n        [b]\\x1b[31m {x}")
    fake_dist("polite", says.replace('description="how many"', 'description="how \\x1b[31m many"'))
    out = maxi("plugins", "polite").out
    assert "\x1b" not in out
    assert "Says it.\n\n[b]\\x1b[31m {x}\n" in out
    assert "how \\x1b[31m many" in out


def test_a_docstring_that_is_none_is_no_bug(maxi, fake_dist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite").replace("'''Says the entry again.'''", "__doc__ = 5"))
    ran = maxi("plugins", "polite")
    assert (ran.code, "It has no description." in ran.out) == (0, True)
