"""metrics.jsonl after a stop, its numbers for trackers, and its curve."""

import json
from pathlib import Path

import pytest

from maxi_core.training.metrics_log import MetricsFile, draw_curve, numbers_of, read_metrics, running_mean


def write(path: Path, count: int, start: int = 0) -> None:
    with MetricsFile(path, start) as file:
        for step in range(start + 1, start + 1 + count):
            file.write({"step": step, "loss": 10.0 / step, "skipped": False})


def test_records_that_come_again_after_a_resume_are_there_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write(path, 5)
    with path.open("a") as file:
        file.write('{"schema": 1, "step": 6, "lo')  # a line that was cut off
    write(path, 4, start=3)
    assert [record["step"] for record in read_metrics(path)] == [1, 2, 3, 4, 5, 6, 7]
    assert all(json.loads(line)["schema"] == 1 for line in path.read_text().splitlines())


def test_every_record_is_told_to_the_reports_too(tmp_path: Path) -> None:
    told: list[object] = []
    with MetricsFile(tmp_path / "metrics.jsonl", reports=(told.append,)) as file:
        file.write({"step": 1, "loss": 2.0})
    assert told == [{"step": 1, "loss": 2.0}]


def test_trackers_get_numbers_by_name_and_those_of_a_validation_apart() -> None:
    assert numbers_of({"step": 3, "loss": 2.5, "val": {"ucf101:1 top1": 70.0}, "note": "x"}) == {
        "loss": 2.5,
        "val/ucf101:1 top1": 70.0,
    }


def test_the_curve_falls_from_the_upper_left_to_the_lower_right(tmp_path: Path) -> None:
    from PIL import Image

    write(tmp_path / "metrics.jsonl", 50)
    draw_curve(tmp_path / "metrics.jsonl", tmp_path / "loss.png")
    image = Image.open(tmp_path / "loss.png").convert("RGB")
    pixels = {(x, y) for x in range(720) for y in range(360) if image.getpixel((x, y)) == (31, 100, 180)}
    assert image.size == (720, 360)
    assert min(pixels)[1] < 80
    assert max(pixels)[1] > 280


def test_one_step_makes_no_curve(tmp_path: Path) -> None:
    write(tmp_path / "metrics.jsonl", 1)
    draw_curve(tmp_path / "metrics.jsonl", tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()


def test_the_running_mean_is_over_what_there_is() -> None:
    assert running_mean([1, 2, 3, 6], 2) == pytest.approx([1, 1.5, 2.5, 4.5])
