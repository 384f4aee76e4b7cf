"""The primitive motions of the sandbox: a table of key poses. No motion is another one played backward (a test)."""

from collections.abc import Mapping

from maxi_sandbox.poses import Limb, Motion, Pose

_HANGING: Limb = (6, 9, 16, 5)
_STANDING: Limb = (3, 5, -2, 4)
_WIDE: Limb = (0, 17, 0, 15)
_FRONT: Limb = (24, 10, 10, 8)
_BACK: Limb = (-22, 10, -34, 8)


def _held(
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
    pairs = ((left_arm or arms, right_arm or arms), (left_leg or legs, right_leg or legs))
    return Pose(lean, side, twist, 0.0, lift, *pairs[0], *pairs[1])


def _cycle(seconds: float, *keys: tuple[float, Pose], turns: int = 0) -> Motion:
    return Motion(keys, seconds, turns)


MOTIONS: Mapping[str, Motion] = {
    # Named in the dictionary.
    "kick": _cycle(
        1.1,
        (0.0, _held(8, right_leg=(-38, 5, -85, 5), left_arm=(45, 25, 60, 20), right_arm=(-35, 22, -25, 18))),
        (0.3, _held(-18, right_leg=(92, 5, 86, 5), left_arm=(-35, 25, -20, 22), right_arm=(50, 25, 60, 20))),
        (0.55, _held(-16, right_leg=(84, 5, 70, 5), left_arm=(-35, 25, -20, 22), right_arm=(50, 25, 60, 20))),
        (0.8, _held(3, right_leg=(10, 5, -20, 5), left_arm=(10, 22, 20, 20), right_arm=(10, 22, 20, 20))),
    ),
    "throw": _cycle(
        1.2,
        (
            0.0,
            _held(
                -16, twist=-25, right_arm=(150, 45, 235, 20), left_arm=(85, 12, 90, 8), left_leg=_FRONT, right_leg=_BACK
            ),
        ),
        (
            0.3,
            _held(
                -18, twist=-30, right_arm=(155, 45, 250, 20), left_arm=(85, 12, 90, 8), left_leg=_FRONT, right_leg=_BACK
            ),
        ),
        (
            0.5,
            _held(
                14, twist=15, right_arm=(135, 5, 125, 0), left_arm=(20, 20, 30, 10), left_leg=_FRONT, right_leg=_BACK
            ),
        ),
        (
            0.7,
            _held(
                30,
                twist=25,
                right_arm=(55, -10, 35, -20),
                left_arm=(-25, 20, -10, 10),
                left_leg=_FRONT,
                right_leg=_BACK,
            ),
        ),
    ),
    "catch": _cycle(
        1.2,
        (0.0, _held(6, arms=(112, 12, 132, 4), legs=(56, 14, -34, 10))),
        (0.45, _held(4, arms=(118, 12, 140, 2), legs=(56, 14, -34, 10))),
        (0.65, _held(24, arms=(8, 22, 118, -28), legs=(66, 14, -44, 10))),
        (0.85, _held(24, arms=(5, 22, 112, -28), legs=(66, 14, -44, 10))),
    ),
    "lift": _cycle(
        1.6,
        (0.0, _held(55, arms=(22, 5, 12, 0), legs=(88, 16, -32, 12))),
        (0.25, _held(50, arms=(24, 5, 14, 0), legs=(86, 16, -30, 12))),
        (0.6, _held(-4, arms=(172, 6, 178, 0))),
        (0.85, _held(-6, arms=(176, 6, 180, 0))),
    ),
    "push": _cycle(
        1.1,
        (0.0, _held(42, arms=(80, 5, 84, 2), left_leg=(62, 6, 4, 5), right_leg=(-30, 6, -52, 5))),
        (0.5, _held(46, arms=(84, 5, 86, 2), left_leg=(-30, 6, -52, 5), right_leg=(62, 6, 4, 5))),
    ),
    "sit": _cycle(
        2.4,
        (0.0, _held(-6, arms=(22, 9, 62, -6), legs=(86, 8, 2, 6))),
        (0.5, _held(10, arms=(34, 9, 70, -6), legs=(88, 8, 6, 6))),
    ),
    "jump": _cycle(
        0.9,
        (0.0, _held(14, arms=(-28, 24, 10, 30), legs=(48, 8, -36, 6))),
        (0.3, _held(2, lift=0.28, arms=(40, 50, 70, 60), legs=(68, 10, -62, 8))),
        (0.6, _held(2, lift=0.32, arms=(40, 50, 70, 60), legs=(74, 10, -66, 8))),
    ),
    "pull": _cycle(
        1.2,
        (0.0, _held(-26, arms=(82, 6, 86, 2), legs=(42, 9, 14, 7))),
        (0.6, _held(-40, arms=(-22, 16, 84, 0), legs=(50, 9, 26, 7))),
    ),
    "climb": _cycle(
        1.3,
        (
            0.0,
            _held(
                2,
                lift=0.06,
                left_arm=(172, 8, 178, 2),
                right_arm=(100, 22, 172, 4),
                left_leg=(8, 8, -18, 6),
                right_leg=(92, 14, -22, 8),
            ),
        ),
        (
            0.5,
            _held(
                2,
                lift=0.06,
                left_arm=(100, 22, 172, 4),
                right_arm=(172, 8, 178, 2),
                left_leg=(92, 14, -22, 8),
                right_leg=(8, 8, -18, 6),
            ),
        ),
    ),
    "punch": _cycle(
        0.9,
        (
            0.0,
            _held(10, twist=-24, left_arm=(90, 0, 90, 0), right_arm=(2, 20, 132, -4), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.2,
            _held(10, twist=-24, left_arm=(90, 0, 90, 0), right_arm=(2, 20, 132, -4), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.5,
            _held(10, twist=24, left_arm=(2, 20, 132, -4), right_arm=(90, 0, 90, 0), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.7,
            _held(10, twist=24, left_arm=(2, 20, 132, -4), right_arm=(90, 0, 90, 0), left_leg=_FRONT, right_leg=_BACK),
        ),
    ),
    "swing": _cycle(
        1.3,
        (0.0, _held(24, twist=48, left_arm=(42, 62, 42, 66), right_arm=(48, -48, 46, -60), legs=_WIDE)),
        (0.5, _held(24, twist=-48, left_arm=(48, -48, 46, -60), right_arm=(42, 62, 42, 66), legs=_WIDE)),
    ),
    "hug": _cycle(
        1.8,
        (0.0, _held(-8, side=-24, arms=(62, 58, 92, -58))),
        (0.5, _held(-8, side=24, arms=(56, 52, 94, -66))),
    ),
    # Never named in the dictionary.
    "wave": _cycle(
        0.7,
        (0.0, _held(2, right_arm=(140, 62, 172, -28))),
        (0.5, _held(2, right_arm=(140, 62, 150, 78))),
    ),
    "clap": _cycle(
        0.7,
        (0.0, _held(2, arms=(84, 62, 98, 66))),
        (0.55, _held(4, arms=(82, 8, 98, -8))),
        (0.7, _held(4, arms=(82, 8, 98, -8))),
    ),
    "bow": _cycle(
        1.8,
        (0.0, _held(58, arms=(-20, 8, -26, 6), legs=(0, 4, 0, 4))),
        (0.3, _held(108, arms=(-48, 8, -56, 6), legs=(-4, 4, -4, 4))),
        (0.7, _held(110, arms=(-50, 8, -58, 6), legs=(-4, 4, -4, 4))),
    ),
    "spin": _cycle(
        1.1,
        (0.0, _held(0, arms=(90, 86, 90, 86), right_leg=(52, 48, -38, -22))),
        turns=1,
    ),
    "crawl": _cycle(
        1.2,
        (
            0.0,
            _held(
                84,
                left_arm=(32, 6, 26, 4),
                right_arm=(-20, 6, -8, 4),
                left_leg=(-14, 6, -92, 5),
                right_leg=(38, 6, -84, 5),
            ),
        ),
        (
            0.5,
            _held(
                84,
                left_arm=(-20, 6, -8, 4),
                right_arm=(32, 6, 26, 4),
                left_leg=(38, 6, -84, 5),
                right_leg=(-14, 6, -92, 5),
            ),
        ),
    ),
    "run": _cycle(
        0.7,
        (
            0.0,
            _held(
                16,
                lift=0.06,
                left_arm=(58, 6, 140, 0),
                right_arm=(-62, 8, 20, 2),
                left_leg=(-34, 4, -104, 4),
                right_leg=(72, 4, -24, 4),
            ),
        ),
        (
            0.5,
            _held(
                16,
                lift=0.06,
                left_arm=(-62, 8, 20, 2),
                right_arm=(58, 6, 140, 0),
                left_leg=(72, 4, -24, 4),
                right_leg=(-34, 4, -104, 4),
            ),
        ),
    ),
    "kneel": _cycle(
        2.0,
        (0.0, _held(0, arms=(14, 14, 122, -30), legs=(2, 8, -90, 5))),
        (0.5, _held(22, arms=(30, 14, 130, -30), legs=(6, 8, -88, 5))),
    ),
    "stretch": _cycle(
        1.8,
        (0.0, _held(0, side=42, left_arm=(0, 48, 0, -46), right_arm=(180, -38, 180, -62), legs=(0, 30, 0, 28))),
        (0.5, _held(0, side=-42, left_arm=(180, -38, 180, -62), right_arm=(0, 48, 0, -46), legs=(0, 30, 0, 28))),
    ),
    "cheer": _cycle(
        0.8,
        (0.0, _held(-4, arms=(168, 42, 176, 36), legs=_WIDE)),
        (0.45, _held(-8, lift=0.12, arms=(152, 66, 176, 30), legs=_WIDE)),
    ),
    "lunge": _cycle(
        1.6,
        (0.0, _held(2, arms=(-24, 46, 24, -52), right_leg=(74, 5, 6, 5), left_leg=(-36, 5, -62, 5))),
        (0.45, _held(4, arms=(-24, 46, 24, -52), right_leg=(94, 5, 2, 5), left_leg=(-60, 5, -70, 5))),
        (0.75, _held(4, arms=(-24, 46, 24, -52), right_leg=(94, 5, 2, 5), left_leg=(-60, 5, -70, 5))),
    ),
    "lie": _cycle(
        2.2,
        (0.0, _held(-88, arms=(84, 26, 88, 20), left_leg=(92, 6, 90, 5), right_leg=(112, 6, 62, 5))),
        (0.5, _held(-84, arms=(84, 26, 88, 20), left_leg=(112, 6, 62, 5), right_leg=(92, 6, 90, 5))),
    ),
    "balance": _cycle(
        2.0,
        (0.0, _held(66, side=6, arms=(60, 82, 60, 84), right_leg=(-78, 4, -80, 4), left_leg=(2, 2, 0, 2))),
        (0.5, _held(76, side=-6, arms=(60, 82, 60, 84), right_leg=(-94, 4, -96, 4), left_leg=(2, 2, 0, 2))),
    ),
}
