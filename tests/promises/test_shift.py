"""Promises of the shift monitors: false alarms, over any horizon, and mean risk under weights that are true.

Simulated deployments, seeded; bounds leave three standard errors of Monte Carlo noise. Each time the usual mistake
breaks the promise: p-values against a fixed calibration set, a test looked at after every episode, episodes counted in
the order in which they end, no weights.
"""

import numpy as np
import pytest
from scipy.stats import binom, norm

from surehand.measure.shift import ShiftMonitor, log_martingale
from surehand.measure.shift_ranks import fixed_p_values, online_p_values
from surehand.measure.shift_violations import ViolationMonitor, log_evidence
from surehand.measure.shift_weighted import WeightedRisk

SIZES = [pytest.param(300, 2000), pytest.param(3000, 5000, marks=pytest.mark.slow)]  # deployments, episodes of each


def slack(p: float, n: int) -> float:
    return float(3 * np.sqrt(p * (1 - p) / n))


def alarms(log_path: np.ndarray, alpha: float) -> float:
    return float((log_path.max(axis=-1) >= -np.log(alpha)).mean())


def draw(kind: str, size: int, rng: np.random.Generator) -> np.ndarray:
    """Scores of exchangeable episodes: smooth, with ties, with faults, or all sharing one unknown level."""
    if kind == "ties":
        return rng.integers(0, 3, size).astype(float)
    if kind == "faults":
        return np.where(rng.random(size) < 0.05, np.nan, rng.normal(size=size))
    return rng.normal(size=size) + (3 * rng.normal() if kind == "exchangeable" else 0.0)


@pytest.mark.parametrize(("runs", "horizon"), SIZES)
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize(("kind", "n"), [("smooth", 50), ("smooth", 1), ("ties", 50), ("faults", 200)])
def test_martingale_false_alarms(kind: str, n: int, both: bool, runs: int, horizon: int) -> None:
    rng = np.random.default_rng(1)
    p = np.empty((runs, horizon))
    for run in range(runs):
        values = draw(kind, n + horizon, rng)
        p[run] = online_p_values(values[:n], values[n:], rng=rng)
    path = log_martingale(p, both=both)
    for alpha in (0.01, 0.1, 0.3):
        assert alarms(path, alpha) <= alpha + slack(alpha, runs)
    assert alarms(path, 0.3) > 0.1  # and most of it is used


def test_episodes_that_share_a_level() -> None:
    """Exchangeable, not independent: a level common to all episodes changes nothing."""
    rng = np.random.default_rng(2)
    runs = [draw("exchangeable", 1050, rng) for _ in range(300)]
    p = np.stack([online_p_values(values[:50], values[50:], rng=rng) for values in runs])
    assert alarms(log_martingale(p), 0.1) <= 0.1 + slack(0.1, 300)


def test_the_stream_keeps_it_too() -> None:
    rng = np.random.default_rng(3)
    raised = 0
    for _ in range(100):
        monitor = ShiftMonitor(rng.normal(size=50), alpha=0.1, rng=rng)
        for value in rng.normal(size=300).tolist():
            state = monitor.update(value)
        raised += state.alarm is not None
    assert raised / 100 <= 0.1 + slack(0.1, 100)


@pytest.mark.parametrize(("both", "above"), [(False, 0.15), (True, 0.3)])
def test_a_fixed_calibration_set_breaks_it(both: bool, above: float) -> None:
    """n = 50: the p-values share that set's luck, and a martingale takes it for a change."""
    rng = np.random.default_rng(4)
    p = np.stack([fixed_p_values(rng.normal(size=50), rng.normal(size=2000), rng=rng) for _ in range(300)])
    assert alarms(log_martingale(p, both=both), 0.01) > above


def test_peeking_at_a_p_value_of_the_mean_breaks_it() -> None:
    """A z-test of deployed against calibration scores after every episode, at 5 % each."""
    rng = np.random.default_rng(5)
    new, pool = rng.normal(size=(400, 2000)), rng.normal(size=(400, 500))
    n = np.arange(1, 2001)
    z = (np.cumsum(new, axis=1) / n - pool.mean(axis=1, keepdims=True)) / np.sqrt(1 / n + 1 / 500)
    assert ((norm.sf(z) <= 0.05).any(axis=1)).mean() > 0.25


# calibration, deployed before the change, shift in standard deviations: share that must be found, median delay
DELAYS = [
    (50, 0, 1.0, 0.97, 30),
    (50, 300, 1.0, 0.97, 45),
    (200, 0, 1.0, 0.97, 20),
    (200, 300, 1.0, 0.97, 42),
    (1000, 0, 0.5, 0.95, 60),
    (1000, 300, 0.5, 0.95, 115),
    (1000, 300, 2.0, 0.99, 13),
]


@pytest.mark.parametrize(("n", "before", "shift", "share", "delay"), DELAYS)
def test_detection(n: int, before: int, shift: float, share: float, delay: float) -> None:
    """At alpha .01, within 1000 episodes of the change; docs/signals.md prints the table."""
    rng = np.random.default_rng(6)
    p = np.empty((200, before + 1000))
    for run in range(200):
        values = rng.normal(size=before + 1000) + shift * (np.arange(before + 1000) >= before)
        p[run] = online_p_values(rng.normal(size=n), values, rng=rng)
    hit = log_martingale(p)[:, before:] >= np.log(100)
    waited = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, np.inf)
    assert np.isfinite(waited).mean() >= share
    assert np.median(waited) <= delay


