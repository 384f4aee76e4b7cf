"""From what is typed after --benchmark to a benchmark, read and checked."""

import csv
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from maxi_core.columns import NAME, VIDEO, find_column
from maxi_core.errors import PluginError, UsageError, nearest
from maxi_core.evaluation.benchmarks.agreement import Trust
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, BenchmarkFiles, check_split, overrides
from maxi_core.evaluation.benchmarks.checking import checked_listing
from maxi_core.evaluation.benchmarks.lists import (
    Annotations,
    Listing,
    Names,
    Row,
    at,
    in_order,
    read_labels,
    read_list,
    read_names,
)
from maxi_core.evaluation.benchmarks.reading import read_split
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark, make_split
from maxi_core.plugin.calls import blamed
from maxi_core.plugin.catalog import Catalog, Offer, discover
from maxi_core.plugin.world_paths import world_benchmarks, world_path
from maxi_core.system.hidden import is_hidden
from maxi_core.system.remote import as_path
from maxi_core.system.text_files import excerpt, read_text
from maxi_core.system.urls import refuse_reading
from maxi_core.texts import Spelling, counted, first_few, name_key
from maxi_core.video.annotations import is_annotations, read_annotations, split_subset
from maxi_core.video.lists import wrong

# Benchmarks of one's own: a labels CSV and split lists, a folder for each class, or a table of paths and labels.

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
    - JSON of ActivityNet's form, whose segments are the videos, or a list of mmaction2's (`video.annotations`);
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
    elif is_annotations(place):
        listings = [_annotated(place, labels, multi_label=multi_label)]
        root = videos or place.parent
    else:
        beside = labels or place.parent / LABELS
        if labels is None and not beside.is_file():
            raise UsageError(f"{place} is a list of numbers without names", "name its CSV id,name with --labels")
        listings = [read_list(place, beside, multi_label=multi_label)]
        root = videos or place.parent
    name = place.resolve().stem if place.is_file() else place.resolve().name.replace(".json:", "-")
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
        some = first_few([row.path for row in loose], rest="")
        raise UsageError(
            f"{folder} holds {counted(len(loose), 'video')} in no class's folder ({some})", "move them into one"
        )
    return Listing(tuple(sorted({row.names[0] for row in rows})), tuple(rows), (folder,))


def _annotated(path: Path, labels: Path | None, *, multi_label: bool) -> Listing:
    named = read_labels(labels) if labels else {}
    known = Names(in_order(labels, named), str(labels)) if labels else None
    rows, unlabelled = [], 0
    for one in read_annotations(path):
        unlabelled += not one.labels
        names = tuple(dict.fromkeys(_class_of(path, one.entry, label, named, known) for label in one.labels))
        if len(names) > 1 and not multi_label:
            what = f"{counted(len(names), 'label')} where each video has one ({first_few(names, rest='')})"
            raise wrong(path, one.entry, what, "add --multi-label if all may have several")
        if names:
            rows.append(Row(one.path, names, one.entry, one.start, one.end))
    if not rows:
        raise UsageError(f"{path} has no labels", "name a list that has, or make bags of it")
    classes = known.names if known else tuple(sorted({name for row in rows for name in row.names}))
    return Listing(classes, tuple(rows), (split_subset(path)[0],), unlabelled)


def _class_of(path: Path, entry: int, label: str | int, named: Mapping[int, str], known: Names | None) -> str:
    if isinstance(label, int):
        if known is None:
            raise wrong(path, entry, f"the label {label} has no name", "name its CSV id,name with --labels")
        if label not in named:
            raise wrong(path, entry, f"label {label} is not in {known.where}")
        return named[label]
    place = known.find(label) if known else None
    if known and place is None:
        raise wrong(path, entry, f"'{excerpt(label)}' is not in {known.where}")
    return known.names[place] if known and place is not None else label


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
                raise at(
                    path,
                    line,
                    f"{counted(len(names), 'label')} where each video has one",
                    "add --multi-label if all may",
                )
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


