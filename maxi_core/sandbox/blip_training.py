"""Training of the sandbox's captioner, on stills of its own whose captions always name the verb."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.sandbox.captions import spoken_caption, spoken_words
from maxi_core.sandbox.motions import MOTIONS
from maxi_core.sandbox.painting import THINGS
from maxi_core.sandbox.stills import SIZE, Still, frames

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]")
MEAN, STD = 0.8, 0.25
WIDTH = 96
LONGEST = 16
NAMED = (list(MOTIONS), list(THINGS))


@dataclass(frozen=True, slots=True)
class Lesson:
    """How the captioner is trained."""

    batch: int = 64
    lr: float = 1e-3
    warmup: int = 200
    weight_decay: float = 0.05
    steps: int = 4000
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
        "projection_dim": WIDTH, "num_hidden_layers": 4, "num_attention_heads": 3, "image_size": SIZE, "patch_size": 8,
    }  # fmt: skip
    config = BlipConfig(
        text_config=shape | text, vision_config=shape | vision, projection_dim=WIDTH, image_text_hidden_size=WIDTH
    )
    return BlipForConditionalGeneration(config)


def pixels(raw: Tensor) -> Tensor:
    """Return 8-bit frames (n, 64, 64, 3) as the model wants them, (n, 3, 64, 64)."""
    return (raw.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def encode(captions: Sequence[str]) -> Tensor:
    """Return captions as tokens from begin to end of caption, padded, (n, longest)."""
    numbers = {word: number for number, word in enumerate(vocabulary())}
    rows = [["[DEC]", *caption.split(), "[SEP]"] for caption in captions]
    longest = max(map(len, rows))
    return torch.tensor([[numbers[word] for word in row + ["[PAD]"] * (longest - len(row))] for row in rows])


def pretrain(stills: Sequence[Still], lesson: Lesson) -> Iterator[tuple[int, float, Any]]:
    """Train a captioner from scratch; yield (step, loss, the model as it is now) after each step."""
    torch.manual_seed(lesson.seed)
    rng = np.random.default_rng(lesson.seed)
    model = make_model()
    # BLIP's own pretraining has losses on the image besides the caption's. Naming what is seen from the class token is
    # the simplest of that kind: with the caption's loss alone, verbs were still at chance after 25,000 stills.
    naming = torch.nn.Linear(WIDTH, sum(map(len, NAMED)))
    optimiser = torch.optim.AdamW(
        [*model.parameters(), *naming.parameters()],
        lesson.lr,
        betas=(0.9, 0.98),
        weight_decay=lesson.weight_decay,
        fused=True,
    )
    raw = torch.from_numpy(frames(list(stills)))
    for step in range(1, lesson.steps + 1):
        rows = rng.choice(len(stills), lesson.batch, replace=False)
        tokens = encode([spoken_caption(stills[row], rng) for row in rows])
        padding = tokens == 0
        said = model(
            pixel_values=pixels(raw[rows]),
            input_ids=tokens,
            attention_mask=(~padding).long(),
            labels=tokens.masked_fill(padding, -100),
        )
        for group in optimiser.param_groups:
            group["lr"] = lesson.lr * min(1.0, step / lesson.warmup)
        optimiser.zero_grad()
        (said.loss + _naming_loss(naming(said.last_hidden_state[:, 0]), [stills[row] for row in rows])).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        yield step, said.loss.item(), model


def _naming_loss(logits: Tensor, shown: Sequence[Still]) -> Tensor:
    parts = torch.split(logits, [len(names) for names in NAMED], dim=1)
    truths = ([one.verb for one in shown], [one.thing for one in shown])
    losses = [
        functional.cross_entropy(part, torch.tensor([names.index(truth) for truth in said]))
        for part, names, said in zip(parts, NAMED, truths, strict=True)
    ]
    return torch.stack(losses).sum()


def captions(model: Any, raw: Tensor) -> list[str]:
    """Return the model's greedy captions of 8-bit frames (n, 64, 64, 3)."""
    words = vocabulary()
    with torch.no_grad():
        tokens = model.generate(pixel_values=pixels(raw), max_new_tokens=LONGEST, do_sample=False, num_beams=1)
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
