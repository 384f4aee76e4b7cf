"""The `verbs` augmenter: its contract, its options, its faults, and what it makes of clauses."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_core.types import Failed, Form
from maxi_plugins.english.pipeline import BATCH
from maxi_plugins.verbs import Verbs
from tests.plugins.asking import opened

POS = {"man": "NOUN", "ball": "NOUN", "is": "AUX", "holding": "VERB", "kicks": "VERB", "footage": "VERB"}
LEMMAS = {"holding": "hold", "kicks": "kick"}
ALL = ("verb", "verb-phrase", "noun")


def by_rules(**options: Any) -> Verbs:
    return Verbs(Verbs.Options(model="rules", **options))


test_verbs_keeps_the_contract = contract(by_rules)


@pytest.fixture(scope="module")
def tiny() -> Callable[[Path], Path]:
    """Return a function that writes a small pipeline: a tagger by word list, which fails on the word "poison"."""
    import spacy
    from spacy.language import Language
    from spacy.tokens import Doc

    def tag(doc: Doc) -> Doc:
        for token in doc:
            if token.text == "poison":
                raise KeyError("no such word")
            token.pos_ = POS.get(token.text, "X")
            token.lemma_ = LEMMAS.get(token.text, token.text)
        return doc

    Language.component("maxi_test_tagger", func=tag)

    def write(folder: Path) -> Path:
        pipeline = spacy.blank("en", meta={"name": "tiny", "version": "1.2.3"})
        pipeline.add_pipe("maxi_test_tagger")
        pipeline.to_disk(folder)
        return folder

    return write


@pytest.fixture
def tagged(tiny: Callable[[Path], Path], tmp_path: Path) -> Verbs:
    return Verbs(Verbs.Options(model=str(tiny(tmp_path / "tiny")), forms=ALL))


def test_a_verb_gives_lemma_and_gerund_then_its_phrase_and_its_object() -> None:
    [forms] = by_rules(forms=ALL).augment(["a woman covers her face"])
    assert forms == [
        Form("cover", "verb", "cover"),
        Form("covering", "verb", "cover"),
        Form("covering her face", "verb-phrase", "cover"),
        Form("face", "noun", "face"),
    ]


def test_object_nouns_are_an_option_and_off_by_default() -> None:
    text = ["a man throwing a ball"]
    assert {form.kind for form in by_rules().augment(text)[0]} == {"verb", "verb-phrase"}
    assert by_rules(forms=("noun",)).augment(text) == [[Form("ball", "noun", "ball")]]


def test_a_form_is_said_once_however_often_it_is_in_the_text() -> None:
    [forms] = by_rules().augment(["throw the ball, then throw the ball and throw the ball"])
    assert [form.text for form in forms] == ["throw", "throwing", "throwing the ball"]


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\u200b\u200d", "\ud800", "\n\t", "🏃", "مرحبا", "...", "'s", "-"])
def test_a_text_without_words_has_no_forms(text: str) -> None:
    assert by_rules().augment([text]) == [[]]


def test_the_same_text_in_another_unicode_form_has_the_same_forms() -> None:
    composed, decomposed = "a man at the caf\u00e9 holding a cup", "a man at the cafe\u0301 holding a cup"
    first, second = by_rules().augment([composed, decomposed])
    assert first == second != []


@pytest.mark.parametrize("piece", ["a man throws a ball ", "throwing ", "of ", "😀 ", "a" * 99 + " ", "each other "])
def test_a_text_of_a_megabyte_gets_an_answer(piece: str) -> None:
    [answer] = by_rules().augment([piece * (2**20 // len(piece))])
    assert isinstance(answer, list)


HARD = (
    "a the her man woman is has does not to of and that like can shot giving throwing building cutting each other up "
    "off who someone fried metal black kites , . ' - 3 \u2019 breadcrumbing \ud800 \x00 😀 מה"
)
WORDS = st.sampled_from(HARD.split(" "))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(WORDS, st.text(max_size=8)), max_size=14).map(" ".join))
def test_no_text_raises_and_forms_are_clean_and_unique(text: str) -> None:
    [forms] = by_rules(forms=ALL).augment([text])
    assert isinstance(forms, list)
    texts = [form.text for form in forms]
    assert len(set(texts)) == len(texts)
    assert all(one == " ".join(one.split()) != "" for one in texts)


# A pipeline that is not there, or cannot do it


def test_a_model_that_is_not_installed_is_one_line_with_both_ways_to_get_on() -> None:
    with pytest.raises(UsageError) as raised:
        Verbs(Verbs.Options(model="en_no_such_model")).open()
    assert "python -m spacy download en_no_such_model" in str(raised.value)
    assert "-o verbs.model=rules" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_model_is_found_out_without_importing_spacy() -> None:
    code = (
        "import sys; from maxi_plugins.verbs import Verbs; from maxi_core.errors import UsageError\n"
        "try: Verbs(Verbs.Options(model='en_no_such_model')).open()\n"
        "except UsageError: print('spacy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no meta\.json that can be read"):
        Verbs(Verbs.Options(model=f"{tmp_path}/nothing")).open()


@pytest.mark.parametrize("model", ["json", "pytest"])
def test_a_package_that_is_no_pipeline_is_refused(model: str) -> None:
    with pytest.raises(UsageError, match=r"no meta\.json that can be read"):
        Verbs(Verbs.Options(model=model)).open()


@pytest.mark.parametrize("content", ["", "[]", "{\x00"])
def test_a_torn_meta_json_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(content)
    with pytest.raises(UsageError, match=r"no meta\.json that can be read"):
        Verbs(Verbs.Options(model=str(tmp_path))).fingerprint()


def test_a_pipeline_that_tags_nothing_is_refused_since_its_answers_would_be_empty(tmp_path: Path) -> None:
    import spacy

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(UsageError, match=r"tags no parts of speech.*-o verbs.model=rules"):
        Verbs(Verbs.Options(model=str(tmp_path / "blank"))).open()


def test_a_pipeline_of_another_language_is_refused(tmp_path: Path) -> None:
    import spacy

    spacy.blank("de").to_disk(tmp_path / "german")
    with pytest.raises(UsageError, match="language 'de'"):
        Verbs(Verbs.Options(model=str(tmp_path / "german"))).open()


def test_a_pipeline_that_spacy_cannot_load_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(json.dumps({"lang": "en", "name": "torn", "version": "1"}))
    with pytest.raises(UsageError, match="spaCy cannot load") as raised:
        Verbs(Verbs.Options(model=f"{tmp_path}")).open()
    assert "\n" not in str(raised.value)


def test_a_form_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError, match="verb-phrase"):
        Verbs.Options(forms=("adverb",))


def test_a_model_with_a_slash_is_a_folder_and_means_the_same_from_everywhere() -> None:
    assert Path(Verbs.Options(model="./pipelines/mine").model).is_absolute()
    assert Verbs.Options(model="en_core_web_sm").model == "en_core_web_sm"


# With a pipeline


def test_a_pipeline_gives_main_verbs_without_auxiliaries(tagged: Verbs) -> None:
    [forms] = tagged.augment(["a man is holding a ball"])
    assert forms == [Form("hold", "verb", "hold"), Form("holding", "verb", "hold")]


def test_a_pipeline_is_found_by_the_name_of_its_package(
    tiny: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "en_packed"
    package.mkdir()
    tiny(package / "en_tiny-1.2.3")
    (package / "__init__.py").touch()
    (package / "meta.json").write_text((package / "en_tiny-1.2.3" / "meta.json").read_text())
    monkeypatch.syspath_prepend(tmp_path)
    packed = Verbs(Verbs.Options(model="en_packed"))
    assert packed.fingerprint()["pipeline_version"] == "1.2.3"
    assert packed.augment(["a man kicks"]) == [[Form("kick", "verb", "kick"), Form("kicking", "verb", "kick")]]


def test_a_comma_that_a_pipeline_takes_for_a_verb_is_none(tagged: Verbs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(POS, ",", "VERB")
    assert tagged.augment([",", "a man kicks , "])[0] == []


def test_a_lemma_that_has_no_gerund_stands_alone(tagged: Verbs) -> None:
    assert tagged.augment(["footage"]) == [[Form("footage", "verb", "footage")]]


def test_one_text_that_breaks_the_pipeline_fails_alone_and_in_its_place(tagged: Verbs) -> None:
    texts = ["a man kicks"] * BATCH + ["poison", "a man is holding"] + ["a man"] * BATCH
    answers = tagged.augment(texts)
    assert len(answers) == len(texts)
    assert isinstance(answers[BATCH], Failed)
    assert "KeyError" in answers[BATCH].reason
    assert answers[BATCH - 1] == [Form("kick", "verb", "kick"), Form("kicking", "verb", "kick")]
    assert answers[BATCH + 1] == [Form("hold", "verb", "hold"), Form("holding", "verb", "hold")]
    assert sum(isinstance(answer, Failed) for answer in answers) == 1


def test_hostile_texts_get_answers_from_a_pipeline_too(tagged: Verbs) -> None:
    texts = ["", "\x00", "\ud800 kicks", "😀" * 100, "kicks " * 200_000, "\u202ekicks"]
    answers = tagged.augment(texts)
    assert len(answers) == len(texts)
    assert not any(isinstance(answer, Failed) for answer in answers)
    assert answers[2] == [Form("kick", "verb", "kick"), Form("kicking", "verb", "kick")]


def test_an_augmenter_that_was_closed_can_be_opened_again_and_holds_no_pipeline_meanwhile(tagged: Verbs) -> None:
    answers = []
    for _ in range(2):
        with opened(tagged):
            answers.append(tagged.augment(["a man kicks"]))
        assert "_reader" not in vars(tagged)
    assert answers[0] == answers[1]


# What the store keeps answers under


def test_the_fingerprint_names_the_pipeline_and_its_version(tagged: Verbs) -> None:
    found = tagged.fingerprint()
    assert (found["pipeline"], found["pipeline_version"]) == ("en_tiny", "1.2.3")
    assert {"spacy", "pyinflect", "english"} <= set(found)


def test_the_fingerprint_changes_with_any_file_of_the_pipeline(tagged: Verbs) -> None:
    before = tagged.fingerprint()
    (Path(tagged.options.model) / ".DS_Store").write_bytes(b"\0")
    assert tagged.fingerprint() == before, "a hidden file is none of its files"
    strings = Path(tagged.options.model) / "vocab" / "strings.json"
    strings.write_text(strings.read_text() + "\n")
    assert tagged.fingerprint() != before


def test_the_fingerprint_of_the_rules_needs_no_pipeline() -> None:
    assert set(by_rules().fingerprint()) == {"english", "pyinflect"}


def test_the_fingerprint_of_a_missing_pipeline_is_an_error() -> None:
    with pytest.raises(UsageError, match="not installed"):
        Verbs(Verbs.Options(model="en_no_such_model")).fingerprint()
