"""What is wrong with a plugin is said when it is loaded, by its name, and nothing that it does then stays."""

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest
import torch

import maxi_core
from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import Catalog, Plugin, discover, load_plugin
from maxi_core.recipe.recipe import Recipe, from_file, from_flag, settle
from maxi_core.settings.options import deciding, describe
from maxi_core.system.secrets import without_secrets
from tests.conftest import EXPANDER, FakeDist

EXPAND = "def expand(self, entries):"
LIMIT = 'limit: int = Field(5, ge=1, description="how many")'
HEAD = (
    "import datetime, decimal, enum, typing, pydantic\n    from pathlib import Path\n    from maxi_core import Expander"
)


def code(old: str = "", new: str = "", name: str = "odd") -> str:
    """Return a plugin `odd` in which one thing is another."""
    text = EXPANDER.format(name=name).replace("from maxi_core import Expander", HEAD, 1)
    assert old in text
    return text.replace(old, new) if old else text


def why(fake_dist: FakeDist, text: str) -> str:
    """Return why a plugin is broken, "" if it is not."""
    fake_dist("odd", text)
    (found,) = [plugin for plugin in discover().plugins if plugin.dist == "odd"]
    assert "\n" not in found.error
    return found.error


METHODS = {
    "a generator": (EXPAND, EXPAND + "\n            yield []", "Fake.expand is a generator function: return a list"),
    "a coroutine": (EXPAND, "async " + EXPAND, "Fake.expand is a coroutine function: return a list instead"),
    "an asynchronous generator": (
        EXPAND,
        "async " + EXPAND + "\n            yield []\n        def other(self, entries):",
        "Fake.expand is an asynchronous generator",
    ),
    "too many arguments": (
        EXPAND,
        "def expand(self, entries, more):",
        "Fake.expand(self, entries, more) cannot be call",
    ),
    "too few arguments": (EXPAND, "def expand(self):", "Fake.expand(self) cannot be called as expand(self, entries)"),
    "no self": (EXPAND, "@staticmethod\n        def expand(a, b):", "Fake.expand(a, b) cannot be called"),
    "no method": (EXPAND, "expand = 5\n        def other(self, entries):", "Fake.expand is 5, not a method"),
    "an open that waits": (
        EXPAND,
        "async def open(self): pass\n        " + EXPAND,
        "Fake.open is a coroutine function",
    ),
    "a fingerprint of something": (
        EXPAND,
        "def fingerprint(self, what): return {}\n        " + EXPAND,
        "Fake.fingerprint(self, what) cannot be called as fingerprint(self)",
    ),
    "a batch of nothing": ('name = "odd"', 'name = "odd"; batch = 0', "Fake.batch is 0, not a whole number from 1"),
    "a batch in words": ('name = "odd"', 'name = "odd"; batch = "all"', "Fake.batch is 'all', not a whole number"),
    "too many calls": ('name = "odd"', 'name = "odd"; concurrency = 300', "not a whole number from 1 to 256"),
}


@pytest.mark.parametrize(("old", "new", "line"), METHODS.values(), ids=list(METHODS))
def test_a_method_that_the_core_could_not_call_is_refused(fake_dist: FakeDist, old: str, new: str, line: str) -> None:
    assert line in why(fake_dist, code(old, new))


@pytest.mark.parametrize(
    "new",
    [
        "def expand(self, names):",
        "def expand(self, entries, more=3):",
        "def expand(self, *entries):",
        "@staticmethod\n        def expand(entries, self=None):",
        "@classmethod\n        def expand(self, entries):",
    ],
)
def test_a_method_that_can_be_called_otherwise_too_is_taken(fake_dist: FakeDist, new: str) -> None:
    assert why(fake_dist, code(EXPAND, new)) == ""


def test_frames_that_are_a_method_are_refused(fake_dist: FakeDist) -> None:
    text = """
        from maxi_core import Captioner, Sampling, hookimpl

        class Fake(Captioner):
            name = "odd"
            {}
            def caption(self, clips):
                return [[] for clip in clips]

        @hookimpl
        def maxi_register_sources():
            return [Fake]
    """
    line = "Fake.frames is a method: mark it with @property, or write frames = ..."
    assert why(fake_dist, text.format("def frames(self): return None")) == line


@pytest.mark.parametrize("key", ["batch", "concurrency"])
def test_options_of_the_core_are_no_options_of_a_plugin(fake_dist: FakeDist, key: str) -> None:
    found = why(fake_dist, code("limit: int", f"{key}: int"))
    assert f"Fake.Options has '{key}', which is an option of the core in every source; remove it" in found


