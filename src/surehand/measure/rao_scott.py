"""Approximate p-values for clustered decisions: the binomial test at an effective sample size (Rao & Scott 1981)."""

import numpy as np

FEW = 5  # violating episodes below which the variance between episodes is not to be trusted


def rao_scott_p(executed: np.ndarray, violating: np.ndarray, epsilon: float) -> np.ndarray:
    """p-values (..., G) of "the risk exceeds epsilon" from counts per episode (..., E, G); approximate.

    Design effect d = [E'/(E'−1) Σ_e (k_e − R m_e)²/m²] / [R(1 − R)/m] over the E' episodes that execute;
    n_eff = min(m, m/d), at most E' where fewer than 5 episodes violate and E' where none does;
    p = I_{1−ε}(n_eff − k', k' + 1) with k' = n_eff·R.
    """
    from scipy.special import betainc

    m, k = (np.asarray(x, float) for x in (executed, violating))
    total, bad = m.sum(axis=-2), k.sum(axis=-2)
    episodes, violators = (m > 0).sum(axis=-2), (k > 0).sum(axis=-2)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = bad / total
        # Σ (k − R m)², expanded: the counts are never copied once more.
        spread = (k * k).sum(axis=-2) - 2 * rate * (k * m).sum(axis=-2) + rate**2 * (m * m).sum(axis=-2)
        effect = episodes / (episodes - 1) * np.maximum(spread, 0) / total**2 / (rate * (1 - rate) / total)
        n = np.minimum(total, total / effect)
        n = np.where(violators < FEW, np.fmin(n, episodes), n)
        n = np.where(violators == 0, episodes, n)
        p = betainc(n - n * rate, n * rate + 1, 1 - epsilon)
    return np.where((total > 0) & np.isfinite(p), p, 1.0)
