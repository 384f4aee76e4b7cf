"""Folders of Hugging Face's CLIPModel and SiglipModel: their features after the import are those of transformers."""

import json
from pathlib import Path

import pytest
import torch
from open_clip import tokenize
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.interop.checkpoint_import import import_checkpoint, read_checkpoint
from maxi_core.interop.transformers_names import from_transformers
from tests.clip.tiny_clip import config, write
from tests.interop.test_import_checkpoint import TEXTS, clip_of_pixels

transformers = pytest.importorskip("transformers")
VISION = {"hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2, "intermediate_size": 128}
VISION |= {"image_size": 28, "patch_size": 7}
TEXT = {"hidden_size": 48, "num_attention_heads": 4, "num_hidden_layers": 3, "intermediate_size": 192}
MEAN, STD = [0.4, 0.5, 0.6], [0.3, 0.2, 0.1]


def shaken(model: nn.Module) -> nn.Module:
    """Return a model whose weights all differ from what they begin as, norms and biases too."""
    torch.manual_seed(4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model.eval()


def clip_folder(folder: Path, act: str = "quick_gelu", **more: str) -> nn.Module:
    text = {**TEXT, "hidden_act": more.get("text_act", act), "vocab_size": 49408, "max_position_embeddings": 77}
    text |= {"bos_token_id": 49406, "eos_token_id": 49407}
    vision = {**VISION, "hidden_act": act}
    model = shaken(
        transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    )
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    return model


@pytest.mark.parametrize("act", ["quick_gelu", "gelu", "gelu_pytorch_tanh"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_clip_of_transformers_has_the_same_features_here(act: str, alone: bool, tmp_path: Path) -> None:
    model = clip_folder(tmp_path / "theirs", act)
    vision = {"image_size": 28, "patch_size": 7, "width": 32, "layers": 2, "head_width": 16}
    base = write(tmp_path / "base", config(quick_gelu=act == "quick_gelu") | {"vision_cfg": vision})
    imported = import_checkpoint(tmp_path / "theirs", tmp_path / "ours", None if alone else str(base))
    assert not imported.fit.missing
    assert not imported.fit.left_out
    assert imported.about["quick_gelu"] == (act == "quick_gelu")
    loaded = load_model(str(tmp_path / "ours"), "cpu")
    assert loaded.statistics == (tuple(MEAN), tuple(STD))
    pixels = clip_of_pixels()[0].float() / 255
    images = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    with torch.no_grad():
        seen = model.visual_projection(model.vision_model(images).pooler_output)
        said = model.text_projection(model.text_model(tokenize(TEXTS)).pooler_output)
        video, texts, scale = loaded(clip_of_pixels(), loaded.tokenize(TEXTS).ids)
    assert torch.allclose(video, functional.normalize(seen.mean(dim=0, keepdim=True), dim=-1), atol=1e-6)
    assert torch.allclose(texts, functional.normalize(said, dim=-1), atol=1e-6)
    assert torch.allclose(scale, model.logit_scale.exp())


def test_weights_in_several_files_and_in_pickles_are_read(tmp_path: Path) -> None:
    model = clip_folder(tmp_path / "one")
    whole = read_checkpoint(tmp_path / "one").weights
    model.save_pretrained(tmp_path / "many", max_shard_size="200KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    (tmp_path / "one" / "model.safetensors").unlink()
    torch.save(model.state_dict(), tmp_path / "one" / "pytorch_model.bin")
    for folder in ("one", "many"):
        found = read_checkpoint(tmp_path / folder).weights
        assert found.keys() == whole.keys()
        assert torch.equal(found["visual.proj"].read(), model.visual_projection.weight.t())


def test_other_models_and_activations_are_refused(tmp_path: Path) -> None:
    clip_folder(tmp_path / "mixed", "quick_gelu", text_act="gelu")
    with pytest.raises(UsageError, match="computes gelu and quick_gelu; maxi has GELU and QuickGELU, in both towers"):
        read_checkpoint(tmp_path / "mixed")
    (tmp_path / "mixed" / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UsageError, match="holds a model of the kind 'bert'; a CLIPModel or SiglipModel"):
        read_checkpoint(tmp_path / "mixed")
    for said in ('"text_config": [1]', '"vision_config": {"hidden_size": "a"}', '"text_config": {"vocab_size": 0}'):
        (tmp_path / "mixed" / "config.json").write_text(f'{{"model_type": "clip", {said}}}')
        with pytest.raises(UsageError, match=r"describes no towers|config\.json has (hidden_size|vocab_size) = "):
            read_checkpoint(tmp_path / "mixed")
    index = tmp_path / "lost"
    index.mkdir()
    (index / "config.json").write_text('{"model_type": "clip"}')
    (index / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../etc/passwd"}}')
    with pytest.raises(UsageError, match="leads out of its folder|cannot be read"):
        read_checkpoint(index)


def test_a_siglip_of_transformers_has_the_same_features_in_the_towers_of_open_clip(tmp_path: Path) -> None:
    from open_clip.transformer import TextTransformer

    act = {"hidden_act": "gelu_pytorch_tanh"}
    text = {**TEXT, **act, "vocab_size": 100, "max_position_embeddings": 16, "projection_size": 32}
    settings = transformers.SiglipConfig(text_config=text, vision_config={**VISION, **act})
    model = shaken(transformers.SiglipModel(settings))
    model.save_pretrained(tmp_path)
    layout = read_checkpoint(tmp_path)
    assert layout.project.name == "Hugging Face"
    assert not layout.dropped
    weights = {key: one.read() for key, one in layout.weights.items()}
    assert {key: one.shape for key, one in layout.weights.items()} == {k: tuple(v.shape) for k, v in weights.items()}

    trunk = VisionTransformer(
        28, 7, embed_dim=32, depth=2, num_heads=2, num_classes=0, class_token=False, global_pool="map",
        act_layer=lambda: nn.GELU("tanh"),
    )  # fmt: skip
    tower = TextTransformer(
        16, 100, 48, 4, 3, output_dim=32, proj_bias=True, pool_type="last", no_causal_mask=True,
        act_layer=lambda: nn.GELU("tanh"), norm_layer=lambda width: nn.LayerNorm(width, eps=1e-6),
    )  # fmt: skip
    seen = {key.removeprefix("visual.trunk."): one for key, one in weights.items() if key.startswith("visual.trunk.")}
    trunk.load_state_dict(seen)
    tower.load_state_dict(
        {key.removeprefix("text."): one for key, one in weights.items() if key.startswith("text.")}, strict=True
    )
    images, ids = clip_of_pixels()[0].float() / 255, torch.randint(1, 100, (2, 16))
    with torch.no_grad():
        assert torch.allclose(trunk.eval()(images), model.vision_model(images).pooler_output, atol=1e-5)
        assert torch.allclose(tower.eval()(ids), model.text_model(ids).pooler_output, atol=1e-5)
    assert weights["logit_scale"].shape == weights["logit_bias"].shape == (1,)


def test_a_layer_whose_parts_are_not_all_there_is_missing_and_not_half_read(tmp_path: Path) -> None:
    clip_folder(tmp_path)
    layout = read_checkpoint(tmp_path)
    whole = json.loads((tmp_path / "config.json").read_text())
    key = "vision_model.encoder.layers.0.self_attn.k_proj.weight"
    from maxi_core.interop.tensor_files import read_safetensors

    weights = {name: one for name, one in read_safetensors(tmp_path / "model.safetensors").items() if name != key}
    less = from_transformers(tmp_path, whole, weights, None)
    assert layout.weights.keys() - less.weights.keys() == {"visual.transformer.resblocks.0.attn.in_proj_weight"}
