"""Files in memory at the addresses of an object store, for tests that need no server."""

import hashlib
from pathlib import Path

from fsspec.implementations.memory import MemoryFileSystem


class Bucket(MemoryFileSystem):
    """fsspec's files in memory, at the addresses of S3; it notes what is fetched and written, and may refuse it."""

    store: dict[str, object] = {}  # noqa: RUF012 (as fsspec has it)
    pseudo_dirs = [""]  # noqa: RUF012
    protocol = ("s3",)
    fetched: list[str] = []  # noqa: RUF012
    written: list[str] = []  # noqa: RUF012
    refuses: tuple[str, ...] = ()

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **kwargs: object) -> bytes:
        self.fetched.append(path.rpartition("/")[2])
        return bytes(super().cat_file(path, start, end, **kwargs))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **kwargs: object) -> None:
        if any(part in path for part in self.refuses):
            raise ConnectionError("no route")
        self.written.append(path.rpartition("/")[2])
        super().pipe_file(path, value, mode, **kwargs)

    def put_file(self, lpath: str, rpath: str, **_: object) -> None:
        self.pipe_file(rpath, Path(lpath).read_bytes())

    def get_file(self, rpath: str, lpath: str, **_: object) -> None:
        Path(lpath).write_bytes(self.cat_file(rpath))

    def info(self, path: str, **kwargs: object) -> dict[str, object]:
        found: dict[str, object] = super().info(path, **kwargs)
        tag = {} if found["type"] == "directory" else {"ETag": hashlib.sha256(super().cat_file(path)).hexdigest()}
        return found | tag

    def find(self, path: str, maxdepth: int | None = None, withdirs: bool = False, **kwargs: object) -> object:
        names = super().find(path, maxdepth, withdirs)
        return {name: self.info(name) for name in names} if kwargs.get("detail") else names
