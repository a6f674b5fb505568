"""Sequential designs, e-values and judgements: how long they take, against the plain way to the same numbers.

The design's rival merely *checks* one design: probabilities carried forward pair by pair at 3001 success rates, as
finding a boundary without counting ways would do for every candidate. The rival of the e-value is scipy's numerical
integration. Prints seconds; exits with 1 where a promise is broken: 50 pairs in less than 1 s, 200 in less than 20 s.
"""

import json
import sys

import numpy as np
from scipy.integrate import quad
from timing import seconds

from surehand.decide.stopping import judge_stop
from surehand.formats.schedules import StopRule
from surehand.measure.betting import e_path
from surehand.measure.sequential import Design, design
from surehand.measure.sequential_boundary import find_boundary

LIMITS = {50: 1.0, 200: 20.0}
RATES = np.linspace(0, 1, 3001)


def check(plan: Design) -> float:
    """Largest P(false stop) on the grid of rates."""
    p = RATES[:, None, None]
    going, stopped = np.ones((len(p), 1, 1)), np.zeros(len(p))
    for k in range(1, plan.n_max + 1):
        going = np.pad(going, ((0, 0), (0, 1), (0, 0))) * (1 - p) + np.pad(going, ((0, 0), (1, 0), (0, 0))) * p
        going = np.pad(going, ((0, 0), (0, 0), (0, 1))) * (1 - p) + np.pad(going, ((0, 0), (0, 0), (1, 0))) * p
        here = plan.stops(k)[0]
        stopped += going[:, here].sum(axis=1)
        going = np.where(here, 0.0, going)
    return float(stopped.max())


def integral(wins: int, losses: int) -> float:
    return float(quad(lambda t: 2 * (2 * t) ** wins * (2 * (1 - t)) ** losses, 0.5, 1)[0])


def main() -> int:
    result = {}
    for n in (20, 50, 100, 200):
        result[f"design_{n}_s"] = seconds(lambda n=n: find_boundary(n, 0.05, tuple(range(1, n + 1))))
    plan = design(50, 0.05, sides=1)
    worst = check(plan)
    result["check_50_on_3001_rates_s"] = seconds(lambda: check(plan), 1)
    result["worst_50_on_3001_rates"], result["bound_50"] = worst, plan.type_one
    signs = np.random.default_rng(0).integers(-1, 2, 300)
    result["e_path_300_s"] = seconds(lambda: e_path(signs))
    wins, losses = np.cumsum(signs > 0), np.cumsum(signs < 0)
    result["quad_300_s"] = seconds(lambda: [integral(int(w), int(x)) for w, x in zip(wins, losses, strict=True)], 1)
    trials = (np.random.default_rng(1).random((50, 10)) < 0.7).astype(float)
    arms = {str(i): column.tolist() for i, column in enumerate(trials.T)}
    for outcome in ("success", "score"):
        rule = StopRule(outcome=outcome, alpha=0.05, pairs=50)
        judge_stop(rule, arms)
        result[f"judge_10_arms_50_blocks_{outcome}_s"] = seconds(lambda rule=rule: judge_stop(rule, arms))
    print(json.dumps({name: round(value, 5) for name, value in result.items()}))
    kept = all(result[f"design_{n}_s"] < limit for n, limit in LIMITS.items()) and worst <= plan.type_one <= 0.05
    kept &= result["e_path_300_s"] < result["quad_300_s"] and result["design_50_s"] < result["check_50_on_3001_rates_s"]
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
