"""Files of tensors that other programs write, as named tensors that are read when they are wanted.

torch.save's two formats (a zip, and the older row of pickles), TorchScript's archives and safetensors. Nothing in them
is run, and nothing is unpacked to the disk.
"""

import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import UsageError
from maxi_core.interop.pickles import LARGEST, Node, Reader, Refused, Storage, View
from maxi_core.system.files import refuse_unreadable

if TYPE_CHECKING:
    from torch import Tensor, dtype

PICKLED, CODE = "data.pkl", "code/"  # in a zip of PyTorch; code is only in TorchScript's
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch.save before its zip
MOST = 20_000  # tensors of one file, and entries of one zip
BROKEN = (  # what zipfile, torch and Python raise for bytes that are not what they should be
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, MemoryError),
    *(zipfile.BadZipFile, struct.error),
)
RETRIEVE = "fetch the file again: downloads are sometimes cut"


@dataclass(frozen=True)
class Lazy:
    """A tensor in a file: its shape, and how it is read."""

    shape: tuple[int, ...]
    read: "Callable[[], Tensor]" = field(repr=False)


Lazies = Mapping[str, Lazy]


@dataclass(frozen=True)
class TensorFile:
    """What a file of tensors holds: `content` with views in place of tensors, and whether TorchScript wrote it."""

    path: Path
    content: Any
    scripted: bool
    load: "Callable[[View], Tensor]" = field(repr=False)

    def tensors(self, table: Any) -> dict[str, Lazy]:
        """Return the tensors of one table of `content` by name."""
        found = table.table if isinstance(table, Node) else table
        named = found.items() if isinstance(found, dict) else ()
        return {key: self._lazy(value) for key, value in named if isinstance(key, str) and isinstance(value, View)}

    def parameters(self) -> dict[str, Lazy]:
        """Return the tensors of a TorchScript module and of all modules in it, by dotted names."""
        found: dict[str, Lazy] = {}
        waiting, seen = [("", self.content)], 0
        while waiting and seen < MOST:
            prefix, module = waiting.pop()
            seen += 1
            for key, value in module.table.items() if isinstance(module, Node) else ():
                if isinstance(value, View):
                    found[f"{prefix}{key}"] = self._lazy(value)
                elif isinstance(value, Node):
                    waiting.append((f"{prefix}{key}.", value))
        return found

    def _lazy(self, view: View) -> Lazy:
        return Lazy(view.shape, lambda: self.load(view))


def read_torch(path: Path) -> TensorFile:
    """Read a file of torch.save or torch.jit.save; raises UsageError in one line for any other and for what is unsafe.

    Only what says which tensors there are is read at once; a tensor's numbers are read when it is wanted.
    """
    with _said(path):
        if zipfile.is_zipfile(path):
            return _zipped(path)
        with path.open("rb") as file:
            head = file.read(262)
        if head[257:262] == b"ustar":
            raise Refused(f"{path} is a tar, as PyTorch wrote before 2018", "write it anew with any PyTorch since 1.6")
        if head[:1] != b"\x80":
            raise UsageError(
                f"{path} is no file of PyTorch", "name a .pt, .pth, .bin or .safetensors file, or a folder"
            )
        return _row_of_pickles(path)


