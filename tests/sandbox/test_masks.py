"""The masks of a film: where person, moving limbs and thing are, and the scene without them."""

import numpy as np
import pytest

from maxi_sandbox.films import frames
from maxi_sandbox.library import benchmark_film
from maxi_sandbox.masks import truth

PLACES = (0, 9, 23)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5])
def test_a_frame_is_the_empty_scene_but_for_person_and_thing(number: int) -> None:
    film, _ = benchmark_film("sandbox-same-dev", number)
    known, painted = truth(film, PLACES), [frame for _, frame in frames(film)]
    for row, place in enumerate(PLACES):
        differs = (painted[place].astype(int) != known.empty).any(axis=2)
        covered = known.person[row] + known.thing[row] > 0
        assert not (differs & ~covered).any()
        assert differs[known.person[row] == 1].all()
        assert 0 < known.person[row].sum() <= differs.sum() + covered.sum()
    assert (known.limbs <= known.person + 0.01).all()
    assert (known.limbs.sum(axis=(1, 2)) < known.person.sum(axis=(1, 2))).all()
    assert (known.person + known.thing <= 1.01).all()  # each is rounded to 255 steps
    assert known.thing.max() == 1


@pytest.mark.parametrize(
    ("number", "verb", "moving"),
    [(4, "kick", {"leg"}), (7, "swing", {"arm"})],
)
def test_the_limbs_that_move_are_those_of_the_motion(number: int, verb: str, moving: set[str]) -> None:
    film, said = benchmark_film("sandbox-same-dev", number)
    assert said == verb
    assert {limb.partition("_")[2] for limb in truth(film, (0,)).moving} == moving


def test_masks_are_of_the_frames_that_are_asked_for() -> None:
    film, _ = benchmark_film("sandbox-same-dev", 1)
    together, alone = truth(film, (3, 20)), truth(film, (20,))
    assert np.array_equal(together.person[1], alone.person[0])
    assert not np.array_equal(together.person[0], together.person[1])
