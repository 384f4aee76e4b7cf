"""Something-Something v2 as downloaded: labels and validation JSON; brackets of the template go."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from maxi_core import Annotations, Benchmark, BenchmarkFiles, Listing, Row
from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.lists import Names, read_labels
from maxi_core.system.text_files import read_text
from maxi_core.texts import without_brackets


def official(files: Annotations, part: str = "validation", classes: Sequence[str] = ()) -> Listing | None:
    """Return the videos of a part (`validation`, `train`), of `classes` only if any are named; None without files."""
    index = files.find("something-something-v2-labels.json", "labels.json", "*v2-labels.json")
    path = files.find(f"something-something-v2-{part}.json", f"{part}.json", f"*v2-{part}.json")
    if index is None or path is None:
        return None
    every = tuple(name for _, name in sorted(read_labels(index).items()))
    wanted = tuple(classes) or every
    all_names, names, rows = Names(every, str(index)), Names(wanted, "the classes asked for"), []
    entries = _json(path)
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], start=1):
        if not isinstance(entry, dict) or not {"id", "template"} <= entry.keys():
            raise UsageError(f"{path}, entry {number}: there is no id and template in it", "download it again")
        template = without_brackets(str(entry["template"]))
        if all_names.find(template) is None:
            raise UsageError(f"{path}, entry {number}: '{template}' is not in {index}", "take both of one release")
        place = names.find(template)
        if place is not None:
            rows.append(Row(f"{entry['id']}.webm", (wanted[place],), number))
    return Listing(wanted, tuple(rows), (path, index))


def _json(path: Path) -> Any:
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}", "download it again") from None


class SomethingSomething(Benchmark):
    """The validation set of Something-Something v2."""

    name = "ssv2"
    title = "Something-Something v2"
    classes = 174
    counts = {"1": 24777}
    aliases = ("somethingsomethingv2",)
    lists = ("ssv2_splits/validation.txt", "validation.txt")
    labels = ("ssv2_labels.csv",)
    official_files = "something-something-v2-labels.json and -validation.json"
    few_shot = "ssv2_splits/train1_few_shot_{}.txt"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the validation videos."""
        return official(files.annotations)

    def training(self, annotations: Annotations, split: str) -> Listing | None:
        """Return the training videos."""
        return official(annotations, "train")


class MiniSomethingSomething(Benchmark):
    """MiniSSv2: the videos of 87 classes of Something-Something v2."""

    name = "minissv2"
    title = "MiniSSv2"
    classes = 87
    counts = {"1": 11799}
    aliases = ("mini-ssv2",)
    lists = ("validation_mini.txt",)
    labels = ("minissv2_labels.csv",)
    official_files = "the JSON files of SSv2 beside minissv2_labels.csv"

    def official(self, files: BenchmarkFiles, split: str) -> Listing | None:
        """Return the validation videos of the classes of the labels CSV."""
        return official(files.annotations, classes=classes) if (classes := files.classes()) else None
