"""How a figure holds itself, and motions as cycles of key poses that are played over and over."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import cos, pi

# A limb is (upper swing, upper spread, lower swing, lower spread) in degrees. Swing turns forward from hanging down:
# 0 is down, 90 forward, 180 up, negative backward. Spread turns outward from there; negative is across the body.
Limb = tuple[float, float, float, float]

_HANGING: Limb = (6, 9, 16, 5)
_STANDING: Limb = (3, 5, -2, 4)


@dataclass(frozen=True, slots=True)
class Pose:
    """How the figure holds itself, in degrees; `lift` is its height above the ground in body lengths.

    Limbs hang in the world's frame, not the torso's: a figure that leans forward with arms at 0 lets them hang down.
    """

    lean: float
    side: float
    twist: float
    yaw: float
    lift: float
    left_arm: Limb
    right_arm: Limb
    left_leg: Limb
    right_leg: Limb

    def toward(self, other: "Pose", share: float) -> "Pose":
        """Return the pose that is `share` (0 to 1) of the way from this one to `other`."""

        def mixed(here: float, there: float) -> float:
            return here + (there - here) * share

        def limb(here: Limb, there: Limb) -> Limb:
            a, b, c, d = (mixed(*angles) for angles in zip(here, there, strict=True))
            return a, b, c, d

        return Pose(
            mixed(self.lean, other.lean),
            mixed(self.side, other.side),
            mixed(self.twist, other.twist),
            mixed(self.yaw, other.yaw),
            mixed(self.lift, other.lift),
            limb(self.left_arm, other.left_arm),
            limb(self.right_arm, other.right_arm),
            limb(self.left_leg, other.left_leg),
            limb(self.right_leg, other.right_leg),
        )


@dataclass(frozen=True, slots=True)
class Motion:
    """A primitive motion: key poses with the phase (0 to 1) at which each is held, and the seconds of one cycle.

    The first key pose stands at phase 0. `turns` is how many full turns the body makes in a cycle; a turn is steady,
    which key poses cannot say.
    """

    keys: tuple[tuple[float, Pose], ...]
    seconds: float
    turns: int = 0

    def pose(self, phase: float) -> Pose:
        """Return the pose at `phase`, in cycles from the beginning; whole numbers are the first key pose again."""
        phase %= 1.0
        around = (*self.keys, (1.0, self.keys[0][1]))
        (start, here), (end, there) = next(pair for pair in pairwise(around) if phase < pair[1][0])
        share = (1 - cos(pi * (phase - start) / (end - start))) / 2
        return replace(here.toward(there, share), yaw=360.0 * self.turns * phase)


def held(
    lean: float,
    *,
    arms: Limb = _HANGING,
    legs: Limb = _STANDING,
    left_arm: Limb | None = None,
    right_arm: Limb | None = None,
    left_leg: Limb | None = None,
    right_leg: Limb | None = None,
    side: float = 0.0,
    twist: float = 0.0,
    lift: float = 0.0,
) -> Pose:
    """Return a key pose: `arms` and `legs` hold for both sides but where one side has its own; plain standing else."""
    pairs = ((left_arm or arms, right_arm or arms), (left_leg or legs, right_leg or legs))
    return Pose(lean, side, twist, 0.0, lift, *pairs[0], *pairs[1])


def cycle(seconds: float, *keys: tuple[float, Pose], turns: int = 0) -> Motion:
    """Return the motion that takes `seconds` for one cycle through `keys`, each a phase and its pose."""
    return Motion(keys, seconds, turns)
