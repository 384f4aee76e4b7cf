"""The commands of the demonstration: bags from more and more sources, a training for each, one evaluation."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

BENCHMARKS = ("sandbox-same", "sandbox-novel", "sandbox-view")
RECIPE = ("--config", "sandbox")  # the recipe of that name that maxi ships
LABELS = "sandbox"

# What fills the bags of each run.
BAGS: Mapping[str, tuple[str, ...]] = {
    "dictionary": ("--sources", "dictionary"),
    "blip": ("--sources", "blip"),
    "gpt3": ("--sources", "gpt3"),
    "full": ("--sources", "gpt3,blip"),
}
BLIP = "blip"  # the row that the gates speak of
SHUFFLED = "shuffled"  # as `blip`, but the captions of each video are those of another
SUPERVISED = "supervised"
INSTANCE = "instance"  # on the bags of `blip`, with the loss that counts a video's own bag alone
TRAININGS = (*BAGS, SHUFFLED, SUPERVISED)
WITH_SEEDS = 3  # from so many seeds on, the losses are compared


def trainings(seeds: int) -> tuple[str, ...]:
    """Return the trainings of each of `seeds` seeds."""
    return (*TRAININGS, INSTANCE) if seeds >= WITH_SEEDS else TRAININGS


@dataclass(frozen=True, slots=True)
class Command:
    """One `maxi` command, its words after `maxi`, and what it is for."""

    title: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        """Return the command as it is typed in a shell."""
        return shlex.join(("maxi", *self.words))


def commands(out: Path, seeds: int) -> Iterator[Command]:
    """Yield the commands in order, with all that they write below `out`; trainings have the seeds 0 to `seeds` - 1."""
    for name, words in BAGS.items():
        yield Command(f"text bags: {name}", ("bags", *RECIPE, *words, "--out", str(out / "bags" / name)))
    yield _shuffling(out)
    trained = [training(out, name, seed) for seed in range(seeds) for name in trainings(seeds)]
    for seed in range(seeds):
        for name in trainings(seeds):
            yield Command(f"training: {name}, seed {seed}", (*_training(out, name, seed), "--seed", str(seed)))
    models = ("sandbox", *map(str, trained))
    yield Command(
        "zero-shot evaluation of all",
        ("eval", *models, *RECIPE, "--benchmark", ",".join(BENCHMARKS), "--out", str(scores(out))),
    )
    for benchmark in BENCHMARKS:
        yield _captioning(out, benchmark)


def training(out: Path, name: str, seed: int) -> Path:
    """Return the folder of one training."""
    return out / f"seed{seed}" / name


def scores(out: Path) -> Path:
    """Return the folder with one folder of scores for each model."""
    return out / "scores"


def captions(out: Path, benchmark: str) -> Path:
    """Return the run folder with the captions of a benchmark's videos."""
    return out / "captions" / benchmark


def _shuffling(out: Path) -> Command:
    run, plugin = out / "bags" / BLIP, Path(__file__).with_name("shuffled.py")
    words = ("--sources", "shuffled", "--plugin", str(plugin), "-o", f"shuffled.run={run}")
    return Command(
        "text bags: captions of other videos", ("bags", *RECIPE, *words, "--out", str(out / "bags" / SHUFFLED))
    )


def _captioning(out: Path, benchmark: str) -> Command:
    """Return the command that captions a benchmark's videos; it matches them too, since bags do, with one frame."""
    words = ("--sources", "blip", "--keep", "1", "-o", "dictionary.frames=1")
    return Command(
        f"captions of {benchmark}, for the vote",
        ("bags", benchmark, *RECIPE, *words, "--out", str(captions(out, benchmark))),
    )


def _training(out: Path, name: str, seed: int) -> tuple[str, ...]:
    """Return a training's command; `--overwrite`, so that the demonstration can be run again in its folder."""
    place = ("--out", str(training(out, name, seed)), "--overwrite")
    if name == SUPERVISED:
        return ("train", *RECIPE, "--labels", LABELS, "--loss", "ce", *place)
    loss = ("--loss", "mil_nce_instance") if name == INSTANCE else ()
    return ("train", str(out / "bags" / (BLIP if name == INSTANCE else name)), *RECIPE, *loss, *place)
