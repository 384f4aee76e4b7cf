"""Moments in Time as downloaded: `moments_categories.txt` and `validationSet.csv`."""

import csv
import io

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.evaluation.benchmarks.lists import Names, at, read_labels
from maxi_core.system.text_files import read_text

_SET = {"validation": "validationSet.csv", "training": "trainingSet.csv"}


def official(files: Annotations, part: str = "validation") -> Listing | None:
    """Return the videos of a part, or None if its files are not there; `+` in class names becomes a space."""
    index, path = files.find("moments_categories.txt"), files.find(_SET[part])
    if index is None or path is None:
        return None
    classes = tuple(" ".join(name.replace("+", " ").split()) for _, name in sorted(read_labels(index).items()))
    names, rows = Names(classes, str(index)), []
    table = csv.reader(io.StringIO(read_text(path)))
    for row in table:
        if not row:
            continue
        place = names.find(row[1]) if len(row) > 1 else None
        if place is None:
            raise at(path, table.line_num, f"'{','.join(row[:2])}' is not a file and a class of {index}")
        rows.append(Row(f"{part}/{row[0].strip()}", (classes[place],), table.line_num))
    return Listing(classes, tuple(rows), (path, index))


class MomentsInTime(Benchmark):
    """The validation set of Moments in Time."""

    name = "moments"
    title = "Moments in Time"
    classes = 305
    counts = {"1": 30500}
    aliases = ("mit", "moments-in-time")
    lists = ("Moments_in_time_splits/val_split.txt", "val_split.txt")
    labels = ("moments_in_time_labels.csv",)
    official_files = "moments_categories.txt and validationSet.csv"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the validation videos."""
        return official(files.annotations)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training videos."""
        return official(annotations, "training")
