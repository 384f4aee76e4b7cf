"""The scripts of docs/ray.md on a real SLURM cluster of four nodes, all on this machine."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.plugins.slurm import lacks, slurm
from tests.training.runs import write_world

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
ROOT = Path(__file__).parents[2]
TOYS = "--plugin toys.py --sources toymatch,toygpt,toyblip,toyverbs"
OURS = {  # what the page says for real clusters -> what is there
    "/data/clips": "videos",
    "--sources gpt3,blip": TOYS,
    "/shared/store": "store",
    "1-64": "1-4",
    "/64": "/4",
    "ray.cpus=8": "ray.cpus=2",
    "--nodes=4": "--nodes=3",
    "--nproc-per-node=8": "--nproc-per-node=1",
}
WHERE = """
import socket, time
from maxi_core import Captioner, hookimpl

class Where(Captioner):
    '''Says the same of all, and notes on which machine; it waits there until three are at work.'''
    name = "where"
    frames = None
    batch = 1
    def open(self):
        self.until = time.monotonic() + 400
    def caption(self, clips):
        with open(PLACE, "a") as log:
            print(socket.gethostname(), file=log)
        while len(set(open(PLACE).read().split())) < 3 and time.monotonic() < self.until:
            time.sleep(0.1)
        return [["a person waving"] for clip in clips]

@hookimpl
def maxi_register_sources():
    return [Where]
"""


def scripts(start: str) -> str:
    """Return the one script of the page that begins so, for the cluster of the test."""
    page = (ROOT / "docs" / "ray.md").read_text()
    (text,) = [block for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL) if block.startswith(start)]
    for theirs, ours in OURS.items():
        text = text.replace(theirs, ours)
    return text


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    if missing := lacks():
        pytest.skip(f"SLURM is not installed ({missing})")
    with slurm(tmp_path_factory.mktemp("slurm")) as env:
        bin_of_python = Path(sys.executable).parent
        path = f"{bin_of_python}{os.pathsep}{env['PATH']}"
        home = tmp_path_factory.mktemp("home")  # with the token of Ray
        yield {**env, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(home)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with videos, a dictionary and sources without models; bags of one process lie in `whole`."""
    (tmp_path / "videos").mkdir()
    for number in range(200):
        (tmp_path / "videos" / f"clip {number}.mp4").write_text(f"film {number}")
    (tmp_path / "actions.txt").write_text("riding a bike\njuggling balls\nplaying chess\nwaving a flag\n")
    (tmp_path / "toys.py").write_text((ROOT / "tests" / "bags" / "toys.py").read_text())
    return tmp_path


def submit(script: str, place: Path, env: Mapping[str, str]) -> str:
    """Run a script as a job, to its end; return all that it said."""
    (place / "job.sh").write_text(script)
    said = subprocess.run(
        ["sbatch", "--wait", "job.sh"], cwd=place, env=env, capture_output=True, text=True, check=False
    )
    out = "".join(file.read_text() for file in sorted(place.glob("slurm-*.out")))
    assert said.returncode == 0, said.stderr + out
    return out


def of_one_process(place: Path, env: Mapping[str, str], sources: str = TOYS) -> bytes:
    words = ["bags", "videos", "--dictionary", "actions.txt", *sources.split(), "--out", "whole", "--store", "store1"]
    subprocess.run([sys.executable, "-m", "maxi_cli", *words], cwd=place, env=env, check=True, capture_output=True)
    return (place / "whole" / "bags.jsonl").read_bytes()


def test_the_array_makes_the_bags_of_one_process(cluster: Mapping[str, str], place: Path) -> None:
    out = submit(scripts("#!/bin/bash\n#SBATCH --array"), place, cluster)
    assert out.count("50 of 50 videos matched") == 4
    assert out.count("200 bags of 200 videos") == 1, "the last one makes them"
    assert (place / "runs/mine/bags.jsonl").read_bytes() == of_one_process(place, cluster)


def test_ray_on_three_machines_makes_the_bags_of_one_process(cluster: Mapping[str, str], place: Path) -> None:
    pytest.importorskip("ray")
    (place / "where.py").write_text(WHERE.replace("PLACE", repr(str(place / "machines.log"))))
    sources = TOYS.replace("toyblip", "where").replace("toys.py", "toys.py --plugin where.py")
    out = submit(scripts("#!/bin/bash\n#SBATCH --nodes").replace(TOYS, sources), place, cluster)
    assert "asked now: toymatch 200," in out
    assert set((place / "machines.log").read_text().split()) == {"node1", "node2", "node3"}
    assert (place / "runs/mine/bags.jsonl").read_bytes() == of_one_process(place, cluster, sources)


def test_torchrun_trains_on_all_nodes_of_an_allocation(cluster: Mapping[str, str], place: Path, tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    world = write_world(tmp_path / "world")
    (place / "runs").mkdir()
    (place / "runs" / "mine").symlink_to(world / "run")
    tiny = "--frames 2 --batch-size 2 --bag-size 2 --epochs 1 --workers 0 --device cpu --out trained"
    script = scripts("#!/bin/bash\n#SBATCH --nodes").partition("srun")[0] + scripts("srun torchrun")
    script = script.replace("train runs/mine", f"train runs/mine --model {world / 'model'} {tiny}")
    submit(script, place, cluster)
    assert len(list((place / "trained").rglob("DONE"))) == 1
