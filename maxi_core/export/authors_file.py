"""The `.pth` of the authors' code and of ViFi-CLIP: their training loads it, and so do importers of it.

A dict of `model`, `optimizer`, `lr_scheduler`, `max_accuracy`, `epoch` and `config`; the keys of `model` begin with
`module.`, the image tower is `image_encoder`, what CLIP has of texts is `text_encoder`, but for the token embedding:
that comes from the CLIP which was finetuned.
"""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.export.plain import heads_of, plain_weights, refuse_beyond
from maxi_core.interop.layouts import OWN
from maxi_core.system.files import whole_file

FILE = "model.pth"
TARGET = "the model of the authors' code"
HEAD = 64  # the width of a head in OpenAI's code, which counts them by it
LOADING = f'''```python
import torch

weights = torch.load("{FILE}", weights_only=True)["model"]  # plain tensors, nothing is run
```

The file holds no token embedding (it is that of the model which was finetuned), no optimizer and no schedule: it can
be evaluated and finetuned, and a stopped training cannot go on with it. That code normalises pixels as for ImageNet,
whatever a model was trained with: see below. `maxi import checkpoint` reads the file back with its own numbers.'''


def write_authors(model: VideoCLIP, folder: Path) -> None:
    """Write the file.

    Raises UsageError for a model that is no plain CLIP with QuickGELU, which that code always computes, and for one
    whose token embedding was trained.
    """
    import torch

    refuse_beyond(model, TARGET)
    _refuse_what_is_lost(model)
    document = {
        "model": {f"module.{key}": value.contiguous().clone() for key, value in _renamed(plain_weights(model)).items()},
        "optimizer": {},
        "lr_scheduler": {},
        "max_accuracy": 0.0,
        "epoch": int(float(model.about.get("epoch", 0))),
        "config": {OWN: {"mean": list(model.statistics[0]), "std": list(model.statistics[1]), "frames": model.frames}},
    }
    with whole_file(folder / FILE) as file:
        torch.save(document, file)


def _refuse_what_is_lost(model: VideoCLIP) -> None:
    vision, text = model.config["vision_cfg"], model.config["text_cfg"]
    # a tower narrower than one head is one that their code cannot make at all, and says so
    there = (vision.get("width", 768) // HEAD, text.get("width", 512) // HEAD)
    if not model.config.get("quick_gelu"):
        why = "that code computes QuickGELU, and this model was trained with GELU"
    elif any(theirs not in (0, own) for theirs, own in zip(there, heads_of(model.config), strict=True)):
        why = f"that code takes heads {HEAD} wide, and this model has others"
    elif model.about.get("token_embedding"):
        why = "it has no place for the token embedding, which was trained"
    else:
        return
    raise UsageError(f"{TARGET} cannot hold '{model.name}': {why}", "export it --to open-clip")


def _renamed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights under the keys of the authors' code, without the token embedding."""
    named = {}
    for key, value in weights.items():
        if key.startswith("visual."):
            named["image_encoder." + key.removeprefix("visual.")] = value
        elif key == "logit_scale":
            named[key] = value
        elif not key.startswith("token_embedding."):
            named[f"text_encoder.{key}"] = value
    return named
