"""`maxi report` of trainings."""

import re
from pathlib import Path

import pytest

from maxi_core.reporting.report import Wanted, make_report
from maxi_core.system.files import write_text
from tests.reporting.conftest import PHONE
from tests.reporting.evaluations import write_training
from tests.reporting.runs import RUN, write_run


def test_a_training_shows_curves_validation_seed_versions_and_recipe(tmp_path: Path, opened) -> None:
    said = {"checkpoint": "step-40", "settings": {"seed": "7"}, "versions": {"torch": "2.9"}, "best": ["step-20", 0.5]}
    run = write_training(tmp_path / "train", finished="2026-01-01T00:00:00Z", **said)
    write_text(tmp_path / "report.html", make_report([run], Wanted()).html)
    shown = opened(tmp_path / "report.html")
    facts = dict(text.split("\n") for text in shown.texts(".facts div"))
    assert (facts["steps"], facts["epochs"], facts["videos seen"], facts["steps left out"]) == ("40", "2", "1,280", "1")
    assert (facts["seed"], facts["waiting for data, median"]) == ("7", "25.0 %")
    charts = shown.page.locator("svg.chart").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert charts == [
        *("Loss by step", "Learning rate by step", "Temperature sigma by step", "Norm of the gradient by step"),
        *("Videos a second by step", "Share of the time that waits for data by step", "ucf101 top1 by step"),
    ]
    assert "the best: step-20 (0.5)" in shown.page.locator("main").inner_text()
    shown.page.locator("summary", has_text="recipe").click()
    assert "</pre><script>document.title=1</script>" in shown.page.locator("pre").inner_text()
    assert "maxi report" in shown.page.title()


def test_a_curve_of_many_steps_keeps_its_extremes_in_few_points(tmp_path: Path) -> None:
    run = write_training(tmp_path / "train", 5000)
    page = make_report([run], Wanted()).html
    loss = re.search(r'aria-label="Loss by step".*?<polyline class="line" points="([^"]*)"', page, re.DOTALL)
    assert 250 <= len(loss[1].split()) <= 300
    assert ">2</text>" in page  # the largest loss, of the first step
    assert "This training is not finished" in page


def test_a_training_without_a_step_says_so_and_one_that_was_stopped_says_why(tmp_path: Path) -> None:
    run = write_training(tmp_path / "train", 0)
    (run / "nonfinite.json").write_text('{"message": "step 3: the loss is not finite"}')
    page = make_report([run], Wanted()).html
    assert "No step was taken yet." in page
    assert "It was stopped: step 3: the loss is not finite" in page


def test_a_manifest_of_another_form_is_no_traceback(tmp_path: Path) -> None:
    said = {"argv": "maxi", "settings": [], "versions": None, "best": {}, "checkpoint": 3, "finished": 1, "model": "x"}
    assert "Finished 1." in make_report([write_training(tmp_path / "train", **said)], Wanted()).html


def test_all_kinds_stand_on_one_page_with_a_link_to_each(tmp_path: Path, opened) -> None:
    bags = write_run(tmp_path / "run", RUN[:3])
    write_training(tmp_path / "run" / "train")
    write_text(tmp_path / "report.html", make_report([bags, bags / "train", bags], Wanted()).html)
    shown = opened(tmp_path / "report.html", width=PHONE)
    assert [text.split(":")[0] for text in shown.texts("header nav a")] == ["Bags", "Training"]
    shown.page.locator("header nav a").last.click()
    assert shown.page.url.endswith("#part-1")
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= PHONE


DAMAGED = {
    "[]\n": "line 1 is no record of a step: it is no table",
    "\0\0\0\n": "line 1 is no record of a step: it is not JSON",
    '{"caf\xe9": 1}\n': "line 1 is no record of a step: it is not JSON",
    "null\nNaN\n": "line 1 is no record of a step: it is no table (2 lines are damaged)",
    "": "it has no step, and the training is finished",
    '{"step": "1", "loss": 1}\n': "line 1 is no record of a step: it has no step",
    '{"loss": 1}\n': "line 1 is no record of a step: it has no step",
    '{"step": NaN, "loss": 1}\n': "line 1 is no record of a step: it has no step",
    '{"step": 1}\n': "line 1 is no record of a step: it has no loss",
    '{"step": 1, "loss": "x"}\n': "line 1 is no record of a step: it has no loss",
    '{"step": 1, "loss": NaN}\n': "line 1 is no record of a step: it has no loss",
    '{"step": 1, "val": 3}\n': "line 1 is no record of a step: its val is no table",
    f'{{"step": 1, "loss": 1, "lr": {10**400}}}\n': "it ends with step 1, and the training is finished",
    '{"step": 40, "lo': "line 1 is no record of a step: it is not JSON",
}


@pytest.mark.parametrize(("text", "what"), DAMAGED.items())
def test_damaged_metrics_are_named_on_the_page_and_in_the_terminal(maxi, tmp_path: Path, text: str, what: str) -> None:
    run = write_training(tmp_path / "train", finished="2026-01-01T00:00:00Z", steps=40, checkpoint="step-40")
    (run / "metrics.jsonl").write_bytes(text.encode("latin-1"))
    ran = maxi("report", run, "--out", tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert f"Not shown, since it cannot be read: metrics.jsonl: {what}<" in page
    assert "No step was taken yet" not in page
    assert "Checkpoint: step-40" in page
    assert (ran.code, f"cannot be read: {run}: metrics.jsonl: {what}\n" in ran.err) == (0, True), ran.err


def test_the_steps_beside_damaged_ones_are_shown(tmp_path: Path) -> None:
    run = write_training(tmp_path / "train", finished="2026-01-01T00:00:00Z", steps=40, checkpoint="step-40")
    lines = (run / "metrics.jsonl").read_text().splitlines()
    (run / "metrics.jsonl").write_text("\n".join([*lines[:10], "[]", *lines[11:]]) + "\n")
    (run / "nonfinite.json").write_text("[]")
    made = make_report([run], Wanted())
    assert "Loss by step" in made.html
    assert made.damaged == (
        f"{run}: metrics.jsonl: line 11 is no record of a step: it is no table",
        f"{run}: nonfinite.json: is no JSON table",
    )


def test_metrics_of_a_finished_training_that_are_gone_are_named(tmp_path: Path) -> None:
    run = write_training(tmp_path / "train", finished="2026-01-01T00:00:00Z", steps=40, checkpoint="step-40")
    (run / "metrics.jsonl").unlink()
    assert make_report([run], Wanted()).damaged == (f"{run}: metrics.jsonl: it is not there",)


def test_a_line_that_a_training_at_work_has_not_ended_is_no_damage(tmp_path: Path) -> None:
    run = write_training(tmp_path / "train", 0)
    (run / "metrics.jsonl").write_text('{"step": 1, "lo')
    made = make_report([run], Wanted())
    assert ("No step was taken yet." in made.html, made.damaged) == (True, ())
