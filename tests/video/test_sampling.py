import itertools
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maxi_core.video.sampling import Sampling, segment_middles, segment_random, uniform, union

lengths = st.integers(1, 5000)
counts = st.integers(1, 64)


@given(lengths, counts)
def test_every_rule_gives_as_many_frames_as_asked_in_order_and_inside_the_video(n: int, k: int) -> None:
    for indices in (uniform(n, k), segment_middles(n, k), segment_random(n, k, Random(0))):
        assert len(indices) == k
        assert list(indices) == sorted(indices)
        assert indices[0] >= 0
        assert indices[-1] < n


@given(lengths, st.integers(2, 64))
def test_uniform_goes_from_the_first_frame_to_the_last(n: int, k: int) -> None:
    indices = uniform(n, k)
    assert (indices[0], indices[-1]) == (0, n - 1)
    steps = [b - a for a, b in itertools.pairwise(indices)]
    assert max(steps) - min(steps) <= 1


def test_uniform_takes_the_middle_when_it_may_take_one_frame_only() -> None:
    assert uniform(9, 1) == (4,)


def test_segment_middles_are_those_of_the_field() -> None:
    assert segment_middles(300, 16) == (9, 28, 46, 65, 84, 103, 121, 140, 159, 178, 196, 215, 234, 253, 271, 290)
    assert segment_middles(16, 16) == tuple(range(16))


@given(st.integers(1, 500), st.integers(1, 32), st.integers(0, 9))
def test_random_frames_come_one_from_each_segment(n: int, k: int, seed: int) -> None:
    for i, index in enumerate(segment_random(n, k, Random(seed))):
        assert i * n // k <= index < max(i * n // k + 1, (i + 1) * n // k)


def test_random_sampling_reaches_every_frame_of_the_video() -> None:
    rng = Random(0)
    assert {index for _ in range(300) for index in segment_random(10, 4, rng)} == set(range(10))


@pytest.mark.parametrize(("n", "expected"), [(1, (0, 0, 0, 0)), (2, (0, 0, 1, 1)), (5, (0, 1, 3, 4))])
def test_short_videos_repeat_frames(n: int, expected: tuple[int, ...]) -> None:
    assert segment_middles(n, 4) == expected


def test_a_random_draw_depends_on_seed_and_video_and_nothing_else() -> None:
    sampling = Sampling("random", 8, seed="0/3")
    assert sampling.indices(300, "a.mp4") == Sampling("random", 8, seed="0/3").indices(300, "a.mp4")
    assert sampling.indices(300, "a.mp4") != sampling.indices(300, "b.mp4")
    assert sampling.indices(300, "a.mp4") != Sampling("random", 8, seed="0/4").indices(300, "a.mp4")
    assert sampling.indices(300, "a.mp4") == (23, 52, 103, 116, 172, 224, 237, 272)  # on every machine


def test_a_sampling_of_no_frames_or_half_a_frame_or_no_pixels_is_refused() -> None:
    for count in (0, 1.5):
        with pytest.raises(ValueError, match=f"a whole number of frames, at least one, not {count}"):
            Sampling("uniform", count)
    with pytest.raises(ValueError, match="more than 0 frames a second"):
        Sampling("rate", 0)
    with pytest.raises(ValueError, match="a side of at least one pixel, not 0"):
        Sampling("all", side=0)


@settings(deadline=None)  # thousands of indices
@given(lengths, st.floats(0.1, 120), st.floats(0.1, 120))
def test_frames_at_a_rate_come_once_in_each_step_of_time(n: int, wanted: float, rate: float) -> None:
    sampling = Sampling("rate", wanted)
    indices = sampling.indices(n, "a.mp4", rate)
    assert len(indices) == sampling.length(n, rate)
    assert abs(len(indices) - n * wanted / rate) <= 1
    assert list(indices) == sorted(indices)
    assert 0 <= indices[0] <= indices[-1] < n


@pytest.mark.parametrize("rate", [None, 0.0, -5.0, float("inf"), float("nan")])
def test_a_rate_cannot_be_had_of_a_video_that_has_none(rate: float | None) -> None:
    with pytest.raises(ValueError, match="does not say how many frames a second"):
        Sampling("rate", 2).indices(30, "a.mp4", rate)
    assert Sampling("all").indices(3, "a.mp4", rate) == (0, 1, 2)


def test_a_union_is_ascending_and_without_repeats() -> None:
    assert union([(3, 1, 1), (2, 3)]) == (1, 2, 3)


def test_a_name_that_is_not_utf8_has_random_frames_as_well() -> None:
    assert Sampling("random", 4).indices(300, "caf\udce9.mp4") != Sampling("random", 4).indices(300, "café.mp4")


@pytest.mark.parametrize("kind", ["segment_middles", "segment_random", "nonsense", "", "Middles"])
def test_a_kind_that_is_none_is_refused_with_those_there_are(kind: str) -> None:
    with pytest.raises(ValueError, match=f"by '{kind}'; a sampling is one of uniform, middles, random, all, rate"):
        Sampling(kind, 4)  # type: ignore[arg-type]