REFUSED = [
    "set[str] = Field(set(),", "frozenset[str] = Field(frozenset(),", "bytes = Field(b'',", "complex = Field(1j,",
    "typing.Callable = Field(print,", "dict[int, str] = Field({},", "dict[str, set] = Field({},", "dict = Field({},",
    "list = Field([],", "list[list[int]] = Field([],", "decimal.Decimal = Field(decimal.Decimal(1),",
    "datetime.timedelta = Field(datetime.timedelta(1),", "typing.Any = Field(1,", "object = Field(1,",
    "type[int] = Field(int,", "pydantic.HttpUrl = Field('http://a.b',", "pydantic.SecretBytes = Field(b'',",
    "maxi_core.Options = Field(maxi_core.Options(),", "list[pydantic.SecretStr] = Field([],",
    "dict[str, pydantic.SecretStr] = Field({},",
    "enum.Enum = Field(None,", "typing.Literal[True] = Field(True,", "dict[str, maxi_core.Options] = Field({},",
    "int | set[int] = Field(1,", "list[int | None] = Field([],",
]  # fmt: skip


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_that_a_recipe_cannot_hold_is_refused_by_name(fake_dist: FakeDist, option: str) -> None:
    found = why(fake_dist, code("limit: int = Field(5, ge=1,", f"limit: {option}"))
    assert "Fake.Options: option 'limit' has the type" in found
    assert "which no recipe can hold; take bool, int, float, str, Path, Literal" in found


TAKEN = {
    "typing.Literal['a', 'b'] = Field('a',": ("b", "b"),
    "typing.Literal[224, 336] = Field(224,": ("336", 336),
    "datetime.date = Field(datetime.date(2020, 1, 1),": ("2021-02-03", None),
    "datetime.datetime | None = Field(None,": ("2021-02-03T04:05:06", None),
    "tuple[float, ...] = Field((),": ("1,2.5", (1.0, 2.5)),
    "list[Path] = Field([],": ("", []),
    "dict[str, float] = Field({},": ("{a = 1, 'b c' = 2.5}", {"a": 1.0, "b c": 2.5}),
    "dict[str, list[int]] | None = Field(None,": ("{a = [1, 2]}", {"a": [1, 2]}),
    "dict[str, dict[str, bool]] = Field({},": ("{a = {b = true}}", {"a": {"b": True}}),
    "typing.Annotated[int, Field(gt=0)] = Field(1,": ("3", 3),
    "int | float = Field(1,": ("2.5", 2.5),
}


@pytest.mark.parametrize(("option", "typed", "value"), [(key, *pair) for key, pair in TAKEN.items()])
def test_an_option_that_is_typed_stands_in_the_settled_recipe_and_comes_back(
    fake_dist: FakeDist, tmp_path: Path, option: str, typed: str, value: object
) -> None:
    assert why(fake_dist, code("limit: int = Field(5, ge=1,", f"limit: {option}")) == ""
    catalog = discover()
    recipe = settle(catalog, [from_flag(f"odd.limit={typed}")])
    if value is not None:
        assert recipe.sections["odd:odd"].limit == value
    recipe.write(tmp_path / "recipe.toml")
    again = settle(catalog, from_file(tmp_path / "recipe.toml"))
    assert dict(again.sections) == dict(recipe.sections)
    assert again.make(catalog, "odd").options.limit == recipe.sections["odd:odd"].limit
    assert next(row for row in describe(catalog.find("odd").options) if row.key == "limit").shown_default


def test_a_table_that_is_none_is_refused_with_how_to_type_it(fake_dist: FakeDist) -> None:
    fake_dist("odd", code("limit: int = Field(5, ge=1,", "limit: dict[str, int] = Field({'a': 1},"))
    with pytest.raises(UsageError, match=r"limit = 'a=1' is no table; write limit=\{a = 1\} as in TOML, or a table in"):
        settle(discover(), [from_flag("odd.limit=a=1")])
    (row,) = [row for row in describe(discover().find("odd").options) if row.key == "limit"]
    assert (row.type, row.shown_default) == ("table of integer", "{a = 1}")


