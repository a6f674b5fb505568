"""How well offline numbers order policies as the robot did: τ_b, Spearman, Pearson, MMRV, each against every order.

P policies, M metrics, B orders or draws. Numbers are better when higher; negate errors first.
"""

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from surehand.exceptions import NotEnoughData, ShapeError
from surehand.measure.orders import KERNELS, all_orders, centred, signs

COEFFICIENTS = ("tau_b", "spearman", "pearson", "mmrv")
BLOCK = 1 << 16  # orders held at once
ROUNDING = 1e-9  # values nearer than this are one value


class OrderTest(NamedTuple):
    """One coefficient of M metrics against every order of the policies; NaN where it does not exist."""

    value: np.ndarray  # (M,)
    p: np.ndarray  # (M,) chance of an order that fits as well, were all orders alike
    p_worse: np.ndarray  # (M,) chance of one that fits as badly
    p_smallest: np.ndarray  # (M,) the least p that these ties leave attainable
    p_family: np.ndarray  # (M,) chance that the best of all M metrics fits as well (Westfall & Young 1993)
    p_family_worse: np.ndarray  # (M,)


def order_tests(
    offline: np.ndarray, robot: np.ndarray, *, rng: np.random.Generator, draws: int = 100_000
) -> tuple[dict[str, OrderTest], str]:
    """Every coefficient of offline (M, P) against robot (P,), and the method in words.

    p is one-sided and counts the order seen: exact over all P! orders up to 9 policies, (b + 1)/(B + 1) from `draws`
    random ones beyond. The family is all M metrics: their best inside each order is what a metric must beat.
    Raises NotEnoughData below two policies.
    """
    offline, robot = np.atleast_2d(np.asarray(offline, float)), np.asarray(robot, float)
    if robot.ndim != 1 or offline.shape[1] != len(robot):
        raise ShapeError(f"agreement needs metrics (M, P) and a robot's row (P,), got {offline.shape}, {robot.shape}")
    if len(robot) < 2:
        raise NotEnoughData(f"{len(robot)} policy has no order; give two or more, five for a verdict")
    orders, exact = all_orders(len(robot), rng=rng, draws=draws)
    found = {}
    for name in COEFFICIENTS:
        kernel = KERNELS[name](offline, robot)
        seen, best = kernel(robot[None])[0], kernel(_alike(offline, robot)).diagonal()
        values = np.concatenate([kernel(robot[rows]) for rows in np.array_split(orders, 1 + len(orders) // BLOCK)])
        sign = -1.0 if name == "mmrv" else 1.0
        found[name] = _count(sign * values, sign * seen, sign * best, exact)._replace(value=seen)
    return found, f"exact, all {len(orders)} orders" if exact else f"Monte Carlo, {draws} random orders"


def exchange_tests(alike: np.ndarray, *, rng: np.random.Generator, draws: int = 100_000) -> tuple[OrderTest, str]:
    """Whether metrics know their own run better than others: alike (M, R, R) is τ of run r's metric, run s's success.

    The statistic is the mean of r = s. Over runs that were saved at the same steps every curve shares the clock, so
    with whole runs' metric curves exchanged among runs any agreement that is left is the clock's: under the null of a
    metric that knows the step alone all R! assignments are equally likely. NaN entries, constant curves, count as 0.
    """
    known = np.isfinite(np.diagonal(alike, axis1=1, axis2=2)).any(axis=1)
    alike = np.where(np.isfinite(alike), alike, 0.0)
    runs = alike.shape[1]
    if runs < 2:
        raise NotEnoughData(f"{runs} run has nothing to be exchanged with; give two or more, five for a verdict")
    orders, exact = all_orders(runs, rng=rng, draws=draws)
    at = np.arange(runs)
    values = np.array([one[orders, at].mean(axis=1) for one in alike]).T  # (B, M)
    seen = np.where(known, np.diagonal(alike, axis1=1, axis2=2).mean(axis=1), np.nan)
    best = np.array([one[linear_sum_assignment(one, maximize=True)].mean() for one in alike])
    method = f"exact, all {len(orders)} exchanges of runs" if exact else f"Monte Carlo, {draws} exchanges of runs"
    return _count(values, seen, best, exact), method


def coefficients(offline: np.ndarray, robot: np.ndarray) -> dict[str, np.ndarray]:
    """Every coefficient of offline (B, P) with robot (B, P), row by row (B,); NaN where one of them is constant."""
    offline, robot = np.broadcast_arrays(np.atleast_2d(offline), np.atleast_2d(robot))
    constant = (offline == offline[:, :1]).all(axis=1) | (robot == robot[:, :1]).all(axis=1)
    return {
        "tau_b": _cosine(signs(offline), signs(robot)),
        "spearman": _cosine(centred(rankdata(offline, axis=1)), centred(rankdata(robot, axis=1))),
        "pearson": _cosine(centred(offline), centred(robot)),
        "mmrv": np.where(constant, np.nan, mmrv(offline, robot)),
    }


def mmrv(offline: np.ndarray, robot: np.ndarray) -> np.ndarray:
    """Mean maximum rank violation (Li et al. 2024) of offline and robot (..., P), in the robot's units; 0 is best.

    Policy i's violation is the largest |R_i − R_j| over the j that the two order differently:
    (S_i > S_j) ≠ (R_i > R_j). Equal offline numbers therefore violate for the better one of two policies.
    """
    s, r = np.asarray(offline, float), np.asarray(robot, float)
    apart = r[..., :, None] - r[..., None, :]
    differ = (s[..., :, None] > s[..., None, :]) != (apart > 0)
    return np.asarray((np.abs(apart) * differ).max(axis=-1).mean(axis=-1))


def same_order(offline: np.ndarray, robot: np.ndarray) -> np.ndarray:
    """Whether offline (..., P) orders every pair that robot (..., P) tells apart as it does; False where it tells none.

    >>> same_order(np.array([3, 2, 1]), np.array([9, 4, 4])), same_order(np.array([2, 2, 1]), np.array([9, 4, 4]))
    (array(True), array(False))
    """
    robot = np.asarray(robot, float)
    apart = np.asarray((robot != robot[..., :1]).any(axis=-1))
    return np.asarray(apart & (mmrv(offline, robot) == 0))


def same_top(offline: np.ndarray, robot: np.ndarray) -> np.ndarray:
    """Whether every policy that is best offline (..., P) is best on the robot (..., P)."""
    best, top = (np.asarray(x) == np.max(x, axis=-1, keepdims=True) for x in (offline, robot))
    return np.asarray((~best | top).all(axis=-1))


def _alike(offline: np.ndarray, robot: np.ndarray) -> np.ndarray:
    """The robot's numbers dealt out in each metric's own order (M, P): nothing fits that metric better."""
    dealt = np.empty(offline.shape)
    np.put_along_axis(dealt, np.argsort(offline, axis=1, kind="stable"), np.sort(robot)[None], axis=1)
    return dealt


def _count(values: np.ndarray, seen: np.ndarray, best: np.ndarray, exact: bool) -> OrderTest:
    """Shares of orders; values (B, M) with larger ones better. A metric without a value is in nobody's way."""
    known = np.isfinite(seen)

    def share(of: np.ndarray) -> np.ndarray:
        count = of.sum(axis=0)
        p = count / len(values) if exact else (count + 1) / (len(values) + 1)
        return np.where(known, p, np.nan)

    # With ties in the metric several orders may fit equally well, and for MMRV one may fit better than the sorted one.
    best = np.fmax(best, values.max(axis=0, initial=-np.inf)) if exact else best
    top, bottom = values, values
    if known.any():
        top, bottom = values[:, known].max(axis=1)[:, None], values[:, known].min(axis=1)[:, None]
    return OrderTest(
        value=seen,
        p=share(values >= seen - ROUNDING),
        p_worse=share(values <= seen + ROUNDING),
        p_smallest=share(values >= best - ROUNDING),
        p_family=share(top >= seen - ROUNDING),
        p_family_worse=share(bottom <= seen + ROUNDING),
    )


def _cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    size = np.sqrt((x * x).sum(axis=-1) * (y * y).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(size > 0, (x * y).sum(axis=-1) / size, np.nan))
