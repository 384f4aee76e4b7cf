"""A study of tiny models on few clips: a recipe, a plugin file with a captioner, a benchmark, a study of one's own."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.clip.tiny_clip import write
from tests.evaluation.conftest import CLASSES, film

RECIPE = """
[bags]
videos = "{folder}/clips"
dictionary = "{folder}/actions.txt"

[sources]
matcher = "true-labels"

[true-labels]
list = "{folder}/true.csv"

[verbs]
model = "rules"

[plugins]
files = ["{folder}/says.py"]

[train]
model = "{folder}/model"
frames = 2
bag_size = 3
batch_size = 4
epochs = 2
warmup_epochs = 0
lr = 1e-3
augmentation = "none"
ensemble = 0.2

[eval]
frames = 2
store = "{folder}/store"

[video]
workers = 0

[study]
benchmark = ["{folder}/bench"]
labels = "{folder}/true.csv"
"""
CAPTIONER = '''
"""`says`: one caption for each video, by the number in its name."""

from maxi_core import Captioner, hookimpl

VERBS = ("walk", "run", "jump", "sit")


class Says(Captioner):
    """Says what is done."""

    name = "says"
    frames = None

    def caption(self, clips):
        return [[f"a person will {VERBS[int(clip.video.path.stem) % 4]} now"] for clip in clips]


@hookimpl
def maxi_register_sources():
    return [Says]
'''
STUDY = """
title = "what is trained"
base = "matches"

[all]
bags.keep = 1.0

[variants.raw]
on = "nothing"

[variants.matches]
title = "matches only"

[variants.ce]
train.loss = "ce"

[variants.single]
train.bag_size = 1

[variants.alone]
train.ensemble = 0.0

[variants.mean]
train.ensemble = 0.0
average = true

[variants.says]
sources = "says"

[variants.vote]
on = "vote"
sources = "says,dictionary"
dictionary.model = "MODEL"
"""


@dataclass(frozen=True)
class Mine:
    """The files that a user has."""

    folder: Path
    recipe: Path
    study: Path


@pytest.fixture(scope="session")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Mine:
    """Write them once; nobody writes there afterwards but into the store."""
    folder = tmp_path_factory.mktemp("study")
    lines = []
    for number in range(12):
        film(folder / "bench" / "videos" / f"{number}.mp4", number)
        lines.append(f"videos/{number}.mp4 {number % 4}\n")
    (folder / "bench" / "split.txt").write_text("".join(lines))
    names = "".join(f"{number},{name}\n" for number, name in enumerate(CLASSES))
    (folder / "bench" / "labels.csv").write_text(f"id,name\n{names}")
    for number in range(8):
        film(folder / "clips" / f"{number}.mp4", 50 + number)
    (folder / "actions.txt").write_text("walking a dog\nrunning a race\njumping over a rope\n")
    (folder / "true.csv").write_text(
        "video,label\n" + "".join(f"{n}.mp4,{'walking a dog' if n % 2 else 'running a race'}\n" for n in range(8))
    )
    write(folder / "model")
    (folder / "says.py").write_text(CAPTIONER)
    (folder / "recipe.toml").write_text(RECIPE.format(folder=folder))
    (folder / "mine.toml").write_text(STUDY.replace("MODEL", str(folder / "model")))
    return Mine(folder, folder / "recipe.toml", folder / "mine.toml")
