"""The demonstration of a world is a plugin's: whatever it does wrong is one line that names it."""

from pathlib import Path

import pytest

from maxi_core.errors import PluginError
from maxi_core.plugin.catalog import discover
from maxi_core.plugin.demonstrations import Guarded, Step
from maxi_core.plugin.roles import Grid, Outcome, Shown
from maxi_core.plugin.world_paths import world_demonstration
from tests.conftest import FakeDist

TINY = """
    import sys
    from dataclasses import dataclass
    from maxi_core import World, hookimpl
    from maxi_core.plugin.roles import Grid, Outcome, Shown

    @dataclass
    class One:
        title: object = "one"
        words: object = ("env",)
        after: object = None

    class Story:
        beside = BESIDE
        def commands(self, out, seeds):
            return COMMANDS
        def outcome(self, out, seeds):
            return OUTCOME

    class Tiny(World):
        name = "tiny"
        def demonstration(self):
            return DEMONSTRATION

    @hookimpl
    def maxi_register_worlds():
        return [Tiny]
"""
RIGHT = {"BESIDE": "'x'", "COMMANDS": "[One()]", "OUTCOME": "Outcome((), {})", "DEMONSTRATION": "Story()"}
BOO = "(_ for _ in ()).throw(ValueError('boo'))"


def code(**what: str) -> str:
    """Return a world whose demonstration gives what these expressions say."""
    text = TINY
    for key, expression in {**RIGHT, **what}.items():
        text = text.replace(f" {key}\n", f" {expression}\n")
    return text


def tiny(fake_dist: FakeDist, **what: str) -> Guarded:
    """Return the demonstration of a world that gives what these expressions say."""
    fake_dist("tiny", code(**what))
    return world_demonstration(discover(only=["tiny"]), "tiny")


MADE = {
    ("DEMONSTRATION", "None"): "the demonstration of 'tiny:tiny' is None, which has no commands and no outcome",
    ("DEMONSTRATION", "sys.exit(0)"): "'tiny:tiny' called sys.exit(0) when it was asked for its demonstration",
    ("BESIDE", "5"): "the demonstration of 'tiny:tiny' gave 5 for what no command does, not a text",
    ("BESIDE", "property(lambda self: 1 / 0)"): "'tiny:tiny' raised ZeroDivisionError",
}
COMMANDS = {
    "sys.exit(0)": "'tiny:tiny' called sys.exit(0) when it was asked for the commands of its demonstration",
    BOO: "'tiny:tiny' raised ValueError: boo when it was asked for the commands",
    "(1 / 0 for _ in 'a')": "'tiny:tiny' raised ZeroDivisionError: division by zero when",
    "None": "the demonstration of 'tiny:tiny' gave None, not a list of commands",
    "'env'": "the demonstration of 'tiny:tiny' gave 'env', not a list of commands",
    "[]": "the demonstration of 'tiny:tiny' has no commands",
    "['env']": "gave 'env' for a command, which has no title and words",
    "[One(title=5)]": "gave 5 for the title of a command, not a text",
    "[One(title='a\\x1bb')]": "gave 'a\\x1bb' for the title of a command, which is no line",
    "[One(words=5)]": "gave 5, not a list of words for 'one'",
    "[One(words='env')]": "gave 'env', not a list of words for 'one'",
    "[One(words=[1])]": "gave 1 for a word of 'one', not a text",
    "[One(words=['a\\x1bb'])]": "gave 'a\\x1bb' for a word of 'one', which nobody can type",
    "[One(words=())]": "has no words for 'one'",
    "[One(after=5)]": "gave 5, not a list of titles for 'one'",
    "[One(after='two')]": "gave 'two', not a list of titles for 'one'",
    "[One(after=[2])]": "gave 2 for what 'one' needs, not a text",
    "[One(after=['two'])]": "has a command 'one' after 'two', which is never done before it",
    "[One('a', after=['b']), One('b', after=['a'])]": "has a command 'a' after 'b', which is never done before it",
    "[One(), One()]": "has two commands 'one'",
}
OUTCOMES = {
    "sys.exit(0)": "'tiny:tiny' called sys.exit(0) when it was asked for the outcome of its demonstration",
    BOO: "'tiny:tiny' raised ValueError: boo when it was asked for the outcome",
    "None": "the demonstration of 'tiny:tiny' gave None for its outcome, not an Outcome",
    "Outcome(None, {})": "gave None, not a list of lines and tables",
    "Outcome(('x',), {})": "gave 'x' to be shown, not a Shown",
    "Outcome((Shown(5),), {})": "gave 5 for a line or a table, not a text",
    "Outcome((Shown('x', 'no-such-style'),), {})": "gave the style 'no-such-style', and it takes black, blue, bold, ",
    "Outcome((Shown('x', 5),), {})": "gave 5 for a style, not a text",
    "Outcome((Shown(Grid(('a',), ((1,),))),), {})": "gave 1 for a cell of a table, not a text",
    "Outcome((Shown(Grid((), ())),), {})": "gave a table with 0 columns, whose rows have another number of cells",
    "Outcome((Shown(Grid(('a',), (('x', 'y'),))),), {})": "gave a table with 1 columns, whose rows have another number",
    "Outcome((), None)": "gave None for its data, not values by name",
    "Outcome((), {(1, 2): 3})": "'tiny:tiny' raised TypeError",
    "Outcome((), {}, (5,))": "gave 5 for a line, not a text",
}


