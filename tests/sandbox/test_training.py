"""The pieces that the models are trained with: captions, losses, generated sentences, packing."""

import numpy as np
import pytest
import torch

from maxi_core.sandbox import blip_training, clip_training
from maxi_core.sandbox.captions import Caption, spoken_caption, spoken_words, web_caption, words
from maxi_core.sandbox.gates import Gate
from maxi_core.sandbox.measures import caption_accuracy
from maxi_core.sandbox.parcels import EMBEDDING, POSITIONS, TOKENS, expanded, packed, unpacked
from maxi_core.sandbox.stills import SIZE, Still
from maxi_core.sandbox.towers import clip_tower


@pytest.fixture(scope="module")
def picture() -> Still:
    return Still(np.zeros((SIZE, SIZE, 3), np.uint8), "kick", "ball", "beach")


def test_web_captions_name_the_verb_in_the_wanted_share_and_things_nearly_always(picture: Still) -> None:
    rng = np.random.default_rng(0)
    contents = [web_caption(picture, 0.3, 0.25, rng).content for _ in range(2000)]
    assert 0.26 < np.mean([bool(verb) for verb, _, _ in contents]) < 0.34
    assert np.mean([bool(thing) for _, thing, _ in contents]) > 0.9


def test_spoken_captions_always_name_the_verb(picture: Still) -> None:
    rng = np.random.default_rng(0)
    assert all("kicking" in spoken_caption(picture, rng).split() for _ in range(200))


def test_the_vocabularies_know_every_word_of_their_captions(picture: Still) -> None:
    rng = np.random.default_rng(0)
    web = {word for _ in range(500) for word in web_caption(picture, 0.5, 0.4, rng).text.replace(".", " . ").split()}
    spoken = {word for _ in range(500) for word in spoken_caption(picture, rng).split()}
    assert web <= set(words())
    assert spoken <= set(spoken_words())


def test_captions_of_equal_content_share_the_target() -> None:
    captions = [
        Caption("a ball", ("", "ball", "")),
        Caption("one ball", ("", "ball", "")),
        Caption("a box", ("", "box", "")),
    ]
    logits = torch.zeros(3, 3)
    assert clip_training.contrast(logits, captions).item() == pytest.approx(np.log(3), rel=1e-6)
    told_apart = torch.tensor([[9.0, 9.0, -9.0], [9.0, 9.0, -9.0], [-9.0, -9.0, 9.0]])
    # Two captions that mean the same cannot be told apart: log 2 is the floor of their rows, 0 that of the third.
    assert clip_training.contrast(told_apart, captions).item() == pytest.approx(2 / 3 * np.log(2), rel=1e-4)


def test_the_compact_vocabulary_keeps_the_end_of_text_the_largest_token() -> None:
    vocabulary = clip_training.Vocabulary()
    tokens = vocabulary(["a photo of a kicking.", "a ball"])
    assert tokens.max().item() == len(vocabulary.ids) - 1
    assert tokens[1, 3].item() == len(vocabulary.ids) - 1
    assert vocabulary.ids[-1].item() == 49407


def test_the_captioner_starts_from_weights_that_see() -> None:
    torch.manual_seed(0)
    model = blip_training.make_model().eval()
    with torch.no_grad():
        seen = model.vision_model(blip_training.pixels(torch.randint(0, 255, (2, SIZE, SIZE, 3)))).last_hidden_state
    assert (seen[0] - seen[1]).abs().max() > 1e-3


def test_the_captioners_image_tower_sees_the_same_under_clips_names() -> None:
    torch.manual_seed(0)
    captioner = blip_training.make_model().eval()
    vision = captioner.vision_model
    torch.nn.init.normal_(vision.embeddings.patch_embedding.bias)
    model = clip_training.untrained(clip_training.Vocabulary(), 0).eval()
    tower = clip_tower(captioner.state_dict(), clip_training.MODEL["vision_cfg"]["layers"])
    model.visual.load_state_dict(model.visual.state_dict() | tower)
    seen = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        wanted = vision(seen).last_hidden_state[:, 0] @ model.visual.proj
        torch.testing.assert_close(model.visual(seen), wanted, rtol=1e-4, atol=1e-5)


def test_packing_keeps_weights_to_half_precision_and_expanding_puts_rows_in_their_places() -> None:
    weights = {
        EMBEDDING: np.arange(6, dtype=np.float32).reshape(3, 2) / 7,
        POSITIONS: np.ones((2, 2), np.float32),
        TOKENS: np.array([0, 4, 9], np.int32),
    }
    full = expanded(unpacked(packed(weights)), 10, 5)
    assert full[EMBEDDING].shape == (10, 2)
    np.testing.assert_allclose(full[EMBEDDING][[0, 4, 9]], weights[EMBEDDING], rtol=1e-3)
    assert not full[EMBEDDING][[1, 2, 3, 5, 6, 7, 8]].any()
    assert full[POSITIONS].sum() == 4
    assert TOKENS not in full


def test_a_caption_counts_as_right_only_by_the_gerund_of_its_frames_verb() -> None:
    assert caption_accuracy(
        ["a man kicking", "a man with a kick", "waving"], ["kick", "kick", "clap"]
    ) == pytest.approx(1 / 3)


def test_a_gate_fails_outside_its_range_on_either_side() -> None:
    assert [Gate("x", hits, 100, 0.5, 0.8).passed for hits in (49, 50, 80, 81)] == [False, True, True, False]
    assert str(Gate("x", 81, 100, 0.5, 0.8)).startswith("FAIL")
    assert "no gate" in str(Gate("x", 81, 100))
