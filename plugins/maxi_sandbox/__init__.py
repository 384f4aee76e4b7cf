"""`sandbox`: the world that comes with maxi: rendered videos and small models with which every command runs offline.

Everything is made or unpacked on first use, into `home.sandbox_home()`. Importing this package imports nothing heavy.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from maxi_core import World, hookimpl
from maxi_core.errors import UsageError, nearest
from maxi_core.plugin.roles import Demonstration
from maxi_sandbox.actions import BENCHMARK_VERBS, ENTRIES
from maxi_sandbox.home import made

BENCHMARKS: tuple[str, ...] = tuple(BENCHMARK_VERBS)
DATA = Path(__file__).parent / "data"


class Sandbox(World):
    """A figure that moves, rendered on first use; a CLIP, a captioner, an English pipeline, recorded replies."""

    name = "sandbox"

    def videos(self) -> Path:
        """Return the folder of the 1440 training videos (MP4, 96 by 96 pixels, 32 frames at 12 a second)."""
        from maxi_sandbox.library import render_training

        return made("training", render_training)

    def dictionary(self) -> list[str]:
        """Return the entries, such as `kicking`."""
        return list(ENTRIES)

    def clip(self) -> Path:
        """Return the folder of the CLIP."""
        from maxi_sandbox.parcels import unpack_clip

        return made("clip", unpack_clip)

    def captioner(self) -> Path:
        """Return the folder of the captioner, a BLIP."""
        from maxi_sandbox.parcels import unpack_blip

        return made("blip", unpack_blip)

    def pipeline(self) -> Path:
        """Return the folder of the English pipeline."""
        return DATA / "spacy"

    def replies(self, which: str = "") -> Path:
        """Return the recorded replies for the dictionary, the only ones: every other name is refused."""
        if which:
            raise UsageError(f"the sandbox has no replies '{self.name}-{which}'", f"type {self.name}")
        return DATA / "replies.jsonl"

    def captions(self) -> Path:
        """Return captions with verbs that no benchmark asks for, some of them other words for one that it does."""
        return DATA / "captions.txt"

    def labels(self) -> Path:
        """Return the true activity of each training video, for measuring and for the supervised bound."""
        from maxi_sandbox.library import write_training_list

        return made("training-list", write_training_list) / "split.txt"

    def benchmarks(self) -> tuple[str, ...]:
        """Return the published benchmarks and their dev twins."""
        return BENCHMARKS

    def benchmark(self, name: str) -> Path:
        """Return the folder of a benchmark: `videos/`, `labels.csv` and `split.txt`, rendered on first use."""
        if name not in BENCHMARKS:
            near = nearest(name, BENCHMARKS)
            raise UsageError(f"no sandbox benchmark is called '{name}'{near}", f"use one of {', '.join(BENCHMARKS)}")
        from maxi_sandbox.library import render_benchmark

        return made(name, partial(render_benchmark, name))

    def recipe(self) -> Path:
        """Return the recipe that the demonstration uses."""
        return Path(__file__).parent / "sandbox.toml"

    def studies(self) -> Path:
        """Return the same recipe, for `maxi study`."""
        return self.recipe()

    def demonstration(self) -> Demonstration:
        """Return the story of `maxi demo`."""
        from maxi_sandbox.demo import Story

        return Story()


@hookimpl
def maxi_register_worlds() -> Iterable[type[World]]:
    """Offer `sandbox`."""
    return [Sandbox]
