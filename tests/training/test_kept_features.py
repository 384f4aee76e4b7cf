"""Features of a frozen image tower in the place of clips: the same training, nothing decoded, damage made good."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from maxi_core.bags.bag import read_bags
from maxi_core.bags.manifest import BAGS
from maxi_core.batches.kept_features import KeptFeatures, epoch_file, read_features
from maxi_core.clip.loading import load_model
from maxi_core.errors import MaxiError
from maxi_core.plugin.catalog import discover
from maxi_core.recipe.library import recipe_of
from maxi_core.recipe.recipe import Recipe
from maxi_core.training.keeping import changing, keep_features
from maxi_core.training.loop import Step, train
from maxi_core.training.plan import make_training
from maxi_core.training.trainable import choose_trainable, make_optimizer
from maxi_core.types import Video

BROKEN = 5
CATALOG = discover()


@pytest.fixture(scope="module")
def damaged(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the world, where one video is not to be read."""
    folder = tmp_path_factory.mktemp("damaged")
    for name in ("run", "model", "clips"):
        shutil.copytree(world / name, folder / name)
    (folder / "clips" / f"{BROKEN}.mp4").write_text("no video at all\n")
    lines = (folder / "run" / BAGS).read_text().replace(str(world), str(folder))
    (folder / "run" / BAGS).write_text(lines)
    return folder


def recipe(world: Path, **more: Any) -> Recipe:
    """Return the recipe of a small training with a frozen image tower."""
    settled = {
        **{"run": world / "run", "model": str(world / "model"), "out": world / "out", "freeze": "image"},
        **{"batch_size": 4, "frames": 2, "bag_size": 3, "epochs": 2, "lr": 1e-3, "warmup": 0, "device": "cpu"},
        **more,
    }
    own = {f"train.{key}": value for key, value in settled.items()}
    return recipe_of(CATALOG, {**own, "video.workers": 0})


def videos(world: Path) -> list[Video]:
    return [bag.match.video for bag in read_bags(world / "run")]


def unwatched(_title: str, _total: int, items: Iterable[Any]) -> Iterator[Any]:
    return iter(items)


def keep(world: Path, out: Path, **more: Any) -> Path:
    assert keep_features(CATALOG, recipe(world, **more), videos(world), out, unwatched) == ""
    return out


def steps(settled: Recipe, kept: Path | None = None) -> list[Step]:
    job = make_training(CATALOG, settled, dry=True, kept=kept)
    optimizer = make_optimizer(job.model, heads=job.objectives.parameters.values())
    return list(train(job.model, job.batches, job.objectives, optimizer, job.plan))


@pytest.fixture(scope="module")
def kept(damaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the features of two epochs."""
    return keep(damaged, tmp_path_factory.mktemp("kept"))


@pytest.mark.parametrize(
    "more",
    [
        {"loss": "mil_nce,interpolate,anchors", "ema": 0.9},
        pytest.param({"loss": "ce,distill", "augmentation": "none"}, marks=pytest.mark.long),
    ],
)
def test_a_training_with_kept_features_is_that_without_and_a_broken_video_is_replaced_alike(
    damaged: Path, kept: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    folder = keep(damaged, tmp_path / "kept", **more) if "augmentation" in more else kept
    assert len(list(folder.iterdir())) == (1 if "augmentation" in more else 2)
    expected = steps(recipe(damaged, **more))
    shutil.move(damaged / "clips", tmp_path / "clips")  # nothing is decoded
    try:
        found = steps(recipe(damaged, **more), folder)
    finally:
        shutil.move(tmp_path / "clips", damaged / "clips")
    assert len(expected) == 8
    assert [step.loss for step in found] == pytest.approx([step.loss for step in expected], abs=1e-5)
    assert [step.norm for step in found] == pytest.approx([step.norm for step in expected], rel=1e-4)
    assert expected[0].loss != pytest.approx(expected[-1].loss, abs=1e-3)


def test_epochs_that_are_there_whole_stay_and_the_others_are_made_with_the_same_bytes(
    damaged: Path, kept: Path, tmp_path: Path
) -> None:
    first, second = (epoch_file(tmp_path, "paper", epoch) for epoch in (0, 1))

    def killed(title: str, _total: int, items: Iterable[Any]) -> Iterator[Any]:
        for number, item in enumerate(items):
            if "epoch 2" in title and number == 9:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        keep_features(CATALOG, recipe(damaged), videos(damaged), tmp_path, killed)
    assert (first.exists(), second.exists()) == (True, False)
    before = first.stat().st_mtime_ns
    second.write_bytes(first.read_bytes()[:-1])
    keep(damaged, tmp_path)
    assert first.stat().st_mtime_ns == before
    for path in (first, second):
        assert path.read_bytes() == (kept / path.name).read_bytes()


def test_features_that_are_not_what_was_made_are_one_line_that_names_the_file(kept: Path, tmp_path: Path) -> None:
    path, good = epoch_file(tmp_path, "paper", 0), epoch_file(kept, "paper", 0).read_bytes()
    whole = read_features(epoch_file(kept, "paper", 0))
    assert whole is not None
    replace(whole, model="another").write(path)
    other = path.read_bytes()
    said = {b"": "missing or damaged", good[:-100]: "missing or damaged", good[:40]: "missing or damaged"}
    said |= {good.replace(b"1.mp4", b"9.mp5", 1): "missing or damaged", other: "of a model with other weights"}
    for data, what in said.items():
        path.write_bytes(data)
        with pytest.raises(MaxiError) as error:
            KeptFeatures(tmp_path, whole.model).open("paper", 0)
        assert (error.value.problem, error.value.fix) == (
            f"{path} is {what}",
            f"remove {tmp_path}; the same command makes it anew",
        )
    path.write_bytes(good)
    features = KeptFeatures(tmp_path, whole.model)
    features.open("paper", 0)
    assert isinstance(features.of("1.mp4"), torch.Tensor)
    with pytest.raises(MaxiError, match=r"has no feature of 99\.mp4"):
        features.of("99.mp4")


def test_a_tower_that_training_changes_is_not_kept(world: Path, tmp_path: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded)
    assert changing(loaded) == "weights of the image tower are trained"
    choose_trainable(loaded, "image")
    assert changing(loaded) == ""
    loaded.clip.visual.ln_pre = nn.Sequential(loaded.clip.visual.ln_pre, nn.Dropout(0.01))
    assert "as with dropout" in changing(loaded)
    loaded.pooling = nn.Linear(1, 1)
    assert changing(loaded) == "the temporal module has weights of its own"
    assert keep_features(CATALOG, recipe(world, freeze="none"), videos(world), tmp_path, unwatched)
    assert list(tmp_path.iterdir()) == []
