"""A limit that moves with what happens (adaptive conformal inference; Gibbs & Candès 2021).

What it keeps is a long-run average, whatever the world does, and no probability for any one episode. A limit that moves
voids a certificate made for a fixed one, so this is a type of its own and holds none.
"""

import math

from surehand.exceptions import SurehandError


class AdaptiveLimit:
    """Mean executed loss over T episodes ≤ ε + (start − low + γ)/(γT), for every sequence of episodes.

    update(loss) after every episode with its executed loss in [0, 1]; `limit` is λ for the next one: execute what
    scores below. No score lies below `low`, so nothing is executed there; `high` stops its growth while all is well.
    """

    def __init__(self, epsilon: float, *, step: float, low: float, high: float, start: float) -> None:
        if not 0 < epsilon < 1:
            raise SurehandError(f"epsilon {epsilon}: expected a risk between 0 and 1")
        if not (0 < step < math.inf and -math.inf < low <= start <= high < math.inf and low < high):
            said = f"step {step}, limits from {low} to {high}, start {start}"
            raise SurehandError(f"{said}: expected a step above 0 and low ≤ start ≤ high, all finite")
        self.epsilon, self.step, self.low, self.high, self.start = epsilon, step, low, high, start
        self.episodes, self._limit, self._losses = 0, start, 0.0

    @property
    def limit(self) -> float:
        """λ for the next episode."""
        return self._limit

    @property
    def mean_loss(self) -> float:
        """Mean executed loss so far; NaN before the first episode."""
        return self._losses / self.episodes if self.episodes else float("nan")

    @property
    def bound(self) -> float:
        """What the mean loss so far cannot exceed; NaN before the first episode."""
        if not self.episodes:
            return float("nan")
        return self.epsilon + (self.start - self.low + self.step) / (self.step * self.episodes)

    def update(self, loss: float) -> "AdaptiveLimit":
        """This limit after one more episode; every executed label is needed, so a loss of NaN is refused."""
        if not 0 <= loss <= 1:
            raise SurehandError(f"an executed loss of {loss}: expected 0 to 1; an adaptive limit needs every label")
        if loss > 0 and self._limit <= self.low:
            raise SurehandError(f"a loss of {loss} at limit {self._limit:g}, where nothing may be executed; check low")
        self.episodes += 1
        self._losses += loss
        self._limit = min(self._limit + self.step * (self.epsilon - loss), self.high)
        return self

    def __str__(self) -> str:
        if not self.episodes:
            return f"adaptive limit {self.limit:.4g}: no episode yet; a long-run average, not a certificate"
        mean = f"mean loss {self.mean_loss:.3g} of at most {self.bound:.3g} in {self.episodes} episodes"
        return f"adaptive limit {self.limit:.4g}: {mean}; a long-run average, not a certificate"
