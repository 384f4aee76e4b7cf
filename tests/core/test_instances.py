"""Names that stay right: `dist:name` in what is settled, labels for the same source twice, options of the core."""

import tomllib
from pathlib import Path

import pytest
from pydantic import ValidationError

from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.recipe.parts import cast_parts, drop_parts
from maxi_core.recipe.recipe import Recipe, Setting, from_env, from_file, from_flag, settle, sources_of
from maxi_core.recipe.shipped import shipped
from maxi_core.settings.sections import CORE, BagsSection, SourcesSection, VideoOptions
from maxi_core.training.options import TrainSection
from tests.conftest import EXPANDER, FakeDist

MAKERS = {
    "calls no super": ("self.limit = 1", "has not taken the options it was made with; call super().__init__(options)"),
    "gives super no options": ("super().__init__()", "has not taken the options it was made with"),
    "raises": ("raise ValueError('no luck')", "'odd:odd' raised ValueError: no luck when it was made"),
    "leaves": ("raise SystemExit(0)", "'odd:odd' called sys.exit(0) when it was made"),
}


@pytest.fixture
def catalog(fake_dist: FakeDist) -> Catalog:
    """Return a catalog with two strangers, `polite` and `loud`, which nobody else is called."""
    fake_dist("polite", EXPANDER.format(name="polite"), version="2.5")
    fake_dist("loud", EXPANDER.format(name="loud"))
    return discover()


def settled(catalog: Catalog, *flags: str, sources: str = "", more: tuple[Setting, ...] = ()) -> Recipe:
    """Settle a run whose only parts are those that are named, and the default matcher and augmenter."""
    named = cast_parts(catalog, sources.split(",")) if sources else {}
    settings = [*more, *map(from_flag, flags)]
    settings += [Setting("sources", key, who, "--sources", typed=False) for key, who in named.items()]
    return settle(catalog, settings, sources=True)


@pytest.mark.parametrize("name", ["verbs", "dictionary", "gpt3", "blip"])
def test_a_strangers_name_breaks_no_run_that_does_not_use_it(fake_dist: FakeDist, name: str) -> None:
    fake_dist("stranger", EXPANDER.format(name=name))
    catalog = discover()
    assert len(catalog.named(name)) >= 1
    sources = settle(catalog, [], sources=True).core("sources", SourcesSection)
    assert [who for _, who in sources_of(sources)] == ["maxi:dictionary", "maxi:verbs"]


def test_a_bare_name_that_two_offer_is_refused_with_both_wherever_it_is_typed(fake_dist: FakeDist) -> None:
    fake_dist("stranger", EXPANDER.format(name="verbs"))
    catalog = discover()
    both = "'verbs' is offered by maxi .* and by stranger 1.0; write maxi:verbs or stranger:verbs"
    with pytest.raises(PluginError, match=both):
        cast_parts(catalog, ["verbs"])
    with pytest.raises(PluginError, match=rf"\[verbs\] \(-o verbs.limit=3\): {both}"):
        settle(catalog, [from_flag("verbs.limit=3")])
    with pytest.raises(PluginError, match=rf"\[verbs\] \(MAXI_VERBS_LIMIT\): {both}"):
        settle(catalog, from_env({"MAXI_VERBS_LIMIT": "3"}, catalog))
    assert cast_parts(catalog, ["stranger:verbs"]) == {"texts": ("stranger:verbs",)}
    assert drop_parts(catalog, SourcesSection(), ["verbs"]) == {"augmenter": "none"}, "only one of them plays"


@pytest.mark.parametrize("name", ["maxi-k400", "maxi-fewshot", "maxi-fast", "sandbox", "default"])
def test_the_recipes_that_come_with_maxi_name_its_plugins_in_full(name: str) -> None:
    path = shipped(Path(name), discover(only=[]))
    path = path if path.is_file() else shipped(Path("maxi-k400"), discover(only=[])).with_name(f"{name}.toml")
    for setting in from_file(path):
        assert setting.section in CORE or setting.section.startswith("maxi:")
        if setting.section == "sources":
            names = setting.value if isinstance(setting.value, list) else [setting.value]
            assert all(one == "none" or str(one).startswith("maxi:") for one in names)


def test_the_defaults_are_those_of_the_default_recipe() -> None:
    document = tomllib.loads(shipped(Path("maxi-k400"), discover(only=[])).with_name("default.toml").read_text())
    assert document.keys() == {"bags", "schema", "sources", "train", "video"}
    assert document["bags"] == {"engine": BagsSection().engine}
    assert list(TrainSection().loss) == document["train"]["loss"]
    assert VideoOptions().decoder == document["video"]["decoder"]
    assert document["sources"].keys() == SourcesSection.model_fields.keys()
    defaults = SourcesSection().model_dump()
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()} == (
        document["sources"]
    )


