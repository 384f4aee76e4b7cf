"""Micro-batches: their shapes, what is in them, and that nothing but seed, epoch and video decides it."""

import os
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from open_clip.tokenizer import SimpleTokenizer

from maxi_core.batches.batch import BatchPlan, labelled
from maxi_core.batches.loader import Batches
from maxi_core.clip.image_tower import centre_crop
from maxi_core.errors import UsageError
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Video
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from tests.batches.conftest import ENTRIES, SIZE, VIDEOS, Maker, bags_of, digest, item_of
from tests.batches.runs import bag
from tests.video.clips import write


def test_a_micro_batch_has_the_shapes_that_training_wants(batches: Maker) -> None:
    for number, batch in enumerate(batches().epoch(0)):
        assert batch.number == number
        assert (batch.frames.shape, batch.frames.dtype) == ((3, 4, 3, SIZE, SIZE), torch.uint8)
        assert (batch.tokens.shape[1], batch.tokens.dtype) == (20, torch.int64)
        assert (batch.index.shape, batch.index.dtype) == ((3, 5), torch.int64)
        assert (batch.groups.shape, batch.groups.dtype) == ((3,), torch.int64)
        assert sorted(set(batch.index.flatten().tolist())) == list(range(len(batch.tokens)))
        assert len({tuple(row) for row in batch.tokens.tolist()}) == len(batch.tokens)


def test_an_epoch_has_each_video_once_and_leaves_out_what_fills_no_batch(batches: Maker) -> None:
    made = batches()
    seen = [[video for batch in made.epoch(epoch) for video in batch.videos] for epoch in range(2)]
    assert made.per_epoch() == VIDEOS // 3
    assert all(len(videos) == len(set(videos)) == 12 for videos in seen)
    assert seen[0] != seen[1]


@cache
def tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


def decoded(tokens: torch.Tensor) -> str:
    special = tokenizer().sot_token_id
    return tokenizer().decode([token for token in tokens.tolist() if 0 < token < special]).strip()


def test_the_prompts_of_a_video_are_its_own_entry_and_items_and_its_group_is_the_entrys(batches: Maker) -> None:
    made = batches()
    for batch in made.epoch(0):
        for video, rows, group in zip(batch.videos, batch.index, batch.groups.tolist(), strict=True):
            number = int(video.partition(".")[0])
            entry = ENTRIES[number % 3]
            assert made.classes[group] == entry
            prompts = [decoded(batch.tokens[row]) for row in rows]
            items = {f"a photo of a {entry} . {item_of(number, item)} ." for item in range(number)}
            assert set(prompts) <= items or (number == 0 and set(prompts) == {f"a photo of a {entry} ."})
            assert len(set(prompts)) == max(1, min(5, number))


def test_the_matched_entry_is_taken_out_before_the_draw_so_no_bag_is_short_and_none_shifts(batches: Maker) -> None:
    """The authors' code draws first and then removes it, and every later bag of the batch moves by one."""
    plain = bags_of(batches.films)
    with_entry = [
        bag(one.match.video.id, one.match.entry, one.match.score,
            [one.match.entry.upper(), *(text.text for text in one.texts)], path=one.match.video.path)
        for one in plain
    ]  # fmt: skip
    assert [digest(batch) for batch in batches(with_entry).epoch(0)] == [digest(b) for b in batches(plain).epoch(0)]


def test_the_form_of_text1_is_an_option(batches: Maker) -> None:
    (batch, *_) = batches(template="a photo of {}.").epoch(0)
    assert all(
        decoded(row).startswith(("a photo of riding", "a photo of juggling", "a photo of w")) for row in batch.tokens
    )
    for wrong in ("a photo", "{} {}", "{0}", "{name}"):
        with pytest.raises(UsageError, match="prompt template"):
            BatchPlan(3, 4, template=wrong)


