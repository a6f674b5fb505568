"""Intervals of 400 episodes × 14 checkpoints × 5 groups from 10 000 resamples, against scipy.stats.bootstrap per cell.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/intervals.py. Exits with 1 where a promise is broken.
"""

import argparse
import json
import sys

import numpy as np
import scipy.stats
from timing import seconds

from surehand.measure.logratio import simultaneous_limits
from surehand.measure.modelset import influence_losses, model_confidence_set
from surehand.measure.resample import ratio_interval

LIMIT_SECONDS = 1.0
LIMIT_SPEEDUP = 5.0
EPISODES, CHECKPOINTS, GROUPS, DRAWS = 400, 14, 5, 10_000


def scipy_per_cell(num: np.ndarray, den: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Percentile limits (2, C), one call per cell, vectorised inside."""
    cells = [
        scipy.stats.bootstrap(
            (column, den),
            lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
            paired=True,
            vectorized=True,
            n_resamples=DRAWS,
            method="percentile",
            rng=rng,
        ).confidence_interval
        for column in num.T
    ]
    return np.array([(cell.low, cell.high) for cell in cells]).T


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    den = rng.integers(80, 200, EPISODES).astype(float)
    effect = np.exp(0.5 * rng.standard_normal((EPISODES, 1)))
    num = rng.gamma(den[:, None] / 4, size=(EPISODES, CHECKPOINTS * GROUPS)) * effect

    ours = ratio_interval(num, den, rng=rng, draws=DRAWS)
    theirs = scipy_per_cell(num, den, rng)
    width = theirs[1] - theirs[0]
    apart = float((np.abs(np.stack([ours.low, ours.high]) - theirs) / width).max())
    losses = influence_losses(num[:, ::GROUPS], den)
    result = {
        "percentile_s": seconds(lambda: ratio_interval(num, den, rng=rng, draws=DRAWS), repeats),
        "bootstrap_t_s": seconds(lambda: ratio_interval(num, den, rng=rng, draws=DRAWS, method="bootstrap-t"), repeats),
        "simultaneous_s": seconds(lambda: simultaneous_limits(num, den, level=0.95, draws=DRAWS, rng=rng), repeats),
        "model_set_s": seconds(lambda: model_confidence_set(losses, draws=DRAWS, rng=rng), repeats),
        "scipy_s": seconds(lambda: scipy_per_cell(num, den, rng), max(1, repeats // 3)),
        "largest_difference_in_widths": apart,
    }
    result["speedup"] = result["scipy_s"] / result["percentile_s"]
    print(json.dumps({name: round(value, 3) for name, value in result.items()}))
    kept = result["percentile_s"] < LIMIT_SECONDS and result["speedup"] >= LIMIT_SPEEDUP and apart < 0.1
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
