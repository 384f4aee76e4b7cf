"""The training videos and benchmarks: built so that only verbs tell actions apart, and kept apart from each other."""

import csv
from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from maxi_sandbox import library
from maxi_sandbox.actions import (
    BENCHMARK_VERBS,
    COMPANY,
    ENTRIES,
    NAMED,
    NOVEL,
    NOVEL_DEV,
    SAME,
    SAME_DEV,
    TEST_SCENES,
    TRAINING_SCENES,
    gerund,
)
from maxi_sandbox.library import BENCHMARK_VIDEOS, SEEDS, TRAINING_VIDEOS, benchmark_film, training_film
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import SCENES, THINGS


def test_every_entry_is_its_verb_and_its_thing() -> None:
    for entry, (verb, thing) in ENTRIES.items():
        assert entry.startswith(gerund(verb))
        assert entry.endswith(f" a {thing}")


def test_every_thing_of_the_dictionary_is_shared_by_at_least_three_entries() -> None:
    assert min(Counter(thing for _, thing in ENTRIES.values()).values()) >= 3


def test_novel_verbs_are_motions_that_the_dictionary_never_names() -> None:
    text = " ".join(ENTRIES)
    for verb in NOVEL + NOVEL_DEV:
        assert verb in MOTIONS
        assert verb not in text
        assert gerund(verb) not in text


def test_the_verbs_were_split_by_the_draw_that_is_written_down() -> None:
    rng = np.random.default_rng(4)
    for group, published, dev in ((set(MOTIONS) - set(NAMED), NOVEL, NOVEL_DEV), (set(NAMED), SAME, SAME_DEV)):
        order = [sorted(group)[row] for row in rng.permutation(12)]
        assert (tuple(sorted(order[:6])), tuple(sorted(order[6:]))) == (published, dev)


def test_dev_benchmarks_have_verbs_of_their_own() -> None:
    for name in ("sandbox-same", "sandbox-novel", "sandbox-view"):
        assert not set(BENCHMARK_VERBS[name]) & set(BENCHMARK_VERBS[f"{name}-dev"])


def test_every_novel_verb_keeps_company_with_three_actions() -> None:
    count = Counter(verb for company in COMPANY.values() for verb in company)
    assert {count[verb] for verb in NOVEL + NOVEL_DEV} == {3}


@pytest.fixture(scope="module")
def training() -> list[tuple[library.Film, str]]:
    return [training_film(number) for number in range(TRAINING_VIDEOS)]


def test_thing_and_entry_agree_in_about_seven_of_ten_training_videos(training: list[tuple[library.Film, str]]) -> None:
    share = np.mean([film.thing == ENTRIES[entry][1] for film, entry in training])
    assert 0.62 < share < 0.78


def test_activities_are_sequences_that_hold_the_entrys_motion_and_every_novel_one(
    training: list[tuple[library.Film, str]],
) -> None:
    seen: Counter[str] = Counter()
    for film, entry in training:
        verbs = [verb for verb, _, _, _ in film.steps]
        assert len(verbs) == 2
        assert ENTRIES[entry][0] in verbs
        seen.update(set(verbs))
    assert min(seen[verb] for verb in NOVEL + NOVEL_DEV) >= 10


def test_in_benchmarks_the_thing_says_nothing_of_the_verb() -> None:
    for name in BENCHMARK_VERBS:
        films = [benchmark_film(name, number) for number in range(BENCHMARK_VIDEOS)]
        own = dict(ENTRIES.values())
        named = [(film, verb) for film, verb in films if verb in own]
        if named:
            agree = np.mean([film.thing == own[verb] for film, verb in named])
            assert abs(agree - 1 / len(THINGS)) < 0.06, name
        assert set(Counter(film.thing for film, _ in films)) == set(THINGS)


def test_benchmarks_show_one_verb_a_video_equally_often_in_scenes_that_training_never_shows() -> None:
    assert not set(TRAINING_SCENES) & set(TEST_SCENES)
    assert set(TRAINING_SCENES) | set(TEST_SCENES) == set(SCENES)
    for name, verbs in BENCHMARK_VERBS.items():
        films = [benchmark_film(name, number) for number in range(BENCHMARK_VIDEOS)]
        assert {film.scene for film, _ in films} == set(TEST_SCENES)
        assert set(Counter(verb for _, verb in films).values()) == {BENCHMARK_VIDEOS // len(verbs)}
        assert all([step[0] for step in film.steps] == [verb] for film, verb in films)


def test_published_benchmarks_have_at_least_360_videos() -> None:
    assert BENCHMARK_VIDEOS >= 360


def test_no_two_sets_of_films_or_stills_share_a_seed() -> None:
    for one, other in combinations(SEEDS, 2):
        assert not range(max(SEEDS[one].start, SEEDS[other].start), min(SEEDS[one].stop, SEEDS[other].stop))


def test_the_other_view_is_one_that_no_training_video_has(training: list[tuple[library.Film, str]]) -> None:
    usual = [film.shot.camera for film, _ in training]
    other = [benchmark_film("sandbox-view", number)[0].shot.camera for number in range(BENCHMARK_VIDEOS)]
    assert max(camera.yaw for camera in usual) < min(camera.yaw for camera in other)
    assert max(camera.pitch for camera in usual) < min(camera.pitch for camera in other)


def test_a_benchmark_folder_is_in_the_formats_of_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "BENCHMARK_VIDEOS", 13)
    library.render_benchmark("sandbox-novel", tmp_path)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [gerund(verb) for verb in NOVEL]
    lines = [line.rsplit(" ", 1) for line in (tmp_path / "split.txt").read_text().splitlines()]
    assert len(lines) == 13
    for number, (path, label) in enumerate(lines):
        assert (tmp_path / path).is_file()
        assert NOVEL[int(label)] == benchmark_film("sandbox-novel", number)[1]


def test_the_labels_of_the_training_videos_are_those_of_maxi_stats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maxi_core.bags.stats import named_labels
    from maxi_core.plugin.catalog import discover

    monkeypatch.setenv("MAXI_HOME", str(tmp_path))
    labels = named_labels("sandbox", discover(only=[]))
    films = [library.training_film(number) for number in range(TRAINING_VIDEOS)]
    assert labels == {f"{film.name}.mp4": entry for film, entry in films}
