"""What maxi's training step is worth against the straightforward one: time, memory, the same loss and gradients.

    python -m benchmarks.step --batch 2 --frames 8 --bag 16 [--precision bf16] [--memory]

The straightforward step, written here from the formulas: every prompt of every bag through the text tower at 77 tokens,
every frame through open_clip's image tower, the loss with a mask filled pair by pair and a softmax, AdamW as torch has
it by default. Both run in this process on the same random ViT-B/16, frames and bags, in turns; so does the image
tower's own forward and backward, the floor. Exits with 1 below the goals of PERFORMANCE.
"""

# ruff: noqa: I001 (benchmarks.measure sets up OpenMP before torch is imported)
from benchmarks.measure import in_turns, judge, report

import argparse
import ctypes
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import open_clip
import psutil
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.loss import as_written
from benchmarks.text import bags
from maxi_core.clip.device import TrainingPrecision, autocast
from maxi_core.clip.tokens import tokenize
from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.image_tower import IMAGENET, normalise
from maxi_core.training.bag_logits import bag_logits
from maxi_core.training.losses import mil_nce
from maxi_core.training.objective import Features
from maxi_core.training.trainable import choose_trainable, make_optimizer

GOALS = {"fp32": 1.35, "bf16": 2.7}
FLOOR, LOSS_CLOSE, GRADIENT_CLOSE = 1.15, 1e-5, 1e-4
MEMORY = {"maxi": 0.65, "maxi checkpointed": 0.35}
PRECISIONS: dict[str, TrainingPrecision] = {"fp32": "fp32", "bf16": "amp_bf16"}


class Steps:
    """The two steps over one model: `plain` and `maxi`; `precision` is maxi's."""

    def __init__(
        self, batch: int, frames: int, bag: int, precision: str, device: str = "cpu", name: str = "ViT-B-16-quickgelu"
    ) -> None:
        torch.manual_seed(0)
        self.clip: Any = open_clip.create_model(name, device=device)
        self.tokenizer = open_clip.get_tokenizer(name)
        self.model = VideoCLIP(self.clip, statistics=IMAGENET, frames=frames)
        self.model.set_sigma()
        choose_trainable(self.model)
        self.prompts = bags(batch, bag, seed=0)
        self.batch, self.bag, self.precision = batch, bag, precision
        self.frames = torch.randint(0, 256, (batch, frames, 3, 224, 224), dtype=torch.uint8).to(device)
        self.groups = torch.arange(batch, device=device)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.plain_optimizer = torch.optim.AdamW(trained, lr=0.0, betas=(0.9, 0.98), weight_decay=0.001)
        self.optimizer = make_optimizer(self.model)

    def plain(self) -> Tensor:
        """Take the straightforward step in float32; return its loss."""
        self.model.zero_grad()
        images = normalise(self.frames.flatten(0, 1), *IMAGENET)
        videos = self.clip.encode_image(images).unflatten(0, (self.batch, -1)).mean(dim=1)
        texts = self.clip.encode_text(self.tokenizer(self.prompts).to(images.device))
        videos, texts = functional.normalize(videos, dim=-1), functional.normalize(texts, dim=-1)
        logits = self.clip.logit_scale.exp() * videos @ texts.T
        loss = as_written(logits.view(self.batch, self.batch, self.bag), self.groups)
        torch.autograd.backward(loss)
        self.plain_optimizer.step()
        return loss.detach()

    def maxi(self) -> Tensor:
        """Take maxi's step; return its loss."""
        self.model.zero_grad()
        distinct = list(dict.fromkeys(self.prompts))
        index = torch.tensor([distinct.index(prompt) for prompt in self.prompts]).view(self.batch, self.bag)
        with autocast(self.frames.device, PRECISIONS[self.precision]):
            videos, texts, scale = self.model(self.frames, tokenize(self.tokenizer, distinct).ids)
        bags = bag_logits(Features(videos, texts, scale, index, self.groups))
        loss = mil_nce(bags.logits, bags.positive)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return loss.detach()

    def floor(self) -> None:
        """Go through open_clip's image tower alone, forward and backward."""
        self.model.zero_grad()
        with autocast(self.frames.device, PRECISIONS[self.precision]):
            features = self.clip.encode_image(normalise(self.frames.flatten(0, 1), *IMAGENET))
        torch.autograd.backward(features.float().sum())

    def gradients(self, way: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Return loss and gradients of a step."""
        loss = way()
        return loss, {n: p.grad.clone() for n, p in self.model.named_parameters() if p.grad is not None}


def peak_growth(work: Callable[[], object]) -> float:
    """Return by how many MB this process grows at most during `work`, with what was freed given back before."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    process, done, most = psutil.Process(), threading.Event(), 0
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, process.memory_info().rss)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    work()
    done.set()
    watcher.join()
    return (most - before) / 2**20


