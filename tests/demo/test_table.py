"""The table of the demonstration, on predictions made by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from maxi_core.bags.bag import to_line
from maxi_core.errors import MaxiError
from maxi_core.evaluation.saving import folder_name
from maxi_core.evaluation.scoring import SCHEMA
from maxi_core.studies.vote import votes
from maxi_core.types import Match, Text, TextBag, Video
from maxi_sandbox.demo.commands import BENCHMARKS, BLIP, INSTANCE, captions, scores, training, trainings
from maxi_sandbox.demo.table import RAW, VOTE, read_table

VIDEOS, VERBS = 100, ("bowing", "running")  # the first half of the videos bows


def verb(number: int) -> str:
    return VERBS[number * len(VERBS) // VIDEOS]


def write(folder: Path, right: dict[str, int]) -> None:
    """Write the scores of one model that names the first so many videos of each benchmark right."""
    folder.mkdir(parents=True)
    records = []
    for benchmark, hits in right.items():
        name = f"predictions-{benchmark}.jsonl"
        lines = [
            json.dumps({"video": f"videos/{number}.mp4", "labels": [verb(number)], "rank": 1 if number < hits else 2})
            for number in range(VIDEOS)
        ]
        (folder / name).write_text("\n".join(lines))
        metrics = {"top1": hits / VIDEOS}
        said = {"schema": SCHEMA, "benchmark": benchmark, "split": "1", "model": "m", "n": VIDEOS}
        records.append({**said, "metrics": metrics, "predictions": name})
    (folder / "scores.json").write_text(json.dumps(records))


def bag(number: int, *captioned: str) -> TextBag:
    """Return a bag with a caption for each verb that is given, and the verbs as `verbs` finds them."""
    match = Match(Video(f"{number}.mp4", Path(f"{number}.mp4")), "kicking", 0.1)
    said = tuple(f"a person {one} near a box" for one in captioned)
    texts = [Text(one, "blip", text, "verb") for one, text in zip(captioned, said, strict=True)]
    return TextBag(match, True, tuple(dict.fromkeys(texts)), (("blip", said),))


def write_captions(folder: Path) -> None:
    """Write captions that speak of bowing in all videos but the last ten, where they tie or name no verb."""
    bags = [bag(number, "bowing", "bowing", "running") for number in range(VIDEOS - 10)]
    bags += [bag(number, "bowing", "running") for number in range(VIDEOS - 10, VIDEOS - 5)]
    bags += [bag(number, "standing") for number in range(VIDEOS - 5, VIDEOS)]
    folder.mkdir(parents=True)
    (folder / "bags.jsonl").write_text("".join(to_line(one) + "\n" for one in bags))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two seeds, in which captions gain 20 and 30 points on every benchmark and all else gains nothing."""
    write(scores(tmp_path) / "sandbox", dict.fromkeys(BENCHMARKS, 40))
    for seed in (0, 1):
        for name in trainings(2):
            hits = (60, 70)[seed] if name == BLIP else 40
            write(scores(tmp_path) / folder_name(str(training(tmp_path, name, seed))), dict.fromkeys(BENCHMARKS, hits))
    for benchmark in BENCHMARKS:
        write_captions(captions(tmp_path, benchmark))
    return tmp_path


def test_a_cell_has_the_score_of_each_seed_their_mean_and_deviation(out) -> None:
    cell = read_table(out, 2)[BLIP, "sandbox-novel"]
    assert cell.seeds == pytest.approx((60, 70))
    assert cell.mean == pytest.approx(65)
    assert cell.deviation == pytest.approx(7.0711, abs=1e-4)


def test_one_seed_has_no_deviation_and_raw_clip_no_difference(out) -> None:
    table = read_table(out, 1)
    assert table[BLIP, "sandbox-same"].deviation is None
    assert table[RAW, "sandbox-same"].difference is None
    assert table[RAW, "sandbox-same"].seeds == pytest.approx((40,))


def test_the_difference_is_of_the_mean_over_seeds_and_its_interval_is_the_binomial_one(out) -> None:
    found = read_table(out, 2)[BLIP, "sandbox-novel"].difference
    assert found is not None
    assert found.difference == pytest.approx(25)
    # 20 videos gained with both seeds, 10 with one of them: variance of a mean of 100 draws of 1, 0.5 and 0
    variance = (0.2 * 1 + 0.1 * 0.25 - 0.25**2) / VIDEOS
    assert found.high - found.low == pytest.approx(2 * 1.96 * 100 * variance**0.5, rel=0.06)


def test_the_gains_are_by_verb_and_the_interval_over_verbs_is_wider_than_that_over_videos(out) -> None:
    found = read_table(out, 2)[BLIP, "sandbox-novel"]
    # raw CLIP names 40 of the 50 that bow and none that run; captions 50, and 10 and 20
    assert found.gains == pytest.approx({"bowing": 20, "running": 30})
    assert found.over_verbs.difference == pytest.approx(25)
    first = [0.0] * 40 + [1.0] * 10
    second = [1.0] * 10 + [0.5] * 10 + [0.0] * 30
    within = (np.var(first) + np.var(second)) / 2 / (2 * 50)
    between = 5**2 / 2 / 100**2
    slow = np.sqrt(within + between)
    assert found.over_verbs.high - found.over_verbs.low == pytest.approx(2 * 1.96 * 100 * slow, rel=0.06)


def test_a_vote_counts_captions_and_a_tie_or_no_vote_counts_as_the_share_of_a_draw(out) -> None:
    found = read_table(out, 1)[VOTE, "sandbox-same"]
    assert found.seeds == pytest.approx((50 + 10 * 0.5,))  # all that bow, and half of the ten where nobody wins
    assert found.difference.difference == pytest.approx(15)
    assert found.gains == pytest.approx({"bowing": 20, "running": 10})


def test_a_word_that_is_no_verb_to_the_augmenter_is_no_vote(tmp_path: Path) -> None:
    one = bag(0, "bowing", "running", "running")
    (tmp_path / "bags.jsonl").write_text(to_line(replace(one, texts=one.texts[:1])) + "\n")
    assert votes(tmp_path, VERBS, "blip") == {"0.mp4": ("bowing",)}


def test_equal_models_differ_by_nothing(out) -> None:
    found = read_table(out, 2)["gpt3", "sandbox-view"].difference
    assert found is not None
    assert (found.difference, found.low, found.high) == (0, 0, 0)


@pytest.mark.parametrize(("seeds", "compared"), [(1, False), (2, False), (3, True)])
def test_the_other_loss_has_a_row_from_three_seeds_on(out, tmp_path: Path, seeds: int, compared: bool) -> None:
    for seed in range(seeds):
        for name in trainings(seeds):
            folder = scores(tmp_path) / folder_name(str(training(tmp_path, name, seed)))
            if not folder.exists():
                write(folder, dict.fromkeys(BENCHMARKS, 50))
    table = read_table(out, seeds)
    assert ((INSTANCE, "sandbox-novel") in table) == compared
    assert {row for row, _ in table} == {RAW, VOTE, *trainings(seeds)}
    if compared:
        assert table[INSTANCE, "sandbox-novel"].seeds == pytest.approx((50, 50, 50))


def test_scores_that_are_not_there_are_named(out, tmp_path) -> None:
    (scores(tmp_path) / "sandbox" / "scores.json").write_text("[]")
    with pytest.raises(MaxiError, match="sandbox-same"):
        read_table(out, 2)
