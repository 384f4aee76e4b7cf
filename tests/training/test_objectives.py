"""Objectives as plugins: what they are given, how several add up, and what teachers and heads are and become."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pydantic import Field, create_model
from safetensors.torch import load_file
from torch import Tensor, nn

from maxi_core.clip.checkpoints import checkpoints_of, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.errors import PluginError, UsageError
from maxi_core.plugin.catalog import offers_of
from maxi_core.settings.options import Options
from maxi_core.training.combined import settings_of
from maxi_core.training.loop import LoopPlan, train
from maxi_core.training.objective import Features, Objective, Teacher
from maxi_core.training.teachers import TeacherWeights
from maxi_core.training.trainable import choose_trainable, make_optimizer
from tests.said import errors
from tests.training.runs import batches_of, combined, loss_of, steps
from tests.training.test_train_command import arguments, environment, same_end
from tests.training.watching import Classes, Watching, Whichever, watched

Maxi = Callable[..., Any]


def test_an_objective_is_given_the_features_of_its_batch_without_autocast(world: Path) -> None:
    one = Watching()
    loaded, taken = steps(world, loss=[one], precision="amp_bf16", batch={"batch_size": 4})
    batch = next(batches_of(world, loaded, batch_size=4).epoch(0))
    next(taken)
    seen = one.seen[0]
    assert one.autocast == [False]
    assert torch.equal(seen.index, batch.index)
    assert torch.equal(seen.groups, batch.groups)
    assert seen.videos.shape == (4, loaded.width)
    assert len(seen.texts) == len(batch.tokens)
    assert seen.scale.requires_grad
    assert (seen.rank, seen.world, seen.teacher, seen.head, seen.of_classes) == (0, 1, None, None, False)
    assert seen.gather(seen.videos) is seen.videos
    assert torch.equal(seen.told_from(seen.texts), seen.texts[batch.index].flatten(0, 1))


def test_each_objective_gets_the_prompts_it_asks_for_in_one_pass(world: Path) -> None:
    bags, classes, whichever = Watching(), Classes(), Whichever()
    watched(world, bags, classes, whichever, count=1)
    assert [one.seen[0].of_classes for one in (bags, classes, whichever)] == [False, True, False]
    assert len(classes.seen[0].texts) == 3
    assert torch.equal(classes.seen[0].index, classes.seen[0].groups[:, None])
    assert torch.equal(classes.seen[0].told_from(classes.seen[0].texts), classes.seen[0].texts)
    alone, beside = Classes(), Whichever()
    watched(world, alone, beside, count=1)
    assert beside.seen[0].of_classes
    assert torch.allclose(alone.seen[0].texts, classes.seen[0].texts, atol=1e-6), "they are the same prompts"
    lonely = Whichever()
    watched(world, lonely, count=1)
    assert not lonely.seen[0].of_classes


def test_several_add_up_with_their_weights_and_each_is_told(world: Path) -> None:
    one, other = Watching(), Classes()
    other.weight = 0.25
    _, taken = steps(world, loss=[one, other], accumulate=2)
    step = next(taken)
    assert list(step.losses) == ["watching", "classes"]
    assert step.loss == pytest.approx(step.losses["watching"] + 0.25 * step.losses["classes"], rel=1e-6)
    assert next(steps(world, loss=[Watching()])[1]).losses == {}


def test_random_numbers_come_from_seed_objective_and_step_alone(world: Path) -> None:
    def draws(seed: int, accumulate: int = 1) -> list[list[float]]:
        one, other = Watching(), Classes()
        watched(world, one, other, seed=seed, accumulate=accumulate)
        return [[float(torch.rand(1, generator=seen.generator())) for seen in each.seen] for each in (one, other)]

    first = draws(0)
    assert first == draws(0)
    assert len({number for row in first for number in row}) == 4
    assert draws(1) != first
    assert draws(0, accumulate=2)[0] == [number for number in first[0] for _ in range(2)], "once for a step"


def test_a_frozen_teacher_is_the_model_at_the_start_and_a_mean_follows_it(world: Path) -> None:
    frozen, mean, again = Watching(Teacher()), Classes(Teacher(0.75)), Whichever(Teacher(0.75))
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded)
    objectives = combined(loaded, frozen, mean, again)
    assert len(objectives.teachers) == 2, "equal requests share one"
    start = {key: value.clone() for key, value in loaded.state_dict().items()}
    expected, batches = dict(start), batches_of(world, loaded)
    plan = LoopPlan(epochs=1, lr=1e-3)
    taken = train(loaded, batches, objectives, make_optimizer(loaded), plan)
    for place, batch in enumerate(list(batches_of(world, loaded).epoch(0))[:3]):
        next(taken)
        for one, weights in ((frozen, start), (mean, expected)):
            other = load_model(str(world / "model"), "cpu", frames=2).eval()
            other.load_state_dict(weights)
            seen = one.seen[place].teacher
            assert seen is not None
            assert not seen.videos.requires_grad
            with torch.no_grad():
                assert torch.allclose(seen.videos, other.encode_video(batch.frames), atol=1e-6)
                assert torch.allclose(seen.scale, other.scale())
        now = loaded.state_dict()
        expected = {
            key: 0.75 * value + 0.25 * now[key] if value.is_floating_point() else now[key]
            for key, value in expected.items()
        }
        assert loaded.training
    assert mean.seen[0].teacher is not None
    assert again.seen[0].teacher is not None
    assert mean.seen[0].teacher.videos is again.seen[0].teacher.videos
    assert float((mean.seen[2].teacher.videos - frozen.seen[2].teacher.videos).abs().max()) > 1e-4  # type: ignore[union-attr]


def test_interpolate_adds_the_gradient_at_weights_on_the_way_back_as_a_second_model_has_it(world: Path) -> None:
    loaded, taken = steps(world, loss=["mil_nce", "distill", "interpolate"], double=True, lr=1e-2)
    start = {name: value.detach().clone() for name, value in loaded.named_parameters()}
    batches = list(batches_of(world, loaded).epoch(0))[:3]
    shares = [TeacherWeights(loaded, Teacher(between=0.6)).share(0, number) for number in range(3)]
    assert len(set(shares)) == 3
    assert all(0 <= share < 0.6 for share in shares)
    for number, (batch, share) in enumerate(zip(batches, shares, strict=True)):
        now = {name: value.detach().clone() for name, value in loaded.named_parameters()}
        step = next(taken)
        slow, want = [], {name: torch.zeros_like(value) for name, value in now.items()}
        for mixture, weight in ((0.0, 1.0), (share, 0.5)):  # a model of its own at each place, and plain gradients
            other = load_model(str(world / "model"), "cpu", frames=2).double()
            choose_trainable(other)
            with torch.no_grad():
                for name, value in other.named_parameters():
                    value.copy_(mixture * start[name] + (1 - mixture) * now[name])
            said = other(batch.frames, batch.tokens)
            loss = loss_of("mil_nce", *said, batch.index, batch.groups)
            slow.append(float(loss.detach()) / (1 - mixture))
            torch.autograd.backward(loss)
            for name, value in other.named_parameters():
                want[name] += 0 if value.grad is None else weight * value.grad
        assert step.losses["mil_nce"] == pytest.approx(slow[0], rel=1e-5)
        assert step.losses["interpolate"] == pytest.approx(slow[1], rel=1e-5)
        if number == 0:  # where distill pushes nowhere
            for name, value in loaded.named_parameters():
                if value.requires_grad:
                    assert value.grad is not None
                    assert torch.allclose(value.grad, want[name], atol=1e-9, rtol=1e-6), name


def test_a_second_pass_does_not_go_with_recomputed_blocks(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2, checkpointing=True)
    with pytest.raises(UsageError, match="--grad-checkpointing does not go with the second pass of interpolate"):
        combined(loaded, "mil_nce", "interpolate")


def test_weights_that_are_not_trained_are_stored_once(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded, "image")
    (teacher,) = combined(loaded, Watching(Teacher())).teachers.values()
    assert not [name for name in teacher.weights if name.startswith("clip.visual.")]
    assert [name for name in teacher.weights if name.startswith("clip.transformer.")]


class Headed(Watching):
    """Has a head whose output is added to the features of videos."""

    name = "headed"
    drawn: ClassVar[list[Tensor]] = []

    def head(self, width: int) -> nn.Module:
        return nn.Linear(width, width)

    def loss(self, features: Features) -> Tensor:
        assert features.head is not None
        return (features.head(features.videos) + features.videos - 1).square().mean()


def test_a_head_is_trained_with_the_model_and_is_no_part_of_it(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    choose_trainable(loaded)
    before = loaded.weights().keys()
    torch.manual_seed(1)
    first = torch.get_rng_state()
    objectives = combined(loaded, "mil_nce", Headed())
    assert torch.equal(torch.get_rng_state(), first), "it is drawn from numbers of its own"
    torch.manual_seed(2)
    other = combined(loaded, "mil_nce", Headed())
    start = {name: value.detach().clone() for name, value in objectives.parameters.items()}
    assert start.keys() == {"head/headed/weight", "head/headed/bias"}
    assert all(torch.equal(start[name], value) for name, value in other.parameters.items())
    assert not torch.equal(
        start["head/headed/weight"], combined(loaded, Headed(), seed=1).parameters["head/headed/weight"]
    )
    optimizer = make_optimizer(loaded, heads=objectives.parameters.values())
    list(train(loaded, batches_of(world, loaded), objectives, optimizer, LoopPlan(epochs=1, lr=1e-3)))
    assert all(not torch.equal(start[name], value) for name, value in objectives.parameters.items())
    assert loaded.weights().keys() == before


def test_the_settings_say_all_that_decides_the_loss(world: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    objectives = combined(loaded, "mil_nce", "anchors")
    assert str(objectives) == "mil_nce + 0.4 anchors"
    assert (
        settings_of(objectives.objectives) == 'mil_nce + 0.4 anchors {"anchors": 200, "decay": 0.9998, "kind": "ema"}'
    )


# By the command line.

ADDED = ("--loss", "mil_nce,anchors,distill,interpolate", "-o", "anchors.decay=0.9", "-o", "anchors.weight=0.3")


@pytest.fixture(scope="module")
def taught(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train with teachers and a head, keeping every checkpoint."""
    out = tmp_path_factory.mktemp("taught") / "out"
    typed = arguments(world, out, *ADDED, "-o", "train.keep_last=9", "-q")
    subprocess.run([sys.executable, "-m", "maxi_cli", *typed], check=True, env=environment())
    return out


