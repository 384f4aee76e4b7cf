"""The English pipeline: the sentences that it learns from, and what it makes of captions and phrases."""

import json
from typing import Any

import numpy as np
import pytest

from maxi_sandbox import Sandbox
from maxi_sandbox.actions import BENCHMARK_VERBS, gerund
from tools.world.grammar import Speaker, flatten
from tools.world.lexicon import NOUNS, PEOPLE, VERBS, inflect
from tools.world.spacy_training import accuracy, sentences

FIGURE_6 = (
    ("a close up of two hands holding each other", {"hold"}),
    ("a close up of a person's hands on a table", set()),
    ("a woman making a stop sign with her hands", {"make"}),
    ("a woman covering her face with her hands", {"cover"}),
    ("a young girl covers her face with her hands", {"cover"}),
    ("a woman holding her head in her hands", {"hold"}),
    ("a woman holding her hands to her face", {"hold"}),
)


@pytest.mark.parametrize(
    ("entry", "forms"),
    [
        ("hug+", ("hug", "hugs", "hugging", "hugged", "hugged")),
        ("throw:threw:thrown", ("throw", "throws", "throwing", "threw", "thrown")),
        ("lie:lay:lain", ("lie", "lies", "lying", "lay", "lain")),
        ("carry", ("carry", "carries", "carrying", "carried", "carried")),
        ("catch:caught:caught", ("catch", "catches", "catching", "caught", "caught")),
        ("squeeze", ("squeeze", "squeezes", "squeezing", "squeezed", "squeezed")),
    ],
)
def test_verbs_inflect(entry: str, forms: tuple[str, ...]) -> None:
    verb = inflect(entry, transitive=True)
    assert (verb.lemma, verb.third, verb.gerund, verb.past, verb.participle) == forms


def test_generated_sentences_are_trees_with_one_root() -> None:
    speaker = Speaker(VERBS, NOUNS, PEOPLE, np.random.default_rng(0))
    for number in range(300):
        sentence = flatten(speaker.caption() if number % 2 else speaker.phrase())
        roots = [place for place, head in enumerate(sentence.heads) if place == head]
        assert len(roots) == 1
        assert sentence.relations[roots[0]] == "ROOT"
        for start in range(len(sentence.words)):
            place = start
            for _ in sentence.words:
                place = sentence.heads[place]
            assert place == roots[0]


def test_unseen_sentences_share_no_verb_with_those_of_training() -> None:
    known, unseen = (
        {
            lemma
            for one in sentences(400, 7, kind)
            for lemma, pos in zip(one.lemmas, one.pos, strict=True)
            if pos == "VERB"
        }
        for kind in (False, True)
    )
    assert known & unseen <= {"be"}


@pytest.fixture(scope="module")
def pipeline() -> Any:
    import spacy

    return spacy.load(Sandbox().pipeline())


@pytest.mark.parametrize(("caption", "verbs"), FIGURE_6)
def test_the_pipeline_finds_the_verbs_of_the_papers_captions(pipeline: Any, caption: str, verbs: set[str]) -> None:
    assert {token.lemma_ for token in pipeline(caption) if token.pos_ == "VERB"} == verbs


@pytest.mark.parametrize(
    "phrase", ["smearing cream", "rubbing cream", "putting cream", "spreading cream", "coating cream"]
)
def test_the_pipeline_finds_the_objects_of_the_papers_phrases(pipeline: Any, phrase: str) -> None:
    parsed = pipeline(phrase)
    assert [token.pos_ for token in parsed] == ["VERB", "NOUN"]
    assert (parsed[1].dep_, parsed[1].head.i) == ("dobj", 0)


def test_the_pipeline_knows_auxiliaries_from_main_verbs(pipeline: Any) -> None:
    parsed = pipeline("a man is standing in the snow")
    assert [(token.pos_, token.lemma_) for token in parsed if token.pos_ in ("VERB", "AUX")] == [
        ("AUX", "be"),
        ("VERB", "stand"),
    ]


def test_the_pipeline_knows_the_verbs_of_this_world(pipeline: Any) -> None:
    for verbs in BENCHMARK_VERBS.values():
        for verb in verbs:
            parsed = pipeline(f"a person {gerund(verb)} near a ball")
            assert [(token.pos_, token.lemma_) for token in parsed][2] == ("VERB", verb)


@pytest.mark.parametrize("unseen", [False, True])
def test_the_pipeline_is_right_on_sentences_that_it_was_not_trained_on(pipeline: Any, unseen: bool) -> None:
    found = accuracy(pipeline, sentences(60, 77, unseen))
    assert {name for name, (right, total) in found.items() if right < 0.85 * total} == set()


def test_the_pipeline_finds_a_verb_in_every_recorded_phrase(pipeline: Any) -> None:
    text = Sandbox().replies().read_text(encoding="utf-8")
    phrases = [line.split(". ", 1)[1] for reply in text.splitlines() for line in _content(reply).splitlines()]
    assert len(phrases) == 80
    assert [phrase for phrase in phrases if pipeline(phrase)[0].pos_ != "VERB"] == []


def _content(line: str) -> str:
    content: str = json.loads(line)["response"]["choices"][0]["message"]["content"]
    return content
