"""What every objective keeps: a finite number, right gradients, the same on several ranks, zero where it says so."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from maxi_core.testing.effects import TORCH_RANDOM, unsettle, watched
from maxi_core.testing.subject import Subject
from maxi_core.texts import counted
from maxi_core.training.objective import Encoded, Features, Objective

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

WIDTH, VIDEOS, TEXTS, BAG, CLASSES = 6, 4, 12, 3, 3
OF_VIDEOS = ("videos", "index", "groups", "top", "cosines")
SCALES = (1.0, 50.0, 1000.0)
STEP = 1e-6  # of a finite difference in float64
CLOSE = 1e-5  # of numbers that rounding alone may part, in float64


def made(subject: Subject) -> Objective:
    """Return the objective; raises AssertionError for something else."""
    one = subject.make()
    assert isinstance(one, Objective), f"{type(one).__name__} is not an Objective"
    return one


def features(
    one: Objective, videos: int = VIDEOS, *, seed: int = 0, scale: float = 10.0, bag: int = BAG, apart: float = 1.0
) -> Features:
    """Return features in float64 as a step gives them: random ones of length 1, those of a teacher `apart` from them.

    The texts are those that the objective asks for; one that takes any gets those of bags. A head is away from where it
    begins.
    """
    import torch
    from torch.nn import functional

    draw = torch.Generator().manual_seed(seed)

    def some(*shape: int) -> "Tensor":
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    unit, of_classes = functional.normalize, one.prompts == "classes"
    groups = torch.arange(videos) % CLASSES
    index = torch.stack([torch.randperm(TEXTS, generator=draw)[:bag] for _ in range(videos)])
    theirs = unit(some(videos, WIDTH)), unit(some(CLASSES if of_classes else TEXTS, WIDTH))
    own = [unit(feature + apart * some(*feature.shape)).requires_grad_() for feature in theirs]
    heat = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
    teacher = None if one.teacher is None else Encoded(*theirs, heat.detach().clone())
    again = one.teacher is not None and one.teacher.between is not None
    if again:
        teacher = Encoded(theirs[0].requires_grad_(), theirs[1].requires_grad_(), heat)
    towards = unit(some(1, WIDTH))[0]

    def others(said: Encoded) -> "Tensor":
        return (said.videos @ towards.to(said.videos)).mean()

    return Features(
        own[0], own[1], heat, groups[:, None] if of_classes else index, groups, of_classes, teacher,
        _head(one, seed, apart), draw=seed,
        top=torch.stack([groups, (groups + 1) % CLASSES, -torch.ones_like(groups)], 1),
        cosines=torch.tensor([0.3, 0.29, -float("inf")]).expand(videos, -1),
        share=0.25 if again else 0.0, others=others if again else None,
    )  # fmt: skip


def _head(one: Objective, seed: int, apart: float) -> "nn.Module | None":
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = one.head(WIDTH)
        if head is not None:
            with torch.no_grad():
                for weight in head.parameters():
                    weight.add_(apart * 0.1 * torch.randn(weight.shape, dtype=weight.dtype))
    return None if head is None else head.double()


def inputs(given: Features) -> "dict[str, Tensor]":
    """Return by name what a gradient may reach."""
    found = {"videos": given.videos, "texts": given.texts, "scale": given.scale}
    if given.others is not None and given.teacher is not None:
        found |= {"teacher.videos": given.teacher.videos, "teacher.texts": given.teacher.texts}
    return found | ({} if given.head is None else {f"head.{n}": p for n, p in given.head.named_parameters()})


def gradients(loss: "Tensor", given: Features) -> "dict[str, Tensor]":
    """Return the gradient of each input that the loss depends on."""
    import torch

    named = inputs(given)
    if not loss.requires_grad:
        return {}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    return {name: one for name, one in zip(named, found, strict=True) if one is not None}


def finite(subject: Subject) -> None:
    """A number without dimensions, finite with its gradients at any scale, in half precision and of equal texts."""
    import torch

    one = made(subject)
    for scale in SCALES:
        for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
            given = features(one, scale=scale)
            alike = replace(given, texts=given.texts[:1].repeat(len(given.texts), 1).detach().requires_grad_())
            for what, case in (("", given), (" of equal texts", alike), (" of one video", features(one, 1))):
                told = _in(case, dtype)
                loss: object = one.loss(told)
                assert isinstance(loss, torch.Tensor), f"its loss is a {type(loss).__name__}, not a tensor"
                assert loss.ndim == 0, f"its loss has the shape {tuple(loss.shape)}: take the mean over videos"
                assert torch.isfinite(loss), f"at scale {scale:g} in {dtype}{what} its loss is {float(loss)}"
                for name, gradient in gradients(loss, told).items():
                    assert torch.isfinite(gradient).all(), (
                        f"at scale {scale:g} in {dtype}{what} the gradient of {name} is not finite: use logsumexp or "
                        "log_softmax, in float32"
                    )


def _in(given: Features, dtype: "torch.dtype") -> Features:
    def cast(tensor: "Tensor") -> "Tensor":
        return tensor.detach().to(dtype).requires_grad_(tensor.requires_grad)

    teacher = given.teacher and Encoded(*map(cast, (given.teacher.videos, given.teacher.texts, given.teacher.scale)))
    head = None if given.head is None else given.head.to(dtype)
    return replace(
        given, videos=cast(given.videos), texts=cast(given.texts), scale=cast(given.scale), teacher=teacher, head=head
    )


def right_gradients(subject: Subject) -> None:
    """The gradient is that of what is computed: it agrees with finite differences in double precision."""
    import torch

    one = made(subject)
    given = features(one)
    found = gradients(one.loss(given), given)
    assert {"videos", "texts", "teacher.videos"} & found.keys(), "no gradient reaches the features: it trains nothing"
    draw = torch.Generator().manual_seed(3)
    for name, gradient in found.items():
        step = torch.randn(gradient.shape, generator=draw, dtype=torch.float64)
        told, seen = float((step * gradient).sum()), _slope(one, given, inputs(given)[name], step)
        size = float((step * gradient).abs().sum()) + abs(seen)
        assert abs(told - seen) <= CLOSE * size + 1e-8, (
            f"along one direction of {name} its gradient says {told:.6g}, and a small step changes it by {seen:.6g}: "
            "something is detached, rounded, or computed under no_grad"
        )


def _slope(one: Objective, given: Features, at: "Tensor", step: "Tensor") -> float:
    import torch

    found = []
    with torch.no_grad():
        for sign in (1, -2):  # forth, and to the other side
            at.add_(step, alpha=sign * STEP)
            found.append(float(one.loss(given)))
        at.add_(step, alpha=STEP)  # home
    return (found[0] - found[1]) / (2 * STEP)


def two_ranks(subject: Subject) -> None:
    """Where features are gathered, the mean over two ranks is the loss of one batch of both, and so is its gradient."""
    one = made(subject)
    whole = features(one, 2 * VIDEOS)
    want = one.loss(whole)
    first, second = _on_two_ranks(subject, whole)
    mean = (first + second) / 2
    _near(want, mean, "two ranks give {}, and one gives {}: use `gather`, and take means over videos")
    wanted, found = gradients(want, whole), gradients(mean, whole)
    for name in wanted.keys() | found.keys():
        gap = (wanted.get(name, 0 * inputs(whole)[name]) - found.get(name, 0 * inputs(whole)[name])).abs().max().item()
        assert gap < CLOSE, f"the gradients of {name} on two ranks and on one differ by {gap:.2g}"


def _on_two_ranks(subject: Subject, whole: Features) -> "list[Tensor]":
    """Return the losses of two ranks with half of the videos each, which gather from each other, in two threads."""
    import torch

    meeting = threading.Barrier(2)
    parts: list[Any] = [None, None]
    found: list[Any] = [None, None]

    def exchanged(number: int, part: "Tensor | None") -> "list[Tensor]":
        parts[number] = part
        meeting.wait()
        both = list(parts)
        meeting.wait()
        assert part is None or not any(one is None for one in both), (
            "one rank gathers where the other does not: every rank must gather the same"
        )
        return both

    def rank(number: int) -> None:
        try:
            found[number] = made(subject).loss(_half(whole, number, lambda mine: torch.cat(exchanged(number, mine))))
            exchanged(number, None)
        except Exception as error:  # raised again where it can be seen
            found[number] = error
            meeting.abort()

    threads = [threading.Thread(target=rank, args=(number,), daemon=True) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in sorted((one for one in found if isinstance(one, Exception)), key=_is_late):
        raise error
    return found


def _is_late(error: Exception) -> bool:
    """Whether an error only says that the other rank has gone."""
    return isinstance(error, threading.BrokenBarrierError)


def _half(whole: Features, number: int, gather: "Callable[[Tensor], Tensor]") -> Features:
    """Return what a rank has of the whole: its videos, and of the texts those of its bags alone."""
    import torch

    part = replace(whole, **_rows(whole, torch.arange(number * VIDEOS, (number + 1) * VIDEOS)))
    index, rows = part.index, torch.arange(len(whole.texts))
    if not whole.of_classes:
        rows, index = torch.unique(index, return_inverse=True)
    teacher = part.teacher and replace(part.teacher, texts=part.teacher.texts[rows])
    return replace(part, texts=whole.texts[rows], index=index, teacher=teacher, rank=number, world=2, gather=gather)


def _rows(given: Features, places: "Tensor") -> dict[str, Any]:
    """Return all of some videos, in this order."""
    teacher = given.teacher and replace(given.teacher, videos=given.teacher.videos[places])
    return {key: getattr(given, key)[places] for key in OF_VIDEOS} | {"teacher": teacher}


def any_order(subject: Subject) -> None:
    """The order of the videos in a batch does not matter: it is drawn anew in every epoch."""
    import torch

    one = made(subject)
    given = features(one)
    other = replace(given, **_rows(given, torch.tensor([2, 0, 3, 1])))
    _near(one.loss(given), one.loss(other), "it gives {}, and {} with the videos in another order")


def same_twice(subject: Subject) -> None:
    """The same features give the same loss: what is drawn comes from `features.generator()`."""
    import torch

    first, second = made(subject), made(subject)
    given = features(first)
    torch.manual_seed(1)
    losses = [first.loss(given)]
    torch.manual_seed(2)
    losses += [first.loss(given), second.loss(given)]
    for other in losses[1:]:
        assert torch.equal(losses[0], other), f"it gave {float(losses[0]):.6g} and then {float(other):.6g}"


def unchanged_inputs(subject: Subject) -> None:
    """Features stay as they were: other objectives get the same."""
    import torch

    one = made(subject)
    given = features(one)
    tensors = [*inputs(given).values(), given.index, given.groups]
    tensors += [given.teacher.videos, given.teacher.texts] if given.teacher else []
    before = [tensor.detach().clone() for tensor in tensors]
    with torch.no_grad():
        one.loss(given)
    for was, tensor in zip(before, tensors, strict=True):
        assert torch.equal(was, tensor), "it changed the features that it was given: work on a copy"


def leaves_the_process(subject: Subject) -> None:
    """It seeds nothing, draws nothing from what all share, and modes, folder and environment stay."""
    import torch

    after = []
    for seed in (1, 2):
        one = made(subject)
        given = features(one)
        unsettle(seed)
        with watched(TORCH_RANDOM, first=seed == 1):
            torch.autograd.backward(one.loss(given))
        after.append(torch.get_rng_state())
    assert not torch.equal(after[0], after[1]), "it seeds torch's global generator: use features.generator()"


def follows_the_device(subject: Subject) -> None:
    """It computes where the features are: what it draws or makes goes there, too."""

    one = made(subject)
    given = features(one)

    def away(tensor: "Tensor") -> "Tensor":
        return tensor.detach().to("meta")

    teacher = given.teacher and Encoded(*map(away, (given.teacher.videos, given.teacher.texts, given.teacher.scale)))
    moved: dict[str, Any] = {
        key: away(getattr(given, key)) for key in ("videos", "texts", "scale", "index", "groups", "top", "cosines")
    }
    try:
        one.loss(replace(given, **moved, teacher=teacher, head=given.head and given.head.to("meta")))
    except Exception as error:
        text = str(error)
        assert not ("device" in text and "meta" in text and "cpu" in text), (
            f"features on another device raised {text.splitlines()[0]}: move it `.to(features.videos)`"
        )  # what has no meaning without numbers, such as .item(), may fail


def says_where_it_is_constant(subject: Subject) -> None:
    """Where it says that it has no gradient, it has none: a training is refused for that."""
    import torch

    one = made(subject)
    for videos, entries, alike in ((1, 1, False), (4, 1, False), (4, 1, True), (4, 2, False)):
        why: object = one.constant_because(videos, entries, alike=alike)
        assert isinstance(why, str), f"constant_because gave {why!r:.40}, not a text"
        if not why:
            continue
        given = features(one, videos)
        groups = torch.arange(videos) % entries
        if given.of_classes:
            given = replace(given, texts=given.texts[:entries], index=groups[:, None])
        elif alike:
            given = replace(given, index=given.index[groups])
        given = replace(given, groups=groups, top=groups[:, None], cosines=torch.zeros(videos, 1))
        found = gradients(one.loss(given), given).get("videos", torch.zeros(1)).abs().max().item()
        assert found < CLOSE, (
            f"it says '{why}' of {counted(videos, 'video')} of {counted(entries, 'entry')}, and has a gradient there"
        )


def zero_at_its_teacher(subject: Subject) -> None:
    """A regulariser asks for a teacher, and is zero without a gradient where the model is what its teacher is."""
    one = made(subject)
    if not one.regulariser:
        return
    assert one.teacher is not None, "it says that it is a regulariser, and asks for no teacher"
    given = features(one, apart=0)
    loss = one.loss(given)
    assert abs(float(loss.detach())) < CLOSE, f"the model is its teacher, and its loss is {float(loss.detach()):.3g}"
    found = gradients(loss, given)
    for name in found.keys() & {"videos", "texts"}:  # features keep their length: along them nothing is pushed
        features_of = inputs(given)[name].detach()
        along = (found[name] * features_of).sum(1, keepdim=True) * features_of
        size = (found[name] - along).abs().max().item()
        assert size < CLOSE, f"the model is its teacher, and {name} are pushed by {size:.2g}"


def head_is_trained(subject: Subject) -> None:
    """Each weight of its head gets a gradient, and the head is another one for each training."""
    one = made(subject)
    given = features(one)
    if given.head is None:
        return
    found = gradients(one.loss(given), given)
    for name in inputs(given):
        assert not name.startswith("head.") or name in found, f"no gradient reaches {name}: take it out"
    again = one.head(WIDTH)
    assert again is not one.head(WIDTH), "head() gives the same module twice: a second training would go on with it"


OBJECTIVE: dict[str, Callable[[Subject], None]] = {
    "its loss is a number, finite at any scale and in half precision": finite,
    "its gradients agree with finite differences": right_gradients,
    "two ranks compute what one computes": two_ranks,
    "the order of the videos does not change its loss": any_order,
    "its loss is the same twice": same_twice,
    "it leaves what it was given as it is": unchanged_inputs,
    "it leaves the process as it was": leaves_the_process,
    "it computes where the features are": follows_the_device,
    "where it says that it has no gradient it has none": says_where_it_is_constant,
    "a regulariser is zero where the model is its teacher": zero_at_its_teacher,
    "gradients reach all of its head": head_is_trained,
}


def _near(one: "Tensor", other: "Tensor", said: str) -> None:
    first, second = float(one.detach()), float(other.detach())
    assert abs(first - second) <= CLOSE * max(1.0, abs(first)), said.format(f"{second:.6g}", f"{first:.6g}")
