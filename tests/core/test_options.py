"""Options: one model is the help, the check and the file format."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from maxi_core.errors import UsageError
from maxi_core.settings.options import Decides, Options, describe, described, flaws, from_text, make
from maxi_core.settings.sections import VideoOptions, core_section
from maxi_core.training.options import TrainSection


class Sample(Options):
    rate: float = Field(0.4, ge=0, le=2, description="how warm")
    mode: Literal["chat", "completions"] = Field("chat", description="which endpoint")
    words: tuple[str, ...] = Field((), description="which words")
    folder: Path | None = Field(None, description="where")
    fast: bool = Field(False, description="whether")


def test_options_are_described_in_words() -> None:
    assert [(row.key, row.type, row.shown_default) for row in describe(Sample)] == [
        ("rate", "number >= 0 and <= 2", "0.4"),
        ("mode", "chat | completions", "chat"),
        ("words", "list of text", "(empty)"),
        ("folder", "path or none", "(none)"),
        ("fast", "true or false", "false"),
    ]


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("rate", "1.5", 1.5),
        ("mode", "completions", "completions"),
        ("words", "run, jump", ("run", "jump")),
        ("words", "", ()),
        ("folder", "", None),
        ("fast", "true", True),
    ],
)
def test_what_is_typed_becomes_a_value_of_the_options_type(key: str, text: str, value: object) -> None:
    options = make(Sample, "sample", {key: from_text(Sample, key, text)}, {key: "-o"})
    assert getattr(options, key) == value


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("rate", "warm", r"\[sample\] rate = 'warm' \(-o\) is not a number; it takes number >= 0 and <= 2"),
        ("rate", 3, r"\[sample\] rate = 3 \(-o\) must be at most 2"),
        ("mode", "chats", r"\[sample\] mode = 'chats' \(-o\) is not known; it takes chat | completions"),
        ("rat", 1, r"\[sample\] has no option 'rat' \(did you mean 'rate'\?\) \(-o\); its options are: rate, mode"),
    ],
)
def test_a_wrong_option_gets_one_line_with_its_place_and_what_it_takes(key: str, value: object, line: str) -> None:
    with pytest.raises(UsageError, match=line) as caught:
        make(Sample, "sample", {key: value}, {key: "-o"})
    assert "\n" not in str(caught.value)


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert make(Sample, "sample", {"folder": "here"}, {"folder": "-o"}).folder == tmp_path / "here"


def test_an_optional_option_with_another_default_is_a_flaw() -> None:
    class Odd(Options):
        folder: Path | None = Field(Path("x"), description="where")

    assert flaws(Odd) == ["option 'folder' accepts none but has another default"]
    assert flaws(Sample) == []


def test_an_option_says_itself_what_it_decides() -> None:
    """Runs that differ in what decides nothing are the same; what else is no result by itself is compared elsewhere."""
    said = {Decides.of(TrainSection, key) for key in TrainSection.model_fields} - set(TrainSection.model_fields)
    assert said == {"", "data", "batch"}  # the last two are settings that `maxi train` compares
    assert [Decides.of(TrainSection, key) for key in ("lr", "out", "shots", "gather")] == ["lr", "", "data", "batch"]


def test_of_the_options_of_videos_those_that_decide_the_frames_are_kept_with_answers() -> None:
    reading = VideoOptions(workers=3, timeout=5, clip_seconds=2, max_skipped=1)
    assert reading.of_frames(sized=True) == VideoOptions().of_frames(sized=True)
    assert list(reading.of_frames(sized=True)) == ["decoder", "short_side", "square_pixels"]
    assert list(reading.of_frames()) == ["decoder", "square_pixels"]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("bags.keep", "Share of videos with the best matches that get texts.  [default: 1.0; x>0, x<=1]"),
        ("bags.out", "Run folder, here or s3://."),
        ("bags.store", "Folder that keeps all answers, here or s3://.  [default: $MAXI_HOME/store]"),
        ("train.val", "Benchmarks to evaluate on while training; the first says what is best."),
    ],
)
def test_the_help_of_an_option_is_a_sentence_with_default_and_range(path: str, sentence: str) -> None:
    section, _, key = path.partition(".")
    assert described(core_section(section), key).sentence == sentence
