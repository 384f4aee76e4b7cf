"""`blip` on the sandbox's captioner, compared with transformers' own processor and `generate`, one frame at a time."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest
import torch
from safetensors.torch import load_file, save_file

from maxi_core import Failed, Sampling, Video
from maxi_core.errors import MaxiError, UsageError
from maxi_core.testing import contract
from maxi_core.texts import counted
from maxi_plugins.blip import Blip
from maxi_plugins.blip_model import BlipCaptioner, load_captioner
from maxi_plugins.captioner_files import captioner_identity
from maxi_plugins.degenerate import degenerate
from maxi_sandbox import Sandbox
from maxi_sandbox.parcels import unpack_blip
from tests.plugins.asking import clips_for, clips_of, opened
from tools.world.stills import SIZE, still

Make = Callable[..., Blip]


def blip(**options: Any) -> Blip:
    return Blip(Blip.Options(**({"model": str(Sandbox().captioner()), "device": "cpu"} | options)))


def captions(source: Blip, videos: list[Video]) -> list[list[str] | Failed]:
    """Return what a source says of videos in one call."""
    with opened(source):
        return source.caption(clips_for(source, videos))


test_blip_keeps_the_contract = contract(lambda: blip(frames=2))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine two wait for each other at every one of these tiny products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the sandbox's captioner, unpacked once."""
    path = tmp_path_factory.mktemp("blip")
    unpack_blip(path)
    return path


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Video]:
    """Return three videos of ten, six and one frames, each frame another picture of the sandbox."""
    path = tmp_path_factory.mktemp("videos")
    first = 9_000_000  # stills that no training saw
    clips = {"ten.mp4": 10, "six.mp4": 6, "one.mp4": 1}
    for name, count in clips.items():
        with av.open(str(path / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=12)
            stream.width = stream.height = SIZE
            stream.bit_rate = 2_000_000
            for seed in range(first, first + count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(still(seed).frame, format="rgb24")))
            container.mux(stream.encode())
        first += count
    return [Video(name, path / name) for name in clips]


@pytest.fixture(scope="module")
def make(folder: Path) -> Make:
    """Return a function that makes a `blip` with the sandbox's captioner, unpacked once for all tests."""
    return lambda **options: blip(**({"model": str(folder)} | options))


def stock_captions(folder: Path, videos: list[Video], **decoding: Any) -> list[list[str]]:
    """Return what transformers says of eight frames of each video, one frame at a time."""
    from transformers import BlipForConditionalGeneration, BlipProcessor

    model: Any = BlipForConditionalGeneration.from_pretrained(folder)
    processor: Any = BlipProcessor.from_pretrained(folder)
    said = []
    for clip in clips_of(videos, Sampling("uniform", 8)):  # no side: these are smaller than what is asked for
        tokens = [
            model.generate(**processor(images=[frame], return_tensors="pt"), max_new_tokens=20, **decoding)[0, 1:]
            for frame in clip.frames
        ]
        said.append([processor.decode(row, skip_special_tokens=True) for row in tokens])
    return said


@pytest.mark.parametrize("beams", [1, 3])
def test_captions_are_those_of_transformers_for_single_frames(
    beams: int, make: Make, folder: Path, videos: list[Video]
) -> None:
    expected = stock_captions(folder, videos, num_beams=beams, do_sample=False)
    assert len({text for texts in expected for text in texts}) >= 8  # a model that says one thing would prove nothing
    assert len(set(expected[0])) >= 4
    with opened(make(beams=beams)) as source:
        clips = clips_for(source, videos)
        for size in (1, 2, 3):  # clips in a call
            calls = [source.caption(clips[start : start + size]) for start in range(0, len(clips), size)]
            assert [answer for answers in calls for answer in answers] == expected


def test_decoding_options_reach_the_captioner(make: Make, videos: list[Video]) -> None:
    (plain,), (short,), (long,) = (
        captions(make(**options), videos[:1]) for options in ({}, {"max_new_tokens": 3}, {"min_new_tokens": 12})
    )
    assert [text.split()[:3] for text in plain] == [text.split() for text in short]
    assert min(len(text.split()) for text in long) > max(len(text.split()) for text in plain)


