"""Newer CLIPs: towers of timm give the features that open_clip gives, and take all that other towers take."""

from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from maxi_core.clip.image_tower import encode_images, encode_patches
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.plugin.roles import tell_frames
from maxi_core.training.trainable import choose_trainable
from maxi_plugins.crossframe import CrossFrame
from tests.clip.newer_clips import FAMILIES, write_family

WITH_ATTENTION = list(FAMILIES)
WITH_PATCH_DROPOUT = [arch for arch in FAMILIES if arch != "MobileCLIP2-S0"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that writes a family once and returns its folder."""
    made: dict[str, Path] = {}

    def folder(arch: str) -> Path:
        if arch not in made:
            made[arch] = write_family(tmp_path_factory.mktemp(arch) / "model", arch, FAMILIES[arch])
        return made[arch]

    return folder


def images(count: int, size: int, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(seed))


def attached(model: VideoCLIP, frames: int, layers: int = 1) -> Any:
    return CrossFrame(CrossFrame.Options(layers=layers)).attach(model.visual, frames)


class Asked(TorchFunctionMode):
    """Keeps query, key and value of every attention that is computed within it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is functional.scaled_dot_product_attention:
            self.calls.append(tuple(args[:3]))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("arch", FAMILIES)
def test_features_are_open_clips(arch: str, folders: Any) -> None:
    model = load_model(str(folders(arch)), "cpu", frames=2)
    theirs = open_clip.create_model(f"local-dir:{folders(arch)}").eval()
    frames = images(4, model.image_size).view(2, 2, 3, model.image_size, model.image_size)
    ids = model.tokenize(["run jump", "a photo of a dog"]).ids
    with torch.no_grad():
        wanted = functional.normalize(theirs.encode_image(frames.flatten(0, 1)).view(2, 2, -1).mean(dim=1), dim=-1)
        assert (model.encode_video(frames) - wanted).abs().max() < 1e-5
        assert (model.encode_text(ids) - functional.normalize(theirs.encode_text(ids), dim=-1)).abs().max() < 1e-5
        pixels = torch.randint(0, 256, (1, 1, 3, model.image_size, model.image_size), dtype=torch.uint8)
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in model.statistics)
        one = functional.normalize(theirs.encode_image((pixels[0] / 255 - mean) / std), dim=-1)
        assert (model.encode_video(pixels) - one).abs().max() < 1e-5


@pytest.mark.parametrize("arch", FAMILIES)
def test_checkpointing_gives_the_gradients_of_a_plain_backward_pass(arch: str, folders: Any) -> None:
    model = load_model(str(folders(arch)), "cpu")
    found = []
    for checkpointing in (False, True):
        model.zero_grad()
        features = encode_images(model.visual, images(1, model.image_size), checkpointing=checkpointing)
        features.square().sum().backward()
        found.append({name: value.grad for name, value in model.visual.named_parameters()})
    assert all(value is not None and bool(value.isfinite().all()) for value in found[0].values())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def patch_of(visual: Any, tokens: Tensor, row: int, column: int) -> Tensor:
    """Return the feature of one patch, by what each tower does after its last block."""
    trunk = visual.trunk
    if tokens.ndim == 4:
        return visual.head(trunk.forward_head(tokens[:, :, row : row + 1, column : column + 1]))
    side = round((tokens.shape[1] - trunk.num_prefix_tokens) ** 0.5)
    alone = tokens[:, trunk.num_prefix_tokens + row * side + column]
    pooled = alone if trunk.attn_pool is None else trunk.attn_pool(alone[:, None])
    return visual.head(trunk.head(trunk.fc_norm(pooled)))


@pytest.mark.parametrize("arch", FAMILIES)
def test_a_patch_has_the_feature_that_it_would_have_alone(arch: str, folders: Any) -> None:
    model = load_model(str(folders(arch)), "cpu")
    one = images(1, model.image_size)
    with torch.no_grad():
        patches = encode_patches(model.visual, one)
        tokens = model.visual.trunk.forward_features(one)
        for row, column in ((0, 0), (1, 3), (patches.shape[1] - 1, 2)):
            wanted = patch_of(model.visual, tokens, row, column)
            assert torch.allclose(patches[:, row, column], wanted, rtol=1e-4, atol=1e-5)
    assert patches.shape[1] == patches.shape[2]
    assert model.encode_patches(one[None]).shape == (1, 1, *patches.shape[1:])