@pytest.mark.parametrize(("key", "said", "line"), [(*made, line) for made, line in MADE.items()])
def test_a_demonstration_that_is_none_is_one_line(fake_dist: FakeDist, key: str, said: str, line: str) -> None:
    with pytest.raises(PluginError) as caught:
        tiny(fake_dist, **{key: said})
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "line"), COMMANDS.items(), ids=list(COMMANDS))
def test_commands_that_cannot_be_run_are_one_line(fake_dist: FakeDist, said: str, line: str) -> None:
    demonstration = tiny(fake_dist, COMMANDS=said)
    with pytest.raises(PluginError) as caught:
        demonstration.commands(Path("out"), 1)
    assert line in str(caught.value)
    assert "'tiny:tiny'" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("said", "line"), OUTCOMES.items(), ids=list(OUTCOMES))
def test_an_outcome_that_cannot_be_shown_is_one_line(fake_dist: FakeDist, said: str, line: str) -> None:
    demonstration = tiny(fake_dist, OUTCOME=said)
    with pytest.raises(PluginError) as caught:
        demonstration.outcome(Path("out"), 1)
    assert line in str(caught.value)
    assert "'tiny:tiny'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commands_and_outcome_that_are_right_are_taken(fake_dist: FakeDist) -> None:
    story = "[One(), One('two', ['show', str(out)], ['one'])]"
    table = "Outcome([Shown('x', 'bold red'), Shown(Grid(['a'], [['1']]))], {'n': float('nan')}, ['next'])"
    demonstration = tiny(fake_dist, COMMANDS=story, OUTCOME=table)
    commands = demonstration.commands(Path("a\nb"), 1)
    assert commands == [Step("one", ("env",)), Step("two", ("show", "a\nb"), ("one",))]
    assert [str(one) for one in commands] == ["maxi env", "maxi show 'a\nb'"]
    shown = (Shown("x", "bold red"), Shown(Grid(("a",), (("1",),))))
    outcome = demonstration.outcome(Path("out"), 1)
    assert (outcome.shown, outcome.afterwards) == (shown, ("next",))
    assert isinstance(outcome, Outcome)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_commands_that_are_a_coroutine_are_one_line(fake_dist: FakeDist) -> None:
    fake_dist("tiny", code().replace("def commands", "async def commands"))
    with pytest.raises(PluginError, match="gave <coroutine object .*, not a list of commands"):
        world_demonstration(discover(only=["tiny"]), "tiny").commands(Path("out"), 1)


def test_a_demonstration_that_ends_the_process_ends_no_command_as_done(maxi, fake_dist: FakeDist, tmp_path) -> None:
    fake_dist("tiny", code(COMMANDS="sys.exit(0)"))
    ran = maxi("demo", "--world", "tiny", "--out", str(tmp_path / "out"))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "'tiny:tiny' called sys.exit(0) when it was asked for the commands of its demonstration" in ran.err


def test_what_a_demonstration_shows_does_nothing_to_the_terminal(maxi, fake_dist: FakeDist, tmp_path) -> None:
    shown = "Outcome((Shown('a\\x1b[31mb'), Shown(Grid(('c\\x1b[31m',), (('d\\x1b[31m',),)))), {}, ('e\\x1b[31m',))"
    fake_dist("tiny", code(COMMANDS="[One(words=['--version'])]", OUTCOME=shown))
    ran = maxi("demo", "--world", "tiny", "--out", str(tmp_path / "out"))
    assert (ran.code, "\x1b" in ran.out) == (0, False)
    assert all(f"{letter}\\x1b[31m" in ran.out for letter in "acde")
