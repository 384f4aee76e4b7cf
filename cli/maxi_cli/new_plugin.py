"""`maxi new-plugin`: a distribution of one's own to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from maxi_cli.flags import JsonFlag, offering, read_catalog
from maxi_cli.terminal import show_json, stdout, visible

SCHEMA = 1


def new_plugin(
    name: Annotated[str, typer.Argument(help="Name of what the plugin offers, such as my-source.")],
    role: Annotated[
        str,
        typer.Option(
            metavar="ROLE",
            help="expander, captioner, matcher, augmenter, filter, injector, temporal or objective.",
            show_default=False,
            autocompletion=offering("maxi_core.testing.scaffold:KINDS"),
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder in which the new folder maxi-NAME goes.")] = Path(),
    json: JsonFlag = False,
) -> None:
    """Write a plugin that works as it is: pyproject.toml, one module, one test, a CI workflow, README.

    Example: maxi new-plugin my-source --role expander
    """
    from maxi_core.testing.scaffold import write_plugin

    written = write_plugin(name, role, out, read_catalog())
    if json:
        show_json({"schema": SCHEMA, "folder": str(written.folder), "files": list(written.files), "use": written.use})
        return
    console = stdout()
    for file in written.files:
        console.print(visible(f"wrote {written.folder / file}"), soft_wrap=True)
    console.print(visible(f"next: pip install -e {written.folder}, then {written.use}"), soft_wrap=True)
