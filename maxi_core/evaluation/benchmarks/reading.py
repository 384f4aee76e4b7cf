"""Reading one split of a benchmark from whatever is there: lists, official files, or a loader of its own."""

from collections.abc import Callable
from dataclasses import replace

from maxi_core.border import blamed
from maxi_core.errors import PluginError, UsageError
from maxi_core.evaluation.benchmarks.agreement import Trust, conflicts, settle
from maxi_core.evaluation.benchmarks.benchmark import Benchmark, BenchmarkFiles
from maxi_core.evaluation.benchmarks.listing import Listing, Row
from maxi_core.evaluation.benchmarks.lists import read_list
from maxi_core.evaluation.benchmarks.splits import Split, make_split
from maxi_core.names import Spelling

ClassInName = Callable[[str, tuple[str, ...]], str | None]  # stem of a file, classes -> the class that it says


def read_split(benchmark: Benchmark, split: str, files: BenchmarkFiles, spelling: Spelling) -> Split:
    """Return one split of a benchmark; raises UsageError for its files, PluginError for a loader that is not right."""
    with blamed(benchmark.name, f"when it was asked for its split {split}"):
        said: object = benchmark.listing(files, split)
    listing = checked_listing(benchmark.name, said)
    notes = list(listing.notes)
    if benchmark.classes is not None and len(listing.classes) != benchmark.classes:
        notes.append(f"{len(listing.classes)} classes, and {benchmark.classes} in the published benchmark")
    return make_split(
        benchmark.name,
        split,
        listing,
        by_stem=True,
        spelling=spelling,
        published=benchmark.counts[split],
        notes=notes,
    )


def read_listing(benchmark: Benchmark, files: BenchmarkFiles, split: str) -> Listing:
    """Read a split from its list and its official files, and check what is there against each other.

    Raises UsageError if nothing is there, in words that say what was looked for.
    """
    annotations = files.annotations
    labels = annotations.find(*(pattern.format(split) for pattern in benchmark.labels))
    path = annotations.find(*(pattern.format(split) for pattern in benchmark.lists))
    if path is not None and labels is None:
        names = benchmark.labels[0].format(split)
        raise UsageError(f"{path} is there, but not its labels {names}", f"put {names} into {annotations.place}")
    listed = None if path is None or labels is None else read_list(path, labels, multi_label=benchmark.multi_label)
    official = benchmark.official(replace(files, labels=labels, listed=listed), split)
    if listed is None and official is None:
        what = f"{benchmark.name}:{split} is not in {annotations.place}: it takes {_wanted(benchmark, split)}"
        raise UsageError(what, "correct --annotations")
    listing = settle(f"{benchmark.name}:{split}", listed, official, files.trust)
    if listed is not None and official is None:
        listing = _by_file_name(listed, benchmark.class_in_name, files.trust)
    return listing


def checked_listing(name: str, said: object) -> Listing:
    """Return what a loader gave if it is a listing whose rows have classes of its own; raises PluginError if not."""
    if not isinstance(said, Listing):
        raise PluginError(f"benchmark '{name}' gave {type(said).__name__} for a split, not a Listing")
    if not said.rows:
        raise PluginError(f"benchmark '{name}' gave a split without videos")
    classes = set(said.classes)
    for row in said.rows:
        if not row.names or not classes.issuperset(row.names):
            raise PluginError(f"benchmark '{name}' gave '{row.path}' the classes {row.names}, which are not its own")
    return said


def _wanted(benchmark: Benchmark, split: str) -> str:
    lists = f"{benchmark.lists[-1]} and {benchmark.labels[0]}" if benchmark.lists else ""
    return ", or ".join(text.format(split) for text in (benchmark.official_files, lists) if text)


def _by_file_name(listed: Listing, in_name: ClassInName, trust: Trust | None) -> Listing:
    """Compare the labels of a list with the classes in its file names, which are the official ones."""
    said = [(row, in_name(row.stem, listed.classes)) for row in listed.rows]
    wrong = conflicts([(row.names, (name,)) for row, name in said if name is not None])
    if not wrong:
        return listed
    if trust == "official":
        rows = tuple(Row(row.path, (name,) if name else row.names, row.line) for row, name in said)
        return Listing(listed.classes, rows, listed.files, notes=(f"corrected by file names: {wrong}",))
    return replace(listed, notes=(f"{wrong} (by its file names; --trust official corrects it)",))
