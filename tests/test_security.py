"""A model is data: whatever its folder or checkpoint says, none of its code runs, and what it may not say is one line.

Every way in has a canary: Python that writes a file when it runs. Standard input says yes to every question, because
transformers asks a person on a terminal whether it may run what lies beside a tokenizer.
"""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maxi_core.clip.checkpoints import ABOUT
from maxi_core.clip.loading import load_model
from maxi_core.clip.tokens import BESIDE, OWN, of_architecture
from maxi_core.errors import UsageError
from maxi_core.training.ensemble import ensemble
from maxi_plugins.blip_model import load_captioner
from maxi_sandbox import Sandbox
from tests.clip.tiny_clip import config, write
from tests.untrusted import Canary, checkpoint_of, merge, refused, words
from tests.video.clips import MATRIX
from tests.video.clips import write as write_clip

CONFIG, WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
NAMED = {"hf_tokenizer_name": "somebody/words"}
EVIL = {"auto_map": {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}}
DEEP = "[" * 200_000


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canary:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n" * 99))
    return Canary(tmp_path / "MARKER")


# What a configuration may not say: where it stands, what it is, and what the line must name.
SAID: list[tuple[dict[str, Any], str]] = [
    ({"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": True}, **NAMED}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"trust_remote_code": "yes"}}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"bpe_path": "evil.gz"}}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"reduction_mask": "syntax"}}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"gguf_file": "evil", **NAMED}}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"subfolder": "../evil"}, **NAMED}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"code_revision": "main"}, **NAMED}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": {"additional_special_tokens": ["(a+)+$"]}}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_kwargs": "trust_remote_code"}}, "text_cfg.tokenizer_kwargs"),
    ({"text_cfg": {"tokenizer_mode": "evil"}}, "text_cfg.tokenizer_mode"),
    ({"text_cfg": {"trust_remote_code": True}}, "text_cfg.trust_remote_code"),
    ({"text_cfg": {"hf_tokenizer_name": ["evil"]}}, "text_cfg.hf_tokenizer_name"),
    ({"text_cfg": {"hf_model_name": "EVIL"}}, "text_cfg.hf_model_name"),
    ({"text_cfg": {"hf_model_name": "../evil", "hf_proj_type": "mlp"}}, "text_cfg.hf_model_name"),
    ({"text_cfg": {"hf_model_name": "somebody/evil"}}, "text_cfg.hf_model_name"),
    ({"text_cfg": {"hf_pooler_type": "evil.Pooler"}}, "text_cfg.hf_pooler_type"),
    ({"text_cfg": {"act_kwargs": {"evil": "x"}}}, "text_cfg.act_kwargs"),
    ({"text_cfg": {"norm_kwargs": {"device": "cuda"}}}, "text_cfg.norm_kwargs"),
    ({"text_cfg": {"heads": "4"}}, "text_cfg.heads"),
    ({"vision_cfg": {"timm_model_name": "local-dir:EVIL"}}, "vision_cfg.timm_model_name"),
    ({"vision_cfg": {"timm_model_name": "hf-hub:somebody/evil"}}, "vision_cfg.timm_model_name"),
    ({"vision_cfg": {"timm_model_name": "hf_hub:somebody/evil"}}, "vision_cfg.timm_model_name"),
    ({"vision_cfg": {"timm_model_name": "../evil"}}, "vision_cfg.timm_model_name"),
    ({"vision_cfg": {"timm_model_name": "vit_base_patch16_224.hf-hub:evil"}}, "vision_cfg.timm_model_name"),
    ({"vision_cfg": {"timm_model_pretrained": "evil"}}, "vision_cfg.timm_model_pretrained"),
    ({"vision_cfg": {"layers": float("inf")}}, "vision_cfg.layers"),
    ({"custom_text": "evil"}, "custom_text"),
    ({"cast_dtype": "evil"}, "cast_dtype"),
    ({"multimodal_cfg": {"hf_model_name": "evil"}}, "multimodal_cfg.hf_model_name"),
    ({"multimodal_cfg": "evil"}, "multimodal_cfg"),
    ({"text_cfg": None}, "text_cfg"),
    ({"vision_cfg": []}, "vision_cfg"),
]
LOOKS: list[dict[str, Any]] = [
    {"mean": ["0.5", "0.5", "0.5"]},
    {"mean": [0.5, 0.5, float("nan")]},
    {"mean": [0.5, 0.5]},
    {"mean": 10**300},
    {"mean": [[[]]]},
    {"std": [0.5, 0, 0.5]},
    {"mode": "evil"},
    {"interpolation": "evil"},
    {"size": "224"},
    {"size": []},
    {"__class__": "evil"},
]


