"""What every temporal module keeps, on a small vision transformer of open_clip."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from maxi_core.conformance import Subject
from maxi_core.errors import MaxiError
from maxi_core.temporal import Temporal, tell_frames

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core.temporal import Pooling

WIDTH, FRAMES, BATCH, SIZE = 32, 4, 2, 32
NEAR = 1e-5  # of features of about 1


def _visual(seed: int = 0) -> "nn.Module":
    """Return a vision transformer of two layers with seeded weights; frames (N, 3, 32, 32) -> features (N, 32)."""
    import torch
    from open_clip.transformer import VisionTransformer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        visual: nn.Module = VisionTransformer(
            image_size=SIZE, patch_size=16, width=WIDTH, layers=2, heads=2, mlp_ratio=2.0, output_dim=WIDTH
        )
    return visual


def _attached(subject: Subject, frames: int) -> "tuple[nn.Module, Pooling]":
    import torch

    made = subject.make()
    assert isinstance(made, Temporal), f"{type(made).__name__} is no Temporal"
    visual = _visual()
    with torch.random.fork_rng():
        torch.manual_seed(0)  # weights of its own are drawn as a training run draws them
        pooling = made.attach(visual, frames)
    if isinstance(pooling, torch.nn.Module):
        pooling.eval()  # dropout may be in it
    return visual.eval(), pooling


def _videos(frames: int, videos: int = BATCH) -> "Tensor":
    """Return seeded videos, (B, T, 3, S, S)."""
    import torch

    return torch.rand(videos, frames, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def _pooled(visual: "nn.Module", pooling: "Pooling", videos: "Tensor") -> "Tensor":
    """Return video features as the core computes them, (B, T, 3, S, S) -> (B, D)."""
    tell_frames(visual, videos.shape[1])
    return pooling(visual(videos.flatten(0, 1)).unflatten(0, videos.shape[:2]))


def right_shapes(subject: Subject) -> None:
    """Frame features (B, T, D) become video features (B, D), for one frame too."""
    import torch

    for frames in (FRAMES, 1):
        pooled = _pooled(*_attached(subject, frames), _videos(frames))
        assert pooled.shape == (BATCH, WIDTH), f"{frames} frames gave {tuple(pooled.shape)}, not {(BATCH, WIDTH)}"
        assert torch.isfinite(pooled).all(), f"{frames} frames gave values that are not finite"


def still_videos(subject: Subject) -> None:
    """A video without motion has a feature that can be brought to length 1, and finite gradients."""
    import torch

    visual, pooling = _attached(subject, FRAMES)
    pooled = _pooled(visual, pooling, _videos(1).expand(-1, FRAMES, -1, -1, -1))
    assert torch.isfinite(pooled).all(), "a still video gave values that are not finite"
    length = pooled.norm(dim=-1).min().item()
    assert length > NEAR, f"a still video has a feature of length {length:.2g}, which has no direction"
    torch.autograd.backward(pooled.square().sum())
    _check_gradients(visual)


def finite_gradients(subject: Subject) -> None:
    """Every parameter of the visual encoder and of the pooling gets a finite gradient."""
    import torch

    visual, pooling = _attached(subject, FRAMES)
    torch.autograd.backward(_pooled(visual, pooling, _videos(FRAMES)).square().sum())
    _check_gradients(visual)
    if isinstance(pooling, torch.nn.Module):
        _check_gradients(pooling)


def _check_gradients(module: "nn.Module") -> None:
    import torch

    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, f"no gradient reaches {name}"
        assert torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"


def trained_is_saved(subject: Subject) -> None:
    """Whatever a gradient reaches is a parameter of the encoder or of the pooling: nothing else is saved."""
    import torch

    visual, pooling = _attached(subject, FRAMES)
    known = {id(parameter) for parameter in visual.parameters()}
    if isinstance(pooling, torch.nn.Module):
        known |= {id(parameter) for parameter in pooling.parameters()}
    for leaf in _leaves(_pooled(visual, pooling, _videos(FRAMES)).grad_fn):
        assert id(leaf) in known, (
            f"a weight of shape {tuple(leaf.shape)} is trained and belongs to neither the encoder nor the pooling, so "
            "it would not be saved: return the pooling as a torch.nn.Module that has it"
        )


def _leaves(node: Any) -> "Iterator[Tensor]":
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


def each_video_by_itself(subject: Subject) -> None:
    """A video's feature does not depend on the videos beside it, since batches are drawn anew in every epoch."""
    visual, pooling = _attached(subject, FRAMES)
    _check_apart(visual, pooling, _videos(FRAMES, 3))


