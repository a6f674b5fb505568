"""What one question of power comes to: laws by which counts arise, a test, and the chance of its verdicts.

L levels of the rubric, lowest first; n trials of each policy.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.measure import power_exact as exact
from surehand.measure.two_levels import barnard_rejects

Test = Literal["permutation", "approximation", "fisher", "barnard"]
TESTS: tuple[Test, ...] = ("permutation", "approximation", "fisher", "barnard")
TWO_LEVELS = ("fisher", "barnard")
MOST_PAIRS = 20_000_000  # pairs of tables enumerated at most, by an upper bound that is some three times too high
MOST_TABLES = 400_000  # pooled tables listed
DRAWS = 40_000  # samples beyond that: a power is then known to ±0.5 % (95 %)
SURE, HOPELESS = 1 / 20, 4.0  # multiples of α: approximate p-values beyond need no exact one


class Power(NamedTuple):
    """The probability that the test resolves the pair; `wrong` of it in favour of the second policy."""

    value: float  # in favour of the first
    wrong: float
    exact: bool
    method: str


class Question(NamedTuple):
    """What is wanted of a test, and how much work may go into it."""

    n: int
    test: Test
    sides: int
    alpha: float
    most_pairs: int
    draws: int


class Law(NamedTuple):
    """How one policy's counts arise: weights of every count at every level, and how to sample them."""

    weights: np.ndarray  # (L, n + 1) of independent counts
    scale: float  # weight of all tables of n trials
    sample: Callable[[np.random.Generator, int], np.ndarray]  # (B, L) counts


def check(levels: int, n: int, test: str, sides: int, alpha: float) -> None:
    if test not in TESTS:
        raise SurehandError(f"no test {test!r}; expected one of {', '.join(TESTS)}")
    if test in TWO_LEVELS and levels != 2:
        raise ShapeError(f"{test} compares successes, got {levels} levels; count failures and successes first")
    if sides not in (1, 2):
        raise SurehandError(f"a test has 1 or 2 sides, got {sides}")
    if not 0 < alpha < 1:
        raise SurehandError(f"α lies between 0 and 1, got {alpha:g}")
    if n < 1:
        raise NotEnoughData(f"{n} trials per policy; power needs at least one")


def fixed(p: np.ndarray, n: int) -> Law:
    """Known distribution: multinomial counts are Poisson counts given their sum."""
    from scipy.stats import poisson

    return Law(
        poisson.pmf(np.arange(n + 1), n * p[:, None]), float(poisson.pmf(n, n)), lambda rng, b: rng.multinomial(n, p, b)
    )


def uncertain(weights: np.ndarray, n: int) -> Law:
    """Dirichlet posterior: its counts are negative binomial counts given their sum."""
    from scipy.stats import nbinom

    total = float(weights.sum())
    rate = total / (total + n)
    return Law(
        nbinom.pmf(np.arange(n + 1), weights[:, None], rate),
        float(nbinom.pmf(n, total, rate)),
        lambda rng, b: rng.multinomial(n, rng.dirichlet(weights, b)),
    )


def resolve(first: Law, second: Law, asked: Question, rng: np.random.Generator) -> Power:
    """The probability of either verdict when the policies' counts arise by these laws."""
    n, tail, scale = asked.n, asked.alpha / asked.sides, first.scale * second.scale
    if asked.test == "barnard":
        a, b = (law.weights for law in (first, second))
        chance = np.outer(a[1] * a[0, ::-1], b[1] * b[0, ::-1]) / scale  # by the successes of both
        found = barnard_rejects(n, asked.alpha, asked.sides)
        other = found.T if asked.sides == 1 else found
        ahead = np.tri(n + 1, k=-1, dtype=bool)
        return Power(float(chance[found & ahead].sum()), float(chance[other & ahead.T].sum()), True, "exact")
    seen = (first.weights[:, 1:] + second.weights[:, 1:]).sum(axis=1) > 0  # levels that occur at all
    if int(seen.sum()) == 1:
        return Power(0.0, 0.0, True, "exact")
    approximate = asked.test == "approximation"
    windows = exact.Windows(n, first.weights[seen], second.weights[seen])
    if windows.most_tables <= MOST_TABLES:
        tables = exact.pooled_tables(windows)
        if exact.most_pairs(tables, windows.low, windows.high).sum() <= asked.most_pairs:
            won, lost = exact.rejections(windows, tables, tail, approximate=approximate)
            return Power(min(1.0, won / scale), min(1.0, lost / scale), True, "exact")
    one, other_one = rng.spawn(2)
    counts = first.sample(one, asked.draws), second.sample(other_one, asked.draws)
    won, lost, share = sampled_rejections(
        counts[0], counts[1], tail, budget=asked.most_pairs // 4, approximate=approximate
    )
    rest = f"; normal approximation for {share:.0%} of them" if share > 0.005 else ""
    return Power(won, lost, False, f"Monte Carlo, {asked.draws} draws{rest}")


def sampled_rejections(
    first: np.ndarray, second: np.ndarray, tail: float, *, budget: int, approximate: bool = False
) -> tuple[float, float, float]:
    """Shares of the samples (B, L) and (B, L) in which the first, and the second, is found better at one-sided `tail`.

    The exact test is asked only where the approximate p-value lies within α/20 and 4α; beyond, both say the same. It
    may cost `budget` pairs of tables: those spread over so many levels that it does not reach them take the
    approximation's word, which for them is right to half a percent of power. The third value is their share.
    """
    n = int(first[0].sum())
    tables = first + second
    d = 2 * (first * (np.cumsum(second, axis=1) - second)).sum(axis=1) + (first * second).sum(axis=1) - n * n
    bars = exact.approximate_bars(tables, n, tail)
    share = 0.0
    if not approximate:
        sure = np.abs(d) >= exact.approximate_bars(tables, n, tail * SURE)
        between = ~sure & (np.abs(d) >= exact.approximate_bars(tables, n, min(0.5, tail * HOPELESS)))
        asked, back = np.unique(tables[between], axis=0, return_inverse=True)
        cost = exact.null_pairs(asked, n)
        order = np.argsort(cost, kind="stable")
        cheap = order[np.cumsum(cost[order]) <= budget]
        found = exact.approximate_bars(asked, n, tail)
        if len(cheap):
            found[cheap] = exact.bars(asked[cheap], n, tail)
        bars = np.where(sure, 1.0, np.inf)
        bars[between] = found[back.ravel()]
        by_word = np.ones(len(asked), bool)
        by_word[cheap] = False
        share = float(by_word[back.ravel()].sum() / len(d))
    return float((d >= bars).mean()), float((d <= -bars).mean()), share
