"""Worlds: a name stands for what a world has, wherever it is typed, and neither core nor plugins know of any."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from maxi_cli.flags import offering
from maxi_core.clip.naming import find_model
from maxi_core.dictionaries import read_dictionary
from maxi_core.errors import PluginError, UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.plugin.catalog import Catalog, discover
from maxi_core.plugin.world_paths import resolve_worlds, world_demonstration, world_path
from maxi_core.recipe.recipe import from_flag, settle
from maxi_core.recipe.shipped import shipped
from maxi_core.settings.options import Options, WorldPath
from tests.conftest import FakeDist

TINY = """
    from pathlib import Path
    from maxi_core import World, hookimpl

    HERE = Path(__file__).parent / "tiny"

    class Tiny(World):
        name = "tiny"
        def videos(self):
            return HERE / "videos"
        def dictionary(self):
            return ["run", "jump"]
        def replies(self, which=""):
            return HERE / f"replies{which}.jsonl"
        def benchmarks(self):
            return ["tiny-bench"]
        def benchmark(self, name):
            return HERE / "bench"
        def recipe(self):
            return HERE / "tiny.toml"

    @hookimpl
    def maxi_register_worlds():
        return [Tiny]
"""


class Asks(Options):
    """Options as a plugin has them."""

    model: Annotated[str, WorldPath("captioner")] = Field("some/hub-name", description="which")
    replay: Annotated[Path | None, WorldPath("replies")] = Field(None, description="from where")
    videos: Annotated[str, WorldPath("videos", words=("rules",))] = Field("", description="of what")


@pytest.fixture
def catalog(fake_dist: FakeDist) -> Catalog:
    folder = fake_dist("tiny", TINY) / "tiny"
    (folder / "videos").mkdir(parents=True)
    (folder / "bench").mkdir()
    (folder / "bench" / "labels.csv").write_text("id,name\n0,run\n1,jump\n")
    (folder / "bench" / "split.txt").write_text("a.mp4 0\nb.mp4 1\n")
    for name in ("replies.jsonl", "replieslong.jsonl", "tiny.toml"):
        (folder / name).write_text("")
    return discover(only=["tiny"])


def test_an_option_that_takes_a_world_gets_its_path_and_any_other_text_stays(catalog: Catalog, tmp_path: Path) -> None:
    made = resolve_worlds(catalog, Asks(videos="tiny", replay=Path("tiny-long")))
    assert made.videos == str(tmp_path / "site" / "tiny" / "videos")
    assert made.replay == tmp_path / "site" / "tiny" / "replieslong.jsonl"
    assert made.model == "some/hub-name"
    untouched = Asks(model="en_core_web_sm", videos="rules", replay=Path("some.jsonl"))
    assert resolve_worlds(catalog, untouched) is untouched


def test_what_a_world_has_not_is_said_with_its_name(catalog: Catalog) -> None:
    with pytest.raises(UsageError, match="the world 'tiny' has no captioner; name another world, or a path"):
        resolve_worlds(catalog, Asks(model="tiny"))
    with pytest.raises(UsageError, match="the world 'tiny' has no clip"):
        find_model("tiny", catalog)


def test_a_world_and_a_file_of_one_name_are_not_chosen_between(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny").mkdir()
    with pytest.raises(UsageError, match=r"'tiny' is a world and also a file in this folder; type \./tiny"):
        world_path(catalog, "videos", "tiny")
    assert world_path(catalog, "videos", "./tiny") is None


def test_names_of_worlds_are_dictionaries_benchmarks_and_recipes(catalog: Catalog, tmp_path: Path) -> None:
    assert read_dictionary("tiny", catalog).entries == ("run", "jump")
    opened = open_benchmark("tiny-bench", catalog)
    assert [sample.path for sample in opened.splits[0].samples] == ["a.mp4", "b.mp4"]
    assert shipped(Path("tiny"), catalog) == tmp_path / "site" / "tiny" / "tiny.toml"
    with pytest.raises(UsageError, match=r"no benchmark 'tiny-bunch' \(did you mean 'tiny-bench'\?\)"):
        open_benchmark("tiny-bunch", catalog)


def test_the_videos_of_a_worlds_benchmark_have_its_name(catalog: Catalog, tmp_path: Path) -> None:
    bench = tmp_path / "site" / "tiny" / "bench"
    assert world_path(catalog, "videos", "tiny-bench") == bench
    (bench / "videos").mkdir()
    assert world_path(catalog, "videos", "tiny-bench") == bench / "videos"
    assert world_path(catalog, "videos", "tiny-bunch") is None
    assert 'videos = "tiny-bench"' in settle(catalog, [from_flag("bags.videos=tiny-bench")]).to_toml()


def test_a_strangers_world_does_not_hide_the_benchmark_of_another(catalog: Catalog, fake_dist: FakeDist) -> None:
    longer = TINY.replace('name = "tiny"', 'name = "tiny-be"').replace("tiny-bench", "tiny-be-x")
    fake_dist("other", longer.replace('/ "tiny"', '/ "other"'), entry="longer")
    both = discover(only=["tiny", "longer"])
    assert open_benchmark("tiny-bench", both).name == "bench"


def test_the_installed_worlds_are_found_without_a_catalog(catalog: Catalog) -> None:
    assert read_dictionary("tiny").entries == ("run", "jump")
    assert open_benchmark("tiny-bench").name == "bench"


def test_a_settled_recipe_keeps_the_names(catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("actions.txt").write_text("run\n")
    typed = ("bags.videos=tiny", "bags.dictionary=actions.txt", "train.labels=tiny", "verbs.model=tiny")
    recipe = settle(catalog, [from_flag(text) for text in typed])
    text = recipe.to_toml()
    assert 'videos = "tiny"' in text
    assert 'labels = "tiny"' in text
    assert 'model = "tiny"' in text
    assert f'dictionary = "{tmp_path / "actions.txt"}"' in text
    with pytest.raises(UsageError, match="the world 'tiny' has no pipeline"):
        recipe.make(catalog, "verbs")


def test_a_source_gets_the_path_and_keeps_what_the_recipe_says(
    catalog: Catalog, fake_dist: FakeDist, tmp_path: Path
) -> None:
    fake_dist("asker", """
        from pathlib import Path
        from typing import Annotated
        import maxi_core
        from maxi_core import Expander, WorldPath, hookimpl
        from pydantic import Field

        class Asker(Expander):
            '''Asks.'''
            name = "asker"
            class Options(maxi_core.Options):
                replay: Annotated[Path | None, WorldPath("replies")] = Field(None, description="from where")
            def expand(self, entries):
                return [[] for _ in entries]

        @hookimpl
        def maxi_register_sources():
            return [Asker]
    """)  # fmt: skip
    found = discover(only=["asker", "tiny"])
    source = settle(found, [from_flag("asker.replay=tiny")]).make(found, "asker")
    assert source.options.replay == tmp_path / "site" / "tiny" / "replies.jsonl"
    assert source.settled.replay == Path("tiny")


def test_the_names_of_worlds_are_no_sections_and_clash_with_no_source(fake_dist: FakeDist) -> None:
    fake_dist("mean", TINY.replace('name = "tiny"', 'name = "mean"').replace("tiny-bench", "mean-bench"), entry="other")
    catalog = discover(only=["other"])
    assert catalog.find("mean").role == "temporal"
    assert catalog.find("mean", ("world",)).role == "world"
    assert settle(catalog, []).make(catalog, "mean").role == "temporal"


def test_two_worlds_of_one_name_are_refused_until_one_is_chosen(catalog: Catalog, fake_dist: FakeDist) -> None:
    fake_dist("other", TINY, entry="tiny-too")
    both = discover(only=["tiny", "tiny-too"])
    with pytest.raises(PluginError, match="'tiny' is offered by .* write other:tiny or tiny:tiny"):
        world_path(both, "videos", "tiny")
    with pytest.raises(PluginError, match="'tiny' is a dictionary of several plugins; write other:tiny or tiny:tiny"):
        read_dictionary("tiny", both)
    assert read_dictionary("tiny:tiny", both).entries == ("run", "jump")


STORY = """
        def demonstration(self):
            class Story:
                beside = "nothing"
                def commands(self, out, seeds): return []
                def outcome(self, out, seeds): return None
            return Story()
