"""How right heatmaps are, in the sandbox, where the renderer knows what is where (docs/heatmaps.md).

    python -m benchmarks.heatmaps --supervised RUN,... --maxi RUN,... [--dev] [--films 64] [--out FILE.json]

Raw CLIP, supervised and maxi (trainings of both towers, one for each seed), and raw CLIP with a random tower, on films
of the published benchmarks or their dev twins. Prints tables as those of docs/heatmaps.md, of the world that is there.
It is no command of maxi, since nothing but the sandbox has masks.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.pointing import Map, auc, auc_within, deletion_and_insertion, lift, on_patches, pointing
from maxi_core.clip.image_tower import centre_crop, short_side
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.evaluation.features import encode_names
from maxi_core.evaluation.metrics import paired_interval, softmax
from maxi_core.evaluation.protocol import Protocol
from maxi_core.heatmaps import cosine, gradient, legrad, surgery
from maxi_core.heatmaps.seen import look
from maxi_core.settings.sections import VideoOptions
from maxi_core.types import Failed, Video
from maxi_core.video.reader import read_videos
from maxi_core.video.sampling import Sampling
from maxi_sandbox import Sandbox
from maxi_sandbox.actions import BENCHMARK_VERBS, gerund
from maxi_sandbox.films import Film
from maxi_sandbox.library import benchmark_film
from maxi_sandbox.masks import Truth, truth
from maxi_sandbox.painting import THINGS

FRAMES = 4
PROTOCOL = Protocol(frames=FRAMES)
NONSENSE = "florping"
MODELS = ("random tower", "raw", "supervised", "maxi")
DELETED = ("gradient", "cosine", "surgery", "legrad", "attention, no text", "centre prior")
TARGETS = ("person", "limbs", "thing")


@dataclass(frozen=True)
class Group:
    """The films of a benchmark, asked for by the names of one of the groups of docs/evaluation.md."""

    name: str
    benchmark: str
    texts: tuple[str, ...]  # in the order of the benchmark's verbs


def groups(dev: bool) -> list[Group]:
    """Return in-dictionary and novel; as entries are bare verbs, the paper's third group (general) is the first."""
    end = "-dev" if dev else ""
    names = {"in-dictionary": f"sandbox-same{end}", "novel": f"sandbox-novel{end}"}
    return [Group(name, of, tuple(map(gerund, BENCHMARK_VERBS[of]))) for name, of in names.items()]


@dataclass(frozen=True)
class Scene:
    """A film as models see it: `frames` (T, 3, S, S) uint8, `empty` (3, S, S), `masks` (T, S, S), its verb's place."""

    film: Film
    verb: int
    frames: Tensor
    empty: Tensor
    masks: dict[str, Map]


def scenes(benchmark: str, count: int, size: int) -> Iterator[Scene]:
    """Yield the first films of a benchmark, decoded as for an evaluation."""
    folder, verbs = Sandbox().benchmark(benchmark) / "videos", BENCHMARK_VERBS[benchmark]
    films = [benchmark_film(benchmark, number) for number in range(count)]
    videos = [Video(film.name, folder / f"{film.name}.mp4") for film, _ in films]
    wanted = {"all": Sampling("middles", FRAMES, side=short_side(size))}
    for (film, verb), (_, read) in zip(films, read_videos(videos, wanted, VideoOptions(workers=0)), strict=True):
        assert not isinstance(read, Failed), read
        known: Truth = truth(film, read.indices["all"])
        masks = {
            target: centre_crop(_as_frames(getattr(known, target)), size)[:, 0].double().numpy() / 255
            for target in TARGETS
        }
        empty = centre_crop(known.empty[None], size)[0]
        yield Scene(film, verbs.index(verb), centre_crop(read["all"], size), empty, masks)


def _as_frames(mask: Any) -> Any:
    return np.repeat(np.rint(255 * mask[..., None]).astype(np.uint8), 3, axis=3)


# What is measured of one model in one scene: rows by name, each a number for each measure.

Row = dict[str, float]