def read_safetensors(path: Path) -> dict[str, Lazy]:
    """Return the tensors of a safetensors file; raises UsageError if it is none, or damaged."""
    from safetensors import safe_open

    def reading(key: str) -> "Callable[[], Tensor]":
        def read() -> "Tensor":
            with safe_open(path, framework="pt") as file:
                tensor: Tensor = file.get_tensor(key)
            return tensor

        return read

    with _said(path), safe_open(path, framework="pt") as file:
        return {key: Lazy(tuple(file.get_slice(key).get_shape()), reading(key)) for key in file.keys()}  # noqa: SIM118


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Turn what a broken file raises into an error of one line."""
    from safetensors import SafetensorError

    refuse_unreadable(path)
    try:
        yield
    except (*BROKEN, SafetensorError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise UsageError(f"{path} cannot be read: {why}", RETRIEVE) from None


# A zip of PyTorch: <any name>/data.pkl, and beside it data/<key> for each storage, not compressed.


def _zipped(path: Path) -> TensorFile:
    with zipfile.ZipFile(path) as file:
        root = _root(path, file.namelist())
        scripted = any(name.startswith(f"{root}{CODE}") for name in file.namelist())
        if f"{root}byteorder" in file.namelist() and _entry(path, file, f"{root}byteorder", 20) != b"little":
            raise Refused(f"{path} was written on a big-endian machine", "write it anew on another")
        content, _ = Reader(str(path), scripted).read(_entry(path, file, f"{root}{PICKLED}", LARGEST))

    def load(view: View) -> "Tensor":
        size = view.storage.count * _kind(view.storage).itemsize
        with _said(path), zipfile.ZipFile(path) as again:
            return _viewed(view, bytearray(_entry(path, again, f"{root}data/{view.storage.key}", None, size)))

    return TensorFile(path, content, scripted, load)


def _root(path: Path, names: list[str]) -> str:
    """Return the folder in a zip of PyTorch; raises Refused for names that lead out, or come twice."""
    odd = [name for name in names if name.startswith("/") or "\\" in name or ".." in name.split("/")]
    if odd:
        raise Refused(f"{path} has an entry that leads out of it ({ascii(odd[0])[:80]})", RETRIEVE)
    if len(set(names)) < len(names) or len(names) > MOST:
        raise Refused(f"{path} has {len(names):,} entries, or one of them twice", RETRIEVE)
    roots = [name.removesuffix(PICKLED) for name in names if name.count("/") == 1 and name.endswith(f"/{PICKLED}")]
    if len(roots) != 1:
        raise UsageError(f"{path} is a zip, and none of PyTorch", "name the file of weights in it")
    return roots[0]


def _entry(path: Path, file: zipfile.ZipFile, name: str, most: int | None, least: int = 0) -> bytes:
    """Return an entry of `least` to `most` bytes (None: no more than the file has) that is stored as it is."""
    entry = file.NameToInfo.get(name)
    if entry is None or entry.file_size < least:
        raise UsageError(f"{path} has no numbers for one of its tensors ({ascii(name)[:80]})", RETRIEVE)
    if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
        raise Refused(f"{path} has its tensors packed or encrypted, as PyTorch never writes them", RETRIEVE)
    if entry.file_size > (path.stat().st_size if most is None else most):
        raise Refused(f"{path} says of {ascii(name)[:80]} that it has {entry.file_size:,} bytes", RETRIEVE)
    return file.read(entry)


# The older format: the pickles of a magic number, a protocol, the machine, the content and the keys of all storages,
# then the storages in the order of their keys, each a count and its numbers.


def _row_of_pickles(path: Path) -> TensorFile:
    reader, place, values = Reader(str(path)), 0, []
    with path.open("rb") as file:
        for _ in range(5):
            file.seek(place)
            value, length = reader.read(file.read(LARGEST))
            values.append(value)
            place += length
            if len(values) == 1 and value != MAGIC:
                raise UsageError(f"{path} is a pickle, and none of torch.save", "name a file that torch.save wrote")
        _, protocol, machine, content, keys = values
        if protocol != PROTOCOL or not isinstance(keys, list) or not isinstance(machine, dict):
            raise UsageError(f"{path} is of an unknown format of PyTorch", "write it anew with any PyTorch since 1.6")
        if machine.get("little_endian") is not True:
            raise Refused(f"{path} was written on a big-endian machine", "write it anew on another")
        kinds = {storage.key: storage for storage in reader.storages}
        places: dict[str, int] = {}
        for key in keys:
            file.seek(place)
            count = int.from_bytes(file.read(8), "little")
            storage = kinds.get(key) if isinstance(key, str) else None
            if storage is None or count < storage.count:
                raise UsageError(f"{path} has no numbers for one of its tensors", RETRIEVE)
            places[key] = place + 8
            place += 8 + count * _kind(storage).itemsize
            if place > path.stat().st_size:
                raise UsageError(f"{path} ends before its last tensor does", RETRIEVE)

    def load(view: View) -> "Tensor":
        if view.storage.key not in places:
            raise UsageError(f"{path} has no numbers for one of its tensors", RETRIEVE)
        with _said(path), path.open("rb") as again:
            again.seek(places[view.storage.key])
            return _viewed(view, bytearray(again.read(view.storage.count * _kind(view.storage).itemsize)))

    return TensorFile(path, content, scripted=False, load=load)


def _viewed(view: View, numbers: bytearray) -> "Tensor":
    """Return the tensor that a view is of the numbers of its storage, a copy of its own."""
    import torch

    if 0 in view.shape:
        return torch.empty(view.shape, dtype=_kind(view.storage))
    whole = torch.frombuffer(numbers, dtype=_kind(view.storage), count=view.storage.count)
    return whole.as_strided(view.shape, view.stride, view.offset).clone()


def _kind(storage: Storage) -> "dtype":
    import torch

    kind = storage.kind.removesuffix("Storage").lower()
    named: dtype = getattr(torch, {"char": "int8", "byte": "uint8"}.get(kind, kind))
    return named
