"""Cross-frame attention: equal to the formula of supplement 3.4, in every precision and way of computing a step."""

import copy
import math
import os
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as spawning
from open_clip.transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.image_tower import encode_images
from maxi_core.errors import MaxiError, UsageError
from maxi_core.plugin.roles import tell_frames
from maxi_core.testing import contract
from maxi_plugins.cross_attention import CrossFrameAttention, averaged, neighbours
from maxi_plugins.crossframe import CrossFrame

test_crossframe_keeps_the_contract = contract(CrossFrame)
test_crossframe_on_one_layer_and_one_side_keeps_it = contract(
    lambda: CrossFrame(CrossFrame.Options(layers=1, offsets=(-1, 0)))
)

SIZE, LAYERS = 32, 3


def tower(seed: int = 0, *, layers: int = LAYERS, **more: object) -> VisionTransformer:
    """Return a small tower with random weights, the biases and norms too, so that none of them can be forgotten."""
    torch.manual_seed(seed)
    visual = VisionTransformer(
        image_size=SIZE, patch_size=8, width=48, layers=layers, heads=3, mlp_ratio=2.0, output_dim=24, **more
    )
    with torch.no_grad():
        for parameter in visual.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return visual.eval()


def images(count: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed)).to(dtype)


def attached(visual: VisionTransformer, frames: int, **options: object):
    return CrossFrame(CrossFrame.Options(**options)).attach(visual, frames)


def literal_attention(attention: nn.Module, x: Tensor, frames: int, offsets: tuple[int, ...]) -> Tensor:
    """softmax(mean_{i in I} Q_t K_{t+i}^T / sqrt(d)) V_t, frame by frame and head by head, in loops."""
    videos, width = len(x) // frames, x.shape[-1]
    heads, depth = attention.num_heads, width // attention.num_heads
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    projected = x @ weight.T + bias
    rows = []
    for number in range(videos):
        for t in range(frames):
            there = [t + i for i in offsets if 0 <= t + i < frames] or [t]
            parts = []
            for head in range(heads):
                columns = slice(head * depth, (head + 1) * depth)
                query, _, value = (part[:, columns] for part in projected[number * frames + t].split(width, dim=-1))
                keys = [projected[number * frames + other][:, width : 2 * width][:, columns] for other in there]
                logits = sum(query @ key.T / math.sqrt(depth) for key in keys) / len(keys)
                parts.append(logits.softmax(-1) @ value)
            rows.append(torch.cat(parts, dim=-1))
    return functional.linear(torch.stack(rows), attention.out_proj.weight, attention.out_proj.bias)


def literal(visual: VisionTransformer, pixels: Tensor, frames: int, layers: int, offsets=(-1, 0, 1)) -> Tensor:
    """Return the video features (B, D) of an unchanged tower by the formula, in float64."""
    visual, x = copy.deepcopy(visual).double(), pixels.double()
    x = visual._embeds(x)
    blocks = list(visual.transformer.resblocks)
    for number, block in enumerate(blocks):
        if number < len(blocks) - layers:
            x = block(x)
        else:
            x = x + literal_attention(block.attn, block.ln_1(x), frames, offsets)
            x = x + block.mlp(block.ln_2(x))
    features = visual.ln_post(x[:, 0]) @ visual.proj
    return features.unflatten(0, (-1, frames)).mean(dim=1)


def features_of(visual: VisionTransformer, pooling, pixels: Tensor, frames: int) -> Tensor:
    return pooling(visual(pixels).unflatten(0, (-1, frames)))


@pytest.mark.parametrize("offsets", [(-1, 0, 1), (-1, 0), (0,), (-2, 0, 2), (-1, 1), (1,)])
@pytest.mark.parametrize("frames", [1, 2, 3, 8])
def test_it_equals_the_formula_in_double_precision(frames: int, offsets: tuple[int, ...]) -> None:
    visual = tower()
    pixels = images(2 * frames)
    wanted = literal(visual, pixels, frames, 2, offsets)
    changed = copy.deepcopy(visual)
    pooling = attached(changed, frames, layers=2, offsets=offsets)
    found = features_of(changed, pooling, pixels, frames)
    assert torch.allclose(found.double(), wanted, rtol=0, atol=1e-5)
    pooling = attached(changed.double(), frames, layers=2, offsets=offsets)
    assert torch.allclose(features_of(changed, pooling, pixels.double(), frames), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 3])
