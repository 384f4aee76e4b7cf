"""Every built-in source, temporal module, objective and engine is held to the contract that strangers are held to."""

import pytest

from maxi_core.plugin.catalog import discover
from maxi_core.testing import contract
from maxi_core.testing.contract import ROLES
from maxi_plugins.local import Local
from maxi_plugins.mean import Mean
from tests.kit import in_this_process

# all but `mean` and the objectives in test files of their own, with what they need
OBJECTIVES = {offer.name: offer.cls for offer in discover(only=[]).offers if offer.role == "objective"}
HELD = {
    *OBJECTIVES,
    "blip",
    "crossframe",
    "dictionary",
    "expanded",
    "gpt3",
    "hf-captioner",
    "local",
    "mean",
    "ray",
    "rescore",
    "stoplist",
    "transformer",
    "true-labels",
    "verbs",
    "vlm",
    "webvid",
}

test_mean = contract(Mean)
test_local_in_this_process = in_this_process(contract(Local))
test_local_in_two_processes = pytest.mark.long(contract(lambda: Local(Local.Options(processes=2))))
for _name, _cls in OBJECTIVES.items():
    globals()[f"test_{_name}"] = contract(_cls) if _name == "mil_nce" else in_this_process(contract(_cls))  # one module


def test_no_builtin_is_left_out() -> None:
    assert {offer.name for offer in discover(only=[]).offers if offer.role in ROLES} == HELD


def test_mean_is_the_mean_over_frames() -> None:
    import torch

    features = torch.arange(24.0).reshape(2, 3, 4)  # (B, T, D)
    pooled = Mean().attach(torch.nn.Identity(), 3)(features)
    assert torch.equal(pooled, torch.tensor([[4.0, 5, 6, 7], [16, 17, 18, 19]]))
    assert torch.equal(Mean().attach(torch.nn.Identity(), 3)(features.flip(1)), pooled)
