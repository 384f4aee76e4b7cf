"""From a pose to the points of a figure in space, and from there to a picture plane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maxi_sandbox.poses import Limb, Pose

Points = NDArray[np.float64]

# Rows of the array that `joints` returns.
JOINTS = (
    "pelvis", "neck", "head",
    "left_shoulder", "left_elbow", "left_hand", "right_shoulder", "right_elbow", "right_hand",
    "left_hip", "left_knee", "left_foot", "right_hip", "right_knee", "right_foot",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Body:
    """The lengths of a figure, in body lengths (a standing figure is about 1 high)."""

    torso: float = 0.30
    head: float = 0.13
    arm: float = 0.20
    leg: float = 0.235
    shoulders: float = 0.095
    hips: float = 0.055


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the picture is taken from: degrees around and above the figure, and its size and place in the frame.

    `yaw` 0 looks at the figure's front, 90 at its side; `mirror` swaps left and right; `zoom` is the share of the frame
    that a body length takes; `shift` moves the figure, in shares of the frame.
    """

    yaw: float = 45.0
    pitch: float = 8.0
    zoom: float = 0.72
    mirror: bool = False
    shift: tuple[float, float] = (0.0, 0.0)


def _direction(swing: float, spread: float, outward: float) -> Points:
    # Axes: x forward, y to the figure's left, z up.
    a, b = np.radians(swing), np.radians(spread)
    return np.array([np.sin(a) * np.cos(b), outward * np.sin(b), -np.cos(a) * np.cos(b)])


def _turned(point: Points, degrees: float) -> Points:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turned: Points = point @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    return turned


def _limb(root: Points, limb: Limb, length: float, outward: float, twist: float) -> list[Points]:
    middle = root + _turned(_direction(limb[0], limb[1], outward), twist) * length
    return [root, middle, middle + _turned(_direction(limb[2], limb[3], outward), twist) * length]


def joints(pose: Pose, body: Body) -> Points:
    """Return the figure's joints, (15, 3) in body lengths in the order of JOINTS; the lowest one is `lift` high."""
    lean, side = np.radians(pose.lean), np.radians(pose.side)
    up = np.array([np.sin(lean) * np.cos(side), np.sin(side), np.cos(lean) * np.cos(side)])
    pelvis = np.zeros(3)
    neck = up * body.torso
    across = _turned(np.array([0.0, 1.0, 0.0]), pose.twist)
    points = [pelvis, neck, neck + up * body.head]
    for limb, outward in ((pose.left_arm, 1.0), (pose.right_arm, -1.0)):
        points += _limb(neck * 0.95 + across * (outward * body.shoulders), limb, body.arm, outward, pose.twist / 2)
    for limb, outward in ((pose.left_leg, 1.0), (pose.right_leg, -1.0)):
        points += _limb(np.array([0.0, outward * body.hips, 0.0]), limb, body.leg, outward, 0.0)
    found = _turned(np.stack(points), pose.yaw)
    found[:, 2] += pose.lift - found[:, 2].min()
    return found


def project(points: Points, camera: Camera) -> Points:
    """Return (n, 3): right and down in shares of the frame, and the distance toward the viewer, for sorting.

    The projection is parallel. The frame's middle looks at the height of a standing figure's middle.
    """
    turned = _turned(points, camera.yaw - 90.0)
    pitch = np.radians(camera.pitch)
    right = turned[:, 0] * (-1.0 if camera.mirror else 1.0)
    high = (turned[:, 2] - 0.46) * np.cos(pitch) + turned[:, 1] * np.sin(pitch)
    near = -turned[:, 1] * np.cos(pitch) + turned[:, 2] * np.sin(pitch)
    across = 0.5 + camera.shift[0] + right * camera.zoom
    down = 0.52 + camera.shift[1] - high * camera.zoom
    return np.stack([across, down, near], axis=1)
