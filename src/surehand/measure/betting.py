"""Evidence that may be looked at any time: an e-process on the signs of scheduled pairs.

Null: in every pair, given those before, a win is at most as likely as a loss; ties say nothing. Whoever bets on
wins at fair odds multiplies the stake by 2θ at a win and by 2(1 − θ) at a loss; averaged over θ uniform on (½, 1) it is
E = 2 ∫ (2θ)^w (2(1 − θ))^l dθ after w wins and l losses. Under the null E is a nonnegative supermartingale that starts
at 1, so P(E ever reaches 1/α) <= α (Ville 1939; a mixture of bets as in Robbins 1970), whenever one looks or stops.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError

SMALLEST = 1e-280  # probabilities below are no longer exact in floats


class Evidence(NamedTuple):
    """E-values after each pair (N,), in favour of either arm."""

    first: np.ndarray
    second: np.ndarray


def log_e_values(wins: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Natural logarithms (N,) of the e-values after so many wins (N,) and losses (N,).

    In closed form E = Σ_{i<=w} C(n + 1, i) / ((n + 1) C(n, w)) with n = w + l: the incomplete beta integral written as
    a binomial tail, P(X <= w) of X ~ Binomial(n + 1, ½). Where a float does not hold the tail (more than 1000 losses
    ahead) it is summed in logarithms.
    """
    from scipy.special import bdtr, gammaln, logsumexp

    w, lost = np.atleast_1d(wins).astype(np.int64), np.atleast_1d(losses).astype(np.int64)
    if (w < 0).any() or (lost < 0).any():
        raise ShapeError(f"wins and losses are counts, got {min(w.min(), lost.min())}; count pairs")
    n = w + lost
    tail = bdtr(w.astype(float), n + 1, 0.5)
    logs = np.log(np.maximum(tail, SMALLEST)) + (n + 1) * np.log(2)
    for i in np.flatnonzero(tail <= SMALLEST):
        k = np.arange(w[i] + 1)
        logs[i] = logsumexp(gammaln(n[i] + 2) - gammaln(k + 1) - gammaln(n[i] + 2 - k))
    ways = gammaln(n + 1) - gammaln(w + 1) - gammaln(lost + 1)
    return np.asarray(logs - np.log(n + 1) - ways)


def e_value(wins: int, losses: int) -> float:
    """The e-value after so many wins and losses; infinite where a float cannot hold it.

    >>> round(e_value(0, 0), 6), round(e_value(1, 0), 6), round(e_value(10, 0), 1)
    (1.0, 1.5, 186.1)
    """
    with np.errstate(over="ignore"):
        return float(np.exp(log_e_values(np.array([wins]), np.array([losses])))[0])


def e_path(differences: np.ndarray) -> np.ndarray:
    """The e-value (N,) after each pair, from its difference (N,): positive wins, negative loses, zero is a tie."""
    signs = np.sign(np.asarray(differences, float))
    if signs.ndim != 1 or not np.isfinite(signs).all():
        raise ShapeError("an e-process needs one finite difference per pair; leave out pairs that are not complete")
    with np.errstate(over="ignore"):
        return np.exp(log_e_values(np.cumsum(signs > 0), np.cumsum(signs < 0)))  # type: ignore[no-any-return]


def evidence(differences: np.ndarray) -> Evidence:
    """E-values (N,) for "the first is better" and for "the second is better"."""
    return Evidence(e_path(differences), e_path(-np.asarray(differences, float)))


def e_holm(e_values: np.ndarray, alpha: float = 0.05) -> np.ndarray:
    """Which of M e-values (M,) speak against their null, with P(any false one) <= alpha: Holm's steps on 1/E.

    Given the largest value each e-process has reached so far, 1/E is a p-value at every time at once (Ville), and
    what has been rejected stays rejected. NaN is never rejected.
    """
    values = np.asarray(e_values, float)
    rejected = np.zeros(len(values), bool)
    order = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")
    for place, index in enumerate(order):
        if not values[index] * alpha >= len(values) - place:
            break
        rejected[index] = True
    return rejected
