"""Promises of joint risk: per calibration with confidence, on average in expectation, per stratum, and when deployed.

Worlds are finite populations, so whether a promise was kept is computed exactly; the only slack is three standard
errors of the number of calibrations. Each mistake takes the place of one step of the same simulation, and breaks it.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binom

from surehand.measure.candidates import Candidates, filtered_joint_risk
from surehand.measure.conformal import (
    allowed_in_expectation,
    allowed_with_confidence,
    joint_risk,
    joint_risk_in_expectation,
    simultaneous_delta,
    thresholds,
)
from surehand.measure.decisions import Decisions

from .conformal_worlds import P, World, calibrations, clustered, even, safe_tail, tied

EPSILON, DELTA = 0.05, 0.1
MANY = [pytest.param(3000), pytest.param(60_000, marks=pytest.mark.slow)]
WORLDS: dict[str, Callable[[np.random.Generator], World]] = {
    "independent": lambda rng: clustered(0.0, rate=0.02, skill=0.6, rng=rng),
    "icc .05": lambda rng: clustered(0.05, rate=0.02, skill=0.6, rng=rng),
    "icc .2": lambda rng: clustered(0.2, rate=0.02, skill=0.6, rng=rng),
    "icc .5": lambda rng: clustered(0.5, rate=0.03, skill=0.6, rng=rng),
    "score says nothing": lambda rng: clustered(0.2, rate=0.01, skill=0.0, rng=rng),
    "ties": tied,
    "risky ones longer": lambda rng: even(0.2, excess=0.05, rng=rng, longer=True),
    "safe tail": safe_tail,
    "no feasible threshold": lambda rng: clustered(0.2, rate=0.5, skill=0.0, rng=rng),
}
Allowed = Callable[[int], int]


def risks(world: World, n: int, many: int, allowed: int, critical: np.ndarray | None = None) -> np.ndarray:
    """The true joint risk (B,) at the thresholds of that many calibrations with `allowed` violating episodes."""
    rng = np.random.default_rng([n, many, allowed + 1])
    drawn = calibrations(rng, many, n)
    values = world.log.critical if critical is None else critical
    return np.concatenate(
        [world.joint(thresholds(values[part], allowed)) for part in np.array_split(drawn, many // 500)]
    )


def slack(p: float, many: int) -> float:
    return 3 * float(np.sqrt(p * (1 - p) / many))


def confident(n: int) -> int:
    return allowed_with_confidence(n, EPSILON, DELTA)


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("name", WORLDS)
def test_with_confidence(name: str, many: int) -> None:
    world = WORLDS[name](np.random.default_rng(1))
    for n in (44, 45, 100, 230):
        found = risks(world, n, many, confident(n))
        assert (found > EPSILON).mean() <= DELTA + slack(DELTA, many)
        # Without ties the bound is used up: this is no promise kept by never moving.
        if n >= 45 and name in ("independent", "icc .2"):
            exact = binom.cdf(confident(n), n, EPSILON)
            assert (found > EPSILON).mean() >= exact - slack(exact, many) - 0.01


@pytest.mark.parametrize("many", MANY)
@pytest.mark.parametrize("name", WORLDS)
def test_in_expectation(name: str, many: int) -> None:
    world = WORLDS[name](np.random.default_rng(1))
    for n in (18, 19, 39, 100, 230):
        found = risks(world, n, many, allowed_in_expectation(n, EPSILON))
        assert found.mean() <= EPSILON + 3 * found.std() / np.sqrt(many)


MISTAKES: dict[str, tuple[Allowed, int]] = {
    "no +1 in the numerator": (lambda n: int(EPSILON * (n + 1)), 19),
    "no +1 at all": (lambda n: int(EPSILON * n), 40),
    "+1 below only": (lambda n: int(EPSILON * (n + 1)), 39),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_off_by_one_breaks_expectation(name: str) -> None:
    allowed, n = MISTAKES[name]
    found = risks(WORLDS["independent"](np.random.default_rng(1)), n, 3000, allowed(n))
    assert found.mean() > EPSILON + 10 * found.std() / np.sqrt(3000)


def test_off_by_one_breaks_confidence() -> None:
    found = risks(WORLDS["independent"](np.random.default_rng(1)), 45, 3000, confident(45) + 1)
    assert (found > EPSILON).mean() > DELTA + 4 * slack(DELTA, 3000)


def test_expectation_is_not_confidence() -> None:
    """Conformal risk control taken for a statement about one calibration: false every second to third time."""
    found = risks(WORLDS["independent"](np.random.default_rng(1)), 230, 3000, allowed_in_expectation(230, EPSILON))
    assert (found > EPSILON).mean() > 0.3


def test_decisions_as_units_break_it() -> None:
    """As if each of 12 decisions were an episode of its own: the joint risk of an episode is far above."""
    world = WORLDS["icc .2"](np.random.default_rng(1))
    rng = np.random.default_rng(5)
    score, _, violation = world.padded
    drawn = calibrations(rng, 1000, 50)
    critical = np.where(violation, score, np.inf)[drawn].reshape(1000, -1)
    found = world.joint(thresholds(critical, confident(600)))
    assert (found > EPSILON).mean() > 0.9


def test_results_are_what_was_simulated() -> None:
    """The whole way through a log gives the thresholds that the simulation counts."""
    world = WORLDS["ties"](np.random.default_rng(1))
    rng = np.random.default_rng(6)
    score, _, violation = world.padded
    for _ in range(20):
        drawn = calibrations(rng, 1, 120)[0]
        log = Decisions(score[drawn].ravel(), violation[drawn].ravel(), np.repeat(np.arange(120), 12), "halt")
        critical = world.log.critical[drawn]
        assert joint_risk(log, epsilon=EPSILON, delta=DELTA).threshold == thresholds(critical, confident(120))
        mean = joint_risk_in_expectation(log, epsilon=EPSILON)
        assert mean.threshold == thresholds(critical, allowed_in_expectation(120, EPSILON))


def broken_promises(worlds: list[World], n: list[int], delta: float, many: int) -> np.ndarray:
    """Which strata (B, T) break their promise, each calibrated alone at `delta`."""
    found = [risks(w, m, many, allowed_with_confidence(m, EPSILON, delta)) for w, m in zip(worlds, n, strict=True)]
    return np.stack([x > EPSILON for x in found], axis=1)


def test_strata_together() -> None:
    """A hard task among easy ones and a tiny stratum; all together, and so for any mix of tasks."""
    rng = np.random.default_rng(2)
    worlds = [clustered(0.2, rate=rate, skill=0.6, rng=rng) for rate in (0.1, 0.02, 0.02, 0.02)]
    n, many = [231, 120, 177, 20], 3000
    together = broken_promises(worlds, n, simultaneous_delta(DELTA, 4), many)
    assert together.any(axis=1).mean() <= DELTA + slack(DELTA, many)
    assert not together[:, 3].any()  # twenty episodes: no threshold, nothing borrowed
    apart = broken_promises(worlds, n, DELTA, many)
    assert (apart.mean(axis=0) <= DELTA + slack(DELTA, many)).all()
    assert apart.any(axis=1).mean() > DELTA + 4 * slack(DELTA, many)  # "per stratum" read as "all of them"


def test_pooling_hides_the_hard_task() -> None:
    rng = np.random.default_rng(3)
    hard, easy = clustered(0.2, rate=0.1, skill=0.3, rng=rng), clustered(0.2, rate=0.002, skill=0.3, rng=rng)
    drawn = [w.log.critical[rng.integers(0, P, (2000, n))] for w, n in ((easy, 210), (hard, 20))]
    critical = np.concatenate(drawn, axis=1)
    found = hard.joint(thresholds(critical, confident(230)))
    assert (found > EPSILON).mean() > 0.9


def rollout(threshold: float, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Executed, violating and score (E, T) of a robot whose state depends on what it did; it hands over at s >= λ.

    A chunk that goes wrong heats things up, quiet chunks cool down; the score sees the heat through noise. After a
    violation the robot is reset to a calm state, so that the rest of the logged episode is safer than its beginning.
    """
    _, e, t = noise.shape
    heat, on = np.zeros(e), np.ones(e, bool)
    executed, violating, scores = np.zeros((e, t), bool), np.zeros((e, t), bool), np.full((e, t), np.nan)
    for i in range(t):
        score = heat + 0.5 * noise[0, :, i]
        on &= score < threshold
        bad = on & (heat + 0.6 * noise[1, :, i] > 1.6)
        executed[:, i], violating[:, i], scores[:, i] = on, bad, score
        heat = np.where(bad, -2.0, np.where(on, 0.8 * heat + 0.3 + 0.3 * noise[2, :, i], heat))
    return executed, violating, scores


