"""What a plugin does wrong before any question is asked is one line with its name, and nothing is written."""

import pytest

from maxi_core.errors import ExitCode
from tests.conftest import EXPANDER

CAST = "toymatch,toygpt,toyblip,toyverbs"
FAULTY = (
    EXPANDER.format(name="faulty")
    + """
    class Odd(BaseException):
        pass

    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("in __str__")
        __repr__ = __str__
"""
)


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("def fingerprint(self): raise KeyError('x')", "'faulty' raised KeyError: 'x' when it was asked for its"),
        ("def fingerprint(self): return None", "'faulty' has a fingerprint that is not a dict of texts: None"),
        ("def fingerprint(self): return {'weights': object()}", "that is not a dict of texts: {'weights': <object"),
        ("def fingerprint(self): return ['a']", "'faulty' has a fingerprint that is not a dict of texts: ['a']"),
        (
            "def __init__(self, options): 1 / 0",
            "'faulty:faulty' raised ZeroDivisionError: division by zero when it was",
        ),
        ("def __init__(self): pass", "'faulty:faulty' raised TypeError: "),
        ("def fingerprint(self): raise Mute", "'faulty' raised Mute: (its text cannot be made) when it was asked for"),
        ("def fingerprint(self): raise Odd('odd')", "'faulty' raised Odd: odd when it was asked for its"),
    ],
)
def test_a_source_that_cannot_be_made_or_known_again_is_one_line(world, fake_dist, body, line) -> None:
    fake_dist("faulty", FAULTY.replace("def expand", f"{body}\n        def expand"))
    ran = world.bags(sources=f"{CAST},faulty")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert line in ran.err
    assert world.asked() == {}
    assert not (world.out / "bags.jsonl").exists()


@pytest.mark.parametrize("error", ["Mute", "Odd('odd')"])
def test_a_source_that_raises_the_oddest_error_when_it_is_asked_is_named(world, fake_dist, error: str) -> None:
    fake_dist(
        "faulty", FAULTY.replace("def expand(self, entries):", f"def expand(self, entries):\n            raise {error}")
    )
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.SKIPPED, ran.err
    assert f"raised {error.partition('(')[0]}: " in ran.err
    assert "a bug in maxi" not in ran.err
    assert (world.out / "bags.jsonl").is_file()


@pytest.mark.parametrize("tokens", ["'many'", "None + 1", "float('nan')", "-5", "True"])
def test_tokens_that_are_no_number_are_one_line(world, fake_dist, tokens: str) -> None:
    fake_dist("faulty", FAULTY.replace("def expand", f"def tokens_each(self): return {tokens}\n        def expand"))
    ran = world.bags("--dry-run", sources=f"{CAST},faulty")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert "'faulty' " in ran.err
    assert "tokens" in ran.err


@pytest.mark.parametrize("kind", ["uniform", "middles", "random"])
def test_a_source_that_wants_more_frames_than_memory_holds_is_one_line(world, fake_dist, kind: str) -> None:
    blip = (
        "frames = None\n        def caption(self, clips):\n            return [[] for _ in clips]\n        def expand"
    )
    body = FAULTY.replace("def expand", blip.replace("None", f"maxi_core.Sampling('{kind}', 10**7)"))
    fake_dist("faulty", body.replace("Expander", "Captioner"))
    ran = world.bags(sources=f"{CAST},faulty")
    assert ran.code == ExitCode.USAGE
    line = "maxi: error: source 'faulty' wants 10000000 frames of each video, and 10000 is the most"
    assert ran.err.splitlines()[-1] == line


INJECTOR = """
    from maxi_core import Dictionary, Injector, hookimpl
    class Odd(Injector):
        name = "odd"
        def inject(self, dictionary, augment):
            {body}
    @hookimpl
    def maxi_register_sources():
        return [Odd]
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise IndexError('no noise')", "'odd' raised IndexError: no noise when it was given the dictionary"),
        ("return None", "injector 'odd' returned NoneType, not a Dictionary"),
        ("return dictionary.entries", "injector 'odd' returned tuple, not a Dictionary"),
        (
            "return Dictionary('d', ('a', 5))",
            "'odd' returned a Dictionary whose entries are not a tuple of texts",
        ),
        (
            "return Dictionary('d', ['a', 'b'])",
            "'odd' returned a Dictionary whose entries are not a tuple of texts",
        ),
        ("return Dictionary('d', None)", "'odd' returned a Dictionary whose entries are not a tuple of texts"),
        ("return Dictionary('d', ('a', ' '))", "injector 'odd' returned a blank entry"),
        ("return Dictionary('d', ())", "injector 'odd' returned an empty dictionary"),
        ("return Dictionary('d', ('a', 'b', 'a '))", "injector 'odd' returned 'a' twice"),
    ],
)
def test_an_injector_that_makes_no_dictionary_is_one_line(world, fake_dist, body, line) -> None:
    fake_dist("odd", INJECTOR.format(body=body))
    for more in ([], ["--dry-run"]):
        ran = world.bags(*more, sources=f"{CAST},odd")
        assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
        assert line in ran.err


AUGMENTER = """
    from maxi_core import Augmenter, hookimpl
    class Weak(Augmenter):
        name = "weak"
        def augment(self, texts):
            {body}
    @hookimpl
    def maxi_register_sources():
        return [Weak]
"""


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("raise OSError('gone')", "'weak' raised OSError: gone when an injector asked it for forms"),
        ("return []", "source 'weak' gave 0 answers to 1 text"),
        ("return [texts.pop()] and []", "source 'weak' gave 0 answers to 1 text"),
        ("return iter([])", "source 'weak' gave list_iterator to 1 text"),
        ("return [['standing']]", "source 'weak' answered ['standing'], not a list of forms"),
    ],
)
def test_an_augmenter_that_fails_an_injector_is_blamed_and_not_the_injector(world, fake_dist, body, line) -> None:
    fake_dist("weak", AUGMENTER.format(body=body))
    ran = world.bags(sources="toynoise,toymatch,weak")
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert line in ran.err


def test_a_path_that_no_recipe_can_hold_is_one_line_before_any_work(world) -> None:
    ran = world.bags("-o", "bags.root=" + b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert (ran.code, ran.err.count("\n")) == (ExitCode.USAGE, 1)
    assert r"caf\udce9' is not UTF-8, and a recipe cannot hold it" in ran.err
    assert world.asked() == {}
