"""Random weights in the layouts and sizes of the models that maxi uses unless told otherwise."""

import csv
import json
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

CLIP = "ViT-B-16-quickgelu", "openai"
CAPTIONER = "Salesforce/blip-image-captioning-large"
WORDS = 30_522  # of BERT's vocabulary; BLIP adds two
SPECIAL = {0: "[PAD]", 100: "[UNK]", 101: "[CLS]", 102: "[SEP]", 103: "[MASK]"}
ADDED = ("[DEC]", "[ENC]")
TALKATIVE = 1.0  # deviation of the decoder's positions: with 0.02 a random decoder says one word over and over
MEAN, DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]

LARGE_TEXT = {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "max_position_embeddings": 512, "encoder_hidden_size": 1024, "projection_dim": 768,
}  # fmt: skip
LARGE_VISION = {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16,
    "image_size": 384, "patch_size": 16, "projection_dim": 512,
}  # fmt: skip
TINY_TEXT = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
    "max_position_embeddings": 32, "encoder_hidden_size": 32, "projection_dim": 32,
}  # fmt: skip
TINY_VISION = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2,
    "image_size": 32, "patch_size": 16, "projection_dim": 32,
}  # fmt: skip


def clip_repository() -> str:
    """Return the name on the hub of the CLIP that bags are matched with and that is trained."""
    import open_clip

    return str(open_clip.get_pretrained_cfg(*CLIP)["hf_hub"]).rstrip("/")


def write_clip(folder: Path) -> None:
    """Write a ViT-B/16 in float32 as the hub keeps it for open_clip, 0.6 GB."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.create_model(CLIP[0], pretrained=None, precision="fp32", device="cpu")
    save_file(model.state_dict(), folder / "open_clip_model.safetensors", {"format": "pt"})
    about = open_clip.get_model_config(CLIP[0])
    preprocess = {"mean": MEAN, "std": DEVIATION}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": about, "preprocess_cfg": preprocess}))


def write_blip(folder: Path, text: dict[str, int] | None = None, vision: dict[str, int] | None = None) -> None:
    """Write a BLIP with its tokenizer and image processor, with BLIP-large's sizes (1.9 GB) unless others are given."""
    import torch
    from transformers import BlipConfig, BlipForConditionalGeneration

    ids = {"bos_token_id": WORDS, "eos_token_id": 2, "pad_token_id": 0, "sep_token_id": 102}
    vision = vision or LARGE_VISION
    config = BlipConfig(
        text_config={**(text or LARGE_TEXT), **ids, "vocab_size": WORDS + len(ADDED), "initializer_range": 0.02},
        vision_config={**vision, "initializer_range": 0.02},
        projection_dim=512,
        image_text_hidden_size=256,
    )
    torch.manual_seed(0)
    model: Any = BlipForConditionalGeneration(config)
    with torch.no_grad():
        model.text_decoder.bert.embeddings.position_embeddings.weight.normal_(0.0, TALKATIVE)
    model.save_pretrained(folder, max_shard_size="10GB")
    _write_processor(folder, vision["image_size"])


def write_tiny_blip(folder: Path) -> None:
    """Write a BLIP with all files of a large one that is computed in no time."""
    write_blip(folder, TINY_TEXT, TINY_VISION)


def _write_processor(folder: Path, side: int) -> None:
    from transformers import BertTokenizer, BlipImageProcessor, BlipProcessor

    (folder / "vocab.txt").write_text("\n".join([*_vocabulary(), *ADDED]) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer.from_pretrained(folder, bos_token=ADDED[0])
    looks = BlipImageProcessor(
        size={"height": side, "width": side}, image_mean=MEAN, image_std=DEVIATION, do_convert_rgb=True
    )
    looks.save_pretrained(folder)  # where transformers 4 looks; version 5 reads the processor's file
    processor: Any = BlipProcessor
    processor(looks, tokenizer).save_pretrained(folder)


def _vocabulary() -> Iterator[str]:
    """Yield as many words as BERT has: its special ones at their places, verbs in their forms, other English words."""
    words = _words()
    for place in range(WORDS):
        yield SPECIAL.get(place) or (f"[unused{place}]" if place < 999 else next(words))


def _words() -> Iterator[str]:
    """Yield different English words, from pyinflect's list: all forms of verbs and the nouns beside them."""
    found = find_spec("pyinflect")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pyinflect")
    seen: set[str] = set()
    with (Path(found.origin).parent / "infl.csv").open(encoding="utf-8") as file:
        for base, kind, *forms in csv.reader(file):
            for word in (base, *forms) if kind == "V" else (base,):
                if word.isalpha() and word.islower() and word not in seen:
                    seen.add(word)
                    yield word
