"""`maxi report --heatmaps`: where the models that scored looked."""

import shutil
from pathlib import Path

import pytest

from tests.clip.tiny_clip import write
from tests.evaluation.conftest import World, world  # noqa: F401 (the fixture)


@pytest.fixture
def model(world: World, tmp_path: Path) -> Path:  # noqa: F811
    """Return a model's folder of which a test may do what it likes."""
    return Path(shutil.copytree(world.model, tmp_path / "model"))


@pytest.fixture
def scores(maxi, model: Path, world: World, tmp_path: Path) -> Path:  # noqa: F811
    ran = maxi("eval", str(model), "-b", str(world.benchmark), "--frames", "2", "--out", str(tmp_path / "scores"), "-q")
    assert ran.code == 0, ran.err
    return tmp_path / "scores"


def report(maxi, scores: Path, *more: str) -> str:
    out = scores.with_suffix(".html")
    ran = maxi("report", str(next(scores.rglob("scores.json")).parent), "--out", str(out), "-q", *more)
    assert ran.code == 0, ran.err
    return out.read_text()


def test_shown_videos_have_a_strip_for_the_true_class_and_one_for_a_wrong_first(maxi, scores: Path, opened) -> None:
    assert "where the model looked" not in report(maxi, scores)
    report(maxi, scores, "--heatmaps")
    shown = opened(scores.with_suffix(".html"))
    strips = shown.page.locator("article .look img")
    right, wrong = (shown.page.locator(f"h4:has-text('{title}') + .cards").first for title in ("Right by", "Wrong"))
    assert right.locator("article").count() == right.locator(".look").count() > 0
    assert 2 * wrong.locator("article").count() == wrong.locator(".look").count() > 0
    sizes = strips.evaluate_all("all => all.map((one) => [one.naturalWidth, one.naturalHeight])")
    assert {tuple(size) for size in sizes} <= {(230, 96), (192, 134)}  # two frames of each form, beside each other
    assert "of 4 texts" in shown.texts("article .look figcaption")[0]


def test_other_weights_than_those_that_scored_show_nothing_and_say_so(maxi, scores: Path, model: Path) -> None:
    shutil.rmtree(model)
    write(model, seed=3)
    page = report(maxi, scores, "--heatmaps")
    assert "where the model looked" not in page
    assert "has other weights now than those that were scored" in page


def test_a_model_that_is_gone_is_said_and_the_rest_is_shown(maxi, scores: Path, model: Path) -> None:
    shutil.rmtree(model)
    page = report(maxi, scores, "--heatmaps")
    assert "no heatmap: " in page
    assert "Classes, best first" in page


def test_heatmaps_without_pictures_are_refused(maxi, scores: Path) -> None:
    ran = maxi("report", str(scores), "--heatmaps", "--no-pictures")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--heatmaps lie over frames, and --no-pictures shows none" in ran.err
