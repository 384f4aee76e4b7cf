"""The primitive motions on the feet, from standing straight to bent double, as key poses."""

from collections.abc import Mapping

from maxi_sandbox.poses import Limb, Motion, cycle, held

_WIDE: Limb = (0, 17, 0, 15)
_FRONT: Limb = (24, 10, 10, 8)
_BACK: Limb = (-22, 10, -34, 8)

UPRIGHT: Mapping[str, Motion] = {
    "kick": cycle(
        1.1,
        (0.0, held(8, right_leg=(-38, 5, -85, 5), left_arm=(45, 25, 60, 20), right_arm=(-35, 22, -25, 18))),
        (0.3, held(-18, right_leg=(92, 5, 86, 5), left_arm=(-35, 25, -20, 22), right_arm=(50, 25, 60, 20))),
        (0.55, held(-16, right_leg=(84, 5, 70, 5), left_arm=(-35, 25, -20, 22), right_arm=(50, 25, 60, 20))),
        (0.8, held(3, right_leg=(10, 5, -20, 5), left_arm=(10, 22, 20, 20), right_arm=(10, 22, 20, 20))),
    ),
    "throw": cycle(
        1.2,
        (
            0.0,
            held(
                -16, twist=-25, right_arm=(150, 45, 235, 20), left_arm=(85, 12, 90, 8), left_leg=_FRONT, right_leg=_BACK
            ),
        ),
        (
            0.3,
            held(
                -18, twist=-30, right_arm=(155, 45, 250, 20), left_arm=(85, 12, 90, 8), left_leg=_FRONT, right_leg=_BACK
            ),
        ),
        (
            0.5,
            held(14, twist=15, right_arm=(135, 5, 125, 0), left_arm=(20, 20, 30, 10), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.7,
            held(
                30,
                twist=25,
                right_arm=(55, -10, 35, -20),
                left_arm=(-25, 20, -10, 10),
                left_leg=_FRONT,
                right_leg=_BACK,
            ),
        ),
    ),
    "catch": cycle(
        1.2,
        (0.0, held(6, arms=(112, 12, 132, 4), legs=(56, 14, -34, 10))),
        (0.45, held(4, arms=(118, 12, 140, 2), legs=(56, 14, -34, 10))),
        (0.65, held(24, arms=(8, 22, 118, -28), legs=(66, 14, -44, 10))),
        (0.85, held(24, arms=(5, 22, 112, -28), legs=(66, 14, -44, 10))),
    ),
    "lift": cycle(
        1.6,
        (0.0, held(55, arms=(22, 5, 12, 0), legs=(88, 16, -32, 12))),
        (0.25, held(50, arms=(24, 5, 14, 0), legs=(86, 16, -30, 12))),
        (0.6, held(-4, arms=(172, 6, 178, 0))),
        (0.85, held(-6, arms=(176, 6, 180, 0))),
    ),
    "push": cycle(
        1.1,
        (0.0, held(42, arms=(80, 5, 84, 2), left_leg=(62, 6, 4, 5), right_leg=(-30, 6, -52, 5))),
        (0.5, held(46, arms=(84, 5, 86, 2), left_leg=(-30, 6, -52, 5), right_leg=(62, 6, 4, 5))),
    ),
    "pull": cycle(
        1.2,
        (0.0, held(-26, arms=(82, 6, 86, 2), legs=(42, 9, 14, 7))),
        (0.6, held(-40, arms=(-22, 16, 84, 0), legs=(50, 9, 26, 7))),
    ),
    "climb": cycle(
        1.3,
        (
            0.0,
            held(
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
            held(
                2,
                lift=0.06,
                left_arm=(100, 22, 172, 4),
                right_arm=(172, 8, 178, 2),
                left_leg=(92, 14, -22, 8),
                right_leg=(8, 8, -18, 6),
            ),
        ),
    ),
    "punch": cycle(
        0.9,
        (
            0.0,
            held(10, twist=-24, left_arm=(90, 0, 90, 0), right_arm=(2, 20, 132, -4), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.2,
            held(10, twist=-24, left_arm=(90, 0, 90, 0), right_arm=(2, 20, 132, -4), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.5,
            held(10, twist=24, left_arm=(2, 20, 132, -4), right_arm=(90, 0, 90, 0), left_leg=_FRONT, right_leg=_BACK),
        ),
        (
            0.7,
            held(10, twist=24, left_arm=(2, 20, 132, -4), right_arm=(90, 0, 90, 0), left_leg=_FRONT, right_leg=_BACK),
        ),
    ),
    "swing": cycle(
        1.3,
        (0.0, held(24, twist=48, left_arm=(42, 62, 42, 66), right_arm=(48, -48, 46, -60), legs=_WIDE)),
        (0.5, held(24, twist=-48, left_arm=(48, -48, 46, -60), right_arm=(42, 62, 42, 66), legs=_WIDE)),
    ),
    "hug": cycle(
        1.8,
        (0.0, held(-8, side=-24, arms=(62, 58, 92, -58))),
        (0.5, held(-8, side=24, arms=(56, 52, 94, -66))),
    ),
    "wave": cycle(
        0.7,
        (0.0, held(2, right_arm=(140, 62, 172, -28))),
        (0.5, held(2, right_arm=(140, 62, 150, 78))),
    ),
    "clap": cycle(
        0.7,
        (0.0, held(2, arms=(84, 62, 98, 66))),
        (0.55, held(4, arms=(82, 8, 98, -8))),
        (0.7, held(4, arms=(82, 8, 98, -8))),
    ),
    "bow": cycle(
        1.8,
        (0.0, held(58, arms=(-20, 8, -26, 6), legs=(0, 4, 0, 4))),
        (0.3, held(108, arms=(-48, 8, -56, 6), legs=(-4, 4, -4, 4))),
        (0.7, held(110, arms=(-50, 8, -58, 6), legs=(-4, 4, -4, 4))),
    ),
    "spin": cycle(
        1.1,
        (0.0, held(0, arms=(90, 86, 90, 86), right_leg=(52, 48, -38, -22))),
        turns=1,
    ),
    "run": cycle(
        0.7,
        (
            0.0,
            held(
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
            held(
                16,
                lift=0.06,
                left_arm=(-62, 8, 20, 2),
                right_arm=(58, 6, 140, 0),
                left_leg=(72, 4, -24, 4),
                right_leg=(-34, 4, -104, 4),
            ),
        ),
    ),
    "stretch": cycle(
        1.8,
        (0.0, held(0, side=42, left_arm=(0, 48, 0, -46), right_arm=(180, -38, 180, -62), legs=(0, 30, 0, 28))),
        (0.5, held(0, side=-42, left_arm=(180, -38, 180, -62), right_arm=(0, 48, 0, -46), legs=(0, 30, 0, 28))),
    ),
    "cheer": cycle(
        0.8,
        (0.0, held(-4, arms=(168, 42, 176, 36), legs=_WIDE)),
        (0.45, held(-8, lift=0.12, arms=(152, 66, 176, 30), legs=_WIDE)),
    ),
    "lunge": cycle(
        1.6,
        (0.0, held(2, arms=(-24, 46, 24, -52), right_leg=(74, 5, 6, 5), left_leg=(-36, 5, -62, 5))),
        (0.45, held(4, arms=(-24, 46, 24, -52), right_leg=(94, 5, 2, 5), left_leg=(-60, 5, -70, 5))),
        (0.75, held(4, arms=(-24, 46, 24, -52), right_leg=(94, 5, 2, 5), left_leg=(-60, 5, -70, 5))),
    ),
    "balance": cycle(
        2.0,
        (0.0, held(66, side=6, arms=(60, 82, 60, 84), right_leg=(-78, 4, -80, 4), left_leg=(2, 2, 0, 2))),
        (0.5, held(76, side=-6, arms=(60, 82, 60, 84), right_leg=(-94, 4, -96, 4), left_leg=(2, 2, 0, 2))),
    ),
    "march": cycle(
        1.0,
        (
            0.0,
            held(
                -6, left_arm=(96, 4, 100, 2), right_arm=(-52, 6, -48, 4), right_leg=(98, 5, 6, 4), left_leg=(0, 3, 0, 3)
            ),
        ),
        (
            0.25,
            held(
                -6, left_arm=(92, 4, 96, 2), right_arm=(-48, 6, -44, 4), right_leg=(92, 5, 2, 4), left_leg=(0, 3, 0, 3)
            ),
        ),
        (
            0.5,
            held(
                -6, right_arm=(96, 4, 100, 2), left_arm=(-52, 6, -48, 4), left_leg=(98, 5, 6, 4), right_leg=(0, 3, 0, 3)
            ),
        ),
        (
            0.75,
            held(
                -6, right_arm=(92, 4, 96, 2), left_arm=(-48, 6, -44, 4), left_leg=(92, 5, 2, 4), right_leg=(0, 3, 0, 3)
            ),
        ),
    ),
    "flap": cycle(
        0.8,
        (0.0, held(24, arms=(0, 122, 0, 128), legs=(46, 3, -44, 3))),
        (0.5, held(16, arms=(0, 66, 0, 54), legs=(34, 3, -32, 3))),
    ),
    "point": cycle(
        1.4,
        (
            0.0,
            held(
                26,
                right_arm=(98, 2, 100, 0),
                left_arm=(-24, 46, 24, -52),
                right_leg=(2, 4, 0, 4),
                left_leg=(-46, 5, -58, 5),
            ),
        ),
        (
            0.5,
            held(
                34,
                right_arm=(116, 2, 118, 0),
                left_arm=(-24, 46, 24, -52),
                right_leg=(2, 4, 0, 4),
                left_leg=(-58, 5, -72, 5),
            ),
        ),
    ),
    "pray": cycle(
        2.0,
        (0.0, held(40, arms=(70, 24, 158, -36), legs=(-6, 1, -2, 1))),
        (0.5, held(58, arms=(72, 24, 160, -36), legs=(-8, 1, -2, 1))),
    ),
    "flex": cycle(
        1.3,
        (0.0, held(-4, arms=(0, 92, 180, -24), legs=(0, 24, 0, 22))),
        (0.5, held(2, arms=(0, 80, 180, 22), legs=(0, 24, 0, 22))),
    ),
    "arch": cycle(
        1.8,
        (0.0, held(-46, arms=(216, 8, 226, 4), legs=(24, 8, -12, 6))),
        (0.5, held(-68, arms=(240, 8, 252, 4), legs=(34, 8, -22, 6))),
    ),
    "aim": cycle(
        1.6,
        (
            0.0,
            held(
                0,
                side=-20,
                left_arm=(0, 128, 0, 128),
                right_arm=(60, 50, 100, -70),
                left_leg=(0, 46, 0, 44),
                right_leg=(0, 4, 0, 2),
            ),
        ),
        (
            0.4,
            held(
                0,
                side=-28,
                left_arm=(0, 132, 0, 132),
                right_arm=(0, 62, 160, -66),
                left_leg=(0, 54, 0, 52),
                right_leg=(0, 4, 0, 2),
            ),
        ),
        (
            0.8,
            held(
                0,
                side=-14,
                left_arm=(0, 118, 0, 118),
                right_arm=(0, 76, 150, -66),
                left_leg=(0, 42, 0, 40),
                right_leg=(0, 4, 0, 2),
            ),
        ),
    ),
    "sway": cycle(
        1.8,
        (0.0, held(0, side=32, left_arm=(180, 82, 180, -14), right_arm=(180, 10, 180, -72), legs=(0, 2, 0, 2))),
        (0.25, held(0, side=26, left_arm=(180, 76, 180, -20), right_arm=(180, 16, 180, -66), legs=(0, 2, 0, 2))),
        (0.5, held(0, side=-32, left_arm=(180, 10, 180, -72), right_arm=(180, 82, 180, -14), legs=(0, 2, 0, 2))),
        (0.75, held(0, side=-26, left_arm=(180, 16, 180, -66), right_arm=(180, 76, 180, -20), legs=(0, 2, 0, 2))),
    ),
    "surf": cycle(
        1.5,
        (
            0.0,
            held(
                34,
                side=26,
                left_arm=(0, 66, 0, 60),
                right_arm=(0, 118, 0, 128),
                left_leg=(50, 66, -20, 4),
                right_leg=(30, 54, -16, 44),
            ),
        ),
        (
            0.5,
            held(
                30,
                side=6,
                left_arm=(0, 84, 0, 80),
                right_arm=(0, 100, 0, 108),
                left_leg=(50, 60, -20, 10),
                right_leg=(30, 60, -16, 34),
            ),
        ),
    ),
    "dig": cycle(
        1.3,
        (0.0, held(84, twist=0, left_arm=(30, 2, 32, -12), right_arm=(30, 2, 32, -12), legs=(0, 34, 0, 32))),
        (0.5, held(70, twist=45, left_arm=(24, 58, 30, 64), right_arm=(28, -50, 34, -64), legs=(0, 34, 0, 32))),
        (0.75, held(70, twist=45, left_arm=(24, 54, 30, 60), right_arm=(28, -48, 34, -62), legs=(0, 34, 0, 32))),
    ),
    "drum": cycle(
        0.7,
        (0.0, held(30, left_arm=(4, 40, 44, -12), right_arm=(30, 44, 146, 4), legs=(0, 30, 0, 28))),
        (0.5, held(30, left_arm=(30, 44, 146, 4), right_arm=(4, 40, 44, -12), legs=(0, 30, 0, 28))),
    ),
}
