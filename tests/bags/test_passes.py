"""One pass over the videos with one decoding for all sources, or two: the same files, and the cheaper one."""

import json
import os
from collections import Counter
from pathlib import Path

import av
import numpy as np
import pytest

from maxi_core.errors import ExitCode
from maxi_core.video import reader as pool
from maxi_core.video.jobs import Job
from tests.bags.conftest import World

LOOKERS = """
    import os, time
    from hashlib import sha256
    from maxi_core import Captioner, Failed, Match, Matcher, Sampling, hookimpl

    def look(name, clips):
        time.sleep(float(os.environ.get("SLOW_" + name.upper(), "0")) * len(clips))
        with open(os.environ["LOOKED"], "a") as log:
            for clip in clips:
                log.write(f"{name} {clip.video.id} {clip.frames.shape}\\n")

    class Near(Matcher):
        name = "near"
        frames = Sampling("middles", 4, side=24)
        def match(self, clips, dictionary):
            look("near", clips)
            return [self.one(clip, dictionary) for clip in clips]
        def one(self, clip, dictionary):
            if clip.video.id == os.environ.get("UNMATCHED"):
                return Failed("it fits nothing")
            value = int(sha256(clip.frames.tobytes()).hexdigest()[:8], 16)
            return Match(clip.video, dictionary.entries[value % len(dictionary.entries)], value / 2 ** 32)

    class Says(Captioner):
        name = "says"
        frames = Sampling("uniform", 3)
        batch = 4
        costs_money = bool(os.environ.get("MONEY"))
        def caption(self, clips):
            look("says", clips)
            return [[f"a person {('kicking', 'jumping')[int(clip.frames.mean()) % 2]}"] for clip in clips]

    @hookimpl
    def maxi_register_sources():
        return [Near, Says]
"""


def write_clip(path: Path, seed: int) -> None:
    draw = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=8)
        stream.width, stream.height = 64, 48
        for _ in range(8):
            blocks = draw.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(blocks, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each video was decoded, in this process."""
    counted: Counter[str] = Counter()
    answer = pool.answer

    def counting(job: Job, *more: object) -> object:
        counted[job.video.id] += 1
        return answer(job, *more)

    monkeypatch.setattr(pool, "answer", counting)
    return counted


@pytest.fixture
def looking(world: World, fake_dist, monkeypatch: pytest.MonkeyPatch) -> World:
    fake_dist("lookers", LOOKERS)
    monkeypatch.setenv("LOOKED", str(world.folder / "looked.log"))
    for path in world.videos.iterdir():
        path.unlink()
    for place in range(40):
        write_clip(world.videos / f"clip {place:02}.mp4", place)
    (world.videos / "broken.mp4").write_text("no video")
    return world


def bags(world: World, *more: str, out: Path | None = None) -> dict[str, object]:
    ran = world.bags("--workers", "0", *more, sources="near,says,toyverbs")
    assert ran.code == ExitCode.DONE, ran.err
    return json.loads(((out or world.out) / "manifest.json").read_text())


def looked(world: World) -> Counter[str]:
    return Counter(line.split()[0] for line in Path(os.environ["LOOKED"]).read_text().splitlines())


def test_where_all_videos_are_kept_each_is_decoded_once_for_matcher_and_captioner(looking: World, decoded) -> None:
    assert bags(looking)["passes"] == 1
    assert len(decoded) == 41
    assert set(decoded.values()) == {1}
    assert looked(looking)["near"] >= 40
    shapes = {line.split(" ", 3)[-1] for line in Path(os.environ["LOOKED"]).read_text().splitlines()}
    assert any("24" in shape for shape in shapes)
    assert len(shapes) == 2


def test_one_pass_and_two_make_the_same_files(looking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for passes, slow in ((1, "0"), (2, "0.15")):
        monkeypatch.setenv("SLOW_SAYS", slow)
        folder = looking.folder / f"passes{passes}"
        run = folder / "run"
        assert bags(looking, "--keep", "0.8", "--store", str(folder), "--out", str(run), out=run)["passes"] == passes
        found.append([(folder / "run" / name).read_bytes() for name in ("bags.jsonl", "skipped.jsonl")])
    assert found[0] == found[1]


def test_a_captioner_that_costs_money_is_asked_of_kept_videos_only(
    looking: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONEY", "1")
    assert bags(looking, "--keep", "0.5")["passes"] == 2
    asked = {line.split(" (")[0] for line in Path(os.environ["LOOKED"]).read_text().splitlines() if "says" in line}
    assert len(asked) == 20


def test_a_run_that_goes_on_keeps_to_what_was_decided(looking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bags(looking, "--keep", "0.8")["passes"] == 1
    for path in (looking.folder / "store").glob("*says-*/*.jsonl"):
        path.unlink()
    monkeypatch.setenv("SLOW_SAYS", "0.15")
    assert bags(looking, "--keep", "0.8")["passes"] == 1


def test_a_share_pays_for_no_captions_of_a_video_without_match(looking: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONEY", "1")
    monkeypatch.setenv("UNMATCHED", "clip 07.mp4")
    assert looking.bags("--workers", "0", "--shard", "1/2", sources="near,says,toyverbs").code == ExitCode.DONE
    asked = {line.split(" (")[0] for line in Path(os.environ["LOOKED"]).read_text().splitlines() if "says" in line}
    assert len(asked) == 19
    assert "says clip 07.mp4" not in asked
