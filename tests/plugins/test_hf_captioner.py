"""`hf-captioner` on tiny models of transformers with random weights, compared with transformers asked one at a time."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maxi_core import Clip, Failed, Sampling, Video
from maxi_core.errors import UsageError
from maxi_core.testing import contract
from maxi_plugins.blip import Blip
from maxi_plugins.degenerate import degenerate
from maxi_plugins.hf_captioner import HfCaptioner
from maxi_plugins.llm.actions import PROMPT, question
from maxi_plugins.llm.phrases import phrases
from maxi_sandbox import Sandbox
from tests.plugins import tiny_vlm
from tests.plugins.asking import opened


def captioner(model: Path | None = None, **options: Any) -> HfCaptioner:
    made = {"model": str(model or Sandbox().captioner()), "device": "cpu", "frames": 3, "max_new_tokens": 6}
    return HfCaptioner(HfCaptioner.Options(**(made | options)))


test_hf_captioner_keeps_the_contract = contract(lambda: captioner(frames=2))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute in one thread: on a busy machine two wait for each other at every one of these tiny products."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function: name of a kind -> folder of such a model, made once."""
    made: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in made:
            made[kind] = getattr(tiny_vlm, kind)(tmp_path_factory.mktemp(kind))
        return made[kind]

    return folder


def clip(seed: int) -> Clip:
    """Return three frames of two shades, one of which changes."""
    draw = np.random.default_rng(seed)
    frames = np.empty((3, 24, 40, 3), np.uint8)
    frames[:] = draw.integers(0, 255, (1, 1, 1, 3))
    frames[:, :, 20:] = draw.integers(0, 255, (3, 1, 1, 3))
    return Clip(Video(f"{seed}.mp4", Path(f"{seed}.mp4")), frames)


def stock(folder: Path, groups: list[Any]) -> list[str]:
    """Return what transformers says of groups of frames, asked one group at a time as its documentation shows."""
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    model: Any = AutoModelForImageTextToText.from_pretrained(folder)
    processor: Any = AutoProcessor.from_pretrained(folder)
    said = []
    for frames in groups:
        content = [*({"type": "image", "image": Image.fromarray(frame)} for frame in frames)]
        content += [{"type": "text", "text": question(PROMPT, 5)}]
        inputs = processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True,
            return_tensors="pt",
        )  # fmt: skip
        tokens = model.generate(**inputs, max_new_tokens=6, do_sample=False, temperature=None)
        said.append(processor.decode(tokens[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True))
    return said


@pytest.mark.parametrize("kind", ["idefics3", "llava"])
@pytest.mark.parametrize("together", [True, False])
def test_answers_are_those_of_transformers_in_any_batch(
    kind: str, together: bool, folders: Callable[[str], Path]
) -> None:
    clips = [clip(seed) for seed in range(3)]
    groups = [one.frames if together else one.frames[[place]] for one in clips for place in range(1 if together else 3)]
    replies = stock(folders(kind), groups)
    assert len(set(replies)) > 1  # a model that says one thing would prove nothing
    each = len(replies) // 3
    texts = [[text for text in phrases(reply, 5) if not degenerate(text)] for reply in replies]
    expected = [[text for said in texts[each * place :][:each] for text in said] for place in range(3)]
    assert any(expected)
    with opened(captioner(folders(kind), together=together)) as source:
        for size in (1, 3):
            answers = [one for start in range(0, 3, size) for one in source.caption(clips[start : start + size])]
            assert [[] if isinstance(answer, Failed) else answer for answer in answers] == expected


def test_a_model_that_takes_no_questions_describes_each_frame_as_blip_does() -> None:
    clips = [clip(seed) for seed in range(2)]
    options = {"model": str(Sandbox().captioner()), "frames": 3, "device": "cpu"}
    with opened(Blip(Blip.Options(**options))) as blip:
        expected = blip.caption(clips)
    with opened(captioner(max_new_tokens=20)) as source:
        assert source.caption(clips) == expected


def test_frames_are_wanted_as_the_options_say() -> None:
    assert captioner(frames=4, side=224).frames == Sampling("uniform", 4, side=224)


def test_the_question_and_what_is_kept_of_the_answer_may_be_set(folders: Callable[[str], Path]) -> None:
    folder = folders("idefics3")
    with opened(captioner(folder)) as usual, opened(captioner(folder, prompt="running dog")) as other:
        assert usual.caption([clip(0)]) != other.caption([clip(0)])


def test_without_a_model_one_line_says_how_to_name_one() -> None:
    with pytest.raises(UsageError, match=r"hf-captioner has no model, .* type -o hf-captioner.model=NAME, such as "):
        HfCaptioner().fingerprint()


def test_code_that_comes_with_a_model_is_never_run(folders: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in folders("idefics3").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForImageTextToText": "mine.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UsageError) as caught:
        captioner(folder).open()
    assert "code that comes with a model is never run" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_a_model_of_another_kind_is_one_line(tmp_path: Path) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    LlamaForCausalLM(LlamaConfig(**tiny_vlm.TEXT, vocab_size=30)).save_pretrained(tmp_path)
    with pytest.raises(UsageError, match="cannot be loaded: a model of type 'llama' says nothing about") as caught:
        captioner(tmp_path).open()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("processor_config.json", None, "is without preprocessor_config.json and processor_config.json"),
        ("chat_template.jinja", None, "cannot be asked about a picture: "),
        ("chat_template.jinja", "{% for x %}", "cannot be asked about a picture: "),
        ("chat_template.jinja", "{{ messages[0]['content'][1]['text'] }}", "cannot be asked about a picture: "),
    ],
)
def test_a_folder_without_processor_or_with_a_wrong_template_is_one_line(
    folders: Callable[[str], Path], tmp_path: Path, file: str, text: str | None, says: str
) -> None:
    for each in folders("idefics3").iterdir():
        (tmp_path / each.name).write_bytes(each.read_bytes())
    (tmp_path / file).unlink() if text is None else (tmp_path / file).write_text(text)
    with pytest.raises(UsageError, match=says) as caught:
        captioner(tmp_path).open()
    assert "\n" not in str(caught.value)
