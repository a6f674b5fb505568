"""Promises on violation limits: they hold a share p of expert episodes with the confidence they state, at once for all.

Checked on laws without moments, with ties and atoms, over episodes of unequal length. What is compared with the promise
is the true share F(limit), never an estimate. Slack: three standard errors of the number of studies drawn.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from surehand.measure.peaks import beyond, find_peaks
from surehand.measure.tolerance import bonferroni, confidence_of, episodes_needed, lognormal_limit, order_limit

STUDIES = 4000
CONFIDENCE = 0.95
CONTINUOUS = {
    "log-normal": stats.lognorm(0.6),
    "exponential": stats.expon(),
    "uniform": stats.uniform(),
    "Pareto without a mean": stats.pareto(0.8),
    "Cauchy": stats.cauchy(),
    "normal, below and above 0": stats.norm(),
}
DISCRETE = {
    "Poisson": stats.poisson(3),
    "binomial, few values": stats.binom(2, 0.3),
    "all but 1.5 % are 0": stats.bernoulli(0.015),
    "all but 0.5 % are 0": stats.bernoulli(0.005),
    "geometric": stats.geom(0.4),
}
# (content, confidence, n): the worst peak of just enough, a lower one of more
DESIGNS = [(0.95, 0.95, 59), (0.99, 0.95, 299), (0.9, 0.95, 150), (0.99, 0.99375, 800)]


def slack(share: float, studies: int = STUDIES) -> float:
    return 3 * math.sqrt(share * (1 - share) / studies)


def kept(
    law: object, content: float, n: int, limit: Callable[[np.ndarray], float], studies: int = STUDIES, seed: int = 11
) -> float:
    """Share of studies of n peaks whose limit holds at least `content` of the law, counted exactly."""
    drawn = law.rvs((studies, n), random_state=np.random.default_rng(seed))  # type: ignore[attr-defined]
    limits = np.array([limit(peaks) for peaks in drawn.astype(float)])
    return float((law.cdf(limits) >= content - 1e-12).mean())  # type: ignore[attr-defined]


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("name", [*CONTINUOUS, *DISCRETE])
def test_content_is_held_with_the_confidence(name: str, design: tuple[float, float, int]) -> None:
    content, confidence, n = design
    law = (CONTINUOUS | DISCRETE)[name]
    rank = order_limit(np.arange(float(n)), content, confidence).rank
    studies = 1500 if n > 500 else STUDIES
    share = kept(law, content, n, lambda peaks: order_limit(peaks, content, confidence).value, studies)
    assert share >= confidence - slack(confidence, studies)
    if name in CONTINUOUS:  # and it is no more careful than its rank says
        assert share == pytest.approx(confidence_of(n, content, rank), abs=slack(confidence, studies))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_the_empirical_quantile_holds_it_half_the_time(name: str) -> None:
    share = kept(CONTINUOUS[name], 0.99, 299, lambda peaks: float(np.quantile(peaks, 0.99)))
    assert share < 0.6


def worlds(rng: np.random.Generator, episodes: int) -> tuple[np.ndarray, np.ndarray]:
    """(values, episode) of steps, level of the episode · noise of the step: some grip harder than others."""
    lengths = rng.integers(20, 61, episodes)
    episode = np.repeat(np.arange(episodes), lengths)
    return np.exp(0.5 * rng.normal(size=episodes))[episode] * np.exp(0.05 * rng.normal(size=len(episode))), episode


def test_steps_are_no_episodes() -> None:
    """Ten demonstrations are not 400: with the step as the unit, a limit for 99 % flags a fifth of all episodes."""
    rng = np.random.default_rng(5)
    fresh, owner = worlds(rng, 20_000)
    peaks = np.sort(find_peaks(fresh[:, None], owner, np.zeros(len(owner), int), 20_000, 1)[:, 0, 0])

    def flagged(limit: float) -> float:
        return 1 - float(np.searchsorted(peaks, limit, side="right")) / len(peaks)

    by_steps, by_episodes = [], []
    for _ in range(300):
        values, episode = worlds(rng, 10)
        by_steps.append(flagged(order_limit(values, 0.99, CONFIDENCE).value))
        values, episode = worlds(rng, episodes_needed(0.99, CONFIDENCE))
        tops = find_peaks(values[:, None], episode, np.zeros(len(values), int), episode[-1] + 1, 1)[:, 0, 0]
        by_episodes.append(flagged(order_limit(tops, 0.99, CONFIDENCE).value))
    assert np.mean(np.array(by_episodes) <= 0.01) >= CONFIDENCE - slack(CONFIDENCE, 300)
    assert np.mean(np.array(by_steps) <= 0.01) < 0.3 and np.mean(by_steps) > 0.05


def test_one_limit_for_all_tasks_fails_the_hard_one_and_lets_the_gentle_one_do_anything() -> None:
    """Four tasks, 300 episodes each: pooled, content is held for the mixture alone."""
    rng = np.random.default_rng(6)
    scales = np.array([1.0, 1.2, 1.5, 6.0])
    law = stats.lognorm(0.3)
    own, pooled, gentle = [], [], []
    for _ in range(1000):
        peaks = scales[:, None] * law.rvs((4, 300), random_state=rng)
        limits = np.array([order_limit(row, 0.99, CONFIDENCE).value for row in peaks])
        one = order_limit(peaks.ravel(), 0.99, CONFIDENCE).value
        own.append(law.cdf(limits / scales) >= 0.99)
        pooled.append(law.cdf(one / scales[3]) >= 0.99)
        gentle.append(one / limits[0])
    assert np.mean(own, axis=0).min() >= CONFIDENCE - slack(CONFIDENCE, 1000)
    assert np.mean(pooled) < 0.1  # 1 % of the mixture is 4 % of the hard task
    assert np.median(gentle) > 3  # times what experts do at most in the gentle task


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_all_limits_hold_at_once(shared: float) -> None:
    """Eight limits on signals that share `shared` of their variance, over just enough episodes for the family."""
    rng = np.random.default_rng(7)
    studies, m, content = 1500, 8, 0.95
    each = bonferroni(CONFIDENCE, m)
    n, few = episodes_needed(content, each), episodes_needed(content, CONFIDENCE)
    together, apart = [], []
    for _ in range(studies):
        common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, m))
        peaks = math.sqrt(shared) * common + math.sqrt(1 - shared) * own
        limits = np.array([order_limit(column, content, each).value for column in peaks.T])
        together.append((stats.norm.cdf(limits) >= content).all())
        limits = np.array([order_limit(column, content, CONFIDENCE).value for column in peaks[:few].T])
        apart.append((stats.norm.cdf(limits) >= content).all())
    assert np.mean(together) >= CONFIDENCE - slack(CONFIDENCE, studies)
    assert np.mean(apart) < (0.75 if not shared else 0.93)  # each by itself: .95 to the 8th where nothing is shared


def test_a_parametric_limit_promises_nothing_elsewhere() -> None:
    """Twenty episodes: exact where peaks are log-normal, and far off where their tail is heavier."""
    found = kept(stats.lognorm(0.6), 0.99, 20, lambda peaks: lognormal_limit(peaks, 0.99, CONFIDENCE), 2000)
    assert found == pytest.approx(CONFIDENCE, abs=slack(CONFIDENCE, 2000))
    heavy = kept(stats.t(2, loc=30), 0.99, 20, lambda peaks: lognormal_limit(abs(peaks), 0.99, CONFIDENCE), 2000)
    assert heavy < 0.85


def test_a_violation_is_strict() -> None:
    """Half of all peaks at the limit itself: none of them is a violation, or the promise fails at every atom."""
    law = stats.bernoulli(0.5)
    limit = order_limit(law.rvs(59, random_state=np.random.default_rng(1)).astype(float), 0.95, CONFIDENCE).value
    fresh = law.rvs(1000, random_state=np.random.default_rng(2)).astype(float)
    assert not beyond(fresh, np.array(limit)).any() and (fresh >= limit).mean() > 0.4
