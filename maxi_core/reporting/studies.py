"""The part of a report that is of a study: its tables, the differences from the base as a chart, what is not done."""

from pathlib import Path

from maxi_core.reporting.part import Part
from maxi_core.studies.formats import differences, grids, remarks
from maxi_core.studies.results import DEVIATION, INTERVAL, read_record


def study_part(folder: Path) -> Part:
    """Read the results of a study (or a study.json); raises UsageError for what is none."""
    results = read_record(folder)
    states = [line.state for line in results.lines]
    base = next((line.title for line in results.lines if line.name == results.base), results.base)
    return Part(
        {
            "kind": "study",
            "name": results.title or results.name,
            "folder": str(folder),
            "base": base,
            "seeds": list(results.seeds),
            "states": [(state, states.count(state)) for state in dict.fromkeys(states)],
            "complete": results.complete,
            "tables": [(title, grid.columns, grid.rows) for title, grid in grids(results)],
            "differences": differences(results),
            "remarks": [*remarks(results), f"deviation: {DEVIATION}", f"interval: {INTERVAL}"],
            "variants": [(line.title, line.models, line.scores) for line in results.lines],
        }
    )
