"""Figures that look the same everywhere: nothing that lies in the folder decides how matplotlib draws."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def own_settings(size: float = 10.0) -> Iterator[None]:
    """Hold matplotlib to its own defaults, with letters of `size` points: a `matplotlibrc` may have it run latex."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["font.size"] = size
        mpl.rcParams["svg.hashsalt"] = "maxi"  # the same file each time
        mpl.rcParams["text.parse_math"] = False  # a $ in a name is a $
        yield