"""


def test_the_demonstration_is_that_of_the_only_world_with_one_or_of_the_one_that_is_named(
    fake_dist: FakeDist,
) -> None:
    fake_dist("tiny", TINY.replace("        def recipe", f"{STORY}\n        def recipe"))
    assert world_demonstration(discover(only=[])).commands(Path("x"), 1)
    both = discover(only=["tiny"])
    with pytest.raises(UsageError, match="which demonstration\\? sandbox, tiny has one; type --world NAME"):
        world_demonstration(both)
    assert world_demonstration(both, "tiny").beside == "nothing"
    with pytest.raises(PluginError, match="no world is called 'tinny' \\(did you mean 'tiny'\\?\\)"):
        world_demonstration(both, "tinny")


FAULTS = {
    "a path that is none": ('return HERE / "videos"', 'return "videos"', "gave str for its videos, not a path"),
    "a path to nothing": ('HERE / "videos"', 'HERE / "no"', "has no videos at .*no, where it says it has"),
    "an exception": ('return HERE / "videos"', "raise ValueError('no luck')", "raised ValueError: no luck when it was"),
}


@pytest.mark.parametrize(("right", "wrong", "line"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_of_a_world_is_one_line_with_its_name(fake_dist: FakeDist, right: str, wrong: str, line: str) -> None:
    fake_dist("tiny", TINY.replace(right, wrong))
    with pytest.raises(PluginError, match=f"'tiny:tiny' {line}") as caught:
        world_path(discover(only=["tiny"]), "videos", "tiny")
    assert "\n" not in str(caught.value)


def test_the_benchmarks_of_a_world_begin_with_its_name(fake_dist: FakeDist) -> None:
    fake_dist("tiny", TINY.replace("tiny-bench", "ucf101"))
    with pytest.raises(PluginError, match="'tiny:tiny' has a benchmark 'ucf101'; its name must begin with tiny-"):
        world_path(discover(only=["tiny"]), "benchmark", "tiny-x")


UNASKABLE = {
    "no luck": ('return ["tiny-bench"]', 'raise ValueError("no luck")', "'tiny:tiny' raised ValueError: no luck when"),
    "no end": ('return ["tiny-bench"]', 'raise SystemExit(0)', "'tiny:tiny' called sys.exit(0) when it was asked"),
    "nothing": ('return ["tiny-bench"]', 'return None', "the world 'tiny:tiny' gave None for its benchmarks"),
    "a text": ('return ["tiny-bench"]', 'return "tiny-bench"', "gave 'tiny-bench' for its benchmarks, not a list"),
    "a number": ('return ["tiny-bench"]', 'return [5]', "the world 'tiny:tiny' has a benchmark 5"),
    "not made": ('name = "tiny"', 'name = "tiny"\n        def __init__(self, *how): 1 / 0', "when it was made"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line"), UNASKABLE.values(), ids=list(UNASKABLE))
def test_a_world_that_cannot_say_its_benchmarks_is_warned_of_and_the_others_are_listed(
    fake_dist: FakeDist, maxi, logged: list[str], right: str, wrong: str, line: str
) -> None:
    fake_dist("tiny", TINY.replace(right, wrong))
    ran = maxi("data", "list")
    assert ran.code == 0
    assert "of the world sandbox: sandbox-same" in ran.out
    assert "of the world tiny" not in ran.out
    (warning,) = logged
    assert warning.startswith("world 'tiny:tiny': its benchmarks are left out: ")
    assert line in warning
    assert "sandbox-same" in offering("benchmark")("sandbox-s")


def test_a_benchmark_that_cannot_be_made_is_listed_and_hurts_no_other(fake_dist: FakeDist, maxi, tmp_path) -> None:
    fake_dist("odd", """
        from maxi_core import Benchmark, hookimpl

        class Odd(Benchmark):
            name = "odd"
            title = "Odd"
            def __init__(self, *how): raise ValueError("no luck")
            def listing(self, files, split): return None

        @hookimpl
        def maxi_register_benchmarks():
            return [Odd]
    """)  # fmt: skip
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "labels.csv").write_text("id,name\n0,run\n")
    (tmp_path / "own" / "split.txt").write_text("a.mp4 0\n")
    assert maxi("data", "list").code == 0
    assert open_benchmark(str(tmp_path / "own" / "split.txt"), discover()).splits[0].classes == ("run",)
    with pytest.raises(UsageError, match="no benchmark 'odder' \\(did you mean 'odd'\\?\\)"):
        open_benchmark("odder", discover())
    with pytest.raises(PluginError, match="'odd:odd' raised ValueError: no luck when it was made"):
        open_benchmark("odd", discover(), annotations=tmp_path)


REFUSED = {
    "options": ('name = "tiny"', 'name = "tiny"\n        class Options(__import__("maxi_core").Options):\n'
                '            x: int = __import__("pydantic").Field(1, description="x")', "Tiny has options"),
    "no name": ('name = "tiny"', "name = None", "Tiny.name is None"),
    "no world": ("(World)", "", "returned Tiny, which is not a subclass of World"),
    "an instance": ("[Tiny]", "[Tiny()]", "which is not a class"),
}  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "line"), REFUSED.values(), ids=list(REFUSED))
def test_a_world_that_is_none_is_refused_when_it_is_loaded(
    fake_dist: FakeDist, right: str, wrong: str, line: str
) -> None:
    fake_dist("tiny", TINY.replace(right, wrong))
    (plugin,) = [one for one in discover(only=["tiny"]).plugins if one.dist == "tiny"]
    assert line in plugin.error


def test_an_option_that_wants_what_no_world_has_is_refused_when_it_is_loaded(fake_dist: FakeDist) -> None:
    fake_dist("asker", """
        from typing import Annotated
        import maxi_core
        from maxi_core import Expander, WorldPath, hookimpl
        from pydantic import Field

        class Asker(Expander):
            name = "asker"
            class Options(maxi_core.Options):
                model: Annotated[str, WorldPath("captoner")] = Field("", description="which")
            def expand(self, entries):
                return [[] for _ in entries]

        @hookimpl
        def maxi_register_sources():
            return [Asker]
    """)  # fmt: skip
    (plugin,) = [one for one in discover(only=["asker"]).plugins if one.dist == "asker"]
    assert "'model' wants the captoner of a world (did you mean 'captioner'?), which none has" in plugin.error
