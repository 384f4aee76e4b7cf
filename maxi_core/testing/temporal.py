"""What every temporal module keeps when features are computed: shapes, each video by itself, precision, weights."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from maxi_core.errors import MaxiError
from maxi_core.testing.effects import TORCH_RANDOM, seed_all, unsettle, watched
from maxi_core.testing.encoder import (
    BATCH,
    FRAMES,
    NEAR,
    WIDTH,
    attach,
    attached,
    encoded,
    encoder,
    features,
    films,
    leaves,
    modules,
    temporal,
)
from maxi_core.testing.subject import Subject
from maxi_core.texts import counted

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core.plugin.roles import Pooling


def right_shapes(subject: Subject) -> None:
    """Frame features (B, T, D) become video features (B, D), for one frame too, however they lie in memory."""
    import torch

    for frames in (FRAMES, 1):
        visual, pooling = attached(subject, frames)
        made: object = encoded(visual, pooling, films(frames))
        assert isinstance(made, torch.Tensor), f"the pooling returned a {type(made).__name__}, not a tensor"
        assert made.shape == (BATCH, WIDTH), (
            f"{counted(frames, 'frame')} gave {tuple(made.shape)}, not {(BATCH, WIDTH)}"
        )
        assert torch.isfinite(made).all(), f"{counted(frames, 'frame')} gave values that are not finite"
    visual, pooling = attached(subject)
    laid_out = features().transpose(0, 2).contiguous().transpose(0, 2)
    try:
        apart = (pooling(laid_out) - pooling(features())).abs().max().item()
    except RuntimeError as error:
        raise AssertionError(f"features that are not contiguous raised {error}: use reshape, not view") from error
    assert apart < NEAR, f"features that lie otherwise in memory are pooled to others, {apart:.2g} apart"


def still_videos(subject: Subject) -> None:
    """A video without motion has a feature that can be brought to length 1, and finite gradients."""
    import torch

    visual, pooling = attached(subject)
    pooled = encoded(visual, pooling, films(1).expand(-1, FRAMES, -1, -1, -1))
    assert torch.isfinite(pooled).all(), "a still video gave values that are not finite"
    length = pooled.norm(dim=-1).min().item()
    assert length > NEAR, f"a still video has a feature of length {length:.2g}, which has no direction"
    torch.autograd.backward(pooled.square().sum())
    for name, parameter in visual.named_parameters():
        found = parameter.grad
        assert found is None or torch.isfinite(found).all(), f"a still video: the gradient of {name} is not finite"


def each_video_by_itself(subject: Subject) -> None:
    """A video's feature does not depend on the videos beside it, since batches are drawn anew in every epoch."""
    visual, pooling = attached(subject)
    _check_apart(visual, pooling, films(FRAMES, 3))


