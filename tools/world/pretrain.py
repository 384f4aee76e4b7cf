"""Makes the sandbox's models and puts them into the package: `python -m tools.world.pretrain [MODEL]`."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maxi_sandbox.home import forget
from maxi_sandbox.library import SEEDS
from maxi_sandbox.parcels import DATA as SHIPPED
from maxi_sandbox.parcels import EMBEDDING, TOKENS, WEIGHTS, packed
from tools.world.stills import Still, frames, still

# where each model is kept; the tower is no model of the world, only what two of them start from
PLACES = {
    "tower": Path(__file__).parent / "data" / "tower",
    **{name: SHIPPED / name for name in ("blip", "clip", "spacy")},
}
TOWER_STILLS, BLIP_STILLS, CHECKED = 24_000, 10_000, 1_000


def say(text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def stills(name: str, count: int) -> list[Still]:
    """Return the first `count` stills of one of the seed ranges of the library."""
    return [still(seed) for seed in SEEDS[name][:count]]


def compute_in_one_thread() -> None:
    """Let torch compute in one thread: with another number CLIP and BLIP come out with other last digits."""
    import torch

    torch.set_num_threads(1)


def make_tower(folder: Path) -> None:
    """Train the image tower that CLIP and captioner start from and write its packed form into `folder`."""
    from safetensors.numpy import save_file

    from tools.world.tower_training import LESSONS, pretrain, untrained

    shown, visual = stills("clip", TOWER_STILLS), untrained(LESSONS[0].seed)
    for number, lesson in enumerate(LESSONS, 1):
        for step, error in pretrain(visual, shown, lesson):
            if step % 25 == 0:
                say(f"tower: lesson {number}, step {step}, error of joints {error:.3f}")
    weights = {name: tensor.detach().numpy() for name, tensor in visual.state_dict().items() if name != "proj"}
    save_file(packed(weights), folder / WEIGHTS["tower"])


def tower() -> dict[str, Any]:
    """Return the packaged image tower's weights, under open_clip's names."""
    from safetensors.torch import load_file

    return {name: tensor.float() for name, tensor in load_file(PLACES["tower"] / WEIGHTS["tower"]).items()}


def make_clip(folder: Path) -> None:
    """Pretrain the CLIP on what the packaged tower sees and write its packed form into `folder`."""
    from tools.world.clip_training import Lesson, Vocabulary, pretrain, untrained
    from tools.world.measures import named_accuracy

    compute_in_one_thread()
    vocabulary, check, lesson = Vocabulary(), stills("clip-check", CHECKED), Lesson()
    model = untrained(vocabulary, lesson.seed)
    model.visual.load_state_dict(model.visual.state_dict() | tower())
    for step, loss in pretrain(model, stills("clip", TOWER_STILLS), vocabulary, lesson):
        if step % 20 == 0:
            verbs, things = named_accuracy(model, vocabulary, check)
            say(f"clip: step {step}, loss {loss:.2f}, verbs {verbs:.1%}, things {things:.1%}")
    write_clip(model, vocabulary, folder)


def write_clip(model: Any, vocabulary: Any, folder: Path) -> None:
    """Write a CLIP with the compact vocabulary, in packed form, and its configuration into `folder`."""
    import torch
    from safetensors.numpy import save_file

    from tools.world.clip_training import MODEL
    from tools.world.tower_training import MEAN, STD

    weights = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    assert len(weights[EMBEDDING]) == len(vocabulary.ids)
    save_file(packed(weights | {TOKENS: vocabulary.ids.to(torch.int32).numpy()}), folder / WEIGHTS["clip"])
    looks = {"mean": [MEAN] * 3, "std": [STD] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    text = json.dumps({"model_cfg": MODEL, "preprocess_cfg": looks}, indent=2)
    (folder / "open_clip_config.json").write_text(text + "\n", encoding="utf-8")


def make_blip(folder: Path) -> None:
    """Train the captioner and write its packed form into `folder`."""
    import torch

    from tools.world.blip_training import Lesson, captions, pretrain
    from tools.world.measures import caption_accuracy

    compute_in_one_thread()
    check = stills("blip-check", CHECKED // 2)
    raw = torch.from_numpy(frames(check))
    for step, loss, model in pretrain(stills("blip", BLIP_STILLS), tower(), Lesson()):
        if step % 100 == 0:
            right = caption_accuracy(captions(model.eval(), raw), [one.verb for one in check])
            model.train()
            say(f"blip: step {step}, loss {loss:.2f}, verbs {right:.1%}")
    write_blip(model, folder)


def write_blip(model: Any, folder: Path) -> None:
    """Write a captioner with its tokenizer and image processor, in packed form, into `folder`."""
    from safetensors.numpy import load_file, save_file

    from tools.world.blip_training import save_processor

    model.save_pretrained(folder)
    save_processor(folder)
    save_file(packed(load_file(folder / WEIGHTS["blip"])), folder / WEIGHTS["blip"], {"format": "pt"})


def make_spacy(folder: Path) -> None:
    """Train the English pipeline and write it into `folder`."""
    from tools.world.spacy_training import CHECK_SEED, Lesson, accuracy, sentences, train

    check = sentences(500, CHECK_SEED)
    pipeline: Any = None
    for epoch, trained in train(Lesson()):
        shares = ", ".join(f"{name} {right / total:.1%}" for name, (right, total) in accuracy(trained, check).items())
        say(f"spacy: epoch {epoch}, {shares}")
        pipeline = trained
    pipeline.to_disk(folder)


MAKERS = {"tower": make_tower, "blip": make_blip, "clip": make_clip, "spacy": make_spacy}


def install(name: str) -> None:
    """Make model `name` in a folder of its own and put it in place of the packaged one when it is complete."""
    start = time.monotonic()
    place = PLACES[name]
    with tempfile.TemporaryDirectory(dir=place.parent) as made:
        MAKERS[name](Path(made) / "new" if name == "spacy" else _new(Path(made)))
        shutil.rmtree(place, ignore_errors=True)
        for file in (Path(made) / "new").rglob("*"):
            file.chmod(0o755 if file.is_dir() else 0o644)  # some libraries write files that only their owner can read
        (Path(made) / "new").rename(place)
    forget(name)
    say(f"{name}: made in {(time.monotonic() - start) / 60:.1f} minutes")


def _new(parent: Path) -> Path:
    (parent / "new").mkdir()
    return parent / "new"


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the models that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tools.world.pretrain", description=__doc__)
    parser.add_argument("model", choices=[*MAKERS, "all"], nargs="?", default="all")
    wanted = parser.parse_args(arguments).model
    for name in MAKERS if wanted == "all" else [wanted]:
        install(name)


if __name__ == "__main__":
    main()
