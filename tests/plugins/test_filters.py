"""`rescore` against the same thing written slowly, and `stoplist`."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from maxi_core import Clip, Match, Text, TextBag, Video
from maxi_core.clip.image_tower import centre_crop
from maxi_core.clip.loading import load_model
from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_plugins.rescore import Rescore
from maxi_plugins.stoplist import StopList
from tests.clip.tiny_clip import config, write

MODEL = Path(tempfile.mkdtemp(prefix="maxi-test-")) / "clip"  # named here: the kit makes a filter to know its role
TEXTS = ("waving", "a man kicking a ball", "kick", "Doing", "swimming in a pool", "wave")


@pytest.fixture(scope="module", autouse=True)
def model():
    yield write(MODEL, config(quick_gelu=True))
    shutil.rmtree(MODEL.parent)


def rescore(**options) -> Rescore:
    return Rescore(Rescore.Options(model=str(MODEL), frames=3, device="cpu", **options))


test_rescore_keeps_the_contract = contract(rescore)
test_stoplist_keeps_the_contract = contract(
    lambda: StopList(StopList.Options(texts=("swimming", "A dog catching a ball")))
)


def bag(texts=TEXTS, seed=0) -> tuple[Clip, TextBag]:
    video = Video("a", Path("a.mp4"))
    items = tuple(Text(text, "gpt3", "waving", "phrase") for text in texts)
    frames = np.random.default_rng(seed).integers(0, 256, (3, 40, 48, 3), np.uint8)
    return Clip(video, frames), TextBag(Match(video, "waving", 0.3), True, items)


def left(source, clip: Clip, one: TextBag) -> list[str]:
    (answer,) = source.filter([clip], [one])
    assert answer == replace(one, texts=answer.texts)
    return [text.text for text in answer.texts]


@pytest.mark.parametrize(("share", "count"), [(0.5, 3), (0.25, 2), (0.01, 1), (1.0, 6)])
def test_a_share_of_the_texts_stays_those_nearest_to_the_video_in_their_order(share: float, count: int) -> None:
    clip, one = bag()
    found = left(rescore(share=share), clip, one)
    model = load_model(str(MODEL), "cpu")
    with torch.no_grad():
        (video,) = model.encode_video(centre_crop(clip.frames, model.image_size)[None])
        texts = [model.encode_text(model.tokenize([f"a photo of a {text}."]).ids)[0] for text in TEXTS]
    scores = [float(text @ video) for text in texts]
    best = sorted(range(len(TEXTS)), key=lambda place: -scores[place])[:count]
    assert found == [TEXTS[place] for place in sorted(best)]
    assert left(rescore(threshold=sorted(scores)[-count] - 1e-5), clip, one) == found


def test_a_threshold_may_leave_nothing_and_an_empty_bag_stays_empty() -> None:
    clip, one = bag()
    assert left(rescore(threshold=0.999), clip, one) == []
    assert left(rescore(), clip, replace(one, texts=())) == []


def test_a_stoplist_drops_texts_of_a_file_and_of_ones_own_whatever_their_case(tmp_path: Path) -> None:
    file = tmp_path / "stop.txt"
    file.write_text("# verbs that say nothing\n\n doing \nKICK\n")
    source = StopList(StopList.Options(file=file, texts=("wave",)))
    assert left(source, *bag()) == ["waving", "a man kicking a ball", "swimming in a pool"]
    before = source.fingerprint()
    file.write_text("KICK\ndoing\nwave\n")
    assert StopList(StopList.Options(file=file)).fingerprint() == before  # the same texts
    file.write_text("kick")
    assert StopList(StopList.Options(file=file)).fingerprint() != before


@pytest.mark.parametrize("texts", ["", "# nothing\n \n"])
def test_a_stoplist_without_texts_is_one_line_that_says_how_to_give_some(tmp_path: Path, texts: str) -> None:
    (tmp_path / "stop.txt").write_text(texts)
    for options in (StopList.Options(), StopList.Options(file=tmp_path / "stop.txt")):
        with pytest.raises(UsageError, match="stoplist has no texts to drop"):
            StopList(options).fingerprint()
    with pytest.raises(UsageError, match="cannot read"):
        StopList(StopList.Options(file=tmp_path / "gone.txt")).fingerprint()