def test_what_was_added_is_in_metrics_state_and_recipe_and_not_in_the_model(world: Path, taught: Path) -> None:
    records = [json.loads(line) for line in (taught / "metrics.jsonl").read_text().splitlines()]
    assert all({"loss/mil_nce", "loss/anchors", "loss/distill"} <= record.keys() for record in records)
    for record in records:
        parts = record["loss/mil_nce"] + 0.3 * record["loss/anchors"] + 2 * record["loss/distill"]
        parts += 0.5 * record["loss/interpolate"]
        assert record["loss"] == pytest.approx(parts, rel=1e-5)
    assert records[0]["loss/anchors"] == pytest.approx(0, abs=1e-5), "the teacher begins as the model"
    assert records[-1]["loss/anchors"] > 1e-5
    recipe = (taught / "recipe.toml").read_text()
    assert '"maxi:anchors"' in recipe
    assert "decay = 0.9" in recipe
    last = checkpoints_of(taught)[-1]
    state = load_file(last / "state" / "objectives.safetensors")
    assert {key.rsplit("/", 1)[0] for key in state} == {
        *("head/distill", "teacher/frozen", "teacher/ema-0.9", "teacher/between-0.6")
    }
    assert read_weights(last).keys() == load_model(str(world / "model"), "cpu").weights().keys()
    assert json.loads((last / "maxi.json").read_text())["loss"].startswith("mil_nce + 0.3 anchors {")


