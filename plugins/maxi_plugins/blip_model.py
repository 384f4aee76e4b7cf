"""A BLIP captioner as transformers has it: loading it, and describing frames with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.errors import UsageError
from maxi_core.system.bars import without_bars_of_transformers
from maxi_core.texts import counted
from maxi_plugins.captioner_files import Precision, reason

if TYPE_CHECKING:
    import torch

    from maxi_core.video.frames import Pixels


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
        raise UsageError(f"captioner {folder} cannot be loaded: {reason(error)}", "name a BLIP captioner") from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers fills them with random numbers
        raise UsageError(
            f"captioner {folder} is no BLIP captioner: {counted(len(missing), 'weight', 'are')} missing, "
            f"such as {missing[0]}",
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
