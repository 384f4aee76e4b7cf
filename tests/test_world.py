"""The whole of `maxi bags` in the embedded world: real CLIP, BLIP, spaCy, recorded replies and MP4 files."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from maxi_sandbox.library import TRAINING_VIDEOS

ROOT = Path(__file__).parent.parent
VIDEOS = 24
NOISE = ["a man is surfing a wave", "a woman painting a fence", "two dogs barking", "a chef is chopping onions"]


class World:
    """A MAXI_HOME, the first videos of the world, a captions file, and commands in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("MAXI_")}
        self.env |= {"MAXI_HOME": str(folder / "home"), "COLUMNS": "80", "NO_COLOR": "1", "HF_HUB_OFFLINE": "1"}

    def prepare(self) -> None:
        from maxi_core.video.inputs import find_videos

        program = "from maxi_sandbox import Sandbox; print(Sandbox().videos())"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=self.env)
        films = Path(done.stdout.strip())
        ids = [video.id for video in find_videos(films)][:VIDEOS]
        (self.folder / "films.txt").write_text("".join(f"{name}\n" for name in ids))
        with (self.folder / "captions.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["videoid", "contentUrl", "duration", "page_dir", "name"])
            rows.writerows([number, "u", "PT1S", "p", text] for number, text in enumerate(NOISE))
        self.videos = ["films.txt", "--root", str(films)]

    def arguments(self, out: str, *more: str) -> list[str]:
        config = ["--config", "sandbox"]
        noise = ["-o", "webvid.captions=captions.csv", "-o", "webvid.noise=4", "-o", "verbs.model=rules"]
        sources = ["--sources", "webvid,gpt3,blip"]
        return ["bags", *self.videos, *config, *sources, *noise, "--out", out, "--keep", "0.9", *more]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "maxi_cli", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self.env,
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        out, errors = process.communicate()
        assert process.returncode == 0, errors
        return out


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("world"))
    world.prepare()
    world.run(*world.arguments("whole"))
    return world


def records(world: World, run: str) -> list[dict]:
    return [json.loads(line) for line in (world.folder / run / "bags.jsonl").read_text("utf-8").splitlines()]


def test_every_source_fills_the_bags_of_real_videos(world: World) -> None:
    bags = records(world, "whole")
    kept = [bag for bag in bags if bag["kept"]]
    assert (len(bags), len(kept)) == (VIDEOS, round(0.9 * VIDEOS))
    said = {source for bag in kept for source in bag["said"]}
    assert said == {"gpt3", "blip"}
    assert all(len(bag["said"]["blip"]) <= 8 for bag in kept if "blip" in bag["said"])
    sources = {text["source"] for bag in kept for text in bag["texts"]}
    assert sources == {"dictionary", "gpt3", "blip"}
    assert all(bag["match"]["entry"] not in [text["text"] for text in bag["texts"]] for bag in bags)


def test_noise_of_the_captions_file_stands_in_the_dictionary(world: World) -> None:
    manifest = json.loads((world.folder / "whole" / "manifest.json").read_text())
    assert "sandbox+webvid4@seed0 (20 entries" in manifest["made_of"]["dictionary"]


def test_matches_are_right_far_more_often_than_by_chance(world: World) -> None:
    world.run("bags", "--config", "sandbox", "--sources", "dictionary", "--without", "verbs", "--out", "matched")
    stats = json.loads(world.run("stats", "matched", "--labels", "sandbox", "--json"))
    (everything, *_) = stats["shares"]
    assert everything["labelled"] == TRAINING_VIDEOS
    assert everything["right"] / TRAINING_VIDEOS > 4 / 16


@pytest.mark.long  # runs of other sources are killed in tests/bags
def test_a_killed_run_goes_on_and_makes_the_same_bytes(world: World) -> None:
    running = world.start(*world.arguments("broken", "--store", "fresh"))
    began = time.monotonic()
    while running.poll() is None and time.monotonic() - began < 120:
        segments = list((world.folder / "fresh").glob("maxi.blip-*/*.jsonl"))
        if segments and segments[0].read_bytes().count(b"\n") >= 3:
            break
        time.sleep(0.02)
    running.kill()
    running.communicate()
    out = json.loads(world.run(*world.arguments("broken", "--store", "fresh", "--json")))
    assert out["asked"]["dictionary"] == 0
    assert out["asked"]["blip"] < out["kept"]
    whole, broken = (world.folder / run / "bags.jsonl" for run in ("whole", "broken"))
    assert broken.read_bytes() == whole.read_bytes()


def test_the_bag_of_a_video_is_shown_at_80_columns(world: World) -> None:
    video = next(bag["video"] for bag in records(world, "whole") if bag["kept"])
    out = world.run("show", "whole", video)
    assert "blip said" in out
    assert "gpt3 said" in out
    assert all(len(line) <= 80 for line in out.splitlines())
    assert "texts in a bag" in world.run("stats", "whole")


SHARED = ROOT.parent / "shared" / "videos"


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real clips are not here")
def test_real_clips_go_through_with_a_known_dictionary(world: World) -> None:
    """Nothing sensible is promised of the world's models on real clips; that everything runs is."""
    config = ["--config", "sandbox"]
    world.run("bags", str(SHARED), *config, "--dictionary", "kinetics400", "--sources", "blip", "--out", "real")
    bags = records(world, "real")
    assert [Path(bag["video"]).suffix for bag in bags] == [".avi", ".mp4", ".mp4"]
    assert all(len(bag["match"]["top"]) == 5 for bag in bags)
