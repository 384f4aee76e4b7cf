"""Single frames for the pretraining of the sandbox's models: pictures of anything, of no film and no benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maxi_sandbox.films import draw_shot, render
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import SCENES, THINGS, Frame
from maxi_sandbox.skeleton import Points, joints, project

SIZE = 60
# Evaluation enlarges a frame by 256/224 and keeps the middle; a still is any part of a picture enlarged by up to that.
LARGEST = 70


@dataclass(frozen=True, slots=True)
class Still:
    """One picture and what it shows: `frame` (60, 60, 3) RGB, the motion's verb, the thing, the scene and the shirt.

    `points` (15, 3) are the figure's joints: right and down in shares of the frame, and how near the viewer.
    """

    frame: Frame
    verb: str
    thing: str
    scene: str
    shirt: str
    points: Points


def still(seed: int) -> Still:
    """Return the still of `seed`: any motion, thing and scene, one in four of them from an unusual side."""
    rng = np.random.default_rng(seed)
    verb, thing, scene = (str(rng.choice(list(names))) for names in (MOTIONS, THINGS, SCENES))
    side = "any" if rng.uniform() < 0.25 else "usual"
    shot = draw_shot(thing, scene, side, rng, zoom=(0.66, 0.88))
    pose = MOTIONS[verb].pose(float(rng.uniform()))
    size = int(rng.integers(SIZE, LARGEST + 1))
    left, top = rng.integers(0, size - SIZE + 1, 2)
    frame = render(pose, shot, size)[top : top + SIZE, left : left + SIZE]
    points = project(joints(pose, shot.body), shot.camera) * (size / SIZE, size / SIZE, 1.0)
    return Still(frame, verb, thing, scene, shot.look.shirt, points - (left / SIZE, top / SIZE, 0.0))


def frames(stills: Sequence[Still]) -> NDArray[np.uint8]:
    """Return the stills' frames, (n, 60, 60, 3)."""
    return np.stack([one.frame for one in stills])
