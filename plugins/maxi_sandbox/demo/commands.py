"""The commands of the demonstration: bags from more and more sources, a training for each, one evaluation."""

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
    """One `maxi` command, its words after `maxi`, what it is for, and the titles of those whose results it needs."""

    title: str
    words: tuple[str, ...]
    after: tuple[str, ...] = ()


def commands(out: Path, seeds: int) -> Iterator[Command]:
    """Yield the commands in order, with all that they write below `out`; trainings have the seeds 0 to `seeds` - 1."""
    yield _bags(out, "dictionary")
    captioning = [_captioning(out, benchmark) for benchmark in BENCHMARKS]
    yield from captioning
    yield from (_bags(out, name) for name in BAGS if name != "dictionary")
    yield _shuffling(out)
    rendered = tuple(command.title for command in captioning)
    yield _scoring(out, "sandbox", "raw CLIP", rendered)
    for seed in range(seeds):
        for name in trainings(seeds):
            trained = _training(out, name, seed)
            yield trained
            yield _scoring(out, str(training(out, name, seed)), f"{name}, seed {seed}", (*rendered, trained.title))


def training(out: Path, name: str, seed: int) -> Path:
    """Return the folder of one training."""
    return out / f"seed{seed}" / name


def scores(out: Path) -> Path:
    """Return the folder with one folder of scores for each model."""
    return out / "scores"


def captions(out: Path, benchmark: str) -> Path:
    """Return the run folder with the captions of a benchmark's videos."""
    return out / "captions" / benchmark


def _bags(out: Path, name: str) -> Command:
    """Return the command that makes bags; those of all need the matches, which are made once, with the first."""
    needs = {"dictionary": (), "full": (_title("blip"), _title("gpt3"))}.get(name, (_title("dictionary"),))
    return Command(_title(name), ("bags", *RECIPE, *BAGS[name], "--out", str(out / "bags" / name)), needs)


def _title(bags: str) -> str:
    return f"text bags: {'captions of other videos' if bags == SHUFFLED else bags}"


def _shuffling(out: Path) -> Command:
    run, plugin = out / "bags" / BLIP, Path(__file__).with_name("shuffled.py")
    words = ("--sources", "shuffled", "--plugin", str(plugin), "-o", f"shuffled.run={run}")
    return Command(_title(SHUFFLED), ("bags", *RECIPE, *words, "--out", str(out / "bags" / SHUFFLED)), (_title(BLIP),))


def _captioning(out: Path, benchmark: str) -> Command:
    """Return the command that captions a benchmark's videos; it matches them too, since bags do, with one frame."""
    words = ("--sources", "blip", "--keep", "1", "-o", "dictionary.frames=1")
    return Command(
        f"captions of {benchmark}, for the vote",
        ("bags", benchmark, *RECIPE, *words, "--out", str(captions(out, benchmark))),
    )


def _training(out: Path, name: str, seed: int) -> Command:
    """Return a training's command; `--overwrite`, so that the demonstration can be run again in its folder."""
    bags = {SUPERVISED: "dictionary", INSTANCE: BLIP}.get(name, name)  # of a supervised one, that the videos are there
    what = ("--labels", LABELS, "--loss", "ce") if name == SUPERVISED else ()
    loss = ("--loss", "mil_nce_instance") if name == INSTANCE else ()
    run = () if name == SUPERVISED else (str(out / "bags" / bags),)
    place = ("--out", str(training(out, name, seed)), "--overwrite", "--seed", str(seed))
    return Command(f"training: {name}, seed {seed}", ("train", *run, *RECIPE, *what, *loss, *place), (_title(bags),))


def _scoring(out: Path, model: str, said: str, after: tuple[str, ...]) -> Command:
    words = ("eval", model, *RECIPE, "--benchmark", ",".join(BENCHMARKS), "--out", str(scores(out)))
    return Command(f"zero-shot evaluation: {said}", words, after)
