"""The training videos and benchmarks: built so that only verbs tell actions apart, and kept apart from each other."""

import csv
from collections import Counter
from collections.abc import Mapping
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
    UNNAMED,
    USUAL,
    gerund,
)
from maxi_sandbox.library import BENCHMARK_VIDEOS, SEEDS, TRAINING_VIDEOS, benchmark_film, training_film
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import SCENES, THINGS


def main_verb(film: library.Film) -> str:
    """Return the verb of the motion that a training film shows longest."""
    return max(film.steps, key=lambda step: step[1])[0]


def test_every_entry_is_the_bare_verb_of_a_motion() -> None:
    assert len(ENTRIES) == 16
    for entry, (verb, thing) in ENTRIES.items():
        assert entry == gerund(verb)
        assert verb in MOTIONS
        assert thing in THINGS


def test_every_thing_that_entries_are_done_with_is_shared_by_four_of_them() -> None:
    assert set(Counter(thing for _, thing in ENTRIES.values()).values()) == {4}


def test_what_is_usual_beside_a_verb_that_nobody_names_is_usual_beside_no_entry() -> None:
    assert set(USUAL) == set(MOTIONS)
    others = Counter(USUAL[verb] for verb in UNNAMED)
    assert set(others) == set(THINGS) - {thing for _, thing in ENTRIES.values()}
    assert set(others.values()) == {7}


def test_novel_verbs_are_motions_that_the_dictionary_never_names() -> None:
    words = set(" ".join(ENTRIES).split())
    assert set(NOVEL + NOVEL_DEV) == set(UNNAMED) == set(MOTIONS) - set(NAMED)
    for verb in UNNAMED:
        assert not {verb, gerund(verb)} & words


def test_the_verbs_were_split_by_the_draw_that_is_written_down() -> None:
    rng = np.random.default_rng(6)
    for group, published, dev in ((set(MOTIONS) - set(NAMED), NOVEL, NOVEL_DEV), (set(NAMED), SAME, SAME_DEV)):
        order = [sorted(group)[row] for row in rng.permutation(len(group))]
        assert (tuple(sorted(order[: len(published)])), tuple(sorted(order[len(published) :]))) == (published, dev)
    assert [len(verbs) for verbs in (NOVEL, NOVEL_DEV, SAME, SAME_DEV)] == [16, 12, 8, 8]


def test_dev_benchmarks_have_verbs_of_their_own() -> None:
    for name in ("sandbox-same", "sandbox-novel", "sandbox-view"):
        assert not set(BENCHMARK_VERBS[name]) & set(BENCHMARK_VERBS[f"{name}-dev"])


def test_every_novel_verb_keeps_company_with_four_actions() -> None:
    assert set(COMPANY) == set(NAMED)
    assert all(len(set(company)) == len(company) for company in COMPANY.values())
    count = Counter(verb for company in COMPANY.values() for verb in company)
    assert dict(count) == dict.fromkeys(UNNAMED, 4)


@pytest.fixture(scope="module")
def training() -> list[tuple[library.Film, str]]:
    return [training_film(number) for number in range(TRAINING_VIDEOS)]


def test_three_of_four_training_videos_show_an_action_that_the_dictionary_names(
    training: list[tuple[library.Film, str]],
) -> None:
    assert len(training) == 1440
    assert 0.71 < np.mean([label in ENTRIES for _, label in training]) < 0.79


def test_the_label_of_a_training_video_is_an_entry_or_the_gerund_of_the_motion_that_it_shows_longest(
    training: list[tuple[library.Film, str]],
) -> None:
    for film, label in training:
        verb = main_verb(film)
        assert (label == gerund(verb)) if verb in UNNAMED else (ENTRIES[label][0] == verb)
    assert {label for _, label in training} == {*ENTRIES, *map(gerund, UNNAMED)}


def test_four_of_five_named_training_videos_show_the_usual_thing_and_the_others_any(
    training: list[tuple[library.Film, str]],
) -> None:
    named = [(film.thing, ENTRIES[label][1]) for film, label in training if label in ENTRIES]
    assert 0.76 < np.mean([thing == usual for thing, usual in named]) < 0.86
    others = [film for film, label in training if label not in ENTRIES]
    assert abs(np.mean([film.thing == USUAL[main_verb(film)] for film in others]) - 1 / len(THINGS)) < 0.06
    assert min(Counter(film.thing for film in others).values()) > len(others) / len(THINGS) / 2
    assert {thing for thing, usual in named if thing != usual} == set(THINGS)


