"""The `[train]` section of a recipe: names and meanings as in open_clip, defaults as in the paper (method.md)."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator

from maxi_core.batches.bag_sampling import N_BAG
from maxi_core.batches.training_prompts import TRAINING
from maxi_core.clip.device import TrainingPrecision
from maxi_core.recipe.defaults import DEFAULTS
from maxi_core.settings.options import Decides, Flag, Options, WorldPath
from maxi_core.texts import by_comma
from maxi_core.video.sampling import MOST_FRAMES

PAPER_BATCH, FEWSHOT_BATCH = 256, 64  # videos in a step of the paper's two trainings (method.md, training)
Freeze = Literal["none", "image", "text", "both"]
Report = Literal["tensorboard", "trackio", "wandb"]


class TrainSection(Options):
    """What `maxi train` trains, on what, how long and how exactly."""

    model_config = ConfigDict(allow_inf_nan=False)

    run: Annotated[Path | None, Flag(argument=True), Decides("data")] = Field(
        None, description="run folder of maxi bags, here or s3://; none with labels"
    )
    labels: Annotated[Path | None, WorldPath("labels"), Decides("data")] = Field(
        None, description="list or folder of labelled videos to train on instead, or the name of a world; for ce"
    )
    videos: Annotated[Path | None, Decides("data")] = Field(
        None, description="folder that the paths of labels start from; none: the list's own"
    )
    shots: Annotated[int | None, Decides("data")] = Field(
        None, ge=1, description="videos of each class, drawn by the seed; none: all"
    )
    model: Annotated[str, Flag(names="world.clip")] = Field(
        "ViT-B-16-quickgelu/openai", description="ARCH/TAG, checkpoint, run or export folder, world"
    )
    out: Annotated[Path | None, Decides("")] = Field(
        None, description="folder of this training, here or s3://; none: name, in the run folder"
    )
    name: Annotated[str, Decides("")] = Field(
        "train", description="what this training is called, in folders and reports"
    )
    keep: Annotated[float | None, Decides("data")] = Field(
        None, gt=0, le=1, description="share of all videos to train on; none: what the run kept"
    )

    loss: Annotated[tuple[str, ...], Flag(names="objective")] = Field(
        tuple(DEFAULTS["train"]["loss"]),
        min_length=1,
        description="objectives, whose weighted sum is the loss (objectives.md)",
    )
    temporal: Annotated[str | None, Flag(names="temporal")] = Field(
        None, description="temporal module; none: what the model has, or the mean over frames"
    )
    frames: int = Field(16, ge=1, le=MOST_FRAMES, description="frames of each video")
    bag_size: int = Field(N_BAG, ge=1, description="texts of each bag in a step")
    template: str = Field(TRAINING, description="the first text of a prompt (text1), with {} for the matched entry")
    augmentation: Literal["paper", "spatial", "none"] = Field(
        "paper", description="of the frames: as in the paper, without its colour, or none"
    )
    flip: bool = Field(True, description="mirror half of the videos; false where left and right are different actions")
    normalisation: Literal["model", "imagenet"] | None = Field(
        None,
        description="mean and deviation of the pixels; none: what the checkpoint was trained with, or the model's own",
    )

    batch_size: Annotated[int, Decides("batch")] = Field(16, ge=1, description="videos on each rank at once")
    accum_freq: Annotated[int, Decides("batch")] = Field(1, ge=1, description="batches whose gradients are one step")
    epochs: int = Field(10, ge=1, description="times that every video is seen")
    lr: float = Field(5e-6, gt=0, description="highest learning rate")
    wd: float = Field(0.001, ge=0, description="weight decay, on all weights")
    warmup: int | None = Field(None, ge=0, description="steps of warm-up from 0; none: as warmup_epochs says")
    warmup_epochs: float = Field(5.0, ge=0, description="epochs of warm-up from 0")
    grad_clip_norm: float | None = Field(None, gt=0, description="longest gradient; none: no limit")
    sigma: float | None = Field(None, gt=0, description="temperature to begin with; none: 0.02, or the checkpoint's")
    sigma_floor: float = Field(0.001, gt=0, description="lowest temperature")
    gather: Annotated[bool, Decides("batch")] = Field(
        False, description="negatives from all ranks, and not from each rank's own batch only"
    )
    seed: int = Field(0, ge=0, description="everything random comes from it")
    skip_nonfinite: int = Field(0, ge=0, description="steps that may be left out because something is not finite")

    freeze: Freeze = Field("none", description="towers that are not trained")
    last_blocks: int | None = Field(None, ge=1, description="train only so many last blocks of a tower; none: all")
    force_patch_dropout: float | None = Field(
        None, ge=0, lt=1, description="share of the patches of each frame that a step leaves out; none: as the model"
    )
    whole_epochs: int = Field(1, ge=0, description="last epochs that leave out none, with force_patch_dropout")
    token_embedding: bool = Field(False, description="train the token embedding too, which the authors do not")
    ensemble: Annotated[float | None, Decides("")] = Field(
        None, ge=0, le=1, description="share of the original mixed in at the end; none: none"
    )

    ema: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="decay of a mean of the weights over steps, which is the model at the end; none: none",
    )

    precision: TrainingPrecision = Field(
        "fp32", description="of the arithmetic; amp_bf16 and amp_fp16 are faster where the device has them"
    )
    grad_checkpointing: Annotated[bool, Decides("")] = Field(
        False, description="half the memory of the image tower for a third more time"
    )
    device: Annotated[str, Decides("")] = Field(
        "auto", description="device: cpu, cuda, mps, or auto, the fastest that is there"
    )
    hold_gb: Annotated[float, Decides("")] = Field(
        2.0, ge=0, le=1e9, description="most gigabytes of decoded frames kept in memory between epochs"
    )

    save_frequency: Annotated[int, Decides("")] = Field(1, ge=1, description="epochs between checkpoints")
    keep_last: Annotated[int, Decides("")] = Field(
        2, ge=1, description="checkpoints that are kept, beside the best one"
    )
    val: Annotated[tuple[str, ...], Flag(names="benchmark"), Decides("")] = Field(
        (), description="benchmarks to evaluate on while training; the first says what is best"
    )
    val_frequency: Annotated[int, Decides("")] = Field(1, ge=1, description="epochs between evaluations")
    report_to: Annotated[tuple[Report, ...], Decides("")] = Field(
        (), description="where metrics go beside metrics.jsonl, which is always written"
    )

    @field_validator("loss", mode="before")
    @classmethod
    def _one_or_several(cls, loss: object) -> object:
        return by_comma(loss) if isinstance(loss, str) else loss
