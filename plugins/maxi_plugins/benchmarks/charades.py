"""Charades as downloaded: `Charades_v1_classes.txt` and `Charades_v1_test.csv` with `actions`."""

import csv
import io

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.evaluation.benchmarks.lists import at, read_labels
from maxi_core.system.text_files import read_text


def official(files: Annotations, part: str = "test") -> Listing | None:
    """Return the videos of a part with all their classes, each once; None if its files are not there.

    A video without any action has nothing to be found in it: such are counted and left out, as in the published lists.
    """
    index, path = files.find("Charades_v1_classes.txt"), files.find(f"Charades_v1_{part}.csv")
    if index is None or path is None:
        return None
    named = {f"c{number:03}": name for number, name in read_labels(index).items()}
    rows, unlabelled = [], 0
    table = csv.DictReader(io.StringIO(read_text(path)))
    if not {"id", "actions"} <= set(table.fieldnames or ()):
        raise at(path, 1, "there are no columns id and actions", "download it again")
    for row in table:
        codes = list(dict.fromkeys(part.split()[0] for part in (row["actions"] or "").split(";") if part.strip()))
        for code in codes:
            if code not in named:
                raise at(path, table.line_num, f"'{code}' is not in {index}")
        if codes:
            rows.append(Row(f"{row['id']}.mp4", tuple(named[code] for code in codes), table.line_num))
        else:
            unlabelled += 1
    return Listing(tuple(named.values()), tuple(rows), (path, index), unlabelled)


class Charades(Benchmark):
    """Charades: several actions a video, mean average precision."""

    name = "charades"
    title = "Charades"
    metric = "map"
    multi_label = True
    classes = 157
    counts = {"1": 1814}
    lists = ("charades_splits/test_split.txt", "test_split.txt")
    labels = ("charades_labels.csv",)
    official_files = "Charades_v1_classes.txt and Charades_v1_test.csv"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the test videos with all their classes."""
        return official(files.annotations)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training videos with all their classes."""
        return official(annotations, "train")
