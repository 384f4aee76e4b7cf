"""VideoCLIP against open_clip itself: features, gradients, temporal modules, weights under the keys of a checkpoint."""

import copy
import math
from typing import Any

import pytest
import torch
from open_clip.model import CLIP
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.image_tower import IMAGENET, encode_images, encode_patches, is_stock, normalise
from maxi_core.clip.model import SIGMA_FLOOR, VideoCLIP
from maxi_core.errors import UsageError
from tests.clip.tiny_clip import MEAN, STD, TEXT, VISION, build, config

TOWERS: dict[str, dict[str, Any]] = {
    "gelu": config(),
    "quick gelu": config(quick_gelu=True),
    "layer scale": {**config(), "vision_cfg": VISION | {"ls_init_value": 0.5}},
    "norm after pooling": {**config(), "vision_cfg": VISION | {"final_ln_after_pool": True}},
    "no first norm": {**config(), "vision_cfg": VISION | {"no_ln_pre": True}},
    "mean of the patches": {**config(), "vision_cfg": VISION | {"pool_type": "avg"}},
    "attention pooling": {**config(), "vision_cfg": VISION | {"attentional_pool": True, "attn_pooler_heads": 4}},
    "a ResNet": {**config(), "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 16, "head_width": 16}},
}


def pixels(batch: int, frames: int, size: int = 28, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (batch, frames, 3, size, size), dtype=torch.uint8, generator=generator)


def video_clip(settings: dict[str, Any] | None = None, **options: Any) -> VideoCLIP:
    return VideoCLIP(build(settings or config()), statistics=(MEAN, STD), **options).eval()


def size_of(model: VideoCLIP) -> int:
    return int(model.visual.image_size[0] if isinstance(model.visual.image_size, tuple) else model.visual.image_size)


@pytest.mark.parametrize("name", TOWERS)
def test_a_video_is_the_mean_of_its_frames_features_of_length_one(name: str) -> None:
    model = video_clip(TOWERS[name])
    frames = pixels(2, 3, size_of(model))
    with torch.no_grad():
        images = normalise(frames.flatten(0, 1), MEAN, STD)
        plain = model.clip.encode_image(images).view(2, 3, -1).mean(dim=1)
        want, got = functional.normalize(plain, dim=-1), model.encode_video(frames)
    assert float((want[0] - want[1]).abs().max()) > 1e-3, "two videos must differ for this to mean anything"
    assert float((want - got).abs().max()) <= 1e-6


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("name", TOWERS)
def test_gradients_of_the_image_tower_are_open_clips(name: str, checkpointing: bool) -> None:
    model = video_clip(TOWERS[name])
    images = normalise(pixels(1, 4, size_of(model)).flatten(0, 1), MEAN, STD)

    def gradients(features: Tensor) -> dict[str, Tensor]:
        model.zero_grad()
        (features * torch.linspace(-1, 1, features.numel()).view_as(features)).sin().sum().backward()
        return {key: value.grad.clone() for key, value in model.named_parameters() if value.grad is not None}

    want = gradients(model.visual(images))
    got = gradients(encode_images(model.visual, images, checkpointing=checkpointing))
    assert want.keys() == got.keys()
    for key in want:
        scale = max(1.0, float(want[key].abs().max()))
        assert float((want[key] - got[key]).abs().max()) <= 1e-5 * scale, key


def test_checkpointing_changes_no_bit_of_loss_or_gradient() -> None:
    frames = pixels(2, 2)
    found = []
    for checkpointing in (False, True):
        model = video_clip(checkpointing=checkpointing)
        model.encode_video(frames)[:, :5].sum().backward()
        found.append([value.grad for value in model.visual.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_checkpointing_keeps_fewer_tensors_for_the_backward_pass() -> None:
    kept = []
    for checkpointing in (False, True):
        model, sizes = video_clip(checkpointing=checkpointing), []
        parameters = {value.data_ptr() for value in model.parameters()}

        def note(tensor: Tensor, sizes: list[int] = sizes, known: set[int] = parameters) -> Tensor:
            if tensor.data_ptr() not in known:
                sizes.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            model.encode_video(pixels(2, 2))
        kept.append(sum(sizes))
    assert kept[1] < 0.5 * kept[0]


def test_float_frames_are_taken_as_normalised_already() -> None:
    model, frames = video_clip(), pixels(2, 3)
    with torch.no_grad():
        assert torch.equal(model.encode_video(normalise(frames, MEAN, STD)), model.encode_video(frames))
        other = VideoCLIP(model.clip, statistics=IMAGENET).encode_video(frames)
        assert float((other - model.encode_video(frames)).abs().max()) > 1e-3


def test_texts_have_features_of_length_one_as_open_clip_computes_them() -> None:
    from open_clip import SimpleTokenizer

    model = video_clip()
    ids = SimpleTokenizer()(["juggling balls", "juggling", "riding a bike"])
    with torch.no_grad():
        want, got = functional.normalize(model.clip.encode_text(ids), dim=-1), model.encode_text(ids)
    assert float((want - got).abs().max()) <= 1e-6


def test_one_call_gives_all_that_a_step_needs() -> None:
    from open_clip import SimpleTokenizer

    model = video_clip()
    videos, texts, scale = model(pixels(2, 3), SimpleTokenizer()(["run", "jump", "sing"]))
    assert (videos.shape, texts.shape, scale.shape) == ((2, 24), (3, 24), ())
    assert {tensor.dtype for tensor in (videos, texts, scale)} == {torch.float32}


def test_bf16_gives_float32_features_near_the_exact_ones() -> None:
    model, frames = video_clip(), pixels(2, 3)
    with torch.no_grad():
        exact = model.encode_video(frames)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model.encode_video(frames)
    assert rough.dtype == torch.float32
    assert 0 < float((rough - exact).abs().max()) < 0.05


def test_sigma_can_be_set_and_has_a_floor() -> None:
    model = video_clip()
    model.set_sigma()
    assert model.sigma == pytest.approx(0.02)
    assert float(model.scale().detach()) == pytest.approx(50, rel=1e-5)
    model.set_sigma(1e-5)
    assert model.sigma == SIGMA_FLOOR
    model.floor_sigma()
    assert float(model.logit_scale.detach()) == pytest.approx(math.log(1000))


def test_patches_go_through_the_last_norm_and_the_projection() -> None:
    model, frames = video_clip(), pixels(2, 3)
    with torch.no_grad():
        tower: Any = copy.deepcopy(model.visual)
        tower.output_tokens = True
        tokens = tower(normalise(frames.flatten(0, 1), MEAN, STD))[1] @ tower.proj
        got = model.encode_patches(frames)
    want = functional.normalize(tokens, dim=-1).view(2, 3, 4, 4, 24)
    assert got.shape == (2, 3, 4, 4, 24)
    assert float((want - got).abs().max()) <= 1e-6


def test_a_tower_without_patches_says_so() -> None:
    model = video_clip(TOWERS["a ResNet"])
    with pytest.raises(TypeError, match="no patch tokens"):
        encode_patches(model.visual, torch.zeros(1, 3, 32, 32))


class Halved(nn.Module):
    """A block that is open_clip's, with half its effect."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        changed: Tensor = x + 0.5 * (self.block(x, attn_mask=attn_mask) - x)
        return changed


def _replace_block(visual: Any) -> None:
    visual.transformer.resblocks[-1] = Halved(visual.transformer.resblocks[-1])


def _hook_attention(visual: Any) -> None:
    visual.transformer.resblocks[0].attn.register_forward_hook(lambda module, inputs, out: (0.5 * out[0], None))


def _own_forward(visual: Any) -> None:
    block = visual.transformer.resblocks[1]
    block.forward = lambda x, attn_mask=None: x + 1


def _hook_tower(visual: Any) -> None:
    visual.register_forward_hook(lambda module, inputs, out: 2 * out + 1)


@pytest.mark.parametrize("change", [_replace_block, _hook_attention, _own_forward, _hook_tower])
def test_what_a_temporal_module_has_changed_is_asked_itself(change: Any) -> None:
    model = video_clip()
    images = normalise(pixels(1, 2).flatten(0, 1), MEAN, STD)
    with torch.no_grad():
        before = encode_images(model.visual, images)
        assert is_stock(model.visual)
        change(model.visual)
        assert not is_stock(model.visual)
        want, got = model.visual(images), encode_images(model.visual, images)
    assert float((before - want).abs().max()) > 1e-3
    assert float((want - got).abs().max()) <= 1e-5


def test_a_tower_changed_for_some_number_of_frames_takes_no_other() -> None:
    fixed, free = video_clip(frames=4, fixed_frames=True), video_clip(frames=4)
    assert free.encode_video(pixels(1, 3)).shape == fixed.encode_video(pixels(1, 4)).shape == (1, 24)
    with pytest.raises(UsageError, match="set up for clips of 4 frames, not 3"):
        fixed.encode_video(pixels(1, 3))


def test_a_tower_that_can_be_told_of_another_number_of_frames_is_told_and_never_mixes_videos() -> None:
    from maxi_plugins.crossframe import CrossFrame

    clip = build(config())
    pooling = CrossFrame().attach(clip.visual, 4)
    model = VideoCLIP(clip, statistics=(MEAN, STD), frames=4, pooling=pooling, fixed_frames=True).eval()
    for frames in (4, 2, 3, 1):
        videos = pixels(2, frames)
        with torch.no_grad():
            together = model.encode_video(videos)
            alone = torch.cat([model.encode_video(video[None]) for video in videos])
        assert float((together - alone).abs().max()) <= 1e-5
        assert model.encode_patches(videos).shape[:2] == (2, frames)


class Weighted(nn.Module):
    """A pooling with parameters."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0, 1, frames))

    def forward(self, features: Tensor) -> Tensor:
        return (features * self.weight.softmax(0)[:, None]).sum(dim=1)


def test_weights_are_open_clips_and_the_poolings_under_its_own_prefix() -> None:
    model = video_clip(pooling=Weighted(3), frames=3)
    weights = model.weights()
    assert weights.keys() == {*CLIP(24, VISION, TEXT).state_dict(), "temporal.weight"}
    other = VideoCLIP(build(config(), seed=1), statistics=(MEAN, STD), pooling=Weighted(3), frames=3).eval()
    with torch.no_grad():
        assert not torch.equal(model.encode_video(pixels(1, 3)), other.encode_video(pixels(1, 3)))
        other.load_weights(weights)
        assert torch.equal(model.encode_video(pixels(1, 3)), other.encode_video(pixels(1, 3)))


def test_weights_that_do_not_fit_are_named() -> None:
    model = video_clip()
    weights = {key: value for key, value in model.weights().items() if key != "ln_final.bias"}
    weights |= {"temporal.weight": torch.zeros(3), "ln_final.weight": torch.zeros(3)}
    with pytest.raises(ValueError, match="ln_final.bias missing; temporal.weight unexpected; ln_final.weight of anoth"):
        model.load_weights(weights)