@pytest.mark.parametrize(("runs", "horizon"), SIZES)
@pytest.mark.parametrize(("epsilon", "kind"), [(0.05, "loss"), (0.01, "loss"), (0.1, "conditional"), (0.05, "drift")])
def test_violation_monitor_false_alarms(epsilon: float, kind: str, runs: int, horizon: int) -> None:
    """Mean risk exactly ε: as 0 or 1, as ε + (1/T) Σ A(V − ε), or with a rate that depends on the last outcome."""
    rng = np.random.default_rng(7)
    if kind == "loss":
        w = (rng.random((runs, horizon)) < epsilon).astype(float)
    elif kind == "conditional":
        executed = rng.integers(0, 6, (runs, horizon))  # of T = 5 decisions, violations clustered in episodes
        rate = np.where(rng.random((runs, horizon)) < 0.2, 0.5, 0.0)
        w = epsilon + (rng.binomial(executed, rate) - epsilon * executed) / 5
    else:
        w, risky = np.zeros((runs, horizon)), np.zeros(runs, bool)
        for e in range(horizon):  # after a violation often less than ε, never more
            w[:, e] = rng.random(runs) < np.where(risky, epsilon / 5, epsilon)
            risky = w[:, e] == 1
    path = log_evidence(w, epsilon)
    for alpha in (0.01, 0.1, 0.3):
        assert alarms(path, alpha) <= alpha + slack(alpha, runs)


def test_violation_monitor_detects() -> None:
    rng = np.random.default_rng(8)
    for epsilon, true, limit in ((0.05, 0.1, 290), (0.05, 0.2, 45), (0.01, 0.05, 150)):
        hit = log_evidence((rng.random((200, 3000)) < true).astype(float), epsilon) >= np.log(100)
        assert hit.any(axis=1).all()
        assert np.median(hit.argmax(axis=1) + 1) <= limit


def test_peeking_at_a_binomial_test_breaks_it() -> None:
    rng = np.random.default_rng(9)
    k = np.cumsum(rng.random((500, 2000)) < 0.05, axis=1)
    assert (binom.sf(k - 1, np.arange(1, 2001), 0.05) <= 0.1).any(axis=1).mean() > 0.35


def test_counting_episodes_as_they_end_breaks_it() -> None:
    """Violations end an episode at once, good ones take twenty times as long, forty robots start one after another.

    In the order of starting the promise holds; in the order of ending the bad ones of the first minutes come first.
    """
    rng = np.random.default_rng(10)
    raised = {"start": 0, "end": 0}
    for _ in range(200):
        bad = rng.random(400) < 0.05
        ends = np.arange(400) / 40 + np.where(bad, 0.5, 10.0)
        ordered, hasty = (ViolationMonitor(0.05, 0.1) for _ in range(2))
        for e in np.argsort(ends, kind="stable").tolist():
            ordered.update(float(bad[e]), e)
            hasty.update(float(bad[e]))
        assert ordered.waiting == 0
        raised["start"] += ordered.compute().alarm is not None
        raised["end"] += hasty.compute().alarm is not None
    assert raised["start"] / 200 <= 0.1 + slack(0.1, 200)
    assert raised["end"] / 200 > 0.5


def world(size: int, tilt: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Contexts x in (0, 1) with density ∝ 1 + tilt(2x − 1), and critical limits: hard contexts violate more often."""
    x = rng.random(size * 3)
    x = x[rng.random(len(x)) * 2 < 1 + tilt * (2 * x - 1)][:size]
    risk = rng.random(len(x)) < 0.05 + 0.4 * x**2
    return x, np.where(risk, rng.random(len(x)), np.inf)


@pytest.mark.parametrize(("n", "epsilon"), [(60, 0.1), (60, 0.05), (400, 0.05)])
def test_weighted_control_under_known_weights(n: int, epsilon: float) -> None:
    """Calibrated on easy contexts, deployed on hard ones: mean loss over calibrations and episodes, 4000 of them."""
    rng = np.random.default_rng(11)
    weighted, plain, worth = [], [], []
    for _ in range(4000):
        x, critical = world(n, -0.9, rng)
        new, limit = world(1, 0.9, rng)
        if len(x) < n or not len(new):  # too many rejected; independent of the losses
            continue
        ratio = lambda z: (1 + 0.9 * (2 * z - 1)) / (1 - 0.9 * (2 * z - 1))  # noqa: E731
        found = WeightedRisk().update(critical, ratio(x)).compute(ratio(new), epsilon)
        unweighted = WeightedRisk().update(critical, np.ones(n)).compute(np.ones(1), epsilon)
        weighted.append(found.limit[0] > limit[0])
        plain.append(unweighted.limit[0] > limit[0])
        worth.append(found.effective / n)
    runs = len(weighted)
    assert runs > 2500
    assert np.mean(weighted) <= epsilon + slack(epsilon, runs)
    assert np.mean(plain) > epsilon + slack(epsilon, runs)  # the usual mistake
    assert 0.2 < np.mean(worth) < 0.7
