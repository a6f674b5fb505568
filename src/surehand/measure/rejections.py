"""How often shuffled labels reach a standardised U, given the pooled counts: for one table or for all of them at once.

K pooled tables of counts on L levels, C cells: ways in which the first policy's trials fall on the smaller levels.
"""

import numpy as np

from surehand.measure.tables import doubled_midranks, log_choose, ragged

__all__ = ["SLACK", "doubled_spread", "rejections", "standardised"]

SLACK = 1e-9  # z-values nearer than this count as equal, as the same z reached in two ways
CHUNK = 1 << 20  # cells held at once
DENSE = 1 << 22  # keys that may each have a flag


def standardised(counts_a: np.ndarray, counts_b: np.ndarray) -> float:
    """U − nm/2 over its standard deviation under shuffled labels, ties counted; 0 where all scores tie."""
    pool, n = counts_a + counts_b, int(counts_a.sum())
    spread = float(doubled_spread(pool[None, :], n)[0])
    return float(counts_a @ doubled_midranks(pool) - n * (int(pool.sum()) + 1)) / spread if spread > 0 else 0.0


def doubled_spread(tables: np.ndarray, n: int) -> np.ndarray:
    """Standard deviation (K,) of twice U given pooled counts (K, L)."""
    size = int(tables[0].sum())
    cubes = (tables.astype(float) ** 3).sum(axis=1)
    return np.asarray(np.sqrt(n * (size - n) / 3 * (size**3 - cubes) / (size * (size - 1))))


def rejections(tables: np.ndarray, n: int, z: float) -> np.ndarray:
    """Chance (K,) given each pooled table (K, L) that the first n shuffled trials reach `z` or more."""
    size = int(tables[0].sum())
    spread = doubled_spread(tables, n)
    least = np.ceil(n * (size + 1) + (z - SLACK) * spread - SLACK).astype(int)
    chance = np.zeros(len(tables))
    cells = np.prod(np.minimum(np.sort(tables, axis=1)[:, :-2], n) + 1.0, axis=1)
    cut = np.searchsorted(np.cumsum(cells), np.arange(CHUNK, cells.sum(), CHUNK))
    for part in np.split(np.arange(len(tables)), cut):
        if len(part):
            chance[part] = _shuffled(tables[part], n, least[part])
    chance[spread == 0] = float(z <= SLACK)
    return chance


def _shuffled(tables: np.ndarray, n: int, least: np.ndarray) -> np.ndarray:
    """Chance (K,) that n of the trials in each pooled table (K, L) have a doubled rank sum of `least` (K,) or more.

    As `rank_sums` does it for one: all levels but the two fullest are listed, those two are a hypergeometric tail.
    """
    size = int(tables[0].sum())
    log = log_choose(np.arange(size + 1)[:, None], np.arange(n + 1)[None, :])
    ranks = 2 * np.cumsum(tables, axis=1) - tables + 1
    order = np.argsort(tables, axis=1, kind="stable")
    fullest = np.sort(order[:, -2:], axis=1)
    low, high = fullest[:, 0], fullest[:, 1]
    row, left = np.arange(len(tables)), np.full(len(tables), n)
    weight, so_far, later = np.zeros(len(tables)), np.zeros(len(tables), np.int64), np.full(len(tables), size)
    every = np.arange(len(tables))
    for place in range(tables.shape[1] - 2):
        level = order[every, place]
        pool, rank = tables[every, level], ranks[every, level]
        later = later - pool
        up, number = ragged(np.maximum(0, left - later[row]), np.minimum(pool[row], left))
        row, left = row[up], left[up] - number
        weight, so_far = weight[up] + log[pool[row], number], so_far[up] + rank[row] * number
    pool_low, pool_high = tables[every, low][row], tables[every, high][row]
    rank_low, rank_high = ranks[every, low][row], ranks[every, high][row]
    weight = np.exp(weight + log[pool_low + pool_high, left] - log[size, n])
    step = np.maximum(rank_high - rank_low, 1)
    of_high = np.clip(-(-(least[row] - so_far - rank_low * left) // step), 0, n + 1)
    tail = _hypergeometric(log, pool_low, pool_high, left, of_high)
    return np.bincount(row, weight * tail, minlength=len(tables))


def _hypergeometric(
    log: np.ndarray, low: np.ndarray, high: np.ndarray, taken: np.ndarray, least: np.ndarray
) -> np.ndarray:
    """Chance (C,) that of `taken` trials out of low + high, `least` or more come from the high; all (C,)."""
    size, most = log.shape[0] - 1, log.shape[1] - 1
    key = (high * (size + 1) + low) * (most + 1) + taken
    space = (size + 1) ** 2 * (most + 1)
    if space <= DENSE:  # a flag for every key is quicker than sorting keys
        used = np.zeros(space, bool)
        used[key] = True
        keys, index = np.flatnonzero(used), (np.cumsum(used) - 1)[key]
    else:
        keys, index = np.unique(key, return_inverse=True)
    pools, take = np.divmod(keys, most + 1)
    pool_high, pool_low = np.divmod(pools, size + 1)
    number = np.arange(most + 1)
    rest = take[:, None] - number
    law = log[pool_high[:, None], number] - log[pool_high + pool_low, take][:, None]
    law = law + np.where(rest >= 0, log[pool_low[:, None], np.maximum(rest, 0)], -np.inf)
    tail = np.zeros((len(keys), most + 2))
    tail[:, :-1] = np.cumsum(np.exp(law)[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(tail[index, least])