def changed(more: dict[str, Any], evil: Path) -> dict[str, Any]:
    """Return the configuration of a tiny CLIP that says `more`; EVIL in it is a folder with a canary."""
    said = json.loads(json.dumps(more).replace("EVIL", str(evil)))
    found = config()
    for key, value in said.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = {**found[key], **value} if both else value
    return found


@pytest.mark.parametrize(("more", "key"), SAID, ids=lambda value: json.dumps(value)[:60])
def test_a_model_folder_says_only_what_is_allowed(
    more: dict[str, Any], key: str, tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = words(write(tmp_path / "model"), **EVIL)
    evil = words(tmp_path / "evil", **EVIL)
    merge(evil / "config.json", {"model_type": "evil", **EVIL})
    canary.put(folder)
    canary.put(evil)
    monkeypatch.chdir(folder)
    (folder / CONFIG).write_text(json.dumps({"model_cfg": changed(more, evil)}))
    refused(folder, canary, CONFIG, f"model_cfg.{key}" if "." in key or key[0] in "cm" else key)


@pytest.mark.parametrize(("more", "key"), SAID, ids=lambda value: json.dumps(value)[:60])
def test_a_checkpoint_says_only_what_is_allowed(
    more: dict[str, Any], key: str, saved: Path, tmp_path: Path, canary: Canary
) -> None:
    evil = words(tmp_path / "evil", **EVIL)
    canary.put(evil)
    merge(saved / ABOUT, {"config": changed(more, evil)})
    refused(saved, canary, ABOUT, key)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return checkpoint_of(write(tmp_path / "model"), tmp_path / "run")


@pytest.mark.parametrize("more", LOOKS, ids=str)
def test_what_a_model_looks_at_is_plain_numbers(
    more: dict[str, Any], saved: Path, tmp_path: Path, canary: Canary
) -> None:
    merge(tmp_path / "model" / CONFIG, {"preprocess_cfg": more})
    refused(tmp_path / "model", canary, CONFIG, f"preprocess_cfg.{next(iter(more))}")
    merge(saved / ABOUT, {"preprocess": more})
    refused(saved, canary, ABOUT, f"preprocess.{next(iter(more))}")


@pytest.mark.parametrize(
    "more",
    [
        {"mean": "evil"},
        {"std": [1, 2]},
        {"frames": "2"},
        {"temporal": "evil"},
        {"temporal": {"name": ["evil"], "options": {}}},
        {"temporal": {"name": "evil:module", "options": {}}},
        {"normalisation": "evil"},
        {"began": {"logit_scale": "evil"}},
        {"started_from": "evil"},
        {"schema": [1]},
        {"config": []},
        {"preprocess": []},
    ],
    ids=str,
)
def test_what_a_checkpoint_says_of_itself_is_of_the_right_kind(
    more: dict[str, Any], saved: Path, canary: Canary
) -> None:
    merge(saved / ABOUT, more)
    refused(saved, canary)


@pytest.mark.parametrize(
    "settings",
    [EVIL, {"auto_map": ["evil.Evil", None]}, {"trust_remote_code": True}, {"tokenizer_class": "Evil"},
     {"tokenizer_class": "AutoModel"}, {"added_tokens_decoder": {"7": "x" * 9, "a": {}}}, {"pad_token": {"evil": 1}}],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("place", ["folder", "checkpoint"])
def test_a_tokenizer_that_names_code_is_refused(
    settings: dict[str, Any], place: str, tmp_path: Path, canary: Canary
) -> None:
    model = words(write(tmp_path / "model", config(**NAMED)))
    where = model if place == "folder" else checkpoint_of(model, tmp_path / "run")
    files = where if place == "folder" else where / BESIDE
    merge(files / "tokenizer_config.json", settings)
    canary.put(files)
    refused(where, canary, "tokenizer_config.json")


def test_a_folder_full_of_code_is_loaded_without_it(tmp_path: Path, canary: Canary) -> None:
    plain = load_model(str(words(write(tmp_path / "plain", config(**NAMED)))), "cpu")
    folder = words(write(tmp_path / "model", config(**NAMED)), chat_template="{{ evil }}", gguf_file="evil")
    canary.put(folder)
    merge(folder / "config.json", {"model_type": "evil", "tokenizer_class": "Evil", **EVIL})
    for name in ("pytorch_model.bin", "open_clip_pytorch_model.bin", "model.pth", "a.safetensors", "tekken.json"):
        (folder / name).write_bytes(canary.pickled())
    clip = load_model(str(folder), "cpu")
    assert canary.silent()
    assert clip.identity == plain.identity
    assert torch.equal(clip.tokenize(["run jump"]).ids, plain.tokenize(["run jump"]).ids)
    assert clip.tokenize(["run jump"]).ids[0, :5].tolist() == [1, 4, 5, 2, 0]


@pytest.mark.parametrize("place", ["folder", "checkpoint"])
def test_a_pickle_is_never_read_as_weights(place: str, saved: Path, tmp_path: Path, canary: Canary) -> None:
    where, name = (tmp_path / "model", WEIGHTS) if place == "folder" else (saved, "model.safetensors")
    (where / name).write_bytes(canary.pickled())
    refused(where, canary)
    torch.save({"state_dict": {}}, where / name)
    refused(where, canary)
    (where / name).rename(where / "open_clip_pytorch_model.bin")
    refused(where, canary)


@pytest.mark.parametrize(
    "name", [CONFIG, WEIGHTS, "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
)
@pytest.mark.parametrize("loop", [False, True])
def test_a_link_out_of_a_model_folder_is_refused(name: str, loop: bool, tmp_path: Path, canary: Canary) -> None:
    folder = words(write(tmp_path / "model", config(**NAMED)))
    (tmp_path / "away").mkdir()
    if (folder / name).exists():
        (folder / name).rename(tmp_path / "away" / name)
    else:
        (tmp_path / "away" / name).write_text("{}")
    (folder / name).symlink_to(folder / name if loop else tmp_path / "away" / name)
    refused(folder, canary, name, "" if loop else "out of its folder")


def test_a_link_within_the_folder_and_a_snapshot_of_the_hub_are_loaded(tmp_path: Path) -> None:
    folder = write(tmp_path / "models--a--b" / "snapshots" / "0123")
    (folder / "more").mkdir()
    (folder / WEIGHTS).rename(folder / "more" / "weights")
    (folder / WEIGHTS).symlink_to(folder / "more" / "weights")
    blobs = tmp_path / "models--a--b" / "blobs"
    blobs.mkdir()
    (folder / CONFIG).rename(blobs / "4567")
    (folder / CONFIG).symlink_to(Path("../../blobs/4567"))
    assert load_model(str(folder), "cpu").width == 24


@pytest.mark.parametrize(
    "named",
    ["local-dir:EVIL", "hf-hub:somebody/evil", "EVIL", "../evil", "./evil", "./tokenizer/../../../../evil", "tokenizer",
     "somebody/evil", "ViT-B-16-SigLIPP", 7, ["EVIL"], {"local-dir": "EVIL"}],
    ids=str,
)  # fmt: skip
def test_a_checkpoint_takes_no_tokenizer_from_elsewhere(
    named: Any, saved: Path, tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = words(write(tmp_path / "evil", config(**NAMED)), **EVIL)
    merge(evil / CONFIG, {"model_cfg": config(**NAMED, tokenizer_kwargs={"trust_remote_code": True})})
    canary.put(evil)
    monkeypatch.chdir(tmp_path)
    merge(saved / ABOUT, {"tokenizer": json.loads(json.dumps(named).replace("EVIL", str(evil)))})
    refused(saved, canary, ABOUT, "tokenizer may not be", OWN)


def test_a_tokenizer_folder_that_is_a_link_is_refused(saved: Path, tmp_path: Path, canary: Canary) -> None:
    canary.put(words(tmp_path / "evil"))
    merge(saved / ABOUT, {"tokenizer": OWN})
    refused(saved, canary, "tokenizer.json")
    (saved / BESIDE).symlink_to(tmp_path / "evil")
    refused(saved, canary, "is a link")


@pytest.mark.parametrize("deep", [DEEP, '{"a":' * 100_000, "1" * 10_000, "\ud800".encode("utf-8", "surrogatepass")])
def test_json_that_cannot_be_read_is_one_line(deep: str | bytes, tmp_path: Path, canary: Canary) -> None:
    model = words(write(tmp_path / "model", config(**NAMED)))
    saved = checkpoint_of(model, tmp_path / "run")
    content = deep if isinstance(deep, bytes) else deep.encode()
    for place, file in [
        *((model, model / name) for name in ("tokenizer.json", "tokenizer_config.json", CONFIG)),
        *((saved, saved / name) for name in (f"{BESIDE}/tokenizer.json", f"{BESIDE}/tokenizer_config.json", ABOUT)),
    ]:
        whole = file.read_bytes()
        file.write_bytes(content)
        refused(place, canary)
        file.write_bytes(whole)
    assert load_model(str(saved), "cpu").tokenize(["run"]).ids[0, 1] == 4


def test_a_checkpoint_brings_its_tokenizer_along(tmp_path: Path) -> None:
    model = words(write(tmp_path / "model", config(**NAMED)), model_max_length=10**30, name_or_path="x")
    first = load_model(str(model), "cpu").tokenize(["run high", "jump"]).ids
    saved = checkpoint_of(model, tmp_path / "run")
    shutil.rmtree(model)
    again = checkpoint_of(saved, tmp_path / "again")
    mixed = ensemble(str(saved), str(again), [0.5], tmp_path / "mixed")[0]
    shutil.rmtree(saved)
    for folder in (again, mixed):
        assert json.loads((folder / ABOUT).read_text())["tokenizer"] == OWN
        assert torch.equal(load_model(str(folder), "cpu").tokenize(["run high", "jump"]).ids, first)


def test_a_folder_here_does_not_stand_for_a_model_of_the_hub(
    tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary.put(words(tmp_path / "roberta-base", **EVIL))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="'roberta-base' lies in this folder"):
        of_architecture("roberta-ViT-B-32")
    folder = write(tmp_path / "model")
    merge(folder / CONFIG, {"model_cfg": config(hf_model_name="roberta-base", **NAMED)})
    refused(folder, canary, "'roberta-base' lies in this folder")
    assert of_architecture("ViT-B-16-quickgelu").record is None
    assert of_architecture("ViT-B-16-SigLIP").record == "ViT-B-16-SigLIP"


def test_every_architecture_of_open_clip_says_what_is_allowed() -> None:
    import open_clip

    from maxi_core.clip.model_rules import check_model

    assert len(open_clip.list_models()) > 100
    for name in open_clip.list_models():
        check_model(Path(name), open_clip.get_model_config(name), None)


def test_a_captioner_runs_no_code_of_its_own(tmp_path: Path, canary: Canary) -> None:
    folder = shutil.copytree(Sandbox().captioner(), tmp_path / "blip")
    canary.put(folder)
    merge(folder / "tokenizer_config.json", {**EVIL, "tokenizer_class": None})
    merge(folder / "config.json", {"model_type": "evil"})
    with pytest.raises(UsageError) as caught:
        load_captioner(folder, "cpu", "fp32")
    assert canary.silent()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("way", ["kwargs", "auto_map", "checkpoint", "pickle"])
def test_maxi_predict_ends_with_one_line_and_runs_nothing(
    way: str, tmp_path: Path, canary: Canary, maxi: Callable[..., Any]
) -> None:
    model = words(write(tmp_path / "model", config(**NAMED)))
    named = checkpoint_of(model, tmp_path / "run") if way == "checkpoint" else model
    if way == "kwargs":
        merge(model / CONFIG, {"model_cfg": config(**NAMED, tokenizer_kwargs={"trust_remote_code": True})})
    if way == "pickle":
        (model / WEIGHTS).write_bytes(canary.pickled())
    else:
        merge(model / "tokenizer_config.json", EVIL)
    if way == "checkpoint":
        merge(named / ABOUT, {"tokenizer": f"local-dir:{model}"})
    canary.put(model)
    frames = [np.full((32, 40, 3), 20 * place, np.uint8) for place in range(8)]
    clip = write_clip(tmp_path / "clip.mp4", frames, MATRIX["h264"])
    done = maxi("predict", str(named), str(clip), "--labels", "run,jump", "--device", "cpu")
    assert done.code == 2
    assert canary.silent()
    assert done.out == ""
    assert done.err.startswith("maxi: error: ")
    assert done.err.count("\n") == 1


@pytest.mark.slow  # a process of its own imports everything anew
def test_a_process_that_is_told_yes_runs_nothing(
    tmp_path: Path, maxi_process: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    canary = Canary(tmp_path / "MARKER")
    model = words(write(tmp_path / "model", config(**NAMED)), **EVIL)
    canary.put(model)
    (tmp_path / "clip.mp4").write_bytes(b"")
    done = maxi_process("predict", str(model), str(tmp_path / "clip.mp4"), "--labels", "run,jump")
    assert done.returncode == 2
    assert canary.silent()
    assert done.stderr.count("\n") == 1
