"""The small vision transformer of open_clip on which the kit tries temporal modules, and videos for it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maxi_core.plugin.roles import Temporal, tell_frames
from maxi_core.testing.subject import Subject

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core.plugin.roles import Pooling

WIDTH, FRAMES, BATCH, SIZE = 32, 4, 2, 32
NEAR = 1e-5  # of features of about 1


def encoder(seed: int = 0) -> "nn.Module":
    """Return a vision transformer of two layers with seeded weights; frames (N, 3, 32, 32) -> features (N, 32)."""
    import torch
    from open_clip.transformer import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        visual: nn.Module = VisionTransformer(
            image_size=SIZE, patch_size=16, width=WIDTH, layers=2, heads=2, mlp_ratio=2.0, output_dim=WIDTH
        )
    return visual


def temporal(subject: Subject) -> Temporal:
    """Return a new instance of the temporal module."""
    made = subject.make()
    assert isinstance(made, Temporal), f"{type(made).__name__} is no Temporal"
    return made


def attached(
    subject: Subject, frames: int = FRAMES, *, seed: int = 0, train: bool = False
) -> "tuple[nn.Module, Pooling]":
    """Return an encoder to which a new instance is attached, and the pooling; both in one mode.

    `seed` draws the weights of its own, as a training run draws them.
    """
    return attach(temporal(subject), encoder(), frames, seed=seed, train=train)


def attach(
    made: Temporal, visual: "nn.Module", frames: int = FRAMES, *, seed: int = 0, train: bool = False
) -> "tuple[nn.Module, Pooling]":
    """Attach an instance to an encoder; see `attached`."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        pooling: object = made.attach(visual, frames)
    assert callable(pooling), f"attach() returned {pooling!r}: return the pooling, a callable (B, T, D) -> (B, D)"
    if isinstance(pooling, torch.nn.Module):
        pooling.train(train)
    return visual.train(train), pooling


def films(frames: int = FRAMES, count: int = BATCH, dtype: "torch.dtype | None" = None) -> "Tensor":
    """Return seeded videos, (B, T, 3, S, S)."""
    import torch

    drawn = torch.rand(count, frames, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    return drawn.to(dtype or torch.float32)


def features(frames: int = FRAMES, count: int = BATCH) -> "Tensor":
    """Return seeded frame features, (B, T, D)."""
    import torch

    return torch.randn(count, frames, WIDTH, generator=torch.Generator().manual_seed(2))


def encoded(visual: "nn.Module", pooling: "Pooling", videos: "Tensor") -> "Tensor":
    """Return video features as the core computes them, (B, T, 3, S, S) -> (B, D)."""
    tell_frames(visual, videos.shape[1])
    return pooling(visual(videos.flatten(0, 1)).unflatten(0, videos.shape[:2]))


def modules(visual: "nn.Module", pooling: "Pooling") -> "list[nn.Module]":
    """Return what holds weights: the encoder, and the pooling if it is a module."""
    import torch

    return [visual, *([pooling] if isinstance(pooling, torch.nn.Module) else [])]


def leaves(node: Any) -> "Iterator[Tensor]":
    """Yield every tensor that a gradient function leads to."""
    seen, waiting = set(), [node]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield node.variable
        waiting += [following for following, _ in node.next_functions]
