"""`--prompts`: texts of a class from files, by its name or number, their mean, and marks wherever a score is shown."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.evaluation.class_texts import read_class_texts
from maxi_core.evaluation.features import encode_names
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.saving import folder_name
from tests.evaluation.conftest import CLASSES
from tests.evaluation.test_eval_command import arguments

NAMES = ["Apply Eye Makeup", "Archery", "yo yo"]
TEXTS = [["painting a lid"], ["a bow", "an arrow"], ["a toy on a string"]]


def texts_of(folder: Path, text: str, names=NAMES, name: str = "texts.json", form: str = "{text}") -> list[list[str]]:
    (folder / name).write_text(text)
    return read_class_texts([folder / name], form).of(names)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        # by number, as OST has them, and with spatial and temporal ones together
        ("ost.json", '{"0": ["painting a lid"], "1": ["a bow", "an arrow"], "2": ["a toy on a string"]}'),
        ("both.json", '{"0": {"spatio": ["painting a lid"]}, "1": {"spatio": ["a bow"], "temporal": ["an arrow"]},'
                      ' "2": "a toy on a string"}'),
        # by name, in any spelling
        ("names.json", '{"archery": ["a bow", "an arrow"], "YoYo": "a toy on a string",'
                       ' "ApplyEyeMakeup": "painting a lid"}'),
        ("list.json", '["painting a lid", ["a bow", "an arrow"], "a toy on a string"]'),
        ("rows.csv", "0,painting a lid\n1,a bow\n1,an arrow\n2,a toy on a string\n"),
        ("named.csv", "class,text\narchery,a bow,an arrow\napply eye makeup, painting a lid\nyoyo,a toy on a string\n"),
        ("twice.json", '{"0": "painting a lid", "1": "a bow", "1": "an arrow", "2": "a toy on a string"}'),
        ("objects.json", '[{"class": "yo yo", "text": "a toy on a string"}, {"id": 7, "name": "Archery", "texts":'
                         ' ["a bow", "an arrow"]}, {"number": 0, "text": "painting a lid"}]'),
        ("both.csv", "id,name,text,more\n7,Archery,a bow,an arrow\n8,yo yo,a toy on a string\n"
                     "9,Apply Eye Makeup,painting a lid\n"),
        ("numbered.csv", "class,id,template\nArchery,7,a bow,an arrow\nyo yo,8,a toy on a string\n"
                         "Apply Eye Makeup,9,painting a lid\n"),
        ("old mac.csv", "0,painting a lid\r1,a bow,an arrow\r2,a toy on a string\r"),
        ("named.tsv", "Archery\ta bow\tan arrow\nApplyEyeMakeup\tpainting a lid\nYoYo\ta toy on a string\n"),
    ],
)  # fmt: skip
def test_texts_are_found_by_name_or_number_in_every_form(tmp_path: Path, name: str, text: str) -> None:
    assert texts_of(tmp_path, text, name=name) == TEXTS


def test_froster_s_files_are_sentences_by_number_that_begin_with_the_name(tmp_path: Path) -> None:
    text = json.dumps({str(place): f"{name}: this video shows it" for place, name in enumerate(NAMES)})
    assert texts_of(tmp_path, text)[1] == ["Archery: this video shows it"]
    with pytest.raises(UsageError, match="has a text of 'Archery' under the number 1, which is 'yo yo' here"):
        texts_of(tmp_path, text, ["Apply Eye Makeup", "yo yo", "Archery"])


def test_several_files_go_together_and_a_form_puts_the_name_in(tmp_path: Path) -> None:
    for name, text in (("a.json", '{"0": ["a hoop"]}'), ("b.json", '{"0": ["spins", "a hoop"]}')):
        (tmp_path / name).write_text(text)
    found = read_class_texts([tmp_path / "a.json", tmp_path / "b.json"], "a video of {name}: {text}")
    assert found.of(["hula hoop"]) == [["a video of hula hoop: a hoop", "a video of hula hoop: spins"]]
    assert found.mark.startswith("prompts a.json+b.json (")
    assert found.mark != read_class_texts([tmp_path / "a.json", tmp_path / "b.json"]).mark


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"), ("{", "is not JSON"), ("{}", "has no texts of classes"), ("5", "has no texts of classes"),
        ('{"0": [1]}', "1 of '0' is no text"), ('{"0": null}', "None of '0' is no text"),
        ('{"0": []}', "has no text of '0'"), ('{"0": [" ", ","]}', "has no text of '0'"),
        ('{"0": "a", "1": "b"}', "has texts of 2 classes by number, and there are 3"),
        ('{"0": "a", "1": "b", "2": "c", "3": "d"}', "has texts of 4 classes by number, and there are 3"),
        ('{"archery": "a", "yo yo": "b"}', "has no text of the class 'Apply Eye Makeup'"),
        ('{"0": "a", "1": "b", "7": "c"}', "has no text of the class 'yo yo'"),
        ('{"%s": "a"}' % ("9" * 5000), "has no text of the class"),
        ("\x00", "is no file of texts"),
    ],
)  # fmt: skip
def test_what_is_no_file_of_texts_is_one_line(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        texts_of(tmp_path, text)


def test_what_is_no_table_is_one_line(tmp_path: Path) -> None:
    for text, says in (("", "has no texts of classes"), (f'Archery,"{"x " * 70_000}\n', "is no table: field larger")):
        with pytest.raises(UsageError, match=says):
            texts_of(tmp_path, text, name="texts.csv")


def test_forms_and_files_that_cannot_be_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"0": "x"}')
    for form in ("", "{name}", "{text} {other}", "{text"):
        with pytest.raises(UsageError, match=r"needs \{text\}, and may have \{name\}"):
            read_class_texts([tmp_path / "a.json"], form)
    with pytest.raises(UsageError, match="cannot read"):
        read_class_texts([tmp_path / "gone.json"])


def test_a_class_is_the_mean_of_its_texts_normalised_features_and_others_are_named(
    world, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    every = ["a {}", "somebody who does {} again", "x"]
    said = {name: [one.format(name) for one in every[: place + 1]] for place, name in enumerate(CLASSES[:3])}
    (tmp_path / "t.json").write_text(json.dumps({**said, "juggling": "x", "3": "y"}))
    model = load_model(str(world.model), "cpu", frames=2)
    found = encode_names(model, Protocol(texts=read_class_texts([tmp_path / "t.json"])), CLASSES[:3])
    for row, texts in zip(found, said.values(), strict=True):
        with torch.no_grad():
            each = [
                functional.normalize(model.clip.encode_text(model.tokenize([text]).ids), dim=-1)[0] for text in texts
            ]
        want = functional.normalize(torch.stack(each).mean(0), dim=0).numpy()
        assert np.allclose(row, want, atol=1e-6)
    assert "texts of 2 classes beside these are not used, such as 'juggling'" in caplog.text


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["--prompt", "a {}", "--prompts", "t.json"], "--prompt is not used: the texts of --prompts stand"),
        (
            ["-o", "eval.prompt=a {}", "--prompts", "t.json"],
            "-o eval.prompt=a {} is not used: the texts of --prompts stand",
        ),
        (["--prompts-form", "{text}!"], "--prompts-form is not used: there are no texts"),
    ],
)
def test_a_prompt_that_would_not_be_used_is_refused(typed: list[str], says: str, tmp_path: Path, maxi) -> None:
    (tmp_path / "a.mp4").touch()
    for command in (
        ["eval", "sandbox", "--benchmark", "sandbox-same"],
        ["predict", "sandbox", str(tmp_path / "a.mp4"), "--labels", "a, b"],
    ):
        ran = maxi(*command, *typed)
        assert (ran.code, ran.out) == (2, "")
        assert says in ran.err.splitlines()[-1]


def test_scores_of_texts_are_marked_in_every_table_and_lie_beside_those_of_the_protocol(
    world, tmp_path: Path, maxi
) -> None:
    (tmp_path / "t.json").write_text(json.dumps({name: [f"doing {name}", name] for name in CLASSES}))
    plain = maxi("eval", *arguments(world, tmp_path / "out"))
    ran = maxi("eval", *arguments(world, tmp_path / "out", "--prompts", str(tmp_path / "t.json")))
    assert ran.code == 0, ran.err
    assert "class names" not in plain.out
    assert "not the paper's protocol: prompts t.json (" in ran.out
    assert "class names" in ran.out
    name = folder_name(str(world.model))
    first, second = tmp_path / "out" / name, tmp_path / "out" / f"{name}+prompts"
    one, other = (json.loads((folder / "scores.json").read_text())[0] for folder in (first, second))
    assert (one["prompt"], one["prompts"]) == ("a photo of a {}.", None)
    assert other["prompt"].startswith("prompts t.json (")
    assert (other["prompts"]["files"], other["templates"], other["example"]) == (["t.json"], 2, "doing walk")
    for form in ("table", "markdown", "csv", "latex"):
        compared = maxi("compare", str(first), str(second), "--format", form, "--tables", "none")
        assert "".join(compared.out.split()).count("[promptst.json(") in (1, 2), form  # beside each of its scores
        assert "prompt differs (" in compared.err
    maxi("report", str(first), str(second), "--out", str(tmp_path / "r.html"))
    assert "prompts t.json (" in (tmp_path / "r.html").read_text()


def test_labels_of_predict_may_have_texts_too(world, tmp_path: Path, maxi) -> None:
    (tmp_path / "t.json").write_text('{"walk": ["striding"], "jump": ["in the air", "leaping"]}')
    video = str(next((world.benchmark / "videos").glob("*.mp4")))
    words = ("predict", str(world.model), video, "--labels", "walk,jump", "--frames", "2", "--workers", "0")
    ran = maxi(*words, "--device", "cpu", "--prompts", str(tmp_path / "t.json"))
    assert ran.code == 0, ran.err
    assert "prompts t.json (" in ran.err
    said = json.loads(maxi(*words, "--device", "cpu", "--prompts", str(tmp_path / "t.json"), "--json").out)
    assert (said["prompt"], said["prompts"]) == (None, ["t.json"])
    assert (
        "has no text of the class 'sit'"
        in maxi(*(*words[:4], "walk,sit", *words[5:], "--device", "cpu", "--prompts", str(tmp_path / "t.json"))).err
    )
