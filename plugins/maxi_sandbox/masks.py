"""What is where in a frame of a film: the person, the limbs that move, the thing, and the scene without them.

To measure heatmaps with (`benchmarks/heatmaps.py`): each mask is the frame painted again, all in black but what it is
of, so that what is hidden behind something else is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from maxi_sandbox.films import FRAME_RATE, SIZE, Film
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import Colour, Frame, Look, paint
from maxi_sandbox.poses import Pose
from maxi_sandbox.skeleton import JOINTS, Points, joints, project

BLACK, WHITE = (0, 0, 0), (255, 255, 255)
LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")
ENDS = {"arm": ("elbow", "hand"), "leg": ("knee", "foot")}
MOVING = 0.5  # a limb moves if its path is at least so long, in shares of the longest of the four
NOWHERE = (-2.0, -2.0)

Mask = NDArray[np.float32]


@dataclass(frozen=True)
class Truth:
    """Of some frames of a film: `person`, `limbs` (those that move) and `thing`, (T, 96, 96), each the share of a pixel
    that it covers; `empty` (96, 96, 3) is the scene without person and thing; `moving` names the limbs that move.
    """

    person: Mask
    limbs: Mask
    thing: Mask
    empty: Frame
    moving: tuple[str, ...]


def truth(film: Film, indices: Sequence[int]) -> Truth:
    """Return what is where in the frames of a film at these places."""
    points = [project(joints(pose, film.shot.body), film.shot.camera) for pose in _poses(film)]
    moving = moving_limbs(points)
    chosen = [points[index] for index in indices]
    look = film.shot.look
    nothing = Look(
        sky=BLACK, floor=BLACK, horizon=look.horizon, arms=(BLACK, BLACK), legs=(BLACK, BLACK), hands=(BLACK, BLACK),
        feet=(BLACK, BLACK), shirt=look.shirt, torso=BLACK, head=BLACK, limb=look.limb, thing=BLACK, trim=BLACK,
    )  # fmt: skip
    both = (WHITE, WHITE)
    person = replace(nothing, arms=both, legs=both, hands=both, feet=both, torso=WHITE, head=WHITE)
    arms, legs = (_sides(moving, part) for part in ENDS)
    limbs = replace(nothing, arms=arms, hands=arms, legs=legs, feet=legs)
    thing = replace(nothing, thing=WHITE, trim=WHITE)
    bare = replace(look, limb=0.0)
    away = np.full_like(points[0], NOWHERE[0])  # the figure's joints, far outside of the frame
    empty = paint(away, bare, film.thing, NOWHERE, film.shot.thing_size, SIZE)
    return Truth(_masks(film, chosen, person), _masks(film, chosen, limbs), _masks(film, chosen, thing), empty, moving)


def moving_limbs(points: Sequence[Points]) -> tuple[str, ...]:
    """Return the limbs whose elbow and hand, or knee and foot, go furthest in the picture over the whole film."""
    path = np.abs(np.diff(np.stack(points)[:, :, :2], axis=0)).sum(axis=(0, 2))  # (15,) of each joint
    far = {}
    for limb in LIMBS:
        side, part = limb.split("_")
        far[limb] = sum(path[JOINTS.index(f"{side}_{end}")] for end in ENDS[part])
    return tuple(limb for limb in LIMBS if far[limb] >= MOVING * max(far.values()))


def _poses(film: Film) -> list[Pose]:
    return [
        MOTIONS[verb].pose(phase + tempo * number / (FRAME_RATE * MOTIONS[verb].seconds))
        for verb, count, phase, tempo in film.steps
        for number in range(count)
    ]


def _sides(moving: Sequence[str], part: str) -> tuple[Colour, Colour]:
    left, right = (WHITE if f"{side}_{part}" in moving else BLACK for side in ("left", "right"))
    return left, right


def _masks(film: Film, points: Sequence[Points], look: Look) -> Mask:
    shot = film.shot
    painted = [paint(one, look, film.thing, shot.place, shot.thing_size, SIZE)[..., 0] for one in points]
    shares: Mask = (np.stack(painted) / 255).astype(np.float32)
    return shares
