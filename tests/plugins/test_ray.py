"""The engine `ray` on a real cluster of two nodes on this machine: kills of a worker, a node and the driver."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from maxi_core.errors import ExitCode
from maxi_core.testing import contract
from maxi_plugins.ray import Ray

pytest.importorskip("ray")  # it puts a folder of its own onto sys.path when it is imported

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves pipes to its daemons open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SOURCES = "toymatch,toygpt,toyblip,toyverbs"
VIDEOS = 300
KEY = "sk-abcd1234efgh5678"
DEADLY = """
import os
from maxi_core import Captioner, Failed, MaxiError, hookimpl

class Deadly(Captioner):
    '''Ends its process at one video, and is refused at another.'''
    name = "deadly"
    frames = None
    batch = 1
    def caption(self, clips):
        for clip in clips:
            if "poison" in clip.video.id:
                os._exit(7)
            if "refused" in clip.video.id:
                raise MaxiError("the key " + os.environ["TOY_API_KEY"] + " was refused", "get another")
        return [["a person waving"] for clip in clips]

@hookimpl
def maxi_register_sources():
    return [Deadly]
"""

test_ray_keeps_the_contract = contract(lambda: Ray(Ray.Options(address="local", actors=2, cpus=1)))


class Place:
    """A folder with videos, and runs in it."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.address = folder, address

    def process(self, out: str, *more: str, videos: str = "videos", **env: str) -> subprocess.Popen[str]:
        command = f"bags {videos} --dictionary actions.txt --plugin toys.py --out {out} --store {out}.store --keep 0.7"
        ray = f"--engine ray -o ray.address={self.address} -o ray.cpus=1 -o ray.env=TOY_*"
        words = [*command.split(), "--sources", SOURCES, *("" if "--engine" in more else ray).split(), *more]
        return subprocess.Popen(
            [sys.executable, "-m", "maxi_cli", *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TOY_LOG": str(self.log(out)), **env},
        )

    def run(self, out: str, *more: str, videos: str = "videos", **env: str) -> tuple[int, str, str]:
        process = self.process(out, *more, videos=videos, **env)
        told = process.communicate(timeout=300)
        return process.returncode, *told

    def log(self, out: str) -> Path:
        return self.folder / f"{out}.log"

    def asked(self, out: str, source: str = "toymatch") -> int:
        return self.log(out).read_text().count(f"{source}\t") if self.log(out).exists() else 0

    def files(self, out: str) -> list[bytes]:
        return [(self.folder / out / name).read_bytes() for name in ("bags.jsonl", "skipped.jsonl")]

    def wait_for(self, out: str, process: "subprocess.Popen[str]", asked: int) -> None:
        until = time.monotonic() + 200
        while self.asked(out) < asked:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until, "no worker has asked anything"
            time.sleep(0.05)


def patiently(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that tries for two minutes: Ray gives a node 30 s, which a busy machine does not keep."""

    def tried(*arguments: Any) -> Any:
        until = time.monotonic() + 120
        while time.monotonic() < until:
            with suppress(RuntimeError):
                return function(*arguments)
            time.sleep(0.5)
        return function(*arguments)

    return tried


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Two nodes of one core each beside a head that has none."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        patch.delenv("TOY_API_KEY", raising=False)
        from ray._private import services
        from ray.cluster_utils import Cluster

        patch.setattr("ray._private.services.get_node", patiently(services.get_node))
        small = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
        cluster.nodes = [cluster.add_node(num_cpus=1, **small) for _ in range(2)]
        yield cluster
        cluster.shutdown()


@pytest.fixture(scope="module")
def place(cluster: Any, tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("ray")
    (folder / "videos").mkdir()
    for number in range(VIDEOS):
        (folder / "videos" / f"clip {number}.mp4").write_text(f"film {number}")
    (folder / "videos" / "a broken one.mp4").write_text("film")
    (folder / "actions.txt").write_text("riding a bike\njuggling balls\nplaying chess\nwaving a flag\n")
    (folder / "toys.py").write_text((Path(__file__).parents[1] / "bags" / "toys.py").read_text())
    (folder / "deadly.py").write_text(DEADLY)
    place = Place(folder, cluster.address)
    assert place.run("whole", "--engine", "local")[0] == ExitCode.DONE
    return place


def workers(cluster: Any) -> list[psutil.Process]:
    """Return the workers of a cluster that are at work."""
    raylets = [info.process.pid for node in cluster.nodes for info in node.all_processes.get("raylet", ())]
    found = [child for pid in raylets if psutil.pid_exists(pid) for child in psutil.Process(pid).children()]
    return [one for one in found if "ray::_Remote" in " ".join(one.cmdline())]


def test_two_nodes_make_the_bags_of_one_process(place: Place) -> None:
    code, _, err = place.run("two")
    assert (code, err) == (ExitCode.DONE, ""), "Ray prints nothing"
    assert place.files("two") == place.files("whole")
    assert place.asked("two") == VIDEOS + 1
    assert json.loads((place.folder / "two" / "manifest.json").read_text())["asked"]["toymatch"] == VIDEOS + 1
    assert place.run("two")[0] == ExitCode.DONE
    assert place.asked("two") == VIDEOS + 2, "only what failed is asked again"


def test_a_worker_that_is_killed_costs_its_share(place: Place, cluster: Any) -> None:
    process = place.process("worker", TOY_SLEEP="0.01")
    place.wait_for("worker", process, 80)
    workers(cluster)[0].kill()
    _, err = process.communicate(timeout=300)
    assert process.returncode == ExitCode.DONE, err
    said = r"WARNING maxi.bags: a worker died \(process \d+ on \S+\) at a share of 64 videos; it is tried again\n"
    assert re.fullmatch(said, err)
    assert place.files("worker") == place.files("whole")
    assert place.asked("worker") <= VIDEOS + 1 + 64


def test_a_driver_that_is_killed_goes_on_where_it_was_and_keeps_others_out(place: Place) -> None:
    process = place.process("driver", TOY_SLEEP="0.01")
    place.wait_for("driver", process, 150)
    code, _, err = place.run("driver")
    assert (code, f"is in use by process {process.pid} on " in err, err.count("\n")) == (ExitCode.FAILED, True, 1)
    process.kill()
    process.communicate()
    assert place.run("driver")[0] == ExitCode.DONE
    assert place.files("driver") == place.files("whole")
    assert place.asked("driver") <= VIDEOS + 1 + 2 * 64, "not more than was under way"


def test_ctrl_c_is_said_and_ray_says_nothing(place: Place) -> None:
    process = place.process("interrupted", TOY_SLEEP="0.01")
    place.wait_for("interrupted", process, 10)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    stopped = "maxi: stopped; the same command goes on where it was, and what was answered is kept\n"
    assert (process.returncode, err) == (ExitCode.INTERRUPTED, f"{stopped}maxi: interrupted\n")


DEADLY_TOO = ("--plugin", "deadly.py", "--sources", "toymatch,deadly,toyverbs")


def few(place: Place, *names: str) -> str:
    folder = place.folder / names[0].removesuffix(".mp4").replace(" ", "-")
    folder.mkdir()
    for name in (*names, "a.mp4", "c.mp4", "d.mp4"):
        (folder / name).write_text(name)
    return folder.name


def test_one_video_that_ends_workers_is_left_out_and_named(place: Place) -> None:
    code, _, err = place.run("deadly", *DEADLY_TOO, videos=few(place, "b poison.mp4"))
    assert code == ExitCode.DONE, err
    assert len(place.files("deadly")[0].splitlines()) == 3
    (record,) = [json.loads(line) for line in place.files("deadly")[1].splitlines()]
    assert (record["video"], record["error"]) == ("b poison.mp4", "crash")
    assert record["message"].startswith("it ended its worker 3 times (a worker died (process ")


def test_a_key_reaches_the_workers_and_no_file_and_an_error_there_ends_the_run(place: Place, cluster: Any) -> None:
    code, _, err = place.run("refused", *DEADLY_TOO, videos=few(place, "b refused.mp4"), TOY_API_KEY=KEY)
    assert (code, err) == (ExitCode.FAILED, "maxi: error: the key *** was refused; get another\n")
    session = Path(cluster.head_node.get_session_dir_path())
    written = [path for folder in (place.folder, session) for path in folder.rglob("*") if path.is_file()]
    assert [path for path in written if KEY.encode() in path.read_bytes()] == []


def test_a_node_that_dies_costs_what_it_was_at(place: Place, cluster: Any) -> None:
    process = place.process("node", TOY_SLEEP="0.02")
    place.wait_for("node", process, 80)
    cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
    _, err = process.communicate(timeout=300)
    assert process.returncode == ExitCode.DONE, err
    assert "a worker died" in err
    assert place.files("node") == place.files("whole")
