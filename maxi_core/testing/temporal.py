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
    temporal,
)
from maxi_core.testing.subject import Subject

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from maxi_core.temporal import Pooling


def right_shapes(subject: Subject) -> None:
    """Frame features (B, T, D) become video features (B, D), for one frame too, however they lie in memory."""
    import torch

    for frames in (FRAMES, 1):
        visual, pooling = attached(subject, frames)
        made: object = encoded(visual, pooling, films(frames))
        assert isinstance(made, torch.Tensor), f"the pooling returned a {type(made).__name__}, not a tensor"
        assert made.shape == (BATCH, WIDTH), f"{frames} frames gave {tuple(made.shape)}, not {(BATCH, WIDTH)}"
        assert torch.isfinite(made).all(), f"{frames} frames gave values that are not finite"
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
    assert together.shape == alone.shape, f"{len(videos)} videos gave {tuple(together.shape)}"
    gap = (together - alone).abs().max().item()
    assert gap < NEAR, (
        f"of {videos.shape[1]} frames, a video alone and among others differ by {gap:.2g}: it mixes them (features are "
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
