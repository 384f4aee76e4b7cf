"""The text side against open_clip's own `encode_text`: features and gradients, for every kind of tower."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from maxi_core.batches.training_prompts import training_prompt
from maxi_core.clip.textual import causal_tower, encode_text
from maxi_core.clip.tokens import tokenize
from maxi_core.prompts import MATCHING, fill
from tests.clip.tiny_clip import build, config

ENTRIES = ("juggling", "juggling balls", "juggling balls", "riding a bike", "!", "x" * 60, "word " * 200)
PROMPTS = [fill(template, entry) for entry in ENTRIES for template in MATCHING]
BAG = [training_prompt(entry, item) for entry in ENTRIES[:4] for item in ("throw", "throwing", "throwing a ball", "")]

CAUSAL = {
    "gelu": config(),
    "quick gelu": config(quick_gelu=True),
    "a tower of its own": config(custom=True, proj_bias=True),
    "layer scale": config(ls_init_value=0.5),
    "pooled at an eos id": config(custom=True, pool_type="eos", eos_id=49407),
    "no projection": config(custom=True, proj_type="none", width=24),
    "one layer": config(layers=1),
}
OTHERS = {
    "both ways": config(custom=True, no_causal_mask=True, pool_type="last"),
    "a class token": config(custom=True, embed_cls=True),
    "blocks with scaled heads": config(custom=True, scale_heads=True),
    "pooled at the end": config(pool_type="last"),
}


def ids_of(texts: list[str], context: int = 77) -> Tensor:
    import open_clip

    return tokenize(open_clip.SimpleTokenizer(context_length=context), texts).ids


def scale_of(x: Tensor) -> float:
    return max(1.0, float(x.abs().max()))


@pytest.mark.parametrize("name", CAUSAL)
def test_features_equal_those_of_open_clip_for_causal_towers(name: str) -> None:
    model: Any = build(CAUSAL[name])
    ids = ids_of(PROMPTS)
    assert causal_tower(model) is not None
    with torch.no_grad():
        want, got = model.encode_text(ids), encode_text(model, ids)
    assert float(want.std(dim=0).mean()) > 0.05, "the features must differ for the comparison to mean anything"
    assert float((want - got).abs().max()) <= 1e-5 * scale_of(want)


@pytest.mark.parametrize("name", OTHERS)
def test_a_tower_that_is_not_causal_is_asked_itself(name: str) -> None:
    model: Any = build(OTHERS[name])
    ids = ids_of(PROMPTS[:60])
    assert causal_tower(model) is None
    with torch.no_grad():
        want, got = model.encode_text(ids), encode_text(model, ids)
    assert float((want - got).abs().max()) <= 1e-5 * scale_of(want)


def gradients(model: nn.Module, features: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    weights = torch.linspace(-1, 1, features.numel()).view_as(features)
    (features * weights).sin().sum().backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", CAUSAL)
def test_gradients_equal_those_of_the_padded_way(name: str) -> None:
    model: Any = build(CAUSAL[name])
    ids = ids_of(BAG + PROMPTS[-28:])
    want, got = gradients(model, model.encode_text(ids)), gradients(model, encode_text(model, ids))
    assert want.keys() == got.keys()
    assert sum("resblocks" in key for key in want) == 12 * len(causal_tower(model).blocks) + (  # type: ignore[union-attr]
        2 * 3 if name == "layer scale" else 0
    )
    for key, gradient in want.items():
        assert float((gradient - got[key]).norm()) <= 1e-4 * float(gradient.norm()), key


@pytest.mark.parametrize(
    "texts",
    [
        ["juggling"],
        ["juggling", "juggling", "juggling"],
        ["a", "a a", "a a a", "a a"],
        ["word " * 200, "word " * 300, "word"],
        [""],
        ["", "!"],
    ],
    ids=["one prompt", "duplicates", "prefixes", "too long", "empty", "token 0"],
)
def test_features_are_right_and_finite_at_the_edges(texts: list[str]) -> None:
    model: Any = build(config())
    ids = ids_of(texts)
    with torch.no_grad():
        want, got = model.encode_text(ids), encode_text(model, ids)
    assert bool(got.isfinite().all())
    assert float((want - got).abs().max()) <= 1e-5 * scale_of(want)


def test_ids_that_no_tokenizer_made_are_pooled_where_open_clip_pools_them() -> None:
    model: Any = build(config())
    ids = torch.randint(0, 49408, (12, 77), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        want, got = model.encode_text(ids), encode_text(model, ids)
    assert float((want - got).abs().max()) <= 1e-5 * scale_of(want)


def test_many_rows_in_several_passes_give_what_one_pass_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(config())
    ids = ids_of(PROMPTS)
    with torch.no_grad():
        once = encode_text(model, ids)
        monkeypatch.setattr("maxi_core.clip.textual.AT_ONCE", 256)
        assert torch.allclose(encode_text(model, ids), once, rtol=0, atol=1e-5)


def test_autocast_to_bf16_gives_finite_features_near_the_exact_ones() -> None:
    model: Any = build(config())
    ids = ids_of(BAG)
    with torch.no_grad():
        exact = encode_text(model, ids)
        with torch.autocast("cpu", torch.bfloat16):
            rough = encode_text(model, ids)
    cosine = torch.nn.functional.cosine_similarity(exact, rough.float(), dim=1)
    assert float(cosine.min()) > 0.99


def test_a_hugging_face_tower_is_asked_without_the_padding_that_it_masks(tmp_path: Any) -> None:
    from transformers import BertConfig

    folder = tmp_path / "bert"
    BertConfig(
        vocab_size=200, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
    ).save_pretrained(folder)
    text = {"hf_model_name": str(folder), "hf_model_pretrained": False, "hf_proj_type": "linear"}
    settings = config(custom=True) | {"text_cfg": text}
    model: Any = build(settings)
    ids = torch.randint(1, 200, (9, 40), generator=torch.Generator().manual_seed(0))
    for row, length in enumerate((3, 7, 12, 3, 1, 20, 19, 5, 2)):
        ids[row, length:] = 0
    ids[3] = ids[0]
    lengths = []
    hook = model.text.transformer.register_forward_pre_hook(
        lambda _, args, kwargs: lengths.append(kwargs["input_ids"].shape), with_kwargs=True
    )
    with torch.no_grad():
        got = encode_text(model, ids)
        hook.remove()
        want = model.encode_text(ids)
    assert lengths == [(8, 20)]
    assert float((want - got).abs().max()) <= 1e-5 * scale_of(want)
