"""Captioning (PERFORMANCE goal `caption`): what batches, SDPA, bf16 and beams cost, and that captions stay the same.

    python -m benchmarks.caption [--layers 4] [--frames 4] [--rounds 3] [--json]

The shape is that of blip-image-captioning-large at 384 px with `--layers` of its 24 vision layers (all are alike; the
decoder is whole), with weights drawn anew (std 0.03), since the range that transformers draws BLIP's vision from gives
outputs of 4e-6. Random weights repeat one word: the captions that are compared are the sandbox captioner's, on as many
frames as `--compared`.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

TOKENS = 20
GOAL = 1.3  # frames in one batch against frame by frame, decoding, CPU seconds


def shaped(layers: int) -> Any:
    """Return a captioner of the large shape with `layers` vision layers and seeded weights."""
    from transformers import BlipConfig, BlipForConditionalGeneration

    vision = {"hidden_size": 1024, "num_hidden_layers": layers, "num_attention_heads": 16, "intermediate_size": 4096,
              "image_size": 384, "patch_size": 16, "initializer_range": 0.03}  # fmt: skip
    text = {"encoder_hidden_size": 1024, "initializer_range": 0.03}
    torch.manual_seed(0)
    return BlipForConditionalGeneration(BlipConfig(vision_config=vision, text_config=text)).eval()


def fast(model: Any) -> Any:
    """Put the product's attention into a captioner's vision tower."""
    from maxi_plugins.blip_attention import FastAttention

    for layer in model.vision_model.encoder.layers:
        layer.self_attn = FastAttention(layer.self_attn)
    return model


def seconds(run: Callable[[], Any]) -> tuple[float, float]:
    """Return the wall and CPU seconds of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    with torch.no_grad():
        run()
    return time.perf_counter() - wall, time.process_time() - cpu


def timed(variants: dict[str, Callable[[], Any]], rounds: int) -> dict[str, dict[str, float]]:
    """Return median and spread of each variant, interleaved, after one round that does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    for number in range(rounds + 1):
        for name, run in variants.items():
            found = seconds(run)
            if number:
                times[name].append(found)
    return {
        name: {
            "wall": statistics.median(wall for wall, _ in found),
            "cpu": statistics.median(cpu for _, cpu in found),
            "cpu_min": min(cpu for _, cpu in found),
            "cpu_max": max(cpu for _, cpu in found),
        }
        for name, found in times.items()
    }


def vision(layers: int, frames: int, rounds: int, *, bf16: bool) -> tuple[dict[str, dict[str, float]], float]:
    """Time the vision tower, stock and product; return also the largest difference of their outputs."""
    stock, product = shaped(layers), fast(shaped(layers))
    pixels = torch.randn(frames, 3, 384, 384, generator=torch.Generator().manual_seed(1))
    variants = {
        "vision, stock attention": lambda: stock.vision_model(pixels),
        "vision, SDPA": lambda: product.vision_model(pixels),
    }
    with torch.no_grad():
        difference = (stock.vision_model(pixels)[0] - product.vision_model(pixels)[0]).abs().max().item()
    if bf16:
        half = fast(shaped(layers)).to(torch.bfloat16)
        variants["vision, SDPA, bf16"] = lambda: half.vision_model(pixels.to(torch.bfloat16))
    return timed(variants, rounds), difference


def decoding(frames: int, rounds: int, *, bf16: bool) -> dict[str, dict[str, float]]:
    """Time the text decoder on given image states, `TOKENS` new tokens."""
    states = torch.randn(frames, 577, 1024, generator=torch.Generator().manual_seed(2))

    def said(model: Any, images: torch.Tensor, beams: int = 1) -> Any:
        begin = torch.full((len(images), 1), model.config.text_config.bos_token_id)
        return model.text_decoder.generate(
            input_ids=begin, encoder_hidden_states=images, do_sample=False, num_beams=beams, max_new_tokens=TOKENS,
            min_new_tokens=TOKENS, eos_token_id=model.config.text_config.sep_token_id,
            pad_token_id=model.config.text_config.pad_token_id,
        )  # fmt: skip

    model = shaped(0)
    variants = {
        "decoding, frame by frame": lambda: [said(model, states[row : row + 1]) for row in range(frames)],
        "decoding, one batch": lambda: said(model, states),
        "decoding, one batch, 3 beams": lambda: said(model, states, 3),
    }
    if bf16:
        half = shaped(0).to(torch.bfloat16)
        variants["decoding, one batch, bf16"] = lambda: said(half, states.to(torch.bfloat16))
    return timed(variants, rounds)


def same_captions(count: int) -> tuple[int, int]:
    """Return (equal captions, distinct captions) of the product in batches against transformers frame by frame."""
    from transformers import BlipForConditionalGeneration, BlipProcessor

    from maxi_plugins.blip_model import load_captioner
    from maxi_sandbox import Sandbox
    from tools.world.stills import still

    stock: Any = BlipForConditionalGeneration.from_pretrained(Sandbox().captioner())
    processor: Any = BlipProcessor.from_pretrained(Sandbox().captioner())
    frames = [still(seed).frame for seed in range(9_000_000, 9_000_000 + count)]
    ours = load_captioner(Sandbox().captioner(), "cpu", "fp32").describe(frames, {"max_new_tokens": TOKENS}, 16)
    theirs = [
        processor.decode(
            stock.generate(**processor(images=[frame], return_tensors="pt"), max_new_tokens=TOKENS)[0, 1:],
            skip_special_tokens=True,
        )
        for frame in frames
    ]
    return sum(one == other for one, other in zip(ours, theirs, strict=True)), len(set(theirs))


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compared", type=int, default=64)
    parser.add_argument(
        "--bf16", action="store_true", help="also in bf16: slower by far where the CPU does not compute in it"
    )
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    times, difference = vision(chosen.layers, chosen.frames, chosen.rounds, bf16=chosen.bf16)
    times |= decoding(chosen.frames, chosen.rounds, bf16=chosen.bf16)
    equal, distinct = same_captions(chosen.compared)
    ratio = times["decoding, frame by frame"]["cpu"] / times["decoding, one batch"]["cpu"]
    passed = ratio >= GOAL and equal == chosen.compared
    report = {
        "frames": chosen.frames, "vision_layers": chosen.layers, "threads": torch.get_num_threads(),
        "torch": torch.__version__, "load": os.getloadavg()[0], "seconds": times, "sdpa_difference": difference,
        "batch_ratio_cpu": ratio, "captions_equal": equal, "captions": chosen.compared, "captions_distinct": distinct,
        "passed": passed,
    }  # fmt: skip
    if chosen.json:
        print(json.dumps(report, indent=2))
        return 0 if passed else 1
    for name, found in times.items():
        print(f"{name:32} wall {found['wall']:7.2f} s   cpu {found['cpu']:7.2f} s"
              f" ({found['cpu_min']:.2f} to {found['cpu_max']:.2f})")  # fmt: skip
    print(f"SDPA differs from stock attention by {difference:.1e} at most")
    print(f"batch of {chosen.frames} against frame by frame, decoding: {ratio:.2f} x less CPU (goal {GOAL})")
    print(f"captions equal to transformers' greedy: {equal} of {chosen.compared}, {distinct} distinct")
    print("PASS" if passed else "FAIL")
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
