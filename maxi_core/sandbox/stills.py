"""Single frames for the pretraining of the sandbox's models: pictures of anything, of no film and no benchmark."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maxi_core.sandbox.films import Shot, draw_shot, render
from maxi_core.sandbox.motions import MOTIONS
from maxi_core.sandbox.painting import SCENES, THINGS, Frame

SIZE = 64


@dataclass(frozen=True, slots=True)
class Still:
    """One picture and what it shows: `frame` (64, 64, 3) RGB, the motion's verb, the thing and the scene."""

    frame: Frame
    verb: str
    thing: str
    scene: str


def still(seed: int) -> Still:
    """Return the still of `seed`: any motion, thing and scene, three in ten of them from an unusual side."""
    rng = np.random.default_rng(seed)
    verb, thing, scene = (str(rng.choice(list(names))) for names in (MOTIONS, THINGS, SCENES))
    side = "any" if rng.uniform() < 0.3 else "usual"
    shot: Shot = draw_shot(thing, scene, side, rng, zoom=(0.62, 0.92))
    pose = MOTIONS[verb].pose(float(rng.uniform()))
    return Still(render(pose, shot, SIZE), verb, thing, scene)


def frames(stills: list[Still]) -> NDArray[np.uint8]:
    """Return the stills' frames, (n, 64, 64, 3)."""
    return np.stack([one.frame for one in stills])
