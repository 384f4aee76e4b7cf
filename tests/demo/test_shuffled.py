"""The control of the demonstration: captions of other videos, as a plugin file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maxi_core import Clip, Failed, Video
from maxi_core.bags.bag import to_line
from maxi_core.errors import UsageError
from maxi_core.recipe.plugin_files import load_file
from maxi_core.types import Match, TextBag
from maxi_sandbox.demo import shuffled

VIDEOS = [Video(f"{number}.mp4", Path(f"{number}.mp4")) for number in range(12)]


def write(run: Path, without: tuple[int, ...] = ()) -> Path:
    """Write a run in which each video has two captions of its own, but for some."""
    run.mkdir(exist_ok=True)
    bags = [
        TextBag(
            Match(video, "kicking", 0.1),
            True,
            (),
            () if number in without else (("blip", (f"a person near {number}", f"something near {number}")),),
        )
        for number, video in enumerate(VIDEOS)
    ]
    (run / "bags.jsonl").write_text("".join(to_line(bag) + "\n" for bag in bags))
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(tmp_path / "run")


def captions(run: Path | None, **options: Any) -> list[list[str] | Failed]:
    source = shuffled.Shuffled(shuffled.Shuffled.Options(run=run, **options))
    return source.caption([Clip(video, np.empty((0, 1, 1, 3), np.uint8)) for video in VIDEOS])


def test_each_video_gets_all_captions_of_one_other_video_and_none_its_own(run: Path) -> None:
    given = captions(run)
    own = [[f"a person near {number}", f"something near {number}"] for number in range(12)]
    assert sorted(given) == sorted(own)
    assert all(texts != mine for texts, mine in zip(given, own, strict=True))


def test_the_order_follows_the_seed(run: Path) -> None:
    assert captions(run) == captions(run)
    assert captions(run, seed=1) != captions(run)


def test_a_video_without_captions_in_the_run_gets_none_and_gives_none(tmp_path: Path) -> None:
    given = captions(write(tmp_path / "run", without=(3,)))
    assert isinstance(given[3], Failed)
    said = {text for texts in given if not isinstance(texts, Failed) for text in texts}
    assert len(said) == 22


def test_answers_that_are_kept_are_asked_again_when_the_captions_change(tmp_path: Path) -> None:
    first = shuffled.Shuffled(shuffled.Shuffled.Options(run=write(tmp_path / "run"))).fingerprint()
    again = shuffled.Shuffled(shuffled.Shuffled.Options(run=write(tmp_path / "run", without=(3,)))).fingerprint()
    assert first != again


def test_a_run_that_is_not_named_or_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no run"):
        captions(None)
    with pytest.raises(UsageError, match="no bags"):
        captions(tmp_path)


def test_it_is_a_plugin_file_that_loads() -> None:
    plugin = load_file(Path(shuffled.__file__))
    assert plugin.state != "broken", plugin.error
