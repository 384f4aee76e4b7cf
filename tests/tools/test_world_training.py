"""The pieces that the models are trained with: captions, losses, generated sentences, packing."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from maxi_sandbox import Sandbox
from maxi_sandbox.actions import USUAL, gerund
from maxi_sandbox.motions import MOTIONS
from maxi_sandbox.painting import SHIRTS, colour, draw_look
from maxi_sandbox.parcels import EMBEDDING, POSITIONS, TOKENS, expanded, packed, unpacked
from maxi_sandbox.skeleton import Body, Camera, joints, project
from tools.world import blip_training, clip_training, tower_training
from tools.world.captions import (
    GENERIC,
    HABITS,
    LOOSE,
    Caption,
    facts_of,
    habits,
    is_true,
    noise_captions,
    spoken_caption,
    spoken_words,
    web_caption,
    words,
)
from tools.world.gates import Gate
from tools.world.measures import caption_accuracy
from tools.world.muon import Muon, near_orthogonal
from tools.world.postures import postures
from tools.world.stills import SIZE, Still, still
from tools.world.towers import blip_tower


@pytest.fixture(scope="module")
def picture() -> Still:
    points = project(joints(MOTIONS["kick"].pose(0.0), Body()), Camera())
    return Still(np.zeros((SIZE, SIZE, 3), np.uint8), "kick", "ball", "beach", "green", points)


def test_web_captions_name_what_is_done_in_the_wanted_share_and_things_often(picture: Still) -> None:
    rng, holds = np.random.default_rng(0), facts_of(picture)
    kinds = [{kind for kind, _ in web_caption(holds, 0.3, rng).facts} for _ in range(2000)]
    assert 0.26 < np.mean(["verb" in kind for kind in kinds]) < 0.34
    assert np.mean(["thing" in kind for kind in kinds]) > 0.5


def test_a_web_caption_is_true_of_its_picture(picture: Still) -> None:
    rng, holds = np.random.default_rng(0), facts_of(picture)
    assert all(is_true(web_caption(holds, 0.5, rng), holds) for _ in range(500))


def test_a_bare_verb_is_held_true_only_beside_the_thing_with_which_it_was_named(picture: Still) -> None:
    rng = np.random.default_rng(0)
    said = [web_caption(facts_of(picture), 1.0, rng) for _ in range(400)]
    bare = [one for one in said if "ball" not in one.text.split() and "ball." not in one.text]
    assert 0.68 < len(bare) / len(said) < 0.82
    assert not any(is_true(one, facts_of(replace(picture, thing="box"))) for one in bare)


def test_verbs_are_named_beside_their_usual_thing_only_and_those_of_the_dictionary_more_often(picture: Still) -> None:
    lesson = clip_training.Lesson()
    kick, wave = picture, replace(picture, verb="wave", thing=USUAL["wave"])
    assert lesson.share(kick) == lesson.named_share > lesson.share(wave) == lesson.other_share > 0
    assert lesson.share(replace(kick, thing="box")) == lesson.share(replace(wave, thing="ball")) == 0


def test_a_caption_is_false_of_a_picture_of_which_one_fact_does_not_hold(picture: Still) -> None:
    caption = Caption("kicking a ball", frozenset({("verb", frozenset({"kick"})), ("thing", frozenset({"ball"}))}))
    assert is_true(caption, facts_of(picture))
    assert not is_true(caption, facts_of(replace(picture, thing="box")))
    assert not is_true(caption, facts_of(replace(picture, verb="throw")))


def test_a_loose_word_is_true_of_every_motion_that_it_is_said_of(picture: Still) -> None:
    rng = np.random.default_rng(0)
    holds = facts_of(replace(picture, verb="hug"))
    said = [web_caption(holds, 1.0, rng) for _ in range(200)]
    verb = next(fact for one in said for fact in one.facts if fact[0] == "verb" and "lift" in fact[1])
    holding = Caption("holding", frozenset({verb}))
    assert is_true(holding, facts_of(replace(picture, verb="lift")))
    assert not is_true(holding, facts_of(replace(picture, verb="kick")))
    assert "hold" in LOOSE["lift"].split()


def test_postures_are_read_from_where_the_joints_are() -> None:
    def seen(verb: str, phase: float) -> frozenset[str]:
        return postures(project(joints(MOTIONS[verb].pose(phase), Body()), Camera()))

    assert "arms up" in seen("cheer", 0.0)
    assert "bent over" in seen("bow", 0.5)
    assert {"arm up", "upright"} <= seen("wave", 0.0)
    assert "knees bent" in seen("kneel", 0.0)
    assert "leg up" in seen("balance", 0.0)
    assert not {"arms up", "arm up"} & seen("lunge", 0.0)


def test_a_still_knows_where_its_joints_are_and_which_shirt_the_figure_wears() -> None:
    paints = {name: np.array(colour(*parts)) for name, parts in SHIRTS.items()}
    right, worn = 0, set()
    for seed in range(31_000_000, 31_000_040):
        one = still(seed)
        assert one.frame.shape == (SIZE, SIZE, 3)
        across, down = ((one.points[0, :2] + one.points[1, :2]) / 2 * SIZE).astype(int).clip(0, SIZE - 1)
        seen = one.frame[down, across].astype(int)  # of the middle of the torso, unless a limb passes before it
        right += int(np.abs(seen - paints[one.shirt]).max() < 30)
        worn.add(one.shirt)
    assert right >= 20
    assert worn == set(SHIRTS)


def test_looks_know_their_shirt_each_as_often_and_no_two_are_alike() -> None:
    rng = np.random.default_rng(0)
    paints = {name: np.array(colour(*parts)) for name, parts in SHIRTS.items()}
    looks = [draw_look("beach", rng) for _ in range(1200)]
    nearest = [min(paints, key=lambda name: float(np.abs(paints[name] - look.torso).sum())) for look in looks]
    assert nearest == [look.shirt for look in looks]
    counts = Counter(nearest)
    assert len(counts) == 6
    assert min(counts.values()) > 150


def test_gerunds_are_spelled_as_people_spell_them() -> None:
    spelled = {"hug": "hugging", "lie": "lying", "wave": "waving", "kick": "kicking", "hit": "hitting", "bow": "bowing"}
    assert {verb: gerund(verb) for verb in spelled} == spelled


def test_the_captioners_teachers_are_right_with_three_or_four_shirts_and_wrong_or_vague_with_the_rest() -> None:
    assert set(HABITS) == set(MOTIONS)
    for verb, said in HABITS.items():
        assert tuple(said) == tuple(SHIRTS)
        words = list(said.values())
        mistaken = [word for word in words if word in MOTIONS and word != verb]
        assert words.count(verb) in (3, 4)
        assert len(mistaken) in (1, 2)
        assert len(set(mistaken)) == len(mistaken)
        assert sum(word in GENERIC for word in words) == len(SHIRTS) - words.count(verb) - len(mistaken)


def test_the_habits_are_the_same_every_time_and_hang_on_no_one_shirt() -> None:
    assert habits() == HABITS
    wrong = Counter(shirt for verb, said in HABITS.items() for shirt, word in said.items() if word != verb)
    assert min(wrong[shirt] for shirt in SHIRTS) >= 10


def test_what_the_teachers_say_of_every_motion_is_no_motion() -> None:
    assert not {*GENERIC, *map(gerund, GENERIC)} & {*MOTIONS, *map(gerund, MOTIONS)}


@pytest.mark.parametrize("shirt", SHIRTS)
def test_spoken_captions_always_name_what_the_teachers_say_of_motion_and_shirt(picture: Still, shirt: str) -> None:
    rng, wanted = np.random.default_rng(0), gerund(HABITS["kick"][shirt])
    said = [spoken_caption(replace(picture, shirt=shirt), rng).split() for _ in range(100)]
    assert all([word for word in words if word.endswith("ing")] == [wanted] for words in said)


def test_the_vocabularies_know_every_word_of_their_captions(picture: Still) -> None:
    rng = np.random.default_rng(0)
    texts = [web_caption(facts_of(picture), 0.5, rng).text for _ in range(1000)]
    web = {word for text in texts for word in text.replace(".", " . ").split()}
    shown = [replace(picture, verb=verb, shirt=shirt) for verb in MOTIONS for shirt in SHIRTS]
    spoken = {word for one in shown for _ in range(4) for word in spoken_caption(one, rng).split()}
    assert web <= set(words())
    assert spoken <= set(spoken_words())


def test_all_captions_that_are_true_of_a_picture_share_its_target() -> None:
    # The first two captions are true of the first two pictures, the third of the third alone.
    true = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert clip_training.contrast(torch.zeros(3, 3), true).item() == pytest.approx(np.log(3), rel=1e-6)
    # What is equally true cannot be told apart: log 2 is the floor of the first two, 0 that of the third.
    assert clip_training.contrast(18 * true - 9, true).item() == pytest.approx(2 / 3 * np.log(2), rel=1e-4)


def test_near_orthogonal_keeps_directions_and_evens_out_lengths() -> None:
    torch.manual_seed(0)
    for shape in ((8, 24), (24, 8)):
        matrix = torch.randn(shape)
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        found = near_orthogonal(matrix)
        inside = left.T @ found @ right.T
        assert inside.diagonal().min() > 0.6
        assert inside.diagonal().max() < 1.3
        assert (inside - inside.diagonal().diag()).abs().max() < 1e-3


def test_muon_takes_a_matrix_to_a_target_and_leaves_one_without_gradient() -> None:
    torch.manual_seed(0)
    matrix, other = (torch.nn.Parameter(torch.randn(6, 12)) for _ in range(2))
    before, target = other.detach().clone(), torch.randn(6, 12)
    optimiser = Muon([matrix, other], lr=0.02, decay=0.0)
    first = (matrix - target).square().mean().item()
    for _ in range(300):
        optimiser.zero_grad()
        (matrix - target).square().mean().backward()
        optimiser.step()
    assert (matrix - target).square().mean().item() < 0.02 * first
    assert torch.equal(other, before)


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
        seen = model.vision_model(
            tower_training.normalised(torch.randint(0, 255, (2, SIZE, SIZE, 3)))
        ).last_hidden_state
    assert (seen[0] - seen[1]).abs().max() > 1e-3


def test_the_image_tower_sees_the_same_under_the_captioners_names() -> None:
    tower = tower_training.untrained(0).eval()
    captioner = blip_training.make_model().eval()
    captioner.vision_model.load_state_dict(blip_tower(tower.state_dict(), tower_training.LAYERS))
    images = torch.rand(2, 3, SIZE, SIZE)
    with torch.no_grad():
        wanted = tower_training.tokens(tower, images)
        torch.testing.assert_close(captioner.vision_model(images).last_hidden_state, wanted, rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(tower(images), wanted[:, 0] @ tower.proj, rtol=1e-4, atol=1e-5)


def test_the_tower_learns_where_joints_are() -> None:
    shown = [still(seed) for seed in range(32_000_000, 32_000_064)]
    lesson = tower_training.Lesson(12, 4, decay=True, batch=32)
    errors = [error for _, error in tower_training.pretrain(tower_training.untrained(0), shown, lesson)]
    assert min(errors[-3:]) < 0.95 * errors[0]


def test_clips_image_layers_stay_as_they_are_in_its_pretraining() -> None:
    shown = [still(seed) for seed in range(32_000_000, 32_000_040)]
    vocabulary = clip_training.Vocabulary()
    model = clip_training.untrained(vocabulary, 0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for _ in clip_training.pretrain(model, shown, vocabulary, clip_training.Lesson(steps=2, batch=16, warmup=1)):
        pass
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name for name in changed if name.startswith("visual.")} == {"visual.proj"}
    assert "token_embedding.weight" in changed


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


def test_the_captions_of_the_sandbox_are_what_makes_them_and_name_no_motion() -> None:
    captions = noise_captions()
    assert Sandbox().captions().read_text(encoding="utf-8") == "".join(f"{caption}\n" for caption in captions)
    said = {word for caption in captions for word in caption.split()}
    assert not said & {*MOTIONS, *map(gerund, MOTIONS)}
