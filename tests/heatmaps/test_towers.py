"""Which towers have heatmaps: the feature stays what it is, and the map lies where the patches are."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maxi_core.clip.image_tower import IMAGENET
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.heatmaps import cosine, gradient, legrad, surgery
from maxi_core.heatmaps.seen import look
from maxi_core.heatmaps.tower import tower_of
from maxi_plugins.crossframe import CrossFrame
from maxi_plugins.transformer import Transformer
from tests.clip.tiny_clip import build, config

SIDE, TEXTS = 28, nn.functional.normalize(torch.randn(3, 24, generator=torch.Generator().manual_seed(1)), dim=-1)


class Timm(nn.Module):
    """A timm trunk with the projection that open_clip's TimmModel puts behind it."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head, self.image_size = trunk, nn.Linear(32, 24), (SIDE, SIDE)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.head(self.trunk(images))
        return features


def timm_vit(**more: Any) -> nn.Module:
    from timm.models.vision_transformer import VisionTransformer

    return Timm(
        VisionTransformer(img_size=SIDE, patch_size=7, embed_dim=32, depth=3, num_heads=2, num_classes=0, **more)
    )


def timm_eva(**more: Any) -> nn.Module:
    from timm.models.eva import Eva

    return Timm(Eva(img_size=SIDE, patch_size=7, embed_dim=32, depth=3, num_heads=2, num_classes=0, **more))


def open_clip_vit(**more: Any) -> nn.Module:
    settings = config()
    settings["vision_cfg"] = {**settings["vision_cfg"], "layers": 3, **more}
    visual: nn.Module = build(settings).visual
    return visual


def as_model(visual: nn.Module, **more: Any) -> VideoCLIP:
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in visual.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    settings = config()
    clip: Any = build(settings)
    clip.visual = visual
    return VideoCLIP(clip, settings, name="tower", statistics=IMAGENET, frames=4, **more).eval()


TOWERS: dict[str, Callable[[], nn.Module]] = {
    "open_clip, class token": open_clip_vit,
    "open_clip, averaged": lambda: open_clip_vit(pool_type="avg", final_ln_after_pool=True),
    "open_clip, attention pool": lambda: open_clip_vit(
        attentional_pool=True, attn_pooler_queries=5, attn_pooler_heads=2
    ),
    "open_clip, blocks of its own": lambda: open_clip_vit(block_type="custom", qk_norm=True),
    "timm, class token and registers": lambda: timm_vit(reg_tokens=2),
    "timm, averaged": lambda: timm_vit(global_pool="avg", class_token=False),
    "timm, averaged beside a class token": lambda: timm_vit(global_pool="avg"),
    "timm, attention pool (SigLIP)": lambda: timm_vit(global_pool="map", class_token=False),
    "timm, attention pool and class token (PE)": lambda: timm_eva(
        global_pool="map", attn_pool_num_heads=2, use_rot_pos_emb=True
    ),
    "timm, rotary (EVA)": lambda: timm_eva(global_pool="token", use_rot_pos_emb=True, num_reg_tokens=1),
}


def frames(count: int = 4) -> Tensor:
    return torch.randn(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))


@pytest.fixture(params=TOWERS)
def model(request: pytest.FixtureRequest) -> VideoCLIP:
    return as_model(TOWERS[request.param]())


def test_looking_changes_no_feature_and_leaves_nothing_behind(model: VideoCLIP) -> None:
    with torch.no_grad():
        before = model.encode_video(frames()[None])[0]
    seen = look(model, frames())
    assert torch.allclose(seen.video, before, atol=1e-5)
    assert len(seen.layers) == 3 + len(seen.tower.pools)
    with torch.no_grad():
        assert torch.equal(model.encode_video(frames()[None])[0], before)


def test_all_methods_but_surgery_give_maps_of_the_patches(model: VideoCLIP) -> None:
    seen = look(model, frames())
    for method in (gradient, cosine, legrad):
        found = method.maps(seen, TEXTS)
        assert found.shape == (3, 4, 4, 4)
        assert bool(found.isfinite().all())
        assert float(found.std()) > 0


def test_the_map_moves_with_the_patches(model: VideoCLIP) -> None:
    """Without knowledge of places, an image moved by two patches down and one to the right has its map moved so."""
    visual: Any = model.visual
    trunk = getattr(visual, "trunk", visual)
    trunk.rope = None
    with torch.no_grad():
        for name in ("positional_embedding", "pos_embed"):
            if getattr(trunk, name, None) is not None:
                getattr(trunk, name)[..., -16:, :] = 0
    moved = frames().roll((14, 7), dims=(2, 3))
    for method in (gradient, cosine, legrad):
        want = method.maps(look(model, frames()), TEXTS).roll((2, 1), dims=(2, 3))
        assert torch.allclose(method.maps(look(model, moved), TEXTS), want, atol=1e-5), method.__name__


def test_a_frozen_tower_has_the_same_maps(model: VideoCLIP) -> None:
    want = gradient.maps(look(model, frames()), TEXTS)
    model.requires_grad_(False)
    assert torch.allclose(gradient.maps(look(model, frames()), TEXTS), want, atol=1e-7)


def test_a_token_by_itself_says_what_an_image_of_such_tokens_says(model: VideoCLIP) -> None:
    tower, tokens = tower_of(model.visual, model.name), torch.randn(1, 1, 32)
    tower.blocks[-1].register_forward_hook(lambda _, __, out: tokens.expand_as(out))
    with torch.no_grad():
        assert torch.allclose(tower.project(tokens[0]), model.visual(frames(1)), atol=1e-5)


def test_crossframe_sees_the_whole_clip() -> None:
    visual = open_clip_vit()
    model = as_model(visual, pooling=CrossFrame(CrossFrame.Options(layers=2)).attach(visual, 4), fixed_frames=True)
    with torch.no_grad():
        before = model.encode_video(frames()[None])[0]
    seen = look(model, frames())
    assert torch.allclose(seen.video, before, atol=1e-5)
    assert len(seen.layers) == 3
    assert surgery.maps(seen, TEXTS, TEXTS[0]).shape == (3, 4, 4, 4)
    other = frames()
    other[1] += 1
    changed = (gradient.maps(look(model, other), TEXTS) - gradient.maps(seen, TEXTS)).abs().flatten(2).sum(dim=(0, 2))
    assert float(changed[2]) > 0


def test_attention_over_time_behind_the_tower_is_no_heatmap() -> None:
    visual = open_clip_vit()
    pooling = Transformer(Transformer.Options(heads=2)).attach(visual, 4)
    model = as_model(visual, pooling=pooling)
    with torch.no_grad():
        for parameter in pooling.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    seen = look(model, frames())
    assert len(seen.layers) == 3
    assert float(gradient.maps(seen, TEXTS).abs().max()) > 0


def test_a_convolutional_tower_is_refused_in_one_sentence() -> None:
    import timm
    from open_clip.modified_resnet import ModifiedResNet

    resnet = ModifiedResNet(layers=(1, 1, 1, 1), output_dim=24, heads=2, image_size=64, width=16)
    swin = SimpleNamespace(trunk=timm.create_model("swin_tiny_patch4_window7_224", depths=(1, 1, 1, 1)))
    fast = SimpleNamespace(trunk=timm.create_model("fastvit_t8", num_classes=0))
    for visual, kind in ((resnet, "ModifiedResNet"), (swin, "SwinTransformer"), (fast, "FastVit")):
        with pytest.raises(UsageError, match=f"model 'x' has no heatmaps: its image tower, a {kind}, is no vision"):
            tower_of(visual, "x")
