"""The promise of the labels: where all policies are equal, at most alpha of all studies call any pair robust.

Adjusting nothing over the pairs, or testing pairs as if they were independent samples, breaks it here.
"""

import numpy as np
import pytest
from scipy.stats import binom

from surehand.decide.compare import compare_trials
from surehand.formats.trials import Trial, Trials

STUDIES, ALPHA, TRIALS = 300, 0.1, 12
MOST = int(binom.ppf(0.999, STUDIES, ALPHA))  # studies with a false statement, at a true rate of alpha


def study(rng: np.random.Generator, policies: int, paired: bool) -> Trials:
    """Equal policies; in pairs the start pose decides most of the score, and some poses were hard for everybody."""
    pose = rng.normal(size=TRIALS) * (1.5 if paired else 0)
    rows = []
    for policy in range(policies):
        scores = np.clip(np.round(2 + pose + rng.normal(size=TRIALS)), 1, 3)
        for i, score in enumerate(scores.tolist(), start=1):
            rows.append(Trial(i, f"policy {policy}", position=i, block=str(i) if paired else "", score=score))
    return Trials(tuple(rows))


@pytest.mark.slow
@pytest.mark.parametrize(("policies", "paired"), [(4, False), (6, True)])
def test_equal_policies_are_rarely_told_apart(policies: int, paired: bool) -> None:
    rng, rubric = np.random.default_rng(5), [1, 2, 3]
    robust = permutation = unadjusted = 0
    for _ in range(STUDIES):
        record = compare_trials(study(rng, policies, paired), rng=rng, rubric=rubric, alpha=ALPHA, draws=2_000)
        robust += any(pair.label == "robust" for pair in record.pairs)
        permutation += any(pair.tests[0].p_holm < ALPHA for pair in record.pairs)
        unadjusted += any(pair.tests[0].p < ALPHA for pair in record.pairs)
    assert robust <= permutation <= MOST
    assert unadjusted > MOST  # the usual mistake would be seen