def test_only_the_last_layers_are_changed(layers: int) -> None:
    visual, pixels = tower(), images(8)
    wanted = literal(visual, pixels, 4, layers)
    pooling = attached(visual, 4, layers=layers)
    assert [isinstance(block.attn, CrossFrameAttention) for block in visual.transformer.resblocks] == [
        number >= LAYERS - layers for number in range(LAYERS)
    ]
    assert torch.allclose(features_of(visual, pooling, pixels, 4).double(), wanted, rtol=0, atol=1e-5)


def test_it_is_far_from_plain_attention_so_that_the_parity_says_something() -> None:
    visual, pixels = tower(), images(8)
    plain = visual(pixels).unflatten(0, (-1, 4)).mean(1)
    pooling = attached(visual, 4)
    assert (features_of(visual, pooling, pixels, 4) - plain).abs().max() > 1e-2


def test_one_frame_is_plain_attention() -> None:
    visual, pixels = tower(), images(3)
    plain = visual(pixels)
    pooling = attached(visual, 1)
    assert torch.allclose(features_of(visual, pooling, pixels, 1), plain, rtol=0, atol=2e-6)


def test_the_first_and_the_last_frame_average_what_exists() -> None:
    near = neighbours(4, (-1, 0, 1), torch.device("cpu")).int().tolist()
    assert near == [[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]
    alone = neighbours(3, (-1,), torch.device("cpu")).int().tolist()
    assert alone == [[1, 0, 0], [1, 0, 0], [0, 1, 0]]


def test_the_state_dict_keeps_its_keys_and_its_very_tensors() -> None:
    visual = tower()
    before = {name: parameter.data_ptr() for name, parameter in visual.named_parameters()}
    order = list(visual.state_dict())
    attached(visual, 4)
    assert {name: parameter.data_ptr() for name, parameter in visual.named_parameters()} == before
    assert list(visual.state_dict()) == order
    visual.load_state_dict(tower(seed=5).state_dict())
    assert torch.equal(visual.transformer.resblocks[-1].attn.in_proj_weight, tower(seed=5).state_dict()[
        "transformer.resblocks.2.attn.in_proj_weight"])  # fmt: skip


def test_attached_again_it_replaces_what_it_did() -> None:
    visual, pixels = tower(), images(8)
    wanted = literal(visual, pixels, 4, 1, (-1, 0))
    attached(visual, 2, layers=1)
    pooling = attached(visual, 4, layers=1, offsets=(-1, 0))
    assert torch.allclose(features_of(visual, pooling, pixels, 4).double(), wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_any_number_of_frames_can_come_once_it_is_told(frames: int) -> None:
    visual, pixels = tower(), images(2 * frames)
    wanted = literal(visual, pixels, frames, 2)
    pooling = attached(visual, 16)
    tell_frames(visual, frames)
    assert torch.allclose(features_of(visual, pooling, pixels, frames).double(), wanted, rtol=0, atol=1e-5)


def test_videos_are_never_mixed_in_silence() -> None:
    visual = tower()
    pooling = attached(visual, 8)
    with pytest.raises(MaxiError, match="12 images are no whole videos of 8 frames"):
        visual(images(12))
    features = visual(images(16))  # 4 videos of 4 frames, which it takes for 2 of 8
    with pytest.raises(MaxiError, match=r"took every 8 images for a video, and they are 4; call .*tell_frames"):
        pooling(features.unflatten(0, (4, 4)))


def test_a_video_is_the_same_alone_and_among_others() -> None:
    visual, pixels = tower(), images(12)
    pooling = attached(visual, 4)
    together = features_of(visual, pooling, pixels, 4)
    alone = torch.cat([features_of(visual, pooling, video, 4) for video in pixels.split(4)])
    assert torch.allclose(together, alone, rtol=0, atol=2e-6)


def test_with_offsets_alike_in_both_directions_it_is_blind_to_time_reversal() -> None:
    pixels = images(8, dtype=torch.float64).unflatten(0, (2, 4))
    for offsets, blind in {(-1, 0, 1): True, (-2, -1, 1, 2): True, (0,): True, (-1, 0): False, (1,): False}.items():
        visual = tower().double()
        pooling = attached(visual, 4, layers=3, offsets=offsets)
        forwards = features_of(visual, pooling, pixels.flatten(0, 1), 4)
        backwards = features_of(visual, pooling, pixels.flip(1).flatten(0, 1), 4)
        difference = (forwards - backwards).abs().max().item()
        assert difference < 1e-12 if blind else difference > 1e-3, offsets


def test_it_is_not_blind_to_other_orders_of_the_frames() -> None:
    visual, pixels = tower().double(), images(5, dtype=torch.float64)
    pooling = attached(visual, 5)
    shuffled = pixels[[2, 0, 3, 1, 4]]
    difference = features_of(visual, pooling, pixels, 5) - features_of(visual, pooling, shuffled, 5)
    assert difference.abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_as_near_as_plain_attention_is(dtype: torch.dtype) -> None:
    visual, pixels = tower(), images(16)
    wanted, plain = literal(visual, pixels, 8, 2), literal(visual, pixels, 8, 2, (0,))
    stock = copy.deepcopy(visual).to(dtype)(pixels.to(dtype)).unflatten(0, (-1, 8)).mean(1)
    noise = (stock.double() - plain).abs().max()
    pooling = attached(visual, 8)
    found = features_of(visual.to(dtype), pooling, pixels.to(dtype), 8)
    assert found.dtype == dtype
    assert (found.double() - wanted).abs().max() < 2 * noise


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_under_autocast_it_is_as_near_as_plain_attention_is(dtype: torch.dtype) -> None:
    visual, pixels = tower(), images(16)
    wanted, plain = literal(visual, pixels, 8, 2), literal(visual, pixels, 8, 2, (0,))
    with torch.autocast("cpu", dtype):
        stock = visual(pixels).unflatten(0, (-1, 8)).mean(1)
        pooling = attached(visual, 8)
        found = features_of(visual, pooling, pixels, 8)
    noise = (stock.double() - plain).abs().max()
    assert (found.double() - wanted).abs().max() < 2 * noise


def test_large_keys_are_averaged_right_in_half_precision() -> None:
    keys = torch.full((3, 2, 48), 20_000.0, dtype=torch.float16)  # their mean fits, and so does their sum (65,504)
    assert torch.equal(averaged(keys, (-1, 0, 1), 3), keys)


def gradients(visual: VisionTransformer, pooled: Tensor) -> dict[str, Tensor]:
    visual.zero_grad()
    pooled.square().sum().backward()
    return {name: parameter.grad.clone() for name, parameter in visual.named_parameters()}


def test_the_gradients_equal_those_of_the_formula() -> None:
    visual, pixels = tower().double(), images(8, dtype=torch.float64)
    reference = copy.deepcopy(visual)
    x = reference._embeds(pixels)
    for number, block in enumerate(reference.transformer.resblocks):
        if number == 0:
            x = block(x)
        else:
            x = x + literal_attention(block.attn, block.ln_1(x), 4, (-1, 0, 1))
            x = x + block.mlp(block.ln_2(x))
    pooled = (reference.ln_post(x[:, 0]) @ reference.proj).unflatten(0, (-1, 4)).mean(1)
    wanted = gradients(reference, pooled)
    pooling = attached(visual, 4)
    found = gradients(visual, features_of(visual, pooling, pixels, 4))
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-9, atol=1e-10), name


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("batch_first", [True, False])
def test_the_fast_tower_and_checkpointing_give_the_same(batch_first: bool, checkpointing: bool) -> None:
    visual, pixels = tower(), images(8)
    wanted = literal(visual, pixels, 4, 2)
    visual.transformer.batch_first = batch_first
    for block in visual.transformer.resblocks:
        block.attn.batch_first = batch_first
    pooling = attached(visual, 4)
    plain = gradients(visual, features_of(visual, pooling, pixels, 4))
    fast = pooling(encode_images(visual, pixels, checkpointing=checkpointing).unflatten(0, (-1, 4)))
    assert torch.allclose(fast.double(), wanted, rtol=0, atol=1e-5)
    found = gradients(visual, fast)
    largest = max(gradient.abs().max().item() for gradient in plain.values())
    for name, gradient in plain.items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-5 * largest), name


