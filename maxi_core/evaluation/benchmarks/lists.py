"""The split lists that ViFi-CLIP and the authors distribute: `<path> <label> [<label> ...]` beside a labels CSV."""

from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.labels import Names, in_order, read_labels
from maxi_core.evaluation.benchmarks.listing import Listing, Row, at, read_lines
from maxi_core.video.inputs import parse_list_line


def read_list(path: Path, labels: Path, *, multi_label: bool = False) -> Listing:
    """Return the rows of a split list, their numbers turned into the names of the labels CSV.

    Raises UsageError with the line for a line without a label, a number that the CSV does not have, several labels in a
    benchmark that has one for each video, a video that comes twice, and a video in the folder of another class.
    """
    named = read_labels(labels)
    classes = in_order(labels, named)
    names = Names(classes, str(labels))
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, text in read_lines(path):
        written, numbers = parse_list_line(text)
        if not numbers:
            raise at(path, line, f"no label after '{written}'", "write `<path> <label>`, with the ending of the file")
        if len(set(numbers)) > 1 and not multi_label:
            fix = "take all but one out; in a benchmark of your own, add --multi-label if all may have several"
            raise at(path, line, f"{len(numbers)} labels where each video has one", fix)
        for number in numbers:
            if number not in named:
                raise at(path, line, f"label {number} is not in {labels} (0 to {len(named) - 1})")
        if written in seen:
            raise at(path, line, f"'{written}' is on line {seen[written]} already", "take one of them out")
        seen[written] = line
        row = Row(written, tuple(named[number] for number in dict.fromkeys(numbers)), line)
        if not multi_label:
            _check_folder(path, row, names)
        rows.append(row)
    if not rows:
        raise UsageError(f"the list {path} is empty", "write `<path> <label>` on each line")
    return Listing(classes, tuple(rows), (path, labels))


def _check_folder(path: Path, row: Row, names: Names) -> None:
    """Raise UsageError if the video lies in a folder that is named after another class than its label."""
    parts = row.path.split("/")
    inside = names.find(parts[-2]) if len(parts) > 1 else None
    if inside is not None and inside != names.find(row.names[0]):
        what = f"label '{row.names[0]}' and the folder '{parts[-2]}' are two classes of {names.where}"
        raise at(path, row.line, what, "name the labels CSV that belongs to this list")


def write_list(listing: Listing, path: Path, labels: Path) -> None:
    """Write a listing as a split list and a labels CSV, whole or not at all."""
    import csv
    import io

    from maxi_core.files import write_lines, write_text

    numbers = {name: number for number, name in enumerate(listing.classes)}
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("id", "name"))
    table.writerows(enumerate(listing.classes))
    write_text(labels, out.getvalue())
    write_lines(path, (f"{row.path} {' '.join(str(numbers[name]) for name in row.names)}" for row in listing.rows))
