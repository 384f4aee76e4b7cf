"""Rehearse the README's three commands at full size, offline, and print what each stage took.

    python -m tools.rehearse [--clips 2] [--videos FOLDER] [--epochs N] [--tiny] [--download] [--json FILE]

Random weights in the layouts and sizes of the real ones (ViT-B/16, BLIP-large at 384 pixels) lie in a cache of the hub
that is made for this and removed at the end: 2.5 GB in TMPDIR, with `--download` 5 GB, since the commands then fetch
them from a hub on the loopback interface. `bags`, `train` and `eval` run with all defaults, with rendered clips or
those of `--videos`, as users type them; a training on fewer clips than fill a step gets a smaller batch, and
one on videos that all match one entry another loss. A server
on the loopback interface stands in for the language model of `gpt3`, and where en_core_web_sm is not installed the
sandbox's small pipeline lies in its layout. What is said of the videos means nothing. Exits with 1 if a command fails.
"""

import argparse
import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from itertools import islice, product
from pathlib import Path

from maxi_sandbox import Sandbox
from maxi_sandbox.actions import ENTRIES, gerund
from maxi_sandbox.films import Film, render
from maxi_sandbox.library import training_films
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import THINGS
from tools.rehearse.hub import Hub, serving, write_repository
from tools.rehearse.loopback import Chat, listening
from tools.rehearse.stages import Stage, measured
from tools.rehearse.weights import CAPTIONER, clip_repository, write_blip, write_clip, write_tiny_blip

SIDE, RATE, FRAMES = 256, 25, 250  # of a rendered clip: ten seconds, about as large as the clips of Kinetics
CLASSES, TESTED = 101, 2
MODEL = "ViT-B-16-quickgelu/openai"
LOSS_APART = "mil_max_pairs"  # tells videos apart that match one entry, even where their bags are the same
PIPELINE = "en_core_web_sm"
VERSION = "3.8.0"


@dataclass(frozen=True)
class Answer:
    """What one answer of a source took on average in the run: `source` as its folder in the store begins."""

    source: str
    items: int
    seconds_each: float


def main(arguments: Sequence[str]) -> int:
    """Make what the commands need, run them, print the table; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clips", type=int, default=2, help="rendered clips [2]")
    parser.add_argument("--videos", type=Path, help="folder of clips to use instead")
    parser.add_argument("--epochs", type=int, help="of the training; otherwise its default")
    parser.add_argument("--tiny", action="store_true", help="a tiny captioner, where bags are not what is measured")
    parser.add_argument("--download", action="store_true", help="fetch the weights from a hub on this machine")
    parser.add_argument("--json", type=Path, help="file for the numbers")
    options = parser.parse_args(arguments)
    stages: list[Stage] = []
    with tempfile.TemporaryDirectory(prefix="rehearse-") as made, ExitStack() as stack:
        folder, began = Path(made), time.perf_counter()
        cache = folder / "made"
        write_repository(cache, clip_repository(), write_clip)
        write_repository(cache, CAPTIONER, write_tiny_blip if options.tiny else write_blip)
        own = write_pipeline(folder / "packages")
        clips = options.videos.absolute() if options.videos else write_clips(folder / "clips", options.clips)
        write_benchmark(folder / "data" / "ucf101")
        (folder / "actions.txt").write_text("\n".join(ENTRIES) + "\n", encoding="utf-8")
        print(f"made weights and clips in {time.perf_counter() - began:.0f} s", flush=True)
        env = environment(folder, cache, stack.enter_context(listening(Chat)))
        if options.download:
            hub = stack.enter_context(serving(Hub(cache)))
            env |= {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_CACHE": str(folder / "fetched")}
        for name, command in commands(clips, options.epochs):
            if name == "train" and len(entries(folder / "runs" / "mine" / "bags.jsonl")) == 1:
                command += ["--loss", LOSS_APART]  # mil_nce has no gradient there
            stages.append(measured(name, [maxi(), *command], env, folder))
            if stages[-1].code:
                break
        answers = [*spoken(folder / "home" / "store")]
    about: dict[str, object] = {
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "weights": "fetched from a loopback hub" if options.download else "an offline cache of the hub",
        "captioner": "tiny" if options.tiny else "as large as BLIP-large",
        "gpt3": "a loopback server of chat completions",
        "verbs": "the sandbox's pipeline in en_core_web_sm's layout" if own else PIPELINE,
    }
    print("\n".join(table(stages, answers, about)))
    if options.json:
        kept = [{key: value for key, value in asdict(one).items() if key != "output"} for one in stages]
        said = {"schema": 1, "about": about, "stages": kept, "answers": [asdict(one) for one in answers]}
        options.json.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    if stages[-1].code:
        print(f"{stages[-1].name} ended with {stages[-1].code}:\n{stages[-1].output}")
    return 1 if stages[-1].code else 0


def maxi() -> str:
    """Return the program, beside this interpreter."""
    return str(Path(sys.executable).parent / "maxi")


def commands(clips: Path, epochs: int | None) -> list[tuple[str, list[str]]]:
    """Return the README's three commands, in a folder with `actions.txt` and `data`."""
    from maxi_core.training.options import TrainSection

    fewer = [] if epochs is None else ["--epochs", str(epochs)]
    kept = math.floor(0.9 * sum(1 for _ in clips.iterdir()) + 0.5)  # of `--keep 0.9`
    if kept < TrainSection.model_fields["batch_size"].default:  # a training refuses bags that do not fill one step
        fewer += ["--batch-size", str(kept)]
    sources = ["--dictionary", "actions.txt", "--sources", "gpt3,blip"]
    return [
        ("bags", ["bags", str(clips), *sources, "--out", "runs/mine"]),
        ("train", ["train", "runs/mine", "--keep", "0.9", "--ensemble", "0.2", *fewer]),
        ("eval", ["eval", MODEL, "runs/mine/train", "--benchmark", "ucf101", "--data-root", "data"]),
    ]


