"""The recipes that ship: they settle, say the paper's numbers, and name a source in every line."""

import re
from pathlib import Path

import pytest

from maxi_core.plugin.catalog import discover
from maxi_core.recipe.recipe import from_file, settle
from maxi_core.recipe.shipped import SHIPPED, shipped
from maxi_core.settings.sections import VideoOptions
from maxi_core.training.options import TrainSection

CATALOG = discover(only=[])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_line_of_a_recipe_names_its_source(name: str) -> None:
    lines = shipped(Path(name), CATALOG).read_text().splitlines()
    said = [line for line in lines if re.match(r"\w+ = ", line) and not line.startswith("schema")]
    assert len(said) > 10
    assert [line for line in said if not re.search(r"# .*(method: \w|as in training|not the paper's)", line)] == []


def test_the_k400_recipe_is_the_papers() -> None:
    recipe = settle(CATALOG, from_file(shipped(Path("maxi-k400"), CATALOG)), sources=True)
    train = recipe.core("train", TrainSection)
    assert train.batch_size * 4 * train.accum_freq == 256
    assert (train.epochs, train.lr, train.wd, train.frames, train.bag_size) == (10, 5e-6, 0.001, 16, 16)
    assert (train.loss, train.keep, train.ensemble, train.seed, train.normalisation) == (
        *(("maxi:mil_nce",), 0.9, 0.2, 1024, "imagenet"),
    )
    assert not recipe.core("video", VideoOptions).square_pixels


def test_the_few_shot_recipe_is_the_papers() -> None:
    train = settle(CATALOG, from_file(shipped(Path("maxi-fewshot"), CATALOG))).core("train", TrainSection)
    assert (train.frames, train.batch_size * 4 * train.accum_freq, train.epochs, train.lr) == (32, 64, 50, 2e-6)
    assert (train.loss, train.seed) == (("maxi:ce",), 1024)


def test_a_file_of_that_name_goes_before_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shipped(Path("maxi-k400"), CATALOG).is_file()
    Path("maxi-k400").write_text("")
    assert shipped(Path("maxi-k400"), CATALOG) == Path("maxi-k400")


def test_the_fast_recipe_is_the_paper_s_but_for_what_it_says() -> None:
    paper, fast = (
        settle(CATALOG, from_file(shipped(Path(name), CATALOG)), sources=True) for name in ("maxi-k400", "maxi-fast")
    )
    ours = {
        key: value
        for key, value in fast.core("train", TrainSection)
        if value != getattr(paper.core("train", TrainSection), key)
    }
    assert ours == {"frames": 8, "force_patch_dropout": 0.5}
    assert fast.core("train", TrainSection).whole_epochs == 1
    assert {name for name in paper.sections if paper.sections[name] != fast.sections[name]} == {"train"}
