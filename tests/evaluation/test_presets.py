"""Protocols by name: what they set, what a person sets over them, and how scores say so."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch.nn import functional

from maxi_core.clip.image_tower import IMAGENET
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.evaluation.features import encode_names
from maxi_core.evaluation.presets import PRESETS, settled
from maxi_core.evaluation.protocol import Protocol
from maxi_core.evaluation.saving import folder_name
from maxi_core.interop.checkpoint_import import import_checkpoint
from maxi_core.plugin.catalog import discover
from maxi_core.prompts import MATCHING, TEMPLATES
from maxi_core.recipe.recipe import Recipe, from_flag, settle
from maxi_core.settings.sections import EvalSection
from tests.clip.tiny_clip import MEAN, STD, build, config, write
from tests.interop import foreign


def recipe(*typed: str) -> Recipe:
    return settle(discover(only=[]), [from_flag(text) for text in typed])


def imported(folder: Path, protocol: str | None = None) -> Path:
    """Return a model that was imported from ViFi-CLIP's layout."""
    settings = config(quick_gelu=True)
    base = write(folder / "base", settings, seed=0)
    file = foreign.save(foreign.vifi(build(settings, seed=0).state_dict(), maxi=False), folder / "theirs.pth")
    out = folder / f"model-{protocol}"
    import_checkpoint(file, out, str(base), protocol=protocol)
    return out


@pytest.mark.parametrize("name", PRESETS)
def test_a_protocol_sets_prompt_names_views_frames_and_normalisation(name: str) -> None:
    section, chosen = settled(recipe(f"eval.protocol={name}"))
    preset = PRESETS[name]
    assert chosen is not None
    assert not chosen.changed
    assert {key: getattr(section, key) for key in preset.values()} == preset.values()
    Protocol.of(section, "written")  # its values are ones that an evaluation takes


def test_the_names_are_those_that_the_option_takes() -> None:
    literal, _ = get_args(EvalSection.model_fields["protocol"].annotation)
    assert set(get_args(literal)) == set(PRESETS)


def test_what_a_person_sets_stays_and_is_said() -> None:
    section, chosen = settled(recipe("eval.protocol=vifi", "eval.frames=16", "eval.views=1x1"))
    assert section.frames == 16
    assert chosen is not None
    assert chosen.changed == {"frames": (16, 32, "-o eval.frames=16")}


def test_an_imported_model_brings_its_protocol_unless_one_is_typed(tmp_path: Path) -> None:
    model = str(imported(tmp_path))
    section, chosen = settled(recipe(), [model, "sandbox"])
    assert chosen is not None
    assert (section.frames, chosen.name, chosen.origin) == (32, "vifi", model)
    section, chosen = settled(recipe("eval.protocol=maxi"), [model])
    assert chosen is not None
    assert (section.frames, chosen.name, chosen.origin) == (16, "maxi", "-o eval.protocol=maxi")
    assert settled(recipe(), ["sandbox"])[1] is None
    with pytest.raises(UsageError, match=r"different protocols: vifi \(.*\), open-vclip \(.*\); type one with"):
        settled(recipe(), [model, str(imported(tmp_path, "open-vclip"))])


def test_a_mixture_of_an_import_and_its_original_keeps_the_protocol(maxi, tmp_path: Path) -> None:
    model, mixed = imported(tmp_path), tmp_path / "mixed"
    assert maxi("ensemble", tmp_path / "base", model, "--ratio", "0.5", "--out", mixed).code == 0
    _, chosen = settled(recipe(), [str(mixed)])
    assert chosen is not None
    assert (chosen.name, chosen.origin) == ("vifi", str(mixed))


def test_a_protocol_that_is_not_known_is_refused_by_the_file_that_has_it(tmp_path: Path) -> None:
    model = imported(tmp_path)
    about = json.loads((model / "maxi.json").read_text())
    (model / "maxi.json").write_text(json.dumps({**about, "protocol": "theirs"}))
    with pytest.raises(UsageError, match=r"maxi\.json has the protocol 'theirs', which this maxi does not know"):
        settled(recipe(), [str(model)])


def test_templates_are_the_mean_over_the_28_prompts(tmp_path: Path) -> None:
    model = load_model(str(write(tmp_path / "model")), "cpu")
    names = ["juggling balls", "apply eye makeup"]
    found = encode_names(model, Protocol(prompt=TEMPLATES), names)
    for name, row in zip(names, found, strict=True):
        with torch.no_grad():
            each = model.encode_text(model.tokenize([text.replace("{}", name) for text in MATCHING]).ids)
        assert np.allclose(row, functional.normalize(each.mean(dim=0), dim=-1).numpy(), atol=1e-6)


def test_the_models_own_normalisation_can_be_asked_for_of_a_checkpoint_that_has_another(tmp_path: Path) -> None:
    model = str(imported(tmp_path))
    assert load_model(model, "cpu").statistics == IMAGENET
    assert load_model(model, "cpu", normalisation="imagenet").statistics == IMAGENET
    own = load_model(model, "cpu", normalisation="model")
    assert (own.statistics, own.normalisation) == ((MEAN, STD), "model")


def evaluated(maxi: Any, world: Any, out: Path, model: Path, *more: str) -> tuple[str, dict[str, Any]]:
    fast = ("--workers", "0", "--device", "cpu", "--quiet", "--out", str(out))
    ran = maxi("eval", str(model), "--benchmark", str(world.benchmark), *fast, *more)
    assert ran.code == 0, ran.err
    return ran.out, json.loads((out / folder_name(str(model)) / "scores.json").read_text())[0]


def test_scores_say_which_protocol_they_are_of_and_what_is_otherwise(maxi, world, tmp_path: Path) -> None:
    out, record = evaluated(maxi, world, tmp_path, world.model, "--protocol", "open-vclip", "--frames", "2")
    assert "and 27 more, 2 frames, views 3x1" in out
    assert "names spaced, normalisation model" in out
    assert "protocol open-vclip (--protocol), but frames 2 (--frames) for 8" in out
    assert "not as in open-vclip: it adds up the logits of its views, and maxi their shares" in out
    said = record["protocol"]
    assert (said["name"], said["from"]) == ("open-vclip", "--protocol")
    assert said["changed"] == {"frames": {"is": 2, "preset": 8, "by": "--frames"}}
    assert len(said["otherwise"]) == 4
    assert (record["prompt"], record["templates"], record["views"], record["names"]) == (TEMPLATES, 28, "3x1", "spaced")


def test_an_imported_model_is_evaluated_as_its_authors_did(maxi, world, tmp_path: Path) -> None:
    model = imported(tmp_path)
    out, record = evaluated(maxi, world, tmp_path / "eval", model, "--frames", "2")
    assert f"protocol vifi ({model}), but frames 2 (--frames) for 32" in out
    assert (record["normalisation"], record["prompt"], record["views"]) == ("imagenet", "a photo of a {}.", "1x1")
    assert record["statistics"] == [list(part) for part in IMAGENET]


def test_without_a_protocol_nothing_is_said_of_one(maxi, world, tmp_path: Path) -> None:
    out, record = evaluated(maxi, world, tmp_path, world.model, "--frames", "2")
    assert "\nprotocol" not in out
    assert record["protocol"] is None


def test_predict_takes_the_protocol_of_an_imported_model(maxi, world, tmp_path: Path) -> None:
    model = imported(tmp_path)
    video = str(next((world.benchmark / "videos").glob("*.mp4")))
    ran = maxi("predict", str(model), video, "--labels", "walk, run", "--json", "-q", "--frames", "2")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["protocol"] == "vifi"
