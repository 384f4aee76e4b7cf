"""`--sources` and `--without`: names take the parts of their roles, and parts that nobody named stay."""

import pytest

from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.recipe.parts import cast_parts, drop_parts
from maxi_core.recipe.recipe import Setting, settle, sources_of
from maxi_core.settings.sections import SourcesSection
from tests.conftest import EXPANDER, FakeDist

ROLE = """
    from maxi_core import {role}, hookimpl

    class Fake({role}):
        name = "{name}"
        def {method}(self, *anything):
            return []

    @hookimpl
    def maxi_register_sources():
        return [Fake]
"""


@pytest.fixture
def catalog(fake_dist: FakeDist) -> Catalog:
    fake_dist("gpt", EXPANDER.format(name="gpt"))
    fake_dist("eyes", ROLE.format(role="Captioner", method="caption", name="eyes"))
    fake_dist("fit", ROLE.format(role="Matcher", method="match", name="fit"))
    fake_dist("fitter", ROLE.format(role="Matcher", method="match", name="fitter"))
    fake_dist("noise", ROLE.format(role="Injector", method="inject", name="noise"))
    return discover()


def test_naming_text_sources_sets_the_whole_list_and_leaves_the_other_parts(catalog: Catalog) -> None:
    assert cast_parts(catalog, ["gpt", "eyes"]) == {"texts": ("gpt:gpt", "eyes:eyes")}


def test_each_name_takes_the_part_of_its_role(catalog: Catalog) -> None:
    named = {"injector": "noise:noise", "matcher": "fit:fit", "texts": ("eyes:eyes",)}
    assert cast_parts(catalog, ["noise", "eyes", "fit"]) == named


def test_two_for_one_part_are_refused(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="fit:fit and fitter:fitter are both a matcher"):
        cast_parts(catalog, ["fit", "fitter"])


def test_a_name_given_twice_is_refused_in_either_spelling(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="'gpt:gpt' is named twice in --sources; .*: gpt:gpt,gpt:gpt#b"):
        cast_parts(catalog, ["gpt", "gpt:gpt"])


def test_a_misspelt_source_gets_the_nearest_name(catalog: Catalog) -> None:
    with pytest.raises(PluginError, match=r"'eyez' \(did you mean 'eyes'\?\)"):
        cast_parts(catalog, ["eyez"])


def test_a_temporal_module_is_no_source(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="'mean' is a temporal module and no source of bags"):
        cast_parts(catalog, ["mean"])


def test_without_drops_one_and_keeps_the_rest(catalog: Catalog) -> None:
    sources = SourcesSection(texts=("gpt", "eyes"))
    assert drop_parts(catalog, sources, ["gpt"]) == {"texts": ("eyes",)}
    assert drop_parts(catalog, sources, ["gpt", "eyes", "verbs"]) == {"texts": (), "augmenter": "none"}


def test_without_knows_a_source_by_either_spelling(catalog: Catalog) -> None:
    sources = SourcesSection(texts=("gpt:gpt", "eyes"))
    assert drop_parts(catalog, sources, ["gpt", "eyes:eyes"]) == {"texts": ()}
    assert drop_parts(catalog, sources, ["maxi:verbs"]) == {"augmenter": "none"}


@pytest.mark.parametrize(
    ("name", "line"), [("dictionary", "a run needs a matcher"), ("blip", "plays no part"), ("none", "plays no part")]
)
def test_without_refuses_what_cannot_go(catalog: Catalog, name: str, line: str) -> None:
    with pytest.raises(UsageError, match=line):
        drop_parts(catalog, SourcesSection(), [name])


def test_the_cast_of_a_recipe_is_in_the_order_of_the_flow(catalog: Catalog) -> None:
    named = cast_parts(catalog, ["eyes", "gpt", "fit", "noise"])
    settings = [Setting("sources", key, who, "--sources", typed=False) for key, who in named.items()]
    settings += [Setting("sources", "augmenter", "none", "--without")]
    sources = settle(catalog, settings, sources=True).core("sources", SourcesSection)
    assert [name for _, name in sources_of(sources)] == ["noise:noise", "fit:fit", "eyes:eyes", "gpt:gpt"]
