"""What people call the columns of their tables: one set of names for lists of videos, labels and classes."""

from collections.abc import Sequence
from functools import lru_cache

from maxi_core.texts import name_key

# keys as `name_key` makes them, so `Class Name`, `class_name` and `className` are one; the first that is there counts
VIDEO = (
    *("path", "video", "file", "filename", "filepath", "videopath", "videofile", "videoname"),
    *("clippath", "clipfile", "clipname", "originalvideofilename", "videoid"),
)
NAME = (
    *("template", "name", "classname", "labelname", "actionname", "categoryname", "displayname"),
    *("label", "class", "action", "category", "activity"),
    *("names", "labels", "classes", "actions", "categories", "activities"),
)
NUMBER = ("id", "classid", "labelid", "actionid", "index", "idx", "classindex", "number")
YOUTUBE = ("youtubeid", "ytid")


def find_column(header: Sequence[str], called: Sequence[str]) -> int | None:
    """Return the place of the column that has the first of these names that any column has, or None."""
    keys = [name_key(cell) for cell in header]
    return next((keys.index(key) for key in called if key in keys), None)


@lru_cache
def list_columns(header: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns of a list of videos in lower case, whatever is its path called `path`."""
    names = [cell.strip().lower() for cell in header]
    place = find_column(names, VIDEO)
    if place is not None:
        names[place] = "path"
    return tuple(names)
