"""`maxi bags` with `vlm`: what it says before, what it asks, and killed again and again, a server counting."""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path

import numpy as np
import pytest

from maxi_core.errors import ExitCode
from tests.bags.conftest import World
from tests.plugins.loopback import Reply, Server, chat, fault, pictures, prompt_of, serving
from tests.video.clips import write

CAST = "toymatch,vlm,toyverbs"
FLAGS = ("-o", "vlm.model=small-model", "-o", "vlm.frames=2", "--workers", "0", "--keep", "1")


def actions(prompt: str) -> Reply:
    return chat(json.dumps({"actions": [f"waving {prompt}"]}))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with serving(Server(actions)) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.url)
        yield running


def films(world: World, count: int) -> list[str]:
    """Put so many videos in the place of those that are there, each of two shades; return what is asked of them."""
    for old in world.videos.iterdir():
        old.unlink()
    shades = list(islice(product(range(20, 260, 20), repeat=2), count))
    for left, right in shades:
        frame = np.full((48, 64, 3), left, np.uint8)
        frame[:, 32:] = right
        write(world.videos / f"{left} {right}.mp4", [frame] * 4)
    return [f"shade {left} {right}" for left, right in shades]


def test_frames_of_each_video_are_seen_several_at_once_and_no_answer_is_paid_for_twice(
    world: World, server: Server
) -> None:
    asked = films(world, 8)
    (world.videos / "no video.mp4").write_text("this is no video")
    bad = asked[3]
    server.answer = lambda prompt: fault(400, "too dark") if prompt == bad else Reply(actions(prompt).body, delay=0.1)
    world.bags(*FLAGS, sources=CAST)
    said = {f"shade {Path(bag['video']).stem}": bag["said"].get("vlm") for bag in world.records()}
    assert said == {"shade no video": None, bad: None} | {
        prompt: [f"waving {prompt}"] for prompt in asked if prompt != bad
    }
    assert {(len(seen), seen[0].size) for seen in map(pictures, server.requests)} == {(2, (64, 48))}
    assert server.most_at_once > 1
    assert sorted(server.received) == sorted(set(asked) - {bad})
    server.answer = actions
    world.bags(*FLAGS, sources=CAST)
    assert sorted(server.received.items()) == sorted((prompt, 1) for prompt in asked)
    assert len(server.requests) == len(asked) + 1
    world.bags(*FLAGS, "--store", str(world.folder / "another"), "--overwrite", sources=CAST)
    assert len(server.requests) == len(asked) + 1, "what was paid for was asked again for another store"


def test_a_dry_run_says_how_many_calls_and_tokens_it_takes_and_pays_for_nothing(world: World, server: Server) -> None:
    films(world, 4)
    ran = world.bags(*FLAGS[:-2], "--keep", "0.5", "--dry-run", sources=CAST)
    assert ran.code == ExitCode.DONE
    assert "caption by vlm: 2 videos x 2 frames at most, about 830 tokens" in ran.out + ran.err
    told = json.loads(world.bags(*FLAGS, "--dry-run", "--json", sources=CAST).out)
    assert (told["calls"], told["tokens"]) == ({"vlm": 4}, 1660)
    assert server.requests == []


@pytest.mark.parametrize(
    ("flags", "key", "sees"),
    [
        (("-o", "vlm.model=another"), "none", "does not list the model 'another'"),
        ((), "", "there is no API key"),
        (("-o", "vlm.provider=completions"), "none", "provider = 'completions'"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_video(
    world: World, server: Server, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], key: str, sees: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    ran = world.bags(*FLAGS, *flags, sources=CAST)
    assert ran.code != ExitCode.DONE
    assert sees in ran.err
    assert server.requests == []
    assert not world.asked()


@pytest.mark.long
@pytest.mark.timeout(3000)
def test_killed_at_20_points_nothing_is_lost_and_no_reply_on_disk_is_paid_for_again(
    world: World, server: Server
) -> None:
    kills, under_way = 20, 32
    prompts = films(world, 140)
    server.answer = lambda prompt: Reply(actions(prompt).body, delay=0.2)
    draw = random.Random(kills)
    arguments = [sys.executable, "-m", "maxi_cli", *world.arguments(*FLAGS, sources=CAST)]
    kept: set[str] = set()
    for point in sorted(draw.sample(range(1, 110), kills)):
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        while sum(server.received.values()) < point and process.poll() is None:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.2))
        process.kill()
        process.communicate()
        time.sleep(0.4)  # what the server still has to say, it says to nobody
        assert not kept & asked_now(server), "a reply that was on disk was paid for again"
        kept = on_disk()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    _, err = process.communicate()
    assert process.returncode == ExitCode.DONE, err
    assert not kept & asked_now(server), "a reply that was on disk was paid for again"
    assert {text for bag in world.records() for text in bag["said"]["vlm"]} == {f"waving {one}" for one in prompts}
    twice = sum(server.received.values()) - len(prompts)
    print(f"\n{kills} kills, {len(prompts)} videos, {twice} replies sent twice", file=sys.__stderr__)
    assert twice <= under_way * kills, "more was paid twice than what was under way when the process died"


def asked_now(server: Server) -> set[str]:
    """Return what was asked since the last call."""
    asked = {prompt_of(request) for request in server.requests}
    server.requests.clear()
    return asked


def on_disk() -> set[str]:
    """Return what was asked where the reply is on disk."""
    found = set()
    for path in Path(os.environ["MAXI_HOME"]).glob("exchanges/vlm-*/*.json"):
        if len(path.stem) == 32:
            text = json.loads(path.read_text())["response"]["choices"][0]["message"]["content"]
            found.add(json.loads(text)["actions"][0].removeprefix("waving "))
    return found
