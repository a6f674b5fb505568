"""Has the world changed since calibration? A martingale on conformal p-values that may be watched for ever.

One number per episode (the first decision's score, say), higher = riskier; for calibration the same functional of
episodes truncated by the same limit. The promise needs calibration and deployed episodes to be exchangeable, no more.
"""

from collections.abc import Mapping
from typing import Self

import numpy as np

from surehand.exceptions import NotEnoughData, SurehandError
from surehand.measure.shift_bets import JUMP, ShiftState, Stake, Watch
from surehand.measure.shift_ranks import Ranks

# Bets on small p: κ p^(κ−1) gains where few are tiny, 1 + c(½ − p) where many are somewhat small, 1 sits out.
POWERS = (0.2, 0.4, 0.6, 0.8)
SLOPES = (2.0, 1.0, 0.0)


def bets(p: np.ndarray, *, both: bool = False) -> np.ndarray:
    """What each bet makes of 1 at p-values (...): (..., B), every bet with mean 1 for uniform p.

    On small p alone, or on `both` small and large ones.
    """
    wide = np.asarray(p, float)[..., None]
    power, slope = np.array(POWERS), np.array(SLOPES)
    low = [power * wide ** (power - 1), 1 + slope * (0.5 - wide)]
    if not both:
        return np.concatenate(low, axis=-1)
    mirrored = np.maximum(1 - wide, np.finfo(float).tiny)
    return np.concatenate([*low, power * mirrored ** (power - 1), 1 - slope[:-1] * (0.5 - wide)], axis=-1)


def log_martingale(p: np.ndarray, *, jump: float = JUMP, both: bool = False) -> np.ndarray:
    """Natural logarithm of the betting martingale after each of the p-values (..., N): (..., N).

    `p` as `online_p_values` gives it. P(ever ≥ log 1/α) ≤ α if the episodes are exchangeable with calibration's.
    """
    p = np.asarray(p, float)
    if not ((p > 0) & (p <= 1)).all():
        raise SurehandError("p-values lie above 0 and up to 1; take them from online_p_values")
    stake = Stake(bets(np.ones(1), both=both).shape[-1], jump, p.shape[:-1])
    path = np.empty(p.shape)
    for n in range(p.shape[-1]):
        path[..., n] = stake.grow(bets(p[..., n], both=both)).log
    return path


class ShiftMonitor:
    """False alarms in at most alpha of deployments, however long, if episodes are exchangeable with calibration's.

    update(value) per deployed episode, in order; compute(). The p-value ranks the value among calibration and all
    earlier deployed ones, ties broken by `rng`. An alarm stays. Two monitors cannot be merged, as neither has seen
    the other's episodes; a monitor that starts anew spends another alpha.
    """

    def __init__(
        self,
        calibration: np.ndarray,
        alpha: float = 0.01,
        *,
        rng: np.random.Generator,
        jump: float = JUMP,
        both: bool = False,
    ) -> None:
        self.both, self.rng = both, rng
        self._ranks = Ranks(np.asarray(calibration, float))
        if not len(self._ranks):
            raise NotEnoughData("a shift monitor needs calibration values to compare with; even 50 episodes see little")
        self._watch = Watch(alpha, bets(np.ones(1), both=both).shape[-1], jump)

    def update(self, value: float) -> ShiftState:
        """The state after one more episode, its value NaN where it could not be scored (the riskiest of all)."""
        above, equal = self._ranks.counts(value)
        p = (above + (1 - self.rng.random()) * (equal + 1)) / (len(self._ranks) + 1)
        self._ranks.add(value)
        self._watch.grow(bets(np.array(p), both=self.both))
        return self.compute()

    def compute(self) -> ShiftState:
        """The state now."""
        return self._watch.state("the scores")

    def arrays(self) -> dict[str, np.ndarray]:
        """All that a restart needs, as plain arrays: for np.savez."""
        return {"values": self._ranks.values(), "both": np.array(self.both), **self._watch.arrays()}

    @classmethod
    def load(cls, arrays: Mapping[str, np.ndarray], *, rng: np.random.Generator) -> Self:
        """The monitor that `arrays` saved; it goes on, and spends no second alpha. `rng` must not repeat old draws."""
        both = bool(arrays.get("both", False))
        watch = Watch.load(arrays, bets(np.ones(1), both=both).shape[-1], "values", "both")
        found = cls(arrays["values"], watch.alpha, rng=rng, both=both)
        found._watch = watch
        return found
