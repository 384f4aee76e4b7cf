"""Checkpoints as other programs write them, made of a model with known weights."""

import argparse
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]


class CfgNode(dict):  # type: ignore[type-arg]
    """A table of settings as yacs has them: a dict with attributes of its own."""

    def __init__(self, **values: Any) -> None:
        super().__init__(values)
        self.__dict__["__immutable__"] = True


def save(what: Any, path: Path, *, zipped: bool = True) -> Path:
    """Write with torch.save, CfgNode under the name that yacs gives it."""
    module = types.ModuleType("yacs.config")
    module.CfgNode = CfgNode  # type: ignore[attr-defined]
    CfgNode.__module__ = "yacs.config"
    before = {name: sys.modules.get(name) for name in ("yacs", "yacs.config")}
    sys.modules.update({"yacs": types.ModuleType("yacs"), "yacs.config": module})
    try:
        torch.save(what, path, _use_new_zipfile_serialization=zipped)
    finally:
        CfgNode.__module__ = __name__
        for name, old in before.items():
            if old is None:
                del sys.modules[name]
            else:
                sys.modules[name] = old
    return path


def optimizer_of(model: nn.Module) -> dict[str, Any]:
    """Return the state of an optimizer after a step that changes nothing."""
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    return optimizer.state_dict()


def vifi(weights: Weights, *, maxi: bool, half: bool = False, config: bool = True) -> dict[str, Any]:
    """The authors' and ViFi-CLIP's: no token embeddings, but those of the prompts of the training classes."""
    table = weights["token_embedding.weight"]
    prompts = table[torch.randint(0, 1000, (5, 77))]
    prompts[:, 0] = table[49406]
    kept = OrderedDict(
        {"module.prompt_learner.complete_text_embeddings": prompts, "module.logit_scale": weights["logit_scale"]}
    )
    for key, value in weights.items():
        if key.startswith("visual."):
            kept[f"module.image_encoder.{key.removeprefix('visual.')}"] = value
        elif key not in ("token_embedding.weight", "logit_scale"):
            kept[f"module.text_encoder.{key}"] = value
    if half:
        kept = OrderedDict({key: value.half() for key, value in kept.items()})
    kept._metadata = {"": {"version": 1}}  # type: ignore[attr-defined]
    model = CfgNode(ARCH="ViT-B/16", **({"FUSE_WEIGHT_FOR_ORIGIN": 0.5} if maxi else {}))
    settings = CfgNode(DATA=CfgNode(NUM_FRAMES=16, ROOT=""), MODEL=model)
    whole = {"model": kept, "optimizer": {}, "lr_scheduler": {"last": 3}, "max_accuracy": 81.5, "epoch": 9}
    return whole | ({"config": settings} if config else {})


def x_clip(weights: Weights) -> dict[str, Any]:
    more = {
        "mit.resblocks.0.attn.in_proj_weight": torch.ones(6, 2),
        "prompts_generator.alpha": torch.ones(2),
        "visual.transformer.resblocks.0.message_fc.weight": torch.ones(2, 2),
    }
    return {"model": weights | more, "epoch": 29, "config": CfgNode(DATA=CfgNode(NUM_FRAMES=8))}


def open_vclip(weights: Weights, *, averaged: bool, froster: bool = False) -> dict[str, Any]:
    state = {f"model.{key}": value for key, value in weights.items()}
    if froster:
        state |= {f"raw_model.{key}": torch.zeros_like(value) for key, value in weights.items()}
        state |= {"projector_v.0.weight": torch.ones(2, 2), "projector_t.2.weight": torch.ones(2, 2)}
    if averaged:
        return {"model_state": state}
    return {"epoch": 21, "model_state": state, "optimizer_state": {}, "cfg": "TRAIN:\n  ENABLE: True\n"}


def action_clip(weights: Weights, *, taco: bool = False, wrapped: bool = True) -> dict[str, Any]:
    head = (
        {"vision_proj.0.weight": torch.ones(2, 2)} if taco else {"transformer.resblocks.0.ln_1.weight": torch.ones(2)}
    )
    state = {f"module.{key}" if wrapped else key: value for key, value in weights.items()}
    return {"epoch": 3, "model_state_dict": state, "fusion_model_state_dict": head, "optimizer_state_dict": {}}


def open_clip_epoch(model: nn.Module, *, prefix: str = "module.") -> dict[str, Any]:
    state = {f"{prefix}{key}": value for key, value in model.state_dict().items()}
    return {"epoch": 5, "name": "run", "state_dict": state, "optimizer": optimizer_of(model), "scaler": {"scale": 1.0}}


class OpenAI(nn.Module):
    """A module with a CLIP's parameters under their names, as OpenAI's archives have them, and its notes."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        for name, value in {"input_resolution": 28, "context_length": 77, "vocab_size": 49408}.items():
            self.register_buffer(name, torch.tensor(value))
        for key, value in model.named_parameters():
            place: nn.Module = self
            *path, last = key.split(".")
            for part in path:
                if not hasattr(place, part):
                    place.add_module(part, nn.Module())
                place = getattr(place, part)
            place.register_parameter(last, nn.Parameter(value.detach().clone()))

    def forward(self, image: Tensor) -> Tensor:
        return image * self.logit_scale


def torchscript(model: nn.Module, path: Path) -> Path:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated, and its archives are what people have
        scripted = torch.jit.trace(OpenAI(model).half(), torch.ones(1).half(), check_trace=False)
        torch.jit.save(scripted, str(path))
    return path


NAMESPACE = argparse.Namespace(lr=1e-5, path=Path("/data"), names={"a"})
