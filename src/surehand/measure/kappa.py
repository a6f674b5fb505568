"""How well two scorers agree beyond chance on the trials both scored: Cohen's weighted κ."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError


class Kappa(NamedTuple):
    """Weighted κ between its limits; NaN where the scores do not determine it."""

    value: float
    low: float
    high: float


def weighted_kappa(
    first: np.ndarray, second: np.ndarray, levels: Sequence[float] | np.ndarray, level: float = 0.95
) -> Kappa:
    """κ of two scorers' scores (N,) of the same trials, disagreement weighted by the square of the steps between them.

    `levels` (L,) are the rubric's, in order; steps are counted in levels, not in their values (the scale is ordinal).
    Large-sample limits (Fleiss, Cohen & Everitt 1969), cut at 1. κ is NaN where both scorers used one and the same
    level throughout: chance alone agrees as well. Limits are NaN where there is no spread to judge by (no disagreement
    seen is not none to come) and below two trials.

    >>> weighted_kappa(np.array([1, 2, 3, 4]), np.array([1, 2, 3, 3]), [1, 2, 3, 4]).value
    0.875
    """
    from scipy.stats import norm

    steps = np.asarray(levels, float)
    rows, columns = _places(first, steps), _places(second, steps)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ShapeError(f"κ needs two scores of every trial, got {rows.shape} and {columns.shape}")
    nothing = Kappa(float("nan"), float("nan"), float("nan"))
    if not len(rows):
        return nothing
    table = np.zeros((len(steps), len(steps)))
    np.add.at(table, (rows, columns), 1 / len(rows))  # (L, L) shares of the trials
    place = np.arange(len(steps))
    agree = 1 - (np.subtract.outer(place, place) / (len(steps) - 1)) ** 2  # weights: 1 on the diagonal, 0 at the corner
    by_first, by_second = table.sum(axis=1), table.sum(axis=0)
    observed, chance = float((agree * table).sum()), float(by_first @ agree @ by_second)
    if chance >= 1 - 1e-12:
        return nothing
    value = (observed - chance) / (1 - chance)
    expected = np.add.outer(agree @ by_second, by_first @ agree)  # (L, L) mean weight of each row plus of each column
    squares = float((table * (agree - expected * (1 - value)) ** 2).sum())
    variance = (squares - (value - chance * (1 - value)) ** 2) / (len(rows) * (1 - chance) ** 2)
    if variance <= 1e-12 or len(rows) < 2:
        return Kappa(value, float("nan"), float("nan"))
    reach = float(norm.ppf((1 + level) / 2)) * float(np.sqrt(variance))
    return Kappa(value, max(-1.0, value - reach), min(1.0, value + reach))


def _places(scores: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """The place of every score among the levels (N,); ShapeError names one that is none of them."""
    if levels.ndim != 1 or len(levels) < 2 or (np.diff(levels) <= 0).any():
        raise ShapeError(f"expected two or more levels in ascending order, got {levels.tolist()}")
    scores = np.asarray(scores, float)
    places = np.minimum(np.searchsorted(levels, scores), len(levels) - 1)
    strange = np.flatnonzero(levels[places] != scores)
    if len(strange):
        raise ShapeError(f"score {scores[strange[0]]:g} is none of the levels {levels.tolist()}; check the rubric")
    return places
