"""DFN's CLIPs: vision transformers of open_clip's own, with QuickGELU or without, whatever their tag says."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from torch.nn import functional

from maxi_core.clip.image_tower import encode_images, encode_patches
from maxi_core.clip.loading import load_model
from maxi_core.clip.naming import find_model
from maxi_core.errors import UsageError
from maxi_core.plugin.roles import tell_frames
from maxi_plugins.crossframe import CrossFrame
from tests.clip.newer_clips import write_family
from tests.clip.test_timm_towers import images

TAGS = [(arch, tag) for arch, tag in open_clip.list_pretrained() if tag.startswith(("dfn2b", "dfn5b"))]
SMALL: dict[str, dict[str, Any]] = {  # the smallest, and the one with other heads and another way to resize
    "ViT-B-16-quickgelu": {"width": 128, "layers": 2, "image_size": 64},
    "ViT-H-14-378-quickgelu": {"width": 160, "layers": 2, "image_size": 56},
}


@pytest.mark.parametrize(("arch", "tag"), TAGS)
def test_an_architecture_is_taken_with_the_activation_that_its_tag_was_trained_with(arch: str, tag: str) -> None:
    quick = bool(open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu"))
    if quick is arch.endswith("-quickgelu"):
        assert bool(find_model(f"{arch}/{tag}").config.get("quick_gelu")) is quick
        return
    with pytest.raises(UsageError, match=rf"QuickGELU.*{arch}-quickgelu/{tag}"):
        find_model(f"{arch}/{tag}")


@pytest.mark.parametrize("arch", SMALL)
def test_features_patches_gradients_crossframe_and_patch_dropout_are_those_of_a_vision_transformer(
    arch: str, tmp_path: Path
) -> None:
    folder = write_family(tmp_path / "model", arch, patch_dropout=0.5, **SMALL[arch])
    model, theirs = load_model(str(folder), "cpu"), open_clip.create_model(f"local-dir:{folder}").eval()
    frames, ids = images(3, model.image_size), model.tokenize(["a photo of a dog."]).ids
    with torch.no_grad():
        assert (encode_images(model.visual, frames) - theirs.encode_image(frames)).abs().max() < 1e-5
        text = functional.normalize(theirs.encode_text(ids), dim=-1)
        assert (model.encode_text(ids) - text).abs().max() < 1e-5
        side = model.image_size // model.config["vision_cfg"]["patch_size"]
        assert encode_patches(model.visual, frames).shape == (3, side, side, model.width)
    grads = []
    for checkpointing in (False, True):
        model.zero_grad()
        encode_images(model.visual, frames, checkpointing=checkpointing).square().sum().backward()
        grads.append([value.grad for value in model.visual.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*grads, strict=True))
    CrossFrame(CrossFrame.Options(layers=1)).attach(model.visual, 3)
    still = images(1, model.image_size).repeat(3, 1, 1, 1)
    with torch.no_grad():
        assert not torch.allclose(encode_images(model.visual, frames), theirs.encode_image(frames), atol=1e-5)
        tell_frames(model.visual, 1)
        assert torch.allclose(encode_images(model.visual, frames), theirs.encode_image(frames), atol=1e-5)
        model.train()
        tell_frames(model.visual, 3)
        dropped = encode_images(model.visual, still)
        assert torch.allclose(dropped, dropped[:1].expand_as(dropped), atol=1e-5)  # the same patches in all frames
        assert not torch.allclose(dropped, encode_images(model.visual, still), atol=1e-6)
