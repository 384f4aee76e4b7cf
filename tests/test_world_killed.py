"""The whole of `maxi bags` in the embedded world, killed at fifty writes to the disk, and its shares."""

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tests.test_world import World

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

CHAINS, KILLS = 25, 2
FILES = ("bags.jsonl", "skipped.jsonl")


class Small(World):
    """The world with six videos, one of which is no video; `writes` of a whole run, and `hits` of the killer."""

    writes = hits = 0

    def prepare(self) -> None:
        super().prepare()
        films = self.folder / "films.txt"
        names = films.read_text().splitlines()[:5]
        films.write_text("\n".join([*names, "broken.mp4"]) + "\n")

    def killed(self, place: int, seed: int, *arguments: str) -> subprocess.CompletedProcess[str]:
        killer = Path(__file__).parent / "bags" / "killer.py"
        return subprocess.run(
            [sys.executable, str(killer), str(place), str(seed), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self.env,
        )

    def digests(self, run: str) -> dict[str, str]:
        return {name: sha256((self.folder / run / name).read_bytes()).hexdigest() for name in FILES}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    world = Small(tmp_path_factory.mktemp("killed"))
    world.prepare()
    done = world.killed(0, 0, *world.arguments("whole", "--store", "whole-store"))
    assert done.returncode == 0, done.stderr
    world.writes = int(done.stderr.split()[-1])
    yield world
    sys.stderr.write(f"\n{world.hits} kills among {world.writes} writes\n")


@pytest.mark.parametrize("chain", range(CHAINS))
def test_killed_inside_writes_the_run_goes_on_and_makes_the_same_bytes(world: Small, chain: int) -> None:
    draw, run = random.Random(chain), f"run{chain}"
    arguments = world.arguments(run, "--store", f"store{chain}")
    for kill in range(KILLS):  # anywhere at first; later where it still comes to
        at = draw.randint(1, world.writes // KILLS if kill else world.writes)
        ran = world.killed(at, draw.randrange(10**6), *arguments)
        assert ran.returncode in (-signal.SIGKILL, 0), ran.stderr
        world.hits += ran.returncode == -signal.SIGKILL
    world.run(*arguments)
    assert world.digests(run) == world.digests("whole")


def test_four_shares_at_once_one_of_them_killed_make_the_same_bytes(world: Small) -> None:
    def arguments(number: int) -> list[str]:
        return world.arguments("shared", "--store", "shared-store", "--shard", f"{number}/4")

    running = [world.start(*arguments(number)) for number in (1, 2, 4)]
    killed = world.killed(3, 0, *arguments(3))
    assert killed.returncode == -signal.SIGKILL
    for process in running:
        _, errors = process.communicate()
        assert process.returncode == 0, errors
    assert not (world.folder / "shared" / "bags.jsonl").exists()
    assert "bags of 6 videos" in world.run(*arguments(3))
    assert world.digests("shared") == world.digests("whole")
