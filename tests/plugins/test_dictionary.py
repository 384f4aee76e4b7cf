"""The `dictionary` matcher on real files, against the same thing written slowly: one video, one prompt at a time."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from maxi_core import Dictionary, Failed, Match, Sampling, Video
from maxi_core.clip import model as model_file
from maxi_core.clip import text_features
from maxi_core.errors import UsageError
from maxi_core.prompts import MATCHING
from maxi_core.testing import contract
from maxi_plugins.dictionary import DictionaryMatcher
from tests.clip.tiny_clip import MEAN, STD, config, write
from tests.plugins.asking import clips_for, opened

MODEL = (
    Path(tempfile.mkdtemp(prefix="maxi-test-")) / "clip"
)  # named here, since the kit makes a matcher to know its role
ACTIONS = Dictionary("test", ("juggling balls", "riding a bike", "arm wrestling", "playing chess", "cleaning a pool"))
FRAMES = 5
SHORT_SIDE, CROP = 32, 28


@pytest.fixture(scope="module", autouse=True)
def model() -> Iterator[Path]:
    yield write(MODEL, config(quick_gelu=True))
    shutil.rmtree(MODEL.parent)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    folder = tmp_path_factory.mktemp("videos")
    shapes = [(9, 64, 64), (30, 96, 48), (3, 48, 80), (1, 64, 64), (17, 32, 40), (24, 130, 98), (12, 16, 16)]
    return [film(folder / f"{number}.avi", number, *shape) for number, shape in enumerate(shapes)]


def film(path: Path, seed: int, frames: int, width: int, height: int) -> Video:
    """Write a film of coloured noise in blocks, every frame another."""
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.bit_rate = width, height, 2_000_000
        for _ in range(frames):
            blocks = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            picture = blocks[np.arange(height) * 4 // height][:, np.arange(width) * 4 // width]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return Video(path.name, path)


def matcher(**options: Any) -> DictionaryMatcher:
    settings = {"model": str(MODEL), "frames": FRAMES, "device": "cpu"} | options
    return DictionaryMatcher(DictionaryMatcher.Options.model_validate(settings))


def matches(videos: list[Video], dictionary: Dictionary = ACTIONS, **options: Any) -> list[Match | Failed]:
    with opened(matcher(**options)) as source:
        return source.match(clips_for(source, videos), dictionary)


def slow_text(model: Any, tokenizer: Any, entry: str) -> torch.Tensor:
    prompts = [model.encode_text(tokenizer([template.format(entry)]))[0] for template in MATCHING]
    mean: torch.Tensor = sum(prompt / prompt.norm() for prompt in prompts) / len(prompts)
    return mean / mean.norm()


def slow_video(model: Any, video: Video) -> torch.Tensor:
    """The mean feature of a video written out with PyAV, torch and open_clip, frame by frame."""
    with av.open(str(video.path)) as container:
        decoded = list(container.decode(video=0))
    total = torch.zeros(24)
    for segment in range(FRAMES):
        frame = decoded[int((segment + 0.5) * len(decoded) / FRAMES)]
        scale = min(1, SHORT_SIDE / min(frame.width, frame.height))
        size = {"width": round(frame.width * scale), "height": round(frame.height * scale)}
        rgb = torch.from_numpy(frame.reformat(**size, format="rgb24", interpolation="BILINEAR").to_ndarray())
        image = rgb.permute(2, 0, 1)[None]
        if min(size.values()) < SHORT_SIDE:  # smaller than the crop needs: enlarged
            larger = [round(side * SHORT_SIDE / min(size.values())) for side in (size["height"], size["width"])]
            image = torch.nn.functional.interpolate(image, larger, mode="bilinear", antialias=True)
        top, left = (round((side - CROP) / 2) for side in image.shape[2:])
        image = image[:, :, top : top + CROP, left : left + CROP].float() / 255
        image = (image - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        total += model.encode_image(image)[0]
    feature: torch.Tensor = total / FRAMES
    return feature / feature.norm()


def test_matches_equal_those_of_the_slow_way(videos: list[Video]) -> None:
    answers = matches(videos, top=5)
    model = open_clip.create_model(f"local-dir:{MODEL}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{MODEL}")
    with torch.no_grad():
        texts = {entry: slow_text(model, tokenizer, entry) for entry in ACTIONS.entries}
        for video, answer in zip(videos, answers, strict=True):
            feature = slow_video(model, video)
            scores = {entry: float(feature @ text) for entry, text in texts.items()}
            want = sorted(scores.items(), key=lambda pair: -pair[1])
            assert isinstance(answer, Match)
            assert (answer.video, answer.entry) == (video, want[0][0])
            assert answer.score == pytest.approx(want[0][1], abs=1e-5)
            assert [entry for entry, _ in answer.top] == [entry for entry, _ in want]
            assert [score for _, score in answer.top] == pytest.approx([score for _, score in want], abs=1e-5)


def test_answers_are_the_same_to_the_last_bit_whatever_is_asked_beside(videos: list[Video]) -> None:
    together = matches(videos)
    assert [matches([video])[0] for video in videos] == together
    assert matches(videos[::-1])[::-1] == together


@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_answers_do_not_depend_on_how_many_frames_go_at_once(
    videos: list[Video], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = matches(videos)
    monkeypatch.setattr(model_file, "AT_ONCE", at_once)
    for one, other in zip(matches(videos), others, strict=True):
        assert isinstance(one, Match)
        assert isinstance(other, Match)
        assert one.entry == other.entry
        assert one.score == pytest.approx(other.score, abs=1e-6)


def test_the_frames_that_are_asked_for_are_segment_middles_at_the_size_of_the_model() -> None:
    with opened(matcher()) as source:
        assert source.frames == Sampling("middles", FRAMES, side=SHORT_SIDE)


def test_a_dictionary_is_encoded_once_and_another_one_anew(
    videos: list[Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    encode = text_features.entry_features

    def counted(model: Any, entries: tuple[str, ...]) -> torch.Tensor:
        encoded.append(entries)
        return encode(model, entries)

    monkeypatch.setattr(text_features, "entry_features", counted)
    other = Dictionary("other", ACTIONS.entries[:2])
    with opened(matcher()) as source:
        clips = clips_for(source, videos[:2])
        first = [source.match([clip], ACTIONS) for clip in clips]
        second = [source.match([clip], other) for clip in clips]
    assert encoded == [ACTIONS.entries, other.entries]
    assert [*first[0], *first[1]] == matches(videos[:2])
    assert [*second[0], *second[1]] == matches(videos[:2], other)


def test_a_matcher_that_was_closed_can_be_opened_again_and_holds_no_model_meanwhile(videos: list[Video]) -> None:
    source = matcher()
    answers = []
    for _ in range(2):
        with opened(source):
            answers.append(source.match(clips_for(source, videos[:1]), ACTIONS))
        assert "model" not in vars(source)
    assert answers[0] == answers[1]
    assert source.fingerprint() == matcher().fingerprint()


def test_the_first_of_equally_near_entries_wins(videos: list[Video]) -> None:
    same = Dictionary(
        "same", ("playing chess", "Playing Chess", "PLAYING CHESS")
    )  # one text to CLIP, which has no case
    answer = matches(videos[:1], same)[0]
    assert isinstance(answer, Match)
    assert answer.top[0][1] == answer.top[2][1]
    assert [entry for entry, _ in answer.top] == list(same.entries)


def test_as_many_entries_are_kept_as_asked_for_and_no_more_than_there_are(videos: list[Video]) -> None:
    for top, kept in ((1, 1), (3, 3), (50, 5)):
        answer = matches(videos[:1], top=top)[0]
        assert isinstance(answer, Match)
        assert len(answer.top) == kept
        assert answer.top[0] == (answer.entry, answer.score)


def test_the_normalisation_of_the_authors_gives_other_scores(videos: list[Video]) -> None:
    assert matches(videos[:1], normalisation="imagenet") != matches(videos[:1])


def test_bf16_is_near_the_exact_scores(videos: list[Video]) -> None:
    rough, exact = matches(videos[:1], precision="amp_bf16")[0], matches(videos[:1])[0]
    assert isinstance(rough, Match)
    assert isinstance(exact, Match)
    assert dict(rough.top)[exact.entry] == pytest.approx(exact.score, abs=0.03)


def test_the_fingerprint_is_of_the_weights_and_not_of_the_name(tmp_path: Path) -> None:
    fingerprint = matcher().fingerprint()
    assert fingerprint.keys() == {"model", "templates"}
    copy = shutil.copytree(MODEL, tmp_path / "copy")
    assert matcher(model=str(copy)).fingerprint() == fingerprint
    other = write(tmp_path / "other", config(quick_gelu=True), seed=1)
    assert matcher(model=str(other)).fingerprint()["model"] != fingerprint["model"]


def test_a_model_that_is_not_right_is_said_when_it_is_opened() -> None:
    with pytest.raises(UsageError, match="type ViT-B-16-quickgelu/openai"):
        matcher(model="ViT-B-16/openai").open()


def test_an_empty_dictionary_is_refused(videos: list[Video]) -> None:
    with pytest.raises(UsageError, match="the dictionary 'nothing' is empty"):
        matches(videos, Dictionary("nothing", ()))


def test_a_model_whose_features_are_not_finite_matches_nothing(videos: list[Video], tmp_path: Path) -> None:
    folder = shutil.copytree(MODEL, tmp_path / "broken")
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"][:] = 3e38
    save_file(weights, folder / "open_clip_model.safetensors")
    answers = matches(videos[:2], model=str(folder))
    assert [type(answer) for answer in answers] == [Failed, Failed]


test_dictionary_keeps_the_contract = contract(matcher)
