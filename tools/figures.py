"""Print the figures of docs/design.md: how large the product is, and how far one `maxi bags` goes through it.

    python -m tools.figures [--videos FOLDER]

Sizes and imports are read from the source text. The run is one `maxi bags` on three clips (rendered, or those of
`--videos`) with the captioner and an empty store, in this process, under a profile hook: each function, class body and
module of the product that is entered counts once, by file and qualified name, and so do comprehensions where the
interpreter calls them (before Python 3.12).
"""

import argparse
import ast
import os
import runpy
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "maxi_core": ROOT / "maxi_core",
    "maxi_plugins": ROOT / "plugins" / "maxi_plugins",
    "maxi_sandbox": ROOT / "plugins" / "maxi_sandbox",
    "maxi_cli": ROOT / "cli" / "maxi_cli",
}
ASKING = ("maxi_core/bags/asker.py", "maxi_core/bags/clip_loader.py")
LONG = 40  # lines of a function, without its decorators
ENTRIES = ("arm wrestling", "applying eye makeup", "cleaning pool")
CLIPS = 3


def sources() -> dict[str, Path]:
    """Return the files of the product by the names of their modules."""
    found = {}
    for folder in PACKAGES.values():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def lines_of(path: Path) -> int:
    """Return how many lines a file has."""
    return len(path.read_text(encoding="utf-8").splitlines())


def imported_by(path: Path, known: Mapping[str, Path]) -> set[str]:
    """Return the modules of the product that a file imports when it is imported itself."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{name.name}" for name in node.names}
                found |= (inner & known.keys()) or {node.module}
            elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not _for_types(node):
                waiting.append(node)
    return found & known.keys()


def _for_types(node: ast.AST) -> bool:
    """Whether this is the block of what only type checkers import."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def circles(imports: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the sets of modules that import each other, by way of others too."""
    reached = {module: _reached(module, imports) for module in imports}
    found: list[set[str]] = []
    for module, others in reached.items():
        together = {other for other in others if module in reached[other]}
        if together and together not in found:
            found.append(together)
    return found


def _reached(start: str, imports: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [*imports[start]]
    while waiting:
        if (module := waiting.pop()) not in found:
            found.add(module)
            waiting += imports[module]
    return found


def long_functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of more than LONG lines, and how many they have."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > LONG:
                yield node.name, length


@dataclass
class Trace:
    """What of the product a run has entered: (file, qualified name), and the longest chain of its frames."""

    entered: set[tuple[str, str]] = field(default_factory=set)
    deepest: list[str] = field(default_factory=list)

    def hook(self, frame: FrameType, event: str, _: object) -> None:
        """Note a call, as `sys.setprofile` reports it."""
        code = frame.f_code
        if event != "call" or not code.co_filename.startswith(_FOLDERS):
            return
        key = (code.co_filename, code.co_qualname)
        if key in self.entered:
            return
        self.entered.add(key)
        chain: list[str] = []
        at: FrameType | None = frame
        while at is not None:
            if at.f_code.co_filename.startswith(_FOLDERS):
                chain.append(f"{Path(at.f_code.co_filename).stem}.{at.f_code.co_qualname}")
            at = at.f_back
        if len(chain) > len(self.deepest):
            self.deepest = chain[::-1]


_FOLDERS = tuple(f"{folder}{os.sep}" for folder in PACKAGES.values())


def traced(arguments: Sequence[str]) -> Trace:
    """Return what one command of maxi enters, in this process, which should not have imported maxi before.

    Raises SystemExit with what it printed if it fails.
    """
    main = runpy.run_module("maxi_cli.__main__")["main"]
    trace, before = Trace(), sys.argv
    with tempfile.TemporaryFile("w+") as printed, redirect_stdout(printed), redirect_stderr(printed):
        sys.argv = ["maxi", *arguments]
        threading.setprofile(trace.hook)
        sys.setprofile(trace.hook)
        try:
            main()
            code: object = 0
        except SystemExit as end:
            code = end.code
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            sys.argv = before
        printed.seek(0)
        said = printed.read()
    if code:
        raise SystemExit(said)
    return trace


def traced_bags(folder: Path, videos: Path | None) -> Trace:
    """Return what one `maxi bags` enters that finds its store empty; `folder` takes all that it needs and makes."""
    import subprocess

    if videos is None:
        videos = folder / "videos"
        program = "import sys; from tools.figures import render; render(sys.argv[1])"
        subprocess.run([sys.executable, "-c", program, str(videos)], check=True, cwd=ROOT)  # noqa: S603 (our own)
    (folder / "actions.txt").write_text("".join(f"{entry}\n" for entry in ENTRIES), encoding="utf-8")
    os.environ["MAXI_HOME"] = str(folder / "home")
    named = ["--config", "sandbox", "--dictionary", str(folder / "actions.txt"), "--sources", "blip"]
    return traced(["bags", str(videos), *named, "--out", str(folder / "run"), "--workers", "0"])


def render(folder: str) -> None:
    """Render the clips that the run goes through; in a process of its own, which imports what it likes."""
    from maxi_sandbox.films import write_mp4
    from maxi_sandbox.library import training_films

    Path(folder).mkdir()
    for film in islice(training_films(), CLIPS):
        write_mp4(film, Path(folder) / f"{film.name}.mp4")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print each figure on a line of its own."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures")
    parser.add_argument("--videos", type=Path, help="folder of clips for the run")
    options = parser.parse_args(arguments)
    found = sources()
    imports = {module: imported_by(path, found) for module, path in found.items()}
    functions = {path: list(long_functions(path)) for path in found.values()}
    print("lines:", sum(map(lines_of, found.values())))
    print("files:", len(found))
    print("circles of modules at import:", len(circles(imports)))
    print(f"lines of {' and '.join(ASKING)}:", sum(lines_of(ROOT / name) for name in ASKING))
    print(f"functions of more than {LONG} lines:", sum(map(len, functions.values())))
    for path, some in functions.items():
        for name, length in some:
            print(f"    {path.relative_to(ROOT)} {name}: {length}")
    with tempfile.TemporaryDirectory(prefix="figures-") as folder:
        trace = traced_bags(Path(folder), options.videos)
    files = {file for file, _ in trace.entered}
    print(f"one maxi bags: {len(trace.entered)} functions and bodies in {len(files)} files, {len(trace.deepest)} deep")
    print("    " + " > ".join(trace.deepest))


if __name__ == "__main__":
    main()
