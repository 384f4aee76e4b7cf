"""Discovery: whatever a stranger's plugin does, the others keep working, and its reason is kept until asked for."""

import sys

import pytest

from maxi_core.errors import PluginError
from maxi_core.plugin.catalog import Catalog, Plugin, discover
from maxi_core.texts import LONGEST
from tests.conftest import EXPANDER, FakeDist


def plugin(catalog: Catalog, dist: str) -> Plugin:
    return next(plugin for plugin in catalog.plugins if plugin.dist == dist)


def test_the_builtin_plugins_come_through_the_entry_point_group_of_everybody() -> None:
    catalog = discover()
    assert catalog.find("mean").dist == "maxi"
    assert plugin(catalog, "maxi").module.startswith("maxi_plugins.")


def test_a_strangers_source_is_found_by_its_name(fake_dist: FakeDist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    offer = discover().find("polite")
    assert (offer.role, offer.dist, offer.version, offer.ref) == ("expander", "polite", "1.0", "polite:polite")


BROKEN = {
    "import error": ("import not_a_module_of_anybody", "No module named 'not_a_module_of_anybody'"),
    "syntax error": ("def (", "SyntaxError"),
    "an error of one's own kind at import": ("class Odd(BaseException): pass\nraise Odd('odd')", "Odd: odd"),
    "an error without words": (
        "class Mute(Exception):\n    def __str__(self): raise RuntimeError\nraise Mute",
        "Mute: (its text cannot be made)",
    ),
    "SystemExit at import": ("import sys; sys.exit('bye')", "SystemExit: bye"),
    "misspelt hook": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_source():\n    return []",
        "unknown hook 'maxi_register_source'",
    ),
    "wrong hook argument": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources(catalog):\n    return []",
        "Argument(s) {'catalog'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "no hook": ("def maxi_register_sources():\n    return []", "it has no hook"),
    "hook that raises": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    raise ValueError('no luck')",
        "ValueError: no luck",
    ),
    "hook that returns None": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    pass",
        "returned NoneType, not a list of classes",
    ),
    "a hook that is to be awaited": (
        "from maxi_core import hookimpl\n@hookimpl\nasync def maxi_register_sources():\n    return []",
        "maxi_register_sources is asynchronous: make it a function that returns a list of classes",
    ),
    "a hook that is an asynchronous generator": (
        "from maxi_core import hookimpl\n@hookimpl\nasync def maxi_register_sources():\n    yield int",
        "maxi_register_sources is asynchronous: make it a function that returns a list of classes",
    ),
    "a hook that returns what is to be awaited": (
        "from maxi_core import hookimpl\nasync def found():\n    return []\n@hookimpl\n"
        "def maxi_register_sources():\n    return found()",
        "maxi_register_sources returned coroutine, not a list of classes",
    ),
    "an instance instead of a class": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    return [object()]",
        "is not a class",
    ),
    "a class without a role": (
        "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    return [int]",
        "returned int, which is not a subclass of Injector, Matcher, Expander, Captioner, Augmenter",
    ),
    "a temporal module among sources": (
        "from maxi_core import hookimpl\nfrom maxi_plugins.mean import Mean\n"
        "@hookimpl\ndef maxi_register_sources():\n    return [Mean]",
        "returned Mean, which is not a subclass of Injector",
    ),
    "a role without its method": (
        "from maxi_core import Expander, hookimpl\nclass Half(Expander):\n    name = 'half'\n"
        "@hookimpl\ndef maxi_register_sources():\n    return [Half]",
        "Half lacks the method expand",
    ),
    "a reserved name": (EXPANDER.format(name="sources"), "a word that maxi keeps for itself"),
    "a name that cannot be typed": (EXPANDER.format(name="Fancy Name"), "it takes lower-case letters"),
    "an option without description": (
        EXPANDER.format(name="bare").replace(', description="how many"', ""),
        "option 'limit' has no description",
    ),
    "an option without default": (
        EXPANDER.format(name="bare").replace("Field(5, ge=1,", "Field("),
        "option 'limit' has no default",
    ),
    "options that are no model": (
        EXPANDER.format(name="bare").replace("(maxi_core.Options)", ""),
        "Options is not a pydantic model",
    ),
    "options that swallow unknown keys": (
        EXPANDER.format(name="bare").replace("(maxi_core.Options)", "(__import__('pydantic').BaseModel)"),
        "must be frozen and forbid unknown keys",
    ),
    "another plugin API": ("MAXI_API = 2\n" + EXPANDER.format(name="new").replace("\n    ", "\n"), "plugin API 2"),
}


