"""The primitive motions near the floor, on the hands or in the air, as key poses."""

from collections.abc import Mapping

from maxi_sandbox.poses import Motion, cycle, held

LOW: Mapping[str, Motion] = {
    "sit": cycle(
        2.4,
        (0.0, held(-6, arms=(22, 9, 62, -6), legs=(86, 8, 2, 6))),
        (0.5, held(10, arms=(34, 9, 70, -6), legs=(88, 8, 6, 6))),
    ),
    "jump": cycle(
        0.9,
        (0.0, held(14, arms=(-28, 24, 10, 30), legs=(48, 8, -36, 6))),
        (0.3, held(2, lift=0.28, arms=(40, 50, 70, 60), legs=(68, 10, -62, 8))),
        (0.6, held(2, lift=0.32, arms=(40, 50, 70, 60), legs=(74, 10, -66, 8))),
    ),
    "crawl": cycle(
        1.2,
        (
            0.0,
            held(
                84,
                left_arm=(32, 6, 26, 4),
                right_arm=(-20, 6, -8, 4),
                left_leg=(-14, 6, -92, 5),
                right_leg=(38, 6, -84, 5),
            ),
        ),
        (
            0.5,
            held(
                84,
                left_arm=(-20, 6, -8, 4),
                right_arm=(32, 6, 26, 4),
                left_leg=(38, 6, -84, 5),
                right_leg=(-14, 6, -92, 5),
            ),
        ),
    ),
    "kneel": cycle(
        2.0,
        (0.0, held(0, arms=(14, 14, 122, -30), legs=(2, 8, -90, 5))),
        (0.5, held(22, arms=(30, 14, 130, -30), legs=(6, 8, -88, 5))),
    ),
    "lie": cycle(
        2.2,
        (0.0, held(-88, arms=(84, 26, 88, 20), left_leg=(92, 6, 90, 5), right_leg=(112, 6, 62, 5))),
        (0.5, held(-84, arms=(84, 26, 88, 20), left_leg=(112, 6, 62, 5), right_leg=(92, 6, 90, 5))),
    ),
    "squat": cycle(
        1.8,
        (0.0, held(10, arms=(92, 4, 96, 2), legs=(96, 46, -28, 8))),
        (0.5, held(18, arms=(90, 4, 94, 2), legs=(116, 50, -42, 8))),
    ),
    "salute": cycle(
        1.6,
        (
            0.0,
            held(
                -8,
                right_arm=(80, 74, 150, -52),
                left_arm=(-14, 12, -10, 8),
                left_leg=(88, 6, 2, 5),
                right_leg=(-6, 6, -92, 5),
            ),
        ),
        (
            0.6,
            held(
                -12,
                right_arm=(80, 78, 152, -50),
                left_arm=(-14, 12, -10, 8),
                left_leg=(88, 6, 2, 5),
                right_leg=(-6, 6, -92, 5),
            ),
        ),
        (
            0.8,
            held(
                -4,
                right_arm=(90, 66, 120, 10),
                left_arm=(-14, 12, -10, 8),
                left_leg=(86, 6, 2, 5),
                right_leg=(-4, 6, -92, 5),
            ),
        ),
    ),
    "row": cycle(
        1.5,
        (0.0, held(26, arms=(84, 6, 86, 2), legs=(112, 7, 68, 6))),
        (0.35, held(-34, arms=(66, 6, 84, 0), legs=(94, 6, 86, 5))),
        (0.65, held(-44, arms=(-30, 20, 80, 0), legs=(92, 6, 88, 5))),
    ),
    "plank": cycle(
        1.4,
        (0.0, held(66, arms=(4, 12, 4, 6), legs=(-66, 4, -66, 4))),
        (0.55, held(80, arms=(-48, 40, 14, 6), legs=(-82, 4, -82, 4))),
    ),
    "dive": cycle(
        1.3,
        (0.0, held(82, lift=0.42, arms=(98, 2, 98, -4), legs=(-84, 2, -88, 2))),
        (0.5, held(104, lift=0.36, arms=(78, 2, 78, -4), legs=(-100, 2, -108, 2))),
    ),
    "split": cycle(
        1.8,
        (0.0, held(-6, arms=(178, 16, 182, 8), legs=(0, 78, 0, 80))),
        (0.5, held(16, arms=(150, 26, 156, 18), legs=(4, 84, 4, 86))),
    ),
    "meditate": cycle(
        2.6,
        (0.0, held(-8, arms=(8, 48, 46, 4), legs=(95, 62, 80, -70))),
        (0.5, held(8, arms=(8, 58, 46, -6), legs=(95, 62, 80, -70))),
    ),
    "tumble": cycle(
        1.1,
        (0.0, held(172, arms=(4, 12, 0, 6), left_leg=(112, 6, 92, 5), right_leg=(236, 6, 196, 5))),
        (0.5, held(186, arms=(0, 12, 2, 6), left_leg=(128, 6, 166, 5), right_leg=(248, 6, 268, 5))),
    ),
    "crouch": cycle(
        1.9,
        (0.0, held(58, arms=(40, 16, 70, -46), legs=(128, 7, -34, 5))),
        (0.5, held(74, arms=(20, 16, 78, -46), legs=(122, 7, -40, 5))),
    ),
}
