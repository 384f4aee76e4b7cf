"""Films: which motions follow each other, before which camera; and the frames and MP4 files they become."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import Frame, Look, draw_look, paint
from maxi_sandbox.poses import Pose
from maxi_sandbox.skeleton import Body, Camera, joints, project

FRAME_RATE = 12
SIZE = 96
# Without its macroblock tree, with which the same frames become other bytes when memory was used before.
_X264 = {"crf": "16", "preset": "veryfast", "x264-params": "mbtree=0"}


@dataclass(frozen=True, slots=True)
class Shot:
    """All that stays the same during a film: who, before which camera, with which thing, where, in which colours."""

    body: Body
    camera: Camera
    thing: str
    place: tuple[float, float]
    thing_size: float
    look: Look


@dataclass(frozen=True, slots=True)
class Film:
    """A film before it is rendered: `steps` are (verb of the motion, number of frames, first phase, tempo)."""

    name: str
    steps: tuple[tuple[str, int, float, float], ...]
    thing: str
    scene: str
    shot: Shot


# Degrees around the figure and above it. "other" is what only the benchmark of the other view sees.
SIDES = {"usual": ((25.0, 65.0), (0.0, 15.0)), "other": ((72.0, 95.0), (28.0, 48.0)), "any": ((0.0, 95.0), (0.0, 48.0))}


def draw_shot(
    thing: str, scene: str, side: str, rng: np.random.Generator, zoom: tuple[float, float] = (0.70, 0.82)
) -> Shot:
    """Draw body, camera, colours and the thing's place for one film or still; `side` is a key of SIDES."""
    scale = rng.uniform(0.9, 1.1, 6)
    plain = Body()
    body = Body(
        plain.torso * scale[0], plain.head * scale[1], plain.arm * scale[2],
        plain.leg * scale[3], plain.shoulders * scale[4], plain.hips * scale[5],
    )  # fmt: skip
    around, above = SIDES[side]
    camera = Camera(
        float(rng.uniform(*around)), float(rng.uniform(*above)), float(rng.uniform(*zoom)),
        bool(rng.integers(2)), (float(rng.uniform(-0.07, 0.07)), float(rng.uniform(-0.03, 0.03))),
    )  # fmt: skip
    beside = float(rng.uniform(0.12, 0.2))
    place = (beside if rng.integers(2) else 1 - beside, float(rng.uniform(0.18, 0.82)))
    return Shot(body, camera, thing, place, float(rng.uniform(0.19, 0.25)), draw_look(scene, rng))


def render(pose: Pose, shot: Shot, size: int = SIZE) -> Frame:
    """Return one frame, (size, size, 3) RGB."""
    points = project(joints(pose, shot.body), shot.camera)
    return paint(points, shot.look, shot.thing, shot.place, shot.thing_size, size)


def frames(film: Film) -> Iterator[tuple[str, Frame]]:
    """Yield each frame of `film`, (96, 96, 3) RGB, with the verb of the motion that it shows."""
    for verb, count, phase, tempo in film.steps:
        motion = MOTIONS[verb]
        for number in range(count):
            yield verb, render(motion.pose(phase + tempo * number / (FRAME_RATE * motion.seconds)), film.shot)


def write_mp4(film: Film, path: Path) -> None:
    """Render `film` into `path`: H.264 where PyAV's FFmpeg has an encoder for it, MPEG-4 part 2 otherwise."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        if "libx264" in av.codecs_available:
            stream = container.add_stream("libx264", rate=FRAME_RATE, options=_X264)
        else:
            stream = container.add_stream("mpeg4", rate=FRAME_RATE, options={"qscale": "3"})
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = Fraction(1, FRAME_RATE)
        stream.codec_context.thread_count = 1  # the same bytes whatever the number of cores
        for _, frame in frames(film):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
