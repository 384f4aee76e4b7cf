"""The step that encodes the videos of a study once, for all trainings whose image tower is frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maxi_core.settings.options import deciding
from maxi_core.settings.sections import VideoOptions
from maxi_core.studies.step import Facts, Place, Step
from maxi_core.training.options import TrainSection

if TYPE_CHECKING:
    from maxi_core.studies.steps import BagsStep


@dataclass(frozen=True, eq=False)
class FeaturesStep(Step):
    """What a frozen image tower says of the videos of bags, in each epoch of the trainings with one seed.

    Bags of the same videos share it, whatever is in them. Without augmentation no seed decides anything.
    """

    seed: int
    bags: "BagsStep"
    kind = "features"

    @property
    def section(self) -> TrainSection:
        """The options of the trainings."""
        return self.recipe.core("train", TrainSection)

    @property
    def title(self) -> str:
        """The frames, and the seed."""
        drawn = f"-seed{self.seed}" if self._random else ""
        return f"{self.section.frames}-frames{drawn}"

    @property
    def _random(self) -> bool:
        return self.section.augmentation != "none"

    def made_of(self) -> Mapping[str, object]:
        """Return the model, the videos, and how they are shown to it."""
        section = self.section
        temporal = self.recipe.sections.get(section.temporal or "")
        shown = {"model", "temporal", "frames", "augmentation", "flip", "normalisation", "precision"}
        return {
            "train": section.model_dump(mode="json", include=shown),
            "temporal": deciding(temporal) if temporal is not None else None,
            "draws": [self.seed, section.epochs] if self._random else None,
            "videos": self.bags.listing,
            "video": self.recipe.core("video", VideoOptions).of_frames(),
        }

    def whole(self, folder: Path, facts: Mapping[str, object]) -> bool:
        """Whether all files are there and undamaged."""
        from maxi_core.batches.kept_features import read_features

        return "unused" in facts or all(read_features(path) is not None for path in self._files(folder))

    def run(self, place: Place, folder: Path) -> Facts:
        """Encode the videos, going on with the first epoch that is not there; `unused` says why that is of no use."""
        from maxi_core.training.keeping import keep_features

        settled = self.with_options("train", seed=self.seed)
        why = keep_features(place.catalog, settled, list(self.bags.listed), folder, place.watch.evaluation)
        return {"unused": why} if why else {}

    def kept(self, out: Path) -> Path | None:
        """Return its folder; None where it is of no use, and trainings decode and encode."""
        folder = self.folder(out)
        return folder if self._files(folder)[0].exists() else None

    def _files(self, folder: Path) -> list[Path]:
        from maxi_core.batches.kept_features import epoch_file

        epochs = self.section.epochs if self._random else 1
        return [epoch_file(folder, self.section.augmentation, epoch) for epoch in range(epochs)]
