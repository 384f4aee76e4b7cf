"""The cores that this process has, and how OpenMP's threads wait for each other."""

import os


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise; call it before torch is there.

    By default they spin, and beside other processes each spins away the time that the others need to come to its help.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def own_cores() -> int:
    """Return how many cores this process may use; 1 where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
