"""Which of two policies scored higher: the permutation law of Mann and Whitney's U with ties, and what papers report.

N trials of one policy, M of the other; scores are ordinal, so only their order counts.
"""

from typing import NamedTuple

import numpy as np

from surehand.exceptions import ShapeError
from surehand.measure.rank_sums import Block, drawn_tails, exact_tails
from surehand.measure.tables import as_p, checked_scores, doubled_midranks, level_counts

__all__ = [
    "Approximation",
    "Matchups",
    "Permutation",
    "approximation",
    "matchups",
    "permutation_test",
]


class Permutation(NamedTuple):
    """p-values of equal distributions from shuffled labels; `greater` speaks for the first policy."""

    greater: float
    less: float
    two_sided: float  # min(1, 2 · the smaller of the two)
    mid_greater: float  # counts half of the ties with what was seen: less conservative, no promise
    exact: bool
    draws: int  # 0 where exact


class Approximation(NamedTuple):
    """p-values of the normal approximation to U, corrected for ties and continuity."""

    greater: float
    less: float
    two_sided: float


class Matchups(NamedTuple):
    """Every trial of the first policy against every trial of the second; NaN where either has none."""

    wins: float  # share
    losses: float
    ties: float
    win_rate: float  # wins + ties / 2
    cliff: float  # wins − losses (Cliff 1993)
    u: float  # win_rate · N · M


def permutation_test(
    a: np.ndarray,
    b: np.ndarray,
    *,
    rng: np.random.Generator,
    blocks: tuple[np.ndarray, np.ndarray] | None = None,
    draws: int = 100_000,
) -> Permutation:
    """p-values of a (N,) and b (M,) having one law, from the permutation law of the rank sum with ties (midranks).

    `blocks`: the block of every trial of a and of b; labels are then shuffled within blocks alone (one trial each: a
    sign flip), and a block that holds one policy says nothing. Ranks run over all trials. Exact by counting up to a
    million tables of the levels but the two fullest (200 v 200 on four levels), by a dynamic program where levels are
    many and trials few, by convolution over blocks; `draws` random shuffles beyond, (b + 1)/(B + 1). Without trials,
    or where all scores tie, p is 1. ShapeError for scores that are not finite or blocks that do not fit.

    >>> a, b = np.repeat(4, 20), np.repeat([3, 4], [5, 15])
    >>> round(permutation_test(a, b, rng=np.random.default_rng(0)).greater, 6)
    0.023562
    """
    a, b = checked_scores(a, "the first policy"), checked_scores(b, "the second policy")
    levels, (count_a, count_b) = level_counts(a, b)
    if not len(a) or not len(b):
        return Permutation(1.0, 1.0, 1.0, 1.0, True, 0)
    ranks = doubled_midranks(count_a + count_b)
    found = [Block(tuple((count_a + count_b).tolist()), len(a))] if blocks is None else _blocks(a, b, blocks, levels)
    seen = int(count_a @ ranks)
    tails = exact_tails(found, ranks, seen)
    exact = tails is not None
    tails = tails or drawn_tails(found, ranks, seen, draws, rng)
    above, below, mid = as_p(tails.above, tails.below, max(0.0, tails.above - tails.equal / 2))
    return Permutation(above, below, min(1.0, 2 * min(above, below)), mid, exact, 0 if exact else draws)


def _blocks(a: np.ndarray, b: np.ndarray, labels: tuple[np.ndarray, np.ndarray], levels: np.ndarray) -> list[Block]:
    first, second = (np.asarray(part) for part in labels)
    if first.shape != a.shape or second.shape != b.shape:
        raise ShapeError(
            f"one block label per trial is needed: {len(a)} and {len(b)} trials, got {first.shape} and {second.shape}"
        )
    names, index = np.unique(np.concatenate([first, second]), return_inverse=True)
    place = np.searchsorted(levels, np.concatenate([a, b]))
    pools = np.zeros((len(names), len(levels)), int)
    np.add.at(pools, (index, place), 1)
    takes = np.bincount(index[: len(a)], minlength=len(names))
    return [Block(tuple(pool), take) for pool, take in zip(pools.tolist(), takes.tolist(), strict=True)]


def approximation(a: np.ndarray, b: np.ndarray) -> Approximation:
    """p-values papers report: U of a (N,) and b (M,) against a normal law, ties and continuity corrected.

    Mann & Whitney (1947). No promise at a ceiling; printed beside the exact ones. 1 where nothing differs.
    """
    from scipy.stats import norm

    a, b = checked_scores(a, "the first policy"), checked_scores(b, "the second policy")
    _, (count_a, count_b) = level_counts(a, b)
    pool, n, m = (count_a + count_b).astype(float), len(a), len(b)
    total = n + m
    if not n or not m or pool.max() == total:
        return Approximation(1.0, 1.0, 1.0)
    spread = np.sqrt(n * m / 12 * (total + 1 - (pool**3 - pool).sum() / (total * (total - 1))))
    excess = (float(count_a @ doubled_midranks(count_a + count_b)) - n * (total + 1)) / 2  # U − nm/2
    greater, less = (float(norm.sf((side - 0.5) / spread)) for side in (excess, -excess))
    return Approximation(greater, less, min(1.0, 2 * min(greater, less)))


def matchups(a: np.ndarray, b: np.ndarray) -> Matchups:
    """How all N · M match-ups of a (N,) and b (M,) end.

    >>> matchups(np.array([4, 4]), np.array([3, 4])).win_rate
    0.75
    """
    a, b = checked_scores(a, "the first policy"), checked_scores(b, "the second policy")
    if not len(a) or not len(b):
        nan = float("nan")
        return Matchups(nan, nan, nan, nan, nan, 0.0)
    _, (count_a, count_b) = level_counts(a, b)
    fewer = np.cumsum(count_b) - count_b
    pairs = len(a) * len(b)
    won, tied = int(count_a @ fewer), int(count_a @ count_b)
    lost = pairs - won - tied
    win_rate = (won + tied / 2) / pairs
    return Matchups(won / pairs, lost / pairs, tied / pairs, win_rate, (won - lost) / pairs, won + tied / 2)
