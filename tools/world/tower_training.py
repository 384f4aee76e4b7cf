"""Training of the image tower that the sandbox's CLIP and captioner start from: it learns what stands where, no verb.

The class token has to say where each joint of the figure is, and which thing, scene and shirt the picture shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from maxi_sandbox.painting import SCENES, SHIRTS, THINGS
from tools.world.muon import Muon
from tools.world.stills import SIZE, Still, frames

WIDTH, LAYERS, HEADS, PATCH = 96, 4, 3, 10
VISION: dict[str, Any] = {
    "image_size": SIZE, "patch_size": PATCH, "width": WIDTH, "layers": LAYERS, "head_width": WIDTH // HEADS,
    "no_ln_pre": True,
}  # fmt: skip
MEAN, STD = 0.8, 0.25


@dataclass(frozen=True, slots=True)
class Lesson:
    """A part of the tower's training; `decay` is whether the learning rate falls in a line to `last` of itself."""

    steps: int
    warmup: int
    decay: bool
    lr: float = 1e-3
    matrix_lr: float = 0.02
    last: float = 0.03
    batch: int = 128
    weight_decay: float = 0.05
    seed: int = 0

    def rate(self, step: int) -> float:
        """Return the share of the learning rate at `step`, from 1 to `steps`."""
        fall = 1 - (1 - self.last) * step / self.steps if self.decay else 1.0
        return min(1.0, step / self.warmup) * fall


LESSONS = (Lesson(300, 50, decay=False), Lesson(900, 15, decay=True))


def normalised(raw: Tensor) -> Tensor:
    """Return 8-bit frames (n, h, w, 3) as floats (n, 3, h, w) around 0, as all of the sandbox's models want them."""
    return (raw.permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def tokens(visual: Any, images: Tensor) -> Tensor:
    """Return what an open_clip ViT without `ln_pre` sees at class token and patches, (n, 1 + patches, width)."""
    patches = visual.conv1(images).flatten(2).transpose(1, 2)
    first = visual.class_embedding.expand(len(images), 1, -1)
    seen: Tensor = visual.ln_post(visual.transformer(torch.cat([first, patches], 1) + visual.positional_embedding))
    return seen


def class_tokens(visual: Any, raw: Tensor, batch: int = 250) -> Tensor:
    """Return the class tokens of 8-bit frames (n, h, w, 3), (n, width); nothing is differentiated."""
    with torch.no_grad():
        return torch.cat([tokens(visual, normalised(part))[:, 0] for part in torch.split(raw, batch)])


def untrained(seed: int) -> Any:
    """Return an image tower of open_clip before training, which follows torch's global seed."""
    from open_clip.model import CLIP

    torch.manual_seed(seed)
    return CLIP(embed_dim=WIDTH, vision_cfg=VISION, text_cfg={"width": 32, "heads": 1, "layers": 1}).visual


def pretrain(visual: Any, stills: Sequence[Still], lesson: Lesson) -> Iterator[tuple[int, float]]:
    """Train `visual` on stills; yield (step, error of the joints in standard deviations) after each step."""
    torch.manual_seed(lesson.seed)
    raw = torch.from_numpy(frames(stills))
    points = torch.stack([torch.from_numpy(one.points).float().flatten() for one in stills])
    points = (points - points.mean(0)) / points.std(0)
    things = torch.tensor([list(THINGS).index(one.thing) for one in stills])
    scenes = torch.tensor([list(SCENES).index(one.scene) for one in stills])
    shirts = torch.tensor([list(SHIRTS).index(one.shirt) for one in stills])
    sizes = (points.shape[1], len(THINGS), len(SCENES), len(SHIRTS))
    heads = nn.ModuleList([nn.Linear(WIDTH, size) for size in sizes])
    optimisers = _optimisers([*visual.parameters(), *heads.parameters()], visual, lesson)
    generator = torch.Generator().manual_seed(lesson.seed)
    for step in range(1, lesson.steps + 1):
        rows = torch.randint(len(raw), (lesson.batch,), generator=generator)
        seen = tokens(visual, normalised(raw[rows]))[:, 0]
        where, thing, scene, shirt = (head(seen) for head in heads)
        error = functional.smooth_l1_loss(where, points[rows])
        looks = functional.cross_entropy(scene, scenes[rows]) + functional.cross_entropy(shirt, shirts[rows])
        named = functional.cross_entropy(thing, things[rows]) + 0.3 * looks
        for optimiser, rate in optimisers:
            optimiser.zero_grad()
            for group in optimiser.param_groups:
                group["lr"] = rate * lesson.rate(step)
        (4 * error + named).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_([*visual.parameters(), *heads.parameters()], 1.0)
        for optimiser, _ in optimisers:
            optimiser.step()
        yield step, error.item()


def _optimisers(
    every: Sequence[nn.Parameter], visual: Any, lesson: Lesson
) -> tuple[tuple[torch.optim.Optimizer, float], ...]:
    blocks = [one for name, one in visual.named_parameters() if one.ndim == 2 and "resblocks" in name]
    taken = {id(one) for one in blocks}
    others = [one for one in every if id(one) not in taken]
    adam = torch.optim.AdamW(others, lesson.lr, betas=(0.9, 0.98), weight_decay=lesson.weight_decay, fused=True)
    return (adam, lesson.lr), (Muon(blocks, lesson.matrix_lr), lesson.matrix_lr)
