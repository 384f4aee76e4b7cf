"""The table of the demonstration and its gates, on predictions made by hand."""

import json
from pathlib import Path

import pytest

from maxi_core.demo.commands import BENCHMARKS, TRAININGS, scores, training
from maxi_core.demo.gates import gates
from maxi_core.demo.table import RAW, read_table
from maxi_core.errors import MaxiError
from maxi_core.evaluation.saving import folder_name
from maxi_core.evaluation.scoring import SCHEMA

VIDEOS = 100


def write(folder: Path, right: dict[str, int]) -> None:
    """Write the scores of one model that names the first so many videos of each benchmark right."""
    folder.mkdir(parents=True)
    records = []
    for benchmark, hits in right.items():
        name = f"predictions-{benchmark}.jsonl"
        lines = [json.dumps({"video": f"{number}.mp4", "rank": 1 if number < hits else 2}) for number in range(VIDEOS)]
        (folder / name).write_text("\n".join(lines))
        metrics = {"top1": hits / VIDEOS}
        said = {"schema": SCHEMA, "benchmark": benchmark, "split": "1", "model": "m"}
        records.append({**said, "metrics": metrics, "predictions": name})
    (folder / "scores.json").write_text(json.dumps(records))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Two seeds, in which all sources gain 20 and 30 points on every benchmark and all else gains nothing."""
    write(scores(tmp_path) / "sandbox", dict.fromkeys(BENCHMARKS, 40))
    for seed in (0, 1):
        for name in TRAININGS:
            hits = (60, 70)[seed] if name == "full" else 40
            write(scores(tmp_path) / folder_name(str(training(tmp_path, name, seed))), dict.fromkeys(BENCHMARKS, hits))
    return tmp_path


def test_a_cell_has_the_score_of_each_seed_their_mean_and_deviation(out) -> None:
    cell = read_table(out, 2)["full", "sandbox-novel"]
    assert cell.seeds == pytest.approx((60, 70))
    assert cell.mean == pytest.approx(65)
    assert cell.deviation == pytest.approx(7.0711, abs=1e-4)


def test_one_seed_has_no_deviation_and_raw_clip_no_difference(out) -> None:
    table = read_table(out, 1)
    assert table["full", "sandbox-same"].deviation is None
    assert table[RAW, "sandbox-same"].difference is None
    assert table[RAW, "sandbox-same"].seeds == pytest.approx((40,))


def test_the_difference_is_of_the_mean_over_seeds_and_its_interval_is_the_binomial_one(out) -> None:
    found = read_table(out, 2)["full", "sandbox-novel"].difference
    assert found is not None
    assert found.difference == pytest.approx(25)
    # 20 videos gained with both seeds, 10 with one of them: variance of a mean of 100 draws of 1, 0.5 and 0
    variance = (0.2 * 1 + 0.1 * 0.25 - 0.25**2) / VIDEOS
    assert found.high - found.low == pytest.approx(2 * 1.96 * 100 * variance**0.5, rel=0.06)


def test_equal_models_differ_by_nothing(out) -> None:
    found = read_table(out, 2)["gpt3", "sandbox-view"].difference
    assert found is not None
    assert (found.difference, found.low, found.high) == (0, 0, 0)


def test_the_gates_hold_where_all_sources_gain_enough(out) -> None:
    assert [gate.holds for gate in gates(read_table(out, 2))] == [True, True, True]


def test_a_gate_fails_where_all_sources_gain_too_little(out, tmp_path) -> None:
    for seed in (0, 1):
        place = scores(tmp_path) / folder_name(str(training(tmp_path, "full", seed))) / "predictions-sandbox-same.jsonl"
        place.write_text(place.read_text().replace('"rank": 1', '"rank": 2', 29 if seed else 19))
    failing = [gate for gate in gates(read_table(out, 2)) if not gate.holds]
    assert [gate.claim.partition(":")[0] for gate in failing] == ["same verbs, new scenes"]
    assert failing[0].found.startswith("+1.0 [")


def test_a_gate_fails_where_one_seed_does_not_gain(out, tmp_path) -> None:
    place = scores(tmp_path) / folder_name(str(training(tmp_path, "full", 1))) / "predictions-sandbox-novel.jsonl"
    place.write_text(place.read_text().replace('"rank": 1', '"rank": 2'))
    failing = [gate for gate in gates(read_table(out, 2)) if not gate.holds]
    assert [gate.claim.partition(":")[0] for gate in failing] == ["novel verbs", "novel verbs"]
    assert failing[1].found == "+20.0, -40.0"


def test_scores_that_are_not_there_are_named(out, tmp_path) -> None:
    (scores(tmp_path) / "sandbox" / "scores.json").write_text("[]")
    with pytest.raises(MaxiError, match="sandbox-same"):
        read_table(out, 2)
