"""A plugin from a file: only where somebody names it, never because it lies there."""

import sys
import textwrap
from pathlib import Path

import pytest

from maxi_core.bags.shard import FOLDER
from maxi_core.bags.sharing import RECIPE
from maxi_core.errors import ExitCode, PluginError, UsageError
from maxi_core.plugin.catalog import Catalog
from maxi_core.recipe.plugin_files import files_of, load_file, with_files
from maxi_core.recipe.recipe import Setting, settle
from maxi_core.testing.plugin import light_to_import, light_to_make, options_survive_a_recipe
from maxi_core.testing.source import same_elsewhere
from maxi_core.testing.subject import Subject
from tests.conftest import EXPANDER


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a plugin file in the current folder, which offers `mine`."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mine.py"
    path.write_text(textwrap.dedent(EXPANDER.format(name="mine")))
    return path


def test_a_file_that_is_named_offers_what_an_installed_plugin_would(maxi, mine) -> None:
    ran = maxi("plugins", "mine", "--plugin", "./mine.py")
    assert ran.code == ExitCode.DONE
    assert "mine (expander, file " in ran.out
    assert "mine.limit        integer >= 1             5        how many" in ran.out
    assert "mine.limit" in maxi("env", "--plugin", "mine.py", "-o", "mine.limit=3").out


def test_a_file_that_lies_in_the_folder_is_nobodys_plugin(maxi, mine) -> None:
    assert "mine" not in maxi("plugins").out
    ran = maxi("env", "-o", "mine.limit=3")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "no section [mine]" in ran.err


def test_a_recipe_that_is_typed_may_name_it_and_one_that_lies_here_may_not(maxi, mine) -> None:
    text = '[plugins]\nfiles = ["mine.py"]\n[mine]\nlimit = 3\n'
    (mine.parent / "typed.toml").write_text(text)
    assert "mine.limit" in maxi("env", "--config", "typed.toml").out
    (mine.parent / "maxi.toml").write_text('[plugins]\nfiles = ["mine.py"]\n')
    ran = maxi("env")
    assert ran.code == ExitCode.USAGE
    assert (
        "maxi.toml names plugin files, and nobody named it: it is read because it lies there; type --plugin FILE"
        in ran.err
    )


@pytest.mark.parametrize("arguments", [["-o", "plugins.files=mine.py"], ["--option", "plugins.files=mine.py"]])
def test_an_option_cannot_name_it(maxi, mine, arguments) -> None:
    ran = maxi("env", *arguments)
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "no section [plugins]" in ran.err


def test_a_variable_cannot_name_it(maxi, mine, monkeypatch) -> None:
    monkeypatch.setenv("MAXI_PLUGINS_FILES", "mine.py")
    assert "the environment sets MAXI_PLUGINS_FILES, which is no option" in maxi("env").err


def test_the_settled_recipe_of_a_run_does_not_name_it_and_cannot(maxi, mine) -> None:
    catalog = with_files(Catalog(()), [mine])
    settled = settle(catalog, [Setting("mine", "limit", "3", "-o")]).to_toml()
    assert "mine.py" not in settled
    recipe = mine.parent / "recipe.toml"
    recipe.write_text(settled)
    assert "'file:mine' is of a plugin file, and none that was named has it; type --plugin FILE" in (
        maxi("env", "--config", "recipe.toml").err
    )
    recipe.write_text(settled + '\n[plugins]\nfiles = ["mine.py"]\n')
    ran = maxi("env", "--config", "recipe.toml")
    assert ran.code == ExitCode.USAGE
    assert "recipe.toml is the settled recipe of a run and names plugin files; type --plugin FILE" in ran.err


def test_the_recipe_that_maxi_merge_reads_by_itself_makes_nobody_run_code(maxi, mine) -> None:
    mine.write_text("from pathlib import Path\nPath('ran').touch()\n" + mine.read_text())
    recipe = mine.parent / "run" / FOLDER / RECIPE
    recipe.parent.mkdir(parents=True)
    recipe.write_text('[plugins]\nfiles = ["mine.py"]\n')
    ran = maxi("merge", "run")
    assert ran.code == ExitCode.USAGE
    assert "names plugin files, and nobody named it" in ran.err
    assert not Path("ran").exists()


def test_what_is_not_there_or_no_python_is_named(maxi, mine) -> None:
    for name in ("yours.py", "mine.txt", "."):
        (mine.parent / "mine.txt").write_text("")
        ran = maxi("plugins", "--plugin", name)
        assert ran.code == ExitCode.USAGE
        assert "there is no plugin file" in ran.err


@pytest.mark.parametrize("table", ['files = "mine.py"', "files = [1]", 'file = ["mine.py"]', "files = []\nmore = 1"])
def test_a_table_of_another_form_is_refused(mine, table) -> None:
    config = mine.parent / "typed.toml"
    config.write_text(f"[plugins]\n{table}\n")
    with pytest.raises(UsageError, match=r"\[plugins\] is not of the form; write files = \[\"./mine.py\"\]"):
        files_of(config)


def test_a_broken_file_ends_the_command_and_is_explained_by_maxi_plugins(maxi, mine) -> None:
    mine.write_text("import not_a_module_of_anybody")
    ran = maxi("env", "--plugin", "mine.py")
    assert ran.code == ExitCode.USAGE
    assert "mine.py is broken: ModuleNotFoundError" in ran.err
    assert ran.err.count("\n") == 1
    shown = maxi("plugins", "mine", "--plugin", "mine.py").out
    assert "Traceback" in shown
    with pytest.raises(PluginError, match="is broken"):
        with_files(Catalog(()), [mine])


def test_changed_code_is_loaded_anew_and_is_another_package_to_the_store(mine) -> None:
    first = load_file(mine).offers[0].cls
    assert load_file(mine).offers[0].cls is first
    mine.write_text(mine.read_text().replace("return [entry]", "return [entry + '!']"))
    second = load_file(mine).offers[0].cls
    assert [list(cls().expand(["waving"])) for cls in (first, second)] == [[["waving"]], [["waving!"]]]
    assert first.__module__ != second.__module__
    assert not (mine.parent / "__pycache__").exists()


def test_a_file_that_was_moved_is_loaded_from_where_it_is(mine, tmp_path) -> None:
    first = load_file(mine).offers[0].cls
    (tmp_path / "moved").mkdir()
    moved = mine.rename(tmp_path / "moved" / "mine.py")
    second = load_file(moved).offers[0].cls
    assert second.__module__ == first.__module__
    assert sys.modules[second.__module__].__file__ == str(moved)


def test_the_kit_can_check_it_in_a_process_of_its_own(mine) -> None:
    cls = load_file(mine).offers[0].cls
    for check in (light_to_import, light_to_make, options_survive_a_recipe, same_elsewhere):
        check(Subject(cls, ["waving", "bowing"], mine.parent))
    mine.write_text("import torch\n" + mine.read_text())
    with pytest.raises(AssertionError, match="imports torch"):
        light_to_import(Subject(load_file(mine).offers[0].cls, ["waving"], mine.parent))
