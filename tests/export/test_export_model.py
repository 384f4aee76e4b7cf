"""`maxi export model`: other programs load what it writes, without maxi, and compute the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import ExitCode, MaxiError, UsageError
from maxi_core.export.exporting import FORMATS, export_model
from maxi_core.interop.checkpoint_import import import_checkpoint
from maxi_core.plugin.catalog import discover
from maxi_core.training.checkpoint import about_checkpoint, save_checkpoint
from tests.clip.newer_clips import FAMILIES, write_family, write_siglip
from tests.clip.tiny_clip import MEAN, STD, config, write
from tests.export.elsewhere import elsewhere

TEXTS = ["a photo of a dog.", "Jumping over  the wall", "éclair, 12 times!"]


def images(size: int = 28) -> Tensor:
    return torch.randn(3, 3, size, size, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def own(model: VideoCLIP, texts: list[str] = TEXTS) -> dict[str, Tensor]:
    """Return features of open_clip's own forward for the model that maxi loaded."""
    ids = model.tokenize(texts).ids
    return {"image": model.clip.encode_image(images(model.image_size)), "text": model.clip.encode_text(ids), "ids": ids}


def exported(model: Path | str, out: Path, target: Any, **options: Any) -> VideoCLIP:
    """Export a model and return it as maxi loads it."""
    export_model(str(model), out, target, discover(), **options)
    return load_model(str(model), "cpu")


def checkpoint_of(model: VideoCLIP, run: Path, **about: Any) -> Path:
    return save_checkpoint(run, "step-00000001", model.weights(), {**about_checkpoint(model, {}), **about})


LOAD_OPEN_CLIP = """
import open_clip
model, _, preprocess = open_clip.create_model_and_transforms("local-dir:" + folder)
model.eval()
ids = open_clip.get_tokenizer("local-dir:" + folder)(texts)
said = open_clip.get_model_preprocess_cfg(model)
found = {"image": model.encode_image(given["images"]), "text": model.encode_text(ids), "ids": ids,
         "mean": torch.tensor(said["mean"]), "std": torch.tensor(said["std"])}
"""


@pytest.mark.parametrize("settings", [{"quick_gelu": True}, {"custom": True}], ids=str)
def test_open_clip_loads_the_folder_and_computes_the_same_bits(settings: Any, tmp_path: Path) -> None:
    model = exported(write(tmp_path / "model", config(**settings)), tmp_path / "out", "open-clip")
    found = elsewhere(LOAD_OPEN_CLIP, tmp_path / "x", {"images": images()}, folder=str(tmp_path / "out"), texts=TEXTS)
    for name, value in own(model).items():
        assert torch.equal(found[name], value), name
    said = json.loads((tmp_path / "out" / "open_clip_config.json").read_text())
    assert said["model_cfg"]["quick_gelu"] is settings.get("quick_gelu", False)


def test_a_checkpoint_becomes_a_model_that_maxi_takes_with_the_same_features(tmp_path: Path) -> None:
    base = load_model(str(write(tmp_path / "model", config(quick_gelu=True))), "cpu", normalisation="imagenet")
    saved = checkpoint_of(base, tmp_path / "run")
    model = exported(saved, tmp_path / "out", "open-clip")
    again = load_model(str(tmp_path / "out"), "cpu")
    assert again.statistics == base.statistics  # what it was trained with, not what open_clip began with
    assert again.statistics != (MEAN, STD)
    pixels = torch.randint(0, 256, (2, 4, 3, 28, 28), dtype=torch.uint8)
    assert torch.equal(again.encode_video(pixels), model.encode_video(pixels))
    assert all(torch.equal(value, again.weights()[key]) for key, value in model.weights().items())
    found = elsewhere(LOAD_OPEN_CLIP, tmp_path / "x", {"images": images()}, folder=str(tmp_path / "out"), texts=TEXTS)
    assert found["mean"].tolist() == pytest.approx(list(base.statistics[0]))


