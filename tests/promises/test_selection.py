"""Promises of a choice: the best stays in the set, false masking alarms are rare, a rule's value is not flattered.

Each beside the usual mistake, which must be seen to break the promise.
"""

import numpy as np
import pytest

from surehand.decide.evidence import Evidence
from surehand.decide.masking import RATIO, masking_alarms
from surehand.decide.rules import minimax_rule, pareto_rule, total_rule
from surehand.decide.tied import cross_fit, judge, selected_interval
from surehand.measure.logratio import log_ratios
from surehand.measure.modelset import influence_losses, model_confidence_set
from surehand.measure.resample import ratio_interval

SHAPE = 0.25  # of a frame's gamma-distributed squared error
CHECKPOINTS = 14
UNEQUAL = np.array([0.1, 0.3, 0.6, 1.0, 1.5])  # log-normal spread of an episode's error, per group


def drawn(
    rng: np.random.Generator, episodes: int, truth: np.ndarray, spread: np.ndarray | float = 0.4, shared: float = 0.5
) -> Evidence:
    """Evidence of C checkpoints and G groups with these expected errors (C, G), one frame count per episode."""
    counts = rng.integers(20, 80, episodes).astype(float)
    episode = np.exp(shared * rng.standard_normal((episodes, 1, 1)) - shared**2 / 2)
    own = np.exp(spread * rng.standard_normal((episodes, *truth.shape)) - np.square(spread) / 2)
    groups = rng.gamma(SHAPE * counts[:, None, None], size=(episodes, *truth.shape)) / SHAPE * episode * own * truth
    sums = np.concatenate([groups, groups.mean(axis=2, keepdims=True)], axis=2)
    names = tuple(f"c{i}" for i in range(len(truth))), tuple(f"g{i}" for i in range(truth.shape[1]))
    return Evidence(*names, sums.sum(axis=0) / counts.sum(), sums, counts)


def allowed(nominal: float, runs: int) -> float:
    """Share of misses that a kept promise exceeds less than once in a thousand."""
    return nominal + 3.1 * float(np.sqrt(nominal * (1 - nominal) / runs))


def set_misses(episodes: int, truth: np.ndarray, spread: np.ndarray, runs: int, studentise: bool) -> float:
    """Share of runs in which the model confidence set lacks one of the best, (C,) truth and spread."""
    missed = 0
    for run in range(runs):
        rng = np.random.default_rng([episodes, run])
        evidence = drawn(rng, episodes, truth[:, None], spread[:, None])
        numerators, counts = evidence.sums()
        losses = influence_losses(numerators[:, :, 0], counts)
        found = model_confidence_set(losses, rng=rng, draws=600, studentise=studentise)
        missed += not found.included[truth == truth.min()].all()
    return missed / runs


ONE_BEST = np.where(np.arange(CHECKPOINTS) == 0, 0.8, 1.0)
SPREADS = np.linspace(0.2, 1.5, CHECKPOINTS)


@pytest.mark.parametrize("truth", [np.ones(CHECKPOINTS), ONE_BEST], ids=["all equal", "one best"])
def test_the_set_holds_the_best(truth: np.ndarray) -> None:
    assert set_misses(30, truth, SPREADS, 120, studentise=True) <= allowed(0.05, 120)


def test_the_original_scale_loses_the_best_on_few_skewed_episodes() -> None:
    """Why draws are studentised: with one fixed scale, as published, the promise breaks."""
    assert set_misses(30, np.ones(CHECKPOINTS), SPREADS, 60, studentise=False) > 2 * allowed(0.05, 60)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [np.full(CHECKPOINTS, 0.4), SPREADS], ids=["even", "uneven"])
@pytest.mark.parametrize("truth", [np.ones(CHECKPOINTS), ONE_BEST], ids=["all equal", "one best"])
@pytest.mark.parametrize("episodes", [10, 20, 50, 100, 400])
def test_the_set_holds_the_best_on_the_full_grid(episodes: int, truth: np.ndarray, spread: np.ndarray) -> None:
    assert set_misses(episodes, truth, spread, 400, studentise=True) <= allowed(0.05, 400)


def false_alarms(episodes: int, spread: np.ndarray | float, runs: int) -> tuple[float, float]:
    """Shares of runs with a masking alarm among equal checkpoints: ours, and without max-t."""
    ours = naive = 0
    for run in range(runs):
        rng = np.random.default_rng([episodes, run])
        evidence = drawn(rng, episodes, np.ones((CHECKPOINTS, 5)), spread)
        pick = total_rule(evidence).best
        ours += bool(masking_alarms(evidence, pick, None, level=0.95, draws=600, seed=run)[0])
        numerators, _ = evidence.sums()
        others = np.delete(numerators, pick, axis=1)[:, :, :5].reshape(episodes, -1)
        own = np.tile(numerators[:, pick, :5], CHECKPOINTS - 1)
        cells = log_ratios(own, others, draws=600, rng=rng)
        low = np.exp(cells.value - np.quantile(cells.t, 0.95, axis=0) * cells.se)
        naive += bool(((low > 1) & (np.exp(cells.value) >= RATIO)).any())
    return ours / runs, naive / runs


