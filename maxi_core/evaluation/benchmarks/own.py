"""Benchmarks of one's own: a labels CSV and split lists, a folder for each class, or a table of paths and labels."""

import csv
import io
from pathlib import Path

from maxi_core.columns import NAME, VIDEO, find_column
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.agreement import SHOWN
from maxi_core.evaluation.benchmarks.labels import Names, in_order, read_labels
from maxi_core.evaluation.benchmarks.listing import Listing, Row, at
from maxi_core.evaluation.benchmarks.lists import read_list
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, make_split
from maxi_core.names import Spelling
from maxi_core.text_files import read_text

LABELS = "labels.csv"
BETWEEN = "|"  # of the labels of one video in a table


def read_own(
    place: Path, videos: Path | None, labels: Path | None, *, multi_label: bool, spelling: Spelling
) -> OpenedBenchmark:
    """Return the benchmark at a path, named after it: one of

    - a folder with `labels.csv` and `split*.txt`, paths relative to the folder (method.md, field files);
    - a folder with one folder of videos for each class, named after it;
    - a CSV or TSV with the columns `path` and `label`, or other names of them (`maxi_core.columns`; several labels with
      `|` between them), and maybe a `labels` CSV;
    - a split list, with its `labels` CSV.

    Raises UsageError with the line for what cannot be understood.
    """
    metric = "map" if multi_label else "top1"
    if place.is_dir():
        lists = sorted(place.glob("split*.txt"))
        if lists and (place / LABELS).is_file():
            listings = [read_list(path, place / LABELS, multi_label=multi_label) for path in lists]
        else:
            listings = [_folders(videos or place)]
        root = videos or place
    elif place.suffix.lower() in (".csv", ".tsv"):
        listings = [_table(place, labels, multi_label=multi_label)]
        root = videos or place.parent
    else:
        beside = labels or place.parent / LABELS
        if labels is None and not beside.is_file():
            raise UsageError(f"{place} is a list of numbers without names", "name its CSV id,name with --labels")
        listings = [read_list(place, beside, multi_label=multi_label)]
        root = videos or place.parent
    name = place.resolve().stem if place.is_file() else place.resolve().name
    splits = tuple(
        make_split(name, str(number), listing, by_stem=False, spelling=spelling)
        for number, listing in enumerate(listings, start=1)
    )
    return OpenedBenchmark(name, metric, splits, root, spelling, multi_label)


def _folders(folder: Path) -> Listing:
    from maxi_core.video.inputs import find_videos

    rows: list[Row] = []
    loose: list[Row] = []
    for video in find_videos(folder):
        inside, slash, _ = video.id.partition("/")
        (rows if slash else loose).append(Row(video.id, (inside,)))
    if not rows:
        raise UsageError(
            f"{folder} has neither {LABELS} and split.txt nor a folder of videos for each class", "name another place"
        )
    if loose:
        some = ", ".join(row.path for row in loose[:SHOWN])
        raise UsageError(f"{len(loose)} videos of {folder} are in no class's folder ({some})", "move them into one")
    return Listing(tuple(sorted({row.names[0] for row in rows})), tuple(rows), (folder,))


def _table(path: Path, labels: Path | None, *, multi_label: bool) -> Listing:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    table = csv.reader(io.StringIO(read_text(path)), delimiter=delimiter, strict=True)
    classes = in_order(labels, read_labels(labels)) if labels else ()
    known = Names(classes, str(labels))
    rows, seen = [], dict[str, int]()
    try:
        header = next(table, [])
        video, label = find_column(header, (*VIDEO, "id")), find_column(header, NAME)
        if video is None or label is None:
            raise at(path, 1, f"the header is '{','.join(header)}'", "give it the columns path and label")
        for cells in table:
            line = table.line_num
            if not any(cells):
                continue
            written, said = (cells[place].strip() if place < len(cells) else "" for place in (video, label))
            names = tuple(dict.fromkeys(part.strip() for part in said.split(BETWEEN) if part.strip()))
            if not written or not names:
                raise at(path, line, "a row without path or label")
            if len(names) > 1 and not multi_label:
                raise at(path, line, f"{len(names)} labels where each video has one", "add --multi-label if all may")
            if written in seen:
                raise at(path, line, f"'{written}' is on line {seen[written]} already", "take one of them out")
            if classes:
                places = [known.find(name) for name in names]
                if None in places:
                    raise at(path, line, f"'{names[places.index(None)]}' is not in {labels}")
                names = tuple(classes[place] for place in places if place is not None)
            seen[written] = line
            rows.append(Row(written, names, line))
    except csv.Error as error:
        raise at(path, table.line_num, f"this is not CSV ({error})") from None
    if not rows:
        raise UsageError(f"{path} has no rows", "write path,label rows")
    return Listing(classes or tuple(sorted({name for row in rows for name in row.names})), tuple(rows), (path,))
