"""Win rates, their posteriors and limits, against known values, brute force and quadrature by other means."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import beta

from surehand.exceptions import NotEnoughData, ShapeError, SurehandError
from surehand.measure.superiority import (
    SWEEP,
    Posterior,
    draw_distributions,
    newcombe_win_rate,
    observed_win_rate,
    success_posterior,
    win_rate_posterior,
    win_rates,
)

A, B, C = np.array([0, 0, 0, 20]), np.array([0, 0, 5, 15]), np.array([0, 2, 6, 12])  # the HSR trials
PAIRS = {"A>B": (A, B), "A>C": (A, C), "B>C": (B, C)}
LEVELS = np.array([1, 2, 3, 4])


def posterior(pair: str, prior: float = 0.5) -> Posterior:
    rng = np.random.default_rng(0)
    p_a, p_b = (draw_distributions(counts, prior, 200_000, rng) for counts in PAIRS[pair])
    return win_rate_posterior(p_a, p_b, LEVELS)


@pytest.mark.parametrize(
    ("pair", "low", "high"), [("A>B", -0.110, 0.544), ("A>C", 0.038, 0.659), ("B>C", -0.180, 0.484)]
)
def test_newcombe_limits_of_the_hsr_trials(pair: str, low: float, high: float) -> None:
    found = newcombe_win_rate(*PAIRS[pair])
    assert [2 * limit - 1 for limit in found] == pytest.approx([low, high], abs=5e-4)


def test_newcombe_limits_solve_their_equation() -> None:
    """(θ̂ − θ)² = z²V(θ) at both ends, for samples of different sizes."""
    a, b, z = np.array([1, 4, 2, 6]), np.array([3, 3, 2, 0]), 1.959963984540054
    seen, m, n = observed_win_rate(a, b), a.sum(), b.sum()
    star = (m + n) / 2 - 1
    for rate in newcombe_win_rate(a, b):
        variance = rate * (1 - rate) * (1 + star * (1 - rate) / (2 - rate) + star * rate / (1 + rate)) / (m * n)
        assert (seen - rate) ** 2 == pytest.approx(z**2 * variance, rel=1e-9)


def test_newcombe_limits_mirror_and_never_have_zero_width() -> None:
    low, high = newcombe_win_rate(B, C)
    assert newcombe_win_rate(C, B) == pytest.approx((1 - high, 1 - low))
    low, high = newcombe_win_rate(np.array([0, 5]), np.array([5, 0]))
    assert high == 1 and low < 0.75


def test_win_rates_by_counting_match_ups() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 23), rng.integers(0, 5, 17)
    wins = np.mean((a[:, None] > b) + (a[:, None] == b) / 2)
    assert observed_win_rate(np.bincount(a, minlength=5), np.bincount(b, minlength=5)) == pytest.approx(wins)
    for _ in range(100):
        same = rng.integers(0, 20, 4) + np.array([1, 0, 0, 0])
        assert observed_win_rate(same, same) == 0.5, "to the last bit, as a plan asks whether pilots tie"
    p = rng.dirichlet(np.ones(4), (3, 2))
    assert win_rates(p[:, 0], p[:, 1]) == pytest.approx(1 - win_rates(p[:, 1], p[:, 0]))


@pytest.mark.parametrize(
    ("pair", "better", "higher_mean"),
    [
        ("A>B", (0.947, 0.976, 0.990), (0.851, 0.912, 0.954)),
        ("A>C", (0.992, 0.997, 0.999), None),
        ("B>C", (0.836, 0.860, 0.873), None),
    ],
)
def test_priors_on_the_hsr_trials(pair: str, better: tuple[float, ...], higher_mean: tuple[float, ...] | None) -> None:
    rows = [posterior(pair, prior) for prior in SWEEP]
    assert [row.better for row in rows] == pytest.approx(better, abs=0.003)
    if higher_mean:
        assert [row.higher_mean for row in rows] == pytest.approx(higher_mean, abs=0.003)


@pytest.mark.parametrize(
    ("pair", "low", "high"), [("A>B", 0.003, 0.438), ("A>C", 0.115, 0.580), ("B>C", -0.129, 0.429)]
)
def test_credible_limits_of_the_hsr_trials(pair: str, low: float, high: float) -> None:
    found = posterior(pair)
    assert (2 * found.low - 1, 2 * found.high - 1) == pytest.approx((low, high), abs=0.004)


def test_success_posterior_of_the_hsr_trials(shared: Path) -> None:
    known = json.loads((shared / "hsr_trials/regression_values.json").read_text())["pairs"]
    for pair, (a, b) in PAIRS.items():
        for prior, name in ((1.0, "uniform"), (0.5, "jeffreys")):
            found = success_posterior(a[-1], 20, b[-1], 20, prior)
            assert found == pytest.approx(known[pair][f"post_success_{name}"], abs=1e-9)


@pytest.mark.parametrize(("x", "n", "y", "m"), [(3, 7, 9, 30), (0, 5, 0, 9), (180, 200, 170, 200), (1, 1, 0, 1)])
@pytest.mark.parametrize("prior", [0.25, 0.5, 1.0, 2.0])
def test_success_posterior_against_adaptive_quadrature(x: int, n: int, y: int, m: int, prior: float) -> None:
    """In u, the quantile of p_A, the integrand is bounded whatever the prior."""
    a, b = beta(x + prior, n - x + prior), beta(y + prior, m - y + prior)
    expected = quad(lambda u: b.cdf(a.ppf(u)), 0, 1, limit=500, epsabs=1e-10)[0]
    assert success_posterior(x, n, y, m, prior) == pytest.approx(expected, abs=1e-7)
    assert success_posterior(x, n, y, m, prior) + success_posterior(y, m, x, n, prior) == pytest.approx(1, abs=1e-9)


def test_draws_follow_the_posterior(rng: np.random.Generator) -> None:
    draws = draw_distributions(B, 0.5, 50_000, rng)
    weights = B + 0.5
    assert draws.sum(axis=1) == pytest.approx(1)
    assert draws.mean(axis=0) == pytest.approx(weights / weights.sum(), abs=0.002)
    nothing = draw_distributions(np.zeros(3), 1.0, 50_000, rng)
    assert nothing.mean(axis=0) == pytest.approx([1 / 3] * 3, abs=0.005)
    assert nothing.std(axis=0) == pytest.approx([np.sqrt(1 / 18)] * 3, abs=0.005)


def test_what_is_no_comparison_is_refused(rng: np.random.Generator) -> None:
    for a, b in (([1, 2], [1, 2, 3]), ([[1, 2]], [[1, 2]]), ([1, -1], [1, 1]), ([np.nan, 1], [1, 1]), ([3], [3])):
        with pytest.raises(ShapeError):
            newcombe_win_rate(np.array(a), np.array(b))
    with pytest.raises(NotEnoughData, match="no trials"):
        newcombe_win_rate(np.array([0, 0]), np.array([1, 1]))
    with pytest.raises(ShapeError, match="within their trials"):
        success_posterior(3, 2, 1, 2)
    with pytest.raises(SurehandError, match="above 0"):
        draw_distributions(A, 0.0, 5, rng)
    with pytest.raises(SurehandError, match="above 0"):
        success_posterior(1, 2, 1, 2, prior=0.0)
