"""Claimed statistics: every usual mistake planted is named, honest claims pass."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from surehand.decide.checks.digest import Facts
from surehand.decide.checks.statistics import check_stats, check_stats_saw_eval, check_stats_size
from surehand.decide.findings import Finding
from surehand.frames import Actions, Stats


def codes(found: list[Finding]) -> list[str]:
    return [one.code for one in found]


@pytest.fixture
def recorded(worlds: Any, rng: np.random.Generator) -> Actions:
    recording: Actions = worlds.recording(rng, episodes=30, frames=(60, 240))
    return recording


@pytest.fixture
def facts(worlds: Any, recorded: Actions) -> Facts:
    found: Facts = worlds.facts_of(recorded)
    return found


def honest(action: np.ndarray) -> Stats:
    """Statistics by numpy, independent of the digest."""
    values = action.astype(float)
    q01, q99 = np.quantile(values, (0.01, 0.99), axis=0)
    low, high = values.min(0), values.max(0)
    return Stats(values.mean(0), values.std(0), low, high, q01, q99, len(values), "numpy")


def test_honest_claims_pass(facts: Facts, recorded: Actions) -> None:
    claim = honest(recorded.action)
    assert check_stats(claim, facts) == []
    assert check_stats(replace(claim, std=recorded.action.astype(float).std(0, ddof=1)), facts) == []
    assert check_stats(Stats(mean=claim.mean, std=claim.std), facts) == []
    assert check_stats(Stats(q01=claim.q01, q99=claim.q99), facts) == []
    assert check_stats(Stats(min=claim.min, max=claim.max), facts) == []


def test_a_training_subset_passes(facts: Facts, recorded: Actions, rng: np.random.Generator) -> None:
    for _ in range(10):
        train = rng.permutation(30)[:22]
        claim = honest(recorded.action[np.isin(recorded.episode, train)])
        assert codes(check_stats(claim, facts)) == ["stats.subset"]
        assert check_stats(claim, facts, np.isin(facts.episode, train)) == []


def test_statistics_of_another_size(facts: Facts) -> None:
    found = check_stats(Stats(mean=np.zeros(7), std=np.ones(7)), facts)
    assert codes(found) == ["stats.size"] and "(7,)" in found[0].evidence and "14" in found[0].evidence
    assert check_stats_size(Stats(), 14) == []


def test_claims_that_contradict_themselves(facts: Facts, recorded: Actions) -> None:
    claim = honest(recorded.action)
    assert codes(check_stats(replace(claim, min=claim.max, max=claim.min), facts)) == ["stats.order"]
    assert codes(check_stats(replace(claim, q01=claim.q99, q99=claim.q01), facts)) == ["stats.order"]
    assert codes(check_stats(replace(claim, std=-claim.std), facts)) == ["stats.order"]
    assert codes(check_stats(replace(claim, mean=np.full(14, np.nan)), facts)) == ["stats.nonfinite"]
    std = claim.std.copy()
    std[3] = 0
    assert codes(check_stats(replace(claim, std=std), facts)) == ["stats.zero_std"]


def per_episode(recorded: Actions, how: Any) -> np.ndarray:
    return np.array([how(recorded.action[recorded.episode == e].astype(float)) for e in range(30)])


def test_per_episode_averages_are_named(facts: Facts, recorded: Actions) -> None:
    claim = honest(recorded.action)
    stds = per_episode(recorded, lambda a: a.std(0))
    means = per_episode(recorded, lambda a: a.mean(0))
    counts = np.bincount(recorded.episode)[:, None]
    within = np.sqrt((counts * stds**2).sum(0) / counts.sum())
    for wrong, words in (
        (stds.mean(0), "plain average"),
        ((counts * stds).sum(0) / counts.sum(), "frame-weighted"),
        (within, "within episodes"),
        (means.std(0), "spread of episode means"),
    ):
        (one,) = check_stats(replace(claim, std=wrong), facts)
        assert one.code == "stats.per_episode" and words in one.evidence, words
    lows, highs = per_episode(recorded, lambda a: a.min(0)), per_episode(recorded, lambda a: a.max(0))
    (one,) = check_stats(replace(claim, min=lows.mean(0), max=highs.mean(0), q01=None, q99=None), facts)
    assert one.code == "stats.per_episode" and "minima" in one.evidence


def test_plain_average_of_episode_means(worlds: Any, rng: np.random.Generator) -> None:
    """Short episodes in one place, long ones in another: the plain average of means is far off."""
    recorded = worlds.recording(rng, episodes=30, frames=(40, 300))
    long = np.bincount(recorded.episode)[recorded.episode] > 170
    recorded = worlds.with_action(recorded, recorded.action + long[:, None])
    means = per_episode(recorded, lambda a: a.mean(0))
    claim = replace(honest(recorded.action), mean=means.mean(0))
    assert codes(check_stats(claim, worlds.facts_of(recorded))) == ["stats.per_episode"]


def test_variance_for_std_and_statistics_of_the_state(worlds: Any, recorded: Actions) -> None:
    claim = honest(recorded.action)
    facts = worlds.facts_of(recorded)
    (one,) = check_stats(replace(claim, std=claim.std**2), facts)
    assert one.code == "stats.std" and "square root" in one.evidence
    moved = worlds.facts_of(replace(recorded, state=recorded.state * 1.7 + 0.5))
    state = honest(recorded.state * 1.7 + 0.5)
    found = check_stats(Stats(mean=state.mean, std=state.std), moved)
    assert set(codes(found)) == {"stats.other_key"}
    steps = recorded.action[1:][np.diff(recorded.episode) == 0] - recorded.action[:-1][np.diff(recorded.episode) == 0]
    found = check_stats(Stats(mean=steps.astype(float).mean(0), std=steps.astype(float).std(0)), facts)
    assert "stats.other_key" in codes(found) and "differences" in found[0].evidence


def test_other_datas_statistics(worlds: Any, facts: Facts, recorded: Actions) -> None:
    claim = honest(recorded.action)
    assert codes(check_stats(replace(claim, mean=claim.mean + 3 * claim.std), facts)) != []
    shifted = Stats(mean=claim.mean + 3 * claim.std, std=claim.std)
    assert codes(check_stats(shifted, facts)) == ["stats.mean"]
    assert codes(check_stats(Stats(mean=claim.mean, std=2.5 * claim.std), facts)) == ["stats.std"]
    one_dim = claim.std.copy()
    one_dim[5] *= 3
    (one,) = check_stats(replace(claim, std=one_dim), facts)
    assert one.code == "stats.std" and "dim 5" in one.evidence
    wide = replace(claim, min=claim.min - 1, max=claim.max + 1)
    assert codes(check_stats(wide, facts)) == ["stats.min_max"]
    assert codes(check_stats(Stats(min=claim.min * 0 - 99, max=claim.max * 0 + 99), facts)) == ["stats.min_max"]


def test_quantile_mistakes_are_named(facts: Facts, recorded: Actions) -> None:
    claim = honest(recorded.action)
    counts = np.bincount(recorded.episode)[:, None] / len(recorded)
    first, last = (per_episode(recorded, lambda a, q=q: np.quantile(a, q, axis=0)) for q in (0.01, 0.99))
    lows, highs = per_episode(recorded, lambda a: a.min(0)), per_episode(recorded, lambda a: a.max(0))
    for q01, q99, words in (
        ((counts * first).sum(0), (counts * last).sum(0), "weighted by frames"),
        ((counts * lows).sum(0), (counts * last).sum(0), "weighted by frames"),  # LeRobot on short episodes
        (first.mean(0), last.mean(0), "plain averages of per-episode quantiles"),
        (first.min(0), last.max(0), "outermost"),
        (lows.min(0), highs.max(0), "min and max"),
    ):
        found = check_stats(replace(claim, q01=q01, q99=q99), facts)
        assert codes(found) == ["stats.quantiles_per_episode"], words
        assert words in found[0].evidence and "2 % expected" in found[0].evidence
    q05, q95 = np.quantile(recorded.action, (0.05, 0.95), axis=0)
    found = check_stats(replace(claim, q01=q05, q99=q95), facts)
    assert codes(found) == ["stats.quantiles"] and "10.0 % of frames" in found[0].evidence


def test_a_gripper_that_hardly_ever_closes_has_equal_quantiles(worlds: Any, rng: np.random.Generator) -> None:
    recorded = worlds.recording(rng, episodes=30)
    action = recorded.action.copy()
    action[:, 6] = (recorded.frame < 1) & (recorded.episode < 10)
    recorded = worlds.with_action(recorded, action)
    claim = honest(action)
    assert claim.q01[6] == claim.q99[6]
    assert check_stats(claim, worlds.facts_of(recorded)) == []


def test_statistics_that_saw_the_held_out_episodes(facts: Facts, recorded: Actions) -> None:
    train = np.arange(30) < 20
    assert codes(check_stats_saw_eval(honest(recorded.action), facts, train)) == ["split.stats_saw_eval"]
    apart = honest(recorded.action[recorded.episode < 20])
    assert check_stats_saw_eval(apart, facts, train) == []
    assert check_stats_saw_eval(honest(recorded.action), facts, np.ones(30, bool)) == []
