"""Decoders: what one is, and how the text that names one becomes the function that reads a video.

A worker process is told where the code of its decoder is (`module:class` or `module:function`) and imports that alone.
Which plugin offers a decoder of which name is looked up in the process that reads (`maxi_core.video.decoders`).
"""

from __future__ import annotations

import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias, cast

from maxi_core.errors import LEAVING, UsageError, kind_and_words

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog, Offer
    from maxi_core.recipe.recipe import Setting
    from maxi_core.video.frames import Decoded

Choose: TypeAlias = Callable[[int, float | None], Sequence[Sequence[int]]]
Side: TypeAlias = int | None  # pixels of the shorter side; None: as in the file
FILE = ".py"  # what the "module" of a plugin that was loaded from a file ends with


class Decode(Protocol):
    """A function that opens a video and returns the chosen frames at every size that is asked for, RGB and upright.

    `sides` are the sizes: frames are made smaller, never larger, so that the shorter side has that many pixels (None:
    as they are). `choose` is told the number of frames between `start` and `end` (seconds, None for the ends of the
    file) and the average number of frames a second (that of `Decoded.info`, None if the file does not say); it returns
    for each of `sides` the indices of the frames that are wanted in this size, ascending and without repeats. It may be
    called again when the number turns out to be another, and it raises `VideoError` for a video that cannot serve the
    request. `Decoded.pixels` has one array for each of `sides`.

    Every frame is scaled from the decoded frame to each size by itself, never from a smaller copy, and what one size
    gets does not depend on which others are asked for: the pixels are those of a decode for this size alone. With
    `square_pixels`, a picture that is stored squeezed is shown in its true shape, else as it is stored. `threads` is 1
    in a worker process and 0, the decoder's own choice, elsewhere. Raises `VideoError` for a video that it cannot or
    will not read.
    """

    def __call__(
        self,
        path: Path,
        choose: Choose,
        sides: Sequence[Side] = (None,),
        *,
        start: float | None = None,
        end: float | None = None,
        square_pixels: bool = True,
        threads: int = 0,
    ) -> Decoded:
        """Decode one file, or one window of it."""
        ...


class Decoder(ABC):
    """A decoder that a plugin offers under a name.

    It is made without arguments, once in each process that decodes; a library that it needs is imported then. It has no
    options.
    """

    role: ClassVar[str] = "decoder"
    name: ClassVar[str]
    archives: ClassVar[bool] = False  # whether it opens videos in archives itself (`video.archives`)

    @abstractmethod
    def decode(
        self,
        path: Path,
        choose: Choose,
        sides: Sequence[Side] = (None,),
        *,
        start: float | None = None,
        end: float | None = None,
        square_pixels: bool = True,
        threads: int = 0,
    ) -> Decoded:
        """Decode one file, or one window of it, as `Decode` says."""

    @classmethod
    def about(cls) -> str:
        """Return what it decodes with, such as a library and its version, or that this is missing; for `maxi env`."""
        return ""


def load(target: str, name: str) -> Decode:
    """Import `module:function` or `module:class` and return the function; `name` is what an error calls the decoder.

    The module may also be the path of a Python file. Raises UsageError if there is no such thing.
    """
    module, _, attribute = target.rpartition(":")
    try:
        found = getattr(_imported(module), attribute)
        decoder = found() if isinstance(found, type) and issubclass(found, Decoder) else None
        decode = found if decoder is None else decoder.decode
    except (UsageError, *LEAVING):
        raise  # it says itself what is missing
    except BaseException as error:  # whatever a stranger's module or class raises
        what = " ".join(kind_and_words(error).split())
        raise UsageError(f"decoder '{name}' cannot be loaded ({what})", "use another --decoder") from error
    if not callable(decode):
        raise UsageError(f"decoder '{name}' is neither a function nor a Decoder", "use another --decoder")
    opens = decoder is not None and decoder.archives
    return cast(Decode, decode) if opens else _of_files(cast(Decode, decode))


def _of_files(decode: Decode) -> Decode:
    """Return a decoder that gets a path of its own for a video in an archive, which it cannot open."""

    @wraps(decode)
    def read(path: Path, *asked: Any, **more: Any) -> Decoded:
        from maxi_core.video.archives import as_file

        with as_file(path) as file:
            return decode(file, *asked, **more)

    return read


def _imported(module: str) -> object:
    if not module.endswith(FILE):
        return importlib.import_module(module)
    from maxi_core.recipe.plugin_files import import_file

    return import_file(Path(module))


# Which decoder a name means: one that a plugin offers, or any function by `module:function`.

ROLE = "decoder"


@dataclass(frozen=True, slots=True)
class Located:
    """A decoder as it is known on disk, `dist:name` and its distribution's version, and where its code is.

    `module:function` is its own name and has no version.
    """

    ref: str
    version: str
    target: str

    def load(self) -> Decode:
        """Import it and return its function; raises UsageError if it cannot be loaded."""
        return load(self.target, self.ref)


def look_up(name: str, catalog: Catalog | None = None) -> Located:
    """Return the decoder called `name`, out of all that is installed if there is no `catalog`; imports no decoder.

    Raises PluginError or UsageError in one line if there is none of that name, or more than one.
    """
    catalog = catalog or _installed()
    if is_code(name, catalog):
        if not all(name.rpartition(":")):
            raise UsageError(
                f"decoder '{name}' is not of the form module:function", "such as my_package.reading:decode"
            )
        return Located(name, "", name)
    offer = catalog.find(name, (ROLE,))
    return Located(offer.ref, offer.version, _target(offer))


def is_code(name: str, catalog: Catalog) -> bool:
    """Whether `name` is no plugin's decoder but `module:function`, any code at all."""
    dist, colon, _ = name.rpartition(":")
    return bool(colon) and not catalog.named(name) and dist not in {plugin.dist for plugin in catalog.plugins}


def refuse_untyped(settings: Sequence[Setting], untyped: Collection[Setting], catalog: Catalog) -> None:
    """Raise UsageError if the setting that decides the decoder names code and is one that nobody typed.

    Those are a maxi.toml that lies in the folder, the settled recipe of a run, and variables: none of them may make
    anybody run strange code.
    """
    said = [one for one in settings if (one.section, one.key) == ("video", "decoder")]
    if said and any(said[-1] is one for one in untyped) and is_code(name := str(said[-1].value), catalog):
        raise UsageError(
            f"{said[-1].origin} names code as the decoder, '{name}', and nobody typed that", f"type --decoder {name}"
        )


def _target(offer: Offer) -> str:
    """Return where the class of an offer is: its module, or its file where the plugin is one."""
    from maxi_core.recipe.plugin_files import PREFIX

    cls: type = offer.cls
    module = sys.modules[cls.__module__]
    place = str(module.__file__) if cls.__module__.startswith(PREFIX) else cls.__module__
    return f"{place}:{cls.__qualname__}"


@cache
def _installed() -> Catalog:
    from maxi_core.plugin.catalog import discover

    return discover()