def measure_memory(options: argparse.Namespace) -> int:
    """Print how much each way grows a fresh process in forward and backward; return 1 if a goal is missed."""
    found = {}
    for way in ("plain", *MEMORY):
        command = [
            sys.executable,
            "-m",
            "benchmarks.step",
            "--batch",
            str(options.batch),
            "--frames",
            str(options.frames),
        ]
        command += ["--bag", str(options.bag), "--precision", options.precision, "--grow", way]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        found[way] = float(said)
        print(f"{way:18} grows by {found[way]:.0f} MB, {found[way] / found['plain']:.2f} x")
    return judge({f"memory, {way}": (found[way] / found["plain"], "<=", most) for way, most in MEMORY.items()})


def main() -> int:
    """Measure, print, and return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=2, help="videos")
    parser.add_argument("--frames", type=int, default=8, help="frames of each video")
    parser.add_argument("--bag", type=int, default=16, help="texts of each video")
    parser.add_argument("--rounds", type=int, default=5, help="turns; the medians are printed")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32", help="of maxi's step")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of time")
    parser.add_argument("--grow", help=argparse.SUPPRESS)  # one way, in a process of its own
    options = parser.parse_args()
    if options.memory:
        return measure_memory(options)
    steps = Steps(options.batch, options.frames, options.bag, options.precision)
    if options.grow:
        steps.model.checkpointing = options.grow == "maxi checkpointed"
        for optimizer in (steps.optimizer, steps.plain_optimizer):
            optimizer.step = lambda: None  # type: ignore[assignment, method-assign]
        print(peak_growth(steps.plain if options.grow == "plain" else steps.maxi))
        return 0
    print(f"{options.batch} videos of {options.frames} frames, bags of {options.bag}, maxi in {options.precision}")
    (want, slopes), (got, others) = steps.gradients(steps.plain), steps.gradients(steps.maxi)
    apart = float((want - got).abs())
    whole = sum(float((slopes[n] - others[n]).norm() ** 2) for n in slopes) ** 0.5
    whole /= sum(float(slopes[n].norm() ** 2) for n in slopes) ** 0.5
    print(f"loss {float(want):.6f} and {float(got):.6f}; all gradients together differ by a relative {whole:.1e}")
    times = in_turns({"plain": steps.plain, "maxi": steps.maxi, "floor": steps.floor}, options.rounds)
    found = report(times, "plain", "maxi")
    above = times["maxi"].median("cpu") / times["floor"].median("cpu")
    goals = {
        "CPU ratio": (found["ratio_cpu"], ">=", GOALS[options.precision]),
        "against the image tower alone": (above, "<=", FLOOR),
    }
    if options.precision == "fp32":
        goals |= {"loss": (apart, "<=", LOSS_CLOSE), "gradients": (whole, "<=", GRADIENT_CLOSE)}
    return judge(goals)


if __name__ == "__main__":
    sys.exit(main())
