"""The worst chance of a rejection over every distribution on the levels: where an unconditional test takes its p-value.

K tables of pooled counts on L levels, G points per axis of a grid. With N trials pooled, the chance of rejecting under
equal distributions π is Σ_T Multinomial(T; N, π) · (chance of rejecting given T), a polynomial in π.
"""

from functools import lru_cache

import numpy as np

from surehand.measure.tables import log_choose

__all__ = ["worst_case"]

GRID = {
    2: 801,
    3: 101,
    4: 31,
    5: 15,
    6: 9,
    7: 7,
    8: 5,
    9: 5,
}  # points per stick, odd, so that ½ is one; more levels get 3
STARTS = 6  # best local maxima of the grid from which the climb begins
CLIMBED = {1: 0.99, 2: 0.95}  # share of the highest below which a grid of so many axes is too fine to hide a top
LEAST = 1e-13  # share below which a level is as good as empty


def worst_case(tables: np.ndarray, chance: np.ndarray) -> tuple[float, np.ndarray]:
    """Largest chance of rejection over the simplex, and the distribution (L,) that has it.

    `tables` (K, L) in lexicographic order, all with the same sum; `chance` (K,) of rejecting given each. First the
    whole simplex on a grid of broken sticks (v in sin² spacing, so dense at the faces, which are part of it): level k
    takes the share v_k of what the levels before left, so that the sum runs level by level over binomials. Then a
    quasi-Newton climb on the logarithm from the best local maxima, with the exact gradient. The larger of both counts.
    """
    held = chance > 0
    tables, chance = tables[held], chance[held]
    levels = tables.shape[1]
    if not len(tables) or levels < 2:
        return float(chance.max(initial=0.0)), np.full(levels, 1 / levels)
    stick = _sticks(GRID.get(levels, 3))
    surface = _on_grid(tables, chance, stick)
    starts = _peaks(surface)
    best, where = float(surface.max()), _shares(stick[np.array(np.unravel_index(surface.argmax(), surface.shape))])
    weight = _log_multinomial(tables) + np.log(chance)
    for place in starts:
        value, shares = _climb(tables, weight, _shares(stick[place]))
        if value > best:
            best, where = value, shares
    return min(1.0, best), where


def _on_grid(tables: np.ndarray, chance: np.ndarray, stick: np.ndarray) -> np.ndarray:
    """Chance of rejection (G, ..., G) on the grid of sticks (G,), one axis per level but the last."""
    size, levels = int(tables[0].sum()), tables.shape[1]
    left = size - np.cumsum(tables, axis=1) + tables  # before each level
    values = chance[:, None]
    for level in range(levels - 2, -1, -1):
        if level:
            pairs, index = np.unique(left[:, level] * (size + 1) + tables[:, level], return_inverse=True)
            binomial = _binomials(*np.divmod(pairs, size + 1), stick)[index]
        else:
            binomial = _first_level(size, len(stick))[tables[:, 0]]
        terms = (binomial[:, :, None] * values[:, None, :]).reshape(len(values), -1)
        first = np.ones(len(tables), bool)  # rows that begin a new prefix
        first[1:] = (tables[1:, :level] != tables[:-1, :level]).any(axis=1)
        begin = np.flatnonzero(first)
        values = np.add.reduceat(terms, begin, axis=0)
        tables, left = tables[begin], left[begin]
    return np.asarray(values.reshape((len(stick),) * (levels - 1)))


def _sticks(points: int) -> np.ndarray:
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, points)) ** 2)


def _binomials(of: np.ndarray, number: np.ndarray, stick: np.ndarray) -> np.ndarray:
    """Chance (R, G) of `number` (R,) of `of` (R,) trials when each has chance `stick` (G,)."""
    from scipy.special import xlog1py, xlogy

    of, number = of[:, None], number[:, None]
    return np.asarray(np.exp(log_choose(of, number) + xlogy(number, stick) + xlog1py(of - number, -stick)))


@lru_cache(maxsize=8)
def _first_level(size: int, points: int) -> np.ndarray:
    """Binomials (N + 1, G) of all trials, which every pair of policies with as many trials shares."""
    table = _binomials(np.full(size + 1, size), np.arange(size + 1), _sticks(points))
    table.setflags(write=False)
    return table


def _peaks(surface: np.ndarray) -> np.ndarray:
    """Places (≤ STARTS, axes) of the highest local maxima of a grid, those that a climb could bring to the top."""
    from scipy.ndimage import maximum_filter

    least = surface.max() * CLIMBED.get(surface.ndim, 0.8)
    peaks = np.argwhere((surface >= maximum_filter(surface, 3, mode="nearest")) & (surface >= least))
    return np.asarray(peaks[np.argsort(-surface[tuple(peaks.T)], kind="stable")[:STARTS]])


def _shares(sticks: np.ndarray) -> np.ndarray:
    """The distribution (L,) that sticks (L − 1,) break into."""
    left = np.concatenate([[1.0], np.cumprod(1 - sticks)])
    return np.asarray(left * np.concatenate([sticks, [1.0]]))


def _log_multinomial(tables: np.ndarray) -> np.ndarray:
    left = np.cumsum(tables[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(log_choose(left, tables).sum(axis=1))


def _climb(tables: np.ndarray, weight: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """The top of the hill that `start` (L,) stands on: its chance and its distribution (L,)."""
    from scipy.optimize import minimize

    size = int(tables[0].sum())
    counts = tables.astype(float)

    def fall(theta: np.ndarray) -> tuple[float, np.ndarray]:
        logs = theta - theta.max()
        logs = logs - np.log(np.exp(logs).sum())
        terms = weight + counts @ logs
        top = terms.max()
        terms = np.exp(terms - top)
        total = terms.sum()
        return -(top + np.log(total)), size * np.exp(logs) - (terms @ counts) / total

    found = minimize(fall, np.log(np.maximum(start, LEAST)), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    shares = np.exp(found.x - found.x.max())
    return float(np.exp(-found.fun)), shares / shares.sum()
