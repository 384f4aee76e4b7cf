"""What moves a score besides weights and videos: frames, views, prompt, spelling, precision (method.md, evaluation)."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maxi_core.clip.device import Precision
from maxi_core.clip.image_tower import centre_crop, short_side
from maxi_core.errors import UsageError
from maxi_core.evaluation.class_texts import ClassTexts, read_class_texts
from maxi_core.prompts import EVALUATION, templates_of
from maxi_core.texts import Spelling, counted
from maxi_core.video.sampling import Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from maxi_core.evaluation.presets import Chosen
    from maxi_core.settings.sections import EvalSection
    from maxi_core.video.frames import Pixels

CROPS = (1, 3)
CONSUMER = "eval"


@dataclass(frozen=True)
class Protocol:
    """How videos and class names are shown to a model; the defaults are the paper's one view and one prompt.

    `frames` of each of `clips` clips, each seen in `crops` crops (1: the centre; 3: beginning, middle and end of the
    longer side). Clip c of C takes, of each of the T equal segments of a video, the middle of its c-th C-th. With
    `texts` the mean of a class's texts stands for it, and no prompt.
    """

    frames: int = 16
    clips: int = 1
    crops: int = 1
    prompt: str = EVALUATION
    spelling: Spelling = "written"
    precision: Precision = "fp32"
    chosen: "Chosen | None" = None
    texts: ClassTexts | None = None

    @staticmethod
    def of(section: "EvalSection", spelling: Spelling, chosen: "Chosen | None" = None) -> "Protocol":
        """Return the protocol of an `[eval]` section; `spelling` is that of names if the section does not say.

        Files of class texts are read. `chosen` is the preset that the section was settled with
        (`maxi_core.evaluation.presets`), for the record.
        """
        clips, crops = parse_views(section.views)
        return Protocol(
            frames=section.frames, clips=clips, crops=crops, prompt=section.prompt,
            spelling=section.names or spelling, precision=section.precision, chosen=chosen,
            texts=read_class_texts(section.prompts, section.prompts_form) if section.prompts else None,
        )  # fmt: skip

    def __post_init__(self) -> None:
        templates_of(self.prompt)
        if self.crops not in CROPS or self.clips < 1 or self.frames < 1:
            raise UsageError(
                f"views {self.views} of {counted(self.frames, 'frame')} cannot be made", "crops are 1 or 3"
            )

    @property
    def views(self) -> str:
        """Clips x crops, as it is typed."""
        return f"{self.clips}x{self.crops}"

    def sampling(self, image_size: int) -> Sampling:
        """Return the request for the frames of all clips at once: the middles of T x C segments.

        Their shorter side is that of the centre crop, or of the model's images with three crops.
        """
        side = short_side(image_size) if self.crops == 1 else image_size
        return Sampling("middles", self.frames * self.clips, side=side)

    def view(self, frames: "Pixels", image_size: int) -> "Tensor":
        """Return the views of a video, frames (T * C, H, W, 3) uint8 -> (V, T, 3, S, S) uint8, V = C x crops."""
        crop = centre_crop(frames, image_size)[None] if self.crops == 1 else _three_crops(frames, image_size)
        # (crops, T * C, 3, S, S) -> (crops, T, C, 3, S, S) -> (crops * C, T, 3, S, S)
        clips = crop.reshape(len(crop), self.frames, self.clips, *crop.shape[2:])
        return clips.transpose(1, 2).flatten(0, 1)


def _three_crops(frames: "Pixels", image_size: int) -> "Tensor":
    """Return crops of the whole shorter side, (T, H, W, 3) -> (3, T, 3, S, S)."""
    import torch
    from torchvision.transforms.v2 import functional as transforms

    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2)
    pixels = transforms.resize(pixels, [image_size], antialias=True)
    height, width = pixels.shape[-2:]
    spare = max(height, width) - image_size
    crops = []
    for first in (0, spare // 2, spare):
        top, left = (first, 0) if height > width else (0, first)
        crops.append(pixels[..., top : top + image_size, left : left + image_size])
    return torch.stack(crops)


def parse_views(text: str) -> tuple[int, int]:
    """Return (clips, crops) of `4x3`; raises UsageError for any other form."""
    found = re.fullmatch(r"([1-9][0-9]?)x([13])", text.strip())
    if found is None:
        raise UsageError(f"views '{text}' are not CLIPSxCROPS", "such as 1x1 or 4x3; crops are 1 or 3")
    return int(found[1]), int(found[2])
