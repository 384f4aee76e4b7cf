"""Contrastive pretraining of the sandbox's CLIP: its text tower and projections, on what a trained image tower sees."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, log, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from maxi_sandbox.actions import NAMED, USUAL
from tools.world.captions import Caption, facts_of, is_true, web_caption, words
from tools.world.stills import Still, frames
from tools.world.tower_training import VISION, class_tokens, normalised

MODEL: dict[str, Any] = {
    "embed_dim": 96,
    "quick_gelu": False,
    "vision_cfg": VISION,
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 2},
}
# Captions are short, and less context halves the text tower's cost; later positions stay at zero.
TRAINED_CONTEXT = 24
# The temperature that finetuning starts with (method.md). With a learnt one, about 0.06 after so short a training,
# finetuning took the matches' errors for certain.
SIGMA = 0.02


@dataclass(frozen=True, slots=True)
class Lesson:
    """How CLIP is trained. Chosen on the dev benchmarks.

    What is done is named only of pictures with the thing that usually goes with it: so this CLIP takes things for signs
    of verbs. Of those with one of the dictionary's verbs a `named_share` of the captions name it, of those with another
    an `other_share`: a web of photographs says more of what is done with things.
    """

    named_share: float = 0.4
    other_share: float = 0.12
    lr: float = 2e-3
    warmup: int = 30
    steps: int = 1000
    seed: int = 0
    batch: int = 256
    weight_decay: float = 0.05

    def share(self, still: Still) -> float:
        """Return the share of captions that name what is done, among those of pictures like `still`."""
        if still.thing != USUAL[still.verb]:
            return 0.0
        return self.named_share if still.verb in NAMED else self.other_share


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
        """Return the texts' tokens, (n, 24), numbered from 0 to len(ids) - 1."""
        tokens: Tensor = self._tokenize(list(texts))
        return torch.searchsorted(self.ids, tokens)


def pixels(stills: Sequence[Still]) -> Tensor:
    """Return the stills' frames as the model wants them, (n, 3, 60, 60)."""
    return normalised(torch.from_numpy(frames(stills)))


def contrast(logits: Tensor, true: Tensor) -> Tensor:
    """Return the symmetric contrastive loss of logits (images, captions); `true` (images, captions) is 0 or 1.

    All captions that are true of a picture share its target evenly, and all pictures of a caption the caption's.
    """
    by_picture = functional.cross_entropy(logits, true / true.sum(1, keepdim=True))
    by_caption = functional.cross_entropy(logits.T, true.T / true.T.sum(1, keepdim=True))
    return (by_picture + by_caption) / 2


def truth(captions: Sequence[Caption], holds: Sequence[Mapping[str, frozenset[str]]]) -> Tensor:
    """Return of which pictures each caption is true, (pictures, captions), 0 or 1."""
    return torch.tensor([[float(is_true(caption, one)) for caption in captions] for one in holds])


def untrained(vocabulary: Vocabulary, seed: int) -> Any:
    """Return a CLIP with the compact vocabulary before training."""
    from open_clip.model import CLIP

    torch.manual_seed(seed)  # open_clip initialises from torch's global state and takes no generator
    text = MODEL["text_cfg"] | {"vocab_size": len(vocabulary.ids), "context_length": TRAINED_CONTEXT}
    return CLIP(**(MODEL | {"text_cfg": text}))


def pretrain(
    model: Any, stills: Sequence[Still], vocabulary: Vocabulary, lesson: Lesson
) -> Iterator[tuple[int, float]]:
    """Train all of `model` but the layers of its image tower on stills with web captions; yield (step, loss)."""
    rng = np.random.default_rng(lesson.seed)
    fixed = {id(one) for name, one in model.visual.named_parameters() if name != "proj"} | {id(model.logit_scale)}
    taught = [one for one in model.parameters() if id(one) not in fixed]
    with torch.no_grad():
        model.logit_scale.fill_(-log(SIGMA))
    optimiser = torch.optim.AdamW(taught, lesson.lr, betas=(0.9, 0.98), weight_decay=lesson.weight_decay, fused=True)
    seen, holds = class_tokens(model.visual, torch.from_numpy(frames(stills))), [facts_of(one) for one in stills]
    for step in range(1, lesson.steps + 1):
        rows = rng.choice(len(stills), lesson.batch, replace=False)
        captions = [web_caption(holds[row], lesson.share(stills[row]), rng) for row in rows]
        image = functional.normalize(seen[rows] @ model.visual.proj, dim=-1)
        written = model.encode_text(vocabulary([caption.text for caption in captions]), normalize=True)
        loss = contrast(model.logit_scale.exp() * image @ written.T, truth(captions, [holds[row] for row in rows]))
        for group in optimiser.param_groups:
            fall = 0.1 + 0.9 * (1 + cos(pi * step / lesson.steps)) / 2
            group["lr"] = lesson.lr * min(1.0, step / lesson.warmup) * fall
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(taught, 1.0)
        optimiser.step()
        yield step, loss.item()