def test_a_training_with_teachers_and_heads_that_goes_on_has_the_bits_of_an_unbroken_one(
    world: Path, taught: Path, tmp_path: Path, maxi: Maxi
) -> None:
    out = tmp_path / "out"
    shutil.copytree(taught, out)
    for checkpoint in checkpoints_of(out)[1:]:
        shutil.rmtree(checkpoint)
    ran = maxi(*arguments(world, out, *ADDED, "-o", "train.keep_last=9", "--resume", "latest"))
    assert ran.code == 0, ran.err
    assert "teacher of anchors: a mean of the model, decay 0.9" in ran.err
    assert "teacher of distill: the model as it is now" in ran.err
    assert same_end(taught, out)
    one, other = (checkpoints_of(run)[-1] / "state" / "objectives.safetensors" for run in (taught, out))
    assert one.read_bytes() == other.read_bytes()
    changed = maxi(*arguments(world, out, *ADDED[:2], "--resume", "latest"))
    assert (changed.code, errors(changed.err)) == (2, 1)
    assert 'loss: was mil_nce + 0.3 anchors {"anchors": 200, "decay": 0.9' in changed.err
    forced = maxi(*arguments(world, out, "--resume", "latest", "--force-resume", "--loss", "mil_nce,anchors"))
    assert (forced.code, errors(forced.err)) == (2, 1)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (
            "anchors",
            "--loss maxi:anchors: it only holds the model to its teacher; type --loss maxi:mil_nce,maxi:anchors",
        ),
        (
            "anchors,interpolate",
            "--loss maxi:anchors,maxi:interpolate: there is no other objective to ask once more; type --loss",
        ),
        ("mil_nce,mil_nce", "--loss names 'maxi:mil_nce' twice"),
        ("mil_nce,anchor", "no objective is called 'anchor' (did you mean 'anchors'?)"),
        ("mean", "'mean' is a temporal, and an objective is wanted here"),
        ("", "[train] loss = "),
    ],
)
def test_a_loss_that_cannot_be_is_one_line(world: Path, tmp_path: Path, maxi: Maxi, typed: str, says: str) -> None:
    ran = maxi(*arguments(world, tmp_path / "out", "--loss", typed))
    assert (ran.code, errors(ran.err)) == (2, 1)
    assert says in ran.err
    assert not (tmp_path / "out").exists()


