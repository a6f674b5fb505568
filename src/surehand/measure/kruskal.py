"""Whether any of several policies differs: Kruskal and Wallis' statistic against shuffled labels.

G policies, L levels, B draws.
"""

from collections.abc import Sequence

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.tables import as_p, checked_scores, doubled_midranks, level_counts, taken, ways

__all__ = ["kruskal_permutation"]

MOST_TABLES = 100_000
MOST_COMMON = 100_000  # least common multiple of the trials per policy
SLACK = 1e-9
CHUNK = 1 << 21  # shuffled labels held at once


def kruskal_permutation(
    groups: Sequence[np.ndarray],
    *,
    rng: np.random.Generator,
    blocks: Sequence[np.ndarray] | None = None,
    draws: int = 10_000,
) -> tuple[float, str]:
    """p of all groups having one law, and how it was found: Σ R_g²/n_g (Kruskal & Wallis 1952) under shuffled labels.

    `blocks`: the block of every trial of every group; labels are shuffled within blocks, ranks run over all trials.
    Every table where they are at most 100 000, random shuffles else, (b + 1)/(B + 1). 1 where fewer than two groups
    have trials or all scores tie.
    """
    rows = [checked_scores(g, f"policy {i + 1}") for i, g in enumerate(groups)]
    if blocks is not None and [np.shape(b) for b in blocks] != [r.shape for r in rows]:
        raise ShapeError(f"one block label per trial is needed for each of {len(rows)} policies, and came otherwise")
    labels = None if blocks is None else [np.asarray(b) for b, r in zip(blocks, rows, strict=True) if len(r)]
    rows = [r for r in rows if len(r)]
    if len(rows) < 2:
        return 1.0, "fewer than two policies have trials"
    _, counts = level_counts(*rows)
    pool = np.sum(counts, axis=0)
    if len(pool) == 1:
        return 1.0, "all scores tie"
    ranks = doubled_midranks(pool) - (int(pool.sum()) + 1)  # about zero, so that the statistic has few digits to lose
    sizes = np.array([len(r) for r in rows])
    seen = float((np.array([c @ ranks for c in counts]) ** 2 / sizes).sum()) * (1 - SLACK)
    if labels is not None:
        statistic = _within_blocks(rows, labels, ranks, sizes, draws, rng)
    else:
        listed = _listed(pool, sizes, ranks)
        if listed is not None:
            statistic, chance = listed
            return as_p(float(chance[statistic >= seen].sum()))[0], f"exact, {len(chance)} tables"
        statistic = _drawn(pool, sizes, ranks, draws, rng)
    return (1 + int((statistic >= seen).sum())) / (draws + 1), f"Monte Carlo, {draws} draws"


def _listed(pool: np.ndarray, sizes: np.ndarray, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Statistic and probability of every table, merged where what is left and the statistic agree; None if too many.

    The statistic is summed in whole numbers, times the least common multiple of the trials, so that ties are exact.
    """
    common = int(np.lcm.reduce(sizes))
    if common > MOST_COMMON:
        return None
    states: dict[tuple[int, ...], dict[int, float]] = {tuple(pool.tolist()): {0: 1.0}}
    for size in sizes[:-1].tolist():
        grown: dict[tuple[int, ...], dict[int, float]] = {}
        cells = 0.0
        for left, laws in states.items():
            rest = np.array(left)
            cells += float(np.prod(np.minimum(np.sort(rest)[:-1], size) + 1.0)) * len(laws)
            if cells > MOST_TABLES:
                return None
            tables = ways(rest, size)
            added, chances = (tables @ ranks) ** 2 * (common // size), taken(rest, tables)
            for table, more, chance in zip((rest - tables).tolist(), added.tolist(), chances.tolist(), strict=True):
                law = grown.setdefault(tuple(table), {})
                for value, weight in laws.items():
                    law[value + more] = law.get(value + more, 0.0) + weight * chance
        states = grown
    statistic, probability = [], []
    for left, laws in states.items():
        last = int(np.array(left) @ ranks) ** 2 * (common // int(sizes[-1]))
        statistic += [(value + last) / common for value in laws]
        probability += list(laws.values())
    return np.array(statistic), np.array(probability)


def _drawn(pool: np.ndarray, sizes: np.ndarray, ranks: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Statistic (B,) of random tables: each group takes from what the ones before left, level by level."""
    left = np.tile(pool, (draws, 1))
    statistic = np.zeros(draws)
    for size in sizes[:-1]:
        need, later = np.full(draws, size), left.sum(axis=1)
        total = np.zeros(draws)
        for level in range(len(pool)):
            later = later - left[:, level]
            number = rng.hypergeometric(left[:, level], later, need) if level < len(pool) - 1 else need
            left[:, level] -= number
            need = need - number
            total += number * ranks[level]
        statistic += total**2 / size
    return np.asarray(statistic + (left @ ranks) ** 2 / sizes[-1])


def _within_blocks(
    rows: list[np.ndarray],
    labels: list[np.ndarray],
    ranks: np.ndarray,
    sizes: np.ndarray,
    draws: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Statistic (B,) of labels shuffled within blocks."""
    scores, block = np.concatenate(rows), np.unique(np.concatenate(labels), return_inverse=True)[1]
    group = np.repeat(np.arange(len(rows)), sizes)
    order = np.lexsort((group, block))
    rank = ranks[np.unique(scores, return_inverse=True)[1]][order].astype(float)
    block, group = block[order], group[order]
    parts = []
    for start in range(0, draws, size := max(1, CHUNK // len(rank))):
        some = min(size, draws - start)
        keys = rng.random((some, len(rank))) + block  # sorted by block, at random within
        shuffled = rank[np.argsort(keys, axis=1)]
        sums = np.stack([shuffled[:, group == g].sum(axis=1) for g in range(len(rows))], axis=1)
        parts.append((sums**2 / sizes).sum(axis=1))
    return np.concatenate(parts)
