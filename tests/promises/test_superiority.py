"""Promises on win rates: credible and score limits cover near the ceiling, where the percentile bootstrap does not.

Drawn: 20 trials of each of two policies on a rubric of four levels. The bound leaves room for the noise of 2,000 trials
(three standard errors at .95: ±.015).
"""

import numpy as np
import pytest

from surehand.measure.superiority import draw_distributions, newcombe_win_rate, win_rate_posterior, win_rates

N, STUDIES = 20, 2000
Laws = tuple[tuple[float, ...], tuple[float, ...]]
CEILING: Laws = (0, 0, 0.001, 0.999), (0.01, 0.01, 0.03, 0.95)
OTHERS: list[Laws] = [
    ((0, 0, 0.05, 0.95), (0, 0, 0.25, 0.75)),
    ((0, 0.05, 0.15, 0.8), (0.05, 0.1, 0.25, 0.6)),
    ((0.25, 0.25, 0.25, 0.25), (0.25, 0.25, 0.25, 0.25)),
    ((0.1, 0.2, 0.3, 0.4), (0.4, 0.3, 0.2, 0.1)),
]


def covered(laws: Laws, seed: int = 7) -> dict[str, float]:
    """Share of studies whose limits hold the true win rate, by method; equal studies are counted once each."""
    rng = np.random.default_rng(seed)
    p_a, p_b = (np.array(p) for p in laws)
    true = float(win_rates(p_a, p_b))
    drawn = np.hstack([rng.multinomial(N, p, STUDIES) for p in (p_a, p_b)])
    studies, times = np.unique(drawn, axis=0, return_counts=True)
    hits = {"dirichlet": 0, "newcombe": 0, "bootstrap": 0}
    for counts, often in zip(studies, times, strict=True):
        a, b = counts[:4], counts[4:]
        drawn_a, drawn_b = (draw_distributions(c, 0.5, 2000, rng) for c in (a, b))
        found = win_rate_posterior(drawn_a, drawn_b, np.arange(4))
        again = win_rates(rng.multinomial(N, a / N, 1000) / N, rng.multinomial(N, b / N, 1000) / N)
        limits = {
            "dirichlet": (found.low, found.high),
            "newcombe": newcombe_win_rate(a, b),
            "bootstrap": tuple(np.quantile(again, [0.025, 0.975])),
        }
        for name, (low, high) in limits.items():
            hits[name] += int(often) * bool(low <= true <= high)
    return {name: hit / STUDIES for name, hit in hits.items()}


def test_both_cover_near_the_ceiling_and_the_bootstrap_does_not() -> None:
    found = covered(CEILING)
    assert found["dirichlet"] > 0.935 and found["newcombe"] > 0.935
    assert found["bootstrap"] < 0.75  # the usual mistake: no three seen, no three to come


@pytest.mark.parametrize("laws", OTHERS)
def test_both_cover_elsewhere(laws: Laws) -> None:
    found = covered(laws)
    assert found["dirichlet"] > 0.925 and found["newcombe"] > 0.935
