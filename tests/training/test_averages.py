"""A mean of the weights over steps, and trainings that leave out patches until their last epochs."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.checkpoints import checkpoints_of, read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.training.combined import Combined
from maxi_core.training.loop import LoopPlan, train
from maxi_core.training.objective import Teacher
from maxi_core.training.trainable import choose_trainable, make_optimizer
from tests.training.runs import batches_of, built_in
from tests.training.test_train_command import arguments

Maxi = Callable[..., Any]


def test_the_mean_of_the_weights_follows_them_and_no_pass_is_made_for_it(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded)
    objectives = Combined({"mil_nce": built_in()["mil_nce"]()}, loaded, ema=0.75)
    assert objectives.teachers.keys() == {Teacher(0.75)}
    assert objectives.encode(loaded, torch.empty(0), torch.empty(0), None) == {}  # type: ignore[arg-type]
    assert objectives.costs()[0].startswith("mean of the weights over steps, decay 0.75; ")
    want = {key: value.clone() for key, value in loaded.weights().items()}
    taken = train(loaded, batches_of(world, loaded), objectives, make_optimizer(loaded), LoopPlan(epochs=1, lr=1e-3))
    for _ in range(3):
        next(taken)
        for key, now in loaded.weights().items():
            want[key] = 0.75 * want[key] + 0.25 * now if now.is_floating_point() else now.clone()
    found = objectives.mean(loaded)
    assert found is not None
    assert found.keys() == loaded.weights().keys()
    assert all(torch.allclose(found[key].float(), want[key].float(), atol=1e-6) for key in want)
    assert Combined(objectives.objectives, loaded).mean(loaded) is None


def test_a_training_with_a_mean_comes_to_it_and_goes_on_with_the_bits_of_an_unbroken_one(
    world: Path, tmp_path: Path, maxi: Maxi
) -> None:
    typed = ("--ema", "0.9", "--ensemble", "0.2", "-o", "train.keep_last=9", "-q")
    ran = maxi(*arguments(world, tmp_path / "whole", *typed))
    assert ran.code == 0, ran.err
    *steps, mean, mixed = checkpoints_of(tmp_path / "whole")
    assert (mean.name, mixed.name) == ("step-00000012-ema-0.9", "step-00000012-ema-0.9-ensemble-0.2")
    assert (read_about(mean)["ema"], read_about(mixed)["ensemble"]["ratio"]) == (0.9, 0.2)
    start, last, average = load_model(str(world / "model"), "cpu"), read_weights(steps[-1]), read_weights(mean)
    start.set_sigma()
    for key, value in start.weights().items():
        share = 0.2 * value.double() + 0.8 * average[key].double()
        assert torch.allclose(share, read_weights(mixed)[key].double(), atol=1e-6), key
    assert any((last[key] - average[key]).abs().max() > 1e-4 for key in last)
    assert json.loads((tmp_path / "whole" / "manifest.json").read_text())["checkpoint"] == mixed.name
    shutil.copytree(tmp_path / "whole", tmp_path / "again")
    for checkpoint in checkpoints_of(tmp_path / "again")[1:]:
        shutil.rmtree(checkpoint)
    assert maxi(*arguments(world, tmp_path / "again", *typed, "--resume", "latest")).code == 0
    again = tmp_path / "again" / "checkpoints"
    for name in (mean.name, mixed.name):
        assert (again / name / "model.safetensors").read_bytes() == (
            mean.parent / name / "model.safetensors"
        ).read_bytes()


def test_patches_are_left_out_until_the_last_epochs_and_never_when_videos_are_scored(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2, patch_dropout=0.5)
    choose_trainable(loaded)
    seen: list[int] = []
    loaded.visual.ln_pre.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[1]))
    frames = torch.zeros(1, 2, 3, loaded.image_size, loaded.image_size)
    loaded.eval().encode_video(frames)
    whole = seen.pop()
    objectives = Combined({"mil_nce": built_in()["mil_nce"]()}, loaded)
    plan = LoopPlan(epochs=3, lr=1e-3, patch_dropout=0.5, whole_epochs=1)
    for step in train(loaded, batches_of(world, loaded), objectives, make_optimizer(loaded), plan):
        kept = whole if step.epoch == 2 else 1 + (whole - 1) // 2
        assert seen == [kept], step.epoch
        seen.clear()
    for _ in train(loaded, batches_of(world, loaded), objectives, make_optimizer(loaded), plan, start=len(seen)):
        assert seen == [1 + (whole - 1) // 2]  # a second training of the model begins with the share again
        break


def test_a_tower_without_patches_to_leave_out_is_refused_in_one_line(world: Path) -> None:
    from maxi_core.clip.patch_dropout import force_patch_dropout

    with pytest.raises(UsageError, match="the image tower of odd has no patches to leave out"):
        force_patch_dropout(torch.nn.Conv2d(3, 4, 2), 0.5, "odd")