@pytest.mark.parametrize("arch", WITH_ATTENTION)
def test_cross_frame_attention_has_the_mean_keys_of_the_neighbours_and_all_else_as_before(
    arch: str, folders: Any
) -> None:
    model = load_model(str(folders(arch)), "cpu")
    frames = images(3, model.image_size)
    before = {key: value.data_ptr() for key, value in model.clip.state_dict().items()}
    with torch.no_grad():
        plain = encode_images(model.visual, frames)
        with Asked() as stock:
            model.visual(frames)
        attached(model, 3)
        with Asked() as cross:
            model.visual(frames)
        assert {key: value.data_ptr() for key, value in model.clip.state_dict().items()} == before
        place = next(
            place
            for place, (one, other) in enumerate(zip(stock.calls, cross.calls, strict=True))
            if not torch.equal(one[1], other[1])
        )
        (query, key, value), found = stock.calls[place], cross.calls[place]
        near = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]]) / torch.tensor([2.0, 3.0, 2.0])[:, None]
        assert torch.allclose(found[1], torch.einsum("st,t...->s...", near, key), atol=1e-5, rtol=1e-4)
        assert torch.allclose(found[0], query, atol=1e-5)
        assert torch.allclose(found[2], value, atol=1e-5)
        tell_frames(model.visual, 1)
        assert torch.allclose(encode_images(model.visual, frames), plain, atol=1e-5)


def test_attached_again_cross_frame_replaces_what_it_did(folders: Any) -> None:
    model = load_model(str(folders("MobileCLIP2-B")), "cpu")
    frames = images(3, model.image_size)
    with torch.no_grad():
        attached(model, 3)
        once = encode_images(model.visual, frames)
        attached(model, 3)
        assert torch.equal(encode_images(model.visual, frames), once)


@pytest.mark.parametrize(("tower", "kind"), [("convnext_atto", "ConvNeXt"), ("swin_tiny_patch4_window7_224", "Swin")])
def test_a_tower_without_attention_over_a_whole_image_is_refused(tower: str, kind: str) -> None:
    visual = nn.Module()
    visual.trunk = timm.create_model(tower)
    with pytest.raises(UsageError, match=f"crossframe changes .* this is a {kind}"):
        CrossFrame(CrossFrame.Options()).attach(visual, 2)


def test_normalised_keys_are_refused_since_their_mean_would_be_another(folders: Any) -> None:
    visual = nn.Module()
    visual.trunk = timm.create_model("test_vit", qk_norm=True)
    with pytest.raises(UsageError, match="crossframe changes"):
        CrossFrame(CrossFrame.Options()).attach(visual, 2)


def test_more_layers_than_a_tower_of_timm_has_are_refused(folders: Any) -> None:
    model = load_model(str(folders("MobileCLIP2-B")), "cpu")
    with pytest.raises(UsageError, match="visual encoder has 6"):
        attached(model, 2, layers=7)


# Patch dropout, which a configuration asks for.


@pytest.mark.parametrize("arch", WITH_PATCH_DROPOUT)
def test_patches_are_dropped_in_training_only(arch: str, tmp_path: Path) -> None:
    model = load_model(str(write_family(tmp_path / "model", arch, FAMILIES[arch], patch_dropout=0.5)), "cpu")
    frames = images(2, model.image_size)
    lengths = []
    for mode in (False, True):
        model.train(mode)
        with torch.no_grad(), Asked() as seen:
            model.visual(frames)
        lengths.append(seen.calls[1][1].shape[-2] - model.visual.trunk.num_prefix_tokens)
    assert lengths[1] == lengths[0] // 2
    with torch.no_grad():
        assert not torch.equal(model.visual(frames), model.visual(frames))
        assert torch.equal(*(model.eval().visual(frames) for _ in range(2)))