@pytest.mark.parametrize(("code", "reason"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_plugin_is_named_with_its_reason_and_the_others_keep_working(
    fake_dist: FakeDist, code: str, reason: str
) -> None:
    fake_dist("broken", code)
    fake_dist("polite", EXPANDER.format(name="polite"))
    catalog = discover()
    assert plugin(catalog, "broken").state == "broken"
    assert reason in plugin(catalog, "broken").error
    assert "\n" not in plugin(catalog, "broken").error
    assert catalog.find("polite").dist == "polite"
    assert catalog.find("mean").dist == "maxi"


def test_a_reason_of_any_length_is_cut(fake_dist: FakeDist, maxi) -> None:
    fake_dist("broken", "raise ImportError('long ' * 20_000)")
    found = plugin(discover(), "broken")
    assert found.error.startswith("ImportError: long long")
    assert len(found.error) <= LONGEST
    assert max(map(len, found.traceback.splitlines())) <= LONGEST
    assert len(maxi("plugins").out) < 20_000
    fake_dist(
        "other", "from maxi_core import hookimpl\n@hookimpl\ndef maxi_register_sources():\n    return ['x' * 20_000]"
    )
    assert len(plugin(discover(), "other").error) <= LONGEST


def test_a_broken_plugin_is_complained_of_only_when_it_is_asked_for(fake_dist: FakeDist) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    catalog = discover()
    with pytest.raises(PluginError, match="plugin 'broken:broken' 1.0 is broken: ModuleNotFoundError") as caught:
        catalog.find("broken")
    assert "\n" not in str(caught.value)


def test_strict_mode_raises_the_first_broken_plugin(fake_dist: FakeDist) -> None:
    fake_dist("broken", "import not_a_module_of_anybody")
    with pytest.raises(PluginError, match="not_a_module_of_anybody"):
        discover(strict=True)


def test_a_source_that_two_distributions_offer_is_refused_until_one_is_chosen(fake_dist: FakeDist) -> None:
    fake_dist("first", EXPANDER.format(name="twin"), entry="twin")
    fake_dist("second", EXPANDER.format(name="twin"), entry="twin", version="2.0")
    catalog = discover()
    with pytest.raises(PluginError, match="by first 1.0 and by second 2.0; write first:twin or second:twin"):
        catalog.find("twin")
    assert catalog.find("second:twin").version == "2.0"
    assert catalog.find("mean").dist == "maxi"


def test_a_stranger_cannot_take_a_builtin_name_in_silence(fake_dist: FakeDist) -> None:
    taken = EXPANDER.format(name="mean")
    fake_dist("thief", taken)
    catalog = discover()
    with pytest.raises(PluginError, match="'mean' is offered by maxi .* and by thief 1.0"):
        catalog.find("mean")
    assert catalog.find("maxi:mean").role == "temporal"


def test_one_plugin_that_offers_a_name_twice_is_broken(fake_dist: FakeDist) -> None:
    fake_dist("double", EXPANDER.format(name="double").replace("return [Fake]", "return [Fake, Fake]"))
    assert "offers 'double' twice" in plugin(discover(), "double").error


def test_unknown_names_get_the_nearest_one() -> None:
    with pytest.raises(PluginError, match=r"no temporal is called 'meen' \(did you mean 'mean'\?\)"):
        discover().find("meen", ["temporal"])


def test_a_name_of_another_role_is_refused_with_the_role_that_is_wanted() -> None:
    with pytest.raises(PluginError, match="'mean' is a temporal, and a matcher is wanted here"):
        discover().find("mean", ["matcher"])


def test_load_plugins_limits_strangers_and_never_builtins(fake_dist: FakeDist) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    fake_dist("loud", EXPANDER.format(name="loud"))
    assert plugin(discover(only=["polite"]), "loud").state == "off"
    assert plugin(discover(only=["polite"]), "polite").state == "ok"
    assert plugin(discover(only=[]), "polite").state == "off"
    assert discover(only=[]).find("mean").dist == "maxi"


def test_a_plugin_that_is_left_out_is_not_imported(fake_dist: FakeDist) -> None:
    fake_dist("loud", EXPANDER.format(name="loud"))
    catalog = discover(without=["loud"])
    assert "loud" not in sys.modules
    with pytest.raises(PluginError, match="plugin 'loud:loud' is switched off: left out by --no-plugin"):
        catalog.find("loud")


def test_a_builtin_can_be_left_out_too() -> None:
    with pytest.raises(PluginError, match="switched off"):
        discover(without=["mean"]).find("mean")


@pytest.mark.parametrize("choice", [{"only": ["polit"]}, {"without": ["polit"]}])
def test_choosing_a_plugin_that_is_not_installed_is_an_error(fake_dist: FakeDist, choice: dict[str, list[str]]) -> None:
    fake_dist("polite", EXPANDER.format(name="polite"))
    with pytest.raises(PluginError, match=r"no installed plugin is called 'polit' \(did you mean 'polite'\?\)"):
        discover(**choice)
