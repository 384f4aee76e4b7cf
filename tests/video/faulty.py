"""Decoders that misbehave on videos of certain names, imported by name in the worker processes."""

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.video.decoders import Choose, Side
from maxi_core.video.frames import Decoded


class Odd(BaseException):
    """An error that is no Exception."""


def decode(path: Path, choose: Choose, sides: Sequence[Side], **asked: Any) -> Decoded:
    """Return black frames, except for names that say what is to go wrong."""
    name = path.name
    if "crash-once" in name:
        mark = path.with_suffix(".tried")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGSEGV)
    elif "crash" in name:
        os.kill(os.getpid(), signal.SIGSEGV)
    elif "hang" in name:
        time.sleep(600)
    elif "raise" in name:
        raise RuntimeError("a stranger's\nmistake")
    elif "leave" in name:
        sys.exit(0)
    elif "odd" in name:
        raise Odd("of an odd kind")
    elif "print" in name:
        print("between the answers", flush=True)
    elif "wrong" in name:
        return Decoded((np.zeros((1, 2, 2, 3), np.float32),), 30)
    elif "slow" in name:
        time.sleep(0.3)
    wanted = choose(30, None)
    return Decoded(tuple(np.zeros((len(part), 16, 20, 3), np.uint8) for part in wanted), 30, 30)


def sloppy(path: Path, choose: Choose, sides: Sequence[Side], **asked: Any) -> Any:
    """Return what a decoder must not return, by the name of the file."""
    black = tuple(np.zeros((len(part), 2, 2, 3), np.uint8) for part in choose(30, None))
    return {
        "old": Decoded(black[0], 30),  # type: ignore[arg-type]
        "few": Decoded(black[:1], 30),
        "short": Decoded((black[0][:3], black[1]), 30),
        "number": Decoded(black, np.int64(30)),  # type: ignore[arg-type]
        "info": Decoded(black, 30, info="h264"),  # type: ignore[arg-type]
    }[path.name]


NOT_A_FUNCTION = 7