LOAD_TRANSFORMERS = """
from transformers import CLIPModel, CLIPProcessor
from PIL import Image
model, processor = CLIPModel.from_pretrained(folder).eval(), CLIPProcessor.from_pretrained(folder)
read = processor.tokenizer(texts, padding="max_length", truncation=True, return_tensors="pt")["input_ids"]
picture = Image.fromarray(given["picture"].numpy())
pixels = processor.image_processor(picture, return_tensors="pt")["pixel_values"]
def features(answer):
    return answer if isinstance(answer, torch.Tensor) else answer.pooler_output
found = {"image": features(model.get_image_features(pixel_values=given["images"])),
         "text": features(model.get_text_features(input_ids=read)), "ids": read, "pixels": pixels,
         "scale": model.logit_scale.detach().clone()}
"""


@pytest.mark.parametrize("settings", [{"quick_gelu": True}, {"custom": True}], ids=str)
def test_transformers_loads_the_folder_and_computes_the_same_features(settings: Any, tmp_path: Path) -> None:
    import open_clip
    from open_clip.transform import PreprocessCfg, image_transform_v2
    from PIL import Image

    model = exported(write(tmp_path / "model", config(**settings)), tmp_path / "out", "hf")
    picture = torch.randint(0, 256, (60, 45, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))
    given = {"images": images(), "picture": picture}
    found = elsewhere(LOAD_TRANSFORMERS, tmp_path / "x", given, folder=str(tmp_path / "out"), texts=TEXTS)
    computed = own(model)
    for name in ("image", "text"):
        assert (found[name] - computed[name]).abs().max() < 1e-5
    filled = computed["ids"] != 0  # transformers fills with the end of text, which a causal tower never looks at
    assert torch.equal(found["ids"][filled], computed["ids"][filled])
    assert torch.equal(found["scale"], model.logit_scale.detach())
    said = open_clip.get_model_preprocess_cfg(model.clip)
    prepare = image_transform_v2(PreprocessCfg(**said), is_train=False)
    prepared = prepare(Image.fromarray(picture.numpy()))
    assert (found["pixels"][0] - prepared).abs().max() < 0.05  # one grey level, as the two round when they resize


LOAD_SIGLIP = """
from transformers import AutoModel, AutoProcessor
model, processor = AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)
read = processor.tokenizer(texts, padding="max_length", truncation=True, max_length=64, return_tensors="pt")
def features(answer):
    return answer if isinstance(answer, torch.Tensor) else answer.pooler_output
found = {"image": features(model.get_image_features(pixel_values=given["images"])),
         "text": features(model.get_text_features(input_ids=read["input_ids"])), "ids": read["input_ids"],
         "scale": model.logit_scale.detach().clone(), "bias": model.logit_bias.detach().clone()}
assert type(model).__name__ == "SiglipModel", type(model)
"""


@pytest.mark.parametrize(  # their texts compute two kinds of GELU
    "arch", ["ViT-B-32-SigLIP2-256", pytest.param("ViT-B-16-SigLIP", marks=pytest.mark.long)]
)
def test_a_siglip_becomes_the_siglip_of_transformers_and_comes_back(arch: str, tmp_path: Path) -> None:
    folder = write_siglip(tmp_path / "model", arch)
    weights = load_file(folder / "open_clip_model.safetensors")
    weights |= {"logit_scale": torch.tensor(4.7), "logit_bias": torch.tensor(-16.5)}
    save_file(weights, folder / "open_clip_model.safetensors")
    model = exported(folder, tmp_path / "out", "hf")
    texts = ["run jump", "high"]
    found = elsewhere(LOAD_SIGLIP, tmp_path / "x", {"images": images(64)}, folder=str(tmp_path / "out"), texts=texts)
    computed = own(model, texts)
    assert torch.equal(found["ids"], computed["ids"])
    for name in ("image", "text"):
        assert (found[name] - computed[name]).abs().max() < 1e-5
    assert (found["scale"].item(), found["bias"].item()) == pytest.approx((4.7, -16.5))
    imported = import_checkpoint(tmp_path / "out", tmp_path / "back", str(folder))
    assert not imported.fit.missing
    assert not imported.fit.left_out
    assert not imported.about["imported"]["notes"]
    again = load_model(str(tmp_path / "back"), "cpu")
    assert all(torch.equal(value, model.weights()[key]) for key, value in again.weights().items())
    for name, value in own(again, texts).items():
        assert torch.equal(value, computed[name])