def open_benchmark(
    name: str,
    catalog: Catalog | None = None,
    *,
    annotations: Path | None = None,
    videos: Path | None = None,
    data_root: Path | None = None,
    labels: Path | None = None,
    classes: Path | None = None,
    trust: Trust | None = None,
    multi_label: bool = False,
    spelling: Spelling = "written",
) -> OpenedBenchmark:
    """Return the benchmark that `name` means: a plugin's (`NAME`, `NAME:SPLIT` for one split), a world's, or a path.

    Names are those of `catalog`; without one, of the installed plugins. `annotations` and `videos` say where its files
    are; without them they are looked for in `data_root`, in a folder named after the benchmark, and there in
    `annotations` and `videos` if it has such folders. `labels` is the CSV of a list of one's own; `classes` one that
    names the classes to be kept. Raises UsageError, with the line, for what is missing, wrong or contradictory.
    """
    catalog = discover() if catalog is None else catalog
    videos = videos and as_path(videos)
    known = None if os.path.exists(name) else find_benchmark(catalog, name)  # noqa: PTH110 (else long names raise)
    if known is not None:
        benchmark, split = known
        annotations, videos = _places(benchmark, annotations, videos, data_root)
        files = BenchmarkFiles(Annotations(annotations), videos, trust)
        splits = [split] if split else list(benchmark.counts)
        read = tuple(read_split(benchmark, one, files, spelling) for one in splits)
        measure = benchmark.measure if overrides(type(benchmark), "measure") else None
        opened = OpenedBenchmark(
            benchmark.name, benchmark.metric, read, videos, spelling, benchmark.multi_label, measure, benchmark.ref
        )
    else:
        opened = _other(name, catalog, videos, labels, multi_label=multi_label, spelling=spelling)
        _refuse_annotations(annotations, name)
    if classes is not None:
        names = read_names(classes)
        opened = replace(opened, splits=tuple(split.only(names, str(classes)) for split in opened.splits))
    return opened


def _refuse_annotations(annotations: Path | None, name: str) -> None:
    if annotations is not None:
        what = f"--annotations are the files of a published benchmark, and '{name}' is none"
        raise UsageError(what, "leave it out")


def training_split(name: str, annotations: Annotations, catalog: Catalog | None = None) -> Listing:
    """Return the training split of a benchmark (`NAME`, or `NAME:2`; the first split unless named).

    Raises UsageError for a benchmark without one and if its files are not there.
    """
    catalog = discover() if catalog is None else catalog
    known = find_benchmark(catalog, name)
    if known is None or not overrides(type(known[0]), "training"):
        having = [one.name for one in benchmarks_of(catalog) if overrides(one, "training")]
        raise UsageError(f"no training split is known of '{name}'", f"one of {', '.join(having)}")
    benchmark, split = known
    with blamed(benchmark.ref, "when it was asked for its training split"):
        found: object = benchmark.training(annotations, split or next(iter(benchmark.counts)))
        if found is None or (isinstance(found, Listing) and found.rows in ((), [])):
            raise UsageError(
                f"the training split of {benchmark.name} is not in {annotations.place}: it takes the official files",
                "correct --annotations",
            )
        return checked_listing(benchmark.ref, found, multi_label=benchmark.multi_label)


def benchmarks_of(catalog: Catalog) -> Iterator[type[Benchmark]]:
    """Yield the benchmarks that plugins offer; none is made, so that one which cannot be hurts no other."""
    return (offer.cls for offer in catalog.offers if issubclass(offer.cls, Benchmark))


def find_benchmark(catalog: Catalog, name: str) -> tuple[Benchmark, str] | None:
    """Return the benchmark that a name or alias means, in any spelling, and the split behind a colon ("" if none).

    None if there is no such benchmark. Raises UsageError for a split that it has not, and PluginError for a name that
    two have.
    """
    for head, split in ((name, ""), name.rpartition(":")[::2]):
        found = [offer for offer in catalog.offers if _is_called(offer, head)]
        if len(found) > 1:
            choices = " or ".join(offer.ref for offer in found)
            raise PluginError(f"'{head}' is a benchmark of several plugins", f"write {choices}")
        if found:
            benchmark = _made(found[0])
            if split:
                check_split(benchmark, split)
            return benchmark, split
    return None


