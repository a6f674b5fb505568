"""The sign test on pairs, without conditioning on the ties: the paired twin of the unconditional test.

N pairs of trials under the same conditions, each won, lost or tied by the first policy.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError

GRID = 1_001  # shares of untied pairs at which the supremum is looked for first
TOLERANCE = 1e-9  # statistics nearer than this are equal


class SignTest(NamedTuple):
    """p-values of pairs won and lost; `greater` in favour of the first policy."""

    greater: float
    less: float
    two_sided: float  # min(1, 2·min(greater, less))


def unconditional_sign_test(wins: int, losses: int, ties: int = 0) -> SignTest:
    """Exact p-values of "as many pairs are won as lost", whatever the share of ties (Suissa & Shuster 1991).

    Statistic (wins − losses)/√(wins + losses), 0 without either; supremum over the unknown share of untied pairs. With
    success and failure this is the unconditional form of McNemar's test. As the statistic grows with wins and falls
    with losses, the supremum over all P(win) ≤ P(loss) lies where both are equal. Less wasteful than the conditional
    sign test where most pairs tie.

    >>> round(unconditional_sign_test(5, 0, 15).greater, 4)
    0.0207
    """
    if min(wins, losses, ties) < 0:
        raise ShapeError(f"pairs won, lost and tied cannot be negative, got {wins}, {losses}, {ties}")
    pairs = wins + losses + ties
    if not pairs:
        raise NotEnoughData("no pair of trials; a sign test needs one block that holds both policies")
    seen = (wins - losses) / np.sqrt(wins + losses) if wins + losses else 0.0
    greater, less = _supremum(float(seen), pairs), _supremum(float(-seen), pairs)
    return SignTest(greater, less, min(1.0, 2 * min(greater, less)))


def _supremum(z: float, pairs: int) -> float:
    """sup over ψ of P(Z ≥ z), where ψ is the share of untied pairs."""
    from scipy.optimize import minimize_scalar
    from scipy.special import bdtrc

    untied = np.arange(pairs + 1)  # (N+1,)
    fewest = np.ceil((untied + z * np.sqrt(untied)) / 2 - TOLERANCE)  # wins that reach z
    reached = bdtrc(np.clip(fewest - 1, 0, untied), untied, 0.5)  # 0 where not even all wins reach z
    reached[fewest <= 0] = 1.0
    reached[0] = float(z <= TOLERANCE)
    shares, chances = _binomials(pairs)
    p = chances @ reached  # (GRID,)
    best = int(p.argmax())
    fine = minimize_scalar(
        lambda share: -float(_binomial(np.array([share]), pairs)[0] @ reached),
        bounds=(shares[max(best - 1, 0)], shares[min(best + 1, GRID - 1)]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(min(1.0, max(float(p[best]), -float(fine.fun))))


@lru_cache(maxsize=8)
def _binomials(pairs: int) -> tuple[np.ndarray, np.ndarray]:
    """The shares of the grid (GRID,), and the chance of every number of untied pairs at each (GRID, N+1)."""
    shares = np.linspace(0, 1, GRID)
    return shares, _binomial(shares, pairs)


def _binomial(shares: np.ndarray, pairs: int) -> np.ndarray:
    """P(D = d) (S, N+1) for shares (S,); the ends are exact."""
    from scipy.special import gammaln, xlog1py, xlogy

    d = np.arange(pairs + 1)
    ways = gammaln(pairs + 1) - gammaln(d + 1) - gammaln(pairs - d + 1)
    return np.asarray(np.exp(ways + xlogy(d, shares[:, None]) + xlog1py(pairs - d, -shares[:, None])))