def test_paths_in_lists_and_tables_become_absolute_too(
    fake_dist: FakeDist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_dist("odd", code("limit: int = Field(5, ge=1,", "limit: tuple[Path, ...] = Field((),"))
    assert settle(discover(), [from_flag("odd.limit=a,b")]).sections["odd:odd"].limit == (
        tmp_path / "a",
        tmp_path / "b",
    )


@pytest.mark.parametrize("default", ["-1, ge=1,", "'many',", "None,"])
def test_a_default_that_an_option_does_not_take_is_refused(fake_dist: FakeDist, default: str) -> None:
    found = why(fake_dist, code("limit: int = Field(5, ge=1,", f"limit: int = Field({default}"))
    assert "option 'limit' has the default" in found
    assert "which it does not take" in found


def test_an_effort_that_is_no_option_is_refused(fake_dist: FakeDist) -> None:
    found = why(fake_dist, code(LIMIT, LIMIT + "\n            EFFORT = ('limits',)"))
    assert "EFFORT names 'limits', which is no option of it" in found


SECRET = 'limit: pydantic.SecretStr | None = Field(None, description="what opens the door")'


def test_a_secret_is_never_written_and_never_shown(fake_dist: FakeDist, maxi, tmp_path: Path) -> None:
    assert why(fake_dist, code(LIMIT, SECRET)) == ""
    catalog = discover()
    recipe = settle(catalog, [from_flag("odd.limit=open-sesame")])
    made = recipe.make(catalog, "odd")
    assert made.options.limit.get_secret_value() == "open-sesame"
    assert "sesame" not in recipe.to_toml()
    assert settle(catalog, from_file_of(recipe, tmp_path)).to_toml() == recipe.to_toml()
    assert "limit" not in deciding(made.options), "another secret asks nothing anew"
    assert without_secrets("it said open-sesame") == "it said ***"
    assert "sesame" not in repr(recipe.sections)
    ran = maxi("env", "-o", "odd.limit=open-sesame")
    assert "odd:odd.limit" in ran.out
    assert "set (-o odd.limit)" in ran.out
    assert "sesame" not in ran.out + ran.err
    assert "secret or none" in maxi("plugins", "odd").out
    assert maxi("plugins", "odd", "--json").code == 0


def from_file_of(recipe: Recipe, folder: Path) -> list:
    recipe.write(folder / "recipe.toml")
    return from_file(folder / "recipe.toml")


def test_a_wrong_secret_is_not_quoted(fake_dist: FakeDist) -> None:
    fake_dist("odd", code(LIMIT, SECRET.replace("Field(None,", "Field(None, min_length=20,")))
    with pytest.raises(
        UsageError, match=r"\[odd\] limit must not be shorter than 20; it is a secret, and not shown"
    ) as caught:
        settle(discover(), [from_flag("odd.limit=open-sesame")])
    assert "sesame" not in str(caught.value)


def test_what_a_plugin_prints_at_import_is_no_part_of_the_answer(maxi_process, fake_dist: FakeDist) -> None:
    fake_dist("odd", "import os; print('loud'); os.system('echo louder'); os.write(1, b'loudest')\n" + dedented())
    ran = maxi_process("plugins", "odd", "--json")
    assert ran.returncode == 0
    assert ran.stdout.startswith("{")
    assert all(word in ran.stderr for word in ("loud\n", "louder", "loudest"))
    assert "loud" not in ran.stdout


def dedented(name: str = "odd") -> str:
    import textwrap

    return textwrap.dedent(EXPANDER.format(name=name))


def test_a_plugin_that_ends_the_process_at_import_is_named_and_the_command_goes_on(
    maxi_process, fake_dist: FakeDist
) -> None:
    fake_dist("odd", "import sys; sys.exit(0)")
    listed, asked = maxi_process("plugins", "--json"), maxi_process("env", "-o", "odd.limit=3")
    assert (listed.returncode, '"SystemExit: 0"' in listed.stdout) == (0, True)
    assert (asked.returncode, "plugin 'odd:odd' 1.0 is broken: SystemExit: 0" in asked.stderr) == (2, True)


def test_what_a_plugin_sets_for_everybody_is_put_back_and_named(
    fake_dist: FakeDist, logged: list[str], tmp_path: Path
) -> None:
    here, state, handler = Path.cwd(), random.getstate(), signal.getsignal(signal.SIGTERM)
    limit = sys.getrecursionlimit()
    effects = [
        "import os, random, signal, torch", f"os.chdir({str(tmp_path)!r})", "random.seed(0)", "torch.manual_seed(1)",
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)", "torch.set_grad_enabled(False)",
        "os.environ['MAXI_BAGS_KEEP'] = '0.3'", "os.environ['OF_A_LIBRARY'] = '1'", "import sys",
        "sys.setrecursionlimit(90)",
    ]  # fmt: skip
    torch_state = torch.get_rng_state()
    assert why(fake_dist, "\n".join([*effects, dedented()])) == ""
    assert (Path.cwd(), random.getstate(), signal.getsignal(signal.SIGTERM)) == (here, state, handler)
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert (os.environ.get("MAXI_BAGS_KEEP"), os.environ.pop("OF_A_LIBRARY")) == (None, "1")
    assert sys.getrecursionlimit() == limit
    named = ("the working folder", "the handler of SIGTERM", "torch's gradient mode", "variables MAXI_...")
    for what in (*named, "the recursion limit"):
        assert any(f"'odd:odd' changed {what} when it was imported; it was put back" in line for line in logged), what


