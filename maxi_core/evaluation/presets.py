"""Protocols by name: how other projects evaluate, as far as it is known, in one word (docs/benchmarks.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maxi_core.clip.checkpoints import ABOUT, checkpoints_of
from maxi_core.clip.model_rules import read_table
from maxi_core.clip.naming import LOCAL_DIR
from maxi_core.errors import UsageError
from maxi_core.prompts import EVALUATION, TEMPLATES
from maxi_core.settings.sections import EvalSection, ProtocolName

if TYPE_CHECKING:
    from maxi_core.recipe.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """The values of `[eval]` that a project evaluates with; `otherwise` is what maxi does in another way."""

    frames: int
    views: str
    prompt: str
    names: str
    normalisation: str
    otherwise: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """Return the values by key of `[eval]`."""
        return {key: value for key, value in vars(self).items() if key != "otherwise"}


PRESETS: Mapping[ProtocolName, Preset] = {
    "maxi": Preset(16, "1x1", EVALUATION, "written", "imagenet"),
    "vifi": Preset(32, "1x1", EVALUATION, "written", "imagenet"),
    "open-vclip": Preset(
        *(8, "3x1", TEMPLATES, "spaced", "model"),
        (
            "its clips are of 8 frames that are 16 apart, and maxi's are the middles of equal segments",
            "it adds up the logits of its views, and maxi their shares",
            "it takes the mean of the frames' logits, and maxi of their features but for imported models of its own",
            "the size of its frames before the crop is unknown, and maxi's is taken",
        ),
    ),
}


@dataclass(frozen=True)
class Chosen:
    """The protocol of an evaluation: its `name`, who chose it, and what is set over it: (value, the preset's, who)."""

    name: ProtocolName
    origin: str
    changed: Mapping[str, tuple[Any, Any, str]]

    @property
    def preset(self) -> Preset:
        """What the name means."""
        return PRESETS[self.name]

    def record(self) -> dict[str, Any]:
        """Return what scores.json says of it."""
        changed = {key: {"is": ours, "preset": theirs, "by": who} for key, (ours, theirs, who) in self.changed.items()}
        return {"name": self.name, "from": self.origin, "changed": changed, "otherwise": list(self.preset.otherwise)}


def settled(recipe: "Recipe", models: Iterable[str] = ()) -> tuple[EvalSection, Chosen | None]:
    """Return the `[eval]` section with its protocol put in, and the protocol; what a person set himself stays.

    Without a protocol in the recipe it is that of the models which were imported with one. Raises UsageError if these
    differ.
    """
    section = recipe.core("eval", EvalSection)
    origins = {key: origin for (name, key), origin in recipe.origins.items() if name == "eval"}
    _refuse_two_prompts(section, origins)
    name: ProtocolName | None = section.protocol
    origin = origins.get("protocol", "")
    if name is None:
        recorded = {model: found for model in models if (found := _recorded(model))}
        if len(set(recorded.values())) > 1:
            both = ", ".join(f"{found} ({model})" for model, found in recorded.items())
            raise UsageError(f"the models were imported with different protocols: {both}", "type one with --protocol")
        model = next(iter(recorded), "")
        name, origin = recorded.get(model), model
    if name is None:
        return section, None
    values = PRESETS[name].values()
    changed = {
        key: (getattr(section, key), value, origins[key])
        for key, value in values.items()
        if key in origins and getattr(section, key) != value
    }
    taken = {key: value for key, value in values.items() if key not in changed}
    return section.model_copy(update={**taken, "protocol": name}), Chosen(name, origin, changed)


def _refuse_two_prompts(section: EvalSection, origins: Mapping[str, str]) -> None:
    """Raise UsageError for a prompt that would not be used, since texts of files stand in its place, or for their form.

    Those of a recipe stay for evaluations without files, as long as they were not set at the same place.
    """
    if section.prompts and "prompt" in origins and origins["prompt"].startswith("-"):
        raise UsageError(
            f"{origins['prompt']} is not used: the texts of --prompts stand in the place of a prompt",
            "leave one of them out, or put the words around each text with --prompts-form",
        )
    if not section.prompts and "prompts_form" in origins and origins["prompts_form"].startswith("-"):
        what = f"{origins['prompts_form']} is not used: there are no texts"
        raise UsageError(what, "name their files: --prompts FILE")


def _recorded(model: str) -> ProtocolName | None:
    """Return the protocol that a model was imported with, if it was; raises UsageError for one that is unknown."""
    folder = Path(model.removeprefix(LOCAL_DIR)).expanduser()
    folder = folder if (folder / ABOUT).is_file() else ([folder, *checkpoints_of(folder)])[-1]
    if not (folder / ABOUT).is_file():
        return None
    name = read_table(folder, ABOUT).get("protocol")
    known = next((one for one in PRESETS if one == name), None)
    if name is not None and known is None:
        fix = f"type one with --protocol: {', '.join(PRESETS)}"
        raise UsageError(f"{folder / ABOUT} has the protocol {repr(name)[:80]}, which this maxi does not know", fix)
    return known
