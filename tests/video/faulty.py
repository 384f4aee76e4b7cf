"""Decoders that misbehave on videos of certain names, imported by name in the worker processes."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np

from maxi_core.video.decoders import Choose
from maxi_core.video.frames import Decoded


def decode(path: Path, choose: Choose, **asked: Any) -> Decoded:
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
    elif "print" in name:
        print("between the answers", flush=True)
    elif "wrong" in name:
        return Decoded(np.zeros((1, 2, 2, 3), np.float32), 30)  # type: ignore[arg-type]
    elif "slow" in name:
        time.sleep(0.3)
    return Decoded(np.zeros((len(choose(30)), 16, 20, 3), np.uint8), 30, 30)


NOT_A_FUNCTION = 7
