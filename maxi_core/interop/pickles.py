"""The one reader of pickles: an interpreter of opcodes that imports nothing and runs nothing.

A pickle is a program for a small stack machine. What it may do here is to put together plain values, the tensors of
PyTorch and tables of settings that a few libraries write as objects of their own; those become dicts. Whatever else it
names is refused when it is named, before anything is done with it.
"""

import io
import pickletools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from maxi_core.errors import UsageError

LARGEST = 4 << 20  # bytes of one pickle, whose tensors lie elsewhere; also what calls may copy in all
DIMENSIONS = 16  # of a tensor
FIX = "have its owner save the weights alone: torch.save(model.state_dict(), FILE)"


class Refused(UsageError):  # noqa: N818 (what it is, not that something broke)
    """A file holds what maxi does not read."""


@dataclass(frozen=True, eq=False)
class Name:
    """Something that a pickle names, `module` and `name`: never looked up, only compared."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False)
class Node:
    """An object as a table: the `name` of its class, and its attributes and items."""

    name: Name
    table: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Storage:
    """The numbers that tensors look at: `kind` (as `FloatStorage`), the `key` under which they lie, and how many."""

    kind: str
    key: str
    count: int


@dataclass(frozen=True, eq=False)
class View:
    """A tensor: where in a storage it begins, its shape and its strides, in numbers and not in bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


MARK = object()

# Tables of settings that people keep beside weights, by the class that wrote them.
NODES = {
    ("yacs.config", "CfgNode"),
    ("fvcore.common.config", "CfgNode"),
    ("detectron2.config.config", "CfgNode"),
    ("argparse", "Namespace"),
    ("types", "SimpleNamespace"),
    ("easydict", "EasyDict"),
    ("dotmap", "DotMap"),
    ("addict.addict", "Dict"),
    ("mmengine.config.config", "ConfigDict"),
    ("mmcv.utils.config", "ConfigDict"),
}
STORAGES = {
    *("DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage"),
    *("CharStorage", "ByteStorage", "BoolStorage"),
}
NUMBERS = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "i2": "h", "i1": "b", "u1": "B", "b1": "?"}


def _tensor(storage: Any, offset: Any, shape: Any, stride: Any, *_: Any) -> View:
    if not isinstance(storage, Storage) or not len(shape) == len(stride) <= DIMENSIONS:
        raise ValueError("a tensor that is none")
    if not all(map(_is_count, (offset, *shape, *stride))):
        raise ValueError("a tensor of odd shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.count:
        raise ValueError("a tensor that is larger than its storage")
    return View(storage, offset, tuple(shape), tuple(stride))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _first(value: Any, *_: Any) -> Any:
    return value


def _sequence(items: Any = (), *_: Any) -> Any:
    return items if isinstance(items, list | tuple) else ()


def _table(*args: Any) -> dict[Any, Any]:
    """Return the dict of an OrderedDict, which early Pythons made of a list of pairs, or a defaultdict."""
    pairs = args[-1] if args and isinstance(args[-1], list | tuple) else ()
    table: dict[Any, Any] = _filled({}, [one for key, value in pairs for one in (key, value)])
    return table


def _number(kind: Any, content: Any) -> Any:
    """Return a number of numpy as Python's own."""
    letter = NUMBERS.get(str(kind.table.get("kind")), "") if isinstance(kind, Node) else ""
    return struct.unpack(f"<{letter}", content)[0] if letter else None


def _kind(said: Any, *_: Any) -> Node:
    return Node(Name("numpy", "dtype"), {"kind": said})


def _bytes(text: Any = "", *_: Any) -> bytes:
    return text.encode("latin1") if isinstance(text, str) else b""


def _path(*parts: Any) -> str:
    return "/".join(map(str, parts)).replace("//", "/")


# What may be called, and what stands for it: each makes a plain value of plain values.
CALLS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch.nn.parameter", "Parameter"): _first,
    ("torch", "Size"): _sequence,
    ("torch", "device"): _path,
    ("collections", "OrderedDict"): _table,
    ("collections", "defaultdict"): _table,
    ("collections", "Counter"): _first,
    **{(module, kind): _sequence for module in ("builtins", "__builtin__") for kind in ("set", "frozenset")},
    ("_codecs", "encode"): _bytes,
    **{(f"numpy.{core}.multiarray", "scalar"): _number for core in ("core", "_core")},
    ("numpy", "dtype"): _kind,
    **{("pathlib", f"{pure}{kind}Path"): _path for pure in ("", "Pure") for kind in ("Posix", "Windows", "")},
    # TorchScript's own
    **{("torch.jit._pickle", f"build_{kind}list"): _sequence for kind in ("int", "tensor", "double", "bool")},
    ("torch.jit._pickle", "restore_type_tag"): _first,
}
# What may be named and is never called: types of numbers, layouts, kinds of containers.
WORDS = {
    *(("torch", kind) for kind in STORAGES),
    *(
        ("torch", f"{kind}{bits}")
        for kind, many in (("float", (16, 32, 64)), ("int", (8, 16, 32, 64)))
        for bits in many
    ),
    *(("torch", kind) for kind in ("bfloat16", "uint8", "bool", "strided", "contiguous_format", "preserve_format")),
    *((module, kind) for module in ("builtins", "__builtin__") for kind in ("dict", "list", "int", "float", "object")),
}
SCRIPTED = "__torch__"  # TorchScript's classes, which are tables of parameters