def test_the_fast_tower_computes_its_last_layer_at_the_class_token_only() -> None:
    visual, pixels, lengths = tower(), images(8), []
    attached(visual, 4)
    for block in visual.transformer.resblocks:
        block.mlp.register_forward_pre_hook(lambda _, arguments: lengths.append(arguments[0].shape[1]))
    encode_images(visual, pixels)
    assert lengths == [17, 17, 1]


def test_open_clips_own_checkpointing_gives_the_same_gradients() -> None:
    visual, pixels = tower(), images(8)
    pooling = attached(visual, 4)
    plain = gradients(visual, features_of(visual, pooling, pixels, 4))
    visual.set_grad_checkpointing(True)
    found = gradients(visual, features_of(visual, pooling, pixels, 4))
    assert all(torch.equal(found[name], gradient) for name, gradient in plain.items())


def _ddp_gradients(rank: int, ranks: int, folder: str) -> dict[str, Tensor]:
    """Return the gradients of one rank's share of 16 images, averaged over the ranks."""
    meeting = f"file://{folder}/meet"
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=ranks)
    try:
        visual = tower()
        pooling = attached(visual, 4)
        wrapped = nn.parallel.DistributedDataParallel(visual)
        mine = images(16).split(16 // ranks)[rank]
        return gradients(visual, features_of(wrapped, pooling, mine, 4))
    finally:
        torch.distributed.destroy_process_group()


def _assert_averaged(found: dict[str, Tensor], ranks: int) -> None:
    visual = tower()
    pooling = attached(visual, 4)
    wanted = gradients(visual, features_of(visual, pooling, images(16), 4) / math.sqrt(ranks))
    largest = max(gradient.abs().max().item() for gradient in wanted.values())
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-5 * largest), name


