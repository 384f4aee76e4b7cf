"""What a temporal module puts into the encoder, and does wrong there, is one line with its name in every command."""

import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import PluginError
from maxi_core.heatmaps.heatmap import Question, heatmap
from maxi_core.plugin import global_state
from maxi_core.plugin.roles import Temporal
from maxi_core.training.keeping import changing
from maxi_core.training.objective import Teacher
from maxi_core.training.teachers import TeacherWeights
from maxi_core.training.trainable import choose_trainable
from tests.said import errors
from tests.test_not_finite import benchmark
from tests.training.test_temporal_border import MODULE
from tests.training.test_train_command import SMALL

Maxi = Callable[..., Any]
Attach = Callable[[Any], Any]


def altered(world: Path, attach: Attach) -> VideoCLIP:
    """Return the model with a temporal module that does something to the encoder, and may return a pooling."""

    class Enc(Temporal):
        name = "enc"

        def attach(self, visual: Any, frames: int) -> Callable[[Tensor], Tensor]:
            return attach(visual) or (lambda features: features.mean(1))

    return load_model(str(world / "model"), "cpu", frames=2, temporal=Enc())


def frames_of(model: VideoCLIP) -> Tensor:
    return torch.zeros(3, 2, 3, model.image_size, model.image_size)


def raising(*_: Any) -> Any:
    raise ValueError("in forward")


def forward(function: Callable[..., Any]) -> Attach:
    """Return an attach that puts a function in place of the encoder's forward, which gets that and the images."""

    def attach(visual: Any) -> None:
        own = visual.forward
        visual.forward = lambda images: function(own, images)

    return attach


def read_only(visual: Any) -> None:
    class Fixed(nn.Module):
        frames = property(lambda self: 2)

    visual.add_module("fixed", Fixed())


WHEN = "when the frames were encoded"


@pytest.mark.parametrize(
    ("attach", "says"),
    [
        (forward(raising), f"'enc' raised ValueError: in forward {WHEN}"),
        (forward(lambda own, images: "text"), "'enc' made the encoder give str of frames, not a tensor"),
        (
            forward(lambda own, images: own(images)[:2]),
            r"'enc' made the encoder give features of shape \(2, 24\) of 6 frames, not \(6, 24\)",
        ),
        (forward(lambda own, images: own(images)[:, :12]), r"of shape \(6, 12\) of 6 frames, not \(6, 24\)"),
        (forward(lambda own, images: own(images)[0, 0]), r"of shape \(\) of 6 frames, not \(6, 24\)"),
        (forward(lambda own, images: own(images).long()), "'enc' made the encoder give features of type int64"),
        (forward(lambda own, images: own(images).to("meta")), "features on meta of frames on cpu"),
        (lambda visual: visual.half() and None, f"'enc' raised RuntimeError: .* {WHEN}"),
        (lambda visual: visual.double() and None, f"'enc' raised RuntimeError: .* {WHEN}"),
        (lambda visual: delattr(visual, "conv1"), f"'enc' raised AttributeError: .* 'conv1' {WHEN}"),
        (
            lambda visual: visual.ln_post.register_forward_hook(lambda *_: 1 / 0) and None,
            f"'enc' raised ZeroDivisionError: division by zero {WHEN}",
        ),
        (read_only, "'enc' raised AttributeError: .* when it was told that videos have 2 frames"),
        (
            forward(lambda own, images: [torch.set_grad_enabled(False), own(images)][1]),
            f"'enc' left gradients switched off {WHEN}",
        ),
    ],
)
def test_an_encoder_that_was_broken_names_who_did_it(world: Path, attach: Attach, says: str) -> None:
    model = altered(world, attach)
    with pytest.raises(PluginError, match=says):
        model.encode_video(frames_of(model))
    assert torch.is_grad_enabled()