def test_empty_bags_long_prompts_and_special_tokens_are_counted(batches: Maker, films: Path) -> None:
    items = [[], ["word " * 40], ["an <end_of_text> inside"], ["plain"]]
    bags = [bag(f"{n}.mp4", "waving", 0.1, said, path=films / f"{n}.mp4") for n, said in enumerate(items)]
    made = batches(bags, batch_size=4)
    list(made.epoch(0))
    list(made.epoch(1))
    assert (made.counts.empty, made.counts.truncated, made.counts.stripped, made.counts.broken) == (1, 1, 1, 0)


def test_class_prompts_are_there_for_a_loss_over_all_classes(batches: Maker) -> None:
    made = batches()
    assert made.classes == ENTRIES
    assert [decoded(row) for row in made.class_tokens] == [f"a photo of a {name} ." for name in ENTRIES]


def epochs(made: Batches) -> list[str]:
    return [digest(batch) for epoch in range(3) for batch in made.epoch(epoch)]


def test_workers_and_frames_held_in_memory_change_nothing(batches: Maker) -> None:
    expected = epochs(batches())
    assert len(set(expected)) == 12
    for workers, held in ((2, 0.0), (0, 1.0), (2, 1.0), (0, 150e-6)):  # the last holds some videos and then no more
        assert epochs(batches(workers=workers, hold_gb=held)) == expected


def test_held_videos_are_decoded_once(batches: Maker, films: Path, tmp_path: Path) -> None:
    copies = [bag(f"{n}.mp4", "waving", 0.1, path=Path(str(tmp_path / f"{n}.mp4"))) for n in range(6)]
    for one in copies:
        one.match.video.path.write_bytes((films / one.match.video.id).read_bytes())
    made = batches(copies, hold_gb=1.0)
    first = [digest(batch) for batch in made.epoch(0)]
    for one in copies:
        one.match.video.path.unlink()
    assert [digest(batch) for batch in made.epoch(0)] == first
    assert made.counts.broken == 0


def test_videos_that_would_not_fit_into_memory_are_not_held(batches: Maker) -> None:
    made = batches(hold_gb=1e-6)
    list(made.epoch(0))
    assert made._clips._held == {}


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_ranks_share_the_micro_batches_of_one(batches: Maker, world: int) -> None:
    expected = {batch.number: digest(batch) for batch in batches().epoch(1)}
    found: dict[int, str] = {}
    for rank in range(world):
        own = list(batches().epoch(1, rank=rank, world=world))
        assert [batch.number for batch in own] == list(range(rank, len(expected), world))
        found |= {batch.number: digest(batch) for batch in own}
    assert found == expected


@pytest.mark.parametrize("start", [0, 1, 3, 4, 9])
def test_an_epoch_goes_on_in_the_middle_on_any_number_of_ranks(batches: Maker, start: int) -> None:
    expected = [digest(batch) for batch in batches().epoch(2)][start:]
    assert [digest(batch) for batch in batches(workers=2).epoch(2, start=start)] == expected
    shared = [list(batches().epoch(2, rank=rank, world=2, start=start)) for rank in (0, 1)]
    assert sorted((b.number, digest(b)) for own in shared for b in own) == list(enumerate(expected, start))


def test_another_seed_and_another_epoch_give_other_frames_views_and_bags(batches: Maker) -> None:
    everything = {
        digest(batch) for seed in (0, 1) for batch in [*batches(seed=seed).epoch(0), *batches(seed=seed).epoch(1)]
    }
    assert len(everything) == 16


def test_every_kind_of_draw_is_made_anew_in_each_epoch(batches: Maker, tmp_path: Path) -> None:
    """Of a film of one frame the view alone can change; the bag is seen in the tokens."""
    path = write(tmp_path / "still.mp4", [np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8)])
    items = [item_of(0, item) for item in range(20)]
    made = batches([bag("still.mp4", "waving", 0.1, items, path=path)], batch_size=1, augmentation="spatial")
    seen = [next(made.epoch(epoch)) for epoch in range(12)]
    assert len({batch.frames.numpy().tobytes() for batch in seen}) > 6
    assert len({batch.tokens.numpy().tobytes() for batch in seen}) == 12


