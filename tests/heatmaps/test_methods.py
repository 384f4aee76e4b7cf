"""Each method on a model set by hand, where one patch must win, and against its formula or a published package."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.clip.image_tower import IMAGENET
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.heatmaps import cosine, gradient, legrad, surgery
from maxi_core.heatmaps.seen import Seen, look
from tests.clip.tiny_clip import build, config
from tests.heatmaps.hand_set import BLUE, GREEN, RED, hand_set, painted

TEXTS = torch.stack([RED, GREEN])
VIDEO = torch.stack([painted((RED, 1, 2), (GREEN, 3, 0)), painted((RED, 0, 0), (GREEN, 2, 3))])
WINNERS = {0: [(1, 2), (0, 0)], 1: [(3, 0), (2, 3)]}  # of each text, in each frame
METHODS = {
    "gradient": gradient.maps,
    "cosine": cosine.maps,
    "surgery": lambda seen, texts: surgery.maps(seen, texts, empty=BLUE),
    "legrad": legrad.maps,
}


def best(found: Tensor) -> list[tuple[int, int]]:
    """Return (row, column) of the largest value of each map (T, rows, columns), which must be the only one."""
    places = []
    for one in found:
        assert int((one == one.max()).sum()) == 1
        places.append(divmod(int(one.argmax()), one.shape[1]))
    return places


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("pool_type", ["tok", "avg"])
def test_the_patch_of_a_texts_colour_wins_in_each_frame(method: str, pool_type: str) -> None:
    if method == "surgery" and pool_type == "avg":
        pytest.skip("it reads the class token")
    found = METHODS[method](look(hand_set(pool_type), VIDEO), TEXTS)
    assert found.shape == (2, 2, 4, 4)
    assert {text: best(found[text]) for text in range(2)} == WINNERS


@pytest.mark.parametrize("method", METHODS)
def test_the_patch_of_the_colour_wins_for_a_text_alone_too(method: str) -> None:
    found = METHODS[method](look(hand_set(), VIDEO), TEXTS[:1])
    assert best(found[0]) == WINNERS[0]


def test_what_speaks_against_a_text_has_no_gradient_map_and_is_below_0_once_it_is_centred() -> None:
    seen = look(hand_set(), VIDEO)
    alone, centred = gradient.uncentred(seen, TEXTS), gradient.maps(seen, TEXTS)
    assert float(alone[0, 0, 3, 0]) == 0
    assert float(centred[0, 0, 3, 0]) < 0
    assert torch.allclose(centred.sum(dim=0), torch.zeros(2, 4, 4), atol=1e-7)


# Against the formulas, written out in loops.


@pytest.fixture(scope="module")
def model() -> VideoCLIP:
    settings = config()
    return VideoCLIP(build(settings, seed=3), settings, name="tiny", statistics=IMAGENET).eval()


def frames(count: int = 3) -> Tensor:
    return torch.randn(count, 3, 28, 28, generator=torch.Generator().manual_seed(5))


def some_texts(count: int = 3) -> Tensor:
    return functional.normalize(torch.randn(count, 24, generator=torch.Generator().manual_seed(6)), dim=-1)


def literally(visual: Any, image: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Return the tokens after each block (0: before the first) and each block's attention, head by head."""
    patches = visual.conv1(image[None]).flatten(2).transpose(1, 2)[0]
    x = visual.ln_pre(torch.cat([visual.class_embedding[None], patches]) + visual.positional_embedding)
    tokens, attention = [x], []
    for block in visual.transformer.resblocks:
        heads, width = block.attn.num_heads, x.shape[-1]
        qkv = block.ln_1(x) @ block.attn.in_proj_weight.T + block.attn.in_proj_bias
        depth, outs = width // heads, []
        for head in range(heads):
            q, k, v = (qkv[:, part * width + head * depth : part * width + (head + 1) * depth] for part in range(3))
            weights = (q @ k.T / math.sqrt(depth)).softmax(dim=-1)
            attention.append(weights)
            outs.append(weights @ v)
        x = x + block.attn.out_proj(torch.cat(outs, dim=-1))
        x = x + block.mlp(block.ln_2(x))
        tokens.append(x)
    return visual.ln_post(x)[0] @ visual.proj, tokens, attention


def test_gradient_is_its_formula(model: VideoCLIP) -> None:
    texts, given = some_texts(), frames()
    seen = [literally(model.visual, image) for image in given]
    video = functional.normalize(torch.stack([one[0] for one in seen]).mean(dim=0), dim=-1)
    assert torch.allclose(video, look(model, given).video, atol=1e-6)
    want = torch.zeros(3, 3, 16)
    for k, text in enumerate(texts):
        for t, (_, _, attention) in enumerate(seen):
            for weights in attention:  # heads of layers
                (slope,) = torch.autograd.grad(video @ text, weights, retain_graph=True)
                want[k, t] += (weights * slope).clamp(min=0)[0, 1:] / 2  # the mean over 2 heads
    got = gradient.uncentred(look(model, given), texts).flatten(2)
    assert torch.allclose(got, want, atol=1e-7)
    others = torch.stack([(want[1] + want[2]) / 2, (want[0] + want[2]) / 2, (want[0] + want[1]) / 2])
    assert torch.allclose(gradient.maps(look(model, given), texts).flatten(2), want - others, atol=1e-7)


