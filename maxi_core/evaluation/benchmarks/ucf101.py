"""UCF101 as downloaded: `classInd.txt`, `trainlist01.txt`, `testlist01.txt` (SPEC section 11)."""

from maxi_core.evaluation.benchmarks.labels import Names
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing, Row, at, read_lines


def official(files: Annotations, split: str, part: str = "test") -> Listing | None:
    """Return split `1`, `2` or `3`, or None if its files are not there."""
    index = files.find("classInd.txt")
    path = files.find(f"{part}list0{split}.txt")
    if index is None or path is None:
        return None
    numbered: dict[str, str] = {}
    for line, text in read_lines(index):
        number, _, name = text.partition(" ")
        if not number.isdigit() or not name.strip() or number in numbered:
            raise at(index, line, f"'{text}' is not a new number and a class name")
        numbered[number] = name.strip()
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
