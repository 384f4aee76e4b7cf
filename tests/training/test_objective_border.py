"""What an objective does wrong is one line with its name: its loss, teacher, head, and what it changes."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maxi_core.clip.loading import load_model
from maxi_core.errors import MaxiError, PluginError
from maxi_core.plugin import global_state
from maxi_core.training.loop import NotFiniteError
from maxi_core.training.objective import Features, Objective, Teacher
from tests.said import errors
from tests.training.runs import built_in, combined, steps
from tests.training.test_train_command import arguments
from tests.training.watching import Watching, watched

Maxi = Callable[..., Any]


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (lambda features: 1 / 0, r"'odd' raised ZeroDivisionError: division by zero when it was asked for its loss"),
        (lambda features: features.videos @ features.texts, "'odd' raised RuntimeError: mat1 and mat2 .* its loss"),
        (lambda features: 0.5, "'odd' gave float for its loss, not a tensor without dimensions"),
        (lambda features: features.groups, r"'odd' gave a tensor of shape \(2,\) for its loss"),
        (lambda features: sys.exit(0), r"'odd' called sys.exit\(0\) when it was asked for its loss"),
        (lambda features: torch.tensor(1.0), "'odd' gave a loss without a gradient; let it compute"),
        (lambda features: features.videos.detach().sum(), "'odd' gave a loss without a gradient"),
        (lambda features: features.index.sum(), "'odd' gave a loss of type int64, not one of floating-point numbers"),
        (lambda features: features.videos.sum() * 1j, "'odd' gave a loss of type complex64, not one of"),
        (lambda features: features.videos.sum().to("meta"), "'odd' gave a loss on meta, and what it was given is on"),
        (lambda features: differentiated(features.videos.sum()), "'odd' called backward; let it return its loss alone"),
        (lambda features: differentiated(features.scale * 2), "'odd' called backward"),
        (lambda features: features.videos.mul_(0.5).sum(), r"'odd' changed what it was given \(videos\); let it"),
        (
            lambda features: features.index.zero_().sum() + features.groups.zero_().sum(),
            r"'odd' changed what it was given \(index, groups\)",
        ),
        (lambda features: [torch.set_grad_enabled(False), features.videos.sum()][1], "'odd' left gradients switched"),
    ],
)
def test_an_objective_that_gives_no_loss_is_named(world: Path, loss: Callable[[Features], Any], says: str) -> None:
    class Odd(Objective):
        name = "odd"

        def loss(self, features: Features) -> Tensor:
            return loss(features)  # type: ignore[no-any-return]

    with pytest.raises(PluginError, match=says):
        watched(world, Odd())


class Broken(Objective):
    name = "broken"

    def loss(self, features: Features) -> Tensor:
        return features.videos.sum() * float("inf")


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_objective_whose_loss_is_not_finite_is_named(world: Path, accumulate: int) -> None:
    with pytest.raises(NotFiniteError, match="step 1: the loss of broken is not finite, in a batch of"):
        watched(world, Watching(), Broken(), accumulate=accumulate)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return None", "' gave None for the reason why its loss is constant, not a text"),
        ("raise SystemExit(0)", "' called sys.exit(0) when it was asked whether its loss is constant"),
        ("1 / 0", "' raised ZeroDivisionError: division by zero when it was asked whether its loss is constant"),
    ],
)
def test_an_objective_that_cannot_say_whether_it_is_constant_is_named(
    world: Path, tmp_path: Path, maxi: Maxi, body: str, says: str
) -> None:
    (tmp_path / "odd.py").write_text(ODD.format(body=body))
    ran = maxi(*arguments(world, tmp_path / "out", "--plugin", tmp_path / "odd.py", "--loss", "odd", "-q"))
    assert (ran.code, errors(ran.err)) == (2, 1), ran.err
    assert "maxi: error: 'file:odd " in ran.err
    assert says in ran.err


def test_a_reason_of_many_lines_is_one(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    (tmp_path / "odd.py").write_text(ODD.format(body="return 'so\\n' * 500"))
    ran = maxi(*arguments(world, tmp_path / "out", "--plugin", tmp_path / "odd.py", "--loss", "odd", "-q"))
    assert (ran.code, ran.err.count("\n")) == (1, 1), ran.err
    assert f": {'so ' * 300}" in ran.err
    assert len(ran.err) < 1300


ODD = """
from maxi_core import Objective, hookimpl

