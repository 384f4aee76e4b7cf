"""The recipe: defaults < file < environment < flags, one path language, and a settled file that says it all again."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.recipe.recipe import Recipe, Setting, from_env, from_file, from_flag, settle
from maxi_core.settings.sections import SourcesSection
from tests.conftest import EXPANDER, FakeDist


@pytest.fixture
def catalog(fake_dist: FakeDist) -> Catalog:
    fake_dist("polite", EXPANDER.format(name="polite"))
    fake_dist("broken", "import not_a_module_of_anybody")
    return discover()


def value(recipe: Recipe, section: str, key: str) -> object:
    return getattr(recipe.sections[section], key)


def polite(recipe: Recipe, key: str) -> object:
    return value(recipe, "polite:polite", key)


def test_later_settings_win_in_the_promised_order(catalog: Catalog, tmp_path: Path) -> None:
    file = tmp_path / "maxi.toml"
    file.write_text('[polite]\nlimit = 2\nwords = ["a"]\n')
    settings = from_file(file)
    assert polite(settle(catalog, settings), "limit") == 2
    settings += from_env({"MAXI_POLITE_LIMIT": "3"}, catalog)
    assert polite(settle(catalog, settings), "limit") == 3
    settings += [from_flag("polite.limit=4")]
    recipe = settle(catalog, settings)
    assert polite(recipe, "limit") == 4
    assert polite(recipe, "words") == ("a",)
    assert recipe.origins["polite:polite", "limit"] == "-o polite.limit=4"
    assert recipe.origins["polite:polite", "words"] == "maxi.toml"


@pytest.mark.parametrize("content", ["[trian]", "[trian]\nlr = 1\n", "[bags]\n[polit]\n"])
def test_a_section_that_nobody_has_is_an_error_also_if_it_is_empty(
    catalog: Catalog, tmp_path: Path, content: str
) -> None:
    (tmp_path / "maxi.toml").write_text(content)
    with pytest.raises(UsageError, match=r"no section \[(trian|polit)\] \(did you mean '(train|polite)'"):
        settle(catalog, from_file(tmp_path / "maxi.toml"))
    (tmp_path / "maxi.toml").write_text("[train]\n[polite]\n")
    assert settle(catalog, from_file(tmp_path / "maxi.toml")).origins == {}


def test_core_sections_and_plugins_share_one_path_language(catalog: Catalog) -> None:
    recipe = settle(catalog, [from_flag("sources.texts=polite"), from_flag("polite.words=run,jump")])
    assert recipe.core("sources", SourcesSection).texts == ("polite",)
    assert polite(recipe, "words") == ("run", "jump")


def test_a_hyphen_in_a_key_is_an_underscore(catalog: Catalog) -> None:
    assert polite(settle(catalog, [from_flag("polite.at-most=7")]), "at_most") == 7


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("polit.limit=1", r"no section \[polit\] \(did you mean 'polite'\?\) \(-o polit.limit=1\); known: bags"),
        ("polite.limi=1", r"\[polite\] has no option 'limi' \(did you mean 'limit'\?\)"),
        ("polite.limit=many", r"\[polite\] limit = 'many' .*it takes integer >= 1"),
        ("polite.limit", "is not of the form section.key=value"),
        ("limit=1", "is not of the form section.key=value"),
        ("broken.limit=1", "plugin 'broken:broken' 1.0 is broken"),
    ],
)
def test_a_wrong_setting_gets_one_line(catalog: Catalog, text: str, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        settle(catalog, [from_flag(text)])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("[polite\n", r"maxi.toml is not TOML: .*line 1"),
        ("limit = 1\n", "'limit' stands outside a section"),
        ("schema = 9\n", "has schema 9, and this maxi reads 1"),
        ("[polite]\nlimit = 'x'\n", r"\[polite\] limit = 'x' \(maxi.toml\)"),
        ("[nobody]\nx = 1\n", r"no section \[nobody\]"),
    ],
)
def test_a_wrong_file_gets_one_line(catalog: Catalog, tmp_path: Path, content: str, line: str) -> None:
    file = tmp_path / "maxi.toml"
    file.write_text(content)
    with pytest.raises(UsageError, match=line):
        settle(catalog, from_file(file))


def test_a_recipe_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe at"):
        from_file(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff[")
    with pytest.raises(UsageError, match="line 1: this is not UTF-8 text"):
        from_file(tmp_path / "bytes.toml")


def test_an_unknown_variable_of_ours_is_an_error_and_anybody_elses_is_not(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"no option \(did you mean 'MAXI_POLITE_LIMIT'\?\)"):
        from_env({"MAXI_POLITE_LIMT": "3"}, catalog)
    assert from_env({"POLITE_LIMIT": "3", "MAXI_HOME": "/x", "MAXI_LOAD_PLUGINS": ""}, catalog) == []


def test_a_variable_of_a_plugin_that_is_broken_or_off_says_so(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="MAXI_BROKEN_LIMIT, and plugin 'broken:broken' 1.0 is broken: ModuleNotFound"):
        from_env({"MAXI_BROKEN_LIMIT": "3"}, catalog)
    with pytest.raises(UsageError, match="plugin 'polite:polite' 1.0 is off: left out by --no-plugin"):
        from_env({"MAXI_POLITE_LIMIT": "3"}, discover(without=["polite"]))


def test_a_variable_that_two_options_share_is_refused_with_both(fake_dist: FakeDist) -> None:
    fake_dist("a", EXPANDER.format(name="a").replace("limit:", "b_limit:"))
    fake_dist("a-b", EXPANDER.format(name="a-b"))
    catalog = discover()
    with pytest.raises(UsageError, match=r"MAXI_A_B_LIMIT, which is the name of both \[a\] b_limit and \[a-b\] limit"):
        from_env({"MAXI_A_B_LIMIT": "3"}, catalog)
    assert from_env({"MAXI_A_B_WORDS": "x"}, catalog)[0].section == "a-b"


def test_players_must_exist_in_their_role(catalog: Catalog) -> None:
    with pytest.raises(PluginError, match="'polite' is an expander, and a matcher is wanted here"):
        settle(catalog, [from_flag("sources.matcher=polite")], sources=True)


def test_the_options_of_players_are_settled_even_where_nobody_set_them(catalog: Catalog) -> None:
    settings = [
        Setting("sources", "matcher", "none", "test"),
        Setting("sources", "augmenter", "none", "test"),
        from_flag("sources.texts=polite"),
    ]
    assert polite(settle(catalog, settings, sources=True), "limit") == 5


def test_a_source_plays_once_in_either_spelling(catalog: Catalog) -> None:
    settings = [Setting("sources", part, "none", "test") for part in ("matcher", "augmenter")]
    with pytest.raises(UsageError, match=r"\[sources\] texts names 'polite' twice; give .* label, .*: polite,polite#b"):
        settle(catalog, [*settings, from_flag("sources.texts=polite,polite:polite")], sources=True)


def test_dist_colon_name_is_the_same_section_as_the_bare_name(catalog: Catalog) -> None:
    recipe = settle(catalog, [from_flag("polite:polite.limit=2"), from_flag("polite.words=a")])
    assert (polite(recipe, "limit"), polite(recipe, "words")) == (2, ("a",))


def test_clashing_names_have_sections_of_their_own(catalog: Catalog, fake_dist: FakeDist, tmp_path: Path) -> None:
    fake_dist("other", EXPANDER.format(name="polite"))
    catalog = discover()
    recipe = settle(catalog, [from_flag("other:polite.limit=2"), from_flag("polite:polite.limit=3")])
    recipe.write(tmp_path / "recipe.toml")
    again = settle(catalog, from_file(tmp_path / "recipe.toml"))
    assert value(again, "other:polite", "limit") == 2
    assert value(again, "polite:polite", "limit") == 3


words = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=3).map(tuple)


@settings(deadline=None)  # it writes a file each time
@given(limit=st.integers(1, 10**9), words=words)
def test_the_settled_recipe_read_back_is_the_same_run(limit: int, words: tuple[str, ...]) -> None:
    import tempfile

    from maxi_core.plugin.catalog import Offer, Plugin
    from tests.core.samples import Echo

    offer = Offer("echo", Echo, "here", "1")
    catalog = Catalog((Plugin("echo", "here", "1", "samples", "ok", offers=(offer,)),))
    settings = [Setting("echo", "limit", limit, "test", typed=False), Setting("echo", "words", words, "x", typed=False)]
    recipe = settle(catalog, settings)
    with tempfile.TemporaryDirectory() as folder:
        recipe.write(Path(folder) / "recipe.toml")
        again = settle(catalog, from_file(Path(folder) / "recipe.toml"))
    assert dict(again.sections) == dict(recipe.sections)
    assert again.to_toml() == recipe.to_toml()
