"""What can be said of how a figure holds itself, without a verb: words for what is seen of it in the picture plane."""

from collections.abc import Mapping

import numpy as np

from maxi_sandbox.skeleton import JOINTS, Points

# Each posture with the words that a caption may have for it.
POSTURES: Mapping[str, tuple[str, ...]] = {
    "arms up": ("with both arms up", "raising the arms", "both hands above the head", "hands held high"),
    "arm up": ("with one arm up", "one hand above the head"),
    "arms out": ("with the arms out to the side", "the arms wide"),
    "arms forward": ("with the arms forward", "with both arms in front", "holding out the hands"),
    "hands together": ("with the hands together", "both hands close to the chest", "with closed arms"),
    "arms down": ("with the arms down", "with hanging arms"),
    "bent over": ("bent over", "bending down", "with the head down"),
    "leaning": ("leaning forward", "leaning"),
    "upright": ("standing upright", "standing", "straight up"),
    "low": ("on the floor", "down on the floor", "low on the floor"),
    "knees bent": ("with bent knees", "bending the knees", "with the legs bent"),
    "leg up": ("with a leg up", "with one foot off the floor", "on one leg"),
    "legs apart": ("with the legs apart", "with a long step", "with the feet apart"),
}
SIDES = ("left", "right")


def postures(points: Points) -> frozenset[str]:
    """Return the postures that hold of projected joints (15, 3), in lengths of the torso as it is seen."""
    x, y = (dict(zip(JOINTS, points[:, axis], strict=True)) for axis in (0, 1))
    torso = float(np.hypot(x["neck"] - x["pelvis"], y["neck"] - y["pelvis"])) + 1e-6
    return frozenset(_arms(x, y, torso) | _body(y, torso) | _legs(x, y, torso))


def _arms(x: dict[str, float], y: dict[str, float], torso: float) -> set[str]:
    found = set()
    across = [x[f"{side}_hand"] - x["neck"] for side in SIDES]
    down = [y[f"{side}_hand"] for side in SIDES]
    raised = sum(hand < y["head"] for hand in down)
    if raised:
        found.add("arms up" if raised == 2 else "arm up")
    if all(abs(hand - y["neck"]) < 0.35 * torso for hand in down) and min(map(abs, across)) > 0.5 * torso:
        found.add("arms forward" if np.sign(across[0]) == np.sign(across[1]) else "arms out")
    if np.hypot(across[0] - across[1], down[0] - down[1]) < 0.3 * torso:
        found.add("hands together")
    if all(hand > y["pelvis"] - 0.15 * torso for hand in down):
        found.add("arms down")
    return found


def _body(y: dict[str, float], torso: float) -> set[str]:
    rise = (y["pelvis"] - y["neck"]) / torso
    found = {"bent over" if rise < 0.3 else "leaning" if rise < 0.85 else "upright"}
    if max(y.values()) - y["pelvis"] < 0.75 * torso:
        found.add("low")
    return found


def _legs(x: dict[str, float], y: dict[str, float], torso: float) -> set[str]:
    found = set()
    for side in SIDES:
        hip, knee, foot = (np.array([x[f"{side}_{joint}"], y[f"{side}_{joint}"]]) for joint in ("hip", "knee", "foot"))
        thigh, shin = hip - knee, foot - knee
        if thigh @ shin > -0.3 * (np.linalg.norm(thigh) * np.linalg.norm(shin) + 1e-6):
            found.add("knees bent")
    if abs(y["left_foot"] - y["right_foot"]) > 0.45 * torso:
        found.add("leg up")
    if abs(x["left_foot"] - x["right_foot"]) > 0.9 * torso:
        found.add("legs apart")
    return found
