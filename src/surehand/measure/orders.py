"""Every order of several policies, and what each order is worth to a row of offline numbers, fast enough for all P!.

P policies, M metrics, B orders. A kernel takes the robot's numbers in B orders (B, P) and gives a coefficient (B, M).
"""

from collections.abc import Callable
from itertools import permutations

import numpy as np
from scipy.stats import rankdata

MOST_ENUMERATED = 9  # policies up to which every order is tried: 9! = 362 880
Kernel = Callable[[np.ndarray], np.ndarray]


def all_orders(policies: int, *, rng: np.random.Generator, draws: int = 100_000) -> tuple[np.ndarray, bool]:
    """Orders of P policies (B, P) and whether these are all there are, the given one first; else `draws` random ones.

    >>> all_orders(3, rng=np.random.default_rng(0))[0].tolist()
    [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
    """
    if policies <= MOST_ENUMERATED:
        return np.array(list(permutations(range(policies))), np.int16), True
    order = np.broadcast_to(np.arange(policies, dtype=np.int16), (draws, policies))
    return rng.permuted(order, axis=1), False


def signs(x: np.ndarray) -> np.ndarray:
    """Which of each pair is higher (..., P(P − 1)/2)."""
    first, second = np.triu_indices(x.shape[-1], 1)
    return np.asarray(np.sign(x[..., first] - x[..., second]))


def centred(x: np.ndarray) -> np.ndarray:
    """Deviations from each row's mean; exactly zero in a constant row, whatever its mean rounds to."""
    return np.where(x.max(axis=-1, keepdims=True) > x.min(axis=-1, keepdims=True), x - x.mean(-1, keepdims=True), 0.0)


def _unit(x: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1, NaN where they are zero."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(x / np.sqrt((x * x).sum(axis=-1, keepdims=True)))


def _tau(offline: np.ndarray, robot: np.ndarray) -> Kernel:
    metrics = _unit(signs(offline)).T
    return lambda rows: np.asarray(_unit(signs(rows)) @ metrics)


def _spearman(offline: np.ndarray, robot: np.ndarray) -> Kernel:
    metrics, values = _unit(centred(rankdata(offline, axis=1))).T, np.unique(robot)
    ranks = rankdata(robot, method="average")
    at = np.array([ranks[robot == value][0] for value in values])  # of each of the robot's values
    return lambda rows: np.asarray(_unit(centred(at[np.searchsorted(values, rows)])) @ metrics)


def _pearson(offline: np.ndarray, robot: np.ndarray) -> Kernel:
    metrics = _unit(centred(offline)).T
    return lambda rows: np.asarray(_unit(centred(rows)) @ metrics)


def _mmrv(offline: np.ndarray, robot: np.ndarray) -> Kernel:
    """Policy i is violated by the best one below it offline and by the worst one not below: two running extremes."""
    constant = (offline == offline[:, :1]).all(axis=1) | (len(np.unique(robot)) == 1)
    order = np.argsort(offline, axis=1, kind="stable")
    ranked = np.take_along_axis(offline, order, axis=1)
    start = np.array([np.searchsorted(row, row, side="left") for row in ranked])  # where each policy's ties begin

    def kernel(rows: np.ndarray) -> np.ndarray:
        found = np.full((len(rows), len(offline)), np.nan)
        for m in np.flatnonzero(~constant):
            r = rows[:, order[m]]
            below = np.maximum.accumulate(r, axis=1)[:, np.maximum(start[m] - 1, 0)]
            below[:, start[m] == 0] = -np.inf
            level = np.minimum.accumulate(r[:, ::-1], axis=1)[:, ::-1][:, start[m]]
            found[:, m] = np.maximum(np.maximum(below - r, r - level), 0.0).mean(axis=1)
        return found

    return kernel


KERNELS: dict[str, Callable[[np.ndarray, np.ndarray], Kernel]] = {
    "tau_b": _tau,
    "spearman": _spearman,
    "pearson": _pearson,
    "mmrv": _mmrv,
}