LEVELS = (0.6, 0.9, 1.2, 1.5)


def test_logs_tell_what_halting_does() -> None:
    """Always-execute logs against the closed loop: the same noise gives the same decisions, up to the abstention."""
    noise = np.random.default_rng(7).normal(size=(3, 3000, 12))
    _, violation, score = rollout(np.inf, noise)
    log = Decisions(score.ravel(), violation.ravel(), np.repeat(np.arange(3000), 12), "halt")
    for level in LEVELS:
        executed, violating, _ = rollout(level, noise)
        assert ((log.risk < level) == executed.ravel()).all()
        assert ((log.critical < level) == violating.any(axis=1)).all()


def test_halting_when_deployed() -> None:
    """Fresh closed loops agree with the log at each threshold; without the product over decisions they do not."""
    rng = np.random.default_rng(8)
    _, violation, score = rollout(np.inf, rng.normal(size=(3, 40_000, 12)))
    log = Decisions(score.ravel(), violation.ravel(), np.repeat(np.arange(40_000), 12), "halt")
    for level in LEVELS:
        executed, violating, _ = rollout(level, rng.normal(size=(3, 40_000, 12)))
        deployed = violating.any(axis=1).mean()
        error = np.sqrt(2 * deployed * (1 - deployed) / 40_000)
        assert abs((log.critical < level).mean() - deployed) < 4 * error
        runs = log.risk < level
        among = violating.sum() / executed.sum()
        # Episodes are the units, so the error of a share among decisions is linearised per episode.
        apart = violating.sum(axis=1) - among * executed.sum(axis=1)
        error_among = np.sqrt(2) * apart.std() / executed.sum(axis=1).mean() / np.sqrt(40_000)
        assert abs(log.violation[runs].mean() - among) < 4 * error_among
        alone = score < level
        assert (violation & alone).any(axis=1).mean() > deployed + 8 * error
        assert abs(violation[alone].mean() - among) > 8 * error_among


