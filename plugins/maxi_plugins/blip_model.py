"""A BLIP captioner as transformers has it: finding its files, loading it, and describing frames with it."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from maxi_core.errors import MaxiError, UsageError
from maxi_core.system.bars import without_bars_of_transformers
from maxi_core.system.hidden import is_hidden

if TYPE_CHECKING:
    import torch

    from maxi_core.video.frames import Pixels

Precision = Literal["fp32", "bf16"]

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
FILES = ("config.json", WEIGHTS[0], "preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
PATTERNS = ["*.json", "*.txt", "model*.safetensors"]


@dataclass(frozen=True)
class BlipCaptioner:
    """A BLIP in evaluation mode with its processor; `size` is the side in pixels of the picture that it looks at."""

    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    device: "torch.device"
    size: int

    def describe(self, frames: Sequence["Pixels"], decoding: Mapping[str, Any], batch: int) -> list[str]:
        """Return one caption per frame, each (H, W, 3) uint8 RGB; `decoding` goes to transformers' `generate`."""
        found: list[str] = []
        for start in range(0, len(frames), batch):
            found += self._described(frames[start : start + batch], decoding)
        return found

    def _described(self, frames: Sequence["Pixels"], decoding: Mapping[str, Any]) -> list[str]:
        import torch

        inputs = self.processor(images=list(frames), return_tensors="pt", input_data_format="channels_last")
        pixels = inputs["pixel_values"].to(self.device, self.model.dtype)  # (N, 3, S, S)
        with torch.no_grad():
            tokens = self.model.generate(pixel_values=pixels, do_sample=False, **decoding)  # (N, L), begin first
        said: list[str] = self.processor.batch_decode(tokens[:, 1:], skip_special_tokens=True)
        return said


def captioner_folder(model: str, revision: str | None) -> Path:
    """Return the folder with a captioner's files, fetched if `model` is a name on the hub and they are not here yet.

    Raises UsageError for a folder without them, MaxiError if they cannot be fetched.
    """
    path = Path(model).expanduser()
    folder = path if path.is_dir() or model.startswith((".", "/", "~")) else _fetched(model, revision)
    if not folder.is_dir():
        what = "it is a file and no folder" if folder.is_file() else "there is no such folder"
        raise UsageError(f"captioner '{model}': {what}", "name a folder that save_pretrained wrote")
    missing = ["config.json"] if not (folder / "config.json").is_file() else []
    missing += [WEIGHTS[0]] if not any((folder / name).is_file() for name in WEIGHTS) else []
    if missing:
        raise UsageError(
            f"captioner '{model}' is without {' and '.join(missing)}",
            "it needs what save_pretrained writes, with weights in safetensors",
        )
    return folder


def _fetched(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=PATTERNS))
    except (RepositoryNotFoundError, RevisionNotFoundError, HFValidationError) as error:
        what = f"captioner '{name}'" + (f" at revision '{revision}'" if revision else "")
        raise UsageError(f"{what} is no folder here, and the hub does not have it: {_reason(error)}") from None
    except Exception as error:  # the hub client raises its own, the HTTP client's and OSError
        raise MaxiError(
            f"captioner '{name}' is not here and cannot be fetched: {', '.join(FILES)} ({_reason(error)})",
            f"unset HF_HUB_OFFLINE and go online, or bring them: `hf download {name} {' '.join(FILES)} --local-dir DIR`"
            " elsewhere, then type -o blip.model=DIR",
        ) from error


def captioner_identity(folder: Path) -> str:
    """Return the SHA-256 of a captioner's files, weights included, whatever their folder is called."""
    digest = hashlib.sha256()
    for file in sorted(_kept(folder), key=lambda file: file.name):
        digest.update(f"\n{file.name} {file.stat().st_size}\n".encode())
        with file.open("rb") as opened:
            while part := opened.read(1 << 20):
                digest.update(part)
    return digest.hexdigest()


def _kept(folder: Path) -> Iterator[Path]:
    for pattern in PATTERNS:
        yield from (file for file in folder.glob(pattern) if file.is_file() and not is_hidden(file.name))


def load_captioner(folder: Path, device: str, precision: Precision) -> BlipCaptioner:
    """Load the captioner of a folder.

    Raises UsageError if it is no whole BLIP captioner or the device is not there, MaxiError for weights with NaN.
    """
    import torch
    from transformers import BlipForConditionalGeneration, BlipProcessor

    from maxi_core.clip.device import pick_device
    from maxi_core.clip.model import check_finite
    from maxi_plugins.blip_attention import FastAttention

    where = pick_device(device)
    blip: Any = BlipForConditionalGeneration  # with loading info it returns two things, which its types do not say
    try:
        with without_bars_of_transformers():
            model, report = blip.from_pretrained(
                folder, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
        processor: Any = BlipProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers, safetensors and tokenizers each raise their own
        raise UsageError(f"captioner {folder} cannot be loaded: {_reason(error)}", "name a BLIP captioner") from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers fills them with random numbers
        raise UsageError(
            f"captioner {folder} is no BLIP captioner: {len(missing)} weights are missing, such as {missing[0]}",
            "name one such as Salesforce/blip-image-captioning-large",
        )
    check_finite(f"captioner {folder}", model.state_dict())
    for layer in model.vision_model.encoder.layers:
        layer.self_attn = FastAttention(layer.self_attn)
    ready = model.to(where, torch.bfloat16 if precision == "bf16" else torch.float32).eval()
    return BlipCaptioner(ready, processor, where, _side(processor))


def _side(processor: Any) -> int:
    size = processor.image_processor.size
    return max(int(size[name]) for name in ("height", "width"))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
