"""Promise: an interval holds the true error as often as it says, whole episodes being what varies.

Many datasets at once, as columns. Squared errors of a frame are gamma (shape ¼, skewed as real ones are) times an
episode's log-normal effect; its variance share is the intra-class correlation (ICC).
"""

import numpy as np
import pytest

from surehand.measure.logratio import simultaneous_limits
from surehand.measure.resample import ratio_interval, skill_interval

SHAPE = 0.25


def datasets(rng: np.random.Generator, episodes: int, effect: float, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums and counts (E, M) of M datasets whose expected squared error is 1."""
    counts = rng.integers(20, 80, (episodes, columns)).astype(float)
    scale = np.exp(effect * rng.standard_normal((episodes, columns)) - effect**2 / 2)
    return rng.gamma(SHAPE * counts) / SHAPE * scale, counts


def coverage(low: np.ndarray, high: np.ndarray, truth: float = 1.0) -> float:
    return float(np.mean((low <= truth) & (truth <= high)))


# Log-normal effect 0.3, 0.6, 1.0 is an ICC of .02, .07, .14. Measured coverage is in docs/statistics.md.
@pytest.mark.parametrize(
    ("episodes", "effect", "least"),
    [(10, 0.6, 0.90), (20, 0.6, 0.92), (50, 0.6, 0.925), (100, 0.6, 0.925), (400, 0.6, 0.93), (10, 1.0, 0.87)],
)
def test_coverage(episodes: int, effect: float, least: float) -> None:
    rng = np.random.default_rng(episodes)
    num, den = datasets(rng, episodes, effect, 1500)
    found = ratio_interval(num, den, rng=rng, draws=1000)
    assert least <= coverage(found.low, found.high) <= 0.98


def test_percentile_on_few_episodes_breaks_it() -> None:
    rng = np.random.default_rng(10)
    num, den = datasets(rng, 10, 0.6, 1500)
    found = ratio_interval(num, den, rng=rng, method="percentile", draws=1000)
    assert coverage(found.low, found.high) < 0.89


def test_frames_as_units_break_it() -> None:
    """The usual mistake: every frame counted as a unit, here 20 episodes of 50 frames at an ICC of .07."""
    rng = np.random.default_rng(2)
    scale = np.repeat(np.exp(0.6 * rng.standard_normal((20, 400)) - 0.18), 50, axis=0)
    frames = rng.gamma(SHAPE, size=(1000, 400)) / SHAPE * scale
    ones = np.ones(1000)
    by_frame = ratio_interval(frames, ones, rng=rng, method="CR1-t")
    by_episode = ratio_interval(frames.reshape(20, 50, 400).sum(axis=1), np.full(20, 50.0), rng=rng, draws=1000)
    assert coverage(by_frame.low, by_frame.high) < 0.75
    assert coverage(by_episode.low, by_episode.high) > 0.90


def test_stratified_by_task_with_small_tasks() -> None:
    """Eight tasks of two to five episodes whose levels differ threefold; plain multinomial strata would cover ~.85."""
    rng = np.random.default_rng(3)
    sizes = np.array([2, 2, 3, 3, 4, 4, 5, 5])
    task = np.repeat(np.arange(8), sizes)
    num, _ = datasets(rng, len(task), 0.5, 1000)
    counts = np.full(len(task), 50.0)
    level = np.linspace(0.5, 1.5, 8)[task][:, None]
    num = num / num.mean() * level * 50
    truth = float((np.linspace(0.5, 1.5, 8) * sizes).sum() / sizes.sum())
    cr1 = ratio_interval(num, counts, rng=rng, strata=task)
    rao_wu = ratio_interval(num, counts, rng=rng, strata=task, method="percentile", draws=1000)
    assert cr1.method == "CR1-t"
    assert coverage(cr1.low, cr1.high, truth) > 0.88
    assert coverage(rao_wu.low, rao_wu.high, truth) > 0.86


def test_skill_against_a_rival() -> None:
    rng = np.random.default_rng(4)
    counts = rng.integers(20, 80, 30).astype(float)
    shared = np.exp(0.6 * rng.standard_normal((30, 1000)) - 0.18)
    ours, rival = (rng.gamma(SHAPE * counts[:, None], size=(30, 1000)) / SHAPE * shared for _ in range(2))
    _, found = skill_interval(0.4 * ours, rival, counts, rng=rng, draws=1000)
    assert 0.92 <= coverage(found.low, found.high, 0.6) <= 0.98


def test_simultaneous_limits_hold_together() -> None:
    """All 20 columns at once in 95 % of runs, where separate intervals hold together in fewer than 75 %."""
    rng = np.random.default_rng(5)
    together = separate = 0
    for _ in range(150):
        num, den = datasets(rng, 30, 0.5, 20)
        low, high = simultaneous_limits(num, den, level=0.95, draws=800, rng=rng)
        together += coverage(low, high) == 1
        one = ratio_interval(num, den, rng=rng, draws=800)
        separate += coverage(one.low, one.high) == 1
    assert together >= 0.90 * 150
    assert separate < 0.75 * 150


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.3, 0.6, 1.0])
@pytest.mark.parametrize(("episodes", "least"), [(10, 0.89), (20, 0.895), (50, 0.92), (100, 0.90), (400, 0.925)])
def test_coverage_on_the_full_grid(episodes: int, least: float, effect: float) -> None:
    rng = np.random.default_rng(episodes)
    num, den = datasets(rng, episodes, effect, 5000)
    found = ratio_interval(num, den, rng=rng, draws=2000)
    assert least <= coverage(found.low, found.high) <= 0.97
