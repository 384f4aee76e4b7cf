"""The folder that open_clip loads as `local-dir:DIR`, and maxi as MODEL."""

import json
from pathlib import Path
from typing import Any

from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.model_rules import dumped
from maxi_core.clip.naming import CONFIG, WEIGHTS, find_model
from maxi_core.errors import UsageError
from maxi_core.training.checkpoint import write_tensors

LOADING = """```python
import open_clip

model, _, preprocess = open_clip.create_model_and_transforms("local-dir:DIR")
tokenizer = open_clip.get_tokenizer("local-dir:DIR")
```

`DIR` is also a MODEL of maxi: `maxi eval DIR -b ucf101`."""


def write_open_clip(model: VideoCLIP, folder: Path) -> None:
    """Write configuration, weights and, where the model has one of its own, the tokenizer.

    The activation is written out, and the normalisation is the one that the model was trained with. Raises UsageError
    for a model that its own folder would not make again.
    """
    document = {
        "model_cfg": {**model.config, "quick_gelu": bool(model.config.get("quick_gelu", False))},
        "preprocess_cfg": preprocessing(model),
    }
    (folder / CONFIG).write_bytes(dumped(document))
    write_tensors(folder / WEIGHTS, model.weights())
    for name, content in tokenizer_files(model).items():
        (folder / name).write_bytes(content)
    find_model(str(folder))  # says what of the configuration maxi itself would refuse


def preprocessing(model: VideoCLIP) -> dict[str, Any]:
    """Return open_clip's preprocess_cfg of a model, with the normalisation that it is used with."""
    import open_clip

    mean, std = model.statistics
    said: dict[str, Any] = open_clip.get_model_preprocess_cfg(model.clip)
    return json.loads(json.dumps(said | {"mean": mean, "std": std, "size": model.image_size}))  # type: ignore[no-any-return]


def tokenizer_files(model: VideoCLIP) -> dict[str, bytes]:
    """Return the files of a tokenizer that is not open_clip's own, by name; raises UsageError where it has none."""
    if model.config["text_cfg"].get("hf_tokenizer_name"):
        return model.tokenizing.written(model.tokenizer)
    if model.tokenizing.record is not None:
        raise UsageError(
            f"the tokenizer of '{model.name}' has no files that a folder could hold: open_clip chooses it by the name "
            f"{model.tokenizing.record}"
        )
    return {}