class Odd(Objective):
    name = "odd"

    def loss(self, features):
        return features.videos.sum()

    def constant_because(self, batch, entries, *, alike):
        {body}

@hookimpl
def maxi_register_objectives():
    return [Odd]
"""


def differentiated(loss: Tensor) -> Tensor:
    """Call backward, as a loop of one's own does."""
    loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
    return loss


@pytest.mark.parametrize("order", [("odd", "mil_nce"), ("mil_nce", "odd")])
def test_what_an_objective_changes_of_its_teacher_or_texts_is_said_wherever_it_stands(
    world: Path, order: tuple[str, str]
) -> None:
    class Odd(Objective):
        name = "odd"
        teacher = Teacher()

        def loss(self, features: Features) -> Tensor:
            assert features.teacher is not None
            features.teacher.videos.add_(1)
            with torch.no_grad():
                features.texts[:1].mul_(2)
            return features.videos.sum()

    with pytest.raises(PluginError, match=r"'odd' changed what it was given \(texts, teacher.videos\)"):
        watched(world, *(Odd() if name == "odd" else built_in()[name]() for name in order))


def test_an_objective_may_differentiate_by_what_it_is_given(world: Path) -> None:
    class Smooth(Objective):
        name = "smooth"

        def loss(self, features: Features) -> Tensor:
            loss = (features.videos @ features.texts.T).square().mean()
            (slope,) = torch.autograd.grad(loss, features.videos, create_graph=True)
            return loss + slope.square().sum()

    _, taken = steps(world, loss=[Smooth(), built_in()["mil_nce"]()], accumulate=2)
    losses = [next(taken).losses for _ in range(2)]
    assert all(torch.isfinite(torch.tensor(list(one.values()))).all() and one["smooth"] > 0 for one in losses)


def test_objectives_that_leave_nothing_to_differentiate_are_one_line(world: Path) -> None:
    class Keeps(Objective):
        name = "keeps"
        last: Tensor | None = None

        def loss(self, features: Features) -> Tensor:
            loss = features.videos.sum()
            self.last = loss if self.last is None else self.last + loss
            return self.last

    with pytest.raises(PluginError, match="the loss keeps cannot be differentiated: Trying to backward through .*step"):
        watched(world, Keeps())


class Counting(nn.Linear):
    """A head that keeps what is no weight."""

    def get_extra_state(self) -> object:
        return 5


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("teacher", "frozen", "'odd' gave str for its teacher, not a Teacher"),
        ("teacher", Teacher(1.0), "'odd' wants a teacher with the decay 1.0; it takes a number of 0 or more, below 1"),
        (
            "teacher",
            Teacher(0.5, between=0.5),
            r"'odd' wants Teacher\(decay=0.5, between=0.5\); between takes a number of 0 or more",
        ),
        ("teacher", Teacher("0.5"), "'odd' wants a teacher with the decay '0.5'; it takes a number of 0 or more"),  # type: ignore[arg-type]
        ("teacher", Teacher(True), "'odd' wants a teacher with the decay True; it takes a number of 0 or more"),
        ("teacher", Teacher(None, "0.5"), "between takes a number of 0 or more, below 1, and no decay"),  # type: ignore[arg-type]
        ("head", lambda self, width: nn.LazyLinear(3), "'odd' leaves weights of its head without a size: weight, bias"),
        ("head", lambda self, width: Counting(width, 3), "'odd' keeps int and no tensor in its head: _extra_state"),
        ("head", lambda self, width: 5, "'odd' gave int for its head, not a torch.nn.Module"),
        ("head", lambda self, width: 1 / 0, "'odd' raised ZeroDivisionError: division by zero when it was asked for"),
    ],
)
def test_a_teacher_or_head_that_is_none_is_named(world: Path, attribute: str, value: object, says: str) -> None:
    cls = type("Odd", (Watching,), {"name": "odd", attribute: value})
    with pytest.raises(PluginError, match=says):
        combined(load_model(str(world / "model"), "cpu", frames=2), cls())


