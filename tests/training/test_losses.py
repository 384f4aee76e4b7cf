"""The losses against the numbers of docs/method.md, losses, slow literal forms, and half precision at any scale."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from maxi_core.training import losses
from maxi_core.training.objective import Features
from tests.training.runs import built_in, loss_names, loss_of

Y = torch.tensor([0, 0, 1, 2])
POSITIVE = Y[:, None] == Y
OWN = torch.arange(4)
ZEROS = torch.zeros(4, 4, 2)
STEPS = torch.tensor([[(3 * i + 2 * c) % 5 for c in range(8)] for i in range(4)]).float().view(4, 4, 2)

BAG_LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mil_nce": lambda logits, positive, own: losses.mil_nce(logits, positive),
    "mil_nce_pairs": lambda logits, positive, own: losses.mil_nce_pairs(logits, positive),
    "mil_nce_instance": lambda logits, positive, own: losses.mil_nce_instance(logits, own),
    "mil_max": lambda logits, positive, own: losses.mil_max(ways(logits, positive)),
    "nce": lambda logits, positive, own: losses.mil_max(ways(logits[:, :, :1], positive)),
    "mil_max_pairs": lambda logits, positive, own: losses.mil_max_pairs(ways(logits, positive)),
    "nce_pairs": lambda logits, positive, own: losses.mil_max_pairs(ways(logits[:, :, :1], positive)),
}


def ways(logits: Tensor, positive: Tensor) -> list[losses.Way]:
    """Return the best text of each bag for each video, and of each bag for the videos."""
    best = logits.amax(dim=2)
    return [(best, positive), (best.T, positive.T)]


@pytest.mark.parametrize(
    ("name", "logits", "value"),
    [
        ("mil_nce", ZEROS, 1.039721), ("mil_nce_pairs", ZEROS, 1.386294), ("mil_nce_instance", ZEROS, 1.386294),
        ("mil_nce", STEPS, 0.938073), ("mil_nce_pairs", STEPS, 1.457857), ("mil_nce_instance", STEPS, 1.525834),
    ],
)  # fmt: skip
def test_the_losses_have_the_values_of_the_specification(name: str, logits: Tensor, value: float) -> None:
    assert float(BAG_LOSSES[name](logits, POSITIVE, OWN)) == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "value"), [("mil_max", 0.988), ("mil_max_pairs", 2.907), ("nce", 1.102), ("nce_pairs", 3.661)]
)
def test_the_symmetric_losses_have_the_values_that_the_page_on_the_method_says(name: str, value: float) -> None:
    assert float(BAG_LOSSES[name](STEPS, POSITIVE, OWN)) == pytest.approx(value, abs=5e-4)


def literal(name: str, logits: Tensor, y: Tensor) -> float:
    """Return a loss as its sentence in method.md, losses says, with loops and exponentials."""
    s, batch = logits.double().exp().tolist(), len(y)
    mass = [[sum(s[i][j]) for j in range(batch)] for i in range(batch)]
    same = [[bool(y[i] == y[j]) for j in range(batch)] for i in range(batch)]
    total = [sum(row) for row in mass]
    if name == "mil_nce":
        terms = [-math.log(sum(mass[i][j] for j in range(batch) if same[i][j]) / total[i]) for i in range(batch)]
    elif name == "mil_nce_pairs":
        terms = [-math.log(mass[i][j] / total[i]) for i in range(batch) for j in range(batch) if same[i][j]]
    elif name == "mil_nce_instance":
        terms = [-math.log(mass[i][i] / total[i]) for i in range(batch)]
    else:
        best = [[max(s[i][j]) if "max" in name else s[i][j][0] for j in range(batch)] for i in range(batch)]
        if name.endswith("_pairs"):
            pairs = [(i, j) for i in range(batch) for j in range(batch) if same[i][j]]
            columns = [sum(best[i][j] for i in range(batch)) for j in range(batch)]
            lost = (-math.log(best[i][j] / sum(best[i])) - math.log(best[i][j] / columns[j]) for i, j in pairs)
            return sum(lost) / len(pairs)
        terms = []
        for table in (best, [list(column) for column in zip(*best, strict=True)]):
            for i in range(batch):
                right = sum(table[i][j] for j in range(batch) if same[i][j])
                terms.append(-math.log(right / sum(table[i])))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("name", BAG_LOSSES)
@pytest.mark.parametrize("seed", range(3))
def test_the_losses_equal_their_sentences_written_out(name: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(6, 6, 3, generator=generator)
    y = torch.randint(0, 3, (6,), generator=generator)
    got = BAG_LOSSES[name](logits, y[:, None] == y, torch.arange(6))
    assert float(got) == pytest.approx(literal(name, logits, y), rel=1e-5)


@pytest.mark.parametrize("name", BAG_LOSSES)
def test_gradients_are_right_in_float64(name: str) -> None:
    logits = torch.randn(4, 4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: BAG_LOSSES[name](x, POSITIVE, OWN), (logits,))


@pytest.mark.parametrize("name", loss_names())
def test_gradients_reach_features_and_scale_rightly_in_float64(name: str) -> None:
    torch.manual_seed(0)
    videos, texts = (torch.randn(n, 5, dtype=torch.float64, requires_grad=True) for n in (4, 6))
    scale = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([[0, 1], [1, 0], [2, 3], [4, 5]])
    assert torch.autograd.gradcheck(lambda v, t, s: loss_of(name, v, t, s, index, Y), (videos, texts, scale))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("distance", [1, 17, 88, 100, 103, 1000])
@pytest.mark.parametrize("name", BAG_LOSSES)
def test_losses_and_gradients_are_finite_however_far_the_positive_bag_is_behind(
    name: str, distance: int, dtype: torch.dtype
) -> None:
    logits = torch.zeros(4, 4, 2, dtype=dtype)
    logits[torch.eye(4, dtype=torch.bool)] = -distance
    logits.requires_grad_()
    alone = torch.eye(4, dtype=torch.bool)
    loss = BAG_LOSSES[name](logits, alone, OWN)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logits.grad).all()  # type: ignore[arg-type]
    # the three others have a mass of 2, and the own one 2 exp(-d): for the losses with one text 1 and exp(-d)
    ways = 2 if name in ("mil_max_pairs", "nce_pairs") else 1  # both directions are summed
    assert float(loss.detach()) == pytest.approx(ways * (distance + math.log(3 + math.exp(-distance))), rel=1e-3)


def test_a_batch_of_one_class_has_nothing_to_tell_apart() -> None:
    for name in ("mil_nce", "mil_max", "nce"):
        logits = torch.randn(4, 4, 2, requires_grad=True)
        loss = BAG_LOSSES[name](logits, torch.ones(4, 4, dtype=torch.bool), OWN)
        loss.backward()
        assert abs(float(loss.detach())) < 1e-6
        assert float(logits.grad.abs().max()) < 1e-6  # type: ignore[union-attr]


def test_one_video_alone_has_a_loss_of_zero() -> None:
    for name, loss in BAG_LOSSES.items():
        one = torch.ones(1, 1, dtype=torch.bool)
        assert float(loss(torch.randn(1, 1, 3), one, torch.zeros(1, dtype=torch.int64))) == pytest.approx(
            0, abs=1e-6
        ), name


@pytest.mark.parametrize("name", loss_names())
def test_texts_that_are_all_equal_give_a_finite_loss(name: str) -> None:
    videos = functional.normalize(torch.randn(4, 8), dim=-1).requires_grad_()
    texts = torch.ones(3, 8) / math.sqrt(8)
    loss = loss_of(name, videos, texts, torch.tensor(1000.0), torch.zeros(4, 2, dtype=torch.int64), Y)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(videos.grad).all()  # type: ignore[arg-type]


def features(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    videos = functional.normalize(torch.randn(4, 8, generator=generator), dim=-1)
    texts = functional.normalize(torch.randn(5, 8, generator=generator), dim=-1)
    return videos, texts, torch.tensor([[0, 1, 1], [1, 0, 2], [2, 3, 4], [4, 4, 3]])


@pytest.mark.parametrize("name", BAG_LOSSES)
def test_prompts_that_bags_have_in_common_count_in_each_bag(name: Any) -> None:
    videos, texts, index = features()
    logits = 50 * torch.einsum("bd,cnd->bcn", videos, texts[index])
    want = BAG_LOSSES[name](logits, POSITIVE, OWN)
    assert float(loss_of(name, videos, texts, torch.tensor(50.0), index, Y)) == pytest.approx(float(want), rel=1e-5)


def test_cross_entropy_is_over_all_classes() -> None:
    videos, texts, index = features()
    want = functional.cross_entropy(50 * videos @ texts.T, Y)
    assert float(loss_of("ce", videos, texts, torch.tensor(50.0), index, Y)) == pytest.approx(float(want))


def soft(videos: Tensor, texts: Tensor, index: Tensor, best: Tensor, cosines: Tensor, **options: Any) -> float:
    """Return the objective `soft` of these features."""
    cls = built_in()["soft"]
    features = Features(videos, texts, torch.tensor(5.0), index, Y, top=best, cosines=cosines)
    return float(cls(cls.Options(**options)).loss(features))


def test_soft_labels_are_their_sentence_written_out() -> None:
    videos, texts, index = features()
    top = torch.tensor([[0, 1, 7], [0, 2, 1], [1, -1, -1], [2, 0, 1]])  # no bag has label 7
    cosines = torch.tensor([[0.3, 0.29, 0.28], [0.2, 0.2, 0.1], [0.3, -math.inf, -math.inf], [0.25, 0.24, 0.1]])
    mass = torch.einsum("bd,cnd->bcn", videos, texts[index]).mul(5).double().exp().sum(2).tolist()
    want = 0.0
    for i in range(4):
        known = [
            (int(top[i, k]), math.exp(float(cosines[i, k]) / 0.02)) for k in range(3) if int(top[i, k]) in (0, 1, 2)
        ]
        for label, weight in known:
            of_label = sum(mass[i][j] for j in range(4) if int(Y[j]) == label)
            want -= weight / sum(one for _, one in known) * math.log(of_label / sum(mass[i])) / 4
    assert soft(videos, texts, index, top, cosines, temperature=0.02) == pytest.approx(want, rel=1e-5)


def test_soft_labels_become_hard_ones_where_the_best_stands_alone() -> None:
    videos, texts, index = features()
    top, cosines = torch.tensor([[0, 1], [0, 2], [1, 2], [2, 0]]), torch.tensor([[0.3, 0.29]]).expand(4, -1)
    hard = float(loss_of("mil_nce", videos, texts, torch.tensor(5.0), index, Y))
    assert soft(videos, texts, index, top, cosines, top=1) == pytest.approx(hard, rel=1e-6)
    assert soft(videos, texts, index, top, cosines, temperature=1e-9) == pytest.approx(hard, rel=1e-6)
    assert soft(videos, texts, index, top, cosines, temperature=0.01) != pytest.approx(hard, rel=1e-3)
    assert float(loss_of("soft", videos, texts, torch.tensor(5.0), index, Y)) == pytest.approx(hard, rel=1e-6)
