"""Contrastive pretraining of the sandbox's CLIP, on stills whose captions name things often and verbs seldom."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.sandbox.captions import Caption, web_caption, words
from maxi_core.sandbox.stills import Still, frames

MODEL: dict[str, Any] = {
    "embed_dim": 96,
    "quick_gelu": False,
    "vision_cfg": {"image_size": 64, "patch_size": 8, "width": 96, "layers": 4, "head_width": 32, "no_ln_pre": True},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 2},
}
MEAN, STD = 0.8, 0.25
# Captions are short, and half the context halves the text tower's cost; later positions stay at zero.
TRAINED_CONTEXT = 16


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of CLIP's training: `verb_share` of the captions name the verb, `alone` of those do not name the thing."""

    verb_share: float
    alone: float
    lr: float
    warmup: int
    steps: int
    seed: int
    batch: int = 128
    weight_decay: float = 0.05


# Verbs rise faster than things, so the second lesson names them less; the third settles the noise of the large steps
# and ends when the check of `pretrain` is content.
LESSONS = (
    Lesson(0.3, 0.4, lr=1e-3, warmup=50, steps=100, seed=4),
    Lesson(0.1, 0.4, lr=1e-3, warmup=25, steps=100, seed=5),
    Lesson(0.2, 0.4, lr=2e-4, warmup=1, steps=200, seed=6),
)


class Vocabulary:
    """The tokens of open_clip's tokenizer that the captions use, numbered without gaps and in the same order.

    The order keeps the end-of-text token the largest of all, which is how open_clip finds it.
    """

    def __init__(self) -> None:
        import open_clip

        self._tokenize = open_clip.SimpleTokenizer(context_length=TRAINED_CONTEXT)
        found = {token for word in words() for token in self._tokenize.encode(word)}
        self.ids = torch.tensor(sorted(found | {0, self._tokenize.sot_token_id, self._tokenize.eot_token_id}))

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return the texts' tokens, (n, 16), numbered from 0 to len(ids) - 1."""
        tokens: Tensor = self._tokenize(list(texts))
        return torch.searchsorted(self.ids, tokens)


def pixels(stills: Sequence[Still]) -> Tensor:
    """Return the stills' frames as the model wants them, (n, 3, 64, 64)."""
    return normalised(torch.from_numpy(frames(list(stills))))


def normalised(raw: Tensor) -> Tensor:
    """Return 8-bit frames (n, h, w, 3) as floats (n, 3, h, w) around 0."""
    return (raw.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def contrast(logits: Tensor, captions: Sequence[Caption]) -> Tensor:
    """Return the symmetric contrastive loss; captions of equal content share the target evenly."""
    numbers: dict[tuple[str, str, str], int] = {}
    group = torch.tensor([numbers.setdefault(caption.content, len(numbers)) for caption in captions])
    same = (group[:, None] == group[None]).float()
    target = same / same.sum(1, keepdim=True)
    return (functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)) / 2


def untrained(vocabulary: Vocabulary, seed: int) -> Any:
    """Return a CLIP with the compact vocabulary before training."""
    from open_clip.model import CLIP

    torch.manual_seed(seed)  # open_clip initialises from torch's global state and takes no generator
    text = MODEL["text_cfg"] | {"vocab_size": len(vocabulary.ids), "context_length": TRAINED_CONTEXT}
    return CLIP(**(MODEL | {"text_cfg": text}))


def pretrain(
    model: Any, stills: Sequence[Still], vocabulary: Vocabulary, lesson: Lesson
) -> Iterator[tuple[int, float]]:
    """Train `model` on stills with web captions; yield (step, loss) after each step."""
    rng = np.random.default_rng(lesson.seed)
    optimiser = torch.optim.AdamW(
        model.parameters(), lesson.lr, betas=(0.9, 0.98), weight_decay=lesson.weight_decay, fused=True
    )
    raw = torch.from_numpy(frames(list(stills)))
    for step in range(1, lesson.steps + 1):
        rows = rng.choice(len(stills), lesson.batch, replace=False)
        captions = [web_caption(stills[row], lesson.verb_share, lesson.alone, rng) for row in rows]
        image, written, scale = model(normalised(raw[rows]), vocabulary([caption.text for caption in captions]))
        loss = contrast(scale * image @ written.T, captions)
        for group in optimiser.param_groups:
            group["lr"] = lesson.lr * min(1.0, step / lesson.warmup)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=4.0)
        yield step, loss.item()