IN_PROCESS = """
import sys
from pathlib import Path
from tests.batches.conftest import Maker, digest
from open_clip.tokenizer import SimpleTokenizer
from maxi_core.clip.tokens import tokenize
if __name__ == "__main__":
    tokenizer = SimpleTokenizer(context_length=20)
    made = Maker(Path(sys.argv[1]), Path(sys.argv[2]), lambda texts: tokenize(tokenizer, texts))(workers=1)
    print([digest(batch) for batch in made.epoch(0)])
"""


def test_the_hash_seed_of_python_and_the_threads_of_torch_change_nothing(batches: Maker, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, str(tmp_path), str(batches.films)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "1", "OMP_NUM_THREADS": str(torch.get_num_threads() + 2)},
    )  # fmt: skip
    assert made.stdout.strip() == str([digest(batch) for batch in batches().epoch(0)])


def test_frames_are_drawn_one_from_each_segment_and_others_in_every_epoch(batches: Maker) -> None:
    """A clip's brightness says which frames it is of: 20 + 10 i."""
    made = batches(augmentation="spatial", frames=5)
    drawn: dict[str, list[list[int]]] = {}
    for epoch in range(4):
        for batch in made.epoch(epoch):
            for video, frames in zip(batch.videos, batch.frames, strict=True):
                bright = frames[:, 2].flatten(1).float().quantile(0.9, dim=1)  # of the background
                drawn.setdefault(video, []).append(((bright - 20) / 10).round().int().tolist())
    places = [frames for clips in drawn.values() for frames in clips]
    assert len(places) == 48
    assert all(4 * i <= place < 4 * i + 4 for frames in places for i, place in enumerate(frames))
    assert {place for frames in places for place in frames} == set(range(20))
    assert any(len({tuple(frames) for frames in clips}) > 1 for clips in drawn.values())


def test_without_augmentation_a_clip_is_what_evaluation_sees(batches: Maker) -> None:
    batch = next(iter(batches(augmentation="none").epoch(0)))
    for video, frames in zip(batch.videos, batch.frames, strict=True):
        one = Video(video, batches.films / video)
        reading = VideoOptions(workers=0, short_side=round(SIZE * 256 / 224))
        ((_, found),) = read_videos([one], {"clip": Sampling("middles", 4)}, reading)
        assert torch.equal(frames, centre_crop(found["clip"], SIZE))


def test_too_few_videos_for_a_batch_are_an_error_before_anything_is_read(batches: Maker) -> None:
    with pytest.raises(UsageError, match="13 videos do not fill one batch of 16; type --batch-size 13 or less"):
        batches(batch_size=16)
    with pytest.raises(UsageError, match="frames = 0"):
        batches(frames=0)


def test_an_epoch_that_is_left_early_ends_its_processes_and_its_thread(batches: Maker) -> None:
    import psutil

    process = psutil.Process()
    list(batches(workers=2).epoch(0))
    files, others = process.num_fds(), set(process.children())  # another test may have left one that it keeps
    for _ in range(2):
        made = batches(workers=2).epoch(0)
        next(made)
        assert set(process.children()) - others
        made.close()
        assert not set(process.children()) - others
    assert process.num_fds() <= files + 2  # the maps of two more runs' bags
    assert not [thread for thread in threading.enumerate() if thread.name == "maxi-batches"]


def test_labels_make_batches_of_class_prompts(films: Path, tokens, batches: Maker) -> None:
    pairs = [(Video(f"{n}.mp4", films / f"{n}.mp4"), n % 3) for n in range(VIDEOS)]
    made = Batches(
        labelled(pairs, ENTRIES, shots=2), BatchPlan(2, 4, bag_size=1), tokens, SIZE, VideoOptions(workers=0)
    )
    assert made.per_epoch() == 3
    assert made.counts.empty == 0
    for batch in made.epoch(0):
        for video, row, group in zip(batch.videos, batch.index, batch.groups.tolist(), strict=True):
            assert group == int(video.partition(".")[0]) % 3
            assert torch.equal(batch.tokens[row[0]], made.class_tokens[group])
