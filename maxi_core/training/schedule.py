"""The learning rate of each step: linear warm-up from 0, then a cosine down to a hundredth (method.md, training)."""

import math
from dataclasses import dataclass

FLOOR = 0.01  # of the peak, at the last step


@dataclass(frozen=True)
class Schedule:
    """`peak` is reached after `warmup` of `steps` steps; the first step has rate 0 if there is a warm-up."""

    peak: float
    steps: int
    warmup: int = 0

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.peak * step / self.warmup
        floor = FLOOR * self.peak
        left = self.steps - 1 - self.warmup
        if left <= 0:
            return self.peak
        done = min(1.0, (step - self.warmup) / left)
        return floor + (self.peak - floor) * (1 + math.cos(math.pi * done)) / 2
