"""The loss curve as a picture: every step in grey, the running mean in colour."""

from collections.abc import Sequence
from pathlib import Path

from maxi_core.errors import MaxiError
from maxi_core.training.metrics import read_metrics

WIDTH, HEIGHT, MARGIN = 720, 360, 48
INK, GREY, BLUE = (60, 60, 60), (200, 200, 200), (31, 100, 180)
SMOOTH = 0.05  # of all steps go into each point of the running mean


def draw_curve(metrics: Path, picture: Path) -> None:
    """Draw the losses of a metrics file into a PNG of 720 x 360 pixels; nothing if there are fewer than two.

    Raises MaxiError if the picture cannot be written.
    """
    from PIL import Image, ImageDraw

    records = [record for record in read_metrics(metrics) if not record.get("skipped") and "loss" in record]
    if len(records) < 2:
        return
    steps, losses = [record["step"] for record in records], [record["loss"] for record in records]
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    pen = ImageDraw.Draw(image)
    low = min(losses)
    high = max(*losses, low + 1e-9)

    def places(values: Sequence[float]) -> list[tuple[float, float]]:
        across, up = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
        first, last = steps[0], max(steps[-1], steps[0] + 1)
        return [
            (MARGIN + across * (step - first) / (last - first), HEIGHT - MARGIN - up * (value - low) / (high - low))
            for step, value in zip(steps, values, strict=True)
        ]

    pen.rectangle((MARGIN, MARGIN, WIDTH - MARGIN, HEIGHT - MARGIN), outline=GREY)
    pen.line(places(losses), fill=GREY, width=1)
    pen.line(places(running_mean(losses, max(1, round(SMOOTH * len(losses))))), fill=BLUE, width=2)
    for text, place in (
        (f"{high:.3g}", (6, MARGIN - 6)),
        (f"{low:.3g}", (6, HEIGHT - MARGIN - 6)),
        (f"step {steps[0]}", (MARGIN, HEIGHT - MARGIN + 8)),
        (f"{steps[-1]}", (WIDTH - MARGIN - 30, HEIGHT - MARGIN + 8)),
        ("loss", (MARGIN, MARGIN - 18)),
    ):
        pen.text(place, text, fill=INK)
    try:
        image.save(picture)
    except OSError as error:
        raise MaxiError(f"cannot write {picture}: {error.strerror or error}", "make room there") from error


def running_mean(values: Sequence[float], over: int) -> list[float]:
    """Return the mean of each value and the `over` - 1 before it, as far as there are any."""
    sums = [0.0]
    for value in values:
        sums.append(sums[-1] + value)
    return [(sums[i + 1] - sums[max(0, i + 1 - over)]) / min(over, i + 1) for i in range(len(values))]