@dataclass
class Reader:
    """Reads the pickles of one `file` (its name, for messages); `scripted` allows TorchScript's classes."""

    file: str
    scripted: bool = False
    left: int = LARGEST  # of what calls may copy: a value in the memo can be named again and again
    storages: list[Storage] = field(default_factory=list)

    def read(self, data: bytes) -> tuple[Any, int]:
        """Return the value of the first pickle in `data`, and how many bytes it takes; raises Refused for any other."""
        try:
            return self._run(io.BytesIO(data[:LARGEST]))
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, struct.error) as error:
            why = "it is cut or no pickle" if isinstance(error, LookupError) else " ".join(str(error).split())[:120]
            raise Refused(f"{self.file} holds a pickle that cannot be read: {why}", FIX) from None

    def _run(self, stream: io.BytesIO) -> tuple[Any, int]:
        stack: list[Any] = []
        memo: dict[int, Any] = {}
        argument: Any
        for opcode, argument, _ in pickletools.genops(stream):
            name = opcode.name
            if name == "STOP":
                return stack.pop(), stream.tell()
            if name in PLAIN:
                stack.append(argument)
            elif name in CONSTANTS:
                stack.append(CONSTANTS[name]())
            elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
                memo[len(memo) if argument is None else int(argument)] = stack[-1]
            elif name in ("GET", "BINGET", "LONG_BINGET"):
                stack.append(memo[int(argument)])
            elif name not in ("PROTO", "FRAME"):
                self._step(name, argument, stack)
        raise ValueError("it has no end")

    def _step(self, name: str, argument: Any, stack: list[Any]) -> None:
        """Do one of the opcodes that work on what is on the stack."""
        if name in STEPS:
            STEPS[name](stack)
        elif name in ("GLOBAL", "STACK_GLOBAL"):
            module, attribute = argument.split(" ", 1) if name == "GLOBAL" else (stack.pop(-2), stack.pop())
            stack.append(self._named(module, attribute))
        elif name in ("REDUCE", "NEWOBJ"):
            args, what = stack.pop(), stack.pop()
            stack.append(self._made(what, args, name))
        elif name == "BUILD":
            state = stack.pop()
            self._build(stack[-1], state)
        elif name in ("BINPERSID", "PERSID"):
            stack.append(self._stored(stack.pop() if name == "BINPERSID" else argument))
        else:
            raise Refused(f"{self.file} asks for a step of pickles that maxi does not take ({name})", FIX)

    def _named(self, module: Any, name: Any) -> Name:
        """Return what is named if it may be; raises Refused for anything else."""
        key = (module, name)
        known = isinstance(module, str) and isinstance(name, str) and (key in CALLS or key in NODES or key in WORDS)
        scripted = self.scripted and isinstance(module, str) and module.partition(".")[0] == SCRIPTED
        if not known and not scripted and key not in MAKERS:
            said = f"{module}.{name}"[:80]
            raise Refused(
                f"{self.file} names {said if said.isprintable() else ascii(said)}, which is no tensor, plain value or "
                "table of settings, and is not read: a pickle can run programs",
                FIX,
            )
        return Name(module, name)

    def _made(self, what: Any, args: Any, opcode: str) -> Any:
        """Return what a call makes; nothing is called but what stands in CALLS."""
        if not isinstance(what, Name) or not isinstance(args, tuple):
            raise ValueError("a call of what has no name")
        key = (what.module, what.name)
        self._charge(*args)
        if key in MAKERS and args and isinstance(args[0], Name):
            what, key = args[0], (args[0].module, args[0].name)
        elif key in CALLS and opcode == "REDUCE":
            return CALLS[key](*args)
        if key in NODES or what.module.partition(".")[0] == SCRIPTED:
            return Node(what)
        if key in CALLS:  # as an object of a class: a dict or a number of a class of one's own
            return CALLS[key](*args)
        raise ValueError(f"a call of {what}")

    def _build(self, what: Any, state: Any) -> None:
        """Give an object its attributes; those of a dict or tensor are notes of PyTorch and are left out."""
        if isinstance(what, Node):
            parts = [part for part in (state if isinstance(state, tuple) else (state,)) if isinstance(part, dict)]
            self._charge(state, *parts)
            for part in parts:
                what.table |= part
        elif not isinstance(what, dict | View):
            raise ValueError("attributes of what has none")

    def _charge(self, *values: Any) -> None:
        """Count what is copied of values; raises ValueError where a small file would become a large one."""
        self.left -= sum(len(value) for value in values if isinstance(value, list | tuple | dict | str | bytes))
        if self.left < 0:
            raise ValueError("it makes far more of itself than it holds")

    def _stored(self, said: Any) -> Storage:
        """Return the storage that a persistent id means; raises Refused for any other id."""
        if isinstance(said, tuple) and len(said) >= 5 and said[0] == "storage":
            _, kind, key, _, count, *view = said
            whole = isinstance(kind, Name) and kind.module == "torch" and kind.name in STORAGES and not any(view)
            if whole and isinstance(key, str) and _is_count(count):
                self.storages.append(Storage(kind.name, key, count))
                return self.storages[-1]
        what = said[0] if isinstance(said, tuple) and said and isinstance(said[0], str) else type(said).__name__
        raise Refused(f"{self.file} refers to something outside of it ({what[:40]!a}), and no tensor's storage", FIX)


