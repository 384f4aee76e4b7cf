"""Kinetics as downloaded: CSV `label,youtube_id,time_start,time_end,split`; files `<id>_%06d_%06d.mp4`."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.evaluation.benchmarks.lists import Names, at, read_names
from maxi_core.system.text_files import read_text

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
_VALIDATION = ("val", "validate", "validation")


def official(files: Annotations, parts: Sequence[str], classes: Sequence[str] = ()) -> Listing | None:
    """Return the videos of the named parts (`val`, `test`, ...), of `classes` only if any are named; None without CSV.

    Every CSV of the folder with the columns of Kinetics is read.
    """
    wanted = {name for part in parts for name in (_VALIDATION if part in _VALIDATION else (part,))}
    tables = [path for path in files.find_all("*.csv") if _is_kinetics(path)]
    if not tables:
        return None
    rows = [(path, *row) for path in tables for row in _rows(path)]
    every = tuple(sorted({label for _, _, label, _, _ in rows})) if not classes else tuple(classes)
    names = Names(every, "the classes asked for")
    found: dict[str, Row] = {}
    for path, line, label, video, part in rows:
        place = names.find(label)
        if part not in wanted or place is None:
            continue
        if video in found and found[video].names != (every[place],):
            raise at(path, line, f"{video} is '{found[video].names[0]}' elsewhere and '{label}' here")
        found[video] = Row(f"{part}/{video}.mp4", (every[place],), line)
    return Listing(every, tuple(found.values()), tuple(tables)) if found else None


def _is_kinetics(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.readline(200).decode("utf-8", "replace").lstrip("\ufeff").strip().lower()
    return [cell.strip().strip('"') for cell in header.split(",")][:4] == list(COLUMNS[:4])


def _rows(path: Path) -> Iterator[tuple[int, str, str, str]]:
    """Yield (line, label, name of the file without its ending, part)."""
    table = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    table.fieldnames = [name.strip().lower() for name in table.fieldnames or ()]
    for row in table:
        line = table.line_num
        label, video = (row.get("label") or "").strip(), (row.get("youtube_id") or "").strip()
        try:
            start, end = (int(float(row[key])) for key in ("time_start", "time_end"))
        except (KeyError, TypeError, ValueError):
            raise at(path, line, f"'{video}' has no start and end in seconds") from None
        if not label or not video:
            raise at(path, line, "a row without label or youtube_id")
        part = (row.get("split") or "").strip().lower() or ("val" if "val" in path.stem.lower() else "test")
        yield line, label, f"{video}_{start:06d}_{end:06d}", part


class Kinetics600Novel(Benchmark):
    """The 160 classes of Kinetics-600 that Kinetics-400 has not, in three splits drawn from all its parts."""

    name = "kinetics600-novel"
    title = "Kinetics-600, 160 novel classes"
    classes = 160
    counts = {"1": 14084, "2": 13978, "3": 14136}  # the lists end without a line break: `wc -l` is one short
    aliases = ("k600", "kinetics600")
    lists = ("ZS_split{}_K600_eval.txt",)
    labels = ("ZS_split{}_K600.csv",)
    official_files = "a CSV of Kinetics-600 beside ZS_split{}_K600.csv"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the videos of the split's classes: those of the test part, or of all parts that the list has."""
        if not (classes := files.classes()):
            return None
        if files.listed is None:
            return official(files.annotations, ("test",), classes)
        every = official(files.annotations, ("train", "val", "test"), classes)  # the lists draw on all three
        stems = {row.stem for row in files.listed.rows}
        return every and replace(every, rows=tuple(row for row in every.rows if row.stem in stems))


class Kinetics400(Benchmark):
    """The validation part of Kinetics-400; its class names are a dictionary, too."""

    name = "kinetics400"
    title = "Kinetics-400, validation"
    classes = 400
    counts = {"1": None}
    aliases = ("k400",)
    lists = ("k400_splits/val.txt", "k400*/val.txt")
    labels = ("kinetics_400_labels.csv",)
    official_files = "a CSV label,youtube_id,time_start,time_end,split"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the videos of the validation part."""
        return official(files.annotations, ("val",))

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the videos of the training part."""
        return official(annotations, ("train",))

    def dictionary(self) -> Sequence[str]:
        """Return the 400 class names, as torchvision has them."""
        from torchvision.models import get_weight

        names: Sequence[str] = get_weight("R3D_18_Weights.KINETICS400_V1").meta["categories"]
        return names


class MiniKinetics(Benchmark):
    """The 200 classes of Mini-Kinetics, and all videos that Kinetics-400 has of them.

    Xie et al., "Rethinking Spatiotemporal Feature Learning" (ECCV 2018), who drew fewer videos of each.
    """

    name = "minikinetics"
    title = "Kinetics-400, validation, 200 classes"
    classes = 200
    aliases = ("mini-kinetics",)
    official_files = Kinetics400.official_files

    def listing(self, files: BenchmarkFiles, split: str) -> Listing:
        """Return the videos of the validation part of Kinetics-400 that are of these classes."""
        return self._only(Kinetics400().listing(files, split))

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the videos of the training part of Kinetics-400 that are of these classes."""
        whole = Kinetics400().training(annotations, split)
        return whole and self._only(whole)

    def dictionary(self) -> Sequence[str]:
        """Return the 200 class names."""
        return read_names(Path(__file__).with_name("minikinetics.txt"))

    def _only(self, whole: Listing) -> Listing:
        classes = tuple(self.dictionary())
        names = Names(classes, self.name)
        found = [(row, place) for row in whole.rows if (place := names.find(row.names[0])) is not None]
        rows = tuple(replace(row, names=(classes[place],)) for row, place in found)
        return replace(whole, classes=classes, rows=rows)
