"""Exact p-values for clustered decisions by betting, episode after episode, that the risk is below epsilon.

W_e = ε + (1/T_max) Σ_t A_t (V_t − ε) lies in [0, 1], and E[W] > ε iff the risk among executed decisions exceeds ε.
Whoever multiplies a stake by 1 + ν(ε − W_e) with predictable ν in [0, 1/(1 − ε)) holds a supermartingale under that
null, so p = 1/max_n Π_{e<=n} (1 + ν_e(ε − W_e)) is a p-value (Ville 1939; Waudby-Smith & Ramdas 2024). Here the stake
is spread over fixed ν once and never moved: ν_e is then their wealth-weighted mean, predictable and within the
bounds.
"""

import numpy as np

from surehand.exceptions import ShapeError

# Shares of the largest bet 1/(1 − ε), and of the stake. W varies little where episodes are long, so that large bets
# grow fastest; the smaller one survives episodes full of violations.
BETS = (0.6, 0.97)
STAKES = (0.3, 0.7)


def betting_p(executed: np.ndarray, violating: np.ndarray, epsilon: float, t_max: int) -> np.ndarray:
    """p-values (..., G) of "the risk exceeds epsilon" from counts per episode (..., E, G), their order fixed."""
    if executed.shape[-2] and int(executed.max(initial=0)) > t_max:
        raise ShapeError(f"an episode executes {int(executed.max())} decisions, more than the declared most of {t_max}")
    best = np.zeros((*executed.shape[:-2], executed.shape[-1]))
    for g in range(executed.shape[-1]):  # one threshold at a time keeps memory at one number per episode
        gain = (epsilon * executed[..., g] - violating[..., g]) / t_max  # ε − W
        logs = np.full(gain.shape, -np.inf)
        for share, stake in zip(BETS, STAKES, strict=True):
            np.logaddexp(logs, np.log(stake) + np.log1p(share / (1 - epsilon) * gain).cumsum(axis=-1), out=logs)
        best[..., g] = np.maximum(logs.max(axis=-1, initial=0.0), 0.0)
    return np.exp(-best)