def other_numbers_of_frames(subject: Subject) -> None:
    """A video of more or fewer frames than it was attached for is pooled by itself, or refused with a MaxiError."""
    for frames in (2 * FRAMES, FRAMES // 2, FRAMES - 1, 1):
        visual, pooling = _attached(subject, FRAMES)
        try:
            _check_apart(visual, pooling, _videos(frames, 2 * FRAMES))
        except MaxiError:
            continue
        except RuntimeError as error:
            raise AssertionError(
                f"attached for {FRAMES} frames, it raised {error} for {frames}: take any number (a module in the "
                "encoder with an attribute `frames` is told of it), or raise maxi_core.errors.UsageError"
            ) from error


def _check_apart(visual: "nn.Module", pooling: "Pooling", videos: "Tensor") -> None:
    import torch

    with torch.no_grad():
        together = _pooled(visual, pooling, videos)
        alone = torch.cat([_pooled(visual, pooling, video[None]) for video in videos])
    assert together.shape == alone.shape, f"{len(videos)} videos gave {tuple(together.shape)}"
    gap = (together - alone).abs().max().item()
    assert gap < NEAR, f"of {videos.shape[1]} frames, a video alone and among others differ by {gap:.2g}: it mixes them"


def keeps_the_precision(subject: Subject) -> None:
    """Features come out in the type they went in, and stay finite in half precision and under autocast."""
    import torch

    for dtype in (torch.float64, torch.bfloat16):
        pooled = _in_precision(subject, dtype)
        assert pooled.dtype == dtype, f"features in {dtype} came out in {pooled.dtype}"
        assert torch.isfinite(pooled).all(), f"in {dtype} it gave values that are not finite"
    visual, pooling = _attached(subject, FRAMES)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = _pooled(visual, pooling, _videos(FRAMES))
    assert torch.isfinite(pooled).all(), "under autocast it gave values that are not finite"


def _in_precision(subject: Subject, dtype: "torch.dtype") -> "Tensor":
    import torch

    visual, pooling = _attached(subject, FRAMES)
    if isinstance(pooling, torch.nn.Module):
        pooling = pooling.to(dtype)
    with torch.no_grad():
        return _pooled(visual.to(dtype), pooling, _videos(FRAMES).to(dtype))


def stock_weights_still_load(subject: Subject) -> None:
    """The keys of the visual encoder's weights stay as they are, and other weights that are loaded are used."""
    import torch

    visual, pooling = _attached(subject, FRAMES)
    other = _visual(seed=1).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in visual.state_dict().items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in other.items()}
    assert found == wanted, f"keys changed: {sorted(found.items() ^ wanted.items())[:4]}"
    with torch.no_grad():
        before = _pooled(visual, pooling, _videos(FRAMES))
        visual.load_state_dict(other)
        after = _pooled(visual, pooling, _videos(FRAMES))
    assert not torch.equal(before, after), "other weights were loaded, and the features are the same"


def same_twice(subject: Subject) -> None:
    """Attached again, with the same weights, it gives the same features, and so does a second call."""
    import torch

    visual, pooling = _attached(subject, FRAMES)
    videos = _videos(FRAMES)
    with torch.no_grad():
        first, again = _pooled(visual, pooling, videos), _pooled(visual, pooling, videos)
        second = _pooled(*_attached(subject, FRAMES), videos)
    for other in (again, second):
        assert torch.equal(first, other), f"two calls differ by {(first - other).abs().max():.2g}"


TEMPORAL: dict[str, Callable[[Subject], None]] = {
    "frame features become one video feature": right_shapes,
    "a still video has a feature": still_videos,
    "gradients reach every weight and are finite": finite_gradients,
    "every weight that is trained is saved": trained_is_saved,
    "it takes each video by itself": each_video_by_itself,
    "another number of frames mixes no videos": other_numbers_of_frames,
    "it keeps the precision of the features": keeps_the_precision,
    "the stock weights still load": stock_weights_still_load,
    "it gives the same features twice": same_twice,
}
