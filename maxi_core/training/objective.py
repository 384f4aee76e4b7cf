"""The role of an objective: what a step of training makes smaller, from the features of a micro-batch to a number."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from maxi_core.settings.options import Configured

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Prompts = Literal["bags", "classes", "any"]
PROMPTS: tuple[str, ...] = get_args(Prompts)


@dataclass(frozen=True, slots=True)
class Teacher:
    """Asks for a copy of the model: as it is when the run begins, or, with a `decay`, the mean that follows it.

    After each step each weight becomes decay * itself + (1 - decay) * the model's. Equal ones of several objectives are
    one teacher. It sees the frames and prompts that the model sees, in evaluation mode and without a gradient.

    With `between` it is no teacher but the model once more, trained and with a gradient, at the weights
    share * start + (1 - share) * now; the share is drawn for each step, uniform in 0..between.
    """

    decay: float | None = None
    between: float | None = None


@dataclass(frozen=True)
class Encoded:
    """What a model says of a micro-batch: `videos` (B, D) and `texts` (P, D) of length 1, `scale` is 1 / sigma."""

    videos: "Tensor"
    texts: "Tensor"
    scale: "Tensor"


@dataclass(frozen=True)
class Features(Encoded):
    """What an objective gets of a micro-batch of B videos.

    `index` (B, N) are the rows of `texts` that are each video's bag, `groups` (B,) the entries that the videos are
    matched to. `of_classes` says that `texts` are the prompts of all classes, in the order of the groups: then a bag is
    the prompt of its class. `teacher` and `head` are what the objective has asked for, else None.

    `top` (B, K) are the entries that each video is nearest to, its own first, and `cosines` (B, K) how near: -1 and
    -inf where there are fewer; entries that no video is matched to are left out.

    For a teacher `between`, `share` is that of the start in its weights, `teacher.texts` are all prompts of the step,
    and `others` gives the weighted sum of the objectives that train by themselves, of what a model says of the batch.

    This is rank `rank` of `world`: `world` is 1 unless features are gathered from all ranks, and the loss of a step is
    the mean over ranks. `gather` then returns the tensors of all ranks one after the other, (B, ...) -> (world * B,
    ...), and differentiates rightly; they must have one shape, as `texts[index]` has, and `texts` has not.
    """

    index: "Tensor"
    groups: "Tensor"
    of_classes: bool = False
    teacher: Encoded | None = None
    head: "nn.Module | None" = None
    rank: int = 0
    world: int = 1
    gather: "Callable[[Tensor], Tensor]" = lambda tensor: tensor
    draw: int = 0
    top: "Tensor | None" = None
    cosines: "Tensor | None" = None
    share: float = 0.0
    others: "Callable[[Encoded], Tensor] | None" = None

    def told_from(self, texts: "Tensor") -> "Tensor":
        """Return, of text features (P, D), what a video is told apart from: all classes, or every text of all bags."""
        return texts if self.of_classes else self.gather(texts[self.index]).flatten(0, 1)

    def generator(self) -> "torch.Generator":
        """Return random numbers on the CPU that depend on seed, objective and step: the same on all ranks."""
        import torch

        return torch.Generator().manual_seed(self.draw)


class Objective(Configured):
    """What training makes smaller; the weighted sum of those that a recipe names is the loss.

    `weight` is an option of every objective, whose default the class may set. `prompts` says which texts are wanted:
    those of the bags, those of all classes, or whichever there are. A `regulariser` is zero, and has no gradient, while
    the model is what its teacher is: it is added to another objective and trains nothing by itself.
    """

    role = "objective"
    weight: float = 1.0
    prompts: ClassVar[Prompts] = "bags"
    regulariser: ClassVar[bool] = False

    @property
    def teacher(self) -> Teacher | None:
        """The teacher that is wanted; None: none."""
        return None

    def head(self, width: int) -> "nn.Module | None":  # noqa: ARG002 (what another class looks at)
        """Return a module for features of `width` that is trained with the model and never part of it; None: none.

        It is in no checkpoint's weights and in no export; the state to go on from has it.
        """
        return None

    @abstractmethod
    def loss(self, features: Features) -> "Tensor":
        """Return the loss of a micro-batch, a tensor without dimensions; called without autocast."""

    def constant_because(self, batch: int, entries: int, *, alike: bool) -> str:  # noqa: ARG002 (as above)
        """Return why the loss is the same whatever the model does, and so has no gradient; "" if it may have one.

        `batch` videos meet in it, of `entries` different entries (of classes: how many there are); `alike` says whether
        all bags of one entry hold the same texts.
        """
        return ""

    @property
    def alone(self) -> bool:
        """Whether it trains something by itself: no regulariser does, nor what asks the others once more."""
        return not self.regulariser and (self.teacher is None or self.teacher.between is None)
