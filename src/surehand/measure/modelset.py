"""The model confidence set: which checkpoints the data cannot tell apart from the best (Hansen, Lunde & Nason 2011)."""

from dataclasses import dataclass

import numpy as np

from surehand.measure.clusters import resampled_sums


@dataclass(frozen=True, eq=False)
class ModelSet:
    """p-value per model; the set at level 1−α holds every model with p > α."""

    p_values: np.ndarray  # (C,) 1 for the last one standing
    included: np.ndarray  # (C,) bool


def influence_losses(num: np.ndarray, den: np.ndarray) -> np.ndarray:
    """Losses (E, C) whose plain mean is the ratio Σnum/Σden and whose spread is that of the ratio.

    `num` (E, C) sums per unit, `den` (E,) counts: θ + (num − θ·den)/mean(den), the linearised ratio.
    """
    ratio = num.sum(axis=0) / den.sum()
    return np.asarray(ratio + (num - ratio * den[:, None]) / den.mean())


def model_confidence_set(
    losses: np.ndarray,
    *,
    level: float = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator,
    studentise: bool = True,
) -> ModelSet:
    """The set of models that holds the best one(s) with this level, from losses (E, C) of whole units.

    Range statistic max |t_ij| over pairs; the loser of the largest pair leaves; p-values are running maxima.
    `studentise` scales each draw by its own standard error: with the one fixed scale of the original, 20 skewed
    episodes lose a best checkpoint in half of all runs (see docs/statistics.md). False gives the original.
    Fewer than two units: every model stays, p is NaN.
    """
    units, models = losses.shape
    if units < 2 or models < 2:
        p_values = np.ones(models) if models < 2 else np.full(models, np.nan)
        return ModelSet(p_values, np.ones(models, bool))
    first, second = np.triu_indices(models, 1)  # (P,) pairs
    observed, drawn = _statistics(losses, first, second, draws, rng, studentise)
    remaining, p_values, running = np.ones(models, bool), np.ones(models), 0.0
    while remaining.sum() > 1:
        pairs = np.flatnonzero(remaining[first] & remaining[second])
        worst = pairs[np.argmax(np.abs(observed[pairs]))]
        loser = first[worst] if observed[worst] > 0 else second[worst]
        # ≥ rather than >: two identical models are never told apart.
        beyond = int((drawn[:, pairs].max(axis=1) >= abs(observed[worst])).sum())
        running = max(running, (beyond + 1) / (draws + 1))
        p_values[loser], remaining[loser] = running, False
    return ModelSet(p_values, p_values > 1 - level)


def _statistics(
    losses: np.ndarray, first: np.ndarray, second: np.ndarray, draws: int, rng: np.random.Generator, studentise: bool
) -> tuple[np.ndarray, np.ndarray]:
    """t of every pair's mean difference (P,), and |t| of its centred draws (B, P)."""
    units = len(losses)
    pairs = losses[:, first] - losses[:, second]  # (E, P)
    mean = pairs.mean(axis=0)
    centred = pairs - mean
    if studentise:
        sums = resampled_sums(np.hstack([centred, centred**2]), draws, rng) / units
        shift = sums[:, : len(first)]
        variance = (sums[:, len(first) :] - shift**2) / (units - 1)
        scale = np.sqrt((centred**2).mean(axis=0) / (units - 1))
        # A draw without spread beyond rounding is infinitely far out, unless nothing differed at all.
        variance[variance < 1e-14 * scale**2] = 0.0
    else:
        shift = resampled_sums(losses - losses.mean(axis=0), draws, rng) / units
        shift = shift[:, first] - shift[:, second]
        variance = (shift**2).mean(axis=0)
        scale = np.sqrt(variance)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.nan_to_num(mean / scale, nan=0.0, posinf=np.inf, neginf=-np.inf)
        drawn = np.nan_to_num(np.abs(shift) / np.sqrt(variance), nan=0.0, posinf=np.inf)
    return observed, drawn