def _is_called(offer: Offer, text: str) -> bool:
    if not issubclass(offer.cls, Benchmark) or not text:
        return False
    names = (offer.cls.name, *offer.cls.aliases)
    return text == offer.ref or (":" not in text and name_key(text) in map(name_key, names))


def _made(offer: Offer) -> Benchmark:
    with blamed(offer.ref, "when it was made"):
        benchmark = offer.cls()
        benchmark.ref, benchmark.version = offer.ref, offer.version
    assert isinstance(benchmark, Benchmark)
    return benchmark


def _places(
    known: Benchmark, annotations: Path | None, videos: Path | None, data_root: Path | None
) -> tuple[Path, Path | None]:
    """Return the folders of annotations and videos; raises UsageError if neither is named nor found."""
    if annotations is not None and (videos is not None or data_root is None):
        return annotations, videos
    if data_root is None:
        raise UsageError(f"where is {known.name}?", "name its files with --annotations and --videos, or --data-root")
    if not data_root.is_dir():
        raise UsageError(f"the data root {data_root} is not a folder", "correct --data-root")
    keys = [name_key(name) for name in (known.name, *known.aliases)]
    named = (path for path in data_root.iterdir() if name_key(path.name) in keys and not is_hidden(path.name))
    folders = sorted(path for path in named if path.is_dir())
    if len(folders) != 1:
        found = " and ".join(map(str, folders)) or "none"
        raise UsageError(f"{data_root} must have one folder named {known.name}, and has {found}", "rename, or link it")
    own_annotations, own_videos = (
        folder if (folder := folders[0] / part).is_dir() else folders[0] for part in ("annotations", "videos")
    )
    return annotations or own_annotations, videos or own_videos


def _other(
    name: str,
    catalog: Catalog,
    videos: Path | None,
    labels: Path | None,
    *,
    multi_label: bool,
    spelling: Spelling,
) -> OpenedBenchmark:
    refuse_reading(name, "a benchmark is read")
    place = world_path(catalog, "benchmark", name) or Path(name).expanduser()
    if not os.path.exists(split_subset(place)[0]):  # noqa: PTH110
        worlds = world_benchmarks(catalog).values()
        names = [*(one.name for one in benchmarks_of(catalog)), *(own for names in worlds for own in names)]
        raise UsageError(
            f"no benchmark '{name}'{nearest(name, names)}: there is no such file, and the known names are "
            f"{', '.join(names)}",
            "see maxi data list",
        )
    whose = _official(place, catalog)
    if whose is not None and place.suffix.lower() == ".csv":  # else it might be read as a table of one's own
        raise whose
    try:
        return read_own(place, videos, labels, multi_label=multi_label, spelling=spelling)
    except UsageError:
        if whose is not None:
            raise whose from None
        raise


def _official(place: Path, catalog: Catalog) -> UsageError | None:
    """Return what to say of a file that is one of a benchmark's official ones, by its name or its header."""
    if not place.is_file():
        return None
    with place.open("rb") as file:
        head = file.read(200).decode("utf-8", "replace").lstrip("\ufeff").replace('"', "").replace(" ", "").lower()
    for one in benchmarks_of(catalog):
        for word in one.official_files.replace("<class>", "*").replace("{}", "*").split():
            named = "." in word and fnmatch(place.name, f"*{word}" if word[0] == "-" else word.rstrip(","))
            if named or ("," in word[:-1] and head.startswith(word)):
                annotations = place.parent if named else place
                return UsageError(
                    f"{place} is an official file of {one.name}, and no benchmark by itself",
                    f"type -b {one.name} --annotations {annotations} --videos FOLDER",
                )
    return None
