"""The features of a frozen image tower, made once for all trainings that show it the same frames (docs/studies.md)."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import torch
from torch import Tensor

from maxi_core.batches.batch import Example, labelled
from maxi_core.batches.kept_features import EpochFeatures, epoch_file, read_features
from maxi_core.batches.loader import Batches
from maxi_core.clip.device import TrainingPrecision, autocast
from maxi_core.clip.model import VideoCLIP
from maxi_core.evaluation.features import Follow
from maxi_core.plugin.catalog import Catalog
from maxi_core.recipe.recipe import Recipe
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.ranks import device_errors
from maxi_core.training.options import TrainSection
from maxi_core.training.plan import batch_plan, model_of, with_modules
from maxi_core.types import Video
from maxi_core.video.skips import SkipLog, VideoFailed

TOGETHER = 16  # videos that are encoded at once, always the same ones: it fixes the last bits of their features
TRIED = 4  # clips of noise that show whether training computes what evaluation does
NEAR = 1e-5  # features of length 1 that are the same but for rounding


def keep_features(catalog: Catalog, recipe: Recipe, videos: Sequence[Video], folder: Path, follow: Follow) -> str:
    """Write what trainings of a recipe see of the videos in each epoch, unless it is there; "" when all is there.

    Returns why not where features change while the model is trained (`changing`); then nothing is written. Raises
    MaxiError where no video can be read.
    """
    recipe = with_modules(catalog, recipe)
    section, reading = recipe.core("train", TrainSection), recipe.core("video", VideoOptions)
    model = model_of(catalog, recipe, section, section.device)
    if why := changing(model):
        return why
    plan = batch_plan(section, batch_size=min(TOGETHER, len(videos)))
    examples = labelled([(video, 0) for video in videos], [""])
    log = SkipLog(None, None, "features")
    batches = Batches(examples, plan, model.tokenize, model.image_size, reading, log)
    files = dict.fromkeys(epoch_file(folder, section.augmentation, epoch) for epoch in range(section.epochs))
    for epoch, path in enumerate(files):
        if read_features(path) is None:
            title = f"frozen image tower, epoch {epoch + 1} of {len(files)}"
            with closing(batches.views(range(len(videos)), epoch)) as views:
                watched = follow(title, len(videos), views)
                _encoded(model, videos, watched, batches.broken, section.precision).write(path)
    return ""


def changing(model: VideoCLIP) -> str:
    """Return why a video's feature does not stay the same while a model is trained; "" if it does.

    A dropout in the tower, of whatever kind, shows in features of noise. Batch norms of a frozen tower keep their
    statistics (`VideoCLIP.train`).
    """
    if any(parameter.requires_grad for parameter in model.visual.parameters()):
        return "weights of the image tower are trained"
    if any(key.startswith("temporal.") for key in model.weights()):
        return "the temporal module has weights of its own"
    noise = torch.Generator().manual_seed(0)
    size = (TRIED, model.frames, 3, model.image_size, model.image_size)
    clips = torch.randint(0, 256, size, generator=noise, dtype=torch.uint8)
    with torch.no_grad():
        trained, evaluated = model.train().encode_video(clips), model.eval().encode_video(clips)
    alike = torch.allclose(trained, evaluated, rtol=0, atol=NEAR)
    return "" if alike else "the image tower computes otherwise while it is trained, as with dropout"


def _encoded(
    model: VideoCLIP,
    videos: Sequence[Video],
    views: Iterator[tuple[Example, Tensor]],
    broken: Mapping[str, VideoFailed],
    precision: TrainingPrecision,
) -> EpochFeatures:
    """Encode the views of all videos, in their order; what stands in for a broken video is left out."""
    parts, failed = [], dict[str, VideoFailed]()
    for first in range(0, len(videos), TOGETHER):
        some = list(zip(videos[first : first + TOGETHER], views, strict=False))
        clips = torch.stack([view for _, (_, view) in some])
        with torch.no_grad(), device_errors(model.device, clips.shape), autocast(model.device, precision):
            parts.append(model.encode_video(clips).cpu())
        failed |= {video.id: broken[video.id] for video, (example, _) in some if example.video.id != video.id}
    return EpochFeatures(torch.cat(parts), tuple(video.id for video in videos), model.identity, failed)