def measured(
    model: VideoCLIP, scene: Scene, asked: Sequence[Group], texts: dict[str, Tensor]
) -> dict[str, dict[str, Row]]:
    """Return the rows of each group that this film belongs to."""
    seen = look(model, scene.frames)
    names = sorted({name for group in asked for name in group.texts} | set(THINGS) | {NONSENSE})
    slopes = dict(
        zip(names, _plain(gradient.uncentred(seen, torch.stack([texts[name] for name in names]))), strict=True)
    )
    attention = torch.stack([layer.on_patches(layer.weights, seen.tower) for layer in seen.layers]).sum(dim=0)
    rows, columns = seen.tower.grid
    down, across = np.mgrid[:rows, :columns]
    centre = -np.hypot(down - (rows - 1) / 2, across - (columns - 1) / 2)
    found = {}
    things = tuple(THINGS)
    for group in asked:
        true, wrong = group.texts[scene.verb], group.texts[(scene.verb + 1) % len(group.texts)]
        maps = {
            "centre prior": np.repeat(centre[None], FRAMES, axis=0),
            "attention, no text": _plain(attention),
            "gradient": _centred(slopes, true, group.texts),
            "gradient, wrong verb": _centred(slopes, wrong, group.texts),
            "gradient, nonsense": _centred(slopes, NONSENSE, group.texts),
            "gradient, thing's name": _centred(slopes, scene.film.thing, things),
            "gradient, not centred": slopes[true],
            "gradient, not centred, wrong verb": slopes[wrong],
            "gradient, not centred, nonsense": slopes[NONSENSE],
        }
        for name, method in (("cosine", _cosine), ("surgery", _surgery), ("legrad", _legrad)):
            maps[name], maps[f"{name}, wrong verb"] = method(seen, texts, group.texts, (true, wrong))
            (maps[f"{name}, thing's name"],) = method(seen, texts, things, (scene.film.thing,))
        found[group.name] = _rows(scene, maps)
        _add_deletion(found[group.name], model, scene, maps, torch.stack([texts[name] for name in group.texts]))
    return found


def _plain(maps: Tensor) -> Map:
    plain: Map = maps.detach().double().numpy()
    return plain


def _centred(slopes: dict[str, Map], text: str, among: Sequence[str]) -> Map:
    others: Map = np.mean([slopes[name] for name in among if name != text], axis=0)
    return slopes[text] - others


def _cosine(seen: Any, texts: dict[str, Tensor], _: Sequence[str], wanted: Sequence[str]) -> list[Map]:
    return list(_plain(cosine.maps(seen, torch.stack([texts[name] for name in wanted]))))


def _surgery(seen: Any, texts: dict[str, Tensor], among: Sequence[str], wanted: Sequence[str]) -> list[Map]:
    maps = _plain(surgery.maps(seen, torch.stack([texts[name] for name in among]), texts[""]))
    return [maps[list(among).index(name)] for name in wanted]


def _legrad(seen: Any, texts: dict[str, Tensor], _: Sequence[str], wanted: Sequence[str]) -> list[Map]:
    return list(_plain(legrad.maps(seen, torch.stack([texts[name] for name in wanted]))))


def _rows(scene: Scene, maps: dict[str, Map]) -> dict[str, Row]:
    covered = {name: on_patches(mask, *maps["gradient"].shape[1:]) for name, mask in scene.masks.items()}
    rows: dict[str, Row] = {}
    for name, found in maps.items():
        rows[name] = {f"auc {target}": auc(found, covered[target]) for target in TARGETS}
        rows[name] |= {f"lift {target}": lift(found, covered[target]) for target in TARGETS}
        rows[name] |= {f"point {target}": pointing(found, scene.masks[target]) for target in TARGETS}
        # of the person alone: whether what moves ranks above what does not
        rows[name]["auc limbs in person"] = auc_within(found, covered["limbs"], covered["person"])

    return rows


def _add_deletion(rows: dict[str, Row], model: VideoCLIP, scene: Scene, maps: dict[str, Map], texts: Tensor) -> None:
    """Add to the rows of `DELETED` how much less of the softmax the true verb has than with patches in random order."""

    def share(clips: Tensor) -> Map:
        with torch.no_grad():
            cosines = torch.cat([model.encode_video(part) for part in clips.split(16)]) @ texts.T
        shares: Map = softmax(cosines.double().numpy() / model.sigma)[:, scene.verb]
        return shares

    chance = np.random.default_rng(int(scene.film.name)).random(maps["gradient"].shape)
    orders = {name: maps[name] for name in DELETED} | {"random": chance}
    scores = deletion_and_insertion(scene.frames, scene.empty, orders, share)
    for name in DELETED:
        rows[name]["deletion"], rows[name]["insertion"] = np.subtract(scores[name], scores["random"])


