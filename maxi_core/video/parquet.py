"""Parquet tables with a column of videos, as data sets on the Hub have them."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any, BinaryIO

from maxi_core.errors import UsageError
from maxi_core.system.remote import as_path

VIDEO = ("video", "mp4", "video_bytes", "bytes", "clip", "webm", "avi", "mkv", "mov", "content", "data")
KEY = ("__key__", "id", "key", "video_id", "video_path", "path", "file_name", "filename", "name")


class Parquet:
    """A table with a column of bytes, or of bytes and a path; places are (row group, row in it).

    A video is named by a column of ids (`KEY`), or by the path beside its bytes, where these are all different, else
    by the number of its row. Raises UsageError for a file that is no such table, and where pyarrow is missing.
    """

    only_videos = True

    def __init__(self, path: str, changed: int | str) -> None:
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            raise UsageError(f"{path} needs pyarrow, which is not installed", "pip install 'maxi[data]'") from None
        self._path, self._changed = path, changed
        try:
            with as_path(path).open("rb") as data, pq.ParquetFile(data) as file:
                self._column = _video_column(path, file.schema_arrow, pa)
                sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
                names = _names(file, self._column, pa) or [str(row) for row in range(sum(sizes))]
        except (pa.ArrowException, OSError) as error:
            raise UsageError(f"{path} cannot be read as Parquet: {error}", "get it again") from error
        rows = ((group, row) for group, size in enumerate(sizes) for row in range(size))
        self.places = dict(zip(names, rows, strict=True))

    def open(self, name: str, place: tuple[int, int]) -> BinaryIO:
        """Open one cell; the row group that it is in is read, and kept for the next."""
        group, row = place
        return _Cell(_group(self._path, self._changed, self._column, group)[row].as_py() or b"", name)


class _Cell(io.BytesIO):
    """The bytes of a cell, as a file with a name."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


def _video_column(path: str, schema: Any, arrow: Any) -> str:
    """Return the path of the column with the bytes, as Parquet writes it: `mp4`, or `video.bytes`."""
    found: dict[str, str] = {}
    for field in schema:
        inner = field.type.get_field_index("bytes") if arrow.types.is_struct(field.type) else -1
        if _is_bytes(field.type, arrow):
            found[field.name] = field.name
        elif inner >= 0 and _is_bytes(field.type.field(inner).type, arrow):
            found[field.name] = f"{field.name}.bytes"
    known = [name for name in VIDEO if name in found]
    if not known and len(found) != 1:
        what = f"its columns {', '.join(found)} could all be" if found else "none of its columns has the bytes of"
        raise UsageError(f"{path}: {what} videos ({', '.join(schema.names)})", "call the one with the bytes 'video'")
    name: str = found[known[0]] if known else next(iter(found.values()))
    return name


def _is_bytes(kind: Any, arrow: Any) -> bool:
    return bool(arrow.types.is_binary(kind) or arrow.types.is_large_binary(kind))


def _names(file: Any, column: str, arrow: Any) -> list[str] | None:
    """Return what the videos are called, or None if nothing names each by itself."""
    schema = file.schema_arrow
    of_text = [name for name in KEY if name in schema.names and _is_name(schema.field(name).type, arrow)]
    beside = column.removesuffix("bytes") + "path" if column.endswith(".bytes") else None
    for key in [*of_text, *([beside] if beside else [])]:
        table = file.read(columns=[key])
        if not table.num_columns:
            continue
        cells = table.column(0).combine_chunks()
        said = (cells.field("path") if key == beside else cells).to_pylist()
        names = [str(cell).strip("/") for cell in said if cell is not None]
        if len(names) == table.num_rows == len({*names}) and all(map(_is_path, names)):
            return names
    return None


def _is_name(kind: Any, arrow: Any) -> bool:
    return bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind) or arrow.types.is_integer(kind))


def _is_path(name: str) -> bool:
    return "\0" not in name and not {"", ".", ".."} & {*name.split("/")}


@lru_cache(maxsize=1)
def _group(path: str, _changed: int | str, column: str, group: int) -> Any:
    import pyarrow.parquet as pq

    with as_path(path).open("rb") as data, pq.ParquetFile(data) as file:
        found = file.read_row_group(group, columns=[column]).column(0).combine_chunks()
    return found.field("bytes") if column.endswith(".bytes") else found
