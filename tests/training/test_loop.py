"""The training loop: what a step is, accumulation, precision, and what stops it."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from maxi_core.clip.loading import load_model
from maxi_core.errors import MaxiError, UsageError
from maxi_core.training.loop import LoopPlan, NotFiniteError, steps_per_epoch, train
from maxi_core.training.trainable import choose_trainable, make_optimizer
from tests.training.runs import batches_of, combined, distance, first_loss, loss_names, steps


def weights_of(world: Path, **options: Any) -> dict[str, Tensor]:
    loaded, taken = steps(world, **options)
    assert list(taken)
    return loaded.weights()


def test_every_step_says_where_it_is_and_what_it_did(world: Path) -> None:
    _, taken = steps(world, epochs=2, warmup=3, lr=1e-3)
    found = list(taken)
    assert [step.number for step in found] == list(range(1, 17))
    assert {step.of for step in found} == {16}
    assert [step.epoch for step in found] == [0] * 8 + [1] * 8
    assert [step.ends_epoch for step in found].count(True) == 2
    assert found[7].ends_epoch
    assert found[15].ends_epoch
    assert [step.lr for step in found[:4]] == pytest.approx([0, 1e-3 / 3, 2e-3 / 3, 1e-3])
    assert found[15].lr == pytest.approx(1e-5)
    assert found[15].videos == 32
    assert all(0 <= step.data_wait <= 1 and step.videos_per_s > 0 and step.norm >= 0 for step in found)
    assert found[0].sigma == pytest.approx(0.02, rel=1e-6), "the first step of a warm-up has rate 0"


@pytest.mark.parametrize("name", loss_names())
def test_training_lowers_every_loss(world: Path, name: str) -> None:
    _, taken = steps(world, loss=name, epochs=12, lr=3e-3, batch={"batch_size": 4, "augmentation": "none"})
    losses = [step.loss for step in taken]
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])


def test_the_first_loss_is_the_objectives_on_the_first_batch(world: Path) -> None:
    loaded, taken = steps(world, batch={"batch_size": 4})
    batch = next(batches_of(world, loaded, batch_size=4).epoch(0))
    want = first_loss("mil_nce", loaded, batch)
    assert next(iter(taken)).loss == pytest.approx(want, rel=1e-6)


def test_the_same_training_twice_has_the_same_bits(world: Path) -> None:
    one, other = weights_of(world), weights_of(world)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_another_seed_is_another_training(world: Path) -> None:
    assert distance(weights_of(world), weights_of(world, batch={"seed": 1})) > 1e-4


def test_a_training_that_goes_on_has_the_bits_of_an_unbroken_one(world: Path) -> None:
    unbroken, taken = steps(world)
    losses = [step.loss for step in taken]
    loaded, _ = steps(world)
    model, batches = loaded, batches_of(world, loaded)
    optimizer, plan = make_optimizer(model), LoopPlan(epochs=2, lr=1e-3)
    for step in train(model, batches, combined(model), optimizer, plan):
        if step.number == 5:
            break
    rest = [step.loss for step in train(model, batches_of(world, loaded), combined(model), optimizer, plan, start=5)]
    assert rest == losses[5:]
    assert distance(model.weights(), unbroken.weights()) == 0


def test_accumulation_takes_the_mean_of_the_micro_batches_losses(world: Path) -> None:
    loaded, taken = steps(world, accumulate=2)
    found = list(taken)
    assert len(found) == 8
    stream = batches_of(world, loaded).epoch(0)
    fresh, _ = steps(world)
    losses = [first_loss("mil_nce", fresh, next(stream)) for _ in range(2)]
    assert found[0].loss == pytest.approx(sum(losses) / 2, rel=1e-6)


def test_batches_that_do_not_make_a_step_are_an_error(world: Path) -> None:
    loaded, _ = steps(world)
    with pytest.raises(UsageError, match="8 batches an epoch: less than one step of 9"):
        steps_per_epoch(batches_of(world, loaded), 9)


def test_bf16_trains_near_the_exact_way(world: Path) -> None:
    exact, rough = (list(steps(world, epochs=1, precision=p)[1]) for p in ("fp32", "amp_bf16"))
    assert [step.loss for step in exact] != [step.loss for step in rough]
    assert rough[0].loss == pytest.approx(exact[0].loss, rel=0.1)


def test_clipping_bounds_the_step_and_reports_the_norm_before_it(world: Path) -> None:
    free, clipped = (next(iter(steps(world, batch={"batch_size": 4}, clip_norm=most)[1])) for most in (None, 1e-3))
    assert free.norm == pytest.approx(clipped.norm, rel=1e-5)
    assert free.norm > 1e-2


def test_sigma_never_falls_below_its_floor(world: Path) -> None:
    _, taken = steps(world, lr=1.0, epochs=1, sigma_floor=0.0199)
    assert all(step.sigma >= 0.0199 - 1e-6 for step in taken)
    _, taken = steps(world, lr=1.0, epochs=1)
    assert all(step.sigma >= 0.001 - 1e-9 and math.isfinite(step.loss) for step in taken)


class Poison(torch.nn.Module):
    """A pooling that gives NaN, in features or in gradients, in the calls that are named."""

    def __init__(self, calls: set[int], what: str = "loss") -> None:
        super().__init__()
        self.calls, self.what, self.seen = calls, what, 0

    def forward(self, features: Tensor) -> Tensor:
        self.seen += 1
        pooled = features.mean(dim=1)
        if self.seen not in self.calls:
            return pooled
        if self.what == "gradient":
            pooled.register_hook(lambda gradient: gradient * float("nan"))
            return pooled
        return pooled * float("nan")


@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_what_is_not_finite_stops_before_the_optimizer_and_names_the_videos(world: Path, what: str) -> None:
    loaded, taken = steps(world)
    loaded.pooling, loaded.temporal = Poison({3}, what), {"name": "mine:poison"}
    whose = " of mil_nce" if what == "loss" else ""
    after = ", nor are the video features of the model with the temporal module 'mine:poison', in a batch of"
    assert [next(taken).number, next(taken).number] == [1, 2]
    before = {key: value.clone() for key, value in loaded.weights().items()}
    with pytest.raises(
        NotFiniteError, match=f"step 3: the {what}{whose} is not finite{after if whose else ', in'}"
    ) as caught:
        next(taken)
    assert distance(before, loaded.weights()) == 0
    expected = [batch.videos for batch in batches_of(world, loaded).epoch(0)][2]
    assert caught.value.videos == list(expected)
    assert all(video in str(caught.value) for video in expected)


def test_some_steps_that_are_not_finite_may_be_left_out(world: Path) -> None:
    loaded, taken = steps(world, skip_nonfinite=2)
    loaded.pooling = Poison({3, 5})
    found = list(taken)
    assert [step.number for step in found if step.skipped] == [3, 5]
    assert all(torch.isfinite(value).all() for value in loaded.weights().values())
    loaded, taken = steps(world, skip_nonfinite=1)
    loaded.pooling = Poison({3, 5})
    with pytest.raises(NotFiniteError, match="step 5"):
        list(taken)


def test_short_memory_is_one_line_with_two_ways_out(world: Path) -> None:
    loaded, taken = steps(world)

    def full(features: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    loaded.pooling = full
    with pytest.raises(MaxiError) as caught:
        list(taken)
    assert str(caught.value) == (
        "cpu has not enough memory for 2 videos of 2 frames at once; halve --batch-size and double --accum-freq, or add"
        " --grad-checkpointing"
    )


@pytest.mark.parametrize(
    ("freeze", "changed"),
    [("none", {"image", "text"}), ("image", {"text"}), ("text", {"image"}), ("both", set())],
)
def test_a_frozen_tower_keeps_its_bits_and_the_other_learns(world: Path, freeze: Any, changed: set[str]) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded, freeze)
    before = {key: value.clone() for key, value in loaded.weights().items()}
    plan = LoopPlan(epochs=1, lr=1e-3)
    list(train(loaded, batches_of(world, loaded), combined(loaded), make_optimizer(loaded), plan))
    moved = {key for key, value in loaded.weights().items() if not torch.equal(value, before[key])}
    groups = {"image" if key.startswith("visual.") else "text" for key in moved - {"logit_scale"}}
    assert groups == changed
    assert "logit_scale" in moved
    assert "token_embedding.weight" not in moved, "the authors do not train it"


def test_the_token_embedding_and_the_last_blocks_can_be_chosen(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded, token_embedding=True)
    assert all(parameter.requires_grad for parameter in loaded.parameters())
    choose_trainable(loaded, last_blocks=1)
    trained = {name for name, parameter in loaded.clip.named_parameters() if parameter.requires_grad}
    assert {"visual.proj", "visual.ln_post.bias", "text_projection", "ln_final.weight", "logit_scale"} <= trained
    assert any(name.startswith("visual.transformer.resblocks.1.") for name in trained)
    assert any(name.startswith("transformer.resblocks.2.") for name in trained)
    assert not any(".resblocks.0." in name or "embedding" in name or "conv1" in name for name in trained)
