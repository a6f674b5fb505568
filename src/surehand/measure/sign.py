"""The sign test on pairs, without conditioning on the ties: the paired twin of the unconditional test.

N pairs of trials under the same conditions, each won, lost or tied by the first policy.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.tables import as_p
from surehand.measure.two_levels import worst_rate

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
    """sup over the share of untied pairs of P(Z ≥ z): given their number, wins are a fair coin's."""
    from scipy.special import bdtrc

    untied = np.arange(pairs + 1)  # (N + 1,)
    fewest = np.ceil((untied + z * np.sqrt(untied)) / 2 - TOLERANCE)  # wins that reach z
    reached = bdtrc(np.clip(fewest - 1, 0, untied), untied, 0.5)  # 0 where not even all wins reach z
    reached[fewest <= 0] = 1.0
    reached[0] = float(z <= TOLERANCE)
    return as_p(worst_rate(reached))[0]
