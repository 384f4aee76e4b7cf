"""Writes what is made from code: docs/cli.md from the commands, docs/options.md from the options, the notebook."""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.main import get_command
from typer.testing import CliRunner

from maxi_cli.app import app
from maxi_core.plugin.catalog import discover
from maxi_core.settings.options import describe
from maxi_core.settings.sections import CORE, core_section

DOCS = Path(__file__).parent
MADE = "<!-- made by docs/generate.py; edit the code, then `make docs` -->\n"


def cli_page() -> str:
    """Return docs/cli.md: the help of each command at 80 columns."""
    runner = CliRunner(env={"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    parts = [f"# Commands\n\n{MADE}"]
    for name in ["", *names()]:
        arguments = [*name.split(), "--help"]
        text = runner.invoke(app, arguments, prog_name="maxi", terminal_width=80).output.strip()
        parts.append(f"## maxi{' ' + name if name else ''}\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


def names() -> list[str]:
    """Return the commands in the order in which a user meets them, those of a group behind it: `data`, `data list`."""
    return list(_names(get_command(app), ""))


def _names(group: Any, before: str) -> Iterator[str]:
    context = typer.Context(group)
    for name in group.list_commands(context):
        yield before + name
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from _names(command, f"{before}{name} ")


def options_page() -> str:
    """Return docs/options.md: every option of the core and of the built-in plugins."""
    parts = [
        f"# Options\n\n{MADE}\nEach is `-o name.key=value`, `[name] key` in maxi.toml, or `MAXI_NAME_KEY`.\n"
        "A default in brackets is typed as nothing at all: `-o bags.store=`.\n"
    ]
    for name in CORE:
        model = core_section(name)
        parts.append(f"## {name}\n\n{inspect.getdoc(model)}\n\n{_table(name, model)}")
    configured = [offer for offer in discover(only=[]).offers if not offer.space]
    for offer in sorted(configured, key=lambda offer: offer.name):
        doc = inspect.getdoc(offer.cls) or ""
        parts.append(f"## {offer.name}\n\n{offer.role}. {doc}\n\n{_table(offer.name, offer.options)}")
    return "\n".join(parts)


def _table(name: str, model: type) -> str:
    rows = describe(model)
    if not rows:
        return "No options.\n"
    lines = ["| option | type | default | help |", "|---|---|---|---|"]
    for row in rows:
        cells = (f"`{name}.{row.key}`", row.type, f"`{row.shown_default}`", row.help)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def notebook() -> str:
    """Return docs/examples/sandbox.ipynb: the cells of the script beside it, without outputs (nbformat 4.5)."""
    script = (DOCS / "examples" / "sandbox.py").read_text(encoding="utf-8")
    cells = []
    for number, cell in enumerate(re.split(r"^# %%", script, flags=re.MULTILINE)[1:], 1):
        head, _, body = cell.rstrip("\n").partition("\n")
        made: dict[str, Any] = {"cell_type": "code", "id": f"cell-{number}", "metadata": {}}
        if head.strip() == "[markdown]":
            made["cell_type"] = "markdown"
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
        else:
            made |= {"execution_count": None, "outputs": []}
        cells.append(made | {"source": body.splitlines(keepends=True)})
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


PAGES = {"cli.md": cli_page, "options.md": options_page, "examples/sandbox.ipynb": notebook}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (DOCS / page).write_text(make(), encoding="utf-8")
