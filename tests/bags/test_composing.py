"""Bag policies: what goes in, in which order, who said it, and which videos are kept."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maxi_core.bags.bag import as_record, compose, from_line, to_line
from maxi_core.bags.filtering import keep_best
from maxi_core.types import Form, Match, Text, TextBag, Video

MATCH = Match(Video("v.mp4", Path("/v.mp4")), "applying cream", 0.3, (("applying cream", 0.3),))


def verb(gerund: str, lemma: str) -> list[Form]:
    return [Form(lemma, "verb", lemma), Form(gerund, "verb", lemma)]


FORMS = {
    "applying cream": verb("applying", "apply"),
    "smearing cream": verb("smearing", "smear"),
    "a woman covering her face": verb("covering", "cover"),
    "a woman applying something": verb("applying", "apply"),
}
SAID = {"gpt3": ["smearing cream"]}
SEEN = {"blip": ["a woman covering her face", "a woman applying something"]}


def texts(bag: TextBag) -> list[str]:
    return [text.text for text in bag.texts]


def test_phrases_go_in_with_their_forms_captions_only_as_forms_and_the_entry_only_as_its_forms() -> None:
    bag = compose(MATCH, SAID, SEEN, FORMS, "dictionary")
    assert texts(bag) == ["apply", "applying", "smearing cream", "smear", "smearing", "cover", "covering"]


def test_verb_phrases_go_in_when_a_language_model_said_them_and_not_from_captions() -> None:
    forms = {
        "a woman covering her face": [Form("covering her face", "verb-phrase", "cover"), *verb("covering", "cover")],
        "smear cream": [Form("smearing cream", "verb-phrase", "smear")],
        "applying cream": [Form("applying cream", "verb-phrase", "apply"), Form("cream", "noun", "cream")],
    }
    bag = compose(MATCH, {"gpt3": ["smear cream"]}, SEEN, forms, "dictionary")
    assert texts(bag) == ["cream", "smear cream", "smearing cream", "cover", "covering"]


def test_a_verb_phrase_that_is_shorter_than_its_phrase_goes_in_only_where_that_is_asked_for() -> None:
    short = [Form("throwing the ball", "verb-phrase", "throw"), *verb("throwing", "throw")]
    said, forms = {"gpt3": ["throwing the ball in the hoop"]}, {"throwing the ball in the hoop": short}
    assert texts(compose(MATCH, said, {}, forms, "m")) == ["throwing the ball in the hoop", "throw", "throwing"]
    assert "throwing the ball" in texts(compose(MATCH, said, {}, forms, "m", shortened=True))


def test_each_item_says_who_said_it_and_of_what_and_who_else() -> None:
    bag = compose(MATCH, SAID, SEEN, FORMS, "dictionary")
    assert bag.texts[0] == Text("apply", "dictionary", "applying cream", "verb", ("blip",))
    assert bag.texts[2] == Text("smearing cream", "gpt3", "applying cream", "phrase")
    assert bag.texts[5] == Text("cover", "blip", "a woman covering her face", "verb")
    assert bag.said == (("gpt3", ("smearing cream",)), ("blip", tuple(SEEN["blip"])))


def test_the_matched_entry_is_never_an_item_in_any_case() -> None:
    bag = compose(MATCH, {"gpt3": ["Applying Cream", "rubbing"]}, {}, {}, "dictionary")
    assert texts(bag) == ["rubbing"]


def test_the_same_text_in_another_case_is_one_item() -> None:
    bag = compose(MATCH, {"gpt3": ["Rubbing", "rubbing"], "llama": ["RUBBING"]}, {}, {}, "dictionary")
    assert bag.texts == (Text("Rubbing", "gpt3", "applying cream", "phrase", ("llama",)),)


def test_without_an_augmenter_captions_go_in_whole() -> None:
    bag = compose(MATCH, {}, SEEN, None, "dictionary")
    assert [(text.text, text.kind) for text in bag.texts] == [(caption, "phrase") for caption in SEEN["blip"]]


def test_the_example_of_the_supplement_comes_out() -> None:
    """method.md, sources: phrases with their forms and the entry's forms; captions as forms alone."""
    phrases = [f"{word} cream" for word in ("smearing", "rubbing", "putting", "spreading", "coating")]
    lemmas = {"smearing": "smear", "rubbing": "rub", "putting": "put", "spreading": "spread", "coating": "coat"}
    forms = {f"{gerund} cream": verb(gerund, lemma) for gerund, lemma in lemmas.items()}
    forms["applying cream"] = verb("applying", "apply")
    bag = compose(MATCH, {"gpt3": phrases}, {}, forms, "dictionary")
    assert set(texts(bag)) == {*phrases, *lemmas, *lemmas.values(), "apply", "applying"}


@pytest.mark.parametrize(("share", "count"), [(1.0, 10), (0.9, 9), (0.5, 5), (0.3, 3), (0.04, 1)])
def test_the_share_with_the_highest_scores_is_kept(share: float, count: int) -> None:
    scores = [0.1, 0.9, 0.5, 0.5, 0.3, 0.7, 0.2, 0.8, 0.6, 0.4]
    kept = keep_best(scores, share)
    assert sum(kept) == count
    lowest = min(score for score, use in zip(scores, kept, strict=True) if use)
    assert all(score <= lowest for score, use in zip(scores, kept, strict=True) if not use)


def test_of_equal_scores_the_earlier_videos_are_kept() -> None:
    assert keep_best([0.5] * 4, 0.5) == [True, True, False, False]


words = st.text(max_size=12)
items = st.builds(Text, words, words, words, st.sampled_from(["phrase", "verb", "noun"]), st.tuples(words))


@given(
    name=st.text(st.characters(exclude_categories=[]), min_size=1),
    texts=st.lists(items, max_size=4),
    score=st.floats(-1, 1),
    said=st.dictionaries(words, st.lists(words, max_size=3).map(tuple), max_size=2),
)
def test_a_line_read_back_is_the_same_bag(name, texts, score, said) -> None:
    match = Match(Video(name, Path("/x") / "v.mp4", 1.5, None), "waving", score, (("waving", score),))
    bag = TextBag(match, True, tuple(texts), tuple(said.items()))
    line = to_line(bag)
    assert "\n" not in line
    assert line in {json.dumps(as_record(bag), ensure_ascii=escaped) for escaped in (False, True)}
    assert from_line(line.encode("utf-8").decode("utf-8")) == bag
