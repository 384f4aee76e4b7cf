"""What half of the frames and half of the patches save of a training, and what they cost in scores, in the sandbox.

    python -m benchmarks.fast --seeds 0,1,2
    python -m benchmarks.fast --seeds 0 --epochs 2 --only recipe,fast

Trains the recipe of the sandbox (both towers, on gpt3's and blip's bags) as it is, with half of its frames,
with half of the patches until the last epoch, and with both, as the recipe `maxi-fast` is to `maxi-k400`; scores all of
them in one protocol, and the model that they begin with. Each training is a process of its own, whose CPU time counts.
What is there in --out is not made again. Exits with 1 if `fast` takes more than GOAL of the recipe's CPU time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import mean, stdev
from typing import Any

WAYS: dict[str, tuple[str, ...]] = {
    "recipe": (),
    "half the frames": ("-o", "train.frames=2"),
    "half the patches": ("-o", "train.force_patch_dropout=0.5"),
    "fast": ("-o", "train.frames=2", "-o", "train.force_patch_dropout=0.5"),
}
BENCHMARKS = "sandbox-same,sandbox-novel,sandbox-view"
GOAL = 0.75  # of the CPU time; small towers have less to save than ViT-B/16


def maxi(*words: str) -> float:
    """Run a command of maxi and return its CPU seconds; ends with its message if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "maxi_cli", *words], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"maxi {' '.join(words)}: {done.stderr[-500:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def trained(out: Path, way: str, seed: str, more: tuple[str, ...]) -> float:
    """Train one way and return its CPU seconds, from the file of an earlier call if it was done."""
    run = out / f"{way.replace(' ', '-')}-{seed}"
    noted = run / "seconds.json"
    if not noted.exists():
        config = ("--config", str(recipe()), "-o", f"train.seed={seed}", "-q")
        seconds = maxi("train", str(out / "bags"), "--out", str(run), "--overwrite", *config, *WAYS[way], *more)
        noted.write_text(json.dumps(seconds))
    return float(json.loads(noted.read_text()))


def recipe() -> Path:
    """Return the recipe of the sandbox's studies."""
    from maxi_core.plugin.catalog import discover
    from maxi_core.plugin.world_paths import world_path

    found = world_path(discover(only=[]), "studies", "sandbox")
    assert found is not None
    return found


def scores(out: Path, model: str) -> dict[str, float]:
    """Return the top-1 of a model in percent by benchmark."""
    config = ("--config", str(recipe()), "--out", str(out / "eval"), "--json", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "maxi_cli", "eval", model, "--benchmark", BENCHMARKS, *config],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    (found,) = json.loads(done.stdout)["models"]
    return {one["benchmark"]: 100 * one["metrics"]["top1"] for one in found["scores"]}


def spread(values: list[float]) -> str:
    """Return mean and deviation."""
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")


def main() -> None:
    """Train, score, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--only", default=",".join(WAYS))
    parser.add_argument("--out", type=Path, default=Path("runs/fast"))
    options = parser.parse_args()
    seeds, out = options.seeds.split(","), options.out.absolute()
    more = () if options.epochs is None else ("-o", f"train.epochs={options.epochs}", "-o", "train.warmup_epochs=1")
    if not (out / "bags" / "bags.jsonl").exists():
        maxi("bags", "--config", str(recipe()), "--sources", "gpt3,blip", "--out", str(out / "bags"), "-q")
    rows: dict[str, dict[str, list[Any]]] = {
        "raw CLIP": {"CPU s": [], **{k: [v] for k, v in scores(out, "sandbox").items()}}
    }
    for way in options.only.split(","):
        rows[way] = {"CPU s": [trained(out, way, seed, more) for seed in seeds]}
        for seed in seeds:
            for name, value in scores(out, str(out / f"{way.replace(' ', '-')}-{seed}")).items():
                rows[way].setdefault(name, []).append(value)
    columns = ["CPU s", *BENCHMARKS.split(",")]
    print(f"{'':18}" + "".join(f"{name:>18}" for name in columns))
    for way, found in rows.items():
        print(f"{way:18}" + "".join(f"{spread(found[name]) if found[name] else '-':>18}" for name in columns))
    if {"recipe", "fast"} <= rows.keys():
        share = mean(rows["fast"]["CPU s"]) / mean(rows["recipe"]["CPU s"])
        print(f"fast takes {share:.2f} of the recipe's CPU time (goal: {GOAL} at most)")
        sys.exit(int(share > GOAL))


if __name__ == "__main__":
    main()
