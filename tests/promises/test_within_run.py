"""Promises over runs: intervals of a mean regret cover it, and sign flips reject a true null no more often than said.

Drawn: regrets as runs give them, smooth (every run loses something) or sparse (most lose nothing but noise, a few lose
much); whole ablations in which two rules are equally good, their picks drawn alike from the same checkpoints.
"""

from collections.abc import Callable

import numpy as np
import pytest

from surehand.decide.within_run import Hypothesis
from surehand.decide.within_run_judge import REVERSED, SMALL, SUPPORTED, Run, judge
from surehand.measure.ranking import mean_over_runs, sign_flip

Draw = Callable[[np.random.Generator, int], np.ndarray]


def smooth(rng: np.random.Generator, runs: int) -> np.ndarray:
    return rng.beta(2, 4, runs)


def sparse(rng: np.random.Generator, runs: int) -> np.ndarray:
    return np.where(rng.random(runs) < 0.6, rng.normal(0, 0.04, runs), rng.beta(1, 2, runs))


@pytest.mark.parametrize(
    ("draw", "mean", "runs", "at_least", "at_most"),
    [
        (smooth, 1 / 3, 5, 0.92, 0.97),
        (smooth, 1 / 3, 30, 0.93, 0.97),
        (sparse, 0.4 / 3, 30, 0.91, 0.96),
        (sparse, 0.4 / 3, 5, 0.76, 0.86),
    ],
)
def test_intervals_over_runs(draw: Draw, mean: float, runs: int, at_least: float, at_most: float) -> None:
    """As docs/within-run.md states them: kept with 30 runs, not with 5 of which few lose much."""
    rng = np.random.default_rng(5)
    found = [mean_over_runs(draw(rng, runs)) for _ in range(3000)]
    assert at_least < np.mean([i.low <= mean <= i.high for i in found]) < at_most


@pytest.mark.parametrize("runs", [6, 15, 30])
def test_sign_flips_keep_their_size(runs: int) -> None:
    """Differences symmetric about zero, many of them exactly zero, as equal picks give them."""
    rng = np.random.default_rng(runs)
    signs = rng.integers(-1, 2, (1500, runs))
    p = np.array([sign_flip(s * sparse(rng, runs), draws=1000, rng=rng) for s in signs])
    for alpha in (0.05, 0.2):
        assert (p <= alpha).mean() < alpha + 3 * np.sqrt(alpha * (1 - alpha) / len(p))


def ablation(rng: np.random.Generator, rules: int, runs: int) -> list[Run]:
    """Runs whose rules all see the true success through equally strong noise of their own."""
    steps = np.arange(10)
    made = []
    for i in range(runs):
        true = np.clip(1 / (1 + np.exp(-steps + rng.uniform(1, 4))) - rng.uniform(0, 0.05) * steps, 0, 1)
        values = {f"std/rule{r}": -true + rng.normal(0, 0.4, 10) for r in range(rules)}
        made.append(
            Run(f"run{i}", "mlp", 40, i, steps, rng.binomial(60, true) / 60, rng.binomial(100, true) / 100, values)
        )
    return made


def test_equal_rules_are_seldom_told_apart() -> None:
    """Over five comparisons with Holm at most 5 % of ablations claim any difference."""
    rng = np.random.default_rng(2)
    pairs = [Hypothesis(key=f"H{i}", claim="", better=f"std/rule{i}", worse=f"std/rule{i + 1}") for i in range(5)]
    claims = [
        any(c.verdict in (SUPPORTED, SMALL, REVERSED) for c in judge(ablation(rng, 6, 12), pairs).comparisons)
        for _ in range(300)
    ]
    assert np.mean(claims) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
