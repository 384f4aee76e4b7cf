"""UAV-Human as downloaded: files whose names say subject and action, split by subject."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from maxi_core import Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import read_labels

TEST_SUBJECTS: Mapping[str, frozenset[int]] = {
    "1": frozenset([1, 3, 4, 9, 22, 23, 24, 31, 41, 54, 58, 60, 66, 72, 74, 75, *range(91, 98), 99, 101, 104, 107, 108,
                    109, 113]),
    "2": frozenset([1, 2, 7, 9, 13, 15, 17, 23, 25, 27, 28, 33, 34, 41, 42, 48, 50, 51, 53, 55, 58, 65, 68, 76, 82, 85,
                    90, 98, 105, 116]),
}  # fmt: skip

_NAME = re.compile(r"P(\d{3})S\d{2}\w*?A(\d{3})R\d", re.IGNORECASE)


def subject_and_action(stem: str) -> tuple[int, int] | None:
    """Return the numbers that a file's name says, or None if it is none of UAV-Human's."""
    found = _NAME.match(stem)
    return (int(found[1]), int(found[2])) if found else None


def class_in_name(stem: str, classes: tuple[str, ...]) -> str | None:
    """Return the class whose number the name of a file says, or None."""
    said = subject_and_action(stem)
    return classes[said[1]] if said and said[1] < len(classes) else None


def official(videos: Iterable[str], split: str, labels: Mapping[int, str], where: Path) -> Listing | None:
    """Return those of the videos (paths below the folder `where`) whose subjects are tested in the split.

    None if no name is UAV-Human's; raises UsageError for an action that the labels do not have.
    """
    rows = []
    for path in videos:
        said = subject_and_action(path.rpartition("/")[2])
        if said is None or said[0] not in TEST_SUBJECTS[split]:
            continue
        if said[1] not in labels:
            raise UsageError(f"{where / path}: its name says action {said[1]}, which has no label", "mend the labels")
        rows.append(Row(path, (labels[said[1]],)))
    return Listing(tuple(labels[number] for number in sorted(labels)), tuple(rows), (where,)) if rows else None


class UavHuman(Benchmark):
    """UAV-Human, two splits by subject; what a video is labelled stands in its file name."""

    name = "uav-human"
    title = "UAV-Human"
    classes = 155
    counts = {"1": 6191, "2": 6292}
    aliases = ("uav",)
    lists = ("test_split{}.txt",)
    labels = ("UAV_human_labels.csv",)
    official_files = "UAV_human_labels.csv, and --videos with the files themselves"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the videos in the folder whose subjects are tested, where there is no list to go by."""
        if files.listed is not None or files.labels is None or files.videos is None or not files.videos.is_dir():
            return None
        from maxi_core.video.inputs import find_videos

        names = (video.id for video in find_videos(files.videos))
        return official(names, split, read_labels(files.labels), files.videos)

    def class_in_name(self, stem: str, classes: tuple[str, ...]) -> str | None:
        """Return the class whose number the name of a file says."""
        return class_in_name(stem, classes)
