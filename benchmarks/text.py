"""What prefix trees are worth: the bags of a batch through CLIP's text tower, padded to 77 tokens and packed as a tree.

    python -m benchmarks.text --batch 8 --bag 16 [--backward]

Both ways run in this process on the same random ViT-B/16, in turns. Exits with 1 below the goal: 10 x in CPU time,
equal to 1e-5, gradients to a relative 1e-4.
"""

# ruff: noqa: I001 (benchmarks.measure sets up OpenMP before torch is imported)
from benchmarks.measure import in_turns, judge, report

import argparse
import random
import sys
from collections.abc import Callable
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from maxi_core.dictionaries import read_dictionary
from maxi_core.clip.prompt_tree import pack
from maxi_core.batches.training_prompts import training_prompt
from maxi_core.clip.textual import encode_text
from maxi_core.clip.tokens import tokenize

# A phrase bag of the paper's first example: five phrases, and lemma and gerund of their verbs (method.md, sources).
PHRASES = ("smearing {}", "rubbing {}", "putting {}", "spreading {}", "coating {}")
VERBS = ("rub", "put", "smear", "coat", "spread", "apply", "rubbing", "putting", "smearing", "coating", "spreading")
GOAL, CLOSE, CLOSE_GRADIENTS = 10.0, 1e-5, 1e-4


def bags(batch: int, size: int, seed: int) -> list[str]:
    """Return the prompts of `batch` videos: each of another action, with `size` items of its bag."""
    rng = random.Random(seed)
    actions = rng.sample(read_dictionary("kinetics400").entries, batch)
    prompts = []
    for action in actions:
        noun = action.split()[-1]
        items = [*[phrase.format(noun) for phrase in PHRASES], *VERBS, action]
        drawn = rng.sample(items, size) if size <= len(items) else rng.choices(items, k=size)
        prompts += [training_prompt(action, item) for item in drawn]
    return prompts


def gradients(model: nn.Module, features: Tensor, toward: Tensor) -> dict[str, Tensor]:
    """Differentiate the features' product with a fixed direction; return the gradients of the text tower."""
    model.zero_grad()
    (features * toward).sum().backward()
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=8, help="videos in a batch")
    parser.add_argument("--bag", type=int, default=16, help="texts of each video")
    parser.add_argument("--rounds", type=int, default=5, help="turns; the medians are printed")
    parser.add_argument("--backward", action="store_true", help="with the gradients")
    options = parser.parse_args()
    torch.manual_seed(0)
    model: Any = open_clip.create_model("ViT-B-16-quickgelu").eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-16-quickgelu")
    prompts = bags(options.batch, options.bag, seed=0)
    toward = torch.randn(len(prompts), 512)

    def run(encode: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        with torch.set_grad_enabled(options.backward):
            features = encode()
        return features.detach(), gradients(model, features, toward) if options.backward else {}

    def padded() -> tuple[Tensor, dict[str, Tensor]]:
        return run(lambda: model.encode_text(tokenizer(prompts)))

    def packed() -> tuple[Tensor, dict[str, Tensor]]:
        return run(lambda: encode_text(model, tokenize(tokenizer, prompts).ids))

    want, got = padded(), packed()
    difference = float((want[0] - got[0]).abs().max())
    worst = max((float((want[1][key] - got[1][key]).norm() / want[1][key].norm()) for key in want[1]), default=0.0)
    tree = pack(tokenizer(prompts), tokenizer(prompts).argmax(dim=-1))
    print(
        f"{len(prompts)} prompts ({len(set(prompts))} distinct), {options.batch} videos, bags of {options.bag};",
        end=" ",
    )
    print(f"tokens: {77 * len(prompts)} padded, {tree.tokens.numel()} packed; features up to {want[0].abs().max():.2f}")
    found = report(in_turns({"padded": padded, "packed": packed}, options.rounds), "padded", "packed")
    goals = {"CPU ratio": (found["ratio_cpu"], ">=", GOAL), "largest difference": (difference, "<=", CLOSE)}
    if options.backward:
        goals["largest relative difference of a gradient"] = (worst, "<=", CLOSE_GRADIENTS)
    return judge(goals)


if __name__ == "__main__":
    sys.exit(main())
