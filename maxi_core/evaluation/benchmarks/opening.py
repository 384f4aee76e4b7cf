"""From what is typed after --benchmark to a benchmark, read and checked."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from maxi_core.border import blamed
from maxi_core.errors import PluginError, UsageError, nearest
from maxi_core.evaluation.benchmarks.agreement import Trust
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, BenchmarkFiles, check_split, overrides
from maxi_core.evaluation.benchmarks.labels import read_names
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing
from maxi_core.evaluation.benchmarks.own import read_own
from maxi_core.evaluation.benchmarks.reading import checked_listing, read_split
from maxi_core.evaluation.benchmarks.splits import OpenedBenchmark
from maxi_core.hidden import is_hidden
from maxi_core.names import Spelling, name_key
from maxi_core.offers import Offer
from maxi_core.plugins import Catalog, discover
from maxi_core.world_paths import world_benchmarks, world_path


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
    known = None if os.path.exists(name) else find_benchmark(catalog, name)  # noqa: PTH110 (else long names raise)
    if known is not None:
        benchmark, split = known
        annotations, videos = _places(benchmark, annotations, videos, data_root)
        files = BenchmarkFiles(Annotations(annotations), videos, trust)
        splits = [split] if split else list(benchmark.counts)
        read = tuple(read_split(benchmark, one, files, spelling) for one in splits)
        measure = benchmark.measure if overrides(type(benchmark), "measure") else None
        opened = OpenedBenchmark(
            benchmark.name, benchmark.metric, read, videos, spelling, benchmark.multi_label, measure
        )
    else:
        opened = _other(name, catalog, videos, labels, multi_label=multi_label, spelling=spelling)
    if classes is not None:
        names = read_names(classes)
        only = tuple(split.only(names, str(classes)) for split in opened.splits)
        opened = replace(opened, splits=only)
    return opened


def training_split(name: str, annotations: Annotations, catalog: Catalog | None = None) -> Listing:
    """Return the training split of a benchmark (`NAME`, or `NAME:2`; the first split unless named).

    Raises UsageError for a benchmark without one and if its files are not there.
    """
    catalog = discover() if catalog is None else catalog
    known = find_benchmark(catalog, name)
    if known is None or not overrides(type(known[0]), "training"):
        having = [one.name for one in benchmarks_of(catalog) if overrides(type(one), "training")]
        raise UsageError(f"no training split is known of '{name}'", f"one of {', '.join(having)}")
    benchmark, split = known
    with blamed(benchmark.name, "when it was asked for its training split"):
        found: object = benchmark.training(annotations, split or next(iter(benchmark.counts)))
    if found is None or (isinstance(found, Listing) and not found.rows):
        raise UsageError(
            f"the training split of {benchmark.name} is not in {annotations.place}: it takes the official files",
            "correct --annotations",
        )
    return checked_listing(benchmark.name, found)


def benchmarks_of(catalog: Catalog) -> Iterator[Benchmark]:
    """Yield the benchmarks that plugins offer."""
    return (_made(offer) for offer in catalog.offers if offer.role == Benchmark.role)


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
    place = world_path(catalog, "benchmark", name) or Path(name).expanduser()
    if not os.path.exists(place):  # noqa: PTH110
        worlds = world_benchmarks(catalog).values()
        names = [*(one.name for one in benchmarks_of(catalog)), *(own for names in worlds for own in names)]
        raise UsageError(
            f"no benchmark '{name}'{nearest(name, names)}: there is no such file, and the known names are "
            f"{', '.join(names)}",
            "see maxi data list",
        )
    return read_own(place, videos, labels, multi_label=multi_label, spelling=spelling)
