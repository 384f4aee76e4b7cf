"""From MODEL to a folder that another program loads: what `maxi export model` does."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from maxi_core.clip.loading import load_model
from maxi_core.clip.model import VideoCLIP
from maxi_core.errors import UsageError
from maxi_core.export import authors_file, hugging_face, onnx_graphs, open_clip_folder
from maxi_core.export.card import CARD, card
from maxi_core.system.files import whole_folder, write_text

if TYPE_CHECKING:
    from maxi_core.plugin.catalog import Catalog

Target = Literal["open-clip", "hf", "onnx", "authors"]


@dataclass(frozen=True)
class Format:
    """How a target is written, how it is loaded, and by which library as the Hub names it."""

    write: Callable[[VideoCLIP, Path], None]
    loading: str
    library: str


FORMATS: dict[Target, Format] = {
    "open-clip": Format(open_clip_folder.write_open_clip, open_clip_folder.LOADING, "open_clip"),
    "hf": Format(hugging_face.write_hugging_face, hugging_face.LOADING, "transformers"),
    "onnx": Format(onnx_graphs.write_onnx, onnx_graphs.LOADING, "onnx"),
    "authors": Format(authors_file.write_authors, authors_file.LOADING, "pytorch"),
}


def export_model(
    name: str,
    out: Path,
    target: Target,
    catalog: "Catalog",
    *,
    scores: Sequence[Path] = (),
    licence: str = "",
) -> list[Path]:
    """Write the model that MODEL names into the new folder `out` as `target` and return its files.

    `scores` are files of `maxi eval` for the model card, `licence` is what it says of that. Raises UsageError for a
    model, a temporal module or a tokenizer that the target cannot hold, for scores of other weights, and for a folder
    that holds something already; MaxiError where it cannot be written or what was written computes something else.
    """
    with whole_folder(out) as folder:
        model = load_model(name, "cpu", catalog=catalog)
        _refuse_temporal(model, target)
        form = FORMATS[target]
        form.write(model, folder)
        write_text(folder / CARD, card(model, form.loading, form.library, scores, licence))
    return sorted(path for path in out.rglob("*") if path.is_file())


def _refuse_temporal(model: VideoCLIP, target: str) -> None:
    """Raise UsageError unless a video is the mean of its frames, each encoded by itself: no program knows more."""
    import torch
    from torch import nn

    frames = torch.randn(2, 3, model.width, generator=torch.Generator().manual_seed(0))
    own = model.fixed_frames or isinstance(model.pooling, nn.Module)
    if own or not torch.allclose(model.pool(frames), frames.mean(dim=1)):
        named = (model.temporal or {}).get("name", "of its own")
        raise UsageError(
            f"{target} holds images and texts one by one, and '{model.name}' has the temporal module {named}",
            "share its checkpoint folder, which maxi loads",
        )
