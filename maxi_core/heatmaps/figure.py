"""The figure: frames on top, a row for each model, a column for each frame, texts side by side, one colour scale."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maxi_core.errors import UsageError
from maxi_core.heatmaps.heatmap import MARK, Heatmap, Heatmaps
from maxi_core.heatmaps.region import Scale, laid_over
from maxi_core.system.files import whole_file
from maxi_core.system.plotting import own_settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger("maxi")

# In inches: a frame's longer side, the margin for the names of models, what stands above and below all rows, gaps.
TILE, MARGIN, ABOVE, BELOW, BETWEEN_TEXTS, BETWEEN_ROWS = 1.15, 1.7, 0.4, 0.8, 0.25, 0.22
LONGEST = 26  # characters of a model's name
AN_INCH = 12  # characters of a text
DOTS, MOST_DOTS = 150, 2**16  # an inch; matplotlib draws no more in one direction
UNITS = {
    "gradient": "attention x gradient of the cosine",
    "cosine": "cosine of patch and text (the paper's heatmap)",
    "surgery": "CLIP Surgery",
    "legrad": "LeGrad",
}


def write_figure(found: Heatmaps, path: Path, columns: int) -> None:
    """Write a PNG, PDF or SVG with at most `columns` frames for each text; raises MaxiError if it cannot."""
    import warnings

    # without dates and random names, the same heatmaps make the same file
    dates: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}}
    key = "Software" if path.suffix == ".png" else "Creator"
    metadata = {**dates.get(path.suffix, {}), key: MARK.decode()}
    with own_settings(), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figure = draw(found, columns)
        with whole_file(path) as file:
            figure.savefig(file, format=path.suffix[1:], dpi=DOTS, metadata=metadata)
    if any("Glyph" in str(one.message) for one in said):
        logger.warning("the font of %s has no picture of some characters of its texts", path)


@dataclass(frozen=True)
class _Grid:
    """Where tiles are, in inches: `across` columns for each of `texts`, `down` rows, each tile `wide` and `high`."""

    wide: float
    high: float
    across: int
    texts: int
    down: int

    @property
    def size(self) -> tuple[float, float]:
        return self.left(self.texts), ABOVE + self.down * (self.high + BETWEEN_ROWS) + BELOW

    def left(self, text: int, column: int = 0) -> float:
        return MARGIN + text * (self.across * self.wide + BETWEEN_TEXTS) + column * self.wide

    def top(self, row: int) -> float:
        return ABOVE + row * (self.high + BETWEEN_ROWS)

    def tile(self, figure: "Figure", row: int, text: int, column: int) -> "Axes":
        wide, high = self.size
        bottom = 1 - (self.top(row) + self.high) / high
        axes = figure.add_axes((self.left(text, column) / wide, bottom, 0.97 * self.wide / wide, self.high / high))
        axes.set_axis_off()
        return axes


def draw(found: Heatmaps, columns: int) -> "Figure":
    """Return the figure; raises UsageError if it would be too large."""
    from matplotlib.figure import Figure

    places = np.unique(np.linspace(0, len(found.frames) - 1, min(columns, len(found.frames))).round().astype(int))
    scale = scale_of(found)
    height, width = found.frames.shape[1:3]
    longest = max(height, width)
    grid = _Grid(
        TILE * width / longest, TILE * height / longest, len(places), len(found.texts), len(found.models) + 1
    )  # fmt: skip
    wide, high = grid.size
    if max(wide, high) * DOTS >= MOST_DOTS:
        size = f"{wide * DOTS:.0f} by {high * DOTS:.0f}"
        raise UsageError(f"the figure would be {size} pixels", "name fewer texts or models, or fewer --columns")
    figure = Figure(figsize=(wide, high))
    for text, said in enumerate(found.texts):
        figure.text(
            grid.left(text) / wide,
            1 - 0.3 / high,
            short(said, round(AN_INCH * grid.across * grid.wide)),
            fontsize=10,
            weight="bold",
            parse_math=False,
        )
        for column, place in enumerate(places):
            grid.tile(figure, 0, text, column).imshow(found.frames[place])
            for row, one in enumerate(found.models, start=1):
                axes = grid.tile(figure, row, text, column)
                axes.imshow(laid_over(found.frames[place], one.maps[text, place], one.image_size, scale))
                if column == 0:
                    axes.set_title(score_of(found, one, text), fontsize=7, loc="left", pad=2)
    for row, one in enumerate(found.models, start=1):
        middle, name = 1 - (grid.top(row) + grid.high / 2) / high, short_name(one.model)
        figure.text((MARGIN - 0.1) / wide, middle, name, fontsize=8, ha="right", va="center", parse_math=False)
    _draw_bar(figure, scale, caption(found, scale))
    return figure


def _draw_bar(figure: "Figure", scale: Scale, said: str) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    wide, high = figure.get_size_inches()
    place = figure.add_axes((MARGIN / wide, 0.45 / high, min(5.0, wide - MARGIN - BETWEEN_TEXTS) / wide, 0.1 / high))
    mapped = ScalarMappable(Normalize(scale.low, scale.high), scale.colour_map)
    axes = figure.colorbar(mapped, cax=place, orientation="horizontal").ax
    axes.ticklabel_format(axis="x", scilimits=(-2, 3))
    axes.tick_params(labelsize=6)
    axes.xaxis.get_offset_text().set_fontsize(6)
    figure.text(MARGIN / wide, 0.07 / high, said, fontsize=7, parse_math=False)


def scale_of(found: Heatmaps) -> Scale:
    """Return the one scale of all maps; a cosine of 0 means nothing, so that theirs begins at the lowest."""
    return Scale.of([one.maps for one in found.models], from_zero=found.method != "cosine")


def score_of(found: Heatmaps, one: Heatmap, text: int) -> str:
    """Return what stands above the first map of a model and a text: its cosine, and its share of the texts."""
    said = f"cosine {one.cosines[text]:+.3f}"
    alone = len({*found.texts, *found.competing}) == 1
    return said if alone else f"{said}, {one.shares[text]:.0%} of the texts"


def caption(found: Heatmaps, scale: Scale) -> str:
    """Return what the colours are."""
    said = UNITS[found.method]
    if found.in_shares:
        said += ", each model in shares of its largest value"
    if found.method == "gradient":
        others = len({*found.texts, *found.competing}) - 1
        less = f"less the mean of {others} other text{'s' * (others > 1)}"
        said += f", {less}" if others else ", not centred: no other text to compare with"
    return f"{said}; red for the text, blue against it" if scale.centred else said


def short_name(model: str) -> str:
    """Return a model's name, of a path its last two parts, short enough for a margin."""
    name = "/".join(model.rstrip("/").split("/")[-2:])
    return plain(name if len(name) <= LONGEST else f"...{name[3 - LONGEST :]}")


def short(text: str, length: int) -> str:
    """Return a text in at most about `length` characters."""
    said, length = plain(text), max(length, 8)
    return said if len(said) <= length else f"{said[: length - 3]}..."


def plain(text: str) -> str:
    """Return text in one line, without control characters, as fonts have no picture of them."""
    return "".join(one if one.isprintable() else " " for one in text)