def test_distributed_data_parallel_gives_the_same_gradients(tmp_path: Path) -> None:
    _assert_averaged(_ddp_gradients(0, 1, str(tmp_path)), 1)


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    found = _ddp_gradients(rank, 2, folder)
    if rank == 0:
        torch.save(found, Path(folder) / "gradients.pt")


@pytest.mark.slow
def test_two_processes_have_the_gradients_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYTHONPATH", str(Path(__file__).parents[2]))
    spawning.spawn(_rank, (str(tmp_path),), nprocs=2)
    _assert_averaged(torch.load(tmp_path / "gradients.pt", weights_only=True), 2)


def test_an_encoder_of_another_kind_is_refused_in_one_line() -> None:
    from open_clip.modified_resnet import ModifiedResNet

    with pytest.raises(UsageError, match=r"timm's vision transformers, and this is a ModifiedResNet"):
        attached(ModifiedResNet((1, 1, 1, 1), 8, 2, image_size=32, width=8), 4)
    with pytest.raises(UsageError, match="of another kind; choose a model such as"):
        attached(tower(block_type="custom", qk_norm=True), 4)


def test_more_layers_than_there_are_is_refused_with_their_number() -> None:
    with pytest.raises(UsageError, match="crossframe.layers is 6, and the visual encoder has 3"):
        attached(tower(), 4, layers=6)


def test_offsets_are_a_set_and_not_empty() -> None:
    assert CrossFrame.Options(offsets=("1", "-1", "0", "1")).offsets == (-1, 0, 1)
    with pytest.raises(ValueError, match="at least 1 item"):
        CrossFrame.Options(offsets=())