def with_random_tower(model: VideoCLIP) -> VideoCLIP:
    """Return the model with the numbers of each tensor of its image tower in random places."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.visual.parameters():
            flat = parameter.flatten()
            parameter.copy_(flat[torch.randperm(len(flat), generator=generator)].view(parameter.shape))
    return model


def text_features(model: VideoCLIP, asked: Sequence[Group]) -> dict[str, Tensor]:
    """Return the features of all texts by name, the empty one without a prompt."""
    names = sorted({name for group in asked for name in group.texts} | set(THINGS) | {NONSENSE})
    features = torch.from_numpy(encode_names(model, PROTOCOL, names))
    bare = torch.from_numpy(encode_names(model, Protocol(prompt="{}"), [""]))[0]
    return {**dict(zip(names, features, strict=True)), "": bare}


Values = dict[str, dict[str, dict[str, dict[str, list[float]]]]]  # model, group, row, measure -> a value for each film


def measure(runs: dict[str, list[str]], dev: bool, count: int) -> Values:
    """Return all values; those of several seeds of a model are means over the seeds, film by film."""
    world, asked = str(Sandbox().clip()), groups(dev)
    values: Values = {}
    for name in MODELS:
        seeds = []
        for run in runs.get(name, [world]):
            model = load_model(run, "cpu", frames=FRAMES)
            seeds.append(_of_model(with_random_tower(model) if name == "random tower" else model, asked, count))
            print(f"measured {name}", file=sys.stderr, flush=True)
        values[name] = {
            group: {
                row: {what: np.mean([seed[group][row][what] for seed in seeds], axis=0).tolist() for what in measures}
                for row, measures in rows.items()
            }
            for group, rows in seeds[0].items()
        }
    return values


def _of_model(model: VideoCLIP, asked: Sequence[Group], count: int) -> dict[str, dict[str, dict[str, list[float]]]]:
    texts = text_features(model, asked)
    values: dict[str, dict[str, dict[str, list[float]]]] = {}
    for benchmark in dict.fromkeys(group.benchmark for group in asked):
        own = [group for group in asked if group.benchmark == benchmark]
        for scene in scenes(benchmark, count, model.image_size):
            for group, rows in measured(model, scene, own, texts).items():
                for row, measures in rows.items():
                    for what, value in measures.items():
                        values.setdefault(group, {}).setdefault(row, {}).setdefault(what, []).append(value)
    return values


# The tables.


def interval(first: Sequence[float], second: Sequence[float]) -> str:
    """Return `+0.12 [+0.05, +0.19]`: second minus first and its 95 % interval over films."""
    one, other = np.array(first), np.array(second)
    known = ~(np.isnan(one) | np.isnan(other))
    found = paired_interval([(one[known], other[known])])
    return f"{found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def pooled(values: Values, model: str, row: str, what: str) -> list[float]:
    """Return the values of the films of all groups."""
    return [value for group in values[model].values() for value in group[row].get(what, [])]


def print_tables(values: Values) -> None:
    """Print the tables of docs/heatmaps.md."""
    rows = list(values["raw"]["novel"])
    for what in (
        "auc person",
        "auc limbs",
        "auc limbs in person",
        "auc thing",
        "lift limbs",
        "point person",
        "point thing",
    ):
        print(f"\n{what}\n")
        lines = [[row, *(f"{np.nanmean(pooled(values, model, row, what)):.3f}" for model in MODELS)] for row in rows]
        print(table(["", *MODELS], lines))
    for what in ("deletion", "insertion"):
        print(f"\n{what} minus random order\n")
        lines = [
            [row, *(f"{np.nanmean(pooled(values, model, row, what)):+.3f}" for model in MODELS)] for row in DELETED
        ]
        print(table(["", *MODELS], lines))
    print("\ntrue minus wrong verb, AUC of the limbs\n")
    lines = [
        [
            row,
            *(
                interval(*(pooled(values, model, name, "auc limbs") for name in (f"{row}, wrong verb", row)))
                for model in MODELS
            ),
        ]
        for row in ("gradient", "gradient, not centred", "cosine", "surgery", "legrad")
    ]
    print(table(["", *MODELS], lines))
    for row in ("gradient", "gradient, not centred", "cosine"):
        for what in ("lift limbs", "auc limbs", "auc person", "auc limbs in person"):
            print(f"\n{row}, {what}, by group\n")
            lines = [
                [
                    f"{second} - {first}",
                    *(
                        interval(values[first][group][row][what], values[second][group][row][what])
                        for group in values["raw"]
                    ),
                ]
                for first, second in (("raw", "maxi"), ("raw", "supervised"), ("supervised", "maxi"))
            ]
            print(table(["", *values["raw"]], lines))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--supervised", required=True)
    parser.add_argument("--maxi", required=True)
    parser.add_argument("--dev", action="store_true")
    parser.add_argument("--films", type=int, default=64)
    parser.add_argument("--out", type=Path)
    said = parser.parse_args()
    runs = {"supervised": said.supervised.split(","), "maxi": said.maxi.split(",")}
    values = measure(runs, said.dev, said.films)
    if said.out:
        said.out.write_text(json.dumps(values))
    print_tables(values)


if __name__ == "__main__":
    sys.exit(main())
