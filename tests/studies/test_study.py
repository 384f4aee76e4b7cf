"""Files of studies, what is wrong with them, and what their variants are made of."""

from pathlib import Path

import pytest

from maxi_core.errors import UsageError
from maxi_core.studies.study import SHIPPED, only, read_study
from tests.studies.conftest import Mine

WRONG = {
    "no TOML": ("variants = [", "is not TOML"),
    "no variants": ('title = "x"', "has no variants"),
    "an unknown key": ('titel = "x"\n[variants.a]', "no option 'titel' (did you mean 'title'?)"),
    "an unknown key of a variant": ('[variants.a]\nsource = "x"', "no option 'source' (did you mean 'sources'?)"),
    "a base that is none": ('base = "b"\n[variants.a]', "base = 'b' is none of its variants"),
    "a variant that is no table": ("[variants]\na = 1", "variants.a is no table"),
    "a name for no folder": ('[variants."a/b"]', "'a/b' cannot name a variant"),
    "settings that are no table": ("all = 1\n[variants.a]", "all is no table"),
    "a setting without a section": ("[all]\nlr = 1\n[variants.a]", "'lr' is no section"),
    "a setting of a second training without one": ("[variants.a.then]\nlr = 1", "'lr' is no section"),
    "another schema": ("schema = 9\n[variants.a]", "has schema 9"),
    "a share beyond one": ("[variants.a]\nentries = 2.0", "entries"),
    "a share that is no number": ("[variants.a]\nentries = nan", "must be at most 1.0; it takes"),
    "a schema that is a text": ('schema = "1"\n[variants.a]', "has schema '1'"),
    "a title of two lines": ('title = "a\\nb"\n[variants.a]', "title = 'a\\nb' has a control character"),
    "a row's title that moves the cursor": ('[variants.a]\ntitle = "a\\u001b[31m"', "has a control character"),
    "words that ring": ('about = "ring\\u0007"\n[variants.a]', "about = 'ring\\x07' has a control character"),
    "a table that is none": ('table = "99"\n[variants.a]', "table = '99' was not published"),
    "a row that is none": ('table = "7"\n[variants.a]\npublished = "x"', "published = 'x' of a is no published row"),
    "a row with too much": ('[variants.a]\npublished = "1/CLIP/x/y"', "is no published row"),
    "seeds of one variant": ("[variants.a]\nstudy.seeds = 3", "study.seeds is of the whole study"),
    "a place of one variant": ('[variants.a]\ntrain.out = "x"', "train.out is of the whole study"),
    "a run of one variant": ('[variants.a.then]\ntrain.run = "x"', "train.run is of the whole study"),
}


