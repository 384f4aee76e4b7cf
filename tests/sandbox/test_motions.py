"""The primitive motions: enough of them, far apart, and none another one played backward."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.skeleton import Body, joints

STEPS = 16
MIRRORED = [0, 1, 2, 6, 7, 8, 3, 4, 5, 12, 13, 14, 9, 10, 11]


def sequence(verb: str) -> NDArray[np.float64]:
    """Return one cycle as joints, (16, 15, 3), without where the figure stands."""
    points = np.stack([joints(MOTIONS[verb].pose(step / STEPS), Body()) for step in range(STEPS)])
    return points - points[:, :1] * [1, 1, 0]


def distance(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the mean joint distance in body lengths at the best shift in time, mirrored or not."""
    swapped = other[:, MIRRORED] * [1, -1, 1]
    shifted = (np.roll(version, shift, 0) for version in (other, swapped) for shift in range(STEPS))
    return min(float(np.linalg.norm(one - version, axis=2).mean()) for version in shifted)


@pytest.fixture(scope="module")
def sequences() -> dict[str, NDArray[np.float64]]:
    return {verb: sequence(verb) for verb in MOTIONS}


def test_there_are_44_motions() -> None:
    assert len(MOTIONS) == 44


def test_motions_are_well_separated(sequences: dict[str, NDArray[np.float64]]) -> None:
    nearest = min(distance(sequences[a], sequences[b]) for a, b in combinations(MOTIONS, 2))
    assert nearest > 0.08


def test_no_motion_is_another_one_backward(sequences: dict[str, NDArray[np.float64]]) -> None:
    backward = {verb: points[::-1] for verb, points in sequences.items()}
    nearest = min(distance(sequences[a], backward[b]) for a, b in combinations(MOTIONS, 2))
    assert nearest > 0.08


def test_the_check_of_time_reversal_notices_a_reversal(sequences: dict[str, NDArray[np.float64]]) -> None:
    kick = sequences["kick"]
    assert distance(kick, np.roll(kick[:, MIRRORED] * [1, -1, 1], 5, 0)) < 1e-9


def test_every_motion_moves(sequences: dict[str, NDArray[np.float64]]) -> None:
    for verb, points in sequences.items():
        assert np.ptp(points, axis=0).max() > 0.05, verb


def test_a_cycle_closes_and_is_smooth() -> None:
    for verb, motion in MOTIONS.items():
        near = joints(motion.pose(0.999), Body())
        assert np.abs(near - joints(motion.pose(0.0), Body())).max() < 0.05, verb


def test_the_lowest_joint_stands_on_the_ground_unless_lifted() -> None:
    for motion in MOTIONS.values():
        pose = motion.pose(0.3)
        assert joints(pose, Body())[:, 2].min() == pytest.approx(pose.lift)
