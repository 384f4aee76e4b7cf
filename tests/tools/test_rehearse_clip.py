"""Fetching a CLIP that open_clip names from a hub on the loopback interface: whole, missing, cut short, away."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from open_clip import factory, pretrained

from maxi_core.clip.loading import load_model
from maxi_core.clip.naming import CONFIG, WEIGHTS
from maxi_core.errors import MaxiError
from tests.clip.tiny_clip import MEAN, STD, build, config, write
from tests.tools.client import point_at
from tools.rehearse.hub import Hub, serving, write_repository

NAME = "someone/tiny"
MODEL = "tiny-of-tests/someone"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cache = tmp_path_factory.mktemp("hub")
    write_repository(cache, NAME, lambda folder: write(folder, seed=3))
    return cache


@pytest.fixture
def hub(there: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """Serve a tiny CLIP, which open_clip knows by name as it knows those of its list."""
    known = {"someone": pretrained._pcfg(hf_hub=f"{NAME}/", mean=MEAN, std=STD)}
    monkeypatch.setitem(pretrained._PRETRAINED, "tiny-of-tests", known)
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-of-tests", config())
    with serving(Hub(there)) as hub:
        point_at(hub.url, monkeypatch)
        yield hub


def refused() -> str:
    with pytest.raises(MaxiError) as caught:
        load_model(MODEL, "cpu")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"the weights of '{MODEL}' are not here and cannot be fetched: {CONFIG} and {WEIGHTS}")
    assert f"`hf download {NAME} {CONFIG} {WEIGHTS} --local-dir DIR` elsewhere, then type local-dir:DIR" in line
    return line


def test_a_clip_that_is_fetched_is_the_one_of_the_hub_and_is_fetched_once(hub: Hub) -> None:
    loaded = load_model(MODEL, "cpu")
    for key, value in build(config(), seed=3).state_dict().items():
        assert torch.equal(loaded.weights()[key], value)
    assert hub.fetched() == [WEIGHTS]
    hub.asked.clear()
    assert load_model(MODEL, "cpu").identity == loaded.identity
    assert not hub.fetched()


def test_weights_that_the_hub_has_lost_are_one_line_and_the_next_run_fetches_them(hub: Hub) -> None:
    hub.missing = {WEIGHTS}
    refused()
    hub.missing = set()
    assert load_model(MODEL, "cpu").name == MODEL


def test_a_hub_that_is_away_is_asked_once_and_weights_that_were_fetched_serve_without_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_again: list[float] = []
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", asked_again.append)
    point_at("http://127.0.0.1:9", monkeypatch)  # nothing listens there
    assert "(http://127.0.0.1:9 cannot be reached)" in refused()
    point_at(hub.url, monkeypatch)
    loaded = load_model(MODEL, "cpu")
    point_at("http://127.0.0.1:9", monkeypatch)
    assert load_model(MODEL, "cpu").identity == loaded.identity
    assert not asked_again, "of itself the client tries each file for 23 seconds, also one that it has"


@pytest.mark.long  # the client waits a second before it goes on
def test_weights_that_are_cut_short_go_on_where_they_were(hub: Hub, there: Path) -> None:
    hub.cut = {WEIGHTS: 1000}
    assert load_model(MODEL, "cpu").name == MODEL
    assert [method for method, name, _ in hub.asked if (method, name) == ("GET", WEIGHTS)] == ["GET", "GET"]


def test_weights_that_were_fetched_and_do_not_fit_are_said_to_be_here(
    hub: Hub, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(factory._MODEL_CONFIGS, "tiny-of-tests", config() | {"embed_dim": 12})
    with pytest.raises(MaxiError) as caught:
        load_model(MODEL, "cpu")
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"the weights of '{MODEL}' are here and cannot be loaded: ")
    assert "size mismatch" in line
    assert f"delete {here}" in line
