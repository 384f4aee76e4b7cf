"""The published numbers, each with its table: of the paper (`1` to `8`) and of its supplement (`S9`, `S10`).

Zero-shot, ViT-B/16, top-1 in percent unless the column says otherwise. A cell may be `value`, `value±deviation` over
splits, or `-` where nothing was published.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

TABLES = {
    "1": "zero-shot on UCF101, HMDB51 and Kinetics-600",
    "2": "zero-shot on Charades, Moments in Time, MiniSSv2 and UAV-Human",
    "3": "few-shot with K videos of each class",
    "4": "share of videos that is kept",
    "5": "dictionaries, half of the videos kept",
    "6": "content of the bags, all videos kept",
    "7": "objective, all videos kept",
    "8": "size of the bags, all videos kept",
    "S9": "dictionaries with top-5, half of the videos kept",
    "S10": "layers with cross-frame attention, 90 % of the videos kept",
}

_SEVEN = "ucf101 hmdb51 kinetics600-novel minissv2 charades:map uav-human moments"
_THREE = "ucf101 hmdb51 kinetics600-novel"
_SHOTS = "hmdb51 hmdb51 hmdb51 hmdb51 ucf101 ucf101 ucf101 ucf101 ssv2 ssv2 ssv2 ssv2"
_K = "K=2 K=4 K=8 K=16 " * 3

# table -> columns `benchmark[:metric]`, settings of the columns where they differ, rows `method | cells`
_NUMBERS: dict[str, tuple[str, str, str]] = {
    "1": (
        "ucf101 hmdb51 kinetics600-novel kinetics600-novel:top5",
        "",
        """
        CLIP                  | 69.9±1.3 38.0±1.7 63.5±0.4 86.8±0.4
        ActionCLIP            | 58.3±3.4 40.8±5.4 66.7±1.1 91.6±0.3
        X-CLIP                | 72.0±2.3 44.6±5.2 65.2±0.4 86.1±0.8
        A5                    | 69.3±4.2 44.3±2.2 55.8±0.7 81.4±0.3
        ViFi-CLIP 16f         | 74.9±0.6 50.9±0.7 67.7±1.1 90.8±0.3
        ViFi-CLIP 32f         | 76.8±0.7 51.3±0.6 71.2±1.0 92.2±0.3
        Text4Vis (ViT-L/14)   | -        -        68.9±1.0 -
        ER-ZSAR               | 51.8±2.9 35.3±4.6 42.1±1.4 73.1±0.3
        JigsawNet             | 56.0±3.1 38.7±3.7 -        -
        MAXI dictionary       | 76.6±0.9 50.5±0.9 70.4±0.8 91.5±0.3
        MAXI +GPT3            | 77.8±0.3 51.6±0.9 71.6±1.0 92.3±0.3
        MAXI +GPT3 16/32f     | 77.8±0.5 51.9±1.1 71.6±1.0 92.4±0.3
        MAXI +GPT3+BLIP       | 78.2±0.8 52.2±0.6 71.4±0.9 92.5±0.3
        MAXI +GPT3+BLIP 16/32f| 78.2±0.8 52.3±0.7 71.5±0.8 92.5±0.4
        """,
    ),
    "2": (
        "charades:map moments moments:top5 minissv2 minissv2:top5 uav-human uav-human:top5",
        "",
        """
        ViFi-CLIP             | 25.77 21.68 44.19 5.98 19.04 4.67 15.18
        CLIP                  | 19.80 20.11 40.81 3.96 14.42 1.79 7.05
        MAXI dictionary       | 23.47 21.94 45.68 5.19 17.71 2.42 8.39
        MAXI +GPT3            | 23.74 22.11 45.79 5.60 16.73 2.77 9.07
        MAXI +GPT3+BLIP       | 23.79 22.91 46.38 6.37 18.73 2.72 9.00
        """,
    ),
    "3": (
        _SHOTS,
        _K,
        """
        ActionCLIP            | 47.5 57.9 57.3 59.1 70.6 71.5 73.0 91.4 4.1 5.8 8.4 11.1
        X-CLIP                | 53.0 57.3 62.8 64.0 48.5 75.6 83.7 91.4 3.9 4.5 6.8 10.0
        A5                    | 39.7 50.7 56.0 62.4 71.4 79.9 85.7 89.9 4.4 5.1 6.1 9.7
        ViFi-CLIP             | 57.2 62.7 64.5 66.8 80.7 85.1 90.0 92.7 6.2 7.4 8.5 12.4
        ViFi-CLIP K400-gt     | 55.8 60.5 64.3 65.4 84.0 86.5 90.3 92.8 6.6 6.8 8.6 11.0
        MAXI                  | 58.0 60.1 65.0 66.5 86.8 89.3 92.4 93.5 7.1 8.4 9.3 12.4
        """,
    ),
    "4": (
        _SEVEN,
        "",
        """
        ground truth          | 82.39 52.68 73.39 5.61 25.31 4.47 23.79
        MAXI keep 1.0         | 77.88 51.09 71.24 5.46 23.52 2.53 22.44
        MAXI keep 0.9         | 78.17 52.24 71.43 6.37 23.79 2.72 22.91
        MAXI keep 0.5         | 78.18 50.35 70.78 5.74 23.89 3.06 22.41
        MAXI keep 0.3         | 76.71 47.73 70.57 4.92 23.14 2.89 21.96
        """,
    ),
    "5": (
        _SEVEN,
        "",
        """
        MAXI K400 (400)       | 78.18 50.35 70.78 5.74 23.89 3.06 22.41
        MAXI MiniKinetics 200 | 75.10 48.34 69.23 6.50 22.70 2.40 22.50
        MAXI +WebVid (800)    | 75.99 45.97 69.14 4.81 22.67 2.11 20.92
        """,
    ),
    "6": (
        _THREE,
        "",
        """
        MAXI dictionary       | 76.45 47.43 69.98
        MAXI +BLIP nouns      | 76.23 50.15 71.13
        MAXI +BLIP verbs      | 76.94 50.92 71.25
        MAXI +GPT3            | 76.98 50.46 71.24
        MAXI +GPT3+BLIP       | 77.88 51.09 71.24
        """,
    ),
    "7": (
        _THREE,
        "",
        """
        MAXI CE               | 74.48 48.69 65.09
        MAXI NCE              | 77.26 49.85 70.08
        MAXI MIL-Max          | 77.24 49.85 70.71
        MAXI instance only    | 76.96 50.48 70.14
        MAXI MIL-NCE          | 77.88 51.09 71.24
        """,
    ),
    "8": (
        _THREE,
        "",
        """
        MAXI bag of 1         | 77.26 49.85 70.08
        MAXI bag of 4         | 77.24 49.84 70.71
        MAXI bag of 8         | 77.70 50.61 71.35
        MAXI bag of 16        | 77.88 51.09 71.24
        """,
    ),
    "S9": (
        "ucf101 ucf101:top5 hmdb51 hmdb51:top5 kinetics600-novel kinetics600-novel:top5 minissv2 minissv2:top5 "
        "charades:map uav-human uav-human:top5 moments moments:top5",
        "",
        """
        CLIP                  | 69.93 92.7  38.02 66.34 63.48 86.80 3.96 14.42 19.80 1.79 7.05 20.11 40.81
        MAXI K400 (400)       | 78.18 96.03 50.35 77.10 70.78 92.17 5.74 17.70 23.89 3.06 9.46 22.41 45.83
        MAXI +WebVid (800)    | 75.99 96.00 45.97 73.94 69.14 91.13 4.81 15.79 22.67 2.11 8.00 20.92 43.99
        MAXI +WebVid (1200)   | 75.72 96.02 45.51 73.97 69.36 91.11 4.21 15.15 22.35 2.39 7.98 21.29 44.33
        MAXI +WebVid (1600)   | 76.14 96.01 44.84 71.79 69.23 91.10 4.42 14.71 22.89 2.14 7.71 20.69 43.59
        """,
    ),
    "S10": (
        _SEVEN,
        "",
        """
        MAXI no layer         | 78.17 52.24 71.43 6.37 23.79 2.72 22.91
        MAXI last 2 layers    | 77.38 51.83 70.41 5.98 22.87 2.90 22.51
        MAXI last 6 layers    | 75.91 51.92 69.23 6.09 21.78 2.52 22.52
        """,
    ),
}

# the rows of table 3 that do not depend on K
_ZERO_SHOT = {"CLIP zero-shot": (41.9, 63.6, 2.7), "MAXI zero-shot": (49.2, 77.8, 4.8)}


@dataclass(frozen=True, slots=True)
class Published:
    """One published number, in percent; `setting` is `K=2` and so on in table 3, else empty."""

    table: str
    method: str
    benchmark: str
    metric: str
    value: float
    deviation: float | None = None
    setting: str = ""


@cache
def published() -> tuple[Published, ...]:
    """Return every published number, in the order of the tables."""
    return tuple(_all())


def _all() -> Iterator[Published]:
    for table, (columns, settings, rows) in _NUMBERS.items():
        heads = [column.partition(":") for column in columns.split()]
        each = settings.split() or [""] * len(heads)
        for line in filter(None, map(str.strip, rows.strip().splitlines())):
            method, _, cells = line.partition("|")
            for (benchmark, _, metric), setting, cell in zip(heads, each, cells.split(), strict=True):
                if cell != "-":
                    value, _, deviation = cell.partition("±")
                    spread = float(deviation) if deviation else None
                    yield Published(table, method.strip(), benchmark, metric or "top1", float(value), spread, setting)
    for method, values in _ZERO_SHOT.items():
        for benchmark, share in zip(("hmdb51", "ucf101", "ssv2"), values, strict=True):
            yield Published("3", method, benchmark, "top1", share, None, "K=0")
