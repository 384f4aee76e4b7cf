"""Run folders with bags that tests write by hand."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from maxi_core.bags.bag import to_line
from maxi_core.bags.manifest import BAGS
from maxi_core.system.files import write_lines
from maxi_core.types import Match, Text, TextBag, Video


def bag(
    name: str, entry: str, score: float, items: Sequence[str] = (), *, kept: bool = True, path: Path | None = None
) -> TextBag:
    """Return a bag with these texts."""
    video = Video(name, path or Path("/nowhere") / name)
    return TextBag(Match(video, entry, score), kept, tuple(Text(item, "gpt3", entry, "phrase") for item in items))


def write_run(folder: Path, bags: Iterable[TextBag]) -> Path:
    """Write a run folder below `folder` that holds the bags, in place of another."""
    write_lines(folder / "run" / BAGS, map(to_line, bags))
    return folder / "run"
