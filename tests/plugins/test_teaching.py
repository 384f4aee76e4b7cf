"""`anchors` and `distill` against slow references in plain Python, and in the limits that their papers say."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from maxi_core import Encoded, Features
from maxi_plugins.teaching import Anchors, Distill


def features(seed: int = 0, *, of_classes: bool = False, teacher: bool = True) -> Features:
    """Return features of 4 videos with bags of 3 among 5 texts, and those of a teacher, in float64."""
    draw = torch.Generator().manual_seed(seed)
    videos, texts, their_videos, their_texts = (
        functional.normalize(torch.randn(count, 6, generator=draw, dtype=torch.float64), dim=1)
        for count in (4, 5, 4, 5)
    )
    groups = torch.tensor([0, 0, 1, 2])
    index = groups[:, None] if of_classes else torch.tensor([[0, 1, 1], [1, 0, 2], [2, 3, 4], [4, 4, 3]])
    scale = torch.tensor(50.0, dtype=torch.float64)
    taught = Encoded(their_videos, their_texts, torch.tensor(20.0, dtype=torch.float64)) if teacher else None
    return Features(videos, texts, scale, index, groups, of_classes, taught, draw=seed)


def like_the_teacher(given: Features) -> Features:
    assert given.teacher is not None
    return replace(
        given, videos=given.teacher.videos.clone().requires_grad_(), texts=given.teacher.texts.clone().requires_grad_()
    )


@pytest.mark.parametrize("of_classes", [False, True])
@pytest.mark.parametrize("count", [1, 7, 200])
def test_anchors_equal_their_formula_written_out(count: int, of_classes: bool) -> None:
    given = replace(features(3, of_classes=of_classes), scale=torch.tensor(2.0).double())
    assert given.teacher is not None
    drawn = torch.randn(count, 6, generator=given.generator()).double().numpy()
    anchors = [[x / math.sqrt(sum(y * y for y in row)) for x in row] for row in drawn.tolist()]
    columns = list(range(5)) if of_classes else given.index.flatten().tolist()

    def softmax(videos: np.ndarray, texts: np.ndarray, video: int) -> list[float]:
        logits = []
        for text in columns:
            through = [
                sum(a * x for a, x in zip(anchor, videos[video], strict=True))
                * sum(a * x for a, x in zip(anchor, texts[text], strict=True))
                for anchor in anchors
            ]
            logits.append(2 * sum(through))
        total = sum(math.exp(one - max(logits)) for one in logits)
        return [math.exp(one - max(logits)) / total for one in logits]

    want = 0.0
    for video in range(4):
        told = softmax(given.teacher.videos.numpy(), given.teacher.texts.numpy(), video)
        said = softmax(given.videos.numpy(), given.texts.numpy(), video)
        want += sum(p * math.log(p / q) for p, q in zip(told, said, strict=True) if p > 0) / 4
    loss = Anchors(Anchors.Options(anchors=count)).loss(given)
    assert want > 0.01
    assert float(loss) == pytest.approx(want, rel=1e-5)


def test_anchors_are_zero_where_the_model_is_its_teacher_and_push_nowhere() -> None:
    given = like_the_teacher(features())
    loss = Anchors().loss(given)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-12
    assert float(given.videos.grad.abs().max()) < 1e-10  # type: ignore[union-attr]


def test_with_ever_more_anchors_the_similarity_is_the_cosine() -> None:
    given = features()
    assert given.teacher is not None
    count = 200_000
    loss = Anchors(Anchors.Options(anchors=count)).loss(replace(given, scale=torch.tensor(6.0 / count).double()))
    said, told = (
        (videos @ texts[given.index].flatten(0, 1).T).log_softmax(1)
        for videos, texts in ((given.videos, given.texts), (given.teacher.videos, given.teacher.texts))
    )
    want = (told.exp() * (told - said)).sum(1).mean()
    assert float(loss) == pytest.approx(float(want), rel=0.02)


def test_anchors_are_drawn_anew_in_each_step_and_the_same_twice() -> None:
    first, again, other = (float(Anchors().loss(replace(features(), draw=draw))) for draw in (1, 1, 2))
    assert first == again
    assert first != other


def test_anchors_ask_for_a_mean_or_for_the_model_at_the_start() -> None:
    assert Anchors().teacher.decay == 0.9998
    assert Anchors(Anchors.Options(kind="frozen")).teacher == Distill().teacher


def test_distill_equals_its_formula_written_out() -> None:
    given = features(1)
    assert given.teacher is not None
    torch.manual_seed(0)
    head = Distill().head(6).double()
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.copy_(torch.randn_like(parameter))
    weights = {name: value.detach().numpy() for name, value in head.named_parameters()}

    def residual(feature: np.ndarray, which: str) -> np.ndarray:
        hidden = weights[f"{which}.0.weight"] @ feature + weights[f"{which}.0.bias"]
        hidden = np.array([x * (1 + math.erf(x / math.sqrt(2))) / 2 for x in hidden])
        return feature + 0.1 * (weights[f"{which}.2.weight"] @ hidden + weights[f"{which}.2.bias"])

    def lost(one: np.ndarray, other: np.ndarray) -> float:
        return 1 - float(one @ other) / (np.linalg.norm(one) * np.linalg.norm(other))

    videos = [lost(residual(given.videos[i].numpy(), "videos"), given.teacher.videos[i].numpy()) for i in range(4)]
    texts = [lost(residual(given.texts[i].numpy(), "texts"), given.teacher.texts[i].numpy()) for i in range(5)]
    of_bags = [texts[place] for place in given.index.flatten().tolist()]
    want = sum(videos) / 4 + sum(of_bags) / 12
    assert float(Distill().loss(replace(given, head=head)).detach()) == pytest.approx(want, rel=1e-9)
    of_classes = replace(given, head=head, of_classes=True)
    assert float(Distill().loss(of_classes).detach()) == pytest.approx(sum(videos) / 4 + sum(texts) / 5, rel=1e-9)


def test_distill_begins_at_zero_and_without_its_layer_says_how_far_features_went() -> None:
    given = features()
    assert given.teacher is not None
    head = Distill().head(6).double()
    same = like_the_teacher(replace(given, head=head))
    loss = Distill().loss(same)
    loss.backward()
    assert abs(float(loss.detach())) < 1e-12
    assert all(float(one.grad.abs().max()) < 1e-10 for one in (same.videos, same.texts))  # type: ignore[union-attr]
    opposite = replace(given, videos=-given.teacher.videos, texts=-given.teacher.texts, head=head)
    assert float(Distill().loss(opposite).detach()) == pytest.approx(4)