LOAD_ONNX = """
import numpy, onnxruntime
def run(name, key, value):
    return torch.from_numpy(onnxruntime.InferenceSession(folder + "/" + name).run(None, {key: value.numpy()})[0])
found = {"image": run("image.onnx", "pixels", given["images"]), "text": run("text.onnx", "ids", given["ids"])}
found["one"] = run("image.onnx", "pixels", given["images"][:1])
"""


def test_onnxruntime_loads_both_towers_for_any_number_of_inputs(tmp_path: Path) -> None:
    import onnx

    model = exported(write(tmp_path / "model", config(quick_gelu=True)), tmp_path / "out", "onnx")
    wanted = own(model)
    given = {"images": images(), "ids": wanted["ids"]}
    found = elsewhere(LOAD_ONNX, tmp_path / "x", given, folder=str(tmp_path / "out"))
    for name in ("image", "text"):
        assert (found[name] - wanted[name]).abs().max() < 1e-4
    assert (found["one"] - wanted["image"][:1]).abs().max() < 1e-4
    about = json.loads((tmp_path / "out" / "onnx.json").read_text())
    for name in ("image.onnx", "text.onnx"):
        graph = onnx.load(tmp_path / "out" / name)
        assert [one.version for one in graph.opset_import if one.domain == ""] == [about["opset"]]
        assert graph.graph.input[0].type.tensor_type.shape.dim[0].dim_param
    assert about["scale"] == pytest.approx(float(model.scale().detach()))
    assert about["pixel_mean"] == pytest.approx(list(MEAN))


@pytest.mark.long  # the towers of open_clip are in the test before
@pytest.mark.parametrize("arch", ["SigLIP", *FAMILIES])
def test_onnxruntime_loads_towers_of_timm_and_the_bias_of_a_siglip(arch: str, tmp_path: Path) -> None:
    here = tmp_path / "model"
    folder = write_siglip(here) if arch == "SigLIP" else write_family(here, arch, FAMILIES[arch])
    model = exported(folder, tmp_path / "out", "onnx")
    wanted = own(model, ["run jump", "high"])
    given = {"images": images(model.image_size), "ids": wanted["ids"]}
    found = elsewhere(LOAD_ONNX, tmp_path / "x", given, folder=str(tmp_path / "out"))
    for name in ("image", "text"):
        apart = functional.normalize(found[name], dim=-1) - functional.normalize(wanted[name], dim=-1)
        assert apart.abs().max() < 1e-4
    assert found["one"].shape == wanted["image"][:1].shape
    bias = getattr(model.clip, "logit_bias", None)
    assert json.loads((tmp_path / "out" / "onnx.json").read_text())["bias"] == (None if bias is None else bias.item())


def test_onnx_without_its_packages_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "onnx" else real(name, *a))
    with pytest.raises(UsageError, match=r"ONNX needs onnx; pip install 'maxi\[onnx\]'"):
        export_model(str(write(tmp_path / "model")), tmp_path / "out", "onnx", discover())


LOAD_AUTHORS = """
document = torch.load(folder + "/model.pth", weights_only=True)
found = {key: value.clone() for key, value in document["model"].items()}
assert list(document) == ["model", "optimizer", "lr_scheduler", "max_accuracy", "epoch", "config"]
"""


