"""The third-party examples, and the sources that pages show, in whole runs of `maxi bags`."""

import json
from pathlib import Path

import numpy as np

from maxi_core.errors import ExitCode
from maxi_sandbox import Sandbox
from tests.bags.conftest import World
from tests.video.clips import write

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"


def plugin(name: str) -> str:
    return str(EXAMPLES / f"maxi-{name}" / f"maxi_{name}.py")


def shown(page: str, file: str, world: World) -> Path:
    """Write a program into a file as a page says."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (world.folder / file).write_text(text.partition(f"<!-- {file} -->\n```python\n")[2].partition("```")[0])
    return world.folder / file


def films(world: World, *shades: int) -> None:
    """Put videos of one shade each in the place of those that are there."""
    for old in world.videos.iterdir():
        old.unlink()
    for shade in shades:
        write(world.videos / f"{shade}.mp4", [np.full((48, 64, 3), shade, np.uint8)] * 12)


def test_the_source_of_the_readme_works_as_it_is_shown(world: World) -> None:
    ran = world.bags("--plugin", str(shown("README.md", "loud.py", world)), "-q", sources="toymatch,loud,toyverbs")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    assert all(bag["said"]["loud"] == [f"{bag['match']['entry']} with all their might"] for bag in world.records())


def test_the_first_source_of_the_guide_works_as_it_is_shown(world: World) -> None:
    films(world, 30, 220)
    file = shown("docs/writing-a-plugin.md", "mine.py", world)
    ran = world.bags("--plugin", str(file), "--workers", "0", sources="toymatch,light,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    said = {bag["video"]: bag["said"]["light"] for bag in world.records()}
    assert said == {"30.mp4": ["someone moving in the dark"], "220.mp4": ["someone moving in the light"]}


def test_the_captioner_with_a_model_of_the_guide_works_as_it_is_shown(world: World) -> None:
    films(world, 30, 90, 220)
    file = shown("docs/writing-a-plugin.md", "blips.py", world)
    code = file.read_text().replace("Salesforce/blip-image-captioning-base", str(Sandbox().captioner()))
    hook = "import maxi_core\n\n@maxi_core.hookimpl\ndef maxi_register_sources():\n    return [Blips]\n"
    file.write_text(code + hook)
    ran = world.bags("--plugin", str(file), "--workers", "0", sources="toymatch,blips,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    assert all(len(bag["said"]["blips"]) == 3 for bag in world.records())


def test_synonyms_say_a_matched_name_again(world: World) -> None:
    ran = world.bags("--plugin", plugin("synonyms"), "--quiet", sources="toymatch,synonyms,toyverbs")
    assert (ran.code, ran.err) == (ExitCode.DONE, "")
    said = {tuple(bag["said"]["synonyms"]) for bag in world.records()}
    assert said >= {("steering a bike", "driving a bike"), ("tossing balls", "catching balls")}


def test_descriptors_fail_for_a_name_they_do_not_know_and_the_others_go_on(world: World) -> None:
    (world.folder / "d.json").write_text(json.dumps({"RidingABike": ["sitting on it"], "juggling balls": "throwing"}))
    options = ("-o", f"descriptors.file={world.folder / 'd.json'}")
    ran = world.bags("--plugin", plugin("descriptors"), *options, sources="toymatch,descriptors,toyverbs")
    assert ran.code == ExitCode.DONE
    said = {bag["match"]["entry"]: bag["said"].get("descriptors") for bag in world.records()}
    assert said["riding a bike"] == ["sitting on it"]
    assert said.get("playing chess") is None
    skipped = [json.loads(line) for line in (world.out / "skipped.jsonl").read_text().splitlines()]
    assert {row["source"] for row in skipped} == {"descriptors"}
