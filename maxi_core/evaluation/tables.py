"""A table as Markdown, CSV or LaTeX, with whatever is in a cell escaped."""

import math
from collections.abc import Sequence

from maxi_core.evaluation.comparing import TITLES, Line
from maxi_core.evaluation.saving import to_csv

HEADER = ("benchmark", "metric", "who", "score", "against the first", "source")
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
}  # fmt: skip


def cells(line: Line) -> tuple[str, ...]:
    """Return a line as text, in the order of HEADER."""
    value = "-" if math.isnan(line.value) else f"{line.value:.1f}"
    spread = "" if line.deviation is None else f"±{line.deviation:.1f}"
    found = line.interval
    against = "" if found is None else f"{found.difference:+.1f} [{found.low:+.1f}, {found.high:+.1f}]"
    return line.benchmark, TITLES.get(line.metric, line.metric), line.who, value + spread, against, line.source


def as_markdown(lines: Sequence[Line]) -> str:
    """Return a Markdown table."""
    rows = [HEADER, *(tuple(_flat(cell).replace("|", "\\|") for cell in cells(line)) for line in lines)]
    text = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([text[0], "|---|---|---|---:|---:|---|", *text[1:]]) + "\n"


def as_csv(lines: Sequence[Line]) -> str:
    """Return a CSV of numbers: value, deviation, difference and its interval in columns of their own."""
    rows: list[list[object]] = [
        ["benchmark", "metric", "who", "value", "deviation", "difference", "low", "high", "source"]
    ]
    for line in lines:
        found = line.interval
        numbers = [line.value, line.deviation, *((found.difference, found.low, found.high) if found else (None,) * 3)]
        shown = ["" if number is None or math.isnan(number) else round(number, 4) for number in numbers]
        rows.append([line.benchmark, line.metric, line.who, *shown, line.source])
    return to_csv(rows)


def as_latex(lines: Sequence[Line]) -> str:
    """Return a LaTeX tabular, a rule between benchmarks."""
    text = [r"\begin{tabular}{lllrrl}", r"\hline", " & ".join(HEADER) + r" \\", r"\hline"]
    for place, line in enumerate(lines):
        if place and line.benchmark != lines[place - 1].benchmark:
            text.append(r"\hline")
        text.append(
            " & ".join("".join(_LATEX.get(letter, letter) for letter in _flat(cell)) for cell in cells(line)) + r" \\"
        )
    return "\n".join([*text, r"\hline", r"\end{tabular}"]) + "\n"


def _flat(cell: str) -> str:
    return " ".join(cell.split())


FORMATS = {"markdown": as_markdown, "csv": as_csv, "latex": as_latex}
