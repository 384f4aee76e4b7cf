"""Any `image-text-to-text` model of transformers: loading it, and asking it about pictures."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import UsageError
from maxi_core.system.bars import without_bars_of_transformers
from maxi_plugins.captioner_files import Precision, reason

if TYPE_CHECKING:
    import torch

    from maxi_core.video.frames import Pixels

FIX = "name an image-text-to-text model that transformers has itself; code that comes with a model is never run"
ASKED = "see its chat_template.jinja, or tokenizer_config.json: a model that answers questions has a template"
PROCESSORS = ("preprocessor_config.json", "processor_config.json")
SAMPLING = (
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "typical_p",
    "epsilon_cutoff",
    "eta_cutoff",
)  # of its own settings


@dataclass(frozen=True)
class VisionLanguageModel:
    """A model in evaluation mode with its processor; `chats` says whether it takes questions with several pictures."""

    model: Any = field(repr=False)
    processor: Any = field(repr=False)
    device: "torch.device"
    chats: bool

    def answers(
        self, shown: Sequence[Sequence["Pixels"]], question: str, decoding: Mapping[str, Any], pictures: int
    ) -> list[str]:
        """Return what is said of each group of frames, (H, W, 3) uint8 RGB each; every group has as many.

        About so many `pictures` go through the model at once; `decoding` goes to transformers' `generate`.
        """
        found: list[str] = []
        while len(found) < len(shown):
            at_once = max(1, pictures // len(shown[0]))
            found += self._answered(shown[len(found) : len(found) + at_once], question, decoding)
        return found

    def _answered(self, shown: Sequence[Sequence["Pixels"]], question: str, decoding: Mapping[str, Any]) -> list[str]:
        import torch

        inputs = self._inputs(shown, question).to(self.device, self.model.dtype)
        with torch.no_grad():
            tokens = self.model.generate(**inputs, do_sample=False, **decoding)  # (N, L), some with what was asked
        asked = inputs.get("input_ids")
        if asked is not None and torch.equal(tokens[:, : asked.shape[1]], asked):
            tokens = tokens[:, asked.shape[1] :]
        said: list[str] = self.processor.batch_decode(tokens, skip_special_tokens=True)
        return said

    def _inputs(self, shown: Sequence[Sequence["Pixels"]], question: str) -> Any:
        from PIL import Image

        pictures = [[Image.fromarray(frame) for frame in frames] for frames in shown]
        if not self.chats:
            texts = {"text": [question] * len(pictures)} if question else {}
            return self.processor(images=[one for (one,) in pictures], **texts, padding=True, return_tensors="pt")
        content = [*({"type": "image"} for _ in pictures[0]), {"type": "text", "text": question}]
        asked = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        first = getattr(self.processor.tokenizer, "bos_token", None)
        once = {"add_special_tokens": False} if first and asked.startswith(first) else {}
        return self.processor(text=[asked] * len(pictures), images=pictures, padding=True, return_tensors="pt", **once)


def load_model(folder: Path, device: str, precision: Precision) -> VisionLanguageModel:
    """Load the model of a folder; no code of the folder is run.

    One question tries it. Raises UsageError if it is no whole model that answers about pictures or the device is not
    there, MaxiError for weights with NaN.
    """
    import numpy as np
    import torch

    from maxi_core.clip.device import pick_device

    where = pick_device(device)
    model, processor = _read(folder)
    ready = model.to(where, torch.bfloat16 if precision == "bf16" else torch.float32).eval()
    loaded = VisionLanguageModel(ready, processor, where, bool(_templates(processor)))
    try:  # a template that is wrong, or none where the model needs one, is seen only when somebody asks
        loaded.answers(
            [[np.zeros((64, 64, 3), np.uint8)]], "What is it?" if loaded.chats else "", {"max_new_tokens": 1}, 1
        )
    except Exception as error:
        raise UsageError(f"captioner {folder} cannot be asked about a picture: {reason(error)}", ASKED) from error
    return loaded


def _read(folder: Path) -> tuple[Any, Any]:
    """Return the model and the processor of a folder, which takes the likeliest word; raises what `load_model` does."""
    import transformers

    from maxi_core.clip.model import check_finite

    models: Any = transformers.AutoModelForImageTextToText  # with loading info it returns two things
    processors: Any = transformers.AutoProcessor
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        with without_bars_of_transformers():
            model, report = models.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **here)
        processor: Any = processors.from_pretrained(folder, **here)
    except Exception as error:  # transformers, safetensors and tokenizers each raise their own
        raise UsageError(f"captioner {folder} cannot be loaded: {_why(folder, error)}", FIX) from error
    if missing := sorted(report["missing_keys"]):  # transformers fills them with random numbers
        problem = f"captioner {folder} is not whole: {len(missing)} weights are missing, such as {missing[0]}"
        raise UsageError(problem, FIX)
    if not all(hasattr(processor, part) for part in ("image_processor", "tokenizer")):
        raise UsageError(f"captioner {folder} has no processor for pictures and texts", FIX)
    check_finite(f"captioner {folder}", model.state_dict())
    _prepare(processor.tokenizer)
    for name in SAMPLING:
        setattr(model.generation_config, name, None)  # these would be warned of
    return model, processor


def _why(folder: Path, error: Exception) -> str:
    """Return in words why a folder cannot be loaded."""
    said = reason(error)
    if said.startswith("Unrecognized configuration class"):  # with a list of all that there are
        kind = json.loads((folder / "config.json").read_bytes()).get("model_type")
        return f"a model of type '{kind}' says nothing about pictures"
    if not any((folder / name).is_file() for name in PROCESSORS):
        return f"it is without {' and '.join(PROCESSORS)}, one of which says how pictures are read"
    return said


def _prepare(tokenizer: Any) -> None:
    """Let questions of different lengths go into one batch: what fills them up stands before them."""
    tokenizer.padding_side = "left"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def _templates(processor: Any) -> Any:
    return getattr(processor, "chat_template", None) or getattr(processor.tokenizer, "chat_template", None)
