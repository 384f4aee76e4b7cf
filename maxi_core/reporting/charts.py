"""Charts as SVG inside the page: lines, bars, a histogram. Colours come from the page's style, for light and dark."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 92, 12, 10, 48  # margins
ROW = 20  # height of a line of text
TICKS = 4

Point = tuple[float, float]


def _fill(pattern: str, *values: object) -> "Markup":
    from markupsafe import Markup

    return Markup(pattern).format(*values)  # noqa: S704 - patterns are of this file, and values are escaped by it


def _join(parts: Sequence["Markup"]) -> "Markup":
    from markupsafe import Markup

    return Markup("").join(parts)


def _svg(title: str, frame: "_Frame", parts: Sequence["Markup"]) -> "Markup":
    head = '<svg class="chart" role="img" viewBox="0 0 {} {}" aria-label="{}"><title>{}</title>{}</svg>'
    return _fill(head, WIDTH, frame.height, title, title, _join(parts))


def plain(value: float) -> str:
    """Return a number as short as can be, for an axis."""
    return f"{value:.3g}" if abs(value) < 1000 or math.isnan(value) else f"{value:,.0f}"


class _Frame:
    """The plane of a chart: from values to places in it, with its axes."""

    def __init__(self, across: Point, up: Point, notes: int = 0) -> None:
        self.across, self.up = across, (up if up[0] < up[1] else (up[0] - 0.5, up[0] + 0.5))
        self.top = TOP + ROW * notes  # lines of text above it
        self.height = HEIGHT + ROW * notes
        self.bottom = self.height - BOTTOM

    def x(self, value: float) -> float:
        low, high = self.across
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / ((high - low) or 1), 1)

    def y(self, value: float) -> float:
        low, high = self.up
        return round(self.bottom - (self.bottom - self.top) * (value - low) / (high - low), 1)

    def axes(self, name: str) -> list["Markup"]:
        parts = []
        for place in range(TICKS + 1):
            share = place / TICKS
            value = self.up[0] + share * (self.up[1] - self.up[0])
            line = '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}" {}>{}</text>'
            anchor = _fill('text-anchor="end"')
            y = self.y(value)
            parts.append(_fill(line, LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, anchor, plain(value)))
            value = self.across[0] + share * (self.across[1] - self.across[0])
            value = round(value) if self.across[1] - self.across[0] > 10 * TICKS else value
            anchor = _fill('text-anchor="{}"', ("start", "middle", "middle", "middle", "end")[place])
            tick = '<text class="tick" x="{}" y="{}" {}>{}</text>'
            parts.append(_fill(tick, self.x(value), self.bottom + 18, anchor, plain(value)))
        label = '<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>'
        parts.append(_fill(label, (LEFT + WIDTH - RIGHT) / 2, self.height - 8, name))
        return parts


def histogram(
    title: str, name: str, bars: Sequence[tuple[float, float, int]], marks: Sequence[tuple[str, float]]
) -> "Markup":
    """Draw bars (from, to, count), and marks (label, value) as lines across them."""
    most = max((count for _, _, count in bars), default=0) or 1
    frame = _Frame((bars[0][0], bars[-1][1]), (0, most), len(marks))
    parts = frame.axes(name)
    for low, high, count in bars:
        x, y = frame.x(low), frame.y(count)
        bar = '<rect class="bar" x="{}" y="{}" width="{}" height="{}"><title>{} to {}: {}</title></rect>'
        width, height = max(0.5, round(frame.x(high) - x - 1, 1)), round(frame.y(0) - y, 1)
        parts.append(_fill(bar, x, y, width, height, f"{low:.4f}", f"{high:.4f}", count))
    for row, (label, value) in enumerate(marks):
        x = frame.x(value)
        mark = '<line class="mark" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="note" x="{}" y="{}" {}>{}</text>'
        right = x > WIDTH - 90
        anchor = _fill('text-anchor="{}"', "end" if right else "start")
        y = TOP + ROW * row
        parts.append(_fill(mark, x, x, y - 2, frame.bottom, x + (-4 if right else 4), y + 10, anchor, label))
    return _svg(title, frame, parts)


def lines(title: str, name: str, curve: Sequence[Sequence[float]], dots: bool = False) -> "Markup":
    """Draw a curve of points (x, mean) or (x, mean, low, high), the latter with the band between low and high."""
    rows = [row for row in curve if all(math.isfinite(value) for value in row)]
    if not rows:
        return _fill("<p>{}: no number.</p>", title)
    low, high = min(min(row[1:]) for row in rows), max(max(row[1:]) for row in rows)
    frame = _Frame((rows[0][0], rows[-1][0]), (low, high))
    parts = frame.axes(name)
    if len(rows[0]) > 2:
        edge = [(row[0], row[3]) for row in rows] + [(row[0], row[2]) for row in reversed(rows)]
        parts.append(_fill('<polygon class="band" points="{}"/>', _points(frame, edge)))
    parts.append(_fill('<polyline class="line" points="{}"/>', _points(frame, [(row[0], row[1]) for row in rows])))
    if dots or len(rows) == 1:
        dot = '<circle class="dot" cx="{}" cy="{}" r="3"><title>{}: {}</title></circle>'
        parts += [_fill(dot, frame.x(row[0]), frame.y(row[1]), plain(row[0]), f"{row[1]:.4g}") for row in rows]
    return _svg(title, frame, parts)


def intervals(title: str, rows: Sequence[tuple[str, float, float, float]]) -> "Markup":
    """Draw rows (label, value, low, high) below each other, each with its interval, and a line at 0."""
    frame = _Frame((min(0.0, *(row[2] for row in rows)), max(0.0, *(row[3] for row in rows))), (0, 1))
    bottom = TOP + 2 * ROW * len(rows)
    zero = '<line class="mark" x1="{}" x2="{}" y1="{}" y2="{}"/>'
    parts = [_fill(zero, frame.x(0), frame.x(0), TOP, bottom)]
    parts.append(_fill('<text class="tick" x="{}" y="{}" text-anchor="middle">0</text>', frame.x(0), bottom + ROW))
    for place, (label, value, low, high) in enumerate(rows):
        y = TOP + 2 * ROW * place
        said = f"{label}: {value:+.1f} [{low:+.1f}, {high:+.1f}]"
        parts.append(_fill('<text class="note" x="{}" y="{}">{}</text>', 4, y + 14, said))
        line = '<line class="line" x1="{}" x2="{}" y1="{}" y2="{}"/><circle class="dot" cx="{}" cy="{}" r="4"/>'
        y += ROW + 8
        parts.append(_fill(line, frame.x(low), frame.x(high), y, y, frame.x(value), y))
    frame.height = bottom + ROW + 10
    return _svg(title, frame, parts)


def _points(frame: _Frame, points: Sequence[Point]) -> str:
    return " ".join(f"{frame.x(x)},{frame.y(y)}" for x, y in points)


def bar(value: float, most: float) -> "Markup":
    """Draw one bar beside a number of a table; the number says the same, so it is hidden from readers."""
    width = round(100 * max(0.0, min(1.0, value / most if most else 0.0)), 1)
    svg = '<svg class="inline" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">{}</svg>'
    return _fill(svg, _fill('<rect class="bar" width="{}" height="10"/>', width))
