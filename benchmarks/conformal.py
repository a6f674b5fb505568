"""Calibration of abstention: seconds and memory, against a plain loop and against reading the data once.

10^6 decisions in episodes of 17: joint risk and conditional risk from raw arrays, checks included, and what the process
needs beyond the data. 1 000 refits (bootstrap, whole episodes) at n = 10^4 and 100 thresholds. The rival is the obvious
way in numpy: per refit and threshold a mask, two sums and one binomial tail. Prints seconds; exits with 1 where a
promise is broken: 0.5 s and 100 MB for a million decisions, 0.5 s for the refits, and the rival beaten.
"""

import json
import resource
import sys

import numpy as np
from scipy.stats import binom
from timing import seconds

from surehand.measure.conformal import allowed_with_confidence, joint_risk, joint_risk_in_expectation, thresholds
from surehand.measure.decisions import Decisions
from surehand.measure.executed_counts import count_units
from surehand.measure.learn_then_test import begin_at_counts, binomial_p, conditional_risk, fixed_sequence

EPSILON, DELTA, REFITS, UNITS, LENGTH = 0.05, 0.1, 1000, 10_000, 17
GRID = np.linspace(0.02, 1, 100)


def peak() -> float:
    """Most memory the process has held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def refit(risk: np.ndarray, violation: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Thresholds of joint and conditional risk (B,), each from one resample of all units.

    Only what the grid can tell apart matters: a resample is a multinomial draw over its cells.
    """
    cell = np.searchsorted(GRID, risk, side="right") * 2 + violation
    drawn = rng.multinomial(UNITS, np.bincount(cell, minlength=2 * len(GRID) + 2) / UNITS, size=REFITS)
    entering = drawn.reshape(REFITS, -1, 2)[:, :-1]
    violating = entering[..., 1].cumsum(axis=1)
    units = entering.sum(axis=2).cumsum(axis=1)
    allowed = allowed_with_confidence(UNITS, EPSILON, DELTA)
    joint = (violating <= allowed).sum(axis=1) - 1
    p = binomial_p(units, violating, EPSILON)
    begin = begin_at_counts(units, np.full(REFITS, UNITS), EPSILON, DELTA)
    return joint, fixed_sequence(p, begin, DELTA)


def refit_plainly(risk: np.ndarray, violation: np.ndarray, rng: np.random.Generator, refits: int) -> list[float]:
    """Thresholds, resample by resample and threshold by threshold; the sequence begins at 3 n_min units, as ours."""
    found = []
    for _ in range(refits):
        rows = rng.integers(0, UNITS, UNITS)
        r, v = risk[rows], violation[rows]
        last = -np.inf
        for level in GRID:
            runs = r < level
            if runs.sum() < 135:
                continue
            if binom.cdf((runs & v).sum(), runs.sum(), EPSILON) > DELTA:
                break
            last = float(level)
        found.append(last)
    return found


def main() -> int:
    rng = np.random.default_rng(0)
    n = 1_000_000
    score = rng.random(n)
    violation = (rng.random(n) < 0.12 * score**3).astype(float)
    episode = np.arange(n) // LENGTH
    result: dict[str, float] = {}
    small = Decisions(score[:1700], violation[:1700], episode[:1700], "halt")
    joint_risk(small, epsilon=EPSILON, delta=DELTA)  # imports are not the subject
    conditional_risk(small, GRID, epsilon=EPSILON, delta=DELTA, method="binomial", t_max=20, rng=rng)
    before = peak()

    def everything() -> None:
        decisions = Decisions(score, violation, episode, "halt")
        joint_risk(decisions, epsilon=EPSILON, delta=DELTA)
        joint_risk_in_expectation(decisions, epsilon=EPSILON)
        conditional_risk(decisions, GRID, epsilon=EPSILON, delta=DELTA, method="binomial", t_max=LENGTH, rng=rng)

    result["million_joint_crc_binomial_s"] = seconds(everything)
    result["million_over_the_data_mb"] = peak() - before
    decisions = Decisions(score, violation, episode, "halt")
    for method in ("betting", "rao-scott"):
        result[f"million_{method}_s"] = seconds(
            lambda method=method: conditional_risk(
                decisions, GRID, epsilon=EPSILON, delta=DELTA, method=method, t_max=LENGTH, start=0.2
            ),
            1,
        )
    result["million_all_methods_over_the_data_mb"] = peak() - before
    # The limit: what it takes to copy the three arrays once.
    result["reading_the_data_once_s"] = seconds(lambda: [x.copy() for x in (score, violation, episode)])

    risk, bad = rng.random(UNITS), np.zeros(UNITS, bool)
    bad[:] = rng.random(UNITS) < 0.3 * risk**3
    result["refits_1000_s"] = seconds(lambda: refit(risk, bad, np.random.default_rng(1)))
    result["refits_1000_plain_s"] = seconds(lambda: refit_plainly(risk, bad, np.random.default_rng(1), 20), 1) * 50
    result["refits_faster"] = result["refits_1000_plain_s"] / result["refits_1000_s"]
    # Without a grid: all 10^4 critical values of every resample.
    rows = np.random.default_rng(2).integers(0, UNITS, (REFITS, UNITS))  # drawing them is not counted
    critical = np.where(bad, risk, np.inf)
    allowed = allowed_with_confidence(UNITS, EPSILON, DELTA)
    result["refits_1000_whole_resamples_s"] = seconds(lambda: thresholds(critical[rows], allowed), 1)
    units, violating = count_units(risk[rows[:200]], bad[rows[:200]], GRID)
    mine = fixed_sequence(binomial_p(units, violating, EPSILON), begin_at_counts(units, UNITS, EPSILON, DELTA), DELTA)
    plain = refit_plainly(risk, bad, np.random.default_rng(3), 200)
    result["mean_threshold"], result["mean_threshold_plain"] = float(GRID[mine].mean()), float(np.mean(plain))
    print(json.dumps({name: round(value, 4) for name, value in result.items()}))
    kept = result["million_joint_crc_binomial_s"] < 0.5 and result["million_over_the_data_mb"] < 100
    kept &= result["refits_1000_s"] < 0.5 and result["refits_faster"] > 20
    kept &= abs(result["mean_threshold"] - result["mean_threshold_plain"]) < 0.01
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
