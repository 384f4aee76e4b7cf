"""The hub's client as these tests set it up: without a network, at a hub on the loopback interface."""

import pytest


def point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client use this hub, as HF_ENDPOINT does for a process that begins."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")
