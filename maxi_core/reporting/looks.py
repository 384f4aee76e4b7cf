"""Where the models of an evaluation looked in the videos that a report shows: a strip of frames for each text."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from maxi_core.errors import MaxiError
from maxi_core.reporting.part import Look, Wish
from maxi_core.reporting.pictures import SIDE, Picture, as_uri
from maxi_core.settings.sections import VideoOptions
from maxi_core.system.secrets import without_secrets
from maxi_core.texts import written_out
from maxi_core.types import Failed

if TYPE_CHECKING:
    from maxi_core.clip.model import VideoCLIP
    from maxi_core.heatmaps.heatmap import Heatmaps

COLUMNS = 4  # frames of a strip
LoadModel = Callable[[Look], "VideoCLIP"]


def add_looks(
    wishes: Sequence[Wish], pictures: Sequence[Picture], load: LoadModel, reading: VideoOptions
) -> Iterator[tuple[int, Picture]]:
    """Yield the places of the wishes with a look and their pictures with it, or why there is none, model by model."""
    looking = {place: wish.look for place, wish in enumerate(wishes) if wish.look is not None}
    groups: dict[tuple[object, ...], list[int]] = {}
    for place, look in looking.items():
        groups.setdefault((look.model, look.identity, look.frames, look.normalisation), []).append(place)
    for places in groups.values():
        try:
            model = _loaded(looking[places[0]], load)
        except MaxiError as error:
            for place in places:
                yield place, _unseen(pictures[place], str(error))
            continue
        for place in places:
            yield place, _with_look(pictures[place], wishes[place], looking[place], model, reading)


def _loaded(look: Look, load: LoadModel) -> "VideoCLIP":
    model = load(look)
    if model.identity != look.identity:
        raise MaxiError(f"{look.model} has other weights now than those that were scored", "run maxi eval again")
    return model


def _with_look(picture: Picture, wish: Wish, look: Look, model: "VideoCLIP", reading: VideoOptions) -> Picture:
    from maxi_core.evaluation.protocol import Protocol
    from maxi_core.heatmaps.heatmap import Question, heatmaps

    try:
        protocol = Protocol(frames=look.frames, prompt=look.prompt, spelling=look.spelling)
        question = Question(look.texts, look.competing, protocol=protocol)
        ((_, found),) = heatmaps([model], [wish.video], question, reading.model_copy(update={"workers": 0}))
    except MaxiError as error:
        return _unseen(picture, str(error))
    return (
        _unseen(picture, found.reason) if isinstance(found, Failed) else replace(picture, looks=tuple(_strips(found)))
    )


def _unseen(picture: Picture, why: str) -> Picture:
    return replace(picture, unseen=written_out(without_secrets(why)))


def _strips(found: "Heatmaps") -> Iterator[tuple[str, str]]:
    """Yield each text with its share of the texts, and its maps laid over frames beside each other."""
    from PIL import Image

    from maxi_core.heatmaps.figure import scale_of
    from maxi_core.heatmaps.region import laid_over

    (one,) = found.models
    scale = scale_of(found)
    places = np.unique(np.linspace(0, len(found.frames) - 1, min(COLUMNS, len(found.frames))).round().astype(int))
    height, width = found.frames.shape[1:3]
    size = (round(width * SIDE / min(height, width)), round(height * SIDE / min(height, width)))
    for text, said in enumerate(found.texts):
        laid = (laid_over(found.frames[place], one.maps[text, place], one.image_size, scale) for place in places)
        strip = np.concatenate([np.asarray(Image.fromarray(frame).resize(size)) for frame in laid], axis=1)
        yield f"{said}, {one.shares[text]:.0%} of {len({*found.texts, *found.competing})} texts", as_uri(strip)