def other_numbers_of_frames(subject: Subject) -> None:
    """A video of more or fewer frames than it was attached for is pooled by itself, or refused with a MaxiError."""
    for frames in (2 * FRAMES, FRAMES // 2, FRAMES - 1, 1):
        visual, pooling = attached(subject)
        try:
            _check_apart(visual, pooling, films(frames, 2 * FRAMES))
        except MaxiError:
            continue
        except RuntimeError as error:
            raise AssertionError(
                f"attached for {FRAMES} frames, it raised {error} for {frames}: take any number (a module in the "
                "encoder with an attribute `frames` is told of it), or raise maxi_core.UsageError"
            ) from error


def _check_apart(visual: "nn.Module", pooling: "Pooling", videos: "Tensor") -> None:
    import torch

    with torch.no_grad():
        together = encoded(visual, pooling, videos)
        alone = torch.cat([encoded(visual, pooling, video[None]) for video in videos])
    assert together.shape == alone.shape, f"{counted(len(videos), 'video')} gave {tuple(together.shape)}"
    gap = (together - alone).abs().max().item()
    assert gap < NEAR, (
        f"of {counted(videos.shape[1], 'frame')}, a video alone and among others differ by {gap:.2g}: it "
        "mixes them (features are "
        "(B, T, D), and images reach the encoder as (B * T, ...), the frames of a video one after the other)"
    )


def keeps_the_precision(subject: Subject) -> None:
    """Features come out in the type they went in, and stay finite in half precision and under autocast."""
    import torch

    for dtype in (torch.float64, torch.bfloat16):
        pooled = _in_precision(subject, dtype)
        assert pooled.dtype == dtype, f"features in {dtype} came out in {pooled.dtype}: use tensors `.to(features)`"
        assert torch.isfinite(pooled).all(), f"in {dtype} it gave values that are not finite"
    visual, pooling = attached(subject)
    with torch.autocast("cpu", torch.bfloat16):
        pooled = encoded(visual, pooling, films())
    assert torch.isfinite(pooled).all(), "under autocast it gave values that are not finite"


def _in_precision(subject: Subject, dtype: "torch.dtype") -> "Tensor":
    import torch

    visual, pooling = attached(subject)
    if isinstance(pooling, torch.nn.Module):
        pooling = pooling.to(dtype)
    with torch.no_grad():
        try:
            return encoded(visual.to(dtype), pooling, films(dtype=dtype))
        except RuntimeError as error:
            raise AssertionError(f"features in {dtype} raised {error}: use tensors `.to(features)`") from error


def follows_the_device(subject: Subject) -> None:
    """It computes where the features are: what it holds besides its parameters and buffers goes there, too."""
    import torch

    _, pooling = attached(subject)
    if isinstance(pooling, torch.nn.Module):
        pooling = pooling.to("meta")
    try:
        with torch.no_grad():
            pooling(features().to("meta"))
    except Exception as error:
        text = str(error)
        assert not ("device" in text and "meta" in text and "cpu" in text), (
            f"features on another device raised {text.splitlines()[0]}: register a tensor as a buffer, or make it on "
            "features.device"
        )  # what has no meaning without numbers, such as .item(), may fail


def stock_weights_still_load(subject: Subject) -> None:
    """The keys of the visual encoder's weights stay as they are, and other weights that are loaded are used."""
    import torch

    visual, pooling = attached(subject)
    other = encoder(seed=1).state_dict()
    found = {name: tuple(tensor.shape) for name, tensor in visual.state_dict().items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in other.items()}
    assert found == wanted, f"keys changed: {sorted(found.items() ^ wanted.items())[:4]}"
    with torch.no_grad():
        before = encoded(visual, pooling, films())
        visual.load_state_dict(other)
        after = encoded(visual, pooling, films())
    assert not torch.equal(before, after), "other weights were loaded, and the features are the same"


def same_twice(subject: Subject) -> None:
    """Attached again, with the same weights, it gives the same features, and so does a second call."""
    import torch

    visual, pooling = attached(subject)
    videos = films()
    with torch.no_grad():
        first = encoded(visual, pooling, videos)
        seed_all(1)
        again = encoded(visual, pooling, videos)
        second = encoded(*attached(subject), videos)
    for what, other in (("two calls", again), ("two instances", second)):
        gap = (first - other).abs().max()
        assert torch.equal(first, other), f"{what} differ by {gap:.2g} in eval mode: dropout belongs into nn.Dropout"


def two_encoders(subject: Subject) -> None:
    """One instance can be attached to two encoders, as in an ensemble: each keeps what is its own."""
    import torch

    made = temporal(subject)
    alone = [attach(temporal(subject), encoder(seed)) for seed in (0, 1)]
    both = [attach(made, encoder(seed)) for seed in (0, 1)]
    with torch.no_grad():
        for (visual, pooling), (lone, lone_pooling) in zip(both, alone, strict=True):
            gap = (encoded(visual, pooling, films()) - encoded(lone, lone_pooling, films())).abs().max().item()
            assert gap < NEAR, (
                f"attached to two encoders, one gives features that are {gap:.2g} from its own alone: keep nothing of "
                "an encoder on the instance or the class"
            )


def unchanged_inputs(subject: Subject) -> None:
    """Features and images stay as they were: they may be kept and used again."""
    import torch

    visual, pooling = attached(subject)
    given, images = features(), films()
    with torch.no_grad():
        pooling(given)
        encoded(visual, pooling, images)
    assert torch.equal(given, features()), "the pooling changed the features that it was given: work on a copy"
    assert torch.equal(images, films()), "it changed the images that it was given: work on a copy"


def leaves_the_process(subject: Subject) -> None:
    """Attaching seeds nothing, computing features draws nothing, and modes, folder and environment stay."""
    import torch

    after = []
    for seed in (1, 2, 3):
        unsettle(seed)
        with watched(TORCH_RANDOM, first=seed == 1):
            made = temporal(subject)
            visual = encoder()
            pooling = made.attach(visual, FRAMES)
        after.append(torch.get_rng_state())
        visual.eval()
        if isinstance(pooling, torch.nn.Module):
            pooling.eval()
        with watched(first=seed == 1), torch.no_grad():
            encoded(visual, pooling, films())
        visual.train()
        if isinstance(pooling, torch.nn.Module):
            pooling.train()
        with watched(TORCH_RANDOM, first=seed == 1):
            encoded(visual, pooling, films())
        after.append(torch.get_rng_state())
    for one, two, what in ((0, 2, "attach()"), (1, 3, "a step of training")):
        assert not torch.equal(after[one], after[two]), f"{what} seeds torch's global generator: leave it to the run"


FORWARD: dict[str, Callable[[Subject], None]] = {
    "frame features become one video feature": right_shapes,
    "a still video has a feature": still_videos,
    "it takes each video by itself": each_video_by_itself,
    "another number of frames mixes no videos": other_numbers_of_frames,
    "it keeps the precision of the features": keeps_the_precision,
    "it computes where the features are": follows_the_device,
    "the stock weights still load": stock_weights_still_load,
    "it gives the same features twice": same_twice,
    "it can be attached to two encoders": two_encoders,
    "it leaves what it was given as it is": unchanged_inputs,
    "it leaves the process as it was": leaves_the_process,
}


# What every temporal module keeps when it is trained: right gradients that reach all, and weights that are saved.

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
                    f"in training mode, {counted(count, 'video')} of {counted(frames, 'frame')} raised "
                    f"{type(error).__name__}: {error}"
                ) from error
            assert pooled.shape == (count, WIDTH), (
                f"in training mode {counted(count, 'video')} gave {tuple(pooled.shape)}"
            )
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
