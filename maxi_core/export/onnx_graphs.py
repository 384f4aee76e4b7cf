"""Both towers as ONNX graphs, for onnxruntime and what else reads them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from maxi_core.clip.model import VideoCLIP
from maxi_core.clip.model_rules import dumped
from maxi_core.errors import MaxiError, UsageError
from maxi_core.export.open_clip_folder import tokenizer_files

OPSET = 18
WITHIN = 1e-4  # of features of length 1
INLINE = 1_500_000_000  # bytes of weights; a file of protocol buffers ends at 2 GB
IMAGE, TEXT, ABOUT = "image.onnx", "text.onnx", "onnx.json"
LOADING = f"""```python
import onnxruntime

image = onnxruntime.InferenceSession("DIR/{IMAGE}").run(None, {{"pixels": pixels}})[0]  # (n, 3, S, S) -> (n, D)
text = onnxruntime.InferenceSession("DIR/{TEXT}").run(None, {{"ids": ids}})[0]  # (n, L) int64 -> (n, D)
```

Opset {OPSET}; n is free. Pixels are normalised as `{ABOUT}` says, features are not: divide them by their lengths. The
logit of a pair is the cosine times `scale`, plus `bias` where there is one."""


class _Tower(nn.Module):
    """One tower of a CLIP by open_clip's own forward."""

    def __init__(self, clip: Any, *, text: bool) -> None:
        super().__init__()
        self.clip, self.text = clip, text

    def forward(self, x: Tensor) -> Tensor:
        """Return features, not normalised, (n, ...) -> (n, D)."""
        features: Tensor = self.clip.encode_text(x) if self.text else self.clip.encode_image(x)
        return features


def write_onnx(model: VideoCLIP, folder: Path) -> None:
    """Write image.onnx, text.onnx, onnx.json and the tokenizer, and compare features in onnxruntime.

    Raises UsageError without the packages of the extra `onnx` and for a tower that torch cannot write, MaxiError if
    onnxruntime computes other features.
    """
    _check_installed()
    size, ids = model.image_size, model.tokenize(["a photo of a dog.", "jumping"]).ids
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    for name, given, text in ((IMAGE, pixels, False), (TEXT, ids, True)):
        tower = _Tower(model.clip, text=text).eval()
        _write(model.name, tower, given, folder / name)
        _compare(model.name, tower, given, folder / name)
    bias = getattr(model.clip, "logit_bias", None)
    mean, std = model.statistics
    about = {
        "opset": OPSET,
        "pixels": [3, size, size],
        "context_length": ids.shape[1],
        "features": model.width,
        "pixel_mean": list(mean),
        "pixel_std": list(std),
        "scale": float(model.scale().detach()),
        "bias": None if bias is None else float(bias.detach()),
    }
    (folder / ABOUT).write_bytes(dumped(about))
    for file, content in tokenizer_files(model).items():
        (folder / file).write_bytes(content)


def _check_installed() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise UsageError(f"ONNX needs {' and '.join(missing)}", "pip install 'maxi[onnx]'")


def _write(name: str, tower: _Tower, given: Tensor, path: Path) -> None:
    size = sum(value.nbytes for value in tower.parameters())
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                tower,
                (given,),
                path,
                dynamo=True,
                opset_version=OPSET,
                input_names=["ids" if tower.text else "pixels"],
                output_names=["features"],
                dynamic_shapes=({0: torch.export.Dim("n")},),
                external_data=size > INLINE,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        why = str(error.__cause__ or error).strip().partition("\n")[0][:200]
        what = f"the {'text' if tower.text else 'image'} tower of '{name}'"
        raise UsageError(f"torch cannot write {what} as ONNX: {why}", "export it --to open-clip") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep torch's exporter from warning of its own parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@torch.no_grad()
def _compare(name: str, tower: _Tower, given: Tensor, path: Path) -> None:
    """Raise MaxiError if onnxruntime computes other features, of two inputs and of another number of them."""
    import onnxruntime
    from torch.nn.functional import normalize

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    key = session.get_inputs()[0].name
    for batch in (given, given[:1], given.repeat(2, *[1] * (given.ndim - 1))[:3]):
        found = torch.from_numpy(session.run(None, {key: batch.numpy()})[0])
        apart = float((normalize(found, dim=-1) - normalize(tower(batch), dim=-1)).abs().max())
        if not apart <= WITHIN:
            raise MaxiError(f"onnxruntime computes other features of '{name}' by {path.name}: {apart:.1e} apart")