@pytest.mark.parametrize("arch", [*WITH_PATCH_DROPOUT, "ViT-B-16-quickgelu"])
def test_with_crossframe_all_frames_of_a_video_lose_the_same_patches(arch: str, tmp_path: Path) -> None:
    small: dict[str, Any] = {"width": 64, "layers": 2, "image_size": 112}
    small = {"timm_drop_path": 0.0} if arch in FAMILIES else small  # which would be drawn for each frame
    folder = write_family(tmp_path / "model", arch, FAMILIES.get(arch), patch_dropout=0.5, **small)
    model = load_model(str(folder), "cpu")
    pooling = attached(model, 3)
    model.train()
    still = images(2, model.image_size).repeat_interleave(3, dim=0)
    with torch.no_grad():
        tell_frames(model.visual, 3)
        features = encode_images(model.visual, still).view(2, 3, -1)
        assert torch.allclose(features, features[:, :1].expand_as(features), atol=1e-5)
        assert pooling(features).shape == features[:, 0].shape
        again = encode_images(model.visual, still).view(2, 3, -1)
        assert not torch.allclose(features, again, atol=1e-6)


# Training.


@pytest.mark.parametrize("arch", FAMILIES)
@pytest.mark.parametrize("freeze", ["image", "text"])
def test_a_frozen_tower_has_no_gradient(arch: str, freeze: Any, folders: Any) -> None:
    model = load_model(str(folders(arch)), "cpu")
    choose_trainable(model, freeze)
    names = {name.partition(".")[0] for name, value in model.clip.named_parameters() if value.requires_grad}
    assert names == {"logit_scale", "text" if freeze == "image" else "visual"}


def test_the_batch_norms_of_a_frozen_tower_keep_their_statistics(folders: Any) -> None:
    model = load_model(str(folders("MobileCLIP2-S0")), "cpu")
    for freeze, moves in (("image", False), ("none", True)):
        choose_trainable(model, freeze)  # type: ignore[arg-type]
        before = {key: value.clone() for key, value in model.visual.state_dict().items()}
        model.train()
        with torch.no_grad():
            model.visual(images(2, model.image_size))
        moved = [key for key, value in model.visual.state_dict().items() if not torch.equal(value, before[key])]
        assert bool(moved) is moves


def test_the_last_blocks_of_a_tower_of_timm_can_be_chosen(folders: Any) -> None:
    model = load_model(str(folders("ViT-B-32-SigLIP2-256")), "cpu")
    choose_trainable(model, last_blocks=2)
    trained = {name for name, value in model.clip.named_parameters() if value.requires_grad}
    blocks = {name.split(".")[3] for name in trained if name.startswith("visual.trunk.blocks.")}
    others = {name.split(".")[2] for name in trained if name.startswith("visual.trunk.") and ".blocks." not in name}
    assert (blocks, others) == ({"7", "8"}, {"norm", "attn_pool"})
    conv = load_model(str(folders("MobileCLIP2-S0")), "cpu")
    with pytest.raises(UsageError, match="no blocks to count"):
        choose_trainable(conv, last_blocks=2)


@pytest.mark.parametrize("arch", WITH_PATCH_DROPOUT)
def test_patch_dropout_can_be_forced_on_a_tower_of_timm(arch: str, folders: Any) -> None:
    model = load_model(str(folders(arch)), "cpu", frames=2, patch_dropout=0.5)
    plain = load_model(str(folders(arch)), "cpu", frames=2)
    frames = images(2, model.image_size)[None]
    with torch.no_grad():
        assert torch.equal(model.encode_video(frames), plain.encode_video(frames))  # in evaluation all are seen
        model.train()
        torch.manual_seed(0)
        assert not torch.allclose(model.encode_video(frames), plain.encode_video(frames), atol=1e-4)
    assert model.weights().keys() == plain.weights().keys()


def test_a_tower_of_convolutions_has_no_patches_to_leave_out(folders: Any) -> None:
    with pytest.raises(UsageError, match="has no patches to leave out; leave out --force-patch-dropout"):
        load_model(str(folders("MobileCLIP2-S0")), "cpu", frames=2, patch_dropout=0.5)
