"""The table of a study as Markdown, LaTeX, JSON and a figure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from maxi_core.evaluation.comparing import latex_text
from maxi_core.plugin.roles import Grid
from maxi_core.studies.results import DEVIATION, INTERVAL, RECORD, Cell, Line, Results
from maxi_core.system.files import to_json, whole_file, write_text
from maxi_core.system.plotting import own_settings

FILES = (RECORD, "table.md", "table.tex", "table.png", "table.svg")
METRICS = {"top1": "top-1", "map": "mAP"}


def write_results(results: Results, folder: Path) -> None:
    """Write study.json, table.md, table.tex, table.png and table.svg, each whole or not at all."""
    write_text(folder / RECORD, to_json(results.as_record(), indent=1) + "\n")
    write_text(folder / "table.md", as_markdown(results))
    write_text(folder / "table.tex", as_latex(results))
    draw(results, folder)


def grids(results: Results) -> list[tuple[str, Grid]]:
    """Return the tables of a study with their titles: scores, differences, and what the bags are like."""
    heads = list(dict.fromkeys((cell.benchmark, cell.metric) for line in results.lines for cell in line.cells))
    beside = {cell.benchmark for line in results.lines for cell in line.cells if cell.published}
    shown = [line for line in results.lines if line.cells]
    columns = [""]
    for name, metric in heads:
        columns += [name if metric == "top1" else f"{name} {METRICS.get(metric, metric)}"]
        columns += ["paper"] if name in beside else []
    spread = f", mean ± deviation over {len(results.seeds)} seeds" if len(results.seeds) > 1 else ""
    rows = [_scores(line, heads, beside) for line in shown]
    found = [(f"top-1 in percent{spread}", Grid(tuple(columns), tuple(rows)))]
    base = next((line.title for line in results.lines if line.name == results.base), results.base)
    rows = [
        (line.title, *(_against(_cell(line, name)) for name, _ in heads))
        for line in shown
        if any(cell.difference is not None for cell in line.cells)
    ]
    if rows:
        title = f"minus {base}, points and 95 % interval over classes and videos"
        found.append((title, Grid(("", *(name for name, _ in heads)), tuple(rows))))
    facts = list(_facts(shown))
    return [*found, ("the bags", Grid(facts[0], tuple(facts[1:])))] if len(facts) > 1 else found


def remarks(results: Results) -> list[str]:
    """Return what a reader of the tables should know, one line each: which rows are missing and why, and the notes."""
    missing = [f"{line.title}: {line.state}, {line.why}" for line in results.lines if line.state != "done"]
    return [*missing, *results.notes, *filter(None, results.about.splitlines())]


def _cell(line: Line, benchmark: str) -> Cell | None:
    return next((cell for cell in line.cells if cell.benchmark == benchmark), None)


def _scores(line: Line, heads: list[tuple[str, str]], beside: set[str]) -> tuple[str, ...]:
    row = [line.title]
    for name, _ in heads:
        cell = _cell(line, name)
        row.append("" if cell is None or cell.mean is None else _spread(cell.mean, cell.deviation))
        if name in beside:
            row.append(", ".join(_spread(one.value, one.deviation) for one in cell.published) if cell else "")
    return tuple(row)


def _spread(value: float, deviation: float | None) -> str:
    return f"{value:.1f}" + ("" if deviation is None else f" ± {deviation:.1f}")


def _against(cell: Cell | None) -> str:
    if cell is None or cell.difference is None:
        return ""
    return f"{cell.difference:+.1f} [{cell.low:+.1f}, {cell.high:+.1f}]"


def _facts(lines: list[Line]) -> Iterator[tuple[str, ...]]:
    """Yield the columns and rows of what differs between the bags of the rows; nothing but columns if nothing does."""
    rows = [(line.title, _told(line.facts)) for line in lines if line.facts]
    titles = [title for title in (rows[0][1] if rows else {}) if len({told.get(title) for _, told in rows}) > 1]
    yield ("", *titles)
    if titles:
        yield from ((name, *(told.get(title, "") for title in titles)) for name, told in rows)


def differences(results: Results) -> list[tuple[str, list[tuple[str, float, float, float]]]]:
    """Return for each benchmark the rows that have an interval: title, difference from the base, low and high end."""
    found: dict[str, list[tuple[str, float, float, float]]] = {}
    for line in results.lines:
        for cell in line.cells:
            if cell.difference is not None and cell.low is not None and cell.high is not None:
                found.setdefault(cell.benchmark, []).append((line.title, cell.difference, cell.low, cell.high))
    return list(found.items())


def _told(facts: Any) -> dict[str, str]:
    noise = facts.get("noise", {})
    return {
        "entries": str(facts["entries"]),
        "noise verbs": str(noise.get("words", 0)),
        "noise phrases": str(noise.get("phrases", 0)),
        "kept": f"{100 * facts['keep']:.0f} %",
        "right matches": f"{facts['right']:.1f} %" if facts.get("right") is not None else "",
        "texts a bag": f"{facts['texts_per_bag']:.1f}",
        "empty bags": str(facts["empty"]),
    }


def as_markdown(results: Results) -> str:
    """Return the tables as Markdown."""
    parts = [f"# {results.title or results.name}\n"]
    for title, grid in grids(results):
        rows = [grid.columns, tuple("---" if not place else "---:" for place in range(len(grid.columns))), *grid.rows]
        table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)
        parts.append(f"{title}:\n\n{table}\n")
    parts += [f"- {line}" for line in (*remarks(results), f"deviation: {DEVIATION}", f"interval: {INTERVAL}")]
    return "\n".join(parts) + "\n"


def as_latex(results: Results) -> str:
    """Return the tables as LaTeX, one tabular each."""
    parts = []
    for title, grid in grids(results):
        rows = [" & ".join(latex_text(cell) for cell in row) + r" \\" for row in (grid.columns, *grid.rows)]
        lines = [rf"\begin{{tabular}}{{l{'r' * (len(grid.columns) - 1)}}}", r"\hline", rows[0], r"\hline", *rows[1:]]
        parts.append("\n".join([f"% {title}", *lines, r"\hline", r"\end{tabular}"]))
    return "\n\n".join(parts) + "\n"


def draw(results: Results, folder: Path) -> None:
    """Draw the scores into table.png and table.svg: a panel for each benchmark, a row for each variant.

    A dot is the mean over seeds with its deviation, a small one each seed, a diamond the published number, and the
    line is the base.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [line for line in results.lines if line.cells]
    names = list(dict.fromkeys(cell.benchmark for line in lines for cell in line.cells))
    if not names:
        return
    height = 1.2 + 0.3 * len(lines)
    with own_settings(size=9):
        figure = Figure(figsize=(2.2 + 2.4 * len(names), height), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, names, strict=True):
            _panel(panel, lines, name, results.base)
        panels[0].set_yticks(range(len(lines)), [line.title for line in lines])
        panels[0].invert_yaxis()
        for kind, about in (("png", {"Software": None}), ("svg", {"Date": None})):
            with whole_file(folder / f"table.{kind}") as file:
                figure.savefig(file, format=kind, dpi=150, metadata=about)


def _panel(panel: Any, lines: list[Line], name: str, base: str) -> None:
    for place, line in enumerate(lines):
        cell = _cell(line, name)
        if cell is None or cell.mean is None:
            continue
        if line.name == base:
            panel.axvline(cell.mean, color="0.8", linewidth=1, zorder=0)
        panel.plot(cell.seeds, [place] * len(cell.seeds), ".", color="0.6", markersize=3, zorder=1)
        panel.errorbar(cell.mean, place, xerr=cell.deviation, fmt="o", color="C0", markersize=5, capsize=2, zorder=2)
        for one in cell.published:
            panel.plot(one.value, place, "D", color="C1", markersize=5, fillstyle="none", zorder=3)
    panel.set_title(name, fontsize=9)
    panel.grid(axis="x", color="0.93")
