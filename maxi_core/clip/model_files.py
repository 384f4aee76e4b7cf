"""Files of a model folder or a checkpoint, read as data: they lie in the folder itself, and nothing in them is run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maxi_core.errors import UsageError

LARGEST = 4 << 20  # bytes of a configuration; open_clip's own have about 1,000


def own_file(folder: Path, name: str) -> Path:
    """Return the file `name` of a folder, links followed; raises UsageError for one that leads out of the folder.

    The snapshots of the Hugging Face cache may link to the blobs beside them, which belong to the same model.
    """
    path = folder / name
    try:
        root, target = folder.resolve(), path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # a loop is a RuntimeError
        raise UsageError(f"{path} cannot be read: {error}", "name another model") from None
    allowed = [root, root.parent.parent / "blobs"] if root.parent.name == "snapshots" else [root]
    if not any(target.is_relative_to(place) for place in allowed):
        raise UsageError(f"{path} leads out of its folder, to {target}", "put the file itself there")
    if not target.is_file():
        raise UsageError(f"{path} is no file", "name another model")
    return target


def read_table(folder: Path, name: str) -> dict[str, Any]:
    """Return the JSON table in a file of a folder; raises UsageError with the file's name for anything else."""
    path, file = folder / name, own_file(folder, name)
    try:
        if file.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST:,} bytes", "a description of a model is small")
        found = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        why = str(error).partition("\n")[0][:200]
        raise UsageError(f"{path} is no JSON that can be read: {why}", "name another model") from None
    except RecursionError:
        raise UsageError(f"{path} is nested too deeply", "name another model") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path} is no JSON table", "name another model")
    return found


def read_own_bytes(folder: Path, name: str) -> bytes:
    """Return the content of a file of a folder; raises UsageError if it cannot be read or leads out."""
    try:
        return own_file(folder, name).read_bytes()
    except OSError as error:
        raise UsageError(f"{folder / name} cannot be read: {error.strerror or error}", "name another model") from None


def dumped(table: Mapping[str, Any]) -> bytes:
    """Return a table as the JSON that is written beside weights."""
    return (json.dumps(table, indent=2) + "\n").encode()
