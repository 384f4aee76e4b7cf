"""The folder that transformers loads as a `CLIPModel`, with its processor and tokenizer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.model_rules import dumped
from maxi_core.errors import MaxiError, UsageError
from maxi_core.export.open_clip_folder import preprocessing
from maxi_core.export.plain import heads_of, plain_weights, refuse_beyond
from maxi_core.system.bars import without_bars_of_transformers

TARGET = "transformers' CLIPModel"
WITHIN = 1e-5  # of features of length 1
RESAMPLING = {"bilinear": 2, "bicubic": 3, "nearest": 0}  # Pillow's numbers
LOADING = """```python
from transformers import CLIPModel, CLIPProcessor

model, processor = CLIPModel.from_pretrained("DIR"), CLIPProcessor.from_pretrained("DIR")
```"""
BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
    "attn.out_proj": "self_attn.out_proj",
}
TOP = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    **{f"visual.ln_pre.{part}": f"vision_model.pre_layrnorm.{part}" for part in ("weight", "bias")},
    **{f"visual.ln_post.{part}": f"vision_model.post_layernorm.{part}" for part in ("weight", "bias")},
    "visual.proj": "visual_projection.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    **{f"ln_final.{part}": f"text_model.final_layer_norm.{part}" for part in ("weight", "bias")},
    "text_projection": "text_projection.weight",
    "logit_scale": "logit_scale",
}
TRANSPOSED = ("visual.proj", "text_projection")


def write_hugging_face(model: VideoCLIP, folder: Path) -> None:
    """Write the model, preprocessor_config.json and the files of CLIP's tokenizer, and compare features.

    Raises UsageError for a model that is no plain CLIP, MaxiError if what was written gives other features.
    """
    from transformers import CLIPModel

    refuse_beyond(model, TARGET, "mlp_ratio")
    made: Any = CLIPModel(_config(model))
    made.eval()
    made.load_state_dict(_renamed(plain_weights(model)))
    _compare(model, made)
    with without_bars_of_transformers():
        made.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(dumped(_processor(model)))
    for name, content in clip_tokenizer(model).items():
        (folder / name).write_bytes(content)


def _config(model: VideoCLIP) -> Any:
    from transformers import CLIPConfig

    vision, text = model.config["vision_cfg"], model.config["text_cfg"]
    heads = heads_of(model.config)
    shared = {
        "hidden_act": "quick_gelu" if model.config.get("quick_gelu") else "gelu",
        "projection_dim": model.width,
    }
    width, across = vision.get("width", 768), text.get("width", 512)
    return CLIPConfig(
        projection_dim=model.width,
        vision_config={
            **shared,
            "hidden_size": width,
            "intermediate_size": int(width * vision.get("mlp_ratio", 4.0)),
            "num_hidden_layers": vision.get("layers", 12),
            "num_attention_heads": heads[0],
            "image_size": model.image_size,
            "patch_size": vision.get("patch_size", 16),
        },
        text_config={
            **shared,
            "hidden_size": across,
            "intermediate_size": int(across * text.get("mlp_ratio", 4.0)),
            "num_hidden_layers": text.get("layers", 12),
            "num_attention_heads": heads[1],
            "max_position_embeddings": text.get("context_length", 77),
            "vocab_size": text.get("vocab_size", 49408),
            "bos_token_id": model.tokenizer.sot_token_id,
            "eos_token_id": model.tokenizer.eot_token_id,
            "pad_token_id": model.tokenizer.eot_token_id,
        },
    )


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights under the keys of transformers; query, key and value of an attention are apart there."""
    named: dict[str, Tensor] = {}
    for key, value in weights.items():
        before, within, after = key.partition("transformer.resblocks.")
        if not within:
            named[TOP[key]] = value.T.contiguous() if key in TRANSPOSED else value
            continue
        number, _, rest = after.partition(".")
        block = f"{'vision' if before else 'text'}_model.encoder.layers.{number}"
        if rest.startswith("attn.in_proj_"):
            for name, part in zip("qkv", value.chunk(3), strict=True):
                named[f"{block}.self_attn.{name}_proj.{rest.removeprefix('attn.in_proj_')}"] = part.contiguous()
        else:
            module, _, part_name = rest.rpartition(".")
            named[f"{block}.{BLOCK[module]}.{part_name}"] = value
    return named


@torch.no_grad()
def _compare(model: VideoCLIP, made: Any) -> None:
    """Raise MaxiError if transformers' model gives other features than the one that it was made of."""
    from torch.nn.functional import normalize

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, model.image_size, model.image_size, generator=generator)
    ids = model.tokenize(["a photo of a dog.", "jumping"]).ids
    pairs = (
        (made.visual_projection(made.vision_model(images).pooler_output), model.clip.encode_image(images)),
        (made.text_projection(made.text_model(ids).pooler_output), model.clip.encode_text(ids)),
    )
    for tower, (theirs, own) in zip(("image", "text"), pairs, strict=True):
        apart = float((normalize(theirs, dim=-1) - normalize(own, dim=-1)).abs().max())
        if apart > WITHIN:
            raise MaxiError(f"transformers computes other {tower} features of '{model.name}': {apart:.1e} apart")


def _processor(model: VideoCLIP) -> dict[str, Any]:
    """Return preprocessor_config.json: open_clip's own preparation of an image, in the words of transformers."""
    said, size = preprocessing(model), model.image_size
    if said["resize_mode"] == "longest" or said["interpolation"] not in RESAMPLING:
        raise UsageError(
            f"{TARGET} cannot prepare images as '{model.name}' does: {said['resize_mode']}, {said['interpolation']}",
            "export it --to open-clip",
        )
    square, squashed = {"height": size, "width": size}, said["resize_mode"] == "squash"
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": square if squashed else {"shortest_edge": size},
        "resample": RESAMPLING[said["interpolation"]],
        "do_center_crop": not squashed,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(model.statistics[0]),
        "image_std": list(model.statistics[1]),
    }


def clip_tokenizer(model: VideoCLIP) -> dict[str, bytes]:
    """Return the files of CLIP's own tokenizer as transformers reads them, by name."""
    own = model.tokenizer
    merges = "".join(f"{first} {second}\n" for first, second in own.bpe_ranks)
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "bos_token": "<|startoftext|>",
        "eos_token": "<|endoftext|>",
        "unk_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": own.context_length,
    }
    vocabulary = {_SPECIAL.get(token, token): number for token, number in own.encoder.items()}
    return {
        "vocab.json": dumped(vocabulary),
        "merges.txt": f"#version: 0.2\n{merges}".encode(),
        "tokenizer_config.json": dumped(settings),
    }


_SPECIAL = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
