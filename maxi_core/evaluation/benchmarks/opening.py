"""From what is typed after --benchmark to a benchmark, read and checked."""

from dataclasses import replace
from pathlib import Path

from maxi_core.errors import UsageError, nearest
from maxi_core.evaluation.benchmarks.agreement import Trust
from maxi_core.evaluation.benchmarks.benchmark import Benchmark
from maxi_core.evaluation.benchmarks.known import KNOWN, Known, check_split, find_known, read_known
from maxi_core.evaluation.benchmarks.labels import Spelling, in_order, read_labels
from maxi_core.evaluation.benchmarks.listing import Annotations
from maxi_core.evaluation.benchmarks.own import read_own
from maxi_core.names import name_key


def open_benchmark(
    name: str,
    *,
    annotations: Path | None = None,
    videos: Path | None = None,
    data_root: Path | None = None,
    labels: Path | None = None,
    classes: Path | None = None,
    trust: Trust | None = None,
    multi_label: bool = False,
    spelling: Spelling = "written",
) -> Benchmark:
    """Return the benchmark that `name` means: a known one (`ucf101`; `ucf101:1` for one split) or one's own (a path).

    `annotations` and `videos` say where its files are; without them they are looked for in `data_root`, in a folder
    named after the benchmark, and there in `annotations` and `videos` if it has such folders. `labels` is the CSV of a
    list of one's own; `classes` one that names the classes to be kept. Raises UsageError, with the line, for anything
    that is missing, wrong or contradictory.
    """
    known, split = _known(name)
    if known is not None and not Path(name).exists():
        annotations, videos = _places(known, annotations, videos, data_root)
        files = Annotations(annotations)
        splits = [split] if split else list(known.counts)
        read = (read_known(known, one, files, videos, trust, spelling) for one in splits)
        benchmark = Benchmark(known.name, known.metric, tuple(read), videos, spelling)
    else:
        benchmark = _other(name, videos, labels, multi_label=multi_label, spelling=spelling)
    if classes is not None:
        names = in_order(classes, read_labels(classes))
        only = tuple(split.only(names, str(classes)) for split in benchmark.splits)
        benchmark = replace(benchmark, splits=only)
    return benchmark


def _known(name: str) -> tuple[Known | None, str]:
    first, _, split = name.partition(":")
    known = find_known(first)
    if known is not None and split:
        check_split(known, split)
    return known, split


def _places(
    known: Known, annotations: Path | None, videos: Path | None, data_root: Path | None
) -> tuple[Path, Path | None]:
    """Return the folders of annotations and videos; raises UsageError if neither is named nor found."""
    if annotations is not None and (videos is not None or data_root is None):
        return annotations, videos
    if data_root is None:
        raise UsageError(f"where is {known.name}?", "name its files with --annotations and --videos, or --data-root")
    if not data_root.is_dir():
        raise UsageError(f"the data root {data_root} is not a folder", "correct --data-root")
    keys = [name_key(name) for name in (known.name, *known.aliases)]
    folders = sorted(path for path in data_root.iterdir() if path.is_dir() and name_key(path.name) in keys)
    if len(folders) != 1:
        found = " and ".join(map(str, folders)) or "none"
        raise UsageError(f"{data_root} must have one folder named {known.name}, and has {found}", "rename, or link it")
    own_annotations, own_videos = (
        folder if (folder := folders[0] / part).is_dir() else folders[0] for part in ("annotations", "videos")
    )
    return annotations or own_annotations, videos or own_videos


def _other(name: str, videos: Path | None, labels: Path | None, *, multi_label: bool, spelling: Spelling) -> Benchmark:
    from maxi_core import sandbox

    place = Path(name).expanduser()
    if name in sandbox.BENCHMARKS and not place.exists():
        place = sandbox.benchmark(name)
    if not place.exists():
        names = [*(known.name for known in KNOWN), *sandbox.BENCHMARKS]
        raise UsageError(
            f"no benchmark '{name}'{nearest(name, names)}: there is no such file, and the known names are "
            f"{', '.join(names)}",
            "see maxi data list",
        )
    return read_own(place, videos, labels, multi_label=multi_label, spelling=spelling)
