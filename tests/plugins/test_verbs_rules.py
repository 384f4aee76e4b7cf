"""The model-free reader: what it says of hard texts, and its precision and recall on the hand-tagged sets."""

import pytest

from benchmarks.verbs import NAMES, SETS, by_kind, count, read_set
from maxi_core.types import Failed
from maxi_plugins.english.inflection import gerund, lemma_of, lemma_of_gerund, readings
from maxi_plugins.verbs import Verbs

READER = Verbs(Verbs.Options(model="rules", forms=("verb", "verb-phrase", "noun")))


def said(text: str) -> dict[str, frozenset[str]]:
    [forms] = READER.augment([text])
    assert not isinstance(forms, Failed)
    return by_kind(forms)


@pytest.mark.parametrize(
    "text",
    [
        "a swimming pool",
        "a man with a fishing rod",
        "a drawing of a cat",
        "a building",
        "a watch on a table",
        "archery",
    ],
)
def test_nouns_that_look_like_verbs_are_none(text: str) -> None:
    assert said(text)["verb"] == frozenset()


@pytest.mark.parametrize("text", ["a smiling woman", "a parked car", "a broken window", "the running man"])
def test_participles_in_front_of_a_noun_are_adjectives(text: str) -> None:
    assert said(text)["verb"] == frozenset()


@pytest.mark.parametrize(
    ("text", "verb"),
    [("a car parked in front of a house", "park"), ("a table covered with snow", "cover"), ("a man smiling", "smile")],
)
def test_participles_after_their_noun_are_verbs(text: str, verb: str) -> None:
    assert said(text)["verb"] == {verb}


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("a man is standing", "stand"), ("it has been thrown", "throw"), ("she does not eat", "eat"),
        ("they could have been dancing", "dance"), ("a horse is being ridden", "ride"),
    ],
)  # fmt: skip
def test_auxiliaries_are_left_out(text: str, verb: str) -> None:
    assert said(text)["verb"] == {verb}


@pytest.mark.parametrize(("text", "verb"), [("a man has a hat", "have"), ("a girl does a flip", "do")])
def test_have_and_do_count_where_they_are_the_main_verb(text: str, verb: str) -> None:
    assert said(text)["verb"] == {verb}


@pytest.mark.parametrize(
    ("text", "verb"),
    [("skiers ski down a slope", "ski"), ("a man and a woman shake hands", "shake"), ("a bus stops here", "stop")],
)
def test_a_word_that_is_also_a_noun_is_a_verb_if_it_agrees_with_its_subject(text: str, verb: str) -> None:
    assert said(text)["verb"] == {verb}


def test_a_particle_stays_where_it_was() -> None:
    assert said("a man picking up a ball")["verb-phrase"] == {"picking up a ball"}
    assert said("a man taking his jacket off")["verb-phrase"] == {"taking his jacket off"}


def test_two_objects_make_two_phrases_but_the_subject_of_the_next_clause_makes_none() -> None:
    assert said("a man wearing a hat and a tie")["verb-phrase"] == {"wearing a hat", "wearing a tie"}
    assert said("a man holding a ball and a woman watching")["verb-phrase"] == {"holding a ball"}


def test_a_phrase_that_is_verb_and_object_is_its_own_verb_phrase_with_its_capitals() -> None:
    assert said("passing American football")["verb-phrase"] == {"passing American football"}


@pytest.mark.parametrize(
    ("word", "lemma"),
    [
        ("riding", "ride"), ("ironing", "iron"), ("sitting", "sit"), ("lying", "lie"), ("carried", "carry"),
        ("washes", "wash"), ("threw", "throw"), ("picnicking", "picnic"),
    ],
)  # fmt: skip
def test_common_verbs_come_before_rare_ones_that_the_table_has_under_the_same_form(word: str, lemma: str) -> None:
    assert readings(word)[0][0] == lemma


@pytest.mark.parametrize(
    ("word", "lemma"),
    [("kitesurfing", "kitesurf"), ("breadcrumbing", "breadcrumb"), ("snowkiting", "snowkite"), ("vlogging", "vlog")],
)
def test_a_gerund_that_no_table_has_gets_its_lemma_by_rule(word: str, lemma: str) -> None:
    assert lemma_of_gerund(word) == lemma


@pytest.mark.parametrize(
    "word", ["swing", "bring", "sing", "ring", "cling", "fling", "sling", "string", "spring", "wring"]
)
def test_a_verb_that_ends_in_ing_itself_is_its_own_lemma(word: str) -> None:
    assert said(f"{word} it high")["verb"] == {word}
    assert said(f"a person {word}ing a thing")["verb"] == {word}
    assert lemma_of(word, "") == word


@pytest.mark.parametrize("word", ["king", "wing", "handspring", "seedling", "viking", "drawstring", "evening"])
def test_a_noun_that_ends_in_ing_is_no_gerund(word: str) -> None:
    assert said(f"{word} of the year")["verb"] == frozenset()


@pytest.mark.parametrize(
    ("text", "verbs"),
    [
        ("jump high", {"jump"}), ("spin around", {"spin"}), ("soar over a bar", {"soar"}), ("slow down", {"slow"}),
        ("Open the door", {"open"}), ("keep running", {"keep", "run"}), ("push and pull", {"push", "pull"}),
        ("to glue the pieces", {"glue"}), ("swing as you jump", {"swing", "jump"}), ("jumps high", {"jump"}),
        ("weave basket", {"weave"}), ("sip hot tea", {"sip"}), ("bend knees", {"bend"}), ("bow to the king", {"bow"}),
    ],
)  # fmt: skip
def test_an_imperative_is_a_verb(text: str, verbs: set[str]) -> None:
    assert said(text)["verb"] == verbs


@pytest.mark.parametrize(
    "text",
    [
        "push up", "close up of a hand", "race track", "dance class for beginners", "bat and ball", "run of a mill",
        "bow tie", "balance board", "sleep mask", "skate park", "walk sign",
    ],
)  # fmt: skip
def test_a_noun_that_may_be_an_imperative_is_none(text: str) -> None:
    assert said(text)["verb"] == frozenset()


def test_a_lemma_that_a_statistical_lemmatizer_made_up_is_mended() -> None:
    assert lemma_of("smearing", "smeare") == "smear"
    assert lemma_of("smearing", "") == "smear"
    assert lemma_of("lay", "lie") == "lie"


def test_a_word_that_is_no_verb_has_no_gerund() -> None:
    assert gerund("footage") is None
    assert gerund("") is None


@pytest.mark.parametrize(
    ("name", "precision", "recall"),
    [("gold", 0.97, 0.98), ("held_out", 0.95, 0.92), ("imperative", 0.96, 0.96)],
    ids=["gold", "held out", "imperative"],
)
def test_precision_and_recall_do_not_fall_below_what_was_measured(name: str, precision: float, recall: float) -> None:
    tagged = list(read_set(SETS / f"{name}.txt"))
    counts = count(READER, tagged)
    assert len(tagged) >= 100
    for kind in ("verb", "verb-phrase", "noun"):
        of_kind = counts[kind, "all"]
        assert of_kind.precision >= precision, kind
        assert of_kind.recall >= recall, kind


def test_the_hand_tagged_set_is_large_enough_and_no_text_is_in_both() -> None:
    gold, held_out, imperative = ({one.text for one in read_set(SETS / f"{name}.txt")} for name in NAMES)
    assert min(len(gold), len(imperative)) >= 200
    assert not gold & held_out
    assert not imperative & (gold | held_out)