@pytest.mark.parametrize("custom", [False, True])
def test_the_authors_file_has_their_keys_and_every_weight_but_the_token_embedding(custom: bool, tmp_path: Path) -> None:
    model = exported(write(tmp_path / "model", config(quick_gelu=True, custom=custom)), tmp_path / "out", "authors")
    found = elsewhere(LOAD_AUTHORS, tmp_path / "x", {"none": torch.ones(1)}, folder=str(tmp_path / "out"))
    theirs = {"visual.": "module.image_encoder.", "text.": "module.text_encoder.", "": "module.text_encoder."}
    wanted = {}
    for key, value in model.weights().items():
        before = next(before for before in theirs if key.startswith(before))
        wanted[theirs[before] + key.removeprefix(before)] = value
    wanted["module.logit_scale"] = wanted.pop("module.text_encoder.logit_scale")
    wanted = {key: value for key, value in wanted.items() if "token_embedding" not in key and "attn_mask" not in key}
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())
    assert "module.text_encoder.transformer.resblocks.0.attn.in_proj_weight" in found
    assert "module.text_encoder.text_projection" in found


# What cannot be held is refused in one sentence, and nothing is left behind.


def changed(**vision: Any) -> dict[str, Any]:
    made = config(quick_gelu=True)
    return made | {"vision_cfg": made["vision_cfg"] | vision}


REFUSED = [
    ("hf", changed(no_ln_pre=True), "vision_cfg.no_ln_pre"),
    ("authors", changed(no_ln_pre=True), "vision_cfg.no_ln_pre"),
    ("hf", changed(pool_type="avg"), "vision_cfg.pool_type"),
    ("hf", changed(layers=[1, 1, 1, 1], width=8, image_size=64), "a ResNet as image tower"),
    ("hf", config(no_causal_mask=True, custom=True), "text_cfg.no_causal_mask"),
    ("hf", config(tokenizer_kwargs={"clean": "canonicalize"}), "a tokenizer of its own"),
    ("authors", config(quick_gelu=True, tokenizer_kwargs={"clean": "whitespace"}), "a tokenizer of its own"),
    ("hf", config() | {"init_logit_bias": -10}, "init_logit_bias"),
    ("authors", config(quick_gelu=False), "trained with GELU"),
    ("authors", config(quick_gelu=True, width=64, heads=4), "heads 64 wide"),
    ("authors", config(quick_gelu=True, mlp_ratio=2.0), "text_cfg.mlp_ratio"),
]


