"""Packing the sandbox's models small for the package, and unpacking them into the folders that the libraries load.

Weights are packed as 16-bit floats and, of CLIP's token embedding, only the rows of tokens that training met; all other
rows are zero, which is a word that says nothing.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

DATA = Path(__file__).parent / "data"
TOKENS = "token_embedding.tokens"
EMBEDDING = "token_embedding.weight"
POSITIONS = "positional_embedding"
WEIGHTS = {"clip": "open_clip_model.safetensors", "blip": "model.safetensors", "tower": "model.safetensors"}

Weights = Mapping[str, NDArray[Any]]


def packed(weights: Weights) -> dict[str, NDArray[Any]]:
    """Return `weights` with 16-bit floats; whole numbers stay as they are."""
    return {
        name: np.ascontiguousarray(array.astype(np.float16) if array.dtype.kind == "f" else array)
        for name, array in weights.items()
    }


def unpacked(weights: Weights) -> dict[str, NDArray[Any]]:
    """Return `weights` with 32-bit floats."""
    return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in weights.items()}


def expanded(weights: Weights, rows: int, context: int) -> dict[str, NDArray[Any]]:
    """Return CLIP's weights with a token embedding of `rows` rows and `context` positions; new rows are zero."""
    full = dict(weights)
    tokens = full.pop(TOKENS)
    for name, height, places in ((EMBEDDING, rows, tokens), (POSITIONS, context, slice(0, len(full[POSITIONS])))):
        table = np.zeros((height, full[name].shape[1]), np.float32)
        table[places] = full[name]
        full[name] = table
    return full


def unpack_clip(folder: Path) -> None:
    """Write the CLIP as `open_clip_config.json` and `open_clip_model.safetensors` into `folder`."""
    source = DATA / "clip"
    shutil.copyfile(source / "open_clip_config.json", folder / "open_clip_config.json")
    text = json.loads((source / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]["text_cfg"]
    weights = unpacked(load_file(source / WEIGHTS["clip"]))
    save_file(expanded(weights, text["vocab_size"], text["context_length"]), folder / WEIGHTS["clip"])


def unpack_blip(folder: Path) -> None:
    """Write the captioner, its tokenizer and its image processor into `folder`, as `save_pretrained` does."""
    source = DATA / "blip"
    for file in source.iterdir():
        if file.name != WEIGHTS["blip"]:
            shutil.copyfile(file, folder / file.name)
    save_file(unpacked(load_file(source / WEIGHTS["blip"])), folder / WEIGHTS["blip"], {"format": "pt"})
