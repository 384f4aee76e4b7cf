"""How OpenMP's threads wait for each other."""

import os


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait, unless the environment says otherwise; call it before torch is there.

    By default they spin, and beside other processes each spins away the time that the others need to come to its help.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
