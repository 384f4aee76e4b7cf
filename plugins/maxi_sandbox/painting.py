"""Drawing one frame: background, object and figure, twice as large as wanted and then halved."""

from collections.abc import Callable, Mapping
from colorsys import hsv_to_rgb
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from maxi_sandbox.skeleton import JOINTS, Points

Colour = tuple[int, int, int]
Frame = NDArray[np.uint8]
SUPERSAMPLING = 2
HAND, FOOT = 1.7, 1.6  # gloves and shoes, in limb widths

# Hue, saturation and value of sky and floor: light, so that the figure stands out.
SCENES: Mapping[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "meadow": ((0.56, 0.10, 0.99), (0.28, 0.24, 0.93)),
    "beach": ((0.53, 0.14, 0.98), (0.12, 0.22, 0.97)),
    "room": ((0.10, 0.07, 0.97), (0.08, 0.16, 0.86)),
    "snow": ((0.62, 0.06, 0.94), (0.58, 0.02, 1.00)),
    "street": ((0.60, 0.03, 0.93), (0.65, 0.03, 0.82)),
    "stage": ((0.95, 0.14, 0.97), (0.92, 0.20, 0.88)),
    "desert": ((0.07, 0.13, 0.99), (0.09, 0.27, 0.94)),
    "lake": ((0.50, 0.05, 0.99), (0.51, 0.24, 0.93)),
}


# Hue, saturation and value of what the torso wears; the same through a film. The captioner's habits go by it.
SHIRTS: Mapping[str, tuple[float, float, float]] = {
    "green": (0.33, 0.65, 0.60),
    "black": (0.60, 0.10, 0.12),
    "grey": (0.60, 0.03, 0.55),
    "brown": (0.07, 0.65, 0.42),
    "turquoise": (0.49, 0.80, 0.78),
    "lilac": (0.78, 0.35, 0.85),
}


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and thickness of a picture; `limb` is the limbs' width in shares of the frame, `shirt` one of SHIRTS."""

    sky: Colour
    floor: Colour
    horizon: float
    arms: tuple[Colour, Colour]
    legs: tuple[Colour, Colour]
    hands: tuple[Colour, Colour]
    feet: tuple[Colour, Colour]
    shirt: str
    torso: Colour
    head: Colour
    limb: float
    thing: Colour
    trim: Colour


def colour(hue: float, saturation: float, value: float) -> Colour:
    """Return 8-bit RGB of a colour whose parts are 0 to 1 (hue wraps, the others are cut)."""
    red, green, blue = hsv_to_rgb(hue % 1.0, min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0))
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_look(scene: str, rng: np.random.Generator) -> Look:
    """Draw a look for `scene`: arms reddish, legs bluish, a shirt, each with jitter; thing of any colour."""

    def near(hue: float, saturation: float, value: float, wide: float = 0.03) -> Colour:
        jitter = rng.normal(0.0, (wide, 0.03, 0.02))
        return colour(hue + jitter[0], saturation + jitter[1], value + jitter[2])

    sky, floor = (near(*part, wide=0.015) for part in SCENES[scene])
    shirt = str(rng.choice(list(SHIRTS)))
    arm, leg = 0.02 + rng.normal(0, 0.015), 0.63 + rng.normal(0, 0.015)
    return Look(
        sky, floor, float(rng.uniform(0.62, 0.78)),
        (near(arm, 0.85, 0.70, 0.008), near(arm, 0.75, 0.95, 0.008)),
        (near(leg, 0.85, 0.55, 0.008), near(leg, 0.70, 0.90, 0.008)),
        (near(0.15, 0.95, 0.95, 0.01), near(0.87, 0.75, 0.85, 0.01)),
        (near(0.46, 0.90, 0.75, 0.01), near(0.77, 0.65, 0.60, 0.01)),
        shirt, near(*SHIRTS[shirt], wide=0.015), near(0.08, 0.40, 0.75),
        float(rng.uniform(0.058, 0.074)),
        colour(rng.uniform(), rng.uniform(0.05, 0.3), rng.uniform(0.4, 0.7)),
        colour(rng.uniform(), rng.uniform(0.05, 0.3), rng.uniform(0.15, 0.4)),
    )  # fmt: skip


Brush = Callable[[ImageDraw.ImageDraw, float, float, float, Look], None]


