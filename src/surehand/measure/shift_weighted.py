"""Conformal risk control under a covariate shift whose weights are known.

After Tibshirani et al. (2019) and Angelopoulos et al. (2022). E calibration episodes, M deployed ones. Episode e's
loss at limit λ is 1{λ > c_e}: `critical` c_e is the limit above which its violation is executed (the highest score up
to its first violation; +∞ without one).
"""

from dataclasses import dataclass

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError


@dataclass(frozen=True, eq=False)
class WeightedLimits:
    """Mean loss ≤ ε over calibrations and deployed episodes, if the weights are the true density ratios up to a factor.

    `limit` (M,): execute what scores below. −∞ abstains always: the deployed episode weighs too much for ε.
    """

    limit: np.ndarray  # (M,)
    epsilon: float
    episodes: int
    effective: float  # (Σw)²/Σw²: how many equally weighted episodes would be worth as much (Kish 1965)

    @property
    def feasible(self) -> np.ndarray:
        """False where nothing may be executed (M,)."""
        return np.asarray(self.limit > -np.inf)

    def __str__(self) -> str:
        worth = f"{self.episodes} weighted episodes are worth {self.effective:.1f}"
        share = float(self.feasible.mean()) if len(self.limit) else 0.0
        return (
            f"mean risk ≤ {self.epsilon:g} if the weights are true; {worth}; {share:.0%} of deployed ones have a limit"
        )


class WeightedRisk:
    """update(critical (n,), weight (n,)) with calibration episodes, merge(other), compute(weights, epsilon)."""

    def __init__(self) -> None:
        self._critical: list[np.ndarray] = []
        self._weight: list[np.ndarray] = []

    def update(self, critical: np.ndarray, weight: np.ndarray) -> "WeightedRisk":
        """This with more calibration episodes: their critical limits (n,) and weights (n,), finite and from 0."""
        critical, weight = np.atleast_1d(np.asarray(critical, float)), np.atleast_1d(np.asarray(weight, float))
        if critical.shape != weight.shape or critical.ndim != 1:
            raise ShapeError(f"critical limits of shape {critical.shape}, weights {weight.shape}; one each per episode")
        if not (np.isfinite(weight).all() and (weight >= 0).all()):
            raise SurehandError("weights of calibration episodes must be finite and from 0")
        self._critical.append(np.where(np.isnan(critical), -np.inf, critical))  # unknown: counts as always violated
        self._weight.append(weight)
        return self

    def merge(self, other: "WeightedRisk") -> "WeightedRisk":
        """This with the other's episodes."""
        self._critical += other._critical
        self._weight += other._weight
        return self

    def compute(self, weight: np.ndarray, epsilon: float) -> WeightedLimits:
        """Limits for deployed episodes of weights (M,), known before they begin.

        λ = sup{λ : Σ w_e L_e(λ) + w ≤ ε(Σ w_e + w)}; a weight that is not finite gives −∞.
        """
        if not 0 < epsilon < 1:
            raise SurehandError(f"epsilon {epsilon}: expected a risk between 0 and 1")
        critical, known = (np.concatenate(x) if x else np.zeros(0) for x in (self._critical, self._weight))
        if not known.sum() > 0:
            raise NotEnoughData("weighted risk control needs calibration episodes with weights above 0")
        new = np.atleast_1d(np.asarray(weight, float))
        if (new < 0).any():
            raise SurehandError("weights of deployed episodes must be from 0")
        order = np.argsort(critical)
        critical, losses = critical[order], np.cumsum(known[order])
        usable = np.where(np.isfinite(new), new, 0.0)
        room = epsilon * (known.sum() + usable) - usable  # what the losses may weigh
        # At λ = c_j the episodes with c < c_j have their loss: the first c_j whose loss no longer fits is the supremum.
        fits = losses.searchsorted(room * (1 + 1e-12), "right")
        limit = np.append(critical, np.inf)[fits]
        limit = np.where((room >= 0) & np.isfinite(new), limit, -np.inf)
        return WeightedLimits(limit, epsilon, len(known), float(known.sum() ** 2 / (known**2).sum()))