def test_a_name_with_an_underscore_is_a_section_and_a_variable(
    world: Path, tmp_path: Path, maxi: Maxi, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maxi.toml").write_text('[train]\nloss = "mil_nce,ce"\n[mil_nce]\nweight = 0.5\n')
    monkeypatch.chdir(tmp_path)
    ran = maxi(*arguments(world, tmp_path / "out", "--epochs", "1"))
    assert "loss 0.5 mil_nce + ce\n" in ran.err
    monkeypatch.setenv("MAXI_MIL_NCE_WEIGHT", "0.25")
    ran = maxi(*arguments(world, tmp_path / "other", "--epochs", "1", "-o", "ce.weight=2"))
    assert "loss 0.25 mil_nce + 2 ce\n" in ran.err
    for wrong in ("-1", "nan", "inf"):
        ran = maxi(*arguments(world, tmp_path / "third", "-o", f"ce.weight={wrong}"))
        assert (ran.code, errors(ran.err)) == (2, 1), wrong


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"prompts": "bag"}, "Odd.prompts is 'bag', not bags or classes or any"),
        ({"weight": -1}, "Odd.weight is -1, not a finite number from 0"),
        ({"weight": float("nan")}, "Odd.weight is nan, not a finite number"),
        ({"weight": True}, "Odd.weight is True, not a finite number"),
        ({"loss": lambda self: 0}, r"Odd.loss\(self\) cannot be called as loss\(self, features\)"),
        ({"head": lambda self: None}, r"Odd.head\(self\) cannot be called as head\(self, width\)"),
        ({"teacher": lambda self: None}, "Odd.teacher is a method: mark it with @property"),
        ({"name": "Mil_NCE"}, "Odd.name is 'Mil_NCE'; it takes lower-case letters, digits, - and _"),
        ({"name": "train"}, "a word that maxi keeps for itself"),
        ({"Options": create_model("Options", __base__=Options, weight=(float, Field(1.0, description="w")))},
         "Odd.Options has 'weight', which is an option of the core in every objective"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_class_is_said_when_it_is_loaded(attributes: dict[str, object], says: str) -> None:
    good = {"name": "odd_one", "loss": lambda self, features: features.videos.sum()}
    (offer,) = offers_of([("maxi_register_objectives", lambda: [type("Odd", (Objective,), good)])], "mine", "1")
    assert (offer.name, offer.role, offer.said) == ("odd_one", "objective", "an objective")
    assert offer.options().model_dump() == {"weight": 1.0}
    bad = type("Odd", (Objective,), {**good, **attributes})
    with pytest.raises(PluginError, match=says):
        offers_of([("maxi_register_objectives", lambda: [bad])], "mine", "1")
