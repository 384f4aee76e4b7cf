"""What every temporal module keeps, on a small vision transformer of open_clip."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maxi_core.conformance import Subject
from maxi_core.temporal import Temporal

if TYPE_CHECKING:
    from torch import Tensor, nn

    from maxi_core.temporal import Pooling

WIDTH, FRAMES, BATCH = 32, 4, 2


def _visual() -> "nn.Module":
    """Return a vision transformer of two layers with seeded weights; frames (N, 3, 32, 32) -> features (N, 32)."""
    import torch
    from open_clip.transformer import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        visual: nn.Module = VisionTransformer(
            image_size=32, patch_size=16, width=WIDTH, layers=2, heads=2, mlp_ratio=2.0, output_dim=WIDTH
        )
    return visual


def _attached(subject: Subject, frames: int) -> "tuple[nn.Module, Pooling]":
    import torch

    made = subject.make()
    assert isinstance(made, Temporal), f"{type(made).__name__} is no Temporal"
    visual = _visual()
    with torch.random.fork_rng():
        torch.manual_seed(0)  # weights of its own are drawn as a training run draws them
        return visual, made.attach(visual, frames)


def _pooled(subject: Subject, frames: int) -> "tuple[nn.Module, Pooling, Tensor]":
    import torch

    visual, pooling = _attached(subject, frames)
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(BATCH * frames, 3, 32, 32, generator=generator)
    features = visual(pictures).unflatten(0, (BATCH, frames))  # (B*T, D) -> (B, T, D)
    return visual, pooling, pooling(features)


def right_shapes(subject: Subject) -> None:
    """Frame features (B, T, D) become video features (B, D) of the same type, for one frame too."""
    import torch

    for frames in (FRAMES, 1):
        _, _, pooled = _pooled(subject, frames)
        assert pooled.shape == (BATCH, WIDTH), f"{frames} frames gave {tuple(pooled.shape)}, not {(BATCH, WIDTH)}"
        assert torch.isfinite(pooled).all(), f"{frames} frames gave values that are not finite"


def finite_gradients(subject: Subject) -> None:
    """Every parameter of the visual encoder gets a finite gradient through the pooling."""
    import torch

    visual, _, pooled = _pooled(subject, FRAMES)
    torch.autograd.backward(pooled.square().sum())
    for name, parameter in visual.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"


def stock_weights_still_load(subject: Subject) -> None:
    """The keys of the visual encoder's weights stay as they are, so that any checkpoint of the model loads."""
    visual, _ = _attached(subject, FRAMES)
    stock = _visual().state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in visual.state_dict().items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in stock.items()}
    assert found == wanted, f"keys changed: {sorted(found.items() ^ wanted.items())[:4]}"


def same_twice(subject: Subject) -> None:
    """Attached again, with the same weights, it gives the same features."""
    import torch

    first, second = _pooled(subject, FRAMES)[2], _pooled(subject, FRAMES)[2]
    assert torch.equal(first, second), f"two runs differ by {(first - second).abs().max():.2g}"


TEMPORAL: dict[str, Callable[[Subject], None]] = {
    "frame features become one video feature": right_shapes,
    "gradients reach every weight and are finite": finite_gradients,
    "the stock weights still load": stock_weights_still_load,
    "it gives the same features twice": same_twice,
}
