"""UCF101 as downloaded: `classInd.txt`, `trainlist01.txt`, `testlist01.txt`."""

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.evaluation.benchmarks.lists import Names, at, read_labels, read_lines


def official(files: Annotations, split: str, part: str = "test") -> Listing | None:
    """Return split `1`, `2` or `3`, or None if its files are not there."""
    index = files.find("classInd.txt")
    path = files.find(f"{part}list0{split}.txt")
    if index is None or path is None:
        return None
    numbered = {str(number): name for number, name in read_labels(index).items()}
    classes = tuple(numbered.values())
    names, rows = Names(classes, str(index)), []
    for line, text in read_lines(path):
        written, _, number = text.partition(" ")  # only the training lists have the number behind the path
        folder = written.rpartition("/")[0].rpartition("/")[2]
        place = names.find(folder)
        if place is None:
            raise at(path, line, f"'{written}' lies in no folder of a class of {index}")
        if number and numbered.get(number.strip()) != classes[place]:
            raise at(path, line, f"number {number.strip()} is not that of '{folder}' in {index}")
        rows.append(Row(written, (classes[place],), line))
    return Listing(classes, tuple(rows), (path, index))


class Ucf101(Benchmark):
    """UCF101, three splits."""

    name = "ucf101"
    title = "UCF101"
    classes = 101
    counts = {"1": 3783, "2": 3734, "3": 3696}
    aliases = ("ucf",)
    lists = ("ucf_splits/val{}.txt", "ucf*/val{}.txt", "val{}.txt")
    labels = ("ucf_101_labels.csv",)
    official_files = "classInd.txt and testlist0{}.txt"
    few_shot = "ucf_splits/train1_few_shot_{}.txt"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the test videos of a split."""
        return official(files.annotations, split)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training videos of a split."""
        return official(annotations, split, "train")
