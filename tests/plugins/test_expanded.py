"""Attention over the frames beside each (Open-VCLIP), against loops; a checkpoint of that project gets it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.image_tower import encode_images
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.interop.checkpoint_import import import_checkpoint
from maxi_core.plugin.catalog import discover
from maxi_core.plugin.roles import tell_frames
from maxi_core.testing import contract
from maxi_plugins.expanded import Expanded
from tests.clip.tiny_clip import MEAN, STD, build, config, write
from tests.interop import foreign
from tests.interop.test_import_checkpoint import TEXTS, clip_of_pixels
from tests.plugins.test_crossframe import images, tower

test_expanded_keeps_the_contract = contract(Expanded)


def in_loops(visual: Any, frames: Tensor) -> Tensor:
    """Return the features of one video's frames, (T, 3, S, S) -> (T, D), token by token and head by head.

    Of frame t the queries meet keys and values of the frames t - 1, t and t + 1; where one of these does not exist,
    as many tokens whose keys and values are zeros.
    """
    seen = visual.conv1(frames).flatten(2).transpose(1, 2)
    seen = torch.cat([visual.class_embedding.expand(len(frames), 1, -1), seen], dim=1) + visual.positional_embedding
    x = visual.ln_pre(seen)
    for block in visual.transformer.resblocks:
        attention, width = block.attn, x.shape[-1]
        weight, bias, depth = attention.in_proj_weight, attention.in_proj_bias, width // attention.num_heads
        made = (block.ln_1(x) @ weight.T + bias).split(width, dim=-1)
        nothing = torch.zeros_like(made[1][0])
        rows = []
        for t in range(len(frames)):
            near = [t - 1, t, t + 1]
            key, value = (torch.cat([one[n] if 0 <= n < len(frames) else nothing for n in near]) for one in made[1:])
            heads = []
            for head in range(attention.num_heads):
                part = slice(head * depth, (head + 1) * depth)
                scores = made[0][t][:, part] @ key[:, part].T / depth**0.5
                heads.append(scores.softmax(dim=-1) @ value[:, part])
            rows.append(torch.cat(heads, dim=-1) @ attention.out_proj.weight.T + attention.out_proj.bias)
        x = x + torch.stack(rows)
        x = x + block.mlp(block.ln_2(x))
    features: Tensor = visual.ln_post(x[:, 0]) @ visual.proj
    return features


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_it_is_the_attention_of_the_authors_frame_by_frame(frames: int) -> None:
    visual, videos = tower(), images(2 * frames, dtype=torch.float64)
    visual = visual.double()
    with torch.no_grad():
        wanted = torch.cat([in_loops(visual, videos[:frames]), in_loops(visual, videos[frames:])])
        pooling = Expanded().attach(visual, frames)
        for found in (visual(videos), encode_images(visual, videos)):
            assert (found - wanted).abs().max() < 1e-12
        unit = functional.normalize(wanted, dim=-1).view(2, frames, -1)
        assert torch.allclose(pooling(wanted.view(2, frames, -1)), unit.mean(dim=1))


def test_it_replaces_itself_and_leaves_the_weights_as_they_are() -> None:
    visual, videos = tower(), images(3)
    before = {key: value.data_ptr() for key, value in visual.state_dict().items()}
    with torch.no_grad():
        plain = visual(videos)
        Expanded().attach(visual, 3)
        once = visual(videos)
        Expanded().attach(visual, 3)
        assert torch.equal(visual(videos), once)
        assert not torch.allclose(once, plain, atol=1e-4)
        Expanded(Expanded.Options(layers=1)).attach(tower(), 3)
    assert {key: value.data_ptr() for key, value in visual.state_dict().items()} == before
    with pytest.raises(UsageError, match="expanded.layers is 9, and the visual encoder has 3"):
        Expanded(Expanded.Options(layers=9)).attach(tower(), 3)
    with pytest.raises(UsageError, match="expanded changes the attention of .*, and this is a Identity"):
        Expanded().attach(nn.Identity(), 3)


@pytest.mark.parametrize("froster", [False, True])
def test_a_checkpoint_of_open_vclip_has_the_logits_of_its_authors(froster: bool, tmp_path: Path) -> None:
    settings = config(quick_gelu=True)
    base, model = write(tmp_path / "base", settings, seed=0), build(settings, seed=1).eval()
    file = foreign.open_vclip(model.state_dict(), averaged=True, froster=froster)
    imported = import_checkpoint(foreign.save(file, tmp_path / "theirs.pth"), tmp_path / "ours", str(base))
    assert not any("frames beside" in note for note in imported.about["imported"]["notes"])
    loaded = load_model(str(tmp_path / "ours"), "cpu", frames=3)
    assert loaded.temporal is not None
    assert loaded.temporal["name"] == "maxi:expanded"
    pixels = clip_of_pixels()
    with torch.no_grad():
        shown = (pixels[0].float() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        frames = functional.normalize(in_loops(model.visual, shown), dim=-1)
        video, texts, scale = loaded(pixels, loaded.tokenize(TEXTS).ids)
        theirs = (scale * frames @ texts.T).mean(dim=0)
        ours = scale * video @ texts.T * frames.mean(dim=0).norm()  # the cosine of the mean has another length, no rank
        assert torch.allclose(ours[0], theirs, rtol=1e-5, atol=1e-5)
        tell_frames(loaded.visual, 3)
        assert torch.allclose(loaded.encode_video(pixels), video)


def test_without_the_module_an_import_says_that_its_scores_are_others(tmp_path: Path) -> None:
    settings = config(quick_gelu=True)
    base, model = write(tmp_path / "base", settings, seed=0), build(settings, seed=1)
    file = foreign.save(foreign.open_vclip(model.state_dict(), averaged=True), tmp_path / "theirs.pth")
    ours = discover(only=[], without=["expanded"])
    imported = import_checkpoint(file, tmp_path / "ours", str(base), catalog=ours)
    assert imported.about["temporal"] is None
    assert any("sees the frames beside each" in note for note in imported.about["imported"]["notes"])
