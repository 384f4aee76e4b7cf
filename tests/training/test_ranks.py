"""Several processes train as one: gathered gradients, equal weights, and an end for all when one dies (gloo)."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from maxi_core.system.ranks import joined
from tests.training.runs import distance, steps

ROOT = Path(__file__).parent.parent.parent


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def start_ranks(program: str, *arguments: str, world: int = 2) -> list[subprocess.Popen[str]]:
    """Start `world` processes of this module's function `program`, as torchrun would."""
    port = str(free_port())
    command = [
        sys.executable,
        "-c",
        f"import sys; from tests.training.test_ranks import {program} as run; run(*sys.argv[1:])",
    ]
    started = []
    for rank in range(world):
        env = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        started.append(
            subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env={**os.environ, **env},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return started


ADDED = ("mil_nce", "ce", "anchors", "distill", "interpolate")
TWO: dict[str, dict[str, Any]] = {  # what two ranks do, and what one does
    "accumulation": {"epochs": 1},
    "gathered": {"epochs": 2, "gather": True, "batch": {"batch_size": 4}},
    "gathered pairs": {"epochs": 1, "gather": True, "loss": "mil_nce_pairs", "batch": {"batch_size": 4}},
    "gathered own bags": {"epochs": 1, "gather": True, "loss": "mil_nce_instance", "batch": {"batch_size": 4}},
    "gathered both ways": {"epochs": 1, "gather": True, "loss": "mil_max", "batch": {"batch_size": 4}},
    "gathered single texts": {"epochs": 1, "gather": True, "loss": "nce", "batch": {"batch_size": 4}},
    "gathered pairs both ways": {"epochs": 1, "gather": True, "loss": "mil_max_pairs", "batch": {"batch_size": 4}},
    "teachers and heads": {"epochs": 1, "loss": ADDED},
    "gathered teachers and heads": {"epochs": 1, "gather": True, "loss": ADDED, "batch": {"batch_size": 4}},
    "gathered soft labels": {"epochs": 1, "gather": True, "loss": "soft", "batch": {"batch_size": 4}},
    "gathered pairs of texts": {"epochs": 1, "gather": True, "loss": "nce_pairs", "batch": {"batch_size": 4}},
}
ONE: dict[str, dict[str, Any]] = {
    "accumulation": {"epochs": 1, "accumulate": 2},
    "teachers and heads": {"epochs": 1, "loss": ADDED, "accumulate": 2},
    **{
        name: {key: value for key, value in options.items() if key != "gather"} | {"batch": {"batch_size": 8}}
        for name, options in TWO.items()
        if "gather" in options
    },
}


def train_some(world: str, out: str) -> None:
    """Train in this rank, in every way, and write weights and losses."""
    torch.set_num_threads(1)
    with joined("cpu") as (ranks, _):
        for name, options in TWO.items():
            loaded, taken = steps(Path(world), ranks, lr=1e-4, double=True, **options)
            losses = [step.loss for step in taken]
            save_file(loaded.weights(), Path(out) / f"{name} {ranks.rank}.safetensors")
            (Path(out) / f"{name} {ranks.rank}.json").write_text(json.dumps(losses))


@pytest.fixture(scope="module")
def trained_by_two(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("ranks")
    for rank in start_ranks("train_some", str(world), str(out)):
        _, err = rank.communicate(timeout=280)
        assert rank.returncode == 0, err
    return out


@pytest.mark.parametrize("name", TWO)
def test_two_ranks_train_as_one(world: Path, trained_by_two: Path, name: str) -> None:
    losses = [json.loads((trained_by_two / f"{name} {rank}.json").read_text()) for rank in range(2)]
    weights = [load_file(trained_by_two / f"{name} {rank}.safetensors") for rank in range(2)]
    loaded, taken = steps(world, lr=1e-4, double=True, **ONE[name])
    alone = [step.loss for step in taken]
    assert losses[0] == losses[1] == pytest.approx(alone, abs=1e-6)
    assert max(alone) > 0.1
    assert distance(weights[0], weights[1]) == 0
    assert distance(weights[0], loaded.weights()) <= 1e-6


def gather_gradients(out: str) -> None:
    """Differentiate a function of the tensors of both ranks, gathered."""
    from maxi_core.training.combined import gather

    with joined("cpu") as (ranks, _):
        mine = torch.tensor([1.0 + ranks.rank, 2.0 + ranks.rank], requires_grad=True)
        weights = torch.tensor([1.0, 10.0, 100.0, 1000.0]) * (1 + ranks.rank)
        everything = gather(mine)
        (everything * weights).sum().backward()
        assert mine.grad is not None
        said = {"values": everything.tolist(), "gradient": mine.grad.tolist()}
        (Path(out) / f"{ranks.rank}.json").write_text(json.dumps(said))


def test_gathering_gives_each_rank_the_sum_of_all_ranks_gradients(tmp_path: Path) -> None:
    for rank in start_ranks("gather_gradients", str(tmp_path)):
        _, err = rank.communicate(timeout=100)
        assert rank.returncode == 0, err
    first, second = (json.loads((tmp_path / f"{rank}.json").read_text()) for rank in range(2))
    assert first["values"] == second["values"] == [1, 2, 2, 3]
    assert first["gradient"] == [3, 30]  # once from the rank itself, twice from the other
    assert second["gradient"] == [300, 3000]


def train_slowly(world: str, out: str) -> None:
    """Train until somebody stops it; say when it has begun."""
    with joined("cpu") as (ranks, _):
        for step in steps(Path(world), ranks, epochs=10_000)[1]:
            if step.number == 2:
                (Path(out) / f"{ranks.rank}").write_text("")


def test_when_a_rank_dies_the_others_end_with_an_error(world: Path, tmp_path: Path) -> None:
    ranks = start_ranks("train_slowly", str(world), str(tmp_path))
    try:
        deadline = time.monotonic() + 120
        while len(list(tmp_path.iterdir())) < 2:
            assert time.monotonic() < deadline and all(rank.poll() is None for rank in ranks)  # noqa: PT018
            time.sleep(0.1)
        ranks[1].send_signal(signal.SIGKILL)
        _, err = ranks[0].communicate(timeout=60)
        assert ranks[0].returncode not in (0, None)
        assert "another rank is gone or does not answer" in err
    finally:
        for rank in ranks:
            rank.kill()
            rank.communicate()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WORLD_SIZE": "two"}, "RANK, WORLD_SIZE and LOCAL_RANK must be numbers"),
        ({"WORLD_SIZE": "2", "RANK": "0"}, "WORLD_SIZE is set and MASTER_ADDR is not"),
    ],
)
def test_variables_that_are_not_torchruns_are_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    from maxi_core.errors import UsageError

    monkeypatch.delenv("MASTER_ADDR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says), joined("cpu"):
        pass
