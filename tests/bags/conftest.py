"""A folder of videos, a dictionary, the toy sources, and `maxi bags` over them."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from maxi_core.errors import ExitCode
from tests.conftest import FakeDist, Ran

ACTIONS = ["riding a bike", "juggling balls", "playing chess", "waving a flag"]
CAST = "toymatch,toygpt,toyblip,toyverbs"
EVERY = f"toynoise,{CAST}"


@dataclass
class World:
    """Where everything is, and how to run."""

    folder: Path
    maxi: Callable[..., Ran]

    @property
    def videos(self) -> Path:
        return self.folder / "videos"

    @property
    def out(self) -> Path:
        return self.folder / "run"

    def add(self, name: str) -> Path:
        path = self.videos / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"film of {name}")
        return path

    def arguments(self, *more: str, sources: str = CAST) -> list[str]:
        named = {"--dictionary": self.folder / "actions.txt", "--out": self.out, "--store": self.folder / "store"}
        flags = [str(part) for pair in named.items() for part in pair]
        return ["bags", str(self.videos), *flags, "--sources", sources, *more]

    def bags(self, *more: str, sources: str = CAST) -> Ran:
        return self.maxi(*self.arguments(*more, sources=sources))

    def records(self, run: Path | None = None) -> list[dict]:
        return [json.loads(line) for line in ((run or self.out) / "bags.jsonl").read_text("utf-8").splitlines()]

    def made_whole(self, more: int) -> "World":
        """Add videos, some that cannot be read or shown, and make a run of all by one process, in `whole`."""
        for place in range(more):
            self.add(f"more {place}.mp4")
        self.add("a broken one.mp4")
        self.add("dark.mp4")
        arguments = self.arguments("--keep", "0.7", sources=EVERY)
        arguments[arguments.index("--out") + 1] = str(self.folder / "whole")
        arguments[arguments.index("--store") + 1] = str(self.folder / "whole store")
        assert self.maxi(*arguments).code == ExitCode.DONE
        self.asked()
        return self

    def files(self, run: Path) -> dict[str, bytes]:
        """Return what a run has left."""
        return {name: (run / name).read_bytes() for name in ("bags.jsonl", "skipped.jsonl")}

    def asked(self) -> Counter[str]:
        """Return how often each source was asked since the last call."""
        log = self.folder / "asked.log"
        lines = log.read_text("utf-8").splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return Counter(line.split("\t")[0] for line in lines)


@pytest.fixture
def world(tmp_path: Path, maxi, fake_dist: FakeDist, monkeypatch: pytest.MonkeyPatch) -> World:
    fake_dist("toys", (Path(__file__).parent / "toys.py").read_text("utf-8"))
    monkeypatch.setenv("TOY_LOG", str(tmp_path / "asked.log"))
    monkeypatch.chdir(tmp_path)
    world = World(tmp_path, maxi)
    (tmp_path / "actions.txt").write_text("\n".join(ACTIONS) + "\n")
    for place in range(6):
        world.add(f"clip {place}.mp4")
    return world
