"""The folder that transformers loads as a `CLIPModel` or `SiglipModel`, with its processor and tokenizer."""

from pathlib import Path
from typing import Any, cast

import torch

from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.model_rules import dumped
from maxi_core.clip.timm_tower import timm_tanh
from maxi_core.errors import MaxiError, UsageError
from maxi_core.export.open_clip_folder import preprocessing, tokenizer_files
from maxi_core.export.plain import heads_of, plain_weights, refuse_beyond
from maxi_core.interop.transformers_names import to_transformers
from maxi_core.system.bars import without_bars_of_transformers

TARGET = "transformers' CLIPModel"
WITHIN = 1e-5  # of features of length 1
GELU = {True: "gelu_pytorch_tanh", False: "gelu"}  # whether by the approximation with tanh
RESAMPLING = {"bilinear": 2, "bicubic": 3, "nearest": 0}  # Pillow's numbers
LOADING = """```python
from transformers import AutoModel, AutoProcessor

model, processor = AutoModel.from_pretrained("DIR"), AutoProcessor.from_pretrained("DIR")
```

A SigLIP reads texts in lower case and without punctuation, and filled up to its length (`padding="max_length"`)."""


def write_hugging_face(model: VideoCLIP, folder: Path) -> None:
    """Write the model, preprocessor_config.json and the files of its tokenizer, and compare features.

    Raises UsageError for a model that is no plain CLIP and no SigLIP, MaxiError if what was written gives other
    features.
    """
    from transformers import CLIPModel, SiglipModel

    bare = {key: value for key, value in model.weights().items() if not key.endswith("attn_mask")}
    weights, made = to_transformers(bare, "siglip"), cast(Any, None)
    if isinstance(weights, str):  # the name of one that a SigLIP has not
        refuse_beyond(model, TARGET, "mlp_ratio")
        weights, made = to_transformers(plain_weights(model), "clip"), CLIPModel(_config(model))
        assert not isinstance(weights, str)
    else:
        made = SiglipModel(_siglip_config(model))
    own = made.state_dict()
    shaped = {key: value.reshape(own[key].shape) if key in own else value for key, value in weights.items()}
    made.load_state_dict(shaped)
    made.eval()
    _compare(model, made)
    with without_bars_of_transformers():
        made.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(dumped(_processor(model)))
    for name, content in (tokenizer_files(model) or clip_tokenizer(model)).items():
        (folder / name).write_bytes(content)


def _siglip_config(model: VideoCLIP) -> Any:
    from transformers import SiglipConfig

    text, trunk = model.config["text_cfg"], model.visual.trunk
    block, width = trunk.blocks[0], text.get("width", 512)
    return SiglipConfig(
        text_config={
            "hidden_size": width,
            "intermediate_size": int(width * text.get("mlp_ratio", 4.0)),
            "num_hidden_layers": text.get("layers", 12),
            "num_attention_heads": text.get("heads", 8),
            "max_position_embeddings": text.get("context_length", 77),
            "vocab_size": text.get("vocab_size", 49408),
            "projection_size": model.width,
            "layer_norm_eps": (text.get("norm_kwargs") or {}).get("eps", 1e-5),
            "hidden_act": GELU[(text.get("act_kwargs") or {}).get("approximate") == "tanh"],
        },
        vision_config={
            "hidden_size": trunk.embed_dim,
            "intermediate_size": block.mlp.fc1.out_features,
            "num_hidden_layers": len(trunk.blocks),
            "num_attention_heads": block.attn.num_heads,
            "image_size": model.image_size,
            "patch_size": trunk.patch_embed.patch_size[0],
            "layer_norm_eps": block.norm1.eps,
            "hidden_act": GELU[bool(timm_tanh(model.visual))],
        },
    )


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


@torch.no_grad()
def _compare(model: VideoCLIP, made: Any) -> None:
    """Raise MaxiError if transformers' model gives other features than the one that it was made of."""
    from torch.nn.functional import normalize

    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, model.image_size, model.image_size, generator=generator)
    ids = model.tokenize(["a photo of a dog.", "jumping"]).ids
    seen, said = made.vision_model(images).pooler_output, made.text_model(ids).pooler_output
    if hasattr(made, "visual_projection"):  # of a CLIP; a SigLIP's pooling is its feature
        seen, said = made.visual_projection(seen), made.text_projection(said)
    pairs = ((seen, model.clip.encode_image(images)), (said, model.clip.encode_text(ids)))
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
