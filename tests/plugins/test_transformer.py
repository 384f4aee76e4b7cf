"""The temporal module with weights of its own: it starts as the mean, and learns the direction of time."""

import copy

import pytest
import torch
from torch import Tensor, nn

from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_plugins.frame_transformer import FrameTransformer, place_code, width_of
from maxi_plugins.transformer import Transformer
from tests.clip import tiny_clip

test_transformer_keeps_the_contract = contract(Transformer)
test_a_larger_transformer_keeps_it = contract(lambda: Transformer(Transformer.Options(layers=3, heads=4, expansion=2)))

WIDTH = 24


def pooling(seed: int = 0, layers: int = 2) -> FrameTransformer:
    torch.manual_seed(seed)
    return FrameTransformer(WIDTH, layers, heads=3, hidden=48)


def features(seed: int = 1, frames: int = 5, videos: int = 4) -> Tensor:
    return torch.randn(videos, frames, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [1, 2, 16])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_before_training_it_is_exactly_the_mean(frames: int, dtype: torch.dtype) -> None:
    given = features(frames=frames).to(dtype)
    assert torch.equal(pooling().to(dtype)(given), given.mean(dim=1))


def test_the_first_step_reaches_the_last_projections_and_the_second_every_weight() -> None:
    module, given = pooling(), features()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for step in range(2):
        optimizer.zero_grad()
        torch.autograd.backward((module(given) - 1).square().sum())
        moved = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
        assert all(p.grad is not None for p in module.parameters())
        if step == 0:
            zero = ("out_proj", "narrow")
            assert moved == {name for name, _ in module.named_parameters() if any(part in name for part in zero)}
        optimizer.step()
    assert moved == {name for name, _ in module.named_parameters()}


def test_it_learns_the_direction_of_time_which_the_mean_cannot() -> None:
    """Two classes that differ in nothing but the order of the frames."""
    module, given = pooling(layers=1), features(videos=8)
    both, labels = torch.cat([given, given.flip(1)]), torch.tensor([0] * 8 + [1] * 8)
    head = nn.Linear(WIDTH, 2)
    optimizer = torch.optim.Adam([*module.parameters(), *head.parameters()], lr=0.01)
    assert torch.allclose(module(given), module(given.flip(1)), atol=1e-6)
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(module(both)), labels)
        torch.autograd.backward(loss)
        optimizer.step()
    assert (head(module(both)).argmax(-1) == labels).all()


def test_the_same_place_in_a_video_has_the_same_code_whatever_the_number_of_frames() -> None:
    like = torch.zeros(())
    three, nine = place_code(3, WIDTH, like), place_code(9, WIDTH, like)
    assert torch.allclose(three, nine[[1, 4, 7]], atol=1e-5)  # the middles of thirds
    assert place_code(4, 5, like).shape == (4, 5)
    assert not torch.allclose(nine, nine.flip(0))


def test_its_weights_are_saved_and_loaded_like_any_module() -> None:
    module, other = pooling(0), pooling(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))
    given = features()
    assert not torch.equal(module(given), other(given))
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(given), other(given))
    assert torch.equal(copy.deepcopy(module)(given), module(given))


def test_a_mean_of_the_weights_with_those_of_the_beginning_is_a_module_between_the_two() -> None:
    """Weight ensembling (method.md, training): with the share of the beginning at one, it is the mean again."""
    module = pooling()
    begin = copy.deepcopy(module.state_dict())
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    trained, given = module.state_dict(), features()
    module.load_state_dict(begin)
    assert torch.equal(module(given), given.mean(1))
    module.load_state_dict({name: 0.2 * begin[name] + 0.8 * trained[name] for name in trained})
    assert torch.isfinite(module(given)).all()


def test_heads_that_do_not_divide_the_width_are_refused_with_those_that_do() -> None:
    visual = tiny_clip.build(tiny_clip.config()).visual
    with pytest.raises(UsageError, match=r"transformer.heads is 7, which does not divide 24, .* one of 1, 2, 3, 4, 6"):
        Transformer(Transformer.Options(heads=7)).attach(visual, 4)


def test_the_width_is_found_for_every_kind_of_encoder() -> None:
    from open_clip.modified_resnet import ModifiedResNet

    assert width_of(tiny_clip.build(tiny_clip.config()).visual) == 24
    assert width_of(ModifiedResNet((1, 1, 1, 1), 16, 2, image_size=32, width=8)) == 16
    silent = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 10))
    silent.image_size = 8
    assert width_of(silent) == 10


def test_it_fits_the_sandboxs_model() -> None:
    visual = load_model("sandbox", "cpu").visual
    pooled = Transformer().attach(visual, 8)(torch.randn(2, 8, 96))
    assert pooled.shape == (2, 96)