@pytest.mark.parametrize(("target", "settings", "says"), REFUSED, ids=lambda value: value if value is not dict else "")
def test_a_model_that_a_target_cannot_hold_is_refused_in_one_line(
    target: Any, settings: Any, says: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "model", settings)
    with pytest.raises(UsageError, match=says) as refused:
        export_model(str(folder), tmp_path / "out", target, discover())
    assert "\n" not in str(refused.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


def test_another_width_of_the_hidden_layer_is_something_that_transformers_holds(tmp_path: Path) -> None:
    model = exported(write(tmp_path / "model", config(mlp_ratio=2.0)), tmp_path / "out", "hf")
    assert model.config["text_cfg"]["mlp_ratio"] == 2.0


@pytest.mark.parametrize("target", FORMATS)
@pytest.mark.parametrize("module", ["crossframe", "transformer"])
def test_a_temporal_module_is_refused_by_every_target(
    target: Any, module: str, tmp_path: Path, maxi: Callable[..., Any]
) -> None:
    from maxi_core.clip.temporal_record import make_temporal

    catalog = discover()
    made = make_temporal(catalog, {"name": f"maxi:{module}", "version": "0.1.0", "options": {}})
    model = load_model(str(write(tmp_path / "model", config(quick_gelu=True))), "cpu", temporal=made, frames=4)
    saved = checkpoint_of(model, tmp_path / "run")
    ran = maxi("export", "model", saved, tmp_path / "out", "--to", target)
    assert ran.code == ExitCode.USAGE
    assert f"temporal module maxi:{module}" in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_the_plain_mean_is_no_temporal_module_that_would_be_lost(tmp_path: Path) -> None:
    from maxi_core.clip.temporal_record import make_temporal

    made = make_temporal(discover(), {"name": "maxi:mean", "version": "0.1.0", "options": {}})
    model = load_model(str(write(tmp_path / "model")), "cpu", temporal=made)
    saved = checkpoint_of(model, tmp_path / "run")
    export_model(str(saved), tmp_path / "out", "open-clip", discover())
    assert load_model(str(tmp_path / "out"), "cpu").temporal is None


def test_a_trained_token_embedding_has_no_place_in_the_authors_file(tmp_path: Path) -> None:
    base = load_model(str(write(tmp_path / "model", config(quick_gelu=True))), "cpu")
    saved = checkpoint_of(base, tmp_path / "run", token_embedding=True)
    with pytest.raises(UsageError, match="no place for the token embedding"):
        export_model(str(saved), tmp_path / "out", "authors", discover())
    assert export_model(str(saved), tmp_path / "hf", "hf", discover())


def test_nothing_is_overwritten_and_an_empty_folder_is_taken(tmp_path: Path, maxi: Callable[..., Any]) -> None:
    model, out = write(tmp_path / "model"), tmp_path / "out"
    out.mkdir()
    assert maxi("export", "model", model, out, "--to", "open-clip").code == 0
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = maxi("export", "model", model, out, "--to", "hf")
    assert (again.code, "is there already" in again.err) == (ExitCode.USAGE, True)
    onto_itself = maxi("export", "model", model, model, "--to", "hf")
    assert "is there already" in onto_itself.err
    assert {path: path.read_bytes() for path in out.iterdir()} == before


def test_a_disk_that_takes_nothing_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MaxiError, match="cannot write .*out"):
        export_model(str(write(tmp_path / "model")), tmp_path / "file" / "out", "open-clip", discover())


def test_the_card_says_how_the_model_was_made_and_gives_no_folder_away(tmp_path: Path) -> None:
    base = load_model(str(write(tmp_path / "secret" / "tiny", config(quick_gelu=True))), "cpu")
    about: dict[str, Any] = {"step": 7, "scores": {"hmdb51:1 top1": 50.0}, "prompt": "a photo of a {}."}
    about |= {"dictionary": f"{tmp_path}/secret/actions.txt (3 entries, bd744dd8bc1f)", "data": "9 bags of mine"}
    saved = checkpoint_of(base, tmp_path / "run", **about)
    (tmp_path / "run" / "recipe.toml").write_text(
        f'[train]\nrun = "{tmp_path}/secret"\nlr = 5e-6\nloss = "mil_nce"\n[sources]\ntexts = ["maxi:gpt3"]\n'
    )
    export_model(str(saved), tmp_path / "out", "open-clip", discover(), licence="cc-by-nc-4.0")
    card = (tmp_path / "out" / "README.md").read_text()
    assert "secret" not in card
    assert str(tmp_path) not in card
    for said in ('license: "cc-by-nc-4.0"', "| lr | 5e-06 |", "maxi:gpt3", "actions.txt (3 entries", "hmdb51:1 top1"):
        assert said in card


def test_scores_in_the_card_are_those_of_these_weights(tmp_path: Path) -> None:
    folder = write(tmp_path / "model")
    model = load_model(str(folder), "cpu")
    record = {"schema": 1, "benchmark": "ucf101", "split": "1", "metrics": {"top1": 0.5}, "model": "m", "n": 4}
    scores = tmp_path / "scores.json"
    scores.write_text(json.dumps([record | {"weights_sha256": model.identity}]))
    export_model(str(folder), tmp_path / "out", "open-clip", discover(), scores=[scores])
    assert "| ucf101 1 | top1 | 50.00 |" in (tmp_path / "out" / "README.md").read_text()
    scores.write_text(json.dumps([record | {"weights_sha256": "0" * 64}]))
    with pytest.raises(UsageError, match="scores of other weights"):
        export_model(str(folder), tmp_path / "other", "open-clip", discover(), scores=[scores])
