"""Checkpoints of other programs: every layout from a model with known weights, its features afterwards, its errors."""

import json
import os
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from open_clip import tokenize
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import MaxiError, UsageError
from maxi_core.export.exporting import export_model
from maxi_core.interop.checkpoint_import import Imported, import_checkpoint, read_checkpoint
from maxi_core.plugin.catalog import discover
from tests.clip.tiny_clip import MEAN, STD, build, config, write
from tests.interop import foreign

TEXTS = ["a photo of a running.", "jump"]
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
QUICK = config(quick_gelu=True)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLIP with QuickGELU, as OpenAI's are."""
    return write(tmp_path_factory.mktemp("base"), QUICK, seed=0)


@pytest.fixture(scope="module")
def trained(base: Path) -> nn.Module:
    """What was finetuned from it: all weights changed but the token embeddings."""
    model, before = build(QUICK, seed=1), build(QUICK, seed=0)
    with torch.no_grad():
        model.token_embedding.weight.copy_(before.token_embedding.weight)
    return model


def clip_of_pixels(frames: int = 3, side: int = 28) -> Tensor:
    return torch.randint(0, 256, (1, frames, 3, side, side), generator=torch.Generator().manual_seed(3)).to(torch.uint8)


def features_of(model: nn.Module, mean: Any, std: Any) -> tuple[Tensor, Tensor]:
    """Return video and text features of a model of open_clip, computed with its own functions."""
    pixels = clip_of_pixels()[0].float() / 255
    images = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    with torch.no_grad():
        video = functional.normalize(model.encode_image(images).mean(dim=0, keepdim=True), dim=-1)
        return video, functional.normalize(model.encode_text(tokenize(TEXTS)), dim=-1)


def equal_to(loaded: VideoCLIP, model: nn.Module, mean: Any, std: Any) -> None:
    video, texts = features_of(model, mean, std)
    with torch.no_grad():
        found, said, scale = loaded(clip_of_pixels(), loaded.tokenize(TEXTS).ids)
    assert torch.allclose(found, video, atol=1e-6)
    assert torch.allclose(said, texts, atol=1e-6)
    logits = model.logit_scale.exp() * video @ texts.T
    assert torch.allclose(scale * found @ said.T, logits, rtol=1e-5, atol=1e-5)


LAYOUTS: dict[str, tuple[Any, Any, str]] = {  # what is saved of a model, the statistics afterwards, whose it is
    "maxi": (lambda m: foreign.vifi(m.state_dict(), maxi=True), IMAGENET, "the authors of MAXI"),
    "vifi": (lambda m: foreign.vifi(m.state_dict(), maxi=False), IMAGENET, "ViFi-CLIP"),
    "weights of vifi": (lambda m: foreign.vifi(m.state_dict(), maxi=False)["model"], IMAGENET, "MAXI or ViFi-CLIP"),
    "x-clip": (lambda m: foreign.x_clip(m.state_dict()), IMAGENET, "X-CLIP"),
    "open-vclip": (lambda m: foreign.open_vclip(m.state_dict(), averaged=False), (MEAN, STD), "Open-VCLIP"),
    "open-vclip averaged": (lambda m: foreign.open_vclip(m.state_dict(), averaged=True), (MEAN, STD), "Open-VCLIP"),
    "froster": (lambda m: foreign.open_vclip(m.state_dict(), averaged=True, froster=True), (MEAN, STD), "FROSTER"),
    "action-clip": (lambda m: foreign.action_clip(m.state_dict()), (MEAN, STD), "ActionCLIP"),
    "taco": (lambda m: foreign.action_clip(m.state_dict(), taco=True, wrapped=False), (MEAN, STD), "TACO"),
    "open_clip": (foreign.open_clip_epoch, (MEAN, STD), "open_clip"),
    "compiled": (lambda m: foreign.open_clip_epoch(m, prefix="_orig_mod.module."), (MEAN, STD), "open_clip"),
    "weights alone": (lambda m: m.state_dict(), (MEAN, STD), "an unknown program"),
}


