"""The scores of one model, as `maxi eval` prints them."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_cli.terminal import stdout, visible

if TYPE_CHECKING:
    from maxi_core.evaluation.evaluating import ModelScores


def show_scores(scores: "ModelScores", folder: Path) -> None:
    """Print what one model scored: a table, the groups, the circumstances, the notes, and where the files are."""
    from rich.table import Table

    console = stdout()
    table = Table(box=None, pad_edge=False)
    table.add_column("benchmark", overflow="fold")
    for title in ("split", "videos", "skipped", "top-1", "top-5", "mean class", "mAP"):
        table.add_column(title, justify="right", no_wrap=True)
    records = scores.records()
    for record in records:
        cells = [_percent(record, name) for name in ("top1", "top5", "mean_class", "map")]
        counts = (str(record["split"]), str(record["n"]), str(record["skipped"]))
        table.add_row(visible(record["benchmark"]), *counts, *cells)
    model, first = scores.model, records[0]
    console.print(visible(model.name), style="bold")
    console.print(table)
    for result in scores.results:
        if answered := result.record.get("metrics_answered"):
            numbers = ", ".join(f"{name} {100 * value:.1f}" for name, value in answered.items())
            count = len(result.videos) - len(result.skipped)
            console.print(visible(f"{result.split.label}, of the {count} videos that could be used: {numbers}"))
    _show_own(scores)
    _show_groups(scores)
    console.print(
        visible(f"prompt '{first['example']}', {first['frames']} frames, views {first['views']}"),
        soft_wrap=True,
        style="dim",
    )
    notes = (f"{result.split.label}: {text}" for result in scores.results for text in result.split.notes)
    for text in dict.fromkeys(notes):
        console.print(visible(text), style="yellow")
    console.print(visible(f"in {os.path.relpath(folder)}: scores.json, predictions-*.jsonl"), soft_wrap=True)


def _percent(record: dict[str, Any], name: str) -> str:
    if name not in record["metrics"]:
        return "-"
    deviation = record.get("deviations", {}).get(name)
    return f"{100 * record['metrics'][name]:.1f}" + ("" if deviation is None else f"±{100 * deviation:.1f}")


def _show_own(scores: "ModelScores") -> None:
    """Print the metrics that are a benchmark's own, beside the columns of the core's."""
    from maxi_core.evaluation.benchmarks.benchmark import METRICS

    for record in scores.records():
        own = [f"{name} {_percent(record, name)}" for name in record["metrics"] if name not in METRICS]
        if own:
            stdout().print(visible(f"{record['benchmark']}:{record['split']}: {', '.join(own)}"))


def _show_groups(scores: "ModelScores") -> None:
    console = stdout()
    for result in scores.results:
        for group, found in result.record.get("groups", {}).items():
            names = [name for name in ("top1", "mean_class", "map") if name in found]
            numbers = ", ".join(f"{name} {100 * found[name]:.1f}" for name in names)
            counts = f"{found['classes']} classes, {found['n']} videos"
            console.print(f"{visible(result.split.label)} {group}: {counts}, {numbers}")
