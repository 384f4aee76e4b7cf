"""What a run folder says of its run: the manifest, whether the bags are made, and if not, how the run goes on."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from maxi_core.errors import UsageError
from maxi_core.system.files import read_json
from maxi_core.system.locks import holder_of

MANIFEST = "manifest.json"
BAGS = "bags.jsonl"


def read_manifest(folder: Path) -> dict[str, object]:
    """Return the manifest of a run, or {} if none was begun; see `finished`."""
    try:
        return read_json(folder / MANIFEST)
    except FileNotFoundError:
        return {}


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run of bags, finished or begun."""
    return "made_of" in read_manifest(folder)


def finished(manifest: Mapping[str, object]) -> bool:
    """Whether a manifest is of a run that has made its bags, and not of one that was begun."""
    return bool(manifest.get("finished"))


def bags_of(run: Path) -> Path:
    """Return the file of a run's bags; raises UsageError if they are not made, with the command that goes on."""
    path = run / BAGS
    if path.is_file():
        return path
    if not run.is_dir():
        raise UsageError(f"there is no run folder {run}", f"make one: maxi bags VIDEOS --out {run}")
    manifest = read_manifest(run)
    if "made_of" not in manifest:
        raise UsageError(f"there are no bags in {run}: no {BAGS}", f"make them: maxi bags VIDEOS --out {run}")
    if holder := holder_of(run):
        raise UsageError(f"the bags of {run} are being made, by {holder}", "wait for it")
    argv = manifest.get("argv")
    typed = shlex.join(map(str, argv[1:])) if isinstance(argv, list) and len(argv) > 1 else "bags ... as before"
    raise UsageError(
        f"the run {run} is not finished: its bags are not made",
        f"the same command goes on where it was stopped: maxi {typed}",
    )
