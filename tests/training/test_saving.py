"""Checkpoints are whole or do not count, wherever a save is cut off, and hold all that goes into them."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.checkpoints import checkpoints_of, complete, find_checkpoint, read_about, read_weights
from maxi_core.clip.loading import load_model
from maxi_core.errors import MaxiError, UsageError
from maxi_core.training.checkpoint import (
    State,
    about_checkpoint,
    clean,
    read_state,
    restore,
    save_checkpoint,
    state_of,
    step_name,
    write_tensors,
)
from maxi_core.training.loop import LoopPlan, train
from maxi_core.training.trainable import make_optimizer
from tests.training.runs import batches_of, combined

WEIGHTS = {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(3.5)}
STATE = State({"a/exp_avg": torch.ones(2, 3)}, {"step": 7})


class Killed(BaseException):
    """As if the process had gone at this place."""


def save(run: Path, step: int, weights: dict[str, torch.Tensor] | None = None) -> Path:
    return save_checkpoint(run, step_name(step), weights or WEIGHTS, {"schema": 1, "step": step}, STATE)


def test_a_checkpoint_holds_what_was_put_into_it(tmp_path: Path) -> None:
    folder = save(tmp_path, 7)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        *("DONE", "maxi.json", "model.safetensors", "state", "state/optimizer.safetensors", "state/state.json")
    ]
    assert all(torch.equal(value, WEIGHTS[key]) for key, value in read_weights(folder).items())
    assert read_state(folder).notes == {"step": 7}
    assert torch.equal(read_state(folder).tensors["a/exp_avg"], torch.ones(2, 3))
    assert find_checkpoint(tmp_path) == find_checkpoint(folder) == folder


def count_writes(run: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    calls = 0

    def count(handle: int, real: Any = os.fsync) -> None:
        nonlocal calls
        calls += 1
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", count)
        save(run, 1)
    return calls


@contextmanager
def cut_off(monkeypatch: pytest.MonkeyPatch, place: int) -> Iterator[None]:
    """Let the process go, as it were, before the write of this number is on the disk."""
    calls = 0

    def die(handle: int, real: Any = os.fsync) -> None:
        nonlocal calls
        if calls == place:
            raise Killed
        calls += 1
        real(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", die)
        yield


def test_a_save_that_is_cut_off_anywhere_leaves_the_one_before_and_can_be_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = count_writes(tmp_path / "counted", monkeypatch)
    assert writes >= 7
    for place in range(writes):
        run = tmp_path / str(place)
        first = save(run, 1)
        with cut_off(monkeypatch, place), pytest.raises(Killed):
            save(run, 2)
        done = (run / "checkpoints" / step_name(2) / "DONE").exists()  # cut off after the last write, it counts
        assert checkpoints_of(run) == [first] + ([run / "checkpoints" / step_name(2)] if done else [])
        assert find_checkpoint(run) == checkpoints_of(run)[-1]
        clean(run)
        assert {path.name for path in (run / "checkpoints").iterdir()} == {path.name for path in checkpoints_of(run)}
        again = save(run, 2, {"a": torch.zeros(1)})
        assert complete(again)
        assert read_weights(again).keys() == {"a"}


def test_a_save_in_place_of_another_that_is_cut_off_never_mixes_the_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = count_writes(tmp_path / "counted", monkeypatch)
    for place in range(writes):
        run = tmp_path / str(place)
        save(run, 1)
        with cut_off(monkeypatch, place), pytest.raises(Killed):
            save(run, 1, {"new": torch.zeros(1)})
        for folder in checkpoints_of(run):
            assert read_weights(folder).keys() in ({"a", "b"}, {"new"})


def test_a_checkpoint_that_was_not_finished_is_refused_by_name(tmp_path: Path) -> None:
    folder = save(tmp_path, 7)
    (folder / "DONE").unlink()
    with pytest.raises(UsageError, match="was not written to its end"):
        find_checkpoint(folder)
    with pytest.raises(UsageError, match="has no complete checkpoint; go on training with --resume latest"):
        find_checkpoint(tmp_path)


def test_only_the_checkpoints_that_are_wanted_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        save(tmp_path, step)
    clean(tmp_path, keep={step_name(2), step_name(5)})
    assert [path.name for path in checkpoints_of(tmp_path)] == [step_name(2), step_name(5)]


def test_a_full_disk_is_one_line_and_leaves_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(MaxiError, match=r"\(52 bytes\): No space left on device"):
        save(tmp_path, 1)
    assert checkpoints_of(tmp_path) == []


def test_weights_that_find_no_room_are_an_error_of_the_system_and_leave_none_of_it_taken(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_tensors(tmp_path / "a.safetensors", {"a": torch.zeros(5000)})
        with pytest.raises(MaxiError, match=r"\(52 bytes\): File too large; make room there"):
            save(tmp_path, 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_names_sort_as_steps_do_and_a_mixture_after_its_step() -> None:
    names = [step_name(9), step_name(10), step_name(10, 0.2), step_name(100)]
    assert names == sorted(names)


def test_the_optimizer_gets_its_state_back_bit_by_bit(world: Path, tmp_path: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    optimizer = make_optimizer(loaded)
    list(train(loaded, batches_of(world, loaded), combined(loaded), optimizer, LoopPlan(epochs=1, lr=1e-3)))
    state = state_of(loaded, optimizer, {"step": 8})
    save_checkpoint(tmp_path, "x", loaded.weights(), about_checkpoint(loaded, {}), state)
    other = load_model(str(tmp_path / "checkpoints" / "x"), "cpu", frames=2)
    fresh = make_optimizer(other)
    restore(other, fresh, read_state(tmp_path / "checkpoints" / "x"))
    again = state_of(other, fresh, {})
    assert state.tensors.keys() == again.tensors.keys()
    assert len(state.tensors) > 100
    assert all(torch.equal(value, again.tensors[key]) for key, value in state.tensors.items())


def test_an_optimizer_over_other_weights_is_refused(world: Path, tmp_path: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2)
    optimizer = make_optimizer(loaded)
    list(train(loaded, batches_of(world, loaded), combined(loaded), optimizer, LoopPlan(epochs=1)))
    state = state_of(loaded, optimizer, {})
    loaded.visual.proj.requires_grad_(False)
    with pytest.raises(UsageError, match=r"other weights than are trained now \(clip.visual.proj"):
        restore(loaded, make_optimizer(loaded), state)


def test_a_checkpoint_says_what_is_needed_to_load_it(world: Path, tmp_path: Path) -> None:
    loaded = load_model(str(world / "model"), "cpu", frames=2, normalisation="imagenet")
    folder = save_checkpoint(tmp_path, "x", loaded.weights(), about_checkpoint(loaded, {"step": 3}))
    about = read_about(folder)
    assert about["started_from"] == {"name": str(world / "model"), "identity": loaded.identity}
    assert (about["normalisation"], about["frames"], about["step"]) == ("imagenet", 2, 3)
    again = load_model(str(folder), "cpu")
    assert again.statistics == loaded.statistics
    assert again.identity == loaded.identity, "the same weights, from another place"
