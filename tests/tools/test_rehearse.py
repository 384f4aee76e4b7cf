"""The rehearsal's parts: how a command is measured, and what its table says; the rest is `make rehearse`."""

import json
import sys
from pathlib import Path

import pytest

from maxi_core.bags.bag import to_line
from maxi_core.training.options import TrainSection
from maxi_core.types import Match, TextBag, Video
from maxi_plugins.blip import Blip
from maxi_plugins.english.pipeline import Pipeline, pipeline_folder
from maxi_plugins.objectives import maxi_register_objectives
from tools.rehearse.__main__ import LOSS_APART, Answer, entries, main, table, write_pipeline
from tools.rehearse.stages import measured
from tools.rehearse.weights import CAPTIONER, CLIP, SPECIAL, WORDS, _vocabulary

CHILD = "import time; a = bytearray(60_000_000); time.sleep(0.5)"
PARENT = f"import subprocess, sys; print('said'); sys.exit(subprocess.call([sys.executable, '-c', {CHILD!r}]) + 3)"


def test_a_stage_counts_the_memory_of_processes_below_and_keeps_output_and_code(tmp_path: Path) -> None:
    stage = measured("bags", [sys.executable, "-c", PARENT], {}, tmp_path)
    assert (stage.code, stage.output) == (3, "said\n")
    assert stage.seconds > 0.5
    assert 60e6 < stage.peak_bytes < 300e6
    (line,) = (line for line in table([stage], [Answer("maxi.blip", 2, 1.5)], {}) if line.startswith("maxi.blip"))
    assert line.split() == ["maxi.blip", "2", "1.500"]


def test_the_weights_are_those_of_the_defaults() -> None:
    assert Blip.Options().model == CAPTIONER
    assert TrainSection.model_fields["model"].default == "/".join(CLIP)


def test_the_other_loss_has_a_gradient_where_all_videos_and_bags_are_alike() -> None:
    (loss,) = (kind for kind in maxi_register_objectives() if kind.name == LOSS_APART)
    assert loss.constant_because(loss(), 2, 1, alike=True) == ""


def test_the_vocabulary_has_as_many_different_words_as_berts() -> None:
    words = [*_vocabulary()]
    assert len(words) == len(set(words)) == WORDS
    assert {place: words[place] for place in SPECIAL} == SPECIAL


@pytest.mark.long  # loads spaCy
def test_the_pipeline_is_found_by_the_default_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not write_pipeline(tmp_path):
        pytest.skip("en_core_web_sm is installed")
    monkeypatch.syspath_prepend(tmp_path)
    (clauses,) = Pipeline(pipeline_folder("en_core_web_sm")).read(["a person throwing a ball"])
    assert [clause.lemma for clause in clauses] == ["throw"]


@pytest.mark.long  # ViT-B/16 at its full size, fetched; three commands
@pytest.mark.timeout(1800)
def test_the_three_commands_run_through_with_weights_that_are_fetched(tmp_path: Path) -> None:
    assert main(["--tiny", "--epochs", "1", "--download", "--json", str(tmp_path / "said.json")]) == 0
    said = json.loads((tmp_path / "said.json").read_text(encoding="utf-8"))
    assert [(stage["name"], stage["code"]) for stage in said["stages"]] == [("bags", 0), ("train", 0), ("eval", 0)]


def test_the_entries_that_videos_are_matched_to_are_read_from_the_bags(tmp_path: Path) -> None:
    matched = {"a": "x", "b": "y", "c": "y"}
    bags = [TextBag(Match(Video(name, tmp_path / name), entry, 0.5), kept=True) for name, entry in matched.items()]
    (tmp_path / "bags.jsonl").write_text("".join(f"{to_line(bag)}\n" for bag in bags), encoding="utf-8")
    assert entries(tmp_path / "bags.jsonl") == {"x", "y"}