# Makers of objects whose class is their first argument.
MAKERS = {
    *(("copyreg", name) for name in ("_reconstructor", "__newobj__")),
    *(("copy_reg", name) for name in ("_reconstructor", "__newobj__")),
}
PLAIN = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING"),
    *("SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES"),
    *("BINBYTES8", "BYTEARRAY8"),
}
CONSTANTS: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_TUPLE": tuple,
    "EMPTY_LIST": list,
    "EMPTY_SET": list,
    "EMPTY_DICT": dict,
}


def _since_mark(stack: list[Any]) -> list[Any]:
    for place in range(len(stack) - 1, -1, -1):
        if stack[place] is MARK:
            items = stack[place + 1 :]
            del stack[place:]
            return items
    raise ValueError("items without a beginning")


def _extended(stack: list[Any], items: list[Any]) -> None:
    if not isinstance(stack[-1], list):
        raise ValueError("items of what is no list")
    stack[-1].extend(items)


def _put_in(stack: list[Any], items: list[Any]) -> None:
    _filled(stack[-1], items)


def _tuple_of(count: int, stack: list[Any]) -> None:
    stack[-count:] = [tuple(stack[-count:])]


def _filled(what: Any, items: list[Any]) -> Any:
    """Put keys and values that alternate into a dict or a table; keys are plain values, as any other may be costly."""
    table = what.table if isinstance(what, Node) else what
    if not isinstance(table, dict) or len(items) % 2:
        raise ValueError("items of what is no table")
    for key, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str | int | float | bytes | None):
            raise ValueError("a table whose keys are no plain values")
        table[key] = value
    return what


# Opcodes that move what is on the stack, or put it together.
STEPS: Mapping[str, Callable[[list[Any]], Any]] = {
    "MARK": lambda stack: stack.append(MARK),
    "POP": lambda stack: stack.pop(),
    "DUP": lambda stack: stack.append(stack[-1]),
    "POP_MARK": _since_mark,
    "LIST": lambda stack: stack.append(_since_mark(stack)),
    "DICT": lambda stack: stack.append(_filled({}, _since_mark(stack))),
    **dict.fromkeys(("TUPLE", "FROZENSET"), lambda stack: stack.append(tuple(_since_mark(stack)))),
    **{f"TUPLE{count}": partial(_tuple_of, count) for count in (1, 2, 3)},
    "APPEND": lambda stack: _extended(stack, [stack.pop()]),
    **dict.fromkeys(("APPENDS", "ADDITEMS"), lambda stack: _extended(stack, _since_mark(stack))),
    "SETITEM": lambda stack: _put_in(stack, [stack.pop(-2), stack.pop()]),
    "SETITEMS": lambda stack: _put_in(stack, _since_mark(stack)),
}


def found(value: Any, *path: str) -> Any:
    """Return what lies at a path of keys through dicts and tables of settings, None if nothing does."""
    for key in path:
        table = value.table if isinstance(value, Node) else value
        value = table.get(key) if isinstance(table, dict) else None
    return value
