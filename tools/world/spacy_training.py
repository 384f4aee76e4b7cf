"""Training of the sandbox's English pipeline on generated captions and phrases, and how right it is on others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tools.world.grammar import Sentence, Speaker, flatten
from tools.world.lexicon import NOUNS, PEOPLE, VERBS, lemma_tables

# One word in this many is kept out of the training text, so that the check meets words that were never seen.
HELD_OUT = 10
CHECK_SEED = 900


@dataclass(frozen=True, slots=True)
class Lesson:
    """How the pipeline is trained."""

    sentences: int = 6_000
    epochs: int = 4
    batch: int = 64
    seed: int = 4


def sentences(count: int, seed: int, unseen: bool = False) -> list[Sentence]:
    """Return generated sentences, half of them captions; with `unseen`, of words that training never uses."""
    rng = np.random.default_rng(seed)
    held_out = set(sorted({verb.lemma for verb in VERBS} | set(NOUNS))[::HELD_OUT])
    verbs = [verb for verb in VERBS if (verb.lemma in held_out) == unseen]
    nouns = [noun for noun in NOUNS if (noun in held_out) == unseen]
    speaker = Speaker(verbs, nouns, PEOPLE, rng)
    return [_punctuated(flatten(speaker.caption() if number % 2 else speaker.phrase()), rng) for number in range(count)]


def _punctuated(sentence: Sentence, rng: np.random.Generator) -> Sentence:
    if rng.uniform() < 0.2:
        root = next(place for place, head in enumerate(sentence.heads) if place == head)
        for column, value in zip(
            (sentence.words, sentence.tags, sentence.pos, sentence.lemmas, sentence.relations),
            (".", ".", "PUNCT", ".", "punct"),
            strict=True,
        ):
            column.append(value)
        sentence.heads.append(root)
    if rng.uniform() < 0.15:
        sentence.words[0] = sentence.words[0].capitalize()
    return sentence


def doc(vocab: Any, sentence: Sentence) -> Any:
    """Return a sentence as a spaCy Doc with its annotations."""
    from spacy.tokens import Doc

    return Doc(
        vocab,
        words=sentence.words,
        tags=sentence.tags,
        pos=sentence.pos,
        lemmas=sentence.lemmas,
        heads=sentence.heads,
        deps=sentence.relations,
    )


def untrained() -> Any:
    """Return the pipeline before training: a small shared tok2vec, tagger, morphologizer, parser; lemmas by rule."""
    import spacy
    from spacy.lookups import Lookups

    pipeline = spacy.blank("en")
    width = 64
    listener = {"@architectures": "spacy.Tok2VecListener.v1", "width": width}
    pipeline.add_pipe(
        "tok2vec",
        config={"model": {"@architectures": "spacy.HashEmbedCNN.v2", "width": width, "depth": 3, "embed_size": 1000,
                          "window_size": 1, "maxout_pieces": 3, "subword_features": True, "pretrained_vectors": None}},
    )  # fmt: skip
    tagger = {"@architectures": "spacy.Tagger.v2", "tok2vec": listener}
    pipeline.add_pipe("tagger", config={"model": tagger})
    pipeline.add_pipe("morphologizer", config={"model": tagger})
    pipeline.add_pipe(
        "parser",
        config={"model": {"@architectures": "spacy.TransitionBasedParser.v2", "state_type": "parser",
                          "extra_state_tokens": False, "hidden_width": 64, "maxout_pieces": 2, "use_upper": True,
                          "tok2vec": listener}},
    )  # fmt: skip
    lemmatizer: Any = pipeline.add_pipe("lemmatizer", config={"mode": "rule"})
    lookups = Lookups()
    for name, table in lemma_tables().items():
        lookups.add_table(name, dict(table))
    lemmatizer.initialize(lookups=lookups)
    return pipeline


def train(lesson: Lesson) -> Iterator[tuple[int, Any]]:
    """Train the pipeline; yield (epoch, the pipeline) after each epoch."""
    from spacy.training import Example
    from thinc.api import fix_random_seed

    fix_random_seed(lesson.seed)
    pipeline = untrained()
    made = sentences(lesson.sentences, lesson.seed)
    examples = [Example(blank, doc(pipeline.vocab, one)) for blank, one in zip(docs(pipeline, made), made, strict=True)]
    with pipeline.select_pipes(disable="lemmatizer"):  # its tables are there already
        optimizer = pipeline.initialize(lambda: examples)
    rng = np.random.default_rng(lesson.seed)
    for epoch in range(1, lesson.epochs + 1):
        order = rng.permutation(len(examples))
        for start in range(0, len(order), lesson.batch):
            batch = [examples[row] for row in order[start : start + lesson.batch]]
            pipeline.update(batch, sgd=optimizer, drop=0.1, exclude=["lemmatizer"])
        yield epoch, pipeline


def accuracy(pipeline: Any, made: Sequence[Sentence]) -> dict[str, tuple[int, int]]:
    """Return (right, all) of tags, parts of speech, lemmas of verbs, heads and direct objects of `made`."""
    counts = dict.fromkeys(("tag", "pos", "verb lemma", "head", "dobj"), (0, 0))

    def count(name: str, right: bool) -> None:
        hits, total = counts[name]
        counts[name] = (hits + right, total + 1)

    for sentence, parsed in zip(made, pipeline.pipe(docs(pipeline, made)), strict=True):
        for place, token in enumerate(parsed):
            count("tag", token.tag_ == sentence.tags[place])
            count("pos", token.pos_ == sentence.pos[place])
            count("head", token.head.i == sentence.heads[place])
            if sentence.pos[place] == "VERB":
                count("verb lemma", token.pos_ == "VERB" and token.lemma_ == sentence.lemmas[place])
            if sentence.relations[place] == "dobj":
                count("dobj", token.dep_ == "dobj" and token.head.i == sentence.heads[place])
    return counts


def docs(pipeline: Any, made: Sequence[Sentence]) -> Iterator[Any]:
    """Yield unannotated Docs of the sentences' words."""
    from spacy.tokens import Doc

    for sentence in made:
        yield Doc(pipeline.vocab, words=sentence.words)