class Keeps(nn.Module):
    """A pooling with what is no weight."""

    def __init__(self, kept: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("kept", kept)

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(1)

    def get_extra_state(self) -> object:
        return {"seen": 1} if self.kept is None else self.kept


class Fails(Keeps):
    def state_dict(self, *_: Any, **__: Any) -> Any:
        raise OSError("no state")


class Number(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.count = nn.Parameter(torch.tensor(3), requires_grad=False)

    def forward(self, features: Tensor) -> Tensor:
        return features.mean(1)


@pytest.mark.parametrize(
    ("attach", "says"),
    [
        (lambda visual: visual.to("meta") and None, "'enc' raised NotImplementedError: .* when the model was made"),
        (lambda visual: nn.LazyLinear(24), r"'enc' leaves weights of its pooling without a size: weight, bias; let it"),
        (
            lambda visual: setattr(visual, "more", nn.LazyLinear(24)),
            "'enc' leaves weights of the encoder without a size: visual.more.weight",
        ),
        (lambda visual: Keeps(), "'enc' keeps dict and no tensor in its pooling: _extra_state; let it keep tensors"),
        (
            lambda visual: Keeps(torch.eye(2).to_sparse()),
            "'enc' keeps sparse or quantized tensors in its pooling",
        ),
        (lambda visual: Fails(), "'enc' raised OSError: no state when the weights of its pooling were collected"),
        (
            lambda visual: torch.set_grad_enabled(False) and None,
            "'enc' left gradients switched off when it was attached",
        ),
    ],
)
def test_a_model_whose_weights_a_temporal_module_has_spoilt_is_not_loaded(
    world: Path, attach: Attach, says: str
) -> None:
    with pytest.raises(PluginError, match=says):
        altered(world, attach)
    assert torch.is_grad_enabled()


def test_weights_that_cannot_be_trained_name_whose_they_are(world: Path) -> None:
    model = altered(world, lambda visual: Number())
    with pytest.raises(PluginError, match="'enc' raised RuntimeError: .* when the weights to train were chosen"):
        choose_trainable(model)


def test_weights_that_can_be_had_once_alone_name_whose_they_are(world: Path) -> None:
    class Later(Keeps):
        fails = False

        def get_extra_state(self) -> object:
            if self.fails:
                raise OSError("gone")
            return torch.ones(1)

    pooling = Later()
    model = altered(world, lambda visual: pooling)
    pooling.fails = True
    for use in (model.weights, lambda: TeacherWeights(model, Teacher()), lambda: changing(model.requires_grad_(False))):
        with pytest.raises(PluginError, match="'enc' raised OSError: gone when the weights"):
            use()


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("can't allocate memory")]
)
def test_memory_that_is_short_in_an_altered_encoder_is_no_fault_of_it(world: Path, error: BaseException) -> None:
    def short(own: Any, images: Tensor) -> Tensor:
        raise error

    model = altered(world, forward(short))
    with pytest.raises(type(error)) as raised:
        model.encode_video(frames_of(model))
    assert raised.value is error


def test_an_encoder_without_a_temporal_module_fails_as_it_does(world: Path) -> None:
    model = load_model(str(world / "model"), "cpu", frames=2)
    model.visual.forward = raising
    with pytest.raises(ValueError, match="in forward"):
        model.encode_video(frames_of(model))


@pytest.mark.parametrize("method", ["gradient", "legrad", "surgery", "cosine"])
def test_heatmaps_name_who_broke_the_encoder(world: Path, method: Any) -> None:
    model = altered(world, lambda visual: delattr(visual, "ln_post"))
    with pytest.raises(PluginError, match=r"'enc' raised AttributeError: .* 'ln_post' when"):
        heatmap(model, frames_of(model)[0], Question(("juggling",), method=method))


@pytest.mark.parametrize(
    ("attach", "when"),
    [
        (lambda visual: os.chdir("/"), "when it was attached"),
        (forward(lambda own, images: [os.chdir("/"), own(images)][1]), WHEN),
        (lambda visual: lambda features: [os.chdir("/"), features.mean(1)][1], "when it pooled features of shape"),
    ],
)
def test_a_working_folder_that_a_temporal_module_changes_is_put_back_and_named(
    world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    attach: Attach,
    when: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(global_state, "_named", set())
    model = altered(world, attach)
    model.encode_video(frames_of(model))
    assert Path.cwd() == tmp_path
    assert f"'enc' changed the working folder {when}" in caplog.text


def test_a_default_device_that_a_temporal_module_sets_is_put_back(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    altered(world, lambda visual: torch.set_default_device("meta"))
    assert torch.empty(1).device.type == "cpu"
    assert "'enc' changed torch's default device when it was attached; it was put back" in caplog.text


BODIES = {
    "visual.forward = lambda images: 1 / 0": "'file:odd' raised ZeroDivisionError: division by zero when the frames",
    "visual.half()": "'file:odd' raised RuntimeError: ",
    "del visual.conv1": "'file:odd'",  # its weights do not fit those of the checkpoint
}


def test_every_command_names_who_broke_the_encoder(world: Path, tmp_path: Path, maxi: Maxi) -> None:
    def write(body: str) -> None:
        whole = f"{body}; return lambda features: features.mean(1)"
        (tmp_path / "odd.py").write_text(textwrap.dedent(MODULE.format(body=whole)))

    plugin, out, clip = ("--plugin", tmp_path / "odd.py"), tmp_path / "out", world / "clips" / "0.mp4"
    train = ("train", world / "run", "--model", world / "model", *SMALL, "--temporal", "odd", "--epochs", "1", "-q")
    write("pass")
    assert maxi(*train, *plugin, "--out", out).code == 0
    bench = ("-b", benchmark(world, tmp_path / "bench"), "--allow-outside-root")
    for body, says in BODIES.items():
        write(body)
        for command in (
            (*train, "--out", tmp_path / "again", "--overwrite"),
            ("predict", out, clip, "--labels", "juggling, waving", "--frames", "2"),
            ("eval", out, *bench, "--frames", "2", "--out", tmp_path / "scores"),
            ("heatmap", clip, "--text", "waving", "--models", out, "--frames", "2", "--out", tmp_path / "map.png"),
        ):
            ran = maxi(*command, *plugin)
            assert (ran.code, errors(ran.err)) == (2, 1), (command, ran.err)
            assert says in ran.err, (command, ran.err)
