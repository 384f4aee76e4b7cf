"""Flags that say which benchmarks, and where their files are."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from maxi_core.errors import UsageError

BenchmarkFlag = Annotated[
    list[str] | None,
    typer.Option("--benchmark", "-b", help="Benchmarks, with commas: a known name, NAME:SPLIT, or a path."),
]
AnnotationsFlag = Annotated[
    Path | None, typer.Option(help="Folder of the annotation files of the one benchmark.", show_default=False)
]
VideosFlag = Annotated[Path | None, typer.Option(help="Folder of its videos.", show_default=False)]
DataRootFlag = Annotated[Path | None, typer.Option(help="Folder with one folder for each benchmark, named after it.")]
LabelsFlag = Annotated[Path | None, typer.Option(help="CSV id,name of a list of your own.")]
ClassesFlag = Annotated[Path | None, typer.Option(help="CSV id,name of the classes to keep: base or novel halves.")]
TrustFlag = Annotated[
    Literal["lists", "official"] | None, typer.Option(help="Which side is right where lists and official files differ.")
]
MultiLabelFlag = Annotated[bool, typer.Option("--multi-label", help="Videos of your own list may have several labels.")]
NamesFlag = Annotated[
    Literal["written", "spaced"] | None,
    typer.Option(help="Names as written (default of eval), or with their words apart."),
]


def named(benchmarks: list[str] | None) -> list[str]:
    """Return the benchmarks that --benchmark names; a comma in an existing path is part of it."""
    names = []
    for text in benchmarks or []:
        names += [text] if Path(text).exists() else [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UsageError("which benchmark?", "name one with --benchmark (see maxi data list)")
    return list(dict.fromkeys(names))
