"""The embedded world: rendered videos and small models with which every command of maxi runs for real, offline.

Everything is made or unpacked on first use, into `sandbox_home()`. Importing this package imports nothing heavy.
"""

from functools import partial
from pathlib import Path

from maxi_core.errors import UsageError, nearest
from maxi_core.sandbox.actions import BENCHMARK_VERBS, ENTRIES
from maxi_core.sandbox.home import WORLD_VERSION, made, sandbox_home

BENCHMARKS: tuple[str, ...] = tuple(BENCHMARK_VERBS)
DATA = Path(__file__).parent / "data"

__all__ = [
    "BENCHMARKS",
    "WORLD_VERSION",
    "benchmark",
    "blip_folder",
    "clip_folder",
    "dictionary",
    "plain_replies_file",
    "replies_file",
    "sandbox_home",
    "spacy_folder",
    "training_labels",
    "training_list",
    "training_videos",
]


def clip_folder() -> Path:
    """Return the folder of the sandbox's CLIP, which open_clip loads as `local-dir:` and the folder's path."""
    from maxi_core.sandbox.parcels import unpack_clip

    return made("clip", unpack_clip)


def blip_folder() -> Path:
    """Return the folder of the sandbox's captioner, which `BlipForConditionalGeneration` and `BlipProcessor` load."""
    from maxi_core.sandbox.parcels import unpack_blip

    return made("blip", unpack_blip)


def spacy_folder() -> Path:
    """Return the folder of the sandbox's English pipeline, which `spacy.load` loads."""
    return DATA / "spacy"


def replies_file() -> Path:
    """Return the recorded replies for the dictionary, JSON lines {request, response} of chat completions (SPEC 3)."""
    return DATA / "replies.jsonl"


def plain_replies_file() -> Path:
    """Return the recorded replies without the phrases that have a verb of `sandbox-novel` or its dev twin."""
    from maxi_core.sandbox.replies import write_plain

    return made("replies-plain", write_plain) / "replies.jsonl"


def dictionary() -> tuple[str, ...]:
    """Return the entries of the sandbox's dictionary, such as `kicking a ball`."""
    return tuple(ENTRIES)


def training_videos() -> Path:
    """Return the folder of the 720 training videos (MP4, 96 by 96 pixels, 32 frames at 12 a second)."""
    from maxi_core.sandbox.library import render_training

    return made("training", render_training)


def training_labels() -> dict[str, str]:
    """Return the entry of each training video's activity by file name, for measuring only: the method never sees it."""
    from maxi_core.sandbox.library import TRAINING_VIDEOS, training_film

    films = (training_film(number) for number in range(TRAINING_VIDEOS))
    return {f"{film.name}.mp4": entry for film, entry in films}


def training_list() -> Path:
    """Return the training videos as a split list beside its `labels.csv`: what `maxi train --labels` learns from."""
    from maxi_core.sandbox.library import write_training_list

    return made("training-list", write_training_list) / "split.txt"


def benchmark(name: str) -> Path:
    """Return the folder of benchmark `name`: `videos/`, `labels.csv` and `split.txt` (SPEC section 11).

    Paths in `split.txt` are relative to the folder. `UsageError` if there is no such benchmark.
    """
    if name not in BENCHMARKS:
        raise UsageError(
            f"no sandbox benchmark is called '{name}'{nearest(name, BENCHMARKS)}", f"use one of {', '.join(BENCHMARKS)}"
        )
    from maxi_core.sandbox.library import render_benchmark

    return made(name, partial(render_benchmark, name))
