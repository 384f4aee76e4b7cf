"""The raw maps, as NumPy's .npz: for figures of one's own."""

from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.heatmaps.heatmap import Heatmaps
from maxi_core.heatmaps.region import seen_box
from maxi_core.system.files import whole_file


def write_raw(found: Heatmaps, path: Path) -> None:
    """Write what was found, without pickles: `texts`, `competing`, `models`, `method`, `frames`, `indices`, and of each
    model M `maps_M` (K, T, rows, columns), `cosines_M` (K,), `shares_M` (K,), `box_M` (top, left, bottom, right in
    pixels of `frames`).
    """
    arrays: dict[str, Any] = {
        "method": found.method,
        "texts": np.array(found.texts),
        "competing": np.array(found.competing, dtype=str),
        "models": np.array([one.model for one in found.models]),
        "frames": found.frames,
        "indices": np.array(found.indices),
    }
    height, width = found.frames.shape[1:3]
    for place, one in enumerate(found.models):
        arrays |= {f"maps_{place}": one.maps, f"cosines_{place}": one.cosines, f"shares_{place}": one.shares}
        arrays[f"box_{place}"] = np.array(seen_box(height, width, one.image_size))
    with whole_file(path) as file:
        np.savez_compressed(file, **arrays)
