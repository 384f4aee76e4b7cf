"""Films: readable figures, the same film from the same seed, and MP4 files that any reader opens."""

from pathlib import Path

import av
import numpy as np
import pytest

from maxi_sandbox import films
from maxi_sandbox.films import FRAME_RATE, SIZE, frames, write_mp4
from maxi_sandbox.library import benchmark_film, training_film
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.skeleton import joints, project


def test_limbs_are_at_least_three_pixels_wide_in_films_and_at_the_models_size() -> None:
    thinnest = min(training_film(number)[0].shot.look.limb for number in range(200))
    assert thinnest * 64 >= 3
    assert thinnest * SIZE >= 3


def test_a_standing_figure_fills_most_of_the_frame() -> None:
    for number in range(50):
        film = training_film(number)[0]
        points = project(joints(MOTIONS["wave"].pose(0.0), film.shot.body), film.shot.camera)
        assert np.ptp(points[:, 1]) > 0.5


def test_things_are_about_a_fifth_of_the_frame() -> None:
    sizes = [training_film(number)[0].shot.thing_size for number in range(200)]
    assert 0.18 < min(sizes) < max(sizes) < 0.26


def test_a_film_is_the_same_every_time_and_differs_from_the_next() -> None:
    first, again = (np.stack([frame for _, frame in frames(training_film(3)[0])]) for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.stack([frame for _, frame in frames(training_film(4)[0])]))


def test_frames_know_the_verb_of_the_motion_that_they_show() -> None:
    film, _ = training_film(0)
    assert [verb for verb, _ in frames(film)] == [verb for verb, count, _, _ in film.steps for _ in range(count)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    write_mp4(benchmark_film("sandbox-same-dev", 0)[0], path)
    return path


def test_an_mp4_holds_every_frame_in_order(written: Path) -> None:
    shown = [frame for _, frame in frames(benchmark_film("sandbox-same-dev", 0)[0])]
    with av.open(str(written)) as container:
        stream = container.streams.video[0]
        read = [np.asarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
        assert stream.average_rate == FRAME_RATE
        assert stream.codec_context.name in ("h264", "mpeg4")
    assert len(read) == len(shown)
    for number, frame in enumerate(read):
        errors = [np.abs(frame.astype(float) - other).mean() for other in shown]
        assert errors[number] < 6
        assert np.argmin(errors) == number


def test_writing_a_film_again_gives_the_same_bytes_whatever_memory_held_before(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film, rng = benchmark_film("sandbox-same-dev", 0)[0], np.random.default_rng(0)
    rendered = list(frames(film))
    monkeypatch.setattr(films, "frames", lambda film: rendered)  # rendering would tidy the memory up
    for _ in range(30):
        used = [rng.bytes(int(size)) for size in rng.choice((100, 1000, 13824, 27648, 30_000), rng.integers(300))]
        del used
        write_mp4(film, tmp_path / "again.mp4")
        assert (tmp_path / "again.mp4").read_bytes() == written.read_bytes()
