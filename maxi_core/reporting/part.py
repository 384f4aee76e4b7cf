"""One part of a report: the plain values that its template shows, and the videos that it wants pictures of."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from maxi_core.bags.run import RECIPE
from maxi_core.errors import UsageError
from maxi_core.texts import Spelling
from maxi_core.types import Video


@dataclass(frozen=True)
class Look:
    """Where the model that scored a video is to show that it looked: for `texts`, against each other and `competing`.

    `identity` is the SHA-256 of the weights that scored it; the rest is how it was shown to them.
    """

    model: str
    identity: str
    texts: tuple[str, ...]
    competing: tuple[str, ...]
    frames: int
    prompt: str
    spelling: Spelling
    normalisation: Literal["model", "imagenet"]


@dataclass(frozen=True)
class Wish:
    """A video that is to be shown: with its middle frame, or with as many as `frames`, spread evenly."""

    video: Video
    frames: int | None = None
    look: Look | None = None


@dataclass(frozen=True)
class Part:
    """Values, `kind` among them, which names the template; and wishes, by the number that the values know them by."""

    values: dict[str, Any]
    wishes: Mapping[int, Wish] = field(default_factory=dict)


def made_of(run: Path, manifest: Mapping[str, object], tables: Sequence[str]) -> dict[str, Any]:
    """Return what a run folder says of how it was made, for `macros.html`: command, end, recipe, tables by name.

    A folder without a manifest says nothing. Raises UsageError for a recipe that cannot be read.
    """
    argv, finished = manifest.get("argv"), manifest.get("finished")
    return {
        "begun": bool(manifest),
        "command": shlex.join(map(str, argv)) if isinstance(argv, list) else "",
        "finished": str(finished or ""),
        "tables": [(name, list(value.items())) for name in tables if isinstance(value := manifest.get(name), Mapping)],
        "recipe": _recipe(run / RECIPE),
    }


def _recipe(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.is_file() else ""
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {path}: {error}", "delete it, or chmod u+r it") from None
