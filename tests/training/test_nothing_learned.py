"""A training that cannot come to anything is refused before the work, in one line, with exit code 1."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.errors import MaxiError
from tests.batches.runs import bag, write_run
from tests.said import errors
from tests.training.runs import built_in, loss_names, loss_of, steps
from tests.training.test_train_command import arguments

Maxi = Callable[..., Any]


def run_of(world: Path, folder: Path, entries: Sequence[str], texts: Sequence[Sequence[str]]) -> Path:
    """Write a run whose videos are the world's, with these entries and texts in turn; return its folder's parent."""
    clips = world / "clips"
    bags = [
        bag(f"{n}.mp4", entries[n % len(entries)], n / 100, texts[n % len(texts)], path=clips / f"{n}.mp4")
        for n in range(8)
    ]
    write_run(folder, bags)
    (folder / "model").symlink_to(world / "model")
    return folder


@pytest.mark.parametrize("loss", loss_names())
def test_a_loss_that_is_said_to_be_constant_has_no_gradient_and_no_other(loss: str) -> None:
    torch.manual_seed(0)
    for batch, entries, alike in [(1, 1, False), (4, 1, False), (4, 1, True), (4, 2, False), (4, 2, True)]:
        size = 1 if loss == "ce" else 3
        count = entries if loss == "ce" else (entries * size if alike else batch * size)
        videos = torch.randn(batch, 5, dtype=torch.float64, requires_grad=True)
        texts = torch.randn(count, 5, dtype=torch.float64)
        groups = torch.arange(batch) % entries
        own = groups if alike else torch.arange(batch)
        index = own[:, None] * size + torch.arange(size)
        loss_of(loss, videos, texts, torch.tensor(10.0, dtype=torch.float64), index, groups).backward()
        assert videos.grad is not None
        moved = float(videos.grad.abs().max()) > 1e-12
        assert bool(built_in()[loss]().constant_because(batch, entries, alike=alike)) is not moved, (
            batch,
            entries,
            alike,
        )


@pytest.mark.parametrize("loss", [loss for loss in loss_names() if loss != "ce"])
@pytest.mark.parametrize(
    ("entries", "texts", "more", "said"),
    [
        (["waving"], [["wave", "greet"]], [], "matched to the same entry"),
        (["waving"], [[]], [], "matched to the same entry"),
        (["waving", "riding"], [["wave"], ["ride"]], ["--batch-size", "1"], "one video at a time"),
    ],
)
def test_one_entry_or_one_video_at_a_time_is_refused(
    world: Path, tmp_path: Path, maxi: Maxi, loss: str, entries, texts, more, said: str
) -> None:
    here = run_of(world, tmp_path / "here", entries, texts)
    ran = maxi(*arguments(here, tmp_path / "out", "--loss", loss, *more))
    if loss in ("nce_pairs", "mil_max_pairs") and len(entries) == 1:  # these tell the videos of an entry apart
        assert ran.code == 0
        return
    assert ran.code == 1
    assert errors(ran.err) == 1
    assert f"the loss {loss} has no gradient on 8 bags of run: " in ran.err
    assert said in ran.err
    assert not (tmp_path / "out").exists()


def test_a_batch_of_one_is_refused_where_a_share_is_kept(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    here = run_of(world, tmp_path / "here", ["riding", "riding", "riding", "waving"], [["wave"], ["greet"]])
    ran = maxi(*arguments(here, tmp_path / "out", "--keep", "0.125", "--batch-size", "1"))
    assert (ran.code, "one video at a time" in ran.err) == (1, True)


def test_one_class_has_no_gradient_under_ce(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    here = run_of(world, tmp_path / "here", ["waving"], [[]])
    ran = maxi(*arguments(here, tmp_path / "out", "--loss", "ce"))
    assert (ran.code, "there is one class alone" in ran.err) == (1, True)


def test_bags_that_are_all_empty_are_refused_if_texts_were_asked_for_and_only_then(
    world: Path, tmp_path: Path, maxi: Maxi
) -> None:
    here = run_of(world, tmp_path / "here", ["waving", "riding"], [[]])
    recipe = here / "run" / "recipe.toml"
    recipe.write_text('[sources]\ntexts = ["maxi:blip"]\n')
    ran = maxi(*arguments(here, tmp_path / "out"))
    assert (ran.code, errors(ran.err)) == (1, 1)
    assert "all 8 bags of run are empty, though texts of blip were asked for" in ran.err
    recipe.write_text("[sources]\ntexts = []\n")
    assert maxi(*arguments(here, tmp_path / "out", "--epochs", "1")).code == 0


def test_one_empty_bag_among_others_is_no_fault(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    here = run_of(world, tmp_path / "here", ["waving", "riding"], [["wave"], [], ["ride"]])
    (here / "run" / "recipe.toml").write_text('[sources]\ntexts = ["maxi:blip"]\n')
    ran = maxi(*arguments(here, tmp_path / "out", "--epochs", "1", "--json"))
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["steps"] == 2


def test_an_epoch_without_any_gradient_ends_the_training(world: Path, tmp_path: Path) -> None:
    here = run_of(world, tmp_path / "here", ["waving"], [["wave"]])
    _, taken = steps(here, loss="mil_nce", epochs=3)
    with pytest.raises(MaxiError, match="no step of the first epoch had a gradient"):
        list(taken)


def test_a_validation_whose_videos_are_mostly_missing_is_refused_before_the_first_step(
    world: Path, tmp_path: Path, maxi: Maxi
) -> None:
    (tmp_path / "val").mkdir()
    (tmp_path / "val" / "0.mp4").write_bytes((world / "clips" / "0.mp4").read_bytes())
    rows = "".join(f"{number}.mp4,{('waving', 'riding')[number % 2]}\n" for number in range(4))
    (tmp_path / "val" / "small.csv").write_text("path,label\n" + rows)
    ran = maxi(*arguments(world, tmp_path / "out", "--val", str(tmp_path / "val" / "small.csv")))
    assert (ran.code, errors(ran.err)) == (2, 1)
    assert "3 of 4 videos of small" in ran.err
    assert not (tmp_path / "out").exists()