def test_the_weights_of_a_head_that_can_be_had_once_alone_name_whose_they_are(world: Path) -> None:
    class Later(nn.Linear):
        def state_dict(self, *given: Any, **named: Any) -> Any:
            if hasattr(self, "gone"):
                raise OSError("gone")
            return super().state_dict(*given, **named)

    head = Later(24, 3)
    objectives = combined(load_model(str(world / "model"), "cpu", frames=2), with_head(head))
    assert objectives.state().keys() == {"head/odd/weight", "head/odd/bias"}
    head.gone = True  # type: ignore[assignment]
    with pytest.raises(PluginError, match="'odd' raised OSError: gone when the weights of its head were collected"):
        objectives.state()


def with_head(head: nn.Module) -> Objective:
    made = Watching()
    made.name, made.head = "odd", lambda width: head  # type: ignore[misc, method-assign, assignment]
    return made


def with_loss(loss: Callable[[Features], Any]) -> Objective:
    class Odd(Objective):
        name = "odd"

        def loss(self, features: Features) -> Tensor:
            return loss(features)  # type: ignore[no-any-return]

    return Odd()


def hooked(hook: Callable[[Tensor], Any]) -> Objective:
    def loss(features: Features) -> Tensor:
        features.videos.register_hook(hook)
        return features.videos.sum()

    return with_loss(loss)


def failing(gradient: Tensor) -> None:
    raise RuntimeError("no\nluck")


@pytest.mark.parametrize(
    ("hook", "says"),
    [
        (
            lambda gradient: 1 / 0,
            "raised ZeroDivisionError: division by zero when it was differentiated; the",
        ),
        (lambda gradient: "x", "raised TypeError: .* when it was differentiated"),
        (lambda gradient: gradient[:1], "raised RuntimeError: .* when it was differentiated"),
        (lambda gradient: sys.exit(0), r"called sys.exit\(0\) when it was differentiated"),
        (failing, "raised RuntimeError: no luck when it was differentiated"),
    ],
)
def test_what_objectives_do_while_their_loss_is_differentiated_is_one_line(
    world: Path, hook: Callable[[Tensor], Any], says: str
) -> None:
    with pytest.raises(PluginError, match=rf"the loss watching \+ odd {says}"):
        watched(world, Watching(), hooked(hook))


@pytest.mark.parametrize(
    ("error", "says"), [(MemoryError(), "not enough memory"), (RuntimeError("CUDA error: unknown"), "CUDA error")]
)
def test_a_device_that_fails_in_the_backward_pass_is_no_fault_of_an_objective(
    world: Path, error: Exception, says: str
) -> None:
    def short(gradient: Tensor) -> None:
        raise error

    with pytest.raises((MaxiError, RuntimeError), match=says) as raised:
        watched(world, hooked(short))
    assert not isinstance(raised.value, PluginError)


@pytest.mark.parametrize("hooking", [False, True])
def test_a_working_folder_that_an_objective_changes_is_put_back_and_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, hooking: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(global_state, "_named", set())
    leaving = hooked(lambda gradient: os.chdir("/")) if hooking else with_loss(left)
    watched(world, leaving)
    assert Path.cwd() == tmp_path
    when = "it was differentiated" if hooking else "it was asked for its loss"
    assert f"'odd' changed the working folder when {when}; it was put back" in caplog.text


def left(features: Features) -> Tensor:
    os.chdir("/")
    return features.videos.sum()
