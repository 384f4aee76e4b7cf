"""`maxi heatmap`: figures, clips and raw maps for several models and texts, or one line that says why not."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from matplotlib import rc_context
from PIL import Image

from tests.clip.tiny_clip import config, write
from tests.evaluation.conftest import film, world  # noqa: F401 (the fixture)

COMMON = ("--frames", "3", "--text", "jump", "--text", "sit", "--workers", "0", "--quiet")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    film(tmp_path / "film.mp4", 3, frames=8, size=(64, 40))
    return tmp_path / "film.mp4"


def test_a_figure_has_a_row_for_each_model_and_is_the_same_again(maxi, world, video, tmp_path) -> None:  # noqa: F811
    models = ("--models", f"{world.model},{world.other}")
    ran = maxi("heatmap", str(video), *COMMON, *models, "--out", str(tmp_path / "one.png"))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("jump") == 2
    maxi("heatmap", str(video), *COMMON, *models, "--out", str(tmp_path / "two.png"))
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    maxi("heatmap", str(video), *COMMON, "--models", str(world.model), "--out", str(tmp_path / "less.png"))
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "less.png") as less:
        assert one.width == less.width
        assert one.height > less.height


@pytest.mark.parametrize(("suffix", "begins"), [("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_a_figure_is_a_pdf_or_an_svg_too(maxi, world, video, tmp_path, suffix, begins) -> None:  # noqa: F811
    ran = maxi("heatmap", str(video), *COMMON, "--models", str(world.model), "--out", str(tmp_path / f"a.{suffix}"))
    assert ran.code == 0
    assert (tmp_path / f"a.{suffix}").read_bytes().startswith(begins)


def test_settings_that_lie_in_the_folder_run_no_latex(maxi, world, video, tmp_path, monkeypatch) -> None:  # noqa: F811
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "latex").write_text(f"#!/bin/sh\necho > {tmp_path / 'ran'}\n")
    (tmp_path / "latex").chmod(0o755)
    words = ("heatmap", str(video), "--text", "$x^$", *COMMON, "--models", str(world.model), "--out")
    assert maxi(*words, str(tmp_path / "one.png")).code == 0
    with rc_context({"text.usetex": True, "font.size": 30}):  # as a matplotlibrc may say
        assert maxi(*words, str(tmp_path / "two.png")).code == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert not (tmp_path / "ran").exists()


def test_a_folder_gets_figure_clip_and_maps_of_each_video(maxi, world, video, tmp_path) -> None:  # noqa: F811
    film(tmp_path / "films" / "b.mp4", 4, frames=8, size=(64, 40))
    models = ("--models", str(world.model), "--models", str(world.other))
    ran = maxi(
        "heatmap", str(video), str(tmp_path / "films"), *COMMON, *models, "--out", str(tmp_path / "out"), "--json"
    )
    assert ran.code == 0, ran.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        f"{name}.{suffix}" for name in ("film", "films_b") for suffix in ("mp4", "npz", "png")
    ]
    said = json.loads(ran.out)["videos"][0]["written"][0]
    assert said["frames"] == [1, 4, 6]
    with np.load(tmp_path / "out" / "film.npz") as kept:
        assert kept["maps_0"].shape == (2, 3, 4, 4)
        assert kept["texts"].tolist() == ["jump", "sit"]
        assert kept["cosines_1"].tolist() == [one["cosine"] for one in said["models"][1]["texts"]]
        assert kept["frames"].shape == (3, 40, 64, 3)
        assert kept["box_0"].tolist() == [2, 15, 38, 50]
    with av.open(str(tmp_path / "out" / "film.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 8
        assert container.streams.video[0].average_rate == 10


def test_a_gif_moves_at_the_videos_pace(maxi, world, video, tmp_path) -> None:  # noqa: F811
    ran = maxi("heatmap", str(video), *COMMON, "--models", str(world.model), "--out", str(tmp_path / "a.gif"))
    assert ran.code == 0
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.n_frames, picture.info["duration"]) == (8, 100)


@pytest.mark.parametrize("method", ["gradient", "cosine", "surgery", "legrad"])
def test_each_method_and_each_scale_is_drawn(maxi, world, video, tmp_path, method) -> None:  # noqa: F811
    more = ("--models", str(world.model), "--method", method, "--scale", "model", "--columns", "2")
    assert maxi("heatmap", str(video), *COMMON, *more, "--out", str(tmp_path / "a.png")).code == 0


def test_competing_texts_take_shares_and_change_centred_maps(maxi, world, video, tmp_path) -> None:  # noqa: F811
    (tmp_path / "names.txt").write_text("run\nwalk\njump\n")
    found = []
    for more in ((), ("--against", str(tmp_path / "names.txt"))):
        models = ("--models", str(world.model), "--out", str(tmp_path / "a.npz"))
        assert maxi("heatmap", str(video), *COMMON, *models, *more).code == 0
        with np.load(tmp_path / "a.npz") as kept:
            found.append({name: kept[name] for name in kept.files})
    assert found[0]["shares_0"].sum() == pytest.approx(1)
    assert found[1]["shares_0"].sum() < 1
    assert np.allclose(found[0]["maps_0"].sum(axis=0), 0, atol=1e-7)
    assert not np.allclose(found[1]["maps_0"].sum(axis=0), 0, atol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{video}", "--models", "{model}", "--out", "a.png"], "which videos and which texts?"),
        (["{video}", "--text", "a", "--out", "a.png"], "which models?"),
        (["{video}", "--text", "a", "--models", "{model}"], "where to?"),
        (["{video}", "--text", "a", "--models", "{model}", "--out", "a.jpg"], "a.jpg is of no known form"),
        (["{video}", "{other}", "--text", "a", "--models", "{model}", "--out", "a.png"], "one file, and there are 2"),
        (["{video}", "--text", " ", "--models", "{model}", "--out", "a.png"], "no text to look for"),
        (["{video}", "--text", "a", "--text", "a", "--models", "{model}", "--out", "a.png"], "'a' comes twice"),
        (["{video}", "--text", ",", "--models", "{model}", "--out", "a.png"], "or one without words"),
        (["{video}", "--text", "a", "--models", "{resnet}", "--out", "a.png"], "a ModifiedResNet, is no vision"),
        (["{video}", "--text", "a", "--models", "{model}", "--against", "nope", "--out", "a.png"], "nope"),
    ],
)
def test_what_is_not_right_is_one_line(maxi, world, video, tmp_path, monkeypatch, arguments, said) -> None:  # noqa: F811
    monkeypatch.chdir(tmp_path)
    settings = config()
    settings["vision_cfg"] = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 16}
    resnet = write(tmp_path / "resnet", settings) if "{resnet}" in arguments else ""
    other = next(world.benchmark.glob("videos/*.mp4"))
    words = [word.format(model=world.model, video=video, other=other, resnet=resnet) for word in arguments]
    ran = maxi("heatmap", *words, "--frames", "2", "--workers", "0", "--quiet")
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not (tmp_path / "a.png").exists()


def test_odd_texts_are_drawn_or_named(maxi, world, video, tmp_path) -> None:  # noqa: F811
    common = (str(video), "--frames", "2", "--workers", "0", "-q", "--models", str(world.model))
    ran = maxi(
        "heatmap", *common, "--text", "$x_1$ \u62cd\u624b", "--text", "a " * 90, "--out", str(tmp_path / "a.png")
    )
    assert ran.code == 0
    assert "has no picture of some characters" in ran.err
    many = [word for number in range(300) for word in ("--text", f"text {number}")]
    for name, said in (("b.png", "the figure would be"), ("b.mp4", "the clip would be")):
        ran = maxi("heatmap", *common, *many, "--method", "cosine", "--out", str(tmp_path / name))
        assert (ran.code, len(ran.err.splitlines())) == (2, 1)
        assert said in ran.err
        assert not (tmp_path / name).exists()


def test_a_video_that_cannot_be_read_is_named_and_the_others_are_drawn(maxi, world, video, tmp_path) -> None:  # noqa: F811
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    models = ("--models", str(world.model), "--out", str(tmp_path / "out"))
    ran = maxi("heatmap", str(tmp_path / "broken.mp4"), str(video), *COMMON, *models)
    assert ran.code == 1
    assert "broken.mp4" in ran.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["film.mp4", "film.npz", "film.png"]