def _ball(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.ellipse((x - r, y - r, x + r, y + r), look.thing)
    pen.line((x - r, y, x + r, y), look.trim, round(r / 4))
    pen.line((x, y - r, x, y + r), look.trim, round(r / 4))


def _box(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.rectangle((x - r, y - r * 0.85, x + r, y + r * 0.85), look.thing)
    pen.rectangle((x - r, y - r * 0.85, x + r, y - r * 0.45), look.trim)


def _rope(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    points = [(x + r * 0.65 * np.sin(step * 0.9), y + r * (step / 7 - 1)) for step in range(15)]
    pen.line(points, look.thing, max(2, round(r / 3)), joint="curve")


def _bag(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.polygon([(x - r * 0.45, y - r * 0.3), (x + r * 0.45, y - r * 0.3), (x + r, y + r), (x - r, y + r)], look.thing)
    pen.arc((x - r * 0.45, y - r, x + r * 0.45, y + r * 0.4), 180, 360, look.trim, max(2, round(r / 4)))


def _tree(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.rectangle((x - r * 0.15, y + r * 0.3, x + r * 0.15, y + r), look.trim)
    pen.polygon([(x, y - r), (x + r * 0.85, y + r * 0.4), (x - r * 0.85, y + r * 0.4)], look.thing)


def _umbrella(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.line((x, y - r * 0.4, x, y + r), look.trim, max(2, round(r / 5)))
    pen.pieslice((x - r, y - r, x + r, y + r * 0.8), 180, 360, look.thing)


def _chair(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    width = max(2, round(r / 3.2))
    pen.line((x - r * 0.6, y - r, x - r * 0.6, y + r), look.thing, width)
    pen.line((x - r * 0.6, y + r * 0.1, x + r * 0.7, y + r * 0.1), look.thing, width)
    pen.line((x + r * 0.6, y + r * 0.1, x + r * 0.6, y + r), look.thing, width)


def _flag(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, look: Look) -> None:
    pen.line((x - r * 0.7, y - r, x - r * 0.7, y + r), look.trim, max(2, round(r / 5)))
    pen.polygon([(x - r * 0.7, y - r), (x + r, y - r * 0.45), (x - r * 0.7, y + r * 0.1)], look.thing)


# Those that the dictionary names stand first.
THINGS: Mapping[str, Brush] = {
    "ball": _ball, "box": _box, "rope": _rope, "bag": _bag,
    "tree": _tree, "umbrella": _umbrella, "chair": _chair, "flag": _flag,
}  # fmt: skip

_AT = {name: row for row, name in enumerate(JOINTS)}


def _figure(pen: ImageDraw.ImageDraw, points: Points, look: Look, size: int) -> None:
    width = look.limb * size
    parts: list[tuple[str, str, Colour, float]] = [("pelvis", "neck", look.torso, 1.7)]
    for side, shade in (("left", 0), ("right", 1)):
        for chain, colours in (("shoulder elbow hand", look.arms), ("hip knee foot", look.legs)):
            a, b, c = (f"{side}_{joint}" for joint in chain.split())
            parts += [(a, b, colours[shade], 1.0), (b, c, colours[shade], 1.0)]
        parts.append((f"{side}_hand", f"{side}_hand", look.hands[shade], HAND))
        parts.append((f"{side}_foot", f"{side}_foot", look.feet[shade], FOOT))
    parts.append(("head", "head", look.head, 2.1))
    parts.sort(key=lambda part: points[_AT[part[0]], 2] + points[_AT[part[1]], 2] + 0.04 * (part[0] == part[1]))
    for start, end, paint, wide in parts:
        (x0, y0), (x1, y1) = points[_AT[start], :2] * size, points[_AT[end], :2] * size
        r = width * wide / 2
        if start != end:
            pen.line((x0, y0, x1, y1), paint, round(2 * r))
            pen.ellipse((x0 - r, y0 - r, x0 + r, y0 + r), paint)
        pen.ellipse((x1 - r, y1 - r, x1 + r, y1 + r), paint)


def paint(points: Points, look: Look, thing: str, place: tuple[float, float], thing_size: float, size: int) -> Frame:
    """Return one frame, (size, size, 3) RGB; `points` are projected joints, `thing_size` a share of the frame."""
    large = size * SUPERSAMPLING
    image = Image.new("RGB", (large, large), look.sky)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, look.horizon * large, large, large), look.floor)
    THINGS[thing](pen, place[0] * large, place[1] * large, thing_size * large / 2, look)
    _figure(pen, points, look, large)
    return np.array(image.reduce(SUPERSAMPLING))
