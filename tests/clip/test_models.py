"""MODEL: what it may be, and one line that says what to type for what it may not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from maxi_core.clip.device import pick_device
from maxi_core.clip.loading import load_model
from maxi_core.clip.model import identity_of
from maxi_core.errors import UsageError
from maxi_sandbox import Sandbox
from tests.clip.tiny_clip import MEAN, STD, config, write

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"


@pytest.mark.parametrize("quick_gelu", [False, True])
def test_an_export_folder_is_loaded_with_all_that_belongs_to_it(tmp_path: Path, quick_gelu: bool) -> None:
    folder = write(tmp_path / "my model", config(quick_gelu=quick_gelu))
    clip = load_model(str(folder), "cpu")
    assert (clip.image_size, clip.width, clip.config["quick_gelu"]) == (28, 24, quick_gelu)
    assert clip.statistics == (MEAN, STD)
    assert not clip.training
    assert {p.dtype for p in clip.parameters()} == {torch.float32}
    assert clip.tokenize(["run"]).ids.shape == (1, 77)
    assert any("QuickGELU" in type(module).__name__ for module in clip.modules()) == quick_gelu


def test_a_folder_may_be_written_as_open_clip_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    identities = {load_model(name, "cpu").identity for name in ("model", "./model", "local-dir:model")}
    assert len(identities) == 1


def test_the_identity_is_of_the_weights_and_the_architecture_and_not_of_the_place(tmp_path: Path) -> None:
    here, there = load_model(str(write(tmp_path / "a")), "cpu"), load_model(str(write(tmp_path / "b")), "cpu")
    assert here.identity == there.identity
    others = [
        load_model(str(write(tmp_path / "seed", seed=1)), "cpu").identity,
        load_model(str(write(tmp_path / "gelu", config(quick_gelu=True))), "cpu").identity,
    ]
    assert len({here.identity, *others}) == 3


def test_the_identity_changes_with_one_bit_of_one_weight(tmp_path: Path) -> None:
    clip = load_model(str(write(tmp_path / "model")), "cpu")
    with torch.no_grad():
        weight = clip.clip.get_parameter("ln_final.bias")
        weight[3] = torch.nextafter(weight[3], torch.tensor(9.0))
    assert identity_of(clip.clip.state_dict(), clip.config) != clip.identity


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ViT-B-16/openai", "'openai' was trained with QuickGELU and ViT-B-16 computes GELU; type ViT-B-16-quickgelu"),
        ("ViT-B-16-quickgelu/laion2b_s34b_b88k", "was trained with GELU and ViT-B-16-quickgelu computes QuickGELU; type"
         " ViT-B-16/laion2b_s34b_b88k"),
        ("ViT-B-16-quikgelu/openai", "(did you mean 'ViT-B-16-quickgelu/openai'?)"),
        ("sandbocks", "(did you mean 'sandbox'?)"),
        ("ViT-B-16-quickgelu/openia", "no weights 'openia' for ViT-B-16-quickgelu (did you mean 'openai'?)"),
        ("ViT-B-16-quickgelu", "'ViT-B-16-quickgelu' names no weights; type ViT-B-16-quickgelu/TAG with one of the tags"
         ": openai"),
        ("./nowhere", "there is no folder nowhere"),
        ("local-dir:/nowhere", "there is no folder /nowhere"),
        ("a" * 5000, "no model"),
        ("hf-hub:someone/model", "type `hf download someone/model --local-dir DIR`, then name DIR"),
    ],
)  # fmt: skip
def test_a_name_that_is_not_right_is_refused_with_the_one_to_type(name: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_model(name, "cpu")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_pair_of_open_clip_is_either_taken_or_refused_with_a_pair_that_is_taken() -> None:
    import open_clip

    from maxi_core.clip.naming import _checked_names

    fixes = []
    for arch, tag in open_clip.list_pretrained():
        try:
            assert _checked_names(f"{arch}/{tag}") == (arch, tag)
        except UsageError as error:
            fixes.append(error.fix.removeprefix("type "))
    assert len(fixes) > 20
    for right in fixes:
        assert "/".join(_checked_names(right)) == right


def test_a_folder_that_is_no_model_is_refused_with_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"without {CONFIG} and {WEIGHTS}"):
        load_model(str(tmp_path), "cpu")
    folder = write(tmp_path / "model")
    (folder / WEIGHTS).unlink()
    with pytest.raises(UsageError, match=f"a folder without {WEIGHTS}"):
        load_model(str(folder), "cpu")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_cfg": 3}', '{"model_cfg": {}}'])
def test_a_configuration_that_is_none_is_refused_in_one_line(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "model")
    (folder / CONFIG).write_text(text)
    with pytest.raises(UsageError) as caught:
        load_model(str(folder), "cpu")
    assert "\n" not in str(caught.value)
    assert CONFIG in str(caught.value)


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_weights_that_do_not_fit_are_refused_and_never_left_random(tmp_path: Path, damage: str) -> None:
    folder = write(tmp_path / "model")
    if damage == "cut":
        (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])
    else:
        (folder / CONFIG).write_text(json.dumps({"model_cfg": config(width=64)}))
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        load_model(str(folder), "cpu")
    assert "\n" not in str(caught.value)


def test_images_that_are_not_square_are_refused(tmp_path: Path) -> None:
    settings: dict[str, Any] = config()
    settings["vision_cfg"] = settings["vision_cfg"] | {"image_size": [28, 14]}
    with pytest.raises(UsageError, match="28 x 14 pixels"):
        load_model(str(write(tmp_path / "model", settings)), "cpu")


@pytest.mark.slow  # a process of its own imports open_clip anew
def test_without_a_network_one_line_names_the_files_and_the_way_by_a_folder(tmp_path: Path) -> None:
    program = (
        "from maxi_core.clip.loading import load_model\nfrom maxi_core.errors import MaxiError\n"
        "try:\n    load_model('ViT-B-16-quickgelu/openai', 'cpu')\n"
        "except MaxiError as error:\n    print(type(error).__name__, str(error))"
    )
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=env)
    line = done.stdout.strip()
    assert "\n" not in line
    assert line.startswith("MaxiError the weights of 'ViT-B-16-quickgelu/openai' are not here and cannot be fetched")
    for part in (CONFIG, WEIGHTS, "timm/vit_base_patch16_clip_224.openai", "HF_HUB_OFFLINE", "local-dir:DIR"):
        assert part in line


def test_the_sandbox_is_a_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = write(tmp_path / "stand-in")
    monkeypatch.setattr(Sandbox, "clip", lambda _self: folder)
    assert load_model("sandbox", "cpu").identity == load_model(str(folder), "cpu").identity


def test_a_device_that_is_not_there_is_refused() -> None:
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
    missing = [name for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
               if not there]  # fmt: skip
    assert missing, "this test needs a machine without one of them"
    for name in [*missing, "gpu", "cuda:99"]:
        with pytest.raises(UsageError, match=f"device '{name}' cannot be used here.*--device auto"):
            pick_device(name)