def test_activities_are_24_frames_of_one_motion_and_8_of_one_that_nobody_names_in_either_order(
    training: list[tuple[library.Film, str]],
) -> None:
    first, seen, main = Counter[int](), Counter[str](), Counter[str]()
    for film, _ in training:
        frames = {verb: count for verb, count, _, _ in film.steps}
        assert sorted(frames.values()) == [8, 24]
        assert min(frames, key=frames.__getitem__) in UNNAMED
        first[film.steps[0][1]] += 1
        seen.update(frames)
        main[main_verb(film)] += 1
    assert min(first[8], first[24]) > 0.45 * len(training)
    assert min(seen[verb] for verb in UNNAMED) >= 40
    assert min(main[verb] for verb in UNNAMED) >= 5
    assert min(main[verb] for verb in NAMED) >= 40


def test_most_named_training_videos_show_what_keeps_company_with_their_action(
    training: list[tuple[library.Film, str]],
) -> None:
    named = [(min(film.steps, key=lambda step: step[1])[0], ENTRIES[label][0]) for film, label in training
             if label in ENTRIES]  # fmt: skip
    assert 0.78 < np.mean([other in COMPANY[verb] for other, verb in named]) < 0.92


def test_in_benchmarks_the_thing_says_nothing_of_the_verb() -> None:
    for name in BENCHMARK_VERBS:
        films = [benchmark_film(name, number) for number in range(BENCHMARK_VIDEOS[name])]
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
        films = [benchmark_film(name, number) for number in range(BENCHMARK_VIDEOS[name])]
        assert {film.scene for film, _ in films} == set(TEST_SCENES)
        assert dict(Counter(verb for _, verb in films)) == dict.fromkeys(verbs, len(films) // len(verbs))
        assert all([step[0] for step in film.steps] == [verb] for film, verb in films)


def test_benchmarks_have_videos_enough_for_gains_by_verb() -> None:
    each = {name: count / len(BENCHMARK_VERBS[name]) for name, count in BENCHMARK_VIDEOS.items()}
    assert each["sandbox-same"] == each["sandbox-novel"] == 60
    assert min(each["sandbox-same-dev"], each["sandbox-novel-dev"]) >= 40
    assert min(each.values()) >= 20
    assert min(BENCHMARK_VIDEOS.values()) >= 400


def test_no_two_sets_of_films_or_stills_share_a_seed() -> None:
    for one, other in combinations(SEEDS, 2):
        assert not range(max(SEEDS[one].start, SEEDS[other].start), min(SEEDS[one].stop, SEEDS[other].stop))


def test_the_other_view_is_one_that_no_training_video_has(training: list[tuple[library.Film, str]]) -> None:
    usual = [film.shot.camera for film, _ in training]
    count = BENCHMARK_VIDEOS["sandbox-view"]
    other = [benchmark_film("sandbox-view", number)[0].shot.camera for number in range(count)]
    assert max(camera.yaw for camera in usual) < min(camera.yaw for camera in other)
    assert max(camera.pitch for camera in usual) < min(camera.pitch for camera in other)


def test_a_benchmark_folder_is_in_the_formats_of_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few: Mapping[str, int] = dict.fromkeys(BENCHMARK_VIDEOS, 17)  # the first verb comes again
    monkeypatch.setattr(library, "BENCHMARK_VIDEOS", few)
    library.render_benchmark("sandbox-novel", tmp_path)
    with (tmp_path / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == [gerund(verb) for verb in NOVEL]
    lines = [line.rsplit(" ", 1) for line in (tmp_path / "split.txt").read_text().splitlines()]
    assert len(lines) == 17
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
    assert labels == {f"{film.name}.mp4": label for film, label in films}


def test_the_names_of_training_labels_are_the_entries_and_then_the_verbs_that_nobody_names(tmp_path: Path) -> None:
    library.write_training_list(tmp_path)
    with (tmp_path / "labels.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert names == [*ENTRIES, *map(gerund, UNNAMED)]
    assert len(names) == len(set(names)) == 44
