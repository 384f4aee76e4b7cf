"""Filters: which texts stay in the bags of videos that are kept, and what becomes of one that fails."""

import json

import pytest

from maxi_core.errors import ExitCode
from maxi_core.plugin.catalog import discover
from maxi_core.recipe.parts import cast_parts
from tests.bags.conftest import CAST

FILTERS = """
    from dataclasses import replace

    import maxi_core
    from maxi_core import Failed, Filter, hookimpl
    from pydantic import Field

    def asked(name, bags):
        with open("asked.log", "a") as file:
            file.writelines(f"{name}\\t{bag.match.video.id}\\n" for bag in bags)

    class Less(Filter):
        '''Drops all texts but so many.'''
        name = "less"
        batch = 1
        class Options(maxi_core.Options):
            left: int = Field(2, description="texts that stay")
        def filter(self, clips, bags):
            asked(self.name, bags)
            assert all(clip.frames.size == 0 for clip in clips)
            return [replace(bag, texts=bag.texts[: self.options.left]) for bag in bags]

    class Odd(Filter):
        '''Cannot look at some, drops nothing of others, and breaks its word on one.'''
        name = "odd"
        def filter(self, clips, bags):
            return [self.one(clip.video, bag) for clip, bag in zip(clips, bags)]
        def one(self, video, bag):
            if "0" in video.id:
                return Failed("it is too dark")
            return replace(bag, kept=False) if "1" in video.id else bag

    @hookimpl
    def maxi_register_sources():
        return [Less, Odd]
"""


@pytest.fixture
def filters(world, fake_dist):
    fake_dist("filters", FILTERS)
    return world


def sizes(world) -> list[int]:
    return [len(record["texts"]) for record in world.records()]


def test_bags_of_kept_videos_are_filtered_after_they_are_composed_and_what_is_known_is_not_asked_again(filters) -> None:
    filters.bags()
    before = filters.records()
    filters.asked()
    ran = filters.bags("--filters", "less")
    assert ran.code == ExitCode.DONE, ran.err
    assert f"less dropped {sum(len(one['texts']) for one in before) - 12} of" in ran.out
    assert [one["texts"] for one in filters.records()] == [one["texts"][:2] for one in before]
    assert filters.asked() == {"less": 6}
    manifest = json.loads((filters.out / "manifest.json").read_text())
    assert (manifest["roles"]["less"], manifest["asked"]["less"]) == ("filter", 6)
    assert filters.bags("--filters", "less").code == ExitCode.DONE
    assert filters.asked() == {}
    filters.bags("--filters", "less", "-o", "less.left=1")  # another option asks again
    assert (filters.asked(), sizes(filters)) == ({"less": 6}, [1] * 6)
    filters.bags("--keep", "0.5", "--filters", "less")  # of these bags all is known
    assert (filters.asked(), sorted(sizes(filters))) == ({}, [0, 0, 0, 2, 2, 2])


def test_filters_come_one_after_the_other_and_one_that_is_named_in_sources_is_the_same(filters) -> None:
    fourth = json.loads(filters.bags("--json", "-o", "less#fewer.left=1", sources=f"{CAST},less,less#fewer").out)
    assert fourth["dropped"].keys() == {"less", "less#fewer"}
    assert fourth["dropped"]["less#fewer"] == 6
    assert sizes(filters) == [1] * 6
    cast = cast_parts(discover(only=[]), ["stoplist", "rescore"])
    assert cast == {"filters": ("maxi:stoplist", "maxi:rescore")}
    ran = filters.bags("--filters", "less", sources=f"{CAST},less")
    said = "--sources names the filter filters:less, and --filters others; use --filters"
    assert (ran.code, ran.err) == (2, f"maxi: error: {said}\n")


def test_a_bag_that_a_filter_cannot_look_at_or_changes_otherwise_stays_as_it_is(filters) -> None:
    filters.bags()
    before = filters.records()
    ran = filters.bags("--filters", "odd")
    assert ran.code == ExitCode.DONE
    assert filters.records() == before
    said = [json.loads(line) for line in (filters.out / "skipped.jsonl").read_text().splitlines()]
    assert [(one["video"], one["stage"], one["source"]) for one in said] == [
        ("clip 0.mp4", "filter", "odd"), ("clip 1.mp4", "filter", "odd"),
    ]  # fmt: skip
    assert said[0]["message"] == "it is too dark"
    assert said[1]["message"].endswith("changed more of the bag than which texts it has")
    assert filters.bags("--filters", "odd", "--max-skipped", "1").code == ExitCode.SKIPPED


@pytest.mark.parametrize(
    ("texts", "line"),
    [
        ("(text for text in bag.texts)", "answered with texts that is a generator, not a tuple"),
        ("iter(bag.texts)", "answered with texts that is a tuple_iterator, not a tuple"),
        ("set(bag.texts)", "answered with texts that is a set, not a tuple"),
        ("None", "answered with texts that is NoneType, not a tuple"),
        ("'a text'", "answered with texts that is a str, not a tuple"),
        ("tuple(text.text for text in bag.texts)", "in its texts, which is no Text"),
    ],
)
def test_a_filter_whose_texts_are_no_tuple_is_told_so_and_nothing_is_kept(world, fake_dist, texts, line) -> None:
    world.bags()
    before = world.records()
    fake_dist("filters", FILTERS.replace("bag.texts[: self.options.left]", texts))
    ran = world.bags("--filters", "less")
    assert (ran.code, world.records()) == (ExitCode.SKIPPED, before), "it was switched off"
    assert "source 'less' was switched off: 5 faults in a row, the last: " in ran.err
    assert line in ran.err
    assert not [path for path in (world.folder / "store").glob("less*/*.jsonl") if path.read_text()]


def test_a_filter_may_give_a_list(world, fake_dist) -> None:
    fake_dist("filters", FILTERS.replace("bag.texts[: self.options.left]", "list(bag.texts[:1])"))
    assert world.bags("--filters", "less").code == ExitCode.DONE
    assert sizes(world) == [1] * 6


def test_a_filter_that_empties_all_bags_is_named_and_ends_with_code_3(filters) -> None:
    ran = filters.bags("--filters", "less", "-o", "less.left=0")
    assert ran.code == ExitCode.SKIPPED
    assert ran.err.splitlines()[-1] == "maxi: error: filter 'less' left no text in any of 6 bags"


def test_a_dry_run_and_shares_know_filters(filters) -> None:
    planned = json.loads(filters.bags("--dry-run", "--json", "--filters", "less").out)
    assert [one["asked"] for one in planned["stages"] if one["stage"] == "filter"] == [6]
    filters.bags("--filters", "less")
    whole = (filters.out / "bags.jsonl").read_bytes()
    other = filters.folder / "other"
    for number in (1, 2):
        more = ("--filters", "less", "--out", str(other), "--store", str(filters.folder / "elsewhere"))
        filters.maxi(*filters.arguments(*more, "--shard", f"{number}/2"))
    assert (other / "bags.jsonl").read_bytes() == whole
