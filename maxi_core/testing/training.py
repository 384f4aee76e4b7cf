"""What every temporal module keeps when it is trained: right gradients that reach all, and weights that are saved."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maxi_core.testing.encoder import BATCH, FRAMES, NEAR, WIDTH, attached, encoded, films, leaves, modules
from maxi_core.testing.subject import Subject

if TYPE_CHECKING:
    from torch import Tensor, nn

    from maxi_core.temporal import Pooling

STEP = 1e-5  # of a finite difference in float64
CLOSE = 1e-4  # of a gradient, relative to the sum of its parts


def finite_gradients(subject: Subject) -> None:
    """Every parameter of the visual encoder and of the pooling is trained, and gets a finite gradient."""
    import torch

    visual, pooling = attached(subject)
    for module in modules(visual, pooling):
        for name, parameter in module.named_parameters():
            assert parameter.requires_grad, f"it froze {name}: which weights are trained is the run's business"
    torch.autograd.backward(encoded(visual, pooling, films()).square().sum())
    for module in modules(visual, pooling):
        for name, parameter in module.named_parameters():
            assert parameter.grad is not None, f"no gradient reaches {name}: take it out if nothing uses it"
            assert torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"


def right_gradients(subject: Subject) -> None:
    """The gradient is that of what is computed: it agrees with finite differences in double precision."""
    import torch

    visual, pooling = attached(subject)
    draw = torch.Generator().manual_seed(3)
    videos = films(dtype=torch.float64).requires_grad_()
    weights = [videos]
    for module in modules(visual, pooling):
        weights += module.double().parameters()
    for weight in weights[1:]:  # away from where a layer begins with zeros and hides what is before it
        weight.data += 0.05 * torch.randn(weight.shape, generator=draw, dtype=torch.float64)
    along = torch.randn(BATCH, WIDTH, generator=draw, dtype=torch.float64)
    gradients = torch.autograd.grad((encoded(visual, pooling, videos) * along).sum(), weights, allow_unused=True)
    for _ in range(2):
        steps = [torch.randn(weight.shape, generator=draw, dtype=torch.float64) for weight in weights]
        parts = [(step * found).sum() for step, found in zip(steps, gradients, strict=True) if found is not None]
        told = float(sum(parts))
        seen = _slope(visual, pooling, weights, steps, along)
        size = float(sum(part.abs() for part in parts)) + abs(seen)
        assert abs(told - seen) <= CLOSE * size + 1e-9, (
            f"along one direction its gradient says {told:.6g}, and a small step changes the result by {seen:.6g}: "
            "something is detached, rounded, or computed under no_grad"
        )


def _slope(
    visual: "nn.Module", pooling: "Pooling", weights: "list[Tensor]", steps: "list[Tensor]", along: "Tensor"
) -> float:
    import torch

    found = []
    with torch.no_grad():
        for sign in (1, -2):  # forth, and to the other side
            for weight, step in zip(weights, steps, strict=True):
                weight.add_(step, alpha=sign * STEP)
            found.append(float((encoded(visual, pooling, weights[0]) * along).sum()))
        for weight, step in zip(weights, steps, strict=True):  # home
            weight.add_(step, alpha=STEP)
    return (found[0] - found[1]) / (2 * STEP)


def trains_each_video_by_itself(subject: Subject) -> None:
    """In training mode, too, a video's feature has a gradient from its own frames alone, also in a batch of one."""
    import torch

    for count in (BATCH + 1, 1):
        for frames in (FRAMES, 1):
            visual, pooling = attached(subject, frames, train=True)
            videos = films(frames, count).requires_grad_()
            try:
                pooled = encoded(visual, pooling, videos)
            except (RuntimeError, ValueError) as error:
                raise AssertionError(
                    f"in training mode, {count} videos of {frames} frames raised {type(error).__name__}: {error}"
                ) from error
            assert pooled.shape == (count, WIDTH), f"in training mode {count} videos gave {tuple(pooled.shape)}"
            assert torch.isfinite(pooled).all(), "in training mode it gave values that are not finite"
            (found,) = torch.autograd.grad(pooled[0].square().sum(), videos)
            assert torch.isfinite(found).all(), "in training mode a gradient is not finite"
            assert found[0].abs().max() > 0, "in training mode no gradient reaches the frames"
            assert not found[1:].any(), (
                "in training mode the feature of a video depends on the videos beside it: normalise over a video or a "
                "feature (LayerNorm), not over the batch"
            )


def trained_is_saved(subject: Subject) -> None:
    """Whatever a gradient reaches is a parameter of the encoder or of the pooling: nothing else is saved."""
    visual, pooling = attached(subject)
    known = {id(parameter) for module in modules(visual, pooling) for parameter in module.parameters()}
    for leaf in leaves(encoded(visual, pooling, films()).grad_fn):
        assert id(leaf) in known, (
            f"a weight of shape {tuple(leaf.shape)} is trained and belongs to neither the encoder nor the pooling as "
            "attach() left them, so it would not be saved: return the pooling as a torch.nn.Module that has it"
        )


def comes_back_from_a_checkpoint(subject: Subject) -> None:
    """Its weights and buffers, loaded into what another run has drawn, bring the same features back."""
    import torch

    first, second = attached(subject), attached(subject, seed=1)
    videos = films()
    draw = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for module in modules(*first):
            for weight in module.parameters():
                weight.add_(torch.randn(weight.shape, generator=draw), alpha=0.05)
        wanted = encoded(*first, videos)
        encoded(*second, films(FRAMES, 1))
        for saved, loaded in zip(modules(*first), modules(*second), strict=True):
            missing = set(saved.state_dict()) ^ set(loaded.state_dict())
            assert not missing, f"two instances hold different weights: {', '.join(sorted(missing))}"
            loaded.load_state_dict(saved.state_dict())
        found = encoded(*second, videos)
    gap = (wanted - found).abs().max().item()
    assert gap < NEAR, (
        f"its weights were loaded, and the features are {gap:.2g} apart: keep what decides in parameters or buffers"
    )


TRAINING: dict[str, Callable[[Subject], None]] = {
    "gradients reach every weight and are finite": finite_gradients,
    "its gradients agree with finite differences": right_gradients,
    "it trains each video by itself": trains_each_video_by_itself,
    "every weight that is trained is saved": trained_is_saved,
    "its features come back from a checkpoint": comes_back_from_a_checkpoint,
}