def test_what_is_settled_says_who_is_meant_and_of_which_version_and_settles_to_itself(
    catalog: Catalog, tmp_path: Path
) -> None:
    recipe = settled(catalog, "polite.limit=2", "polite#b.limit=3", sources="polite,polite#b")
    document = tomllib.loads(recipe.to_toml())
    assert document["sources"]["texts"] == ["polite:polite", "polite:polite#b"]
    assert (document["polite:polite"]["limit"], document["polite:polite#b"]["limit"]) == (2, 3)
    assert document["versions"] == {"maxi": catalog.find("maxi:verbs").version, "polite": "2.5"}
    recipe.write(tmp_path / "recipe.toml")
    again = settle(catalog, from_file(tmp_path / "recipe.toml"), sources=True)
    assert dict(again.sections) == dict(recipe.sections)
    assert again.to_toml() == recipe.to_toml()


def test_a_recipe_settled_with_another_version_says_so(catalog: Catalog, tmp_path: Path, logged: list[str]) -> None:
    text = settled(catalog, sources="polite").to_toml().replace('polite = "2.5"', 'polite = "2.4"')
    (tmp_path / "recipe.toml").write_text(text)
    settle(catalog, from_file(tmp_path / "recipe.toml"), sources=True)
    assert logged == ["recipe.toml was settled with polite 2.4, and here is 2.5"]


def test_a_recipe_of_what_is_not_installed_says_how_to_get_it(catalog: Catalog, tmp_path: Path) -> None:
    for ref, fix in (("gone:gone", "pip install gone"), ("file:mine", "type --plugin FILE")):
        (tmp_path / "recipe.toml").write_text(f'["{ref}"]\nlimit = 3\n')
        with pytest.raises(PluginError, match=rf"\[{ref}\] \(recipe.toml\): '{ref}' is of .*; {fix}"):
            settle(catalog, from_file(tmp_path / "recipe.toml"))


def test_two_of_one_source_are_told_apart_by_their_labels(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "maxi.toml").write_text('[polite]\nlimit = 7\n["polite#b"]\nbatch = 2\n')
    recipe = settled(catalog, sources="polite,polite#b", more=tuple(from_file(tmp_path / "maxi.toml")))
    made = [recipe.make(catalog, name) for name in recipe.core("sources", SourcesSection).texts]
    assert [(one.name, one.label, one.ref, one.version) for one in made] == [
        ("polite", "polite", "polite:polite", "2.5"),
        ("polite", "polite#b", "polite:polite", "2.5"),
    ]
    assert [one.options.limit for one in made] == [7, 5], "a section stands by itself and takes over nothing"
    assert [one.batch for one in made] == [16, 2]


def test_the_same_source_twice_is_refused_with_how_to_label_it(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="'polite' is named twice in --sources; give one a label, .*: polite,polite#b"):
        cast_parts(catalog, ["polite", "polite"])
    with pytest.raises(UsageError, match="'polite#b' is named twice"):
        cast_parts(catalog, ["polite#b", "polite#b"])
    twice = Setting("sources", "texts", ["polite", "polite:polite"], "maxi.toml", typed=False)
    with pytest.raises(UsageError, match=r"\[sources\] texts names 'polite' twice; give one a label"):
        settled(catalog, more=(twice,))


def test_two_sources_of_one_name_are_told_apart_by_a_label(fake_dist: FakeDist) -> None:
    for dist in ("one", "other"):
        fake_dist(dist, EXPANDER.format(name="twin"))
    catalog = discover()
    with pytest.raises(UsageError, match=r"\[sources\] texts names 'twin' twice; give one a label"):
        settled(catalog, sources="one:twin,other:twin")
    recipe = settled(catalog, sources="one:twin,other:twin#b")
    labels = [recipe.make(catalog, name).label for name in recipe.core("sources", SourcesSection).texts]
    assert labels == ["twin", "twin#b"]
    both = SourcesSection(texts=("one:twin", "other:twin"))
    with pytest.raises(UsageError, match="--without twin: it may be one:twin or other:twin; name that one"):
        drop_parts(catalog, both, ["twin"])
    assert drop_parts(catalog, both, ["other:twin"]) == {"texts": ("one:twin",)}


def test_a_labelled_source_is_dropped_by_its_label(catalog: Catalog) -> None:
    sources = SourcesSection(texts=("polite", "polite#b", "loud"))
    assert drop_parts(catalog, sources, ["polite#b"]) == {"texts": ("polite", "loud")}
    assert drop_parts(catalog, sources, ["polite", "loud:loud"]) == {"texts": ("polite#b",)}
    with pytest.raises(UsageError, match=r"'polite#c' plays no part in this recipe \(did you mean 'polite#b'\?\)"):
        drop_parts(catalog, sources, ["polite#c"])