@pytest.mark.parametrize("many", [600, pytest.param(20_000, marks=pytest.mark.slow)])
def test_filter_then_select(many: int) -> None:
    """The pick moves with the threshold; on sup over stricter thresholds the promise holds."""
    rng = np.random.default_rng(9)
    score = rng.random((P, 4))
    preference = 0.8 * score + 0.3 * rng.random((P, 4))  # the selector likes what is risky
    violation = rng.random((P, 4)) < 0.35 * score**2
    world = Candidates(score, violation, preference)
    # Exact at any threshold: a violating pick is executed from its own score up to the lowest one preferred to it.
    before = np.concatenate([np.full((P, 1), np.inf), world.lowest[:, :-1]], axis=1)
    picked = world.violation & (world.score < before)
    begins, ends = np.sort(world.score[picked]), np.sort(before[picked])

    def truth(levels: np.ndarray) -> np.ndarray:
        return (np.searchsorted(begins, levels) - np.searchsorted(ends, levels)) / P

    for level in (0.1, 0.35, 0.8):
        assert truth(np.array(level)) == world.at(level)[1].mean()
    n = 150
    drawn = calibrations(rng, many, n)
    for rows in drawn[:20]:
        some = Candidates(score[rows], violation[rows], preference[rows])
        same = thresholds(world.critical[rows], confident(n))
        assert filtered_joint_risk(some, epsilon=EPSILON, delta=DELTA).threshold == same
    found = thresholds(world.critical[drawn], confident(n))
    wrong = (truth(found) > EPSILON).mean()
    assert wrong <= DELTA + slack(DELTA, many)
    # The mistake: calibrate on the pick of all K, then let the selector choose among those below the threshold.
    pick = world.picks()
    found = thresholds(pick.critical[drawn], confident(n))
    assert (truth(found) > EPSILON).mean() > 0.5