@pytest.mark.parametrize(("text", "said"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_in_a_file_is_one_line_that_names_it(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(UsageError) as error:
        read_study(str(tmp_path / "mine.toml"))
    assert said in str(error.value)
    assert "mine.toml" in str(error.value)
    assert "\n" not in str(error.value)


SETTINGS = {
    "an option that nobody has": ("[variants.a]\ntrain.los = 1", "no option 'los' (did you mean 'loss'?)"),
    "a value that is not right": ('[variants.a]\ntrain.lr = "high"', "lr"),
    "a section that nobody has": ("[variants.a]\ntrian.lr = 1", "no section [trian]"),
    "a source that nobody has": ('[variants.a]\nsources = "blop"', "variant a: "),
    "labels that nobody names": ('[variants.a]\non = "labels"\ntrain.loss = "ce"', "variant a: "),
    "shots that nobody names": ("[variants.a.then]\ntrain.shots = 2", "variant a: it needs labelled videos"),
    "a part of a file": ("[variants.a]\nentries = 0.5", "variant a: a part of the dictionary"),
    "a number for each entry that is none": ("[variants.a]\nper_entry.webvid.noise = nan", "is no finite number"),
    "a number for each entry without end": ("[variants.a]\nper_entry.webvid.noise = inf", "is no finite number"),
    "a base that the recipe does not have": (
        "[variants.b]\nwhen.train.epochs = 77\n[variants.a]",
        "base = 'b' of wrong is left out (the recipe does not agree",
    ),
    "a base that the recipe refuses": (
        "[variants.b]\noptional = true\ntrain.los = 1\n[variants.a]",
        "base = 'b' of wrong is left out (b: ",
    ),
    "a vote over nobody's captions": ('[variants.a]\non = "vote"', "variant a: a vote is over the captions of one"),
}


@pytest.mark.parametrize(("text", "said"), SETTINGS.values(), ids=list(SETTINGS))
def test_a_setting_that_is_not_right_is_said_before_anything_is_made(
    text: str, said: str, mine: Mine, tmp_path: Path, maxi
) -> None:
    head = 'base = "b"\n' if "[variants.b]" in text else ""
    (tmp_path / "wrong.toml").write_text(f"{head}[variants.ok]\n{text}")
    more = ["-o", "study.labels="] if "labels" in text else []
    command = ["study", str(tmp_path / "wrong.toml"), "--config", str(mine.recipe), "--out", str(tmp_path / "out")]
    done = maxi(*command, *more)
    assert (done.code, len(done.err.splitlines()), done.out) == (2, 1, "")
    assert said in done.err
    assert not (tmp_path / "out").exists()


def test_a_study_of_which_no_variant_is_left_is_refused(mine: Mine, tmp_path: Path, maxi) -> None:
    (tmp_path / "none.toml").write_text("[variants.a]\nwhen.train.epochs = 77")
    done = maxi("study", str(tmp_path / "none.toml"), "--config", str(mine.recipe), "--dry-run")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "no variant of none is left (the recipe does not agree with its when)" in done.err


TYPED = {
    "a study that is none": (["los"], "there is no study 'los' (did you mean 'loss'?)"),
    "a variant that is none": (["loss", "--only", "nse"], "no variant 'nse' (did you mean 'nce'?)"),
    "a share that is none": (["loss", "--index", "3/2"], "--index 3/2 is no share"),
    "two benchmarks of one name": (["loss", "--benchmark", "BENCH,BENCH/split.txt,BENCH/../bench"], "called bench"),
    "a share and jobs": (["loss", "--index", "1/2", "--jobs", "2"], "one job of an array"),
}


@pytest.mark.parametrize(("typed", "said"), TYPED.values(), ids=list(TYPED))
def test_what_is_typed_wrong_is_one_line(typed: list[str], said: str, mine: Mine, maxi) -> None:
    words = [word.replace("BENCH", str(mine.folder / "bench")) for word in typed]
    done = maxi("study", *words, "--config", str(mine.recipe))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert said in done.err


def test_without_a_recipe_and_a_world_that_has_one_it_says_what_to_type(maxi) -> None:
    done = maxi("study", "loss", "--no-plugin", "sandbox")
    assert (done.code, done.err) == (2, "maxi: error: which recipe? no world has one for studies; type --config\n")


def test_a_file_whose_results_would_lie_where_the_steps_do_is_refused(tmp_path: Path) -> None:
    (tmp_path / "steps.toml").write_text("[variants.a]")
    with pytest.raises(UsageError, match="cannot be called 'steps'"):
        read_study(str(tmp_path / "steps.toml"))


def test_a_typed_setting_that_the_study_varies_is_refused(mine: Mine, maxi) -> None:
    done = maxi("study", "loss", "--config", str(mine.recipe), "-o", "train.loss=nce")
    assert done.code == 2
    assert "-o train.loss=nce is what this study varies" in done.err


def test_every_study_that_ships_reads_and_has_its_base() -> None:
    for name in SHIPPED:
        study = read_study(name)
        assert study.head.title
        assert len(only(study, ["raw"] if any(one.name == "raw" for one in study.variants) else [])) >= 1
