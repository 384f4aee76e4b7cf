"""The packaged models: small, and loaded by the libraries that users have, as folders that look like any other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from maxi_core.clip.loading import load_model
from maxi_core.evaluation.benchmarks.opening import open_benchmark
from maxi_core.evaluation.evaluating import evaluate
from maxi_core.evaluation.features import encode_names
from maxi_core.evaluation.protocol import Protocol
from maxi_sandbox import DATA, Sandbox
from maxi_sandbox.actions import BENCHMARK_VERBS, gerund
from maxi_sandbox.films import frames, write_mp4
from maxi_sandbox.home import WORLD_VERSION
from maxi_sandbox.library import benchmark_film, training_film
from maxi_sandbox.painting import THINGS
from tools.world.measures import FRAMES, best_names, raw_clip, video_features
from tools.world.stills import still


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Unpack each model once for all the tests of this file, in a home of their own."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(autouse=True)
def shared_home(home: Path, own_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAXI_HOME", str(home))


@pytest.fixture
def pictures() -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    return [next(frame for _, frame in frames(training_film(number)[0])) for number in range(4)]


def test_all_package_data_together_are_under_20_mb() -> None:
    assert sum(file.stat().st_size for file in DATA.rglob("*") if file.is_file()) < 20e6


def test_the_clip_loads_through_open_clip_and_knows_things(home: Path) -> None:
    import open_clip

    folder = Sandbox().clip()
    assert folder == home / "sandbox" / WORLD_VERSION / "clip"
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    seen = [still(seed) for seed in range(30_000_000, 30_000_080)]
    with torch.no_grad():
        image = model.encode_image(
            torch.stack([preprocess(Image.fromarray(one.frame)) for one in seen]), normalize=True
        )
        text = model.encode_text(tokenizer([f"a photo of a {thing}." for thing in THINGS]), normalize=True)
    best = (image @ text.T).argmax(1).tolist()
    right = sum(list(THINGS)[row] == one.thing for row, one in zip(best, seen, strict=True))
    assert right >= 0.75 * len(seen)


def test_words_that_the_clip_never_met_say_nothing_and_break_nothing() -> None:
    import open_clip

    tag = f"local-dir:{Sandbox().clip()}"
    model, _ = open_clip.create_model_from_pretrained(tag)
    tokenizer = open_clip.get_tokenizer(tag)
    rows = model.token_embedding.weight
    assert rows.shape[0] == 49408
    assert not rows[tokenizer.encode("zebra")].any()
    names = [gerund(verb) for verbs in BENCHMARK_VERBS.values() for verb in verbs]
    assert all(rows[tokenizer.encode(name)].any(dim=1).all() for name in names)
    with torch.no_grad():
        longest = model.encode_text(tokenizer(["zebra " * 40, "a photo of a kicking a ball. " * 5]))
    assert torch.isfinite(longest).all()


def test_the_captioner_loads_through_transformers_and_speaks(pictures: list[Any]) -> None:
    from transformers import BlipForConditionalGeneration, BlipProcessor

    folder = Sandbox().captioner()
    model = BlipForConditionalGeneration.from_pretrained(folder)
    assert model.dtype == torch.float32
    processor = BlipProcessor.from_pretrained(folder)
    with torch.no_grad():
        tokens = model.generate(**processor(images=pictures, return_tensors="pt"), max_new_tokens=16)
    said = processor.batch_decode(tokens, skip_special_tokens=True)
    assert len(said) == 4
    assert all(text.split()[:2] in (["a", "person"], ["a", "man"], ["a", "woman"]) for text in said)
    assert all("[" not in text for text in said)


def test_the_gates_score_raw_clip_to_the_digit_as_maxi_eval_does(tmp_path: Path) -> None:
    names = [gerund(verb) for verb in BENCHMARK_VERBS["sandbox-novel"]]
    (tmp_path / "videos").mkdir()
    films = [benchmark_film("sandbox-novel", number) for number in range(12)]
    for film, _ in films:
        write_mp4(film, tmp_path / "videos" / f"{film.name}.mp4")
    lines = [f"videos/{film.name}.mp4 {names.index(gerund(verb))}\n" for film, verb in films]
    (tmp_path / "split.txt").write_text("".join(lines))
    (tmp_path / "labels.csv").write_text("id,name\n" + "".join(f"{row},{name}\n" for row, name in enumerate(names)))
    loaded = load_model("sandbox", "cpu", frames=FRAMES)
    evaluated = evaluate([loaded], [open_benchmark(str(tmp_path))], Protocol(frames=FRAMES))
    assert evaluated is not None
    scores = evaluated.models[0].results[0].scores
    raw = raw_clip()
    features = video_features(raw, [tmp_path / "videos" / f"{film.name}.mp4" for film, _ in films])
    assert features @ encode_names(raw, Protocol(frames=FRAMES), names).astype(np.float64).T == pytest.approx(
        scores, abs=1e-12
    )
    assert best_names(raw, features, names) == scores.argmax(axis=1).tolist()
