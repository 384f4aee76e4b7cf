"""Killed at any write to the disk, also inside it: the next run goes on, and the bags are the same bytes (S2)."""

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode

CAST = "toynoise,toymatch,toygpt,toyblip,toyverbs"
FILES = ("bags.jsonl", "skipped.jsonl")


def killed_at(arguments: list[str], place: int, seed: int = 0) -> subprocess.CompletedProcess[str]:
    killer = Path(__file__).parent / "killer.py"
    return subprocess.run(
        [sys.executable, str(killer), str(place), str(seed), *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def place(world):
    """Return a function: name -> the arguments of a run in a folder and with a store of its own."""
    for number in range(6):
        world.add(f"more {number}.mp4")
    world.add("a broken one.mp4")
    world.add("dark.mp4")

    def arguments(name: str) -> list[str]:
        typed = world.arguments("--keep", "0.9", sources=CAST)
        typed[typed.index("--out") + 1] = str(world.folder / name)
        typed[typed.index("--store") + 1] = str(world.folder / f"{name} store")
        return typed

    return arguments


def digests(folder: Path) -> dict[str, str]:
    return {name: sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def asked(world) -> Counter[str]:
    lines = (world.folder / "asked.log").read_text("utf-8").splitlines()
    (world.folder / "asked.log").unlink()
    return Counter(lines)


def break_and_mend(world, place, chains: int, kills: int) -> tuple[int, int]:
    """Run `chains` runs, each killed up to `kills` times; return how many kills hit and what was asked twice."""
    whole = killed_at(place("whole"), 0)
    assert whole.returncode == ExitCode.DONE, whole.stderr
    writes = int(whole.stderr.split()[-1])
    expected, questions = digests(world.folder / "whole"), asked(world)
    hits = again = 0
    for chain in range(chains):
        draw, name = random.Random(chain), f"run {chain}"
        for kill in range(kills):  # anywhere at first; later where it still comes to
            at = draw.randint(1, writes // kills if kill else writes)
            ran = killed_at(place(name), at, draw.randrange(10**6))
            assert ran.returncode in (-signal.SIGKILL, ExitCode.DONE), ran.stderr
            hits += ran.returncode == -signal.SIGKILL
            manifest = world.folder / name / "manifest.json"
            if manifest.exists() and (found := json.loads(manifest.read_text()))["finished"]:
                assert found["sha256"]["bags.jsonl"] == digests(world.folder / name)["bags.jsonl"]
        assert world.maxi(*place(name)).code == ExitCode.DONE
        assert digests(world.folder / name) == expected, f"chain {chain}"
        assert not list((world.folder / name).glob(".bags.jsonl.*")), "what a killed run left half written stays"
        now = asked(world)
        assert set(now) == set(questions)
        again += sum(count for line, count in now.items() if "broken" not in line and "dark" not in line) - sum(
            count for line, count in questions.items() if "broken" not in line and "dark" not in line
        )
    return hits, again


def test_killed_inside_a_write_it_goes_on_and_makes_the_same_bytes(world, place) -> None:
    hits, again = break_and_mend(world, place, chains=2, kills=3)
    assert hits >= 2
    assert again <= 2 * hits, "more was asked twice than what the kills cut off"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_kills_leave_the_same_bytes(world, place) -> None:
    hits, again = break_and_mend(world, place, chains=50, kills=1)
    sys.stderr.write(f"{hits} kills, {again} questions asked again\n")
    assert hits == 50
    assert again <= 2 * hits
