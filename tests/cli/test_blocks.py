"""`maxi show --frames`: frames as characters of two colours."""

from pathlib import Path

import numpy as np

from maxi_cli.blocks import lines_of
from tests.reporting.runs import bag, write_run
from tests.video.clips import write as write_clip


def test_each_character_is_two_pixels_below_each_other() -> None:
    frame = np.zeros((4, 4, 3), np.uint8)
    frame[1, 0] = (250, 0, 0)
    frame[2, 3] = (0, 250, 0)
    lines = lines_of(np.stack([frame, frame + 5]), 4)
    assert [line.plain for line in lines] == ["▀▀▀▀  ▀▀▀▀"] * 2
    (first, *_), (*_, last) = (line.spans for line in lines)
    assert [tuple(one.triplet) for one in (first.style.color, first.style.bgcolor)] == [(0, 0, 0), (250, 0, 0)]
    assert [tuple(one.triplet) for one in (last.style.color, last.style.bgcolor)] == [(5, 255, 5), (5, 5, 5)]


def test_frames_stand_above_the_bag_where_the_terminal_has_colours(tmp_path: Path, maxi_process) -> None:
    write_clip(tmp_path / "clip 0.mp4", [np.full((48, 96, 3), 40 * number, np.uint8) for number in range(4)])
    run = str(write_run(tmp_path / "run", [bag(0, folder=tmp_path)]))
    shown = maxi_process("show", run, "clip 0.mp4", "--frames", FORCE_COLOR="1", COLORTERM="truecolor", COLUMNS="80")
    assert (shown.returncode, shown.stderr) == (0, "")
    drawn = [line for line in shown.stdout.splitlines() if "▀" in line]
    assert [line.count("▀") for line in drawn] == [78] * 10  # two frames of 39 columns, twice as wide as high
    assert "text bag" in shown.stdout


def test_frames_are_refused_in_one_line_where_they_cannot_be_drawn(tmp_path: Path, maxi) -> None:
    run = str(write_run(tmp_path / "run", [bag(0, folder=tmp_path)]))
    for words, said in {
        ("clip 0.mp4", "--frames"): "this terminal shows no pictures; type maxi report",
        ("--frames",): "--frames are of one video, on a terminal; type maxi show RUN VIDEO --frames",
        ("clip 0.mp4", "--frames", "--json"): "--frames are of one video, on a terminal",
    }.items():
        ran = maxi("show", run, *words)
        assert (ran.code, ran.err.count("\n"), ran.out) == (2, 1, "")
        assert said in ran.err