@pytest.mark.parametrize("name", ["polite#", "polite#B", "polite#-b", "polite#b#c", "polite#b c"])
def test_a_label_that_cannot_be_is_refused(catalog: Catalog, name: str) -> None:
    with pytest.raises(UsageError, match="a label takes lower-case letters, digits and hyphens"):
        cast_parts(catalog, [name])


def test_a_temporal_module_takes_no_label(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="'mean#b': a temporal module is used once and takes no label"):
        settle(catalog, [from_flag("mean#b.x=1")])


def test_an_option_typed_for_a_label_that_nobody_has_is_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match=r"no source .* is called 'polite#lama' \(did you mean 'polite#llama"):
        settled(catalog, "polite#lama.limit=3", sources="polite#llama")


def test_a_variable_sets_no_labelled_source_and_the_error_says_what_does(catalog: Catalog) -> None:
    line = (
        r"MAXI_POLITE_B_LIMIT, which is no option.*; no variable sets a labelled source: -o polite#b.limit=VALUE does"
    )
    with pytest.raises(UsageError, match=line):
        from_env({"MAXI_POLITE_B_LIMIT": "3"}, catalog)


def test_the_options_of_the_core_are_set_like_any_other(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maxi.toml").write_text("[polite]\nbatch = 3\nconcurrency = 4\n")
    settings = [*from_file(tmp_path / "maxi.toml"), *from_env({"MAXI_POLITE_BATCH": "5"}, catalog)]
    recipe = settle(catalog, [*settings, from_flag("loud.concurrency=256")])
    made, other = recipe.make(catalog, "polite"), recipe.make(catalog, "loud")
    assert (made.batch, made.concurrency) == (5, 4)
    assert (other.batch, other.concurrency) == (16, 256)
    assert type(made.options) is type(made).Options
    assert not hasattr(made.options, "batch"), "a source is made with its own options"
    assert Recipe({}, {}).make(catalog, "polite").concurrency == 1


@pytest.mark.parametrize("flag", ["polite.batch=0", "polite.concurrency=0", "polite.concurrency=257"])
def test_a_batch_or_a_concurrency_that_cannot_be_is_refused(catalog: Catalog, flag: str) -> None:
    with pytest.raises(UsageError, match=r"\[polite\] .* it takes integer >= 1"):
        settle(catalog, [from_flag(flag)])


def test_the_classes_own_defaults_are_those_of_the_core(fake_dist: FakeDist) -> None:
    code = EXPANDER.format(name="many")
    fake_dist("many", code.replace('name = "many"', 'name = "many"; batch = 1; concurrency = 24'))
    options = discover().find("many").options()
    assert (options.batch, options.concurrency) == (1, 24)
    with pytest.raises(ValidationError):
        type(options)(nothing=1)


def test_the_options_of_the_core_are_listed_and_completed(maxi, fake_dist: FakeDist) -> None:
    from maxi_cli.flags import complete_option

    fake_dist("polite", EXPANDER.format(name="polite"))
    out = maxi("plugins", "polite").out
    assert "polite.batch" in out
    assert "polite.concurrency  integer >= 1 and <= 256  1" in out
    assert {"polite.batch=", "polite.concurrency=", "polite.limit="} <= set(complete_option("polite."))
    assert complete_option("mean.") == [], "a temporal module is not asked"


def test_completion_offers_a_name_that_two_have_in_full(fake_dist: FakeDist) -> None:
    from maxi_cli.flags import complete_option, complete_sources

    fake_dist("stranger", EXPANDER.format(name="verbs"))
    assert complete_sources("loud,maxi:v") == ["loud,maxi:verbs"]
    assert "stranger:verbs.limit=" in complete_option("stranger:")


@pytest.mark.parametrize(("body", "line"), MAKERS.values(), ids=list(MAKERS))
def test_a_source_that_cannot_be_made_is_named_in_one_line(fake_dist: FakeDist, body: str, line: str) -> None:
    init = f"def __init__(self, options=None):\n            {body}\n        def expand"
    fake_dist("odd", EXPANDER.format(name="odd").replace("def expand", init))
    catalog = discover()
    with pytest.raises(PluginError) as caught:
        settle(catalog, [from_flag("odd.limit=3")]).make(catalog, "odd")
    assert line in str(caught.value)
    assert "'odd:odd'" in str(caught.value)
    assert "\n" not in str(caught.value)
