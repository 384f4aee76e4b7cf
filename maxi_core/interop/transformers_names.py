"""The weights of Hugging Face's CLIPModel and SiglipModel under the names, and in the shapes, that open_clip has.

Hugging Face keeps queries, keys and values apart and projections as linear layers; open_clip has them in one tensor
each, and CLIP's projections the other way round.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.model_rules import COUNT, whole
from maxi_core.errors import UsageError
from maxi_core.interop.layouts import Layout, Project
from maxi_core.interop.tensor_files import Lazies, Lazy

if TYPE_CHECKING:
    from torch import Tensor

KINDS = ("clip", "siglip")  # model_type of config.json
TANH = ("gelu_pytorch_tanh", "gelu_new")  # the approximation of GELU
ACTIVATIONS = {"quick_gelu": True, "gelu": False, **dict.fromkeys(TANH, False)}
IDS = "position_ids"  # a row of numbers that older versions saved

# Of a layer, and of what is outside of them: ours -> theirs.
TEXT_BLOCK = {"ln_1": "layer_norm1", "ln_2": "layer_norm2", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
TIMM_BLOCK = {"norm1": "layer_norm1", "norm2": "layer_norm2", "mlp.fc1": "mlp.fc1", "mlp.fc2": "mlp.fc2"}
OUT = "self_attn.out_proj"
CLIP_ONES = {
    "logit_scale": "logit_scale",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    **{f"ln_final.{part}": f"text_model.final_layer_norm.{part}" for part in ("weight", "bias")},
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    **{f"visual.ln_pre.{part}": f"vision_model.pre_layrnorm.{part}" for part in ("weight", "bias")},
    **{f"visual.ln_post.{part}": f"vision_model.post_layernorm.{part}" for part in ("weight", "bias")},
}
CLIP_TURNED = {"text_projection": "text_projection.weight", "visual.proj": "visual_projection.weight"}
POOL = "visual.trunk.attn_pool"
SIGLIP_ONES = {
    "logit_scale": "logit_scale",
    "logit_bias": "logit_bias",
    "text.token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "text.positional_embedding": "text_model.embeddings.position_embedding.weight",
    f"{POOL}.latent": "vision_model.head.probe",
    "visual.trunk.pos_embed": "vision_model.embeddings.position_embedding.weight",
    **{
        f"{ours}.{part}": f"{theirs}.{part}"
        for ours, theirs in {
            "text.ln_final": "text_model.final_layer_norm",
            "text.text_projection": "text_model.head",
            "visual.trunk.patch_embed.proj": "vision_model.embeddings.patch_embedding",
            "visual.trunk.norm": "vision_model.post_layernorm",
            f"{POOL}.proj": "vision_model.head.attention.out_proj",
            f"{POOL}.norm": "vision_model.head.layernorm",
            f"{POOL}.mlp.fc1": "vision_model.head.mlp.fc1",
            f"{POOL}.mlp.fc2": "vision_model.head.mlp.fc2",
        }.items()
        for part in ("weight", "bias")
    },
}
ONES = {"clip": CLIP_ONES, "siglip": SIGLIP_ONES}
POOLED = "vision_model.head.attention.in_proj_{}"  # queries, keys and values of SigLIP's pooling in one
TEXTS, PATCHES = ("attn.in_proj_{}", "attn.out_proj"), ("attn.qkv.{}", "attn.proj")  # open_clip's blocks, and timm's
# Of each tower theirs, ours, the parts of a block, and what queries, keys and values and the projection are called.
BLOCKS = {
    "clip": (
        ("text_model", "transformer.resblocks", TEXT_BLOCK, *TEXTS),
        ("vision_model", "visual.transformer.resblocks", TEXT_BLOCK, *TEXTS),
    ),
    "siglip": (
        ("text_model", "text.transformer.resblocks", TEXT_BLOCK, *TEXTS),
        ("vision_model", "visual.trunk.blocks", TIMM_BLOCK, *PATCHES),
    ),
}


def to_transformers(weights: "Mapping[str, Tensor]", kind: str) -> "dict[str, Tensor] | str":
    """Return the weights of an open_clip model under the names of transformers, or the first that has none there."""
    import torch

    named: dict[str, Tensor] = {}
    rest = dict(weights)
    for part in ("weight", "bias") if kind == "siglip" else ():
        both = [rest.pop(f"{POOL}.{name}.{part}", None) for name in ("q", "kv")]
        if both[0] is not None and both[1] is not None:
            named[POOLED.format(part)] = torch.cat([both[0], both[1]])
    for key, value in rest.items():
        if not (made := _theirs(key, value, kind)):
            return key
        named |= made
    return named


def _theirs(key: str, value: "Tensor", kind: str) -> "dict[str, Tensor]":
    """Return one weight under its name in transformers, three for queries, keys and values; {} if it has none."""
    if key in ONES[kind]:
        return {ONES[kind][key]: value}
    if kind == "clip" and key in CLIP_TURNED:
        return {CLIP_TURNED[key]: value.t().contiguous()}
    for tower, ours, names, qkv, out in BLOCKS[kind]:
        if not key.startswith(f"{ours}."):
            continue
        number, _, rest = key.removeprefix(f"{ours}.").partition(".")
        block = f"{tower}.encoder.layers.{number}"
        for part in ("weight", "bias"):
            if rest == qkv.format(part):
                apart = zip("qkv", value.chunk(3), strict=True)
                return {f"{block}.self_attn.{letter}_proj.{part}": one.contiguous() for letter, one in apart}
        module, _, part = rest.rpartition(".")
        theirs = {**names, out: OUT}.get(module)
        return {f"{block}.{theirs}.{part}": value} if theirs else {}
    return {}


def from_transformers(
    folder: Path, config: Mapping[str, Any], weights: Lazies, preprocess: Mapping[str, Any] | None
) -> Layout:
    """Return the layout of a folder of transformers with its config.json; raises UsageError for another model."""
    kind = config.get("model_type")
    if kind not in KINDS:
        raise UsageError(
            f"{folder} holds a model of the kind {str(kind)[:40]!r}", "a CLIPModel or SiglipModel can be imported"
        )
    towers = [config.get(f"{tower}_config") or {} for tower in ("text", "vision")]
    if not all(isinstance(tower, dict) for tower in towers):
        raise UsageError(f"{folder} describes no towers in config.json", "fetch the folder again")
    usual = "quick_gelu" if kind == "clip" else "gelu_pytorch_tanh"
    said = [str(tower.get("hidden_act", usual)) for tower in towers]
    tanh = frozenset(key for key, act in zip(("text_cfg", "vision_cfg"), said, strict=True) if act in TANH)
    known = ACTIVATIONS.keys() >= set(said) and len({ACTIVATIONS[act] for act in said}) == 1
    if not known or (kind == "clip" and len(tanh) == 1):
        both = " and ".join(sorted(set(said)))
        raise UsageError(f"{folder} computes {both}", "maxi has GELU and QuickGELU, in both towers")
    quick = ACTIVATIONS[said[0]]
    project = Project("Hugging Face", quick_gelu=quick if kind == "clip" else None)
    left = {key: value for key, value in weights.items() if not key.endswith(IDS)}
    named = _clip(left) if kind == "clip" else _siglip(left)
    used = {theirs for theirs, _ in named.values()}
    every = {one for both in used for one in both.split(" ")}
    dropped = tuple(sorted(left.keys() - every))
    own = _config(towers, config, quick) if kind == "clip" else None
    return Layout(project, {key: one for key, (_, one) in named.items()}, dropped, None, own, preprocess, tanh)


Named = dict[str, tuple[str, Lazy]]  # our name -> their names, with a space between, and the tensor


def _clip(weights: Lazies) -> Named:
    found = _ones(weights, CLIP_ONES)
    found |= {ours: (theirs, _turned(weights[theirs])) for ours, theirs in CLIP_TURNED.items() if theirs in weights}
    for tower in BLOCKS["clip"]:
        found |= _layers(weights, *tower)
    return found


def _siglip(weights: Lazies) -> Named:
    found = _ones(weights, SIGLIP_ONES)
    if (ours := "visual.trunk.pos_embed") in found:
        theirs, one = found[ours]
        found[ours] = (theirs, _reshaped(one, (1, *one.shape)))
    for tower in BLOCKS["siglip"]:
        found |= _layers(weights, *tower)
    for part in ("weight", "bias"):
        theirs = POOLED.format(part)
        if theirs in weights:
            whole = weights[theirs]
            width = whole.shape[0] // 3
            found[f"{POOL}.q.{part}"] = (theirs, _rows(whole, 0, width))
            found[f"{POOL}.kv.{part}"] = (theirs, _rows(whole, width, 3 * width))
    return found


def _ones(weights: Lazies, names: Mapping[str, str]) -> Named:
    return {ours: (theirs, weights[theirs]) for ours, theirs in names.items() if theirs in weights}


def _layers(weights: Lazies, tower: str, ours: str, names: Mapping[str, str], qkv: str, out: str) -> Named:
    """Return the blocks of a tower: its norms, its MLP, and its queries, keys and values in one."""
    found: Named = {}
    for number in _numbers(weights, f"{tower}.encoder.layers."):
        theirs = f"{tower}.encoder.layers.{number}"
        pairs = {f"{ours}.{number}.{one}": f"{theirs}.{other}" for one, other in {**names, out: OUT}.items()}
        for part in ("weight", "bias"):
            found |= _ones(weights, {f"{one}.{part}": f"{other}.{part}" for one, other in pairs.items()})
            apart = [f"{theirs}.self_attn.{letter}_proj.{part}" for letter in "qkv"]
            if all(one in weights for one in apart):
                together = _stacked([weights[one] for one in apart])
                found[f"{ours}.{number}.{qkv.format(part)}"] = (" ".join(apart), together)
    return found


def _numbers(weights: Iterable[str], prefix: str) -> list[str]:
    found = {key.removeprefix(prefix).partition(".")[0] for key in weights if key.startswith(prefix)}
    return sorted(found, key=lambda number: (len(number), number))


def _turned(one: Lazy) -> Lazy:
    return Lazy(one.shape[::-1], lambda: one.read().t().contiguous())


def _reshaped(one: Lazy, shape: tuple[int, ...]) -> Lazy:
    return Lazy(shape, lambda: one.read().reshape(shape))


def _rows(one: Lazy, first: int, end: int) -> Lazy:
    return Lazy((end - first, *one.shape[1:]), lambda: one.read()[first:end])


def _stacked(parts: list[Lazy]) -> Lazy:
    def read() -> "Tensor":
        import torch

        return torch.cat([part.read() for part in parts])

    return Lazy((sum(part.shape[0] for part in parts), *parts[0].shape[1:]), read)


def _config(towers: list[Mapping[str, Any]], config: Mapping[str, Any], quick: bool) -> dict[str, Any]:
    """Return open_clip's model_cfg for a CLIPModel's config.json, whose defaults are those of a ViT-B/32."""
    text, vision = towers
    width, narrow = _count(vision, "hidden_size", 768), _count(text, "hidden_size", 512)
    heads = _count(vision, "num_attention_heads", 12)
    return {
        "embed_dim": _count(config, "projection_dim", 512),
        "quick_gelu": quick,
        "vision_cfg": {
            "image_size": _count(vision, "image_size", 224),
            "patch_size": _count(vision, "patch_size", 32),
            "layers": _count(vision, "num_hidden_layers", 12),
            "width": width,
            "head_width": width // heads,
            "mlp_ratio": _count(vision, "intermediate_size", 4 * width) / width,
        },
        "text_cfg": {
            "context_length": _count(text, "max_position_embeddings", 77),
            "vocab_size": _count(text, "vocab_size", 49408),
            "layers": _count(text, "num_hidden_layers", 12),
            "width": narrow,
            "heads": _count(text, "num_attention_heads", 8),
            "mlp_ratio": _count(text, "intermediate_size", 4 * narrow) / narrow,
        },
    }


def _count(table: Mapping[str, Any], key: str, usual: int) -> int:
    value = table.get(key, usual)
    if not whole(value):
        raise UsageError(f"config.json has {key} = {repr(value)[:80]}", f"allowed: {COUNT.says}")
    return int(value)