def test_a_video_has_one_caption_per_frame_and_the_same_ones_are_kept(make: Make, videos: list[Video]) -> None:
    ten, six, one = captions(make(), videos)
    assert [len(ten), len(six), len(one)] == [8, 8, 8]
    assert len(set(one)) == 1
    assert [len(texts) for texts in captions(make(frames=3), videos)] == [3, 3, 3]


def test_a_clip_by_itself_goes_through_in_parts_so_that_any_number_of_frames_fits(
    make: Make, videos: list[Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    described = BlipCaptioner._described

    def noted(self: BlipCaptioner, frames: Any, decoding: Any) -> list[str]:
        sizes.append(len(frames))
        return described(self, frames, decoding)

    monkeypatch.setattr(BlipCaptioner, "_described", noted)
    alone = captions(make(frames=20), videos[:1])
    assert sizes == [16, 4]
    together = captions(make(frames=20), videos[:2])
    assert sizes[2:] == [40]
    assert alone[0] == together[0]


def test_the_frames_that_are_asked_for_are_spread_evenly_at_the_size_of_the_captioner(make: Make) -> None:
    with opened(make(frames=5)) as source:
        assert source.frames == Sampling("uniform", 5, side=load_captioner(source._folder, "cpu", "fp32").size)


def test_a_captioner_that_is_not_there_is_said_when_it_is_opened() -> None:
    with pytest.raises(UsageError, match="captioner '/no/such/folder': there is no such folder"):
        Blip(Blip.Options(model="/no/such/folder")).open()


def test_a_captioner_that_was_closed_can_be_opened_again_and_holds_no_model_meanwhile(
    make: Make, videos: list[Video]
) -> None:
    source = make()
    first = captions(source, videos[:1])
    assert "_captioner" not in vars(source)
    assert captions(source, videos[:1]) == first


def test_the_fast_attention_is_that_of_transformers(folder: Path) -> None:
    from transformers import BlipForConditionalGeneration

    stock: Any = BlipForConditionalGeneration.from_pretrained(folder)
    size = stock.config.vision_config.image_size
    pixels = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = stock.vision_model(pixels)[0]
        found = load_captioner(folder, "cpu", "fp32").model.vision_model(pixels)[0]
    assert expected.std() > 0.1  # weights as transformers draws them give 4e-6 everywhere
    assert (found - expected).abs().max() < 1e-5


def test_bf16_is_an_option_of_the_weights(make: Make, folder: Path, videos: list[Video]) -> None:
    assert load_captioner(folder, "cpu", "bf16").model.dtype == torch.bfloat16
    (exact,), (rough,) = (captions(make(precision=precision), videos[:1]) for precision in ("fp32", "bf16"))
    # who it is and whether the thing is near or with them, the captioner learned by chance: no picture tells
    chance = {"a", "person", "man", "woman", "is", "near", "next", "to", "with"}
    told = [[[word for word in text.split() if word not in chance] for text in said] for said in (exact, rough)]
    assert all(any(word.endswith("ing") for word in words) for words in told[0])
    assert sum(one == other for one, other in zip(*told, strict=True)) >= 7


@pytest.fixture(scope="module")
def muddled(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a captioner of random weights, which says one word over and over."""
    path = tmp_path_factory.mktemp("muddled") / "blip"
    shutil.copytree(folder, path)
    generator = torch.Generator().manual_seed(1)
    weights = load_file(path / "model.safetensors")
    drawn = {
        name: torch.randn(tensor.shape, generator=generator) * 0.03 if tensor.is_floating_point() else tensor
        for name, tensor in weights.items()
    }
    save_file(drawn, path / "model.safetensors", {"format": "pt"})
    return path


def test_a_video_of_which_only_nonsense_is_said_is_failed_with_what_to_try(
    make: Make, muddled: Path, videos: list[Video], caplog: pytest.LogCaptureFixture
) -> None:
    (answer,) = captions(make(model=str(muddled)), videos[:1])
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("all 8 captions say nothing, such as '")
    assert "blip.repetition_penalty=1.2" in answer.reason
    assert "blip: left out 8 captions of 1 video, since they say nothing" in caplog.text


def test_captions_that_say_nothing_are_left_out_and_counted(
    make: Make, videos: list[Video], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (texts,) = captions(make(), videos[:1])
    monkeypatch.setattr("maxi_plugins.blip.degenerate", lambda text: text == texts[0])
    with opened(make()) as source:
        for _ in range(2):  # what is asked again, as the core does to look at the order, is counted once
            (kept,) = source.caption(clips_for(source, videos[:1]))
    assert kept == [text for text in texts if text != texts[0]]
    assert f"blip: left out {counted(8 - len(kept), 'caption')} of 1 video, since" in caplog.text


@pytest.mark.parametrize(
    "caption",
    ["", "the the", "a a a a a", "a man a man a man", "a man is holding a cup of cup of cup of", "a dog dog dog runs",
     "hands on a table hands on a table hands on a table", "Dog dog DOG"],
)  # fmt: skip
def test_a_word_or_phrase_over_and_over_says_nothing(caption: str) -> None:
    assert degenerate(caption)


@pytest.mark.parametrize(
    "caption",
    ["dog", "a close up of two hands holding each other", "a man and a woman and a dog",
     "a woman and a woman and a man", "a very very big dog", "a man is dancing the cha cha",
     "there is a man that is sitting on a chair in a room"],
)  # fmt: skip
def test_a_caption_that_says_a_word_twice_is_one(caption: str) -> None:
    assert not degenerate(caption)


def test_the_fingerprint_is_that_of_the_files_wherever_they_are_and_loads_nothing(
    make: Make, folder: Path, muddled: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "._config.json").write_bytes(b"\0 what macOS leaves there")
    source, copy = make(), make(model=str(tmp_path / "copy"))
    assert source.fingerprint() == copy.fingerprint() != make(model=str(muddled)).fingerprint()
    assert set(source.fingerprint()) == {"weights", "transformers"}
    assert "_captioner" not in vars(source)
    document = json.loads((tmp_path / "copy" / "preprocessor_config.json").read_text())
    (tmp_path / "copy" / "preprocessor_config.json").write_text(json.dumps(document | {"image_mean": [0, 0, 0]}))
    assert captioner_identity(tmp_path / "copy") != captioner_identity(folder)


def test_the_sandboxs_captioner_has_a_name(videos: list[Video], make: Make) -> None:
    source = make(model=str(Sandbox().captioner()))
    assert source.fingerprint() == make().fingerprint()


def test_offline_one_line_names_the_files_and_the_way_with_a_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MaxiError) as caught:
        Blip().fingerprint()
    line = str(caught.value)
    assert "\n" not in line
    assert "captioner 'Salesforce/blip-image-captioning-large' is not here and cannot be fetched: config.json, " in line
    assert "model.safetensors, preprocessor_config.json, tokenizer.json" in line
    assert "unset HF_HUB_OFFLINE and go online" in line
    assert "--local-dir DIR` elsewhere, then type -o blip.model=DIR" in line


def test_a_folder_without_weights_or_with_pickled_ones_is_refused(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "half")
    (tmp_path / "half" / "model.safetensors").rename(tmp_path / "half" / "pytorch_model.bin")
    with pytest.raises(UsageError, match=r"half' is without model.safetensors; .* weights in safetensors"):
        Blip(Blip.Options(model=str(tmp_path / "half"))).fingerprint()


def test_a_captioner_with_missing_weights_is_refused_rather_than_filled_with_noise(
    folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(folder, tmp_path / "half")
    weights = load_file(folder / "model.safetensors")
    gone = "vision_model.encoder.layers.0.self_attn.qkv.weight"
    del weights[gone]
    save_file(weights, tmp_path / "half" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UsageError, match=f"1 weight is missing, such as {gone}"):
        load_captioner(tmp_path / "half", "cpu", "fp32")


def test_what_is_no_captioner_is_one_line(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "odd")
    (tmp_path / "odd" / "model.safetensors").write_text("no weights")
    with pytest.raises(UsageError) as caught:
        load_captioner(tmp_path / "odd", "cpu", "fp32")
    assert "\n" not in str(caught.value)
    assert "cannot be loaded" in str(caught.value)


def test_a_relative_folder_means_the_same_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Blip.Options(model="./mine").model == str(tmp_path / "mine")
    assert Blip.Options(model="Salesforce/blip-image-captioning-base").model == "Salesforce/blip-image-captioning-base"