def test_legrad_is_its_formula(model: VideoCLIP) -> None:
    texts, given = some_texts(), frames()
    want = torch.zeros(3, 3, 16)
    for k, text in enumerate(texts):
        for t, image in enumerate(given):
            _, tokens, attention = literally(model.visual, image)
            for layer in range(2):
                feature = functional.normalize(
                    model.visual.ln_post(tokens[layer + 1].mean(0)) @ model.visual.proj, dim=0
                )
                for weights in attention[2 * layer : 2 * layer + 2]:
                    (slope,) = torch.autograd.grad(feature @ text, weights, retain_graph=True)
                    want[k, t] += slope.clamp(min=0).sum(dim=0)[1:] / 2
    assert torch.allclose(legrad.maps(look(model, given), texts).flatten(2), want, atol=1e-5)


def test_surgery_is_its_formula(model: VideoCLIP) -> None:
    texts, given = some_texts(), frames()
    block, want = model.visual.transformer.resblocks[-1], torch.zeros(3, 3, 16)
    with torch.no_grad():
        for t, image in enumerate(given):
            feature, tokens, _ = literally(model.visual, image)
            values = block.ln_1(tokens[1]) @ block.attn.in_proj_weight[64:].T + block.attn.in_proj_bias[64:]
            mixed = [(v @ v.T / 4).softmax(dim=-1) @ v for v in values.split(16, dim=-1)]
            x = tokens[1] + block.attn.out_proj(torch.cat(mixed, dim=-1))
            patches = functional.normalize(model.visual.ln_post(x)[1:] @ model.visual.proj, dim=-1)
            shares = (2 * functional.normalize(feature, dim=-1) @ texts.T).softmax(dim=-1)
            products = patches[:, None] * texts[None] * (shares / shares.mean())[None, :, None]
            want[:, t] = (products - products.mean(dim=1, keepdim=True)).sum(dim=-1).T
    assert torch.allclose(surgery.maps(look(model, given), texts, texts[0]).flatten(2), want, atol=1e-6)


def test_surgery_of_a_text_alone_is_less_the_empty_text(model: VideoCLIP) -> None:
    texts, given = some_texts(), frames()
    seen = look(model, given)
    (got,) = surgery.maps(seen, texts[:1], empty=texts[1])
    with torch.no_grad():
        patches = seen.patch_features(surgery._second_path(seen, seen.tower.blocks))
    assert torch.allclose(got, patches @ (texts[0] - texts[1]), atol=1e-6)


def test_cosine_is_what_encode_patches_says_of_the_text(model: VideoCLIP) -> None:
    texts, given = some_texts(), frames()
    with torch.no_grad():
        want = torch.einsum("trcd,kd->ktrc", model.encode_patches(given[None])[0], texts)
    assert torch.allclose(cosine.maps(look(model, given), texts), want, atol=1e-6)


def test_cosine_is_grad_cam_of_patches_that_are_averaged(model: VideoCLIP) -> None:
    """Its map of the mean patch's score is relu(projected patch . text), up to the patch's length and a factor."""
    grad_cam = pytest.importorskip(
        "pytorch_grad_cam", reason="grad-cam is not installed (it brings OpenCV, so it is no part of dev)"
    )
    given = frames(1)  # the text is the first unit vector

    class Averaged(torch.nn.Module):
        def __init__(self, visual: Any) -> None:
            super().__init__()
            self.visual = visual

        def forward(self, images: Tensor) -> Tensor:
            tokens = self.visual.ln_pre(self.visual._embeds(images))
            return (self.visual.ln_post(self.visual.transformer(tokens))[:, 1:].mean(dim=1) @ self.visual.proj)[:, :1]

    def patches(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].transpose(1, 2).unflatten(2, (4, 4))

    averaged = Averaged(model.visual)
    with grad_cam.GradCAM(averaged, [model.visual.ln_post], reshape_transform=patches) as cam:
        cam.compute_input_gradient = False
        (theirs,) = cam(given, targets=[lambda output: output[0]])
    seen = look(model, given)
    with torch.no_grad():
        ours = seen.tower.project(seen.tokens[-1][0, 1:])[:, 0].relu().view(4, 4)
    low, high = ours.min(), ours.max()
    small = theirs[3::7, 3::7]  # the middles of patches, from the enlarged map
    assert np.corrcoef(small.ravel(), ((ours - low) / (high - low)).numpy().ravel())[0, 1] > 0.99


def test_a_tower_without_a_class_token_is_refused_by_surgery_alone() -> None:
    seen = look(hand_set("avg"), VIDEO)
    with pytest.raises(UsageError, match="class token"):
        surgery.maps(seen, TEXTS, BLUE)
    assert isinstance(seen, Seen)
