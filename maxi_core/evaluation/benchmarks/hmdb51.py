"""HMDB51 as downloaded: one `<class>_test_split<k>.txt` for each class, `<file> <0|1|2>` (SPEC section 11)."""

import re

from maxi_core.errors import UsageError
from maxi_core.evaluation.benchmarks.listing import Annotations, Listing, Row, at, read_lines

_MARK = {"train": "1", "test": "2"}
_NAMED = re.compile(r"_[fhlu]_[cn]m_np\d_")  # visible body parts, camera motion, number of people: behind the class


def official(files: Annotations, split: str, part: str = "test") -> Listing | None:
    """Return split `1`, `2` or `3`, or None if its files are not there; underscores of class names become spaces."""
    ending = f"_test_split{split}.txt"
    found = files.find_all(f"*{ending}")
    if not found:
        return None
    rows, classes = [], []
    for path in sorted(found, key=lambda path: path.name.removesuffix(ending)):
        name = path.name.removesuffix(ending).replace("_", " ")
        if name in classes:
            raise UsageError(f"{path} is there twice", "name the folder of one of them with --annotations")
        classes.append(name)
        for line, text in read_lines(path):
            written, _, mark = text.rpartition(" ")
            if mark not in ("0", "1", "2") or not written.strip():
                raise at(path, line, f"'{text}' is not a file and 0, 1 or 2")
            if mark == _MARK[part]:
                rows.append(Row(f"{name.replace(' ', '_')}/{written.strip()}", (name,), line))
    return Listing(tuple(classes), tuple(rows), tuple(found))


def class_in_name(stem: str, classes: tuple[str, ...]) -> str | None:
    """Return the class that the name of an HMDB51 file ends its title with, or None: `..._kick_ball_f_cm_np1_...`."""
    marks = list(_NAMED.finditer(stem))
    if not marks:
        return None
    before = stem[: marks[-1].start()]
    fitting = [name for name in classes if before.endswith("_" + name.replace(" ", "_")) or before == name]
    return max(fitting, key=len, default=None)
