"""Compare 10 policies × 200 trials, all 45 pairs, against loops over scipy that do less.

Run with one thread: OMP_NUM_THREADS=1 python benchmarks/compare.py. Exits with 1 where the promise is broken.
"""

import argparse
import json
import sys
from itertools import combinations

import numpy as np
import scipy.stats
from timing import seconds

from surehand.decide.compare import compare_trials
from surehand.formats.rubrics import read_rubric
from surehand.formats.trial_rows import Trial
from surehand.formats.trials import Trials

LIMIT_SECONDS = 2.0
POLICIES, TRIALS, DRAWS = 10, 200, 9_999
SAMPLE = 3  # pairs that scipy is timed on, for it is slow; the rest is multiplication


def trials(rng: np.random.Generator, blocked: bool) -> Trials:
    """Ten policies of different worth, most of them near the ceiling."""
    rows = []
    for policy in range(POLICIES):
        shares = rng.dirichlet([1, 1, 3, 5])
        for i, score in enumerate(rng.choice([1, 2, 3, 4], TRIALS, p=shares).tolist(), start=1):
            rows.append(Trial(i, f"policy {policy}", position=i, block=str(i) if blocked else "", score=float(score)))
    return Trials(tuple(rows))


def by_scipy(data: Trials) -> None:
    """A permutation test and two unconditional tests of success of each of a few pairs: a part of what we do."""
    for a, b in list(combinations(data.policies, 2))[:SAMPLE]:
        x, y = data[a].scores, data[b].scores
        scipy.stats.permutation_test(
            (x, y),
            lambda u, v, axis: scipy.stats.mannwhitneyu(u, v, axis=axis, method="asymptotic").statistic,
            n_resamples=DRAWS,
            batch=1_000,
            vectorized=True,
            rng=np.random.default_rng(0),
        )
        table = [[int((x == 4).sum()), int((y == 4).sum())], [int((x < 4).sum()), int((y < 4).sum())]]
        scipy.stats.barnard_exact(table)
        scipy.stats.boschloo_exact(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    rng, rubric = np.random.default_rng(1), read_rubric("hsr")

    def ours(data: Trials) -> float:
        return seconds(lambda: compare_trials(data, rng=np.random.default_rng(0), rubric=rubric), repeats)

    data = trials(rng, blocked=False)
    pairs = POLICIES * (POLICIES - 1) // 2
    result = {
        "independent_s": ours(data),
        "paired_s": ours(trials(rng, blocked=True)),
        "part_of_it_by_scipy_s": seconds(lambda: by_scipy(data), 1) * pairs / SAMPLE,
    }
    result["speedup"] = result["part_of_it_by_scipy_s"] / result["independent_s"]
    print(json.dumps({name: round(value, 2) for name, value in result.items()}))
    return int(max(result["independent_s"], result["paired_s"]) > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
