"""What cross-frame attention costs a visual layer: averaged keys, beside plain attention and the literal formula.

    python -m benchmarks.temporal --frames 8 [--backward]

One block of ViT-B/16 with random weights, a video of `--frames` frames, all in this process and in turns. `plain` is
the fused block that training uses, `stock` open_clip's own, `literal` the formula as it is written: one product of
queries and keys for each offset. Ratios are medians over the turns of CPU time beside `plain` in the same turn. Exits
with 1 if cross-frame attention costs more than 5 % of the block, or is further than 1e-5 from the formula in float64.
"""

# ruff: noqa: I001 (benchmarks.measure sets up OpenMP before torch is imported)
from benchmarks.measure import in_turns, judge

import argparse
import copy
import sys
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor

from maxi_core.clip.blocks import residual, residual_apart
from maxi_plugins.cross_attention import CrossFrameAttention

WIDTH, HEADS, TOKENS = 768, 12, 197
OFFSETS = (-1, 0, 1)
DEAREST, CLOSE = 1.05, 1e-5


def literal(block: Any, x: Tensor, frames: int) -> Tensor:
    """Return the block's output by the formula: a product Q_t K_{t+i} for each offset, averaged, softmax, V_t."""
    attention = block.attn
    projected = torch.nn.functional.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    heads = projected.unflatten(-1, (3, HEADS, WIDTH // HEADS)).unflatten(0, (-1, frames))  # (B, T, L, 3, H, d)
    query, key, value = heads.permute(3, 0, 1, 4, 2, 5)  # each (B, T, H, L, d)
    logits = torch.zeros_like(query @ key.transpose(-1, -2)) if 0 not in OFFSETS else query @ key.transpose(-1, -2)
    counts = torch.ones(frames, dtype=x.dtype)
    for offset in (offset for offset in OFFSETS if offset):
        here = slice(max(0, -offset), frames - max(0, offset))
        there = slice(max(0, offset), frames + min(0, offset))
        pad = torch.zeros_like(logits)
        pad[:, here] = query[:, here] @ key[:, there].transpose(-1, -2)
        logits = logits + pad
        counts[here] += 1
    weights = (logits / counts.view(frames, 1, 1, 1) / (WIDTH // HEADS) ** 0.5).softmax(-1)
    seen = (weights @ value).transpose(2, 3).flatten(3).flatten(0, 1)  # (B * T, L, W)
    x = x + attention.out_proj(seen)
    out: Tensor = x + block.mlp(block.ln_2(x))
    return out


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=8, help="frames of the video")
    parser.add_argument("--rounds", type=int, default=15, help="turns; the medians are printed")
    parser.add_argument("--backward", action="store_true", help="with the gradients")
    parser.add_argument(
        "--last", action="store_true", help="as the last layer: at the class token only, no goal on cost"
    )
    options = parser.parse_args()
    torch.manual_seed(0)
    frames = options.frames
    plain = ResidualAttentionBlock(WIDTH, HEADS)
    crossed = copy.deepcopy(plain)
    crossed.attn = CrossFrameAttention(crossed.attn, OFFSETS, frames)
    images = torch.randn(frames, TOKENS, WIDTH)

    def run(block: Any, encode: Callable[[Tensor], Tensor]) -> None:
        block.zero_grad()
        x = images.clone().requires_grad_(options.backward)
        with torch.set_grad_enabled(options.backward):
            out = encode(x)
            if options.backward:
                out.square().sum().backward()

    ways = {
        "plain": lambda: run(plain, lambda x: residual(plain, x)),
        "crossframe": lambda: run(crossed, crossed),
        "stock": lambda: run(plain, plain),
        "literal": lambda: run(plain, lambda x: literal(plain, x, frames)),
    }
    if options.last:
        first = torch.zeros(frames, 1, dtype=torch.int64)
        ways = {
            "plain": lambda: run(plain, lambda x: residual(plain, x, at=first)),
            "crossframe": lambda: run(crossed, lambda x: residual_apart(crossed, x, first)),
            "whole": lambda: run(crossed, crossed),
        }
    with torch.no_grad():
        exact = literal(copy.deepcopy(plain).double(), images.double(), frames)
        gaps = {
            "crossframe": (crossed(images).double() - exact).abs().max().item(),
            "literal": (literal(plain, images, frames).double() - exact).abs().max().item(),
            "plain": (residual(plain, images).double() - exact).abs().max().item(),
        }
    times = in_turns(ways, options.rounds + 1)
    work = "forward and backward" if options.backward else "forward"
    print(f"one block of ViT-B/16, {frames} frames, {work}, {options.rounds} turns, {torch.get_num_threads()} threads")
    print(f"{'':12}{'CPU s, median':>14}{'beside plain':>14}{'of the encoder, 2 of 12':>26}{'from float64':>14}")
    ratios = {}
    for name in ways:
        turns = zip(times[name].cpu[1:], times["plain"].cpu[1:], strict=True)  # the first one warms up
        ratios[name] = median(mine / other for mine, other in turns)
        share, gap = (ratios[name] - 1) * 2 / 12, f"{gaps[name]:.1e}" if name in gaps else ""
        print(f"{name:12}{median(times[name].cpu[1:]):14.3f}{ratios[name]:14.3f}{share:+26.1%}{gap:>14}")
    return judge(
        {
            "crossframe / plain": (ratios["crossframe"], "<=", float("inf") if options.last else DEAREST),
            "largest difference from the formula": (gaps["crossframe"], "<=", CLOSE),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
