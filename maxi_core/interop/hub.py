"""The hub's client where the hub is away: of itself it tries 23 seconds for each file, also for one in its cache."""

from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0  # seconds for any answer at all


@contextmanager
def offline_if_away() -> Iterator[str]:
    """Take the client offline while the hub cannot be reached; yield why it is, "" where it is not or was already."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or _answers(constants.ENDPOINT):
        yield ""
        return
    constants.HF_HUB_OFFLINE = True
    try:
        yield f"{constants.ENDPOINT} cannot be reached"
    finally:
        constants.HF_HUB_OFFLINE = False


def _answers(url: str) -> bool:
    """Whether a server says anything, were it that it has no such page; proxies of the environment are used."""
    from huggingface_hub import get_session

    try:
        get_session().head(url, timeout=PATIENCE)
    except Exception:  # of the HTTP library that this release of the client has
        return False
    return True