def test_an_import_that_takes_long_is_named_while_it_is_waited_for(logged: list[str]) -> None:
    class Slow:
        def load(self) -> object:
            time.sleep(0.3)
            return sys

    plugin = load_plugin(Plugin("slow", "odd", "1", "odd"), Slow(), 0.05)
    assert logged == ["'odd:slow' is still being imported after 0.05 s; Ctrl-C stops it"]
    assert plugin.error.startswith("it has no hook")
    load_plugin(Plugin("slow", "odd", "1", "odd"), Slow(), 5)
    assert len(logged) == 1


def test_two_of_one_distribution_and_name_are_refused_with_where_they_are() -> None:
    offers = discover().find("maxi:mean"), discover().find("maxi:mean")
    catalog = Catalog(
        tuple(Plugin("mean", "maxi", "1", f"module_{n}", "ok", offers=(offer,)) for n, offer in enumerate(offers))
    )
    with pytest.raises(PluginError, match="'maxi:mean' is offered by module_0 and by module_1, of one distribution"):
        catalog.find("mean")


def test_nothing_that_an_annotation_needs_imports_torch() -> None:
    import subprocess

    program = (
        "import sys, maxi_core\nfor name in maxi_core.__all__: getattr(maxi_core, name)\n"
        "print([name for name in ('torch', 'av', 'transformers', 'spacy', 'openai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {"Augment", "Clip", "Pixels", "Pooling", "Sampling", "FormKind", "MaxiError"} <= set(maxi_core.__all__)


def test_a_folder_that_is_gone_stops_no_import(fake_dist: FakeDist, tmp_path: Path) -> None:
    here, gone = Path.cwd(), tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    try:
        gone.rmdir()
        assert why(fake_dist, dedented()) == ""
    finally:
        os.chdir(here)


def test_a_default_is_the_same_before_it_is_written_and_after_it_was_read(fake_dist: FakeDist, tmp_path: Path) -> None:
    assert why(fake_dist, code("limit: int = Field(5, ge=1,", "limit: float = Field(60,")) == ""
    catalog = discover()
    first = settle(catalog, [from_flag("odd.batch=2")])
    again = settle(catalog, from_file_of(first, tmp_path))
    assert again.to_toml() == first.to_toml()
    before, after = (recipe.make(catalog, "odd").options for recipe in (first, again))
    assert str(deciding(before)) == str(deciding(after)), "else the store takes one for another source"


@pytest.mark.parametrize(
    ("did", "said"),
    [
        ("sys.exit(0)", "called sys.exit(0)"),
        ("1 / 0", "raised ZeroDivisionError: division by zero"),
        ("raise maxi_core.errors.UsageError('cannot be', 'type less')", ""),
    ],
)
def test_an_option_whose_check_does_anything_but_refuse_names_its_plugin(fake_dist: FakeDist, did, said) -> None:
    check = f"@pydantic.field_validator('limit')\n            def low(cls, value):\n                if value > 6: {did}"
    fake_dist(
        "odd",
        "    import sys, maxi_core.errors\n"
        + code(LIMIT, f"{LIMIT}\n            {check}\n                return value"),
    )
    line = f"'odd' {said} when it was given its options" if said else "cannot be; type less"
    with pytest.raises(UsageError) as caught:
        settle(discover(), [from_flag("odd.limit=7")])
    assert str(caught.value) == line


@pytest.mark.parametrize("said", ["property(lambda self: sys.exit(0))", "1", "'no'"])
def test_a_switch_is_true_or_false(fake_dist: FakeDist, said: str) -> None:
    text = "    import sys\n" + code("(Expander)", "(maxi_core.Captioner)").replace(
        EXPAND, "def caption(self, entries):"
    )
    fault = why(fake_dist, text.replace("        def caption", f"        costs_money = {said}\n\n        def caption"))
    assert fault.startswith("Fake.costs_money is ")
    assert fault.endswith(", not True or False")
