"""Training of the sandbox's captioner, on stills of its own whose captions always name the verb.

Its image tower is the trained one (`tower_training`) and stays as it is; the text decoder is trained.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tools.world.captions import spoken_caption, spoken_words
from tools.world.stills import SIZE, Still, frames
from tools.world.tower_training import HEADS, LAYERS, MEAN, PATCH, STD, WIDTH, normalised
from tools.world.towers import blip_tower

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
LONGEST = 16


@dataclass(frozen=True, slots=True)
class Lesson:
    """How the captioner is trained."""

    batch: int = 96
    lr: float = 2e-3
    last: float = 0.05
    warmup: int = 40
    weight_decay: float = 0.05
    steps: int = 1500
    seed: int = 4


def vocabulary() -> list[str]:
    """Return the captioner's tokens: BERT's special ones, BLIP's begin-of-caption, and whole words."""
    return [*SPECIAL, *spoken_words()]


def make_model() -> Any:
    """Return an untrained captioner; its weights follow torch's global seed, since transformers takes no generator."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    shape = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "initializer_range": 0.02}
    text = {
        "vocab_size": len(vocabulary()), "encoder_hidden_size": WIDTH, "projection_dim": WIDTH,
        "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 32,
        "bos_token_id": SPECIAL.index("[DEC]"), "eos_token_id": SPECIAL.index("[SEP]"),
        "sep_token_id": SPECIAL.index("[SEP]"), "pad_token_id": SPECIAL.index("[PAD]"),
    }  # fmt: skip
    # The range is set for vision too: transformers' own default there is 1e-10, with which nothing is ever learnt.
    vision = {
        "projection_dim": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "image_size": SIZE,
        "patch_size": PATCH,
    }  # fmt: skip
    config = BlipConfig(
        text_config=shape | text, vision_config=shape | vision, projection_dim=WIDTH, image_text_hidden_size=WIDTH
    )
    return BlipForConditionalGeneration(config)


def encode(captions: Sequence[str]) -> Tensor:
    """Return captions as tokens from begin to end of caption, padded, (n, longest)."""
    numbers = {word: number for number, word in enumerate(vocabulary())}
    rows = [["[DEC]", *caption.split(), "[SEP]"] for caption in captions]
    longest = max(map(len, rows))
    return torch.tensor([[numbers[word] for word in row + ["[PAD]"] * (longest - len(row))] for row in rows])


def pretrain(stills: Sequence[Still], tower: Mapping[str, Tensor], lesson: Lesson) -> Iterator[tuple[int, float, Any]]:
    """Train a captioner that sees through `tower` (open_clip's names); yield (step, loss, the model as it is now)."""
    torch.manual_seed(lesson.seed)
    rng = np.random.default_rng(lesson.seed)
    model = make_model()
    model.vision_model.load_state_dict(blip_tower(tower, LAYERS))
    decoder = model.text_decoder
    optimiser = torch.optim.AdamW(
        decoder.parameters(), lesson.lr, betas=(0.9, 0.98), weight_decay=lesson.weight_decay, fused=True
    )
    seen = _seen(model, torch.from_numpy(frames(stills)))
    for step in range(1, lesson.steps + 1):
        rows = rng.choice(len(stills), lesson.batch, replace=False)
        tokens = encode([spoken_caption(stills[row], rng) for row in rows])
        padding = tokens == 0
        loss = decoder(
            input_ids=tokens,
            attention_mask=(~padding).long(),
            encoder_hidden_states=seen[rows],
            labels=tokens.masked_fill(padding, -100),
        ).loss
        for group in optimiser.param_groups:
            fall = 1 - (1 - lesson.last) * step / lesson.steps
            group["lr"] = lesson.lr * min(1.0, step / lesson.warmup) * fall
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        yield step, loss.item(), model


def _seen(model: Any, raw: Tensor) -> Tensor:
    with torch.no_grad():
        parts = [model.vision_model(normalised(part)).last_hidden_state for part in torch.split(raw, 250)]
    return torch.cat(parts)


def captions(model: Any, raw: Tensor) -> list[str]:
    """Return the model's greedy captions of 8-bit frames (n, 60, 60, 3)."""
    words = vocabulary()
    with torch.no_grad():
        tokens = model.generate(pixel_values=normalised(raw), max_new_tokens=LONGEST, do_sample=False, num_beams=1)
    return [" ".join(words[token] for token in row if words[token] not in SPECIAL) for row in tokens.tolist()]


def save_processor(folder: Path) -> None:
    """Write the captioner's tokenizer and image processor into `folder`."""
    from transformers import BertTokenizer, BlipImageProcessor, BlipProcessor

    (folder / "vocab.txt").write_text("\n".join(vocabulary()) + "\n", encoding="utf-8")
    # Special, so that decoding leaves it out.
    tokenizer = BertTokenizer.from_pretrained(folder, bos_token="[DEC]")  # noqa: S106 - no password
    looks = BlipImageProcessor(
        size={"height": SIZE, "width": SIZE}, image_mean=[MEAN] * 3, image_std=[STD] * 3, do_convert_rgb=True
    )
    looks.save_pretrained(folder)  # where transformers 4 looks; version 5 reads the processor's file
    processor: Any = BlipProcessor
    processor(looks, tokenizer).save_pretrained(folder)