@pytest.mark.parametrize("spread", [0.4, UNEQUAL], ids=["even", "unequal noise"])
def test_false_masking_alarms_are_rare(spread: np.ndarray | float) -> None:
    ours, naive = false_alarms(50, spread, 120)
    assert ours <= 0.05
    assert naive > 0.3  # without the maximum over checkpoints and groups


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.4, UNEQUAL], ids=["even", "unequal noise"])
@pytest.mark.parametrize("episodes", [5, 10, 20, 50, 200])
def test_false_masking_alarms_on_the_full_grid(episodes: int, spread: np.ndarray | float) -> None:
    assert false_alarms(episodes, spread, 400)[0] <= 0.05


def test_real_masking_is_found() -> None:
    """An alarm that never rings keeps its promise, too: at 100 episodes an arm 1.5 times as bad is found."""
    truth = np.ones((CHECKPOINTS, 5))
    truth[0] = [1.5, 0.5, 0.5, 0.5, 0.5]
    found = 0
    for run in range(20):
        evidence = drawn(np.random.default_rng(run), 100, truth)
        alarms, _ = masking_alarms(evidence, 0, None, level=0.95, draws=600, seed=run)
        found += [alarm.group for alarm in alarms] == ["g0"]
    assert found >= 18


def test_minimax_and_pareto_sets_hold_the_truth() -> None:
    truth = np.exp(0.3 * np.random.default_rng(7).standard_normal((6, 3)))
    known = Evidence(tuple(f"c{i}" for i in range(6)), ("g0", "g1", "g2"), np.column_stack([truth, truth.mean(axis=1)]))
    floor = np.full(3, 0.01)
    winner = {known.checkpoints[minimax_rule(known, floor).best]}
    front = {c for c, on in zip(known.checkpoints, pareto_rule(known).wins(known.errors), strict=True) if on}
    missed = np.zeros(2)
    smaller = 0
    for run in range(60):
        evidence = drawn(np.random.default_rng(run), 80, truth, 0.2, 0.2)
        sets = [set(judge(r, level=0.95, draws=600, seed=run).tied) for r in _both(evidence, floor)]
        missed += [not winner <= sets[0], not front <= sets[1]]
        smaller += len(sets[0]) < 6 and len(sets[1]) < 6
    assert (missed <= allowed(0.05, 60) * 60).all()
    assert smaller > 30  # a set of everything would hold the truth as well


def _both(evidence: Evidence, floor: np.ndarray) -> tuple:  # type: ignore[type-arg]
    return minimax_rule(evidence, floor), pareto_rule(evidence)


def selection(episodes: int, runs: int) -> dict[str, np.ndarray]:
    """Per run, the pick's naive and cross-fitted value, and whether simultaneous and plain intervals hold the truth."""
    rows = []
    for run in range(runs):
        rng = np.random.default_rng([episodes, run])
        evidence = drawn(rng, episodes, np.ones((CHECKPOINTS, 1)))
        rule = total_rule(evidence)
        fitted = cross_fit(rule, rng)
        low, high = selected_interval(rule, level=0.95, draws=400, seed=run)
        numerators, counts = evidence.sums()
        plain = ratio_interval(numerators[:, [rule.best], -1], counts, rng=rng, draws=400)
        rows.append([fitted.naive, fitted.value, low <= 1 <= high, bool(plain.low <= 1 <= plain.high)])
    return dict(zip(("naive", "fitted", "simultaneous", "plain"), np.array(rows, float).T, strict=True))


def test_the_winners_curse_is_lifted() -> None:
    """Fourteen equal checkpoints, 50 episodes: the pick's own error is 14 % too low, the cross-fitted one is not."""
    found = selection(50, 250)
    error = found["fitted"].std() / np.sqrt(250)
    assert abs(found["fitted"].mean() - 1) < 3.3 * error
    assert found["naive"].mean() < 1 - 8 * error
    assert found["simultaneous"].mean() >= 1 - allowed(0.05, 250)
    assert found["plain"].mean() < 0.85


@pytest.mark.slow
@pytest.mark.parametrize("episodes", [20, 100, 400])
def test_the_winners_curse_on_the_full_grid(episodes: int) -> None:
    found = selection(episodes, 600)
    assert abs(found["fitted"].mean() - 1) < 3.3 * found["fitted"].std() / np.sqrt(600)
    assert found["simultaneous"].mean() >= 1 - allowed(0.05, 600)
