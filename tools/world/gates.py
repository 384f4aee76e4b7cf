"""Prints what the sandbox promises beside what it measures: `python -m tools.world.gates`.

Each gate passes or fails; the status is 1 if one fails. `--dev` measures on the benchmarks that the world is tuned on.
"""

import argparse
import json
import platform
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from maxi_sandbox import BENCHMARKS, Sandbox
from maxi_sandbox.actions import BENCHMARK_VERBS, NOVEL, NOVEL_DEV, gerund
from maxi_sandbox.library import SEEDS, benchmark_films, training_films
from maxi_sandbox.painting import THINGS

WORLD = Sandbox()
HIGHEST_RAW = 0.75  # of bare verbs: there must be something to learn


@dataclass(frozen=True, slots=True)
class Gate:
    """One measurement, the range that it must lie in, and what it was measured on; no range is a number to know."""

    what: str
    hits: int
    total: int
    low: float = 0.0
    high: float = 1.0
    on: str = ""

    @property
    def passed(self) -> bool:
        """Return whether the measured share lies in the range."""
        return self.low <= self.hits / self.total <= self.high

    def __str__(self) -> str:
        """Return the gate as a line of the report."""
        wanted = f"{self.low:.1%} to {self.high:.1%}" if (self.low, self.high) != (0.0, 1.0) else "no gate"
        verdict = ("PASS" if self.passed else "FAIL") if wanted != "no gate" else "    "
        share = f"{self.hits}/{self.total} = {self.hits / self.total:.1%}"
        return f"{verdict}  {self.what}: {share} (wanted: {wanted}) {self.on}".rstrip()


def clip_gates(names: Sequence[str]) -> Iterator[Gate]:
    """Yield raw CLIP's gates on benchmarks: bare things of 8, bare verbs of the benchmark's (top-1 of `maxi eval`)."""
    from tools.world.measures import FRAMES, best_names, raw_clip, video_features

    clip = raw_clip()
    for name in names:
        films = list(benchmark_films(name))
        folder = WORLD.benchmark(name) / "videos"
        features = video_features(clip, [folder / f"{film.name}.mp4" for film, _ in films])
        on = f"[{len(films)} videos, {FRAMES} frames each, film seeds from {SEEDS[name].start}]"
        things = best_names(clip, features, list(THINGS))
        hits = sum(list(THINGS)[row] == film.thing for row, (film, _) in zip(things, films, strict=True))
        yield Gate(f"raw CLIP, things, {name}", hits, len(films), 0.9, 1.0, on)
        verbs = BENCHMARK_VERBS[name]
        found = best_names(clip, features, [gerund(verb) for verb in verbs])
        hits = sum(verbs[row] == verb for row, (_, verb) in zip(found, films, strict=True))
        yield Gate(f"raw CLIP, verbs, {name}", hits, len(films), 3 / len(verbs), HIGHEST_RAW, on)


def training_captions() -> list[list[tuple[str, str]]]:
    """Return for each training video the captions of 8 frames, each with the verb of the frame's motion."""
    import torch
    from transformers import BlipForConditionalGeneration, BlipProcessor

    from tools.world.measures import FRAMES, read_frames

    folder = WORLD.captioner()
    model: Any = BlipForConditionalGeneration.from_pretrained(folder)
    processor: Any = BlipProcessor.from_pretrained(folder)
    said = []
    for film in training_films():
        verbs = [verb for verb, count, _, _ in film.steps for _ in range(count)]
        seen = [verbs[(2 * part + 1) * len(verbs) // (2 * FRAMES)] for part in range(FRAMES)]
        frames = read_frames(WORLD.videos() / f"{film.name}.mp4")
        with torch.no_grad():
            tokens = model.generate(**processor(images=frames, return_tensors="pt"), max_new_tokens=16, num_beams=1)
        said.append(list(zip(processor.batch_decode(tokens, skip_special_tokens=True), seen, strict=True)))
    return said


def spoken_verbs(texts: Sequence[str]) -> list[set[str]]:
    """Return the lemmas of the verbs of each text, as the sandbox's spaCy pipeline finds them."""
    import spacy

    pipeline: Any = spacy.load(WORLD.pipeline())
    return [{token.lemma_ for token in parsed if token.pos_ == "VERB"} for parsed in pipeline.pipe(texts)]


def caption_gates(captions: list[list[tuple[str, str]]]) -> Iterator[Gate]:
    """Yield how often the captions of training videos name the verb of their frame, and how often each unnamed verb."""
    from tools.world.measures import caption_accuracy

    flat = [pair for video in captions for pair in video]
    texts, truth = [text for text, _ in flat], [verb for _, verb in flat]
    on = f"[8 captions of each of {len(captions)} training videos, film seeds from {SEEDS['training'].start}]"
    right = round(caption_accuracy(texts, truth) * len(flat))
    yield Gate("captions, verb of the frame", right, len(flat), 0.35, 0.6, on)
    verbs = iter(spoken_verbs(texts))
    named = Counter(verb for video in captions for verb in set().union(*(next(verbs) for _ in video)))
    for kind, unnamed in (("novel", NOVEL), ("novel dev", NOVEL_DEV)):
        for verb in unnamed:
            yield Gate(f"training videos with {verb} in a caption ({kind})", named[verb], len(captions), 0.01, 1.0)


def reply_gates() -> Iterator[Gate]:
    """Yield how often each verb that the dictionary never names stands in the replies: to know, not to pass."""
    lines = WORLD.replies().read_text(encoding="utf-8").splitlines()
    replies = [json.loads(line)["response"]["choices"][0]["message"]["content"] for line in lines]
    phrases = [line.split(". ", 1)[1] for reply in replies for line in reply.splitlines()]
    found = Counter(verb for verbs in spoken_verbs(phrases) for verb in verbs)
    for kind, unnamed in (("novel", NOVEL), ("novel dev", NOVEL_DEV)):
        for verb in unnamed:
            yield Gate(f"phrases of the recorded replies with {verb} ({kind})", found[verb], len(phrases))


def spacy_gates() -> Iterator[Gate]:
    """Yield the English pipeline's accuracy on generated sentences of other seeds, of known and of unseen words."""
    import spacy

    from tools.world.spacy_training import CHECK_SEED, accuracy, sentences

    pipeline = spacy.load(WORLD.pipeline())
    for kind, unseen in (("known words", False), ("words unseen in training", True)):
        made = sentences(500, CHECK_SEED, unseen)
        for name, (hits, total) in accuracy(pipeline, made).items():
            yield Gate(f"spaCy, {name}, {kind}", hits, total, on=f"[500 generated sentences, seed {CHECK_SEED}]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print every gate; return 0 if all pass and 1 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tools.world.gates", description=__doc__)
    parser.add_argument("--dev", action="store_true", help="measure on the benchmarks that the world is tuned on")
    dev = parser.parse_args(arguments).dev
    names = [name for name in BENCHMARKS if name.endswith("-dev") == dev]
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "open_clip_torch", "transformers", "spacy", "av")
    )
    sys.stdout.write(f"Python {platform.python_version()}, {packages}\n")
    failed = 0
    for gates in (clip_gates(names), caption_gates(training_captions()), reply_gates(), spacy_gates()):
        for gate in gates:
            sys.stdout.write(f"{gate}\n")
            sys.stdout.flush()
            failed += not gate.passed
    sys.stdout.write(f"{failed} gates failed\n" if failed else "all gates passed\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
