"""What the prior makes of a pair: posteriors of every policy, drawn once and shared by all its pairs."""

import numpy as np

from surehand.decide.compare_data import Arm
from surehand.decide.comparison import PriorRow
from surehand.measure.superiority import draw_distributions, win_rates

DRAWS = 20_000


class Posteriors:
    """Distributions over the levels (B, L) of every policy, under every prior that was asked for."""

    def __init__(self, levels: np.ndarray, seed: int) -> None:
        self.levels = levels
        self._seed = seed
        self._drawn: dict[tuple[str, float], np.ndarray] = {}

    def draws(self, arm: Arm, prior: float) -> np.ndarray:
        """The policy's (B, L); the same ones in every pair, and whichever other policies there are."""
        key = (arm.policy, prior)
        if key not in self._drawn:
            rng = np.random.default_rng([self._seed, round(1e6 * prior), *arm.policy.encode()])
            self._drawn[key] = draw_distributions(arm.counts(self.levels), prior, DRAWS, rng)
        return self._drawn[key]

    def compare(self, first: Arm, second: Arm, prior: float, level: float) -> PriorRow:
        """How probable it is that the first is better, and limits of its win rate."""
        a, b = self.draws(first, prior), self.draws(second, prior)
        rates = win_rates(a, b)
        low, high = np.quantile(rates, [(1 - level) / 2, (1 + level) / 2])
        better, higher_mean = _above(rates - 0.5), _above((a - b) @ self.levels)
        return PriorRow(prior=prior, better=better, higher_mean=higher_mean, low=float(low), high=float(high))


def _above(values: np.ndarray) -> float:
    """The share above 0, draws without a difference half."""
    return float((values > 0).mean() + (values == 0).mean() / 2)
