"""HMDB51 as downloaded: one `<class>_test_split<k>.txt` for each class, `<file> <0|1|2>`."""

import re

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import at, read_lines

_MARK = {"train": "1", "test": "2"}
_NAMED = re.compile(r"_[fhlu]_[cn]m_np\d_")  # visible body parts, camera motion, number of people: behind the class


def official(files: Annotations, split: str, part: str = "test") -> Listing | None:
    """Return split `1`, `2` or `3`, or None if its files are not there; underscores of class names become spaces."""
    ending = f"_test_split{split}.txt"
    found = files.find_all(f"*{ending}")
    if not found:
        return None
    rows, classes = [], []
    for path in sorted(found, key=lambda path: path.name.removesuffix(ending)):
        name = path.name.removesuffix(ending).replace("_", " ")
        if name in classes:
            raise UsageError(f"{path} is there twice", "name the folder of one of them with --annotations")
        classes.append(name)
        for line, text in read_lines(path):
            written, _, mark = text.rpartition(" ")
            if mark not in ("0", "1", "2") or not written.strip():
                raise at(path, line, f"'{text}' is not a file and 0, 1 or 2")
            if mark == _MARK[part]:
                rows.append(Row(f"{name.replace(' ', '_')}/{written.strip()}", (name,), line))
    return Listing(tuple(classes), tuple(rows), tuple(found))


def class_in_name(stem: str, classes: tuple[str, ...]) -> str | None:
    """Return the class that the name of an HMDB51 file ends its title with, or None: `..._kick_ball_f_cm_np1_...`."""
    marks = list(_NAMED.finditer(stem))
    if not marks:
        return None
    before = stem[: marks[-1].start()]
    fitting = [name for name in classes if before.endswith("_" + name.replace(" ", "_")) or before == name]
    return max(fitting, key=len, default=None)


class Hmdb51(Benchmark):
    """HMDB51, three splits; the distributed lists swap two pairs of classes, which file names tell."""

    name = "hmdb51"
    title = "HMDB51"
    classes = 51
    counts = {"1": 1530, "2": 1530, "3": 1530}
    aliases = ("hmdb",)
    lists = ("hmdb_splits/val{}.txt", "hmdb*/val{}.txt", "val{}.txt")
    labels = ("hmdb_51_labels.csv",)
    official_files = "<class>_test_split{}.txt"
    few_shot = "hmdb_splits/train1_few_shot_{}.txt"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the test videos of a split."""
        return official(files.annotations, split)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training videos of a split."""
        return official(annotations, split, "train")

    def class_in_name(self, stem: str, classes: tuple[str, ...]) -> str | None:
        """Return the class that the name of a file ends its title with."""
        return class_in_name(stem, classes)