@pytest.mark.parametrize(
    ("name", "zipped"), [*((name, True) for name in LAYOUTS), ("maxi", False), ("open_clip", False)]
)
def test_each_layout_gives_the_features_and_logits_of_the_model_that_was_saved(
    name: str, zipped: bool, base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    make, (mean, std), project = LAYOUTS[name]
    file = foreign.save(make(trained), tmp_path / "theirs.pth", zipped=zipped)
    plain = discover(only=[], without=["expanded"])  # the weights alone: for the attention of some see test_expanded.py
    imported = import_checkpoint(file, tmp_path / "ours", str(base), catalog=plain)
    assert imported.layout.project.name == project
    loaded = load_model(str(tmp_path / "ours"), "cpu")
    assert loaded.statistics == (tuple(mean), tuple(std))
    equal_to(loaded, trained, mean, std)


def test_a_file_of_safetensors_is_imported_as_one_of_pytorch_is(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    save_file({f"module.{key}": value for key, value in trained.state_dict().items()}, tmp_path / "w.safetensors")
    import_checkpoint(tmp_path / "w.safetensors", tmp_path / "ours", str(base))
    equal_to(load_model(str(tmp_path / "ours"), "cpu"), trained, MEAN, STD)


def test_half_precision_becomes_float32(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    file = foreign.save(foreign.vifi(trained.state_dict(), maxi=False, half=True), tmp_path / "half.pth")
    import_checkpoint(file, tmp_path / "ours", str(base))
    loaded = load_model(str(tmp_path / "ours"), "cpu")
    assert {value.dtype for value in loaded.weights().values()} == {torch.float32}
    assert torch.equal(loaded.clip.visual.proj, trained.visual.proj.half().float())


def test_what_the_file_lacks_is_the_bases_and_what_clip_has_not_is_left_out(
    base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    file = foreign.save(foreign.vifi(trained.state_dict(), maxi=True), tmp_path / "theirs.pth")
    imported = import_checkpoint(file, tmp_path / "ours", str(base))
    assert imported.fit.missing == ("token_embedding.weight",)
    assert imported.fit.left_out == ("prompt_learner.complete_text_embeddings",)
    file = foreign.save(foreign.x_clip(trained.state_dict()), tmp_path / "x.pth")
    left = import_checkpoint(file, tmp_path / "x", str(base)).fit.left_out
    assert [name.split(".")[0] for name in left] == ["mit", "prompts_generator", "visual"]


@pytest.mark.parametrize(
    ("name", "protocol", "frames", "normalisation"),
    [
        ("maxi", "maxi", 16, "imagenet"),
        ("vifi", "vifi", 32, "imagenet"),
        ("open-vclip averaged", "open-vclip", 8, "model"),
        ("froster", "open-vclip", 8, "model"),
        ("weights of vifi", None, 16, "imagenet"),
        ("open_clip", None, 16, "model"),
    ],
)
def test_the_model_keeps_how_its_project_evaluates(
    name: str, protocol: str | None, frames: int, normalisation: str, base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    file = foreign.save(LAYOUTS[name][0](trained), tmp_path / "theirs.pth")
    about = import_checkpoint(file, tmp_path / "ours", str(base)).about
    kept = json.loads((tmp_path / "ours" / "maxi.json").read_text())
    assert (kept["protocol"], kept["frames"], kept["normalisation"]) == (protocol, frames, normalisation)
    assert kept["quick_gelu"]
    assert kept["config"]["quick_gelu"]
    assert kept["imported"]["file"] == "theirs.pth" == about["imported"]["file"]


def test_a_file_of_the_authors_that_was_trained_with_attention_between_frames_says_so(
    trained: nn.Module, tmp_path: Path
) -> None:
    whole = foreign.vifi(trained.state_dict(), maxi=True)
    whole["config"]["MODEL"]["USE_TEMP_ATTENTION"] = 2
    notes = read_checkpoint(foreign.save(whole, tmp_path / "theirs.pth")).project.notes
    assert any("its attention sees the frames beside each" in note for note in notes)


def test_an_archive_of_openai_is_imported_with_a_base_and_without(tmp_path: Path) -> None:
    settings = config(quick_gelu=True, width=64, heads=1) | {
        "vision_cfg": {"image_size": 28, "patch_size": 7, "width": 64, "layers": 2},
    }
    model = build(settings, seed=2).half().float()  # an archive is float16
    archive = foreign.torchscript(model, tmp_path / "ViT.pt")
    imported = import_checkpoint(archive, tmp_path / "alone")
    assert imported.layout.project.name == "OpenAI"
    assert imported.about["quick_gelu"]
    alone = load_model(str(tmp_path / "alone"), "cpu")
    equal_to(alone, model, *alone.statistics)
    assert alone.statistics[0] == (0.48145466, 0.4578275, 0.40821073)
    import_checkpoint(archive, tmp_path / "onto", str(write(tmp_path / "base", settings)))
    equal_to(load_model(str(tmp_path / "onto"), "cpu"), model, MEAN, STD)


@pytest.mark.parametrize("form", ["safetensors", "bin", "other"])
def test_a_folder_of_open_clip_is_imported_without_a_base(form: str, trained: nn.Module, tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", QUICK)
    (folder / "open_clip_model.safetensors").unlink()
    wrapped = {f"_orig_mod.module.{key}": value for key, value in trained.state_dict().items()}
    if form == "safetensors":
        save_file(wrapped, folder / "open_clip_model.safetensors")
    else:
        torch.save(wrapped, folder / ("open_clip_pytorch_model.bin" if form == "bin" else "epoch_3.pt"))
    import_checkpoint(folder, tmp_path / "ours")
    equal_to(load_model(str(tmp_path / "ours"), "cpu"), trained, MEAN, STD)


def test_a_model_with_a_text_tower_of_its_own_takes_weights_under_both_names(tmp_path: Path) -> None:
    plain = build(QUICK, seed=1)
    custom = write(tmp_path / "custom", config(quick_gelu=True, custom=True), seed=0)
    file = foreign.save(plain.state_dict(), tmp_path / "plain.pt")
    import_checkpoint(file, tmp_path / "ours", str(custom))
    equal_to(load_model(str(tmp_path / "ours"), "cpu"), plain, MEAN, STD)


def test_an_import_is_a_model_for_the_next_one(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    import_checkpoint(foreign.save(trained.state_dict(), tmp_path / "a.pt"), tmp_path / "a", str(base))
    imported = import_checkpoint(
        foreign.save(foreign.vifi(trained.state_dict(), maxi=False), tmp_path / "b.pth"),
        tmp_path / "b",
        str(tmp_path / "a"),
    )
    assert imported.about["started_from"]["name"] == str(tmp_path / "a")


# What cannot be imported is said in one line, and nothing is written.


def refused(source: Path, base: Path | None, out: Path, *says: str) -> None:
    with pytest.raises(MaxiError) as caught:
        import_checkpoint(source, out, None if base is None else str(base))
    assert "\n" not in str(caught.value)
    assert all(part in str(caught.value) for part in says), caught.value
    assert not out.exists()


def _without_a_block(model: nn.Module) -> OrderedDict[str, Tensor]:
    gone = {key: value for key, value in model.state_dict().items() if "transformer.resblocks.1." not in key}
    return OrderedDict(gone)


def test_another_architecture_is_refused_with_what_differs(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    wide = build(config(quick_gelu=True, width=64, heads=4), seed=1)
    deep = build(config(quick_gelu=True, layers=4), seed=1)
    for model, says in (
        (wide.state_dict(), "is [77, 64] there and [77, 48] here"),
        (deep.state_dict(), "resblocks.3."),
        (_without_a_block(trained), "no "),
    ):
        file = foreign.save(model, tmp_path / "theirs.pt")
        refused(file, base, tmp_path / "ours", "another architecture", says, "--base")


def test_another_base_is_refused_where_the_file_shows_it(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    file = foreign.save(foreign.vifi(trained.state_dict(), maxi=False), tmp_path / "theirs.pth")
    other = write(tmp_path / "other", QUICK, seed=5)
    refused(file, other, tmp_path / "ours", "from another CLIP than", "its token embeddings differ")
    gelu = write(tmp_path / "gelu", config(), seed=0)
    refused(file, gelu, tmp_path / "ours", "with QuickGELU, and", "computes GELU")


def test_files_without_weights_of_a_clip_are_refused(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    out = tmp_path / "ours"
    resnet = {"conv1.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}
    refused(foreign.save(resnet, tmp_path / "resnet.pth"), base, out, "nothing in", "conv1.weight, fc.bias")
    refused(foreign.save({"model": None, "epoch": 1}, tmp_path / "none.pth"), base, out, "holds no weights")
    refused(tmp_path / "gone.pth", base, out, "there is no checkpoint")
    text = tmp_path / "notes.pth"
    text.write_text("<html>not found</html>")
    refused(text, base, out, "is no file of PyTorch")
    text.write_bytes(b"")
    refused(text, base, out, "is no file of PyTorch")
    two = {"visual.proj": torch.ones(2), "module.visual.proj": torch.ones(2)}
    refused(foreign.save(two, tmp_path / "two.pth"), base, out, "holds two models")
    broken = {**trained.state_dict(), "visual.proj": torch.full((32, 24), float("nan"))}
    refused(foreign.save(broken, tmp_path / "nan.pth"), base, out, "NaN")
    refused(foreign.save(foreign.vifi(trained.state_dict(), maxi=True), tmp_path / "b.pth"), None, out, "--base")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut_is_refused_wherever_it_was_cut(
    zipped: bool, base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    whole = foreign.save(trained.state_dict(), tmp_path / "whole.pt", zipped=zipped).read_bytes()
    cut = tmp_path / "cut.pt"
    for share in (0.001, 0.01, 0.5, 0.999):
        cut.write_bytes(whole[: int(len(whole) * share)])
        refused(cut, base, tmp_path / "ours", "cut.pt")


def test_a_zip_with_flipped_numbers_is_refused(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    file = foreign.save(trained.state_dict(), tmp_path / "flipped.pt")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    refused(file, base, tmp_path / "ours", "Bad CRC-32")


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    with pytest.raises(UsageError, match=r"pipe.pt is no ordinary file; name a \.pt"):
        import_checkpoint(tmp_path / "pipe.pt", tmp_path / "ours")


def test_nothing_that_is_there_is_overwritten_unless_asked_for(base: Path, trained: nn.Module, tmp_path: Path) -> None:
    file, out = foreign.save(trained.state_dict(), tmp_path / "a.pt"), tmp_path / "ours"

    def again(**more: Any) -> Imported:
        return import_checkpoint(file, out, str(base), **more)

    again()
    with pytest.raises(UsageError, match="is there already; name another --out, or add --overwrite"):
        again()
    again(overwrite=True)
    (out / "DONE").unlink()
    with pytest.raises(UsageError, match="is no checkpoint, and is not removed"):
        again(overwrite=True)


# The command.


def test_the_command_says_what_was_mapped_missing_and_left_out(
    maxi, base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    file = foreign.save(foreign.vifi(trained.state_dict(), maxi=True), tmp_path / "theirs.pth")
    said = maxi("import", "checkpoint", str(file), "--base", str(base), "--out", str(tmp_path / "ours"))
    assert said.code == 0, said.err
    assert "theirs.pth: a checkpoint of the authors of MAXI" in said.out
    assert "missing, from the base: 1: token_embedding.weight (1)" in said.out
    assert "left out: 1: prompt_learner.complete_text_embeddings (1)" in said.out
    assert "activation QuickGELU, normalisation imagenet, 16 frames, protocol maxi" in said.out
    assert "maxi ensemble BASE DIR" in said.out


def test_the_command_refuses_in_one_line_and_says_json(maxi, base: Path, trained: nn.Module, tmp_path: Path) -> None:
    file = foreign.save(trained.state_dict(), tmp_path / "theirs.pth")
    said = maxi("import", "checkpoint", str(file))
    assert said.code == 2
    assert "where does the model go?" in said.err
    said = maxi("import", "checkpoint", str(tmp_path / "no.pth"), "--out", str(tmp_path / "ours"))
    assert said.code == 2
    assert said.err.count("maxi: error:") == 1
    said = maxi("import", "checkpoint", str(file), "--base", str(base), "--out", str(tmp_path / "ours"), "--json", "-q")
    assert json.loads(said.out)["imported"]["project"] == "an unknown program"
    assert "yacs" not in sys.modules


# What maxi writes for other programs comes back.


@pytest.mark.parametrize(("target", "alone"), [("authors", False), ("open-clip", True), ("hf", True)])
def test_what_was_exported_comes_back_with_its_features_and_the_logits_of_a_clip(
    target: Any, alone: bool, tmp_path: Path
) -> None:
    settings = config(quick_gelu=True) | {
        "vision_cfg": {"image_size": 28, "patch_size": 7, "width": 32, "layers": 2, "head_width": 16},
    }
    if target == "authors":  # whose heads are 64 wide
        settings = config(quick_gelu=True, width=64, heads=1)
        settings["vision_cfg"] = {"image_size": 28, "patch_size": 7, "width": 64, "layers": 2}
    before, model = write(tmp_path / "before", settings, seed=0), build(settings, seed=1)
    with torch.no_grad():
        model.token_embedding.weight.copy_(build(settings, seed=0).token_embedding.weight)
    import_checkpoint(foreign.save(model.state_dict(), tmp_path / "trained.pt"), tmp_path / "trained", str(before))
    export_model(str(tmp_path / "trained"), tmp_path / "out", target, discover())
    file = tmp_path / "out" / "model.pth" if target == "authors" else tmp_path / "out"
    imported = import_checkpoint(file, tmp_path / "back", None if alone else str(before))
    assert not imported.fit.left_out
    equal_to(load_model(str(tmp_path / "back"), "cpu"), model, MEAN, STD)  # the statistics it had, not the authors'


def test_a_file_that_says_nonsense_of_its_normalisation_is_refused(
    base: Path, trained: nn.Module, tmp_path: Path
) -> None:
    for own in ({"std": [0.0] * 3}, {"mean": "0.5"}, {"mean": [[1]] * 3}, {"frames": -1}, {"frames": True}):
        whole = foreign.vifi(trained.state_dict(), maxi=False) | {"config": {"maxi": own}}
        refused(foreign.save(whole, tmp_path / "theirs.pth"), base, tmp_path / "ours", "theirs.pth", "config.maxi.")
