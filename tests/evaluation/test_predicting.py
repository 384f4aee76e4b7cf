"""Predictions: the best labels of videos and of windows that slide over them, as a library and as a command."""

import json
from pathlib import Path

import numpy as np
import pytest

from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.evaluating import evaluate
from maxi_core.evaluation.predicting import predict, sliding
from maxi_core.evaluation.protocol import Protocol
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from tests.evaluation.conftest import CLASSES, film

HERE = VideoOptions(workers=0)
SHARED = Path(__file__).parents[3] / "shared" / "videos"


@pytest.fixture(scope="module")
def model(world):
    return load_model(str(world.model), "cpu", frames=2)


def test_a_prediction_says_what_an_evaluation_scores(world, model) -> None:
    (result,) = (
        evaluate([model], [open_benchmark(str(world.benchmark))], Protocol(frames=2), reading=HERE).models[0].results
    )
    for row, one in enumerate(predict(model, result.videos, CLASSES, reading=HERE)):
        cosines = {guess.label: guess.cosine for guess in one.guesses}
        assert np.allclose([cosines[name] for name in CLASSES], result.scores[row], atol=1e-12)
        assert sum(guess.share for guess in one.guesses) == pytest.approx(1)
        assert [guess.cosine for guess in one.guesses] == sorted(cosines.values(), reverse=True)


def test_a_video_that_cannot_be_read_is_answered_with_its_reason(tmp_path: Path, model) -> None:
    (one,) = predict(model, [tmp_path / "none.mp4"], ["a", "b"], reading=HERE)
    assert one.guesses == ()
    assert "no such file" in one.failed.reason


@pytest.mark.parametrize(
    ("labels", "said"),
    [([], "no labels"), (["a", " "], "no labels"), (["a", "?!"], "one without words"), (["a", "a"], "'a' comes twice")],
)
def test_labels_are_there_and_distinct(model, labels, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        list(predict(model, [], labels))


@pytest.mark.parametrize(
    ("seconds", "window", "stride", "wanted"),
    [
        (10, 4, 2, [(0, 4), (2, 6), (4, 8), (6, None)]),
        (9, 4, 4, [(0, 4), (4, 8), (8, None)]),
        (4, 4, 2, [(None, None)]),
        (3, 2, 5, [(0, 2)]),
    ],
)
def test_windows_slide_to_the_end_of_a_video(tmp_path: Path, seconds, window, stride, wanted) -> None:
    film(tmp_path / "x.mp4", 0, frames=10 * seconds)
    found = sliding(Video("x.mp4", tmp_path / "x.mp4"), window, stride)
    assert [(part.start, part.end) for part in found] == wanted
    assert len({part.id for part in found}) == len(found)


def test_a_window_that_cannot_slide_is_refused(tmp_path: Path) -> None:
    for window, stride in ((4, 0), (float("nan"), 1), (4, float("nan")), (4, float("inf")), (float("inf"), 1)):
        with pytest.raises(UsageError, match="cannot slide"):
            sliding(Video("x", tmp_path / "x"), window, stride)


def test_the_command_prints_shares_a_timeline_and_a_strip(maxi, world, tmp_path: Path) -> None:
    film(tmp_path / "long.mp4", 3, frames=60)
    common = [
        str(world.model),
        str(tmp_path / "long.mp4"),
        "--labels",
        "walk, run, sit",
        "--frames",
        "2",
        "--workers",
        "0",
    ]
    ran = maxi("predict", *common, "--quiet")
    assert (ran.code, len(ran.out.splitlines())) == (0, 4)
    timeline = maxi("predict", *common, "--window", "2", "--stride", "1", "--strip", str(tmp_path / "strip.png"))
    assert [line.split()[0] for line in timeline.out.splitlines()] == [
        "long.mp4", "0.0-2.0", "1.0-3.0", "2.0-4.0", "3.0-5.0", "4.0-end",
    ]  # fmt: skip
    assert all(len(line) <= 80 for line in timeline.out.splitlines())
    from PIL import Image

    with Image.open(tmp_path / "strip.png") as strip:
        assert strip.size == (5 * 160, 206)
    document = json.loads(maxi("predict", *common, "--window", "3", "--json").out)
    assert [(one["start"], one["end"]) for one in document["predictions"]] == [(0.0, 3.0), (3.0, None)]
    assert {guess["label"] for guess in document["predictions"][0]["top"]} == {"walk", "run", "sit"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{model}", "x.mp4"], "which labels?"),
        (["{model}", "x.mp4", "--labels", "a", "--dictionary", "sandbox"], "which labels?"),
        (["{model}", "x.mp4", "--labels", "a,b"], "no folder, video or list at x.mp4"),
        (["{model}", "--labels", "a,b"], "which model and which videos?"),
        (["{model}", "x.mp4", "--labels", "a,b", "--stride", "2"], "--stride is the time between windows"),
        (["nowhere/x", "{video}", "--labels", "a,b"], "no model 'nowhere/x': there is no folder of that name"),
    ],
)
def test_what_cannot_be_predicted_is_said_in_one_line(maxi, world, arguments, said: str) -> None:
    video = world.benchmark / "videos" / "00.mp4"
    ran = maxi("predict", *(word.format(model=world.model, video=video) for word in arguments))
    lines = [line for line in ran.err.splitlines() if not line.startswith("maxi: loading")]
    assert (ran.code, len(lines)) == (2, 1)
    assert said in ran.err


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real clips are not here")
def test_windows_slide_over_real_clips(maxi, world) -> None:
    ran = maxi(
        "predict", str(world.model), str(SHARED), "--labels", "arm wrestling, cleaning a pool", "--window", "4",
        "--stride", "2", "--frames", "2", "--json",
    )  # fmt: skip
    found = json.loads(ran.out)["predictions"]
    assert {Path(one["path"]).name for one in found} == {path.name for path in SHARED.iterdir()}
    assert all(one["skipped"] is None and len(one["top"]) == 2 for one in found)


def test_labels_are_shown_to_the_model_with_their_words_apart_and_given_back_as_they_are(maxi, world, tmp_path) -> None:
    film(tmp_path / "x.mp4", 3)
    cosines = []
    for labels in (["RunFast", "sit_down"], ["run fast", "sit down"]):
        (tmp_path / "labels.json").write_text(json.dumps({name: number for number, name in enumerate(labels)}))
        for more in (["--labels", ", ".join(labels)], ["--dictionary", str(tmp_path / "labels.json")]):
            ran = maxi("predict", str(world.model), str(tmp_path / "x.mp4"), *more, "--frames", "2", "--json")
            assert ran.err.count("are matched with their words apart") == (labels[0] == "RunFast")
            found = {one["label"]: one["cosine"] for one in json.loads(ran.out)["predictions"][0]["top"]}
            cosines.append([found[name] for name in labels])
    assert cosines[0] == cosines[1] == cosines[2] == cosines[3]