def entries(bags: Path) -> set[str]:
    """Return the entries that the videos of a run are matched to; random weights often match all to one."""
    return {json.loads(line)["match"]["entry"] for line in bags.read_text(encoding="utf-8").splitlines()}


def environment(folder: Path, cache: Path, endpoint: str) -> dict[str, str]:
    """Return the variables of the commands: everything they keep is below `folder`, and they are offline."""
    packages = os.pathsep.join(filter(None, [str(folder / "packages"), os.environ.get("PYTHONPATH", "")]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAXI_", "OPENAI_", "HF_"))}
    return kept | {
        "PYTHONPATH": packages, "MAXI_HOME": str(folder / "home"), "MAXI_GPT3_MODEL": "rehearsal",
        "OPENAI_API_KEY": "none", "OPENAI_BASE_URL": f"{endpoint}/v1", "HF_HOME": str(folder / "hf"),
        "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_XET": "1", "NO_COLOR": "1",
    }  # fmt: skip


def write_pipeline(folder: Path) -> bool:
    """Put the sandbox's pipeline into the package en_core_web_sm unless that is installed; return whether it was."""
    if find_spec(PIPELINE):
        return False
    inside = folder / PIPELINE / f"{PIPELINE}-{VERSION}"
    shutil.copytree(Sandbox().pipeline(), inside)
    (folder / PIPELINE / "__init__.py").touch()
    meta = json.loads((inside / "meta.json").read_text("utf-8"))
    meta |= {"name": PIPELINE.removeprefix("en_"), "version": VERSION}
    for path in (inside, folder / PIPELINE):
        (path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return True


def write_clips(folder: Path, count: int) -> Path:
    """Render so many clips into a folder, and return it."""
    folder.mkdir(parents=True)
    for film in islice(training_films(), count):
        write_clip_of(film, folder / f"{film.name}.mp4")
    return folder


def write_clip_of(film: Film, path: Path) -> None:
    """Render a film of the sandbox larger and longer, its first motion over and over: SIDE pixels, FRAMES frames."""
    import av

    verb, _, phase, tempo = film.steps[0]
    motion = MOTIONS[verb]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if "libx264" in av.codecs_available else "mpeg4", rate=RATE)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(FRAMES):
            pose = motion.pose(phase + tempo * number / (RATE * motion.seconds))
            picture = render(pose, film.shot, SIDE)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def write_benchmark(folder: Path) -> None:
    """Write a benchmark as UCF101 is downloaded: as many classes, and three splits of the same two test videos."""
    pairs = product(MOTIONS, THINGS)
    names = [f"{gerund(verb)} {thing}".title().replace(" ", "") for verb, thing in islice(pairs, CLASSES)]
    films = list(islice(training_films(), 100, 100 + TESTED))
    tested = [f"{name}/v_{name}_g01_c01.mp4" for name in names[:TESTED]]
    for film, path in zip(films, tested, strict=True):
        (folder / path).parent.mkdir(parents=True)
        write_clip_of(film, folder / path)
    (folder / "classInd.txt").write_text("".join(f"{place} {name}\n" for place, name in enumerate(names, start=1)))
    for split in (1, 2, 3):
        (folder / f"testlist0{split}.txt").write_text("".join(f"{path}\n" for path in tested))


def spoken(store: Path) -> Iterator[Answer]:
    """Yield what each source took for an answer, as `maxi bags` noted it for `--dry-run`."""
    from maxi_core.system.store import SPEED

    for path in sorted(store.glob(f"*/{SPEED}")):
        said = json.loads(path.read_text(encoding="utf-8"))
        yield Answer(path.parent.name.rpartition("-")[0], said["items"], said["seconds"] / said["items"])


def table(stages: Sequence[Stage], answers: Sequence[Answer], about: dict[str, object]) -> list[str]:
    """Return the numbers as lines for people."""
    lines = [f"{key}: {value}" for key, value in about.items()]
    lines += ["", f"{'stage':22}{'wall s':>9}{'CPU s':>9}{'peak GiB':>10}"]
    lines += [f"{one.name:22}{one.seconds:9.1f}{one.cpu_seconds:9.1f}{one.peak_bytes / 2**30:10.2f}" for one in stages]
    lines += ["", f"{'source in bags':22}{'answers':>9}{'s each':>9}"]
    lines += [f"{one.source:22}{one.items:9}{one.seconds_each:9.3f}" for one in answers]
    return [*lines, "", *(f"{one.name}: {one.command}" for one in stages)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
